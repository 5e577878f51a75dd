//! What the parts of a table may refer to by name: complete before the first route is read, and never changed after that.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::directory_file::DirectoryFile;
use super::values::WRONG_CASE;
use crate::table::diagnostic::Check;
use crate::table::problems::{Problems, Value, section_help};
use crate::table::reply::{Attribute, Reply};
use crate::table::schedule::Schedule;
use crate::twilio::parameters::{self, NameProblem};
use crate::twilio::spelling::nearest;
use crate::twilio::vocabulary::ElementSpec;

pub(super) static UNKNOWN_PARAMETER: Check = Check::absence(
    "unknown-parameter",
    "A parameter that no Twilio webhook is known to send. If it is a field of your own in the URL that you gave Twilio, or
one that Twilio has added since, list it.",
    r#"parameters = ["campaign"]"#,
);

pub(super) static UNKNOWN_DIRECTORY: Check = Check::absence(
    "unknown-directory",
    "A directory that the table does not have. Correct its name, or write a section for it.",
    r#"when = { Called = { in = "ride" } }     # [directory.rides]"#,
);

pub(super) static UNBOUND_DIRECTORY: Check = Check::absence(
    "unbound-directory",
    r#"A column of a directory where no condition, or more than one, chooses the row. Every table of `when` needs exactly one
condition such as `Called = { in = "sellers" }`, not negated with `not` and not inside an array."#,
    r#"when = { Digits = "1" }
voice = [ { Say = "Hello {{ sellers.name }}" } ]"#,
);

pub(super) static SESSION_IN_STEP: Check = Check::new(
    "session-in-step",
    "A condition or a template on the Proxy session in a route with a `step`. Requests that come back from a `Gather` or a
`Redirect` carry no fields of the session, so it is always absent there. Test it in the route that leads to the step,
and give each outcome a step of its own.",
    r#"step = "menu"
when = { sessionStatus = "closed" }"#,
);

/// The names of a table, and what they stand for.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// The query fields of the operator's own, from `parameters`.
    pub own_parameters: BTreeSet<String>,
    /// The attributes of `[extra]` by element.
    pub extra: BTreeMap<String, Vec<String>>,
    /// The directories; `None` for one that could not be read at all.
    pub directories: BTreeMap<String, Option<DirectoryFile>>,
    /// The schedules; `None` for one with an error in it.
    pub schedules: BTreeMap<String, Option<Arc<Schedule>>>,
    /// The attributes of `[defaults.X]` by element.
    pub defaults: BTreeMap<&'static str, Vec<Attribute>>,
    /// The replies; `None` for one that could not be read at all.
    pub replies: BTreeMap<String, Option<NamedReply>>,
    /// Where the name of each route stands, that of the first of a name.
    pub routes: HashMap<String, usize>,
    /// The same of intercepts.
    pub intercepts: HashMap<String, usize>,
    /// The names of parameters, each one text that all conditions on it share.
    pub parameters: HashSet<Arc<str>>,
}

/// A `[reply.NAME]`.
#[derive(Debug)]
pub(super) struct NamedReply {
    pub voice: Option<Reply>,
    pub message: Option<Reply>,
    /// Whether only a route with `private = true` may name it.
    pub needs_private: bool,
    /// The directories whose columns it uses: a route that names it must choose their rows.
    pub directories: Vec<String>,
}

impl Names {
    /// How many rows each directory file has, by the path that the table has for it.
    pub(super) fn rows(&self) -> BTreeMap<String, usize> {
        let directories = self.directories.values().flatten();
        directories.filter_map(DirectoryFile::rows).collect()
    }

    /// A parameter's name, to be shared.
    pub(super) fn parameter(&self, name: &str) -> Arc<str> {
        match self.parameters.get(name) {
            Some(shared) => Arc::clone(shared),
            None => name.into(),
        }
    }

    /// Whether an element has an attribute because `[extra]` says so.
    pub(super) fn is_extra(&self, element: &str, attribute: &str) -> bool {
        let extra = self.extra.get(element);
        extra.is_some_and(|names| names.iter().any(|name| name == attribute))
    }

    /// Whether an element has an attribute: TwiML's own, or one of `[extra]`.
    pub(super) fn takes(&self, spec: &ElementSpec, attribute: &str) -> bool {
        spec.attribute(attribute).is_some() || self.is_extra(spec.tag, attribute)
    }

    /// Reports a parameter that no webhook sends, or that is spelt in another letter case.
    pub(super) fn check_parameter(&self, problems: &mut Problems, name: &str, span: &Range<usize>) {
        if self.own_parameters.contains(name) {
            return;
        }
        match parameters::check_name(name) {
            None => {}
            Some(NameProblem::Case(known)) => {
                let message = format!(
                    "Twilio spells `{name}` as `{known}`; in another letter case it never matches"
                );
                let help = format!("write `{known}`");
                problems.error(&WRONG_CASE, span.clone(), message, help);
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
                problems.warn(&UNKNOWN_PARAMETER, span.clone(), message, help);
            }
        }
    }

    /// Reports a parameter that Twilio sends elsewhere, but not with an interaction.
    pub(super) fn check_intercept_parameter(
        &self,
        problems: &mut Problems,
        name: &str,
        span: &Range<usize>,
    ) {
        if self.own_parameters.contains(name)
            || !parameters::is_known(name)
            || parameters::is_of_intercept(name)
        {
            return;
        }
        let help = match parameters::nearest_of_intercept(name) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "Proxy sends interactionType, interactionData and what its webhooks page lists"
                .to_owned(),
        };
        let message = format!("Proxy sends no `{name}` with an interaction");
        problems.warn(&UNKNOWN_PARAMETER, span.clone(), message, help);
    }

    /// The error for a directory that the table does not have.
    pub(super) fn unknown_directory(
        &self,
        problems: &mut Problems,
        name: &str,
        span: &Range<usize>,
    ) {
        let help = section_help("directory", name, self.directories.keys());
        let message = format!("there is no directory \"{name}\"");
        problems.error(&UNKNOWN_DIRECTORY, span.clone(), message, help);
    }
}

/// The error for a directory's column where not exactly one condition chooses the row.
pub(super) fn unbound(problems: &mut Problems, directory: &str, span: &Range<usize>) {
    let message = format!("nothing says which row of \"{directory}\" is meant");
    let help = format!(
        "write one condition such as Called = {{ in = \"{directory}\" }} in every table of `when`"
    );
    problems.error(&UNBOUND_DIRECTORY, span.clone(), message, help);
}

/// The names in an array of routes or intercepts, each with the place where it stands first.
pub(super) fn first_places(section: Option<&Value<'_>>) -> HashMap<String, usize> {
    let tables = section.and_then(|section| section.get_ref().as_array());
    let mut places = HashMap::new();
    for table in tables.into_iter().flatten() {
        let name = table
            .get_ref()
            .as_table()
            .and_then(|table| table.get("name"));
        if let Some(name) = name
            && let Some(text) = name.get_ref().as_str()
        {
            places.entry(text.to_owned()).or_insert(name.span().start);
        }
    }
    places
}
