//! Texts of a reply: their templates, and the columns and parameters that stand in them.

use std::ops::Range;

use super::destinations;
use super::directory_file::unknown_column;
use super::names::{Names, SESSION_IN_STEP};
use super::uses::{Owner, Read, Slot, Uses};
use super::values::WRONG_CASE;
use crate::table::diagnostic::Check;
use crate::table::problems::{Problems, listed};
use crate::table::reply::template::{
    FILTERS, Field, TemplateError, TemplateErrorKind, Text, Value,
};
use crate::twilio::parameters;
use crate::twilio::spelling::nearest;
use crate::twilio::vocabulary::Destination;

pub(super) static FRAGILE_DEFAULT: Check = Check::new(
    "fragile-default",
    "`[default]` holds something that can fail or lead on: a template, `Redirect`, `Gather`, `Record`, `Enqueue`, `action`.
It is the answer when everything else fails, so it must not depend on anything. Write it in a last route without
`when`.",
    r#"[default]
voice = [ { Say = "Hello {{ Caller }}" } ]"#,
);

pub(super) static BAD_TEMPLATE: Check = Check::new(
    "bad-template",
    r#"A `{{ … }}` that cannot be read: no closing `}}`, nothing between the braces, a filter that does not exist. The
filters are `default`, `lower`, `spell` and `upper`; two braces as text are `{{ "{{" }}`."#,
    r#"voice = [ { Say = "Hello {{ CallerCity | title }}" } ]"#,
);

/// Reads a text and checks all that can be checked before there is a request; `None` when it cannot be read.
pub(super) fn template(
    names: &Names,
    problems: &mut Problems,
    text: &str,
    span: &Range<usize>,
    slot: &Slot<'_>,
) -> Read<Option<Text>> {
    let mut uses = Uses::default();
    let mut parsed = match Text::parse(text) {
        Ok(parsed) => parsed,
        Err(error) => {
            bad_template(problems, text, span, &error, slot);
            return uses.with(None);
        }
    };
    if slot.place.owner == Owner::Default && parsed.fields().next().is_some() {
        let help = "write it in a route without `when`; [default] must not depend on the request";
        let message = "a template in [default], which must not be able to fail";
        problems.error(&FRAGILE_DEFAULT, span.clone(), message, help);
    }
    let is_right = resolve_columns(names, problems, &mut parsed, span);
    uses.add(columns_in(&parsed, span, slot));
    if !is_right {
        return uses.with(None);
    }
    for field in parsed.fields() {
        for name in field.parameters() {
            check_parameter(names, problems, name, span, slot.place.owner);
            uses.needs_private |= destinations::check_private(problems, name, span, slot);
        }
    }
    if slot.destination == Some(Destination::Url) {
        uses.add(destinations::url(problems, &mut parsed, text, span, slot));
    } else if let Some(destination) = slot.destination {
        for field in parsed.fields() {
            destinations::check_destination(problems, field, destination, span, slot);
        }
    }
    uses.with(Some(parsed))
}

fn bad_template(
    problems: &mut Problems,
    text: &str,
    span: &Range<usize>,
    error: &TemplateError,
    slot: &Slot<'_>,
) {
    let help = match &error.kind {
        TemplateErrorKind::UnknownFilter(name) => match nearest(name, FILTERS) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", listed(&FILTERS)),
        },
        TemplateErrorKind::Unclosed => {
            "close it with }}; for two braces write {{ \"{{\" }}".to_owned()
        }
        TemplateErrorKind::DefaultWithout => {
            "write default(\"a text\") or default(Parameter)".to_owned()
        }
        _ => "write {{ Name }} or {{ Name | filter }}".to_owned(),
    };
    // The fault's own place, when the text stands in the file letter for letter.
    let place = match problems.file().text[span.clone()].find(text) {
        Some(offset) => {
            let start = span.start + offset;
            start + error.span.start..start + error.span.end
        }
        None => span.clone(),
    };
    problems
        .error(&BAD_TEMPLATE, place, error.kind.to_string(), help)
        .twilio((slot.destination == Some(Destination::Url)).then_some(11300));
}

/// Puts columns in the place of the dotted names that stand for them; `false` when one stands for no column, which is
/// reported.
fn resolve_columns(
    names: &Names,
    problems: &mut Problems,
    text: &mut Text,
    span: &Range<usize>,
) -> bool {
    let mut is_right = true;
    for field in text.fields_mut() {
        field.replace_values(|value| {
            let Value::Parameter(name) = value else {
                return None;
            };
            column_named(names, problems, name, span).unwrap_or_else(|Unreadable| {
                is_right = false;
                None
            })
        });
    }
    is_right
}

/// A dotted name stands for no column; why has been reported.
struct Unreadable;

/// The column that a dotted name stands for; `None` when it is the name of a parameter.
fn column_named(
    names: &Names,
    problems: &mut Problems,
    name: &str,
    span: &Range<usize>,
) -> Result<Option<Value>, Unreadable> {
    let Some((first, column)) = name.split_once('.') else {
        return Ok(None);
    };
    match names.directories.get(first) {
        // What is wrong with it has been reported.
        Some(None) => Err(Unreadable),
        Some(Some(file)) => {
            let directory = file.directory.clone();
            let Some(column) = directory.column(column) else {
                unknown_column(problems, &directory, column, span);
                return Err(Unreadable);
            };
            Ok(Some(Value::Column { directory, column }))
        }
        None if parameters::is_json(first) || names.own_parameters.contains(name) => Ok(None),
        None => {
            names.unknown_directory(problems, first, span);
            Err(Unreadable)
        }
    }
}

/// The columns in a text, and whether they are dialled or told.
fn columns_in(text: &Text, span: &Range<usize>, slot: &Slot<'_>) -> Uses {
    let mut uses = Uses::default();
    let is_told = slot.attribute.is_none() && slot.destination.is_none();
    let is_dialled = match slot.destination {
        Some(Destination::Number | Destination::Sip | Destination::Name | Destination::Address) => {
            true
        }
        Some(Destination::Url | Destination::Sender | Destination::Caller) | None => false,
    };
    for value in text.fields().flat_map(Field::values) {
        let Value::Column { directory, column } = value else {
            continue;
        };
        let name = directory.name().to_owned();
        uses.rows
            .entry(name.clone())
            .or_insert_with(|| span.clone());
        if is_told {
            uses.told.push((name, *column, span.clone()));
        } else if is_dialled {
            uses.dialled.insert((name, *column));
        }
    }
    uses
}

/// Reports a parameter of a template that is always empty, or that no webhook sends.
fn check_parameter(
    names: &Names,
    problems: &mut Problems,
    name: &str,
    span: &Range<usize>,
    owner: Owner,
) {
    if let Some(known) =
        parameters::other_case(name).filter(|_| !names.own_parameters.contains(name))
    {
        let message = format!(
            "Twilio spells `{name}` as `{known}`; in another letter case it is always empty"
        );
        let help = format!("write `{known}`");
        problems.error(&WRONG_CASE, span.clone(), message, help);
        return;
    }
    names.check_parameter(problems, name, span);
    let in_step = matches!(owner, Owner::Route { in_step: true, .. });
    if in_step && parameters::is_of_session(name) {
        let message = format!("`{name}` is absent from every request that comes back with a step");
        let help = "say it in the reply that leads here";
        problems.warn(&SESSION_IN_STEP, span.clone(), message, help);
    }
}
