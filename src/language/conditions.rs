//! Reads the conditions in `when`.

use std::ops::Range;
use std::slice::from_ref;
use std::sync::Arc;

use jiff::Timestamp;
use toml::de::{DeTable, DeValue};

use super::dead_routes::NEVER_ANSWERS;
use super::directory_file::{DirectoryFile, unknown_column};
use super::names::{ABSENT_PARAMETER, FollowUp, Names, Owner, Reader, check_session, unbound};
use super::shape;
use super::values::check_condition;
use super::whole::BAD_CELL;
use crate::table::condition::{
    BAD_CONDITION, Binding, CheckCell, Condition, Demand, KINDS, Keyed, Kind, Parameters, Reading,
    Subject, is_one,
};
use crate::table::diagnostic::Check;
use crate::table::directory::{Directory, MOST_KEY_COLUMNS};
use crate::table::guard::is_opt_out_word;
use crate::table::problems::{Key, Problems, UNKNOWN_KEY, Value, entries};
use crate::table::remedy::{Remedy, choice, did_you_mean, listed, quoted};
use crate::table::when::Alternative;
use crate::twilio::channel::Channel;
use crate::twilio::parameters::{self, Comparison};
use crate::twilio::request::{Form, Request, Webhook};

pub(super) static MISPLACED_KEY: Check = Check::new(
    "misplaced-key",
    "A key of the route below the line `[route.when]`. In TOML, everything below that line belongs to `when`. Move the key
above the line, or write `when = { … }` on one line.",
    r#"[route.when]
Called = "+15005550006"
voice = [ { Say = "Hello." } ]     # belongs above [route.when]"#,
);

/// The key that negates a condition.
const NOT: &str = "not";

/// The tables of a `when`, at least one of which must hold. Without tables it always holds.
pub(super) fn when(reader: &mut Reader<'_>, when: &Value<'_>) -> Vec<Alternative> {
    let problems = &mut *reader.problems;
    let tables: Vec<&DeTable<'_>> = match when.get_ref() {
        DeValue::Table(table) if table.is_empty() => {
            let help = "leave `when` out to answer always, or write conditions";
            let message = "an empty `when` always holds";
            problems.warn(&BAD_CONDITION, when.span(), message, help);
            return Vec::new();
        }
        DeValue::Table(table) => vec![table],
        DeValue::Array(array) if array.is_empty() => {
            let help = "leave `when` out to answer always";
            problems.error(
                &BAD_CONDITION,
                when.span(),
                "`when` is an empty array",
                help,
            );
            return Vec::new();
        }
        DeValue::Array(array) => array
            .iter()
            .filter_map(|value| problems.table(value, "a table of conditions"))
            .collect(),
        _ => {
            let help = "write when = { Called = \"+15005550006\" }";
            return problems
                .wrong_type(when, "a table of conditions", help)
                .unwrap_or_default();
        }
    };
    tables
        .into_iter()
        .map(|table| alternative(reader, table))
        .collect()
}

fn alternative(reader: &mut Reader<'_>, table: &DeTable<'_>) -> Alternative {
    // The rows are chosen first: a condition on a column may precede the one that selects its row.
    let entries = entries(table);
    let bindings: Vec<Binding> = entries
        .iter()
        .filter_map(|(key, value)| binding(reader.names, key.get_ref(), value))
        .collect();
    let mut conditions: Vec<Condition> = entries
        .iter()
        .filter_map(|(key, value)| condition(reader, table, key, value, &bindings))
        .collect();
    conditions.shrink_to_fit();
    Alternative {
        conditions,
        bindings,
    }
}

/// The directory in which a condition chooses a row. Only a plain `in` does.
fn binding(names: &Names, subject: &str, value: &Value<'_>) -> Option<Binding> {
    let name = value.get_ref().as_table()?.get("in")?.get_ref().as_str()?;
    let directory = directory_for(names, subject, name)?;
    Some(Binding {
        parameters: parameters_of(names, subject),
        directory,
    })
}

/// The parameters in a condition's key: one, or several separated by commas.
fn parts(subject: &str) -> impl Iterator<Item = &str> {
    subject.split(',').map(str::trim)
}

