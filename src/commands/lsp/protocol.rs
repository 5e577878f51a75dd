//! The parts of an editor's messages that we read, and places as both sides write them.
//!
//! Source: Language Server Protocol 3.17,
//! <https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/>.

use std::ops::Range as Bytes;

use serde::{Deserialize, Serialize};

use crate::table::diagnostic::File;

/// Both from 0; the column counts units of UTF-16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Position {
    pub line: u32,
    pub character: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Range {
    pub start: Position,
    pub end: Position,
}

impl Position {
    pub(super) fn of(file: &File, byte: usize) -> Self {
        let (line, column) = file.utf16_position(byte);
        let count = |count| u32::try_from(count).unwrap_or(u32::MAX);
        Self {
            line: count(line),
            character: count(column),
        }
    }

    /// The byte that is meant, or the nearest one before it.
    pub(super) fn byte(self, file: &File) -> usize {
        let count = |count| usize::try_from(count).unwrap_or(usize::MAX);
        file.byte_at_utf16(count(self.line), count(self.character))
    }
}

impl Range {
    pub(super) fn of(file: &File, bytes: &Bytes<usize>) -> Self {
        Self {
            start: Position::of(file, bytes.start),
            end: Position::of(file, bytes.end),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Document {
    pub uri: String,
    #[serde(default)]
    pub version: Option<i64>,
    /// Only present when the document is opened.
    #[serde(default)]
    pub text: String,
}

/// Parameters about one document: it is opened, changed or closed, or a question concerns it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct About<T> {
    pub text_document: Document,
    #[serde(flatten)]
    pub more: T,
}

/// Only the document.
#[derive(Debug, Deserialize)]
pub(super) struct Whole {}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Changes {
    pub content_changes: Vec<Change>,
}

/// New text in place of a range, or of everything.
#[derive(Debug, Deserialize)]
pub(super) struct Change {
    pub range: Option<Range>,
    pub text: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct At {
    pub position: Position,
    #[serde(default)]
    pub context: Context,
}

#[derive(Debug, Deserialize)]
pub(super) struct Within {
    pub range: Range,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Context {
    pub include_declaration: bool,
}
