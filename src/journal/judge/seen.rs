//! What conditions see of a recorded request.

use std::borrow::Cow;

use super::keys::Directories;
use super::mask::Mask;
use super::truth::{Hidden, Part, Truth};
use crate::journal::line::{Known, Recorded};
use crate::table::{Binding, Condition, Subject, folded};
use crate::twilio::request::Webhook;

/// A recorded request, beside the directories of the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight<'j> {
    pub request: &'j Recorded<'j>,
    pub directories: &'j Directories<'j>,
}

/// A value as conditions compare it.
enum Seen<'a> {
    Whole(Cow<'a, str>),
    Hidden(Hidden<'a>),
}

impl<'j> Sight<'j> {
    /// Whether a condition holds.
    pub(super) fn condition(&self, condition: &'j Condition) -> Truth {
        match &condition.subject {
            Subject::Parameter(name) => match self.seen(name) {
                Seen::Whole(value) => Truth::from(condition.test.holds(&value)),
                Seen::Hidden(hidden) => hidden.passes(&condition.test, self.directories),
            },
            Subject::Column { binding, column } => match self.cell(binding, *column) {
                Some(cell) => Truth::from(condition.test.holds(cell)),
                None => Truth::Unknown,
            },
        }
    }

    /// The value of a subject as conditions compare it; `None` when it is not known.
    pub(super) fn value(&self, subject: &'j Subject) -> Option<Cow<'j, str>> {
        match subject {
            Subject::Parameter(name) => match self.seen(name) {
                Seen::Whole(value) => Some(value),
                Seen::Hidden(_) => None,
            },
            Subject::Column { binding, column } => self.cell(binding, *column).map(Cow::Borrowed),
        }
    }

    /// The parameter whose value is missing where a subject is not known.
    pub(super) fn missing(&self, subject: &'j Subject) -> &'j str {
        self.request.kept_as(match subject {
            Subject::Parameter(name) => name,
            Subject::Column { binding, .. } => &binding.parameter,
        })
    }

    /// A cell of the row that a value chooses, empty when there is no row; `None` when it is not known.
    fn cell(&self, binding: &'j Binding, column: usize) -> Option<&'j str> {
        let directory = &binding.directory;
        match self.seen(&binding.parameter) {
            Seen::Whole(value) => {
                let row = directory.row(&value);
                Some(row.map_or("", |row| directory.cell(row, column)))
            }
            Seen::Hidden(hidden) => {
                let has_row = self.directories.has(directory, hidden.part);
                (has_row == Truth::No).then_some("")
            }
        }
    }

    fn seen(&self, name: &str) -> Seen<'j> {
        let folds = Condition::folds(name);
        let part = match self.request.value(name) {
            Known::Whole(value) if folds => return Seen::Whole(Cow::Owned(folded(&value))),
            Known::Whole(value) => return Seen::Whole(value),
            // Without its outer blanks it may be empty all the same.
            _ if folds => Part::Nothing,
            Known::Masked(text) => Mask::of(text).map_or(Part::Present, Part::Masked),
            Known::Present => Part::Present,
            Known::Nothing => Part::Nothing,
        };
        Seen::Hidden(Hidden {
            part,
            withheld: self.withheld(name),
        })
    }

    /// Whether the number of this name is withheld, where the line says so.
    fn withheld(&self, name: &str) -> Option<bool> {
        let is_of_caller = name == "Caller" && self.request.webhook() != Webhook::VoiceWebhooks;
        self.request.line().withheld.filter(|_| is_of_caller)
    }
}
