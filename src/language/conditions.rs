//! `when`: from TOML to conditions.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::directory_file::DirectoryFile;
use super::{Compiler, shape};
use crate::table::condition::{
    Binding, Condition, Demand, KINDS, Keyed, Kind, Reading, Subject, folded, folds,
};
use crate::table::diagnostic::Code;
use crate::table::directory::Directory;
use crate::table::problems::{Key, Problems, Value, choice, entries, listed, section};
use crate::table::when::Alternative;
use crate::twilio::parameters::{self, NameProblem};
use crate::twilio::spelling::nearest;

/// The key that turns a condition round.
const NOT: &str = "not";

/// The directories of a table; `None` for one that could not be read at all.
type Directories = BTreeMap<String, Option<DirectoryFile>>;

/// Whose conditions are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    Route,
    /// A route that answers a step.
    Step,
    Intercept,
}

impl Asker {
    fn section(self) -> &'static str {
        match self {
            Self::Route | Self::Step => "route",
            Self::Intercept => "intercept",
        }
    }

    /// The shape of its section, whose keys are not parameters.
    fn shape(self) -> &'static shape::Section {
        match self {
            Self::Route | Self::Step => &shape::ROUTE,
            Self::Intercept => &shape::INTERCEPT,
        }
    }
}

impl Compiler<'_> {
    /// The tables of a `when`, any of which must hold; none means always.
    pub(super) fn alternatives(&mut self, when: &Value<'_>, asker: Asker) -> Vec<Alternative> {
        let tables: Vec<&DeTable<'_>> = match when.get_ref() {
            DeValue::Table(table) if table.is_empty() => {
                let help = "leave `when` out to answer always, or write conditions";
                self.problems.warn(
                    Code::BadCondition,
                    when.span(),
                    "an empty `when` always holds",
                    help,
                );
                return Vec::new();
            }
            DeValue::Table(table) => vec![table],
            DeValue::Array(array) if array.is_empty() => {
                let help = "leave `when` out to answer always";
                self.problems.error(
                    Code::BadCondition,
                    when.span(),
                    "`when` names no table",
                    help,
                );
                return Vec::new();
            }
            DeValue::Array(array) => array
                .iter()
                .filter_map(|value| self.problems.table(value, "a table of conditions"))
                .collect(),
            _ => {
                let help = "write when = { Called = \"+15005550006\" }";
                self.problems
                    .wrong_type(when, "a table of conditions", help);
                return Vec::new();
            }
        };
        tables
            .into_iter()
            .map(|table| self.alternative(table, asker))
            .collect()
    }

    fn alternative(&mut self, table: &DeTable<'_>, asker: Asker) -> Alternative {
        // The rows are chosen first: a condition on a column may stand before the one that chooses its row.
        let bindings: Vec<Binding> = entries(table)
            .into_iter()
            .filter_map(|(key, value)| self.binding(key.get_ref(), value))
            .collect();
        let mut conditions: Vec<Condition> = entries(table)
            .into_iter()
            .filter_map(|(key, value)| self.condition(key, value, asker, &bindings))
            .collect();
        conditions.shrink_to_fit();
        Alternative {
            conditions,
            bindings,
        }
    }

    /// The directory whose row a condition chooses: that of a plain `in`.
    fn binding(&mut self, parameter: &str, value: &Value<'_>) -> Option<Binding> {
        let name = value.get_ref().as_table()?.get("in")?.get_ref().as_str()?;
        let directory = directory_for(&self.directories, parameter, name)?;
        Some(Binding {
            parameter: self.shared_name(parameter),
            directory,
        })
    }

    /// A parameter's name, one text for all conditions on it.
    fn shared_name(&mut self, name: &str) -> Arc<str> {
        if let Some(shared) = self.parameter_names.get(name) {
            return Arc::clone(shared);
        }
        let shared: Arc<str> = name.into();
        self.parameter_names.insert(Arc::clone(&shared));
        shared
    }

    fn condition(
        &mut self,
        key: &Key<'_>,
        value: &Value<'_>,
        asker: Asker,
        bindings: &[Binding],
    ) -> Option<Condition> {
        let name = key.get_ref().as_ref();
        if asker.shape().has(name) {
            let section = asker.section();
            let message = format!("`{name}` belongs to the {section}, not to its `when`");
            let help = format!(
                "move it above the line [{section}.when], or write when = {{ … }} on one line"
            );
            self.problems
                .error(Code::MisplacedKey, key.span(), message, help);
            return None;
        }
        if let Some((directory, column)) = name.split_once('.')
            && self.directories.contains_key(directory)
        {
            let subject = self.column_subject(directory, column, &key.span(), bindings);
            let demand = self.demand(name, value);
            return Some(Condition {
                subject: subject?,
                demand: demand?,
            });
        }
        if self.directories.contains_key(name)
            && value.get_ref().is_table()
            && !parameters::is_known(name)
        {
            let message = format!("a column of \"{name}\" is named without quotes");
            let help = format!("write the dotted name in quotes: \"{name}.COLUMN\" = …");
            self.problems
                .error(Code::BadCondition, key.span(), message, help);
            return None;
        }
        if let Some((first, _)) = name.split_once('.')
            && !parameters::is_json(first)
            && !self.own_parameters.contains(name)
        {
            unknown_directory(&self.directories, &mut self.problems, first, &key.span());
            return None;
        }
        self.check_parameter(name, &key.span());
        if asker == Asker::Intercept {
            self.check_intercept_parameter(name, &key.span());
        }
        if asker == Asker::Step && parameters::is_of_session(name) {
            let message =
                format!("`{name}` is absent from every request that comes back with a step");
            let help =
                "test it in the route that leads here, and give each outcome a step of its own";
            self.problems
                .warn(Code::SessionInStep, key.span(), message, help);
        }
        let demand = self.demand(name, value)?;
        Some(Condition {
            subject: Subject::Parameter(self.shared_name(name)),
            demand,
        })
    }

    /// The column of a condition such as `"sellers.city"`, in the row that another condition beside it chooses.
    fn column_subject(
        &mut self,
        directory: &str,
        column: &str,
        span: &Range<usize>,
        bindings: &[Binding],
    ) -> Option<Subject> {
        let found = self.directories.get(directory)?.as_ref()?.directory.clone();
        let Some(position) = found.column(column) else {
            self.unknown_column(&found, column, span);
            return None;
        };
        let mut choosing = bindings
            .iter()
            .filter(|binding| binding.directory.name() == directory);
        let (Some(binding), None) = (choosing.next(), choosing.next()) else {
            self.unbound(directory, span);
            return None;
        };
        Some(Subject::Column {
            binding: Box::new(binding.clone()),
            column: position,
        })
    }

    /// The error for a directory's column where not exactly one condition chooses the row.
    pub(super) fn unbound(&mut self, directory: &str, span: &Range<usize>) {
        let message = format!("nothing says which row of \"{directory}\" is meant");
        let help = format!(
            "write one condition such as Called = {{ in = \"{directory}\" }} in every table of `when`"
        );
        self.problems
            .error(Code::UnboundDirectory, span.clone(), message, help);
    }

    /// Reports a parameter that no webhook sends, or that is spelt in another letter case.
    pub(super) fn check_parameter(&mut self, name: &str, span: &Range<usize>) {
        if self.own_parameters.contains(name) {
            return;
        }
        match parameters::check_name(name) {
            None => {}
            Some(NameProblem::Case(known)) => {
                let message = format!(
                    "Twilio spells `{name}` as `{known}`; in another letter case it never matches"
                );
                self.problems.error(
                    Code::WrongCase,
                    span.clone(),
                    message,
                    format!("write `{known}`"),
                );
            }
            Some(NameProblem::Unknown(near)) => {
                let own = self.own_parameters.iter().map(String::as_str);
                let help = match near.or_else(|| nearest(name, own)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!(
                        "if it is a query field of your own, add it: parameters = [\"{name}\"]"
                    ),
                };
                let message = format!("no webhook of Twilio's sends `{name}`");
                self.problems
                    .warn(Code::UnknownParameter, span.clone(), message, help);
            }
        }
    }

    fn demand(&mut self, subject: &str, value: &Value<'_>) -> Option<Demand> {
        match value.get_ref() {
            DeValue::String(text) => Some(self.text(subject, text, value.span())),
            DeValue::Array(array) if array.is_empty() => {
                let help = "name at least one value, or leave the condition out";
                self.problems.error(
                    Code::BadCondition,
                    value.span(),
                    "no value is in an empty array",
                    help,
                );
                None
            }
            DeValue::Array(array) => {
                let demands = array.iter().filter_map(|value| self.demand(subject, value));
                Some(Demand::AnyOf(demands.collect()))
            }
            DeValue::Table(table) => self.table(subject, table, value.span()),
            DeValue::Integer(number) => {
                let help = format!("parameters are texts: write \"{}\"", number.as_str());
                self.problems
                    .wrong_type(value, "a text, an array or a table", help);
                None
            }
            _ => {
                let help = format!(
                    "write {subject} = \"…\", an array of texts, or a table such as {{ not = \"…\" }}"
                );
                self.problems
                    .wrong_type(value, "a text, an array or a table", help);
                None
            }
        }
    }

    fn text(&mut self, subject: &str, text: &str, span: Range<usize>) -> Demand {
        if text.contains("{{") {
            let help = "write what the value must be; a template fills in texts of a reply only";
            self.problems.error(
                Code::BadCondition,
                span.clone(),
                "conditions take no templates",
                help,
            );
        }
        self.check_value(subject, text, span);
        if folds(subject) {
            Demand::text(&folded(text))
        } else {
            Demand::text(text)
        }
    }

    fn table(&mut self, subject: &str, table: &DeTable<'_>, span: Range<usize>) -> Option<Demand> {
        let mut demands = Vec::new();
        for (key, value) in entries(table) {
            let name = key.get_ref().as_ref();
            if name == NOT {
                let demand = self.demand(subject, value);
                demands.extend(demand.map(|demand| Demand::Not(Box::new(demand))));
            } else if let Some(kind) = KINDS.iter().find(|kind| kind.key == name) {
                demands.extend(self.kind(kind, subject, key, value).map(Demand::Is));
            } else {
                self.unknown_condition(subject, name, key.span());
            }
        }
        match demands.len() {
            0 if table.is_empty() => {
                let help = format!("write one of {}", choice(&condition_keys()));
                self.problems.error(
                    Code::BadCondition,
                    span,
                    "an empty table tests nothing",
                    help,
                );
                None
            }
            1 => demands.pop(),
            _ => Some(Demand::AllOf(demands.into())),
        }
    }

    fn kind(
        &mut self,
        kind: &Keyed,
        subject: &str,
        key: &Key<'_>,
        value: &Value<'_>,
    ) -> Option<Box<dyn Kind>> {
        let Self {
            problems,
            directories,
            used_directories,
            ..
        } = self;
        let mut reading = Reading {
            subject,
            folds: folds(subject),
            problems,
            directory: &mut |problems, name, value| {
                if !directories.contains_key(name) {
                    unknown_directory(directories, problems, name, &value.span());
                    return None;
                }
                used_directories.insert(name.to_owned());
                directory_for(directories, subject, name)
            },
        };
        (kind.read)(&mut reading, key, value)
    }

    fn unknown_condition(&mut self, parameter: &str, key: &str, span: Range<usize>) {
        if parameters::is_json(parameter) {
            let message = format!("`{key}` inside `{parameter}` is named without quotes");
            let help = format!("write the dotted name in quotes: \"{parameter}.{key}\" = …");
            self.problems.error(Code::BadCondition, span, message, help);
            return;
        }
        let keys = condition_keys();
        let help = match nearest(key, keys.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("a condition has {}", listed(&keys)),
        };
        self.problems.error(
            Code::UnknownKey,
            span,
            format!("a condition has no key `{key}`"),
            help,
        );
    }
}

/// The keys that the table of a condition may have, in alphabetical order.
fn condition_keys() -> Vec<&'static str> {
    let mut keys: Vec<&str> = KINDS.iter().map(|kind| kind.key).chain([NOT]).collect();
    keys.sort_unstable();
    keys
}

/// A directory as a parameter looks into it: for one that is compared without regard to case, so are its keys.
fn directory_for(directories: &Directories, parameter: &str, name: &str) -> Option<Arc<Directory>> {
    let file = directories.get(name)?.as_ref()?;
    let directory = if folds(parameter) {
        file.folded()
    } else {
        &file.directory
    };
    Some(Arc::clone(directory))
}

/// The error for the name of a directory that there is not.
pub(super) fn unknown_directory(
    directories: &Directories,
    problems: &mut Problems,
    name: &str,
    span: &Range<usize>,
) {
    let help = match nearest(name, directories.keys().map(String::as_str)) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("add a section {}", section("directory", name)),
    };
    let message = format!("there is no directory \"{name}\"");
    problems.error(Code::UnknownDirectory, span.clone(), message, help);
}