fn parameters_of(names: &Names, subject: &str) -> Parameters {
    Parameters(parts(subject).map(|name| names.parameter(name)).collect())
}

fn condition(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    key: &Key<'_>,
    value: &Value<'_>,
    bindings: &[Binding],
) -> Option<Condition> {
    let names = reader.names;
    let problems = &mut *reader.problems;
    let name = key.get_ref().as_ref();
    let (section, shape) = match reader.owner {
        Owner::Intercept => ("intercept", &shape::INTERCEPT),
        _ => ("route", &shape::ROUTE),
    };
    if shape.has(name) {
        let message = format!("`{name}` belongs to the {section}, not to its `when`");
        let help =
            format!("move it above the line [{section}.when], or write when = {{ … }} on one line");
        return problems.refuse(&MISPLACED_KEY, key.span(), message, help);
    }
    if let Some((directory, column)) = name.split_once('.')
        && names.directories.contains_key(directory)
    {
        let subject = column_subject(reader, table, (directory, column), &key.span(), bindings);
        let demand = demand(reader, name, value);
        return Some(Condition {
            subject: subject?,
            demand: demand?,
        });
    }
    if names.directories.contains_key(name)
        && value.get_ref().is_table()
        && parameters::check_name(name).is_some()
    {
        let message = format!("a column of \"{name}\" needs a quoted name");
        return without_quotes(problems, &key.span(), message, name);
    }
    if !check_parameters(reader, table, key) {
        return None;
    }
    let condition = Condition {
        subject: Subject::Parameters(parameters_of(names, name)),
        demand: demand(reader, name, value)?,
    };
    check_presence(reader, key, &condition);
    if name == "Body" && reader.leaves_machines {
        check_opt_out_words(reader.problems, value);
    }
    Some(condition)
}

/// Reports opt-out words in a route's condition, because the loop guard leaves those to Twilio.
fn check_opt_out_words(problems: &mut Problems, value: &Value<'_>) {
    let items = match value.get_ref() {
        DeValue::Array(items) => &**items,
        _ => from_ref(value),
    };
    for item in items {
        let Some(text) = item.get_ref().as_str() else {
            continue;
        };
        if !text.contains('*') && is_opt_out_word(text) {
            let message = format!(
                "{} is an opt-out word: Twilio answers it, and the loop guard holds back this route's text",
                quoted(text)
            );
            let help = "remove the word, or write answer_machines = true if opt-outs are switched off at Twilio";
            problems.warn(&NEVER_ANSWERS, item.span(), message, help);
        }
    }
}

/// Reports a condition that needs a parameter where that parameter is always absent.
fn check_presence(reader: &mut Reader<'_>, key: &Key<'_>, condition: &Condition) {
    let nothing = Form::default();
    let request = Request::new(Webhook::OutOfSession, &nothing, &nothing);
    if condition.holds(&request, Timestamp::UNIX_EPOCH) != Some(false) {
        return;
    }
    for (position, name) in parts(key.get_ref()).enumerate() {
        if reader.names.own_parameters.contains(name) {
            continue;
        }
        let span = place_of_part(reader.problems, key, position);
        if let Some(channel) = reader.only_channel
            && !parameters::may_come_with(name, channel)
        {
            let (one, others) = match channel {
                Channel::Voice => ("a call", "texts"),
                Channel::Message => ("a text", "calls"),
            };
            let message =
                format!("{one} never has `{name}`, and this route has no reply to {others}");
            let other = Channel::ALL.into_iter().find(|other| *other != channel);
            let key = other.map_or("voice", Channel::as_str);
            let help = format!(
                "remove the condition, or write {key} = [ … ] instead of `{}`",
                channel.as_str()
            );
            let problems = &mut *reader.problems;
            problems.warn(&ABSENT_PARAMETER, span, message, help);
        } else if let Some(kinds) = parameters::follow_ups_with(name)
            && matches!(reader.owner, Owner::Route { in_step: true, .. })
        {
            reader.uses.follow_ups.push(FollowUp {
                step: String::new(),
                parameter: name.to_owned(),
                kinds,
                span,
            });
        }
    }
}

