//! Two people behind a number of ours: neither is shown the other's number, and no one is connected with themselves.

use std::ops::Range;

use super::dialling::DIALS_ITSELF;
use super::names::{Names, Uses};
use super::texts::SHOWN_CALLER;
use crate::table::problems::Problems;
use crate::table::reply::template::{Field, FieldValue, Text};
use crate::table::reply::{Element, Node};
use crate::table::when::Alternative;
use crate::twilio::number::E164;
use crate::twilio::vocabulary::Destination;

/// A dialled column, in rows that are looked up by a number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DialledRow {
    directory: String,
    column: usize,
    /// The column of the number by which the row is looked up.
    key: usize,
    /// Whether that number is the caller's rather than the one that was called.
    is_caller: bool,
}

/// What a reply shows to the party that a directory names.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    /// The name of the parameter or column in the table.
    name: String,
    /// The position of the column; `None` for the caller's number itself.
    column: Option<usize>,
    /// The directory whose row names the party.
    directory: String,
    span: Range<usize>,
}

/// Records what an element shows to the party that it reaches, as the originating number or in a text sent to the
/// number in a column.
pub(super) fn note_shown(uses: &mut Uses, element: &Element, span: &Range<usize>) {
    let mut receivers = Vec::new();
    for attribute in &element.attributes {
        let columns = columns(&attribute.value);
        match attribute.spec.destination() {
            Some(Destination::Caller | Destination::Sender) => {
                uses.shown.extend(columns.map(|(directory, column)| Shown {
                    name: format!("{directory}.{}", column.1),
                    column: Some(column.0),
                    directory: directory.to_owned(),
                    span: span.clone(),
                }));
            }
            Some(Destination::Address) => {
                receivers.extend(columns.map(|(directory, _)| directory.to_owned()));
            }
            _ => {}
        }
    }
    for directory in receivers {
        let mut texts = Vec::new();
        texts_in(element, &mut texts);
        for value in texts
            .into_iter()
            .flat_map(Text::fields)
            .flat_map(Field::values)
        {
            let (name, column) = match value {
                FieldValue::Parameter(name) if matches!(&**name, "Caller" | "From") => {
                    (name.clone(), None)
                }
                FieldValue::Column {
                    directory: of,
                    column,
                } if of.name() == directory => (
                    format!("{directory}.{}", of.columns()[*column]),
                    Some(*column),
                ),
                _ => continue,
            };
            uses.shown.push(Shown {
                name,
                column,
                directory: directory.clone(),
                span: span.clone(),
            });
        }
    }
}

/// The columns in a text: the directory, and the column's position and name.
fn columns(text: &Text) -> impl Iterator<Item = (&str, (usize, &str))> {
    let values = text.fields().flat_map(Field::values);
    values.filter_map(|value| match value {
        FieldValue::Column { directory, column } => {
            Some((directory.name(), (*column, &*directory.columns()[*column])))
        }
        _ => None,
    })
}

/// Collects the texts in an element and its children.
fn texts_in<'e>(element: &'e Element, texts: &mut Vec<&'e Text>) {
    for node in &element.content {
        match node {
            Node::Text(text) => texts.push(text),
            Node::Element(child) => texts_in(child, texts),
        }
    }
}

/// Reports numbers that a route shows to the other party, and records which rows could dial themselves.
pub(super) fn check_route(
    names: &Names,
    problems: &mut Problems,
    alternatives: &[Alternative],
    uses: &mut Uses,
) {
    for binding in alternatives.iter().flat_map(|table| &table.bindings) {
        let name = binding.directory.name();
        let Some(Some(file)) = names.directories.get(name) else {
            continue;
        };
        for (parameter, key) in binding
            .parameters
            .0
            .iter()
            .zip(file.directory.key_columns())
        {
            let is_caller = match &**parameter {
                "Caller" | "From" => true,
                "Called" | "To" => false,
                _ => continue,
            };
            let dialled = uses
                .dialled
                .iter()
                .filter(|(directory, _)| directory == name);
            uses.dialled_rows
                .extend(dialled.map(|(_, column)| DialledRow {
                    directory: name.to_owned(),
                    column: *column,
                    key: *key,
                    is_caller,
                }));
            let shown = uses.shown.iter().filter(|shown| shown.directory == name);
            let shown = shown.filter(|shown| shown.column.is_none_or(|column| column == *key));
            for Shown { name, span, .. } in shown.filter(|_| is_caller) {
                if problems.has_reported(&SHOWN_CALLER, &problems.file().clone(), span) {
                    continue;
                }
                let message = format!("`{name}` shows the other party the caller's real number");
                let help = "remove it: both parties know your own number, {{ Called }}";
                problems.warn(&SHOWN_CALLER, span, message, help);
            }
        }
    }
}

/// Reports rows that dial the number by which they are looked up.
pub(super) fn check_rows(names: &Names, problems: &mut Problems, uses: &Uses) {
    for dialled in &uses.dialled_rows {
        let Some(Some(file)) = names.directories.get(&dialled.directory) else {
            continue;
        };
        let directory = &file.directory;
        let title = &directory.columns()[dialled.key];
        let cells = directory.cells(dialled.column);
        let own = cells.filter(|(row, cell)| directory.cell(*row, dialled.key) == *cell);
        for (row, cell) in own.filter(|(_, cell)| cell.parse::<E164>().is_ok()) {
            let (file, span) = file.place(row, dialled.column);
            // A Dial to the called number has already been reported.
            if problems.has_reported(&DIALS_ITSELF, &file, &span) {
                continue;
            }
            let (message, help) = if dialled.is_caller {
                (
                    format!("this row connects {cell}, its `{title}`, with itself"),
                    "write the number of the other party",
                )
            } else {
                (
                    format!("this row connects {cell}, its `{title}`, to {cell} again"),
                    "write the number of the party to reach",
                )
            };
            problems.warn(&DIALS_ITSELF, (file, span), message, help);
        }
    }
}
