//! What the operator should know about an imported document, and where in the document it is.

use std::fmt;

use crate::table::diagnostic::File;

/// Something the operator should know about a document, or why no route can be made from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The line of the document, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// Whether it is about something that could not be carried over.
    pub left_out: bool,
    /// The note, one line.
    pub message: String,
}

impl Note {
    /// Why no route can be made from a document: a reason, and the byte it is about.
    pub(super) fn refusal(document: &File, at: usize, message: impl Into<String>) -> Self {
        let (line, column) = document.position(at);
        Self {
            line,
            column,
            left_out: true,
            message: message.into(),
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for Note {}

/// The notes about one document: the byte that each is about, whether it was left out, and the message.
#[derive(Default)]
pub(super) struct Notes(Vec<(usize, bool, String)>);

impl Notes {
    /// Notes something that was carried over and that the operator should know.
    pub(super) fn say(&mut self, at: usize, message: impl Into<String>) {
        self.0.push((at, false, message.into()));
    }

    /// Notes something that could not be carried over.
    pub(super) fn leave_out(&mut self, at: usize, message: impl Into<String>) {
        self.0.push((at, true, message.into()));
    }

    /// All of them in the order of the document, whose text is read once for their lines and columns.
    pub(super) fn into_sorted(mut self, document: &str) -> Vec<Note> {
        self.0.sort_by_key(|(at, ..)| *at);
        let (mut read, mut line, mut column) = (0, 1, 1);
        let placed = |(at, left_out, message)| {
            for character in document[read..at].chars() {
                column += 1;
                if character == '\n' {
                    (line, column) = (line + 1, 1);
                }
            }
            read = at;
            Note {
                line,
                column,
                left_out,
                message,
            }
        };
        self.0.into_iter().map(placed).collect()
    }
}