/// Reports problems with the parameters that a condition names; `false` when no condition can be on them.
fn check_parameters(reader: &mut Reader<'_>, table: &DeTable<'_>, key: &Key<'_>) -> bool {
    let names = reader.names;
    let several: Vec<&str> = parts(key.get_ref()).collect();
    let is_right = several.len() <= MOST_KEY_COLUMNS && !several.contains(&"");
    if several.len() > 1 && !is_right {
        let message = format!(
            "expected 2 to {MOST_KEY_COLUMNS} parameters in `{}`",
            key.get_ref()
        );
        let help = "write \"Called, Caller\" = { in = \"DIRECTORY\" }";
        let problems = &mut *reader.problems;
        problems.error(&BAD_CONDITION, key.span(), message, help);
        return false;
    }
    for (position, name) in several.iter().copied().enumerate() {
        let span = &place_of_part(reader.problems, key, position);
        if several[..position].contains(&name) {
            let message = format!("the condition names `{name}` twice");
            let help = "name each parameter once";
            reader.problems.error(&BAD_CONDITION, span, message, help);
            return false;
        }
        if let Some((first, _)) = name.split_once('.')
            && !parameters::is_json(first)
            && !names.own_parameters.contains(name)
        {
            if names.directories.contains_key(first) {
                let message = format!("`{name}` is a column, but rows are looked up by parameters");
                let help = "write \"Called, Caller\" = { in = \"DIRECTORY\" }";
                reader.problems.error(&BAD_CONDITION, span, message, help);
            } else {
                let place = reader.problems.within(span, name).first(first.len());
                names.unknown_directory(reader.problems, first, place);
            }
            return false;
        }
        let is_intercept = reader.owner == Owner::Intercept;
        let is_there = |name: &str| table.contains_key(name);
        names.check_matched_parameter(reader.problems, (name, span), is_there, is_intercept);
        let help = "test it in the route that leads here, and give each outcome its own step";
        check_session(reader, name, span, help);
    }
    true
}

/// Where one of several parameters is in the key of a condition; the whole key when it is the only one.
fn place_of_part(problems: &Problems, key: &Key<'_>, position: usize) -> Range<usize> {
    let whole = key.span();
    let mut pieces = key.get_ref().split(',');
    let before = pieces.by_ref().take(position).map(|piece| piece.len() + 1);
    let before: usize = before.sum();
    let Some(piece) = pieces.next().filter(|_| !is_one(key.get_ref())) else {
        return whole;
    };
    // A key with escapes is spelled differently in the file.
    let Some(offset) = problems.file().text[whole.clone()].find(&**key.get_ref()) else {
        return whole;
    };
    let start = whole.start + offset + before + piece.len() - piece.trim_start().len();
    start..start + piece.trim().len()
}

/// The column of a condition such as `"sellers.city"`, in the row that another condition of the same table selects.
fn column_subject(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    (directory, column): (&str, &str),
    span: &Range<usize>,
    bindings: &[Binding],
) -> Option<Subject> {
    let file = reader.names.directories.get(directory)?.as_ref()?;
    let found = &file.directory;
    let Some(position) = found.column(column) else {
        let place = reader
            .problems
            .within(span, &format!("{directory}.{column}"));
        let place = place.last(column.len());
        let unknown = unknown_column(reader.problems, found, column, place);
        unknown.unless_taken(|column| table.contains_key(&*format!("{directory}.{column}")));
        return None;
    };
    let mut choosing = bindings
        .iter()
        .filter(|binding| binding.directory.name() == directory);
    let (Some(binding), None) = (choosing.next(), choosing.next()) else {
        unbound(reader.names, reader.problems, directory, span);
        return None;
    };
    Some(Subject::Column {
        binding: Box::new(binding.clone()),
        column: position,
    })
}

