//! Columns of directories in replies: which they are, and whether every row's cell can stand there.

use std::collections::BTreeSet;
use std::ops::Range;

use super::Compiler;
use super::conditions::unknown_directory;
use super::place::Use;
use crate::table::diagnostic::Code;
use crate::table::directory::Directory;
use crate::table::problems::listed;
use crate::table::reply::template::{Text, Value};
use crate::twilio::parameters;
use crate::twilio::spelling::nearest;
use crate::twilio::vocabulary::{AttributeSpec, Destination, ValueError};

/// The most cells of one column that are reported for one place: whoever has more has one mistake.
const MOST_BAD_CELLS: usize = 20;

/// A dotted name stands for no column; why has been said.
struct Unreadable;

/// What the columns of directories are used for.
#[derive(Debug, Default)]
pub(super) struct ColumnUses {
    checks: Vec<CellCheck>,
    /// The columns that are dialled or sent to.
    dialled: BTreeSet<(String, usize)>,
    /// The columns that are told to somebody, with their places.
    told: Vec<(String, usize, Range<usize>)>,
}

/// A place that every cell of a column must be able to fill.
#[derive(Debug)]
struct CellCheck {
    directory: String,
    column: usize,
    rule: Rule,
    /// Whether an empty cell will not do.
    is_required: bool,
    /// The place, for a sentence.
    place: String,
    span: Range<usize>,
}

/// What a place asks of a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rule {
    Attribute(&'static AttributeSpec),
    Destination(Destination),
}

impl Rule {
    fn check(self, value: &str) -> Result<(), ValueError> {
        match self {
            Self::Attribute(spec) => spec.check(value),
            Self::Destination(destination) => destination.check(value),
        }
    }
}

impl Compiler<'_> {
    /// Puts the columns that `directory.column` names into a text, and remembers what they are used for; `false` when
    /// there is no such column, which is reported.
    pub(super) fn resolve_columns(
        &mut self,
        text: &mut Text,
        span: &Range<usize>,
        used: &Use<'_>,
    ) -> bool {
        let mut is_right = true;
        for field in text.fields_mut() {
            field.replace_values(|value| {
                let Value::Parameter(name) = value else {
                    return None;
                };
                self.column_named(name, span).unwrap_or_else(|Unreadable| {
                    is_right = false;
                    None
                })
            });
        }
        let is_told = used.attribute.is_none() && used.destination.is_none();
        let is_dialled = match used.destination {
            Some(
                Destination::Number | Destination::Sip | Destination::Name | Destination::Address,
            ) => true,
            Some(Destination::Url | Destination::Sender | Destination::Caller) | None => false,
        };
        for value in text
            .fields()
            .flat_map(crate::table::reply::template::Field::values)
        {
            let Value::Column { directory, column } = value else {
                continue;
            };
            let name = directory.name().to_owned();
            self.reply_directories
                .entry(name.clone())
                .or_insert_with(|| span.clone());
            if is_told {
                self.columns.told.push((name, *column, span.clone()));
            } else if is_dialled {
                self.columns.dialled.insert((name, *column));
            }
        }
        is_right
    }

    /// The column that a dotted name stands for; `None` when it is the name of a parameter.
    fn column_named(
        &mut self,
        name: &str,
        span: &Range<usize>,
    ) -> Result<Option<Value>, Unreadable> {
        let Some((first, column)) = name.split_once('.') else {
            return Ok(None);
        };
        match self.directories.get(first) {
            // What is wrong with it has been said.
            Some(None) => Err(Unreadable),
            Some(Some(file)) => {
                let directory = file.directory.clone();
                let position = directory.column(column);
                if position.is_none() {
                    self.unknown_column(&directory, column, span);
                }
                position
                    .map(|column| Some(Value::Column { directory, column }))
                    .ok_or(Unreadable)
            }
            None if parameters::is_json(first) || self.own_parameters.contains(name) => Ok(None),
            None => {
                unknown_directory(&self.directories, &mut self.problems, first, span);
                Err(Unreadable)
            }
        }
    }

    pub(super) fn unknown_column(
        &mut self,
        directory: &Directory,
        column: &str,
        span: &Range<usize>,
    ) {
        let columns = directory.columns();
        let help = if let Some(near) = nearest(column, columns.iter().map(String::as_str)) {
            format!("did you mean `{near}`?")
        } else {
            let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
            format!("beside its key it has {}", listed(&columns))
        };
        let message = format!(
            "directory \"{}\" has no column `{column}`",
            directory.name()
        );
        self.problems
            .error(Code::UnknownColumn, span.clone(), message, help);
    }

    /// Remembers that a text which is one column must be able to stand in a place, whatever the row.
    pub(super) fn check_cells_later(
        &mut self,
        text: &Text,
        rule: Rule,
        place: String,
        span: Range<usize>,
    ) {
        if let Some((directory, column)) = text.plain_column() {
            let directory = directory.name().to_owned();
            let is_required = place.contains("participantIdentifier");
            self.columns.checks.push(CellCheck {
                directory,
                column,
                rule,
                is_required,
                place,
                span,
            });
        }
    }

    /// Checks every row's cell of the columns that are dialled, fetched or attributes, and that what is dialled is
    /// not told.
    pub(super) fn check_columns(&mut self) {
        let uses = std::mem::take(&mut self.columns);
        for check in &uses.checks {
            self.check_cells(check);
        }
        for (name, column, span) in uses.told {
            let Some(Some(file)) = self.directories.get(&name) else {
                continue;
            };
            let title = &file.directory.columns()[column];
            if uses.dialled.contains(&(name.clone(), column)) && !file.public.contains(title) {
                let message = format!(
                    "`{name}.{title}` is dialled, so it is somebody's number, and here it is told"
                );
                let help =
                    format!("take it out, or write public = [\"{title}\"] in [directory.{name}]");
                self.problems
                    .error(Code::PrivateColumn, span, message, help);
            }
        }
    }

    fn check_cells(&mut self, check: &CellCheck) {
        let Some(Some(file)) = self.directories.get(&check.directory) else {
            return;
        };
        let title = &file.directory.columns()[check.column];
        let mut bad = Vec::new();
        for (row, cell) in file.directory.cells(check.column) {
            // An empty cell leaves its attribute or element out.
            let error = if cell.is_empty() && !check.is_required {
                None
            } else {
                check.rule.check(cell).err()
            };
            match error {
                None => {}
                Some(error) => bad.push((file.place(row, check.column + 1), error)),
            }
            if bad.len() == MOST_BAD_CELLS {
                break;
            }
        }
        let (line, _) = self.source.position(check.span.start);
        let help = format!(
            "{} in line {line} of the table takes it from `{}.{title}`",
            check.place, check.directory
        );
        for ((file, span), error) in bad {
            if error.is_suspicion() {
                let message = format!("this cell may not stand there: {error}");
                self.problems
                    .warn_in(&file, Code::UnusualValue, span, message, help.clone());
                continue;
            }
            let message = format!("this cell cannot stand there: {error}");
            self.problems
                .error_in(&file, Code::BadCell, span, message, help.clone());
        }
    }
}