fn demand(reader: &mut Reader<'_>, subject: &str, value: &Value<'_>) -> Option<Demand> {
    let problems = &mut *reader.problems;
    match value.get_ref() {
        DeValue::String(_) if !is_one(subject) => {
            let help = "write { in = \"DIRECTORY\" }, or a condition for each parameter";
            let message = "several parameters cannot be compared with one value";
            problems.refuse(&BAD_CONDITION, value.span(), message, help)
        }
        DeValue::String(text) => Some(text_demand(reader, subject, text, value.span())),
        DeValue::Array(array) if array.is_empty() => {
            let help = "name at least one value, or leave the condition out";
            let message = "an empty array matches nothing";
            problems.refuse(&BAD_CONDITION, value.span(), message, help)
        }
        DeValue::Array(array) => {
            let items = array.iter();
            let demands = items.filter_map(|value| demand(reader, subject, value));
            Some(Demand::AnyOf(demands.collect()))
        }
        DeValue::Table(table) => table_demand(reader, subject, table, value.span()),
        _ => {
            let expected = "a string, an array or a table";
            let help = format!(
                "write {subject} = \"…\", an array of strings, or a table such as {{ not = \"…\" }}"
            );
            problems.no_text(value, expected, help)
        }
    }
}

fn text_demand(reader: &mut Reader<'_>, subject: &str, text: &str, span: Range<usize>) -> Demand {
    if text.contains("{{") {
        let help = "write the value itself: templates work only in replies";
        let message = "conditions cannot contain templates";
        reader.problems.error(&BAD_CONDITION, &span, message, help);
    } else {
        check_condition(reader.names, reader.problems, subject, text, span);
    }
    Demand::text(&Comparison::of(subject).folded(text))
}

fn table_demand(
    reader: &mut Reader<'_>,
    subject: &str,
    table: &DeTable<'_>,
    span: Range<usize>,
) -> Option<Demand> {
    let mut demands = Vec::new();
    for (key, value) in entries(table) {
        let name = key.get_ref().as_ref();
        if name == NOT {
            let demand = demand(reader, subject, value);
            demands.extend(demand.map(|demand| Demand::Not(Box::new(demand))));
        } else if let Some(kind) = KINDS.iter().find(|kind| kind.key == name) {
            if !is_one(subject) && !(kind.suits)(subject) {
                let message = format!("`{name}` tests one parameter, not several");
                let help = "write { in = \"DIRECTORY\" }, or a condition for each parameter";
                let problems = &mut *reader.problems;
                problems.error(&BAD_CONDITION, key.span(), message, help);
                continue;
            }
            demands.extend(keyed_demand(reader, kind, subject, key, value).map(Demand::Is));
        } else {
            unknown_condition(reader.problems, subject, table, key);
        }
    }
    match demands.len() {
        0 if table.is_empty() => {
            let help = format!("write one of {}", choice(&condition_keys()));
            let message = "an empty table tests nothing";
            reader.problems.refuse(&BAD_CONDITION, span, message, help)
        }
        1 => demands.pop(),
        _ => Some(Demand::AllOf(demands.into())),
    }
}

fn keyed_demand(
    reader: &mut Reader<'_>,
    kind: &Keyed,
    subject: &str,
    key: &Key<'_>,
    value: &Value<'_>,
) -> Option<Box<dyn Kind>> {
    let names = reader.names;
    if let Some((directory, column)) = subject.split_once('.')
        && let Some(Some(file)) = names.directories.get(directory)
        && let (Some(check), Some(column)) = (kind.check_cell, file.directory.column(column))
    {
        check_cells(reader.problems, file, column, check, (subject, key));
    }
    let mut reading = Reading {
        subject,
        comparison: Comparison::of(subject),
        problems: reader.problems,
        directory: &mut |problems, name, value| {
            if !names.directories.contains_key(name) {
                names.unknown_directory(problems, name, value.span());
                return None;
            }
            let looked_up = reader.uses.directories.entry(name.to_owned());
            let parameters = parts(subject).map(str::to_owned).collect();
            looked_up.or_default().insert(parameters);
            let directory = directory_for(names, subject, name);
            if directory.is_none() {
                other_key(names, problems, subject, name, &value.span());
            }
            directory
        },
    };
    (kind.read)(&mut reading, key, value)
}

/// Reports the cells of a column that a condition on the column cannot read.
fn check_cells(
    problems: &mut Problems,
    file: &DirectoryFile,
    column: usize,
    check: CheckCell,
    (subject, key): (&str, &Key<'_>),
) {
    let (line, _) = problems.file().position(key.span().start);
    let cells = file.directory.cells(column);
    let bad = cells.filter_map(|(row, cell)| Some((row, check(cell).err()?)));
    for (row, error) in bad {
        let (file, span) = file.place(row, column);
        if !problems.has_reported(&BAD_CELL, &file, &span) {
            let help = format!("the condition on `{subject}` in line {line} of the table uses it");
            let remedy = Remedy {
                help,
                ..error.remedy("")
            };
            problems.error(&BAD_CELL, (file, span), error.message, remedy);
        }
    }
}

fn unknown_condition(
    problems: &mut Problems,
    parameter: &str,
    table: &DeTable<'_>,
    key_place: &Key<'_>,
) {
    let (key, span) = (key_place.get_ref().as_ref(), key_place.span());
    if parameters::is_json(parameter) {
        let message = format!("`{key}` inside `{parameter}` needs a quoted name");
        let start = span.start.saturating_sub(parameter.len() + 1);
        let is_dotted = problems.source(start..span.end) == format!("{parameter}.{key}");
        let span = if is_dotted { start..span.end } else { span };
        without_quotes::<()>(problems, &span, message, parameter);
        return;
    }
    let keys = condition_keys();
    let otherwise = format!("a condition has {}", listed(&keys));
    let remedy = did_you_mean('`', key, keys, otherwise);
    let message = format!("a condition has no key `{key}`");
    let unknown = problems.error(&UNKNOWN_KEY, key_place.span(), message, remedy);
    unknown.unless_taken(|name| table.contains_key(name));
}

/// The error for an unquoted dotted name that begins at this place.
fn without_quotes<T>(
    problems: &mut Problems,
    span: &Range<usize>,
    message: String,
    first: &str,
) -> Option<T> {
    let rest = problems.source(span.start..problems.file().text.len());
    let is_name = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    let name = rest.split(|character| !is_name(character)).next();
    let remedy = match name.filter(|name| name.contains('.') && !name.ends_with('.')) {
        Some(name) => Remedy::source(
            format!("write the dotted name in quotes: \"{name}\" = …"),
            format!("\"{name}\""),
        ),
        None => format!("write the dotted name in quotes: \"{first}.NAME\" = …").into(),
    };
    let end = span.start + name.map_or(0, str::len);
    let place = if remedy.text.is_some() {
        span.start..end
    } else {
        span.clone()
    };
    problems.refuse(&BAD_CONDITION, place, message, remedy)
}

/// The keys that a condition's table may have, in alphabetical order.
fn condition_keys() -> Vec<&'static str> {
    let mut keys: Vec<&str> = KINDS.iter().map(|kind| kind.key).chain([NOT]).collect();
    keys.sort_unstable();
    keys
}

/// A directory whose key columns are compared the way these parameters are. `None` when its key does not have one
/// column for each parameter, or when it could not be read at all.
fn directory_for(names: &Names, subject: &str, name: &str) -> Option<Arc<Directory>> {
    let file = names.directories.get(name)?.as_ref()?;
    let comparisons: Vec<Comparison> = parts(subject).map(Comparison::of).collect();
    (file.directory.key_columns().len() == comparisons.len()).then(|| file.compared(comparisons))
}

/// Reports that a condition does not name one parameter for each column of the directory's key.
fn other_key(
    names: &Names,
    problems: &mut Problems,
    subject: &str,
    name: &str,
    span: &Range<usize>,
) {
    let Some(Some(file)) = names.directories.get(name) else {
        return;
    };
    let key = file.directory.key_columns().iter();
    let key: Vec<&str> = key
        .map(|column| &*file.directory.columns()[*column])
        .collect();
    let named = match parts(subject).count() {
        1 => "1 parameter".to_owned(),
        several => format!("{several} parameters"),
    };
    let noun = if key.len() == 1 { "column" } else { "columns" };
    let key = listed(&key);
    let message = format!("\"{name}\" has the key {noun} {key}, but the condition names {named}");
    let help = format!(
        "name one parameter for each column: {}",
        names.example_condition(name)
    );
    problems.error(&BAD_CONDITION, span, message, help);
}
