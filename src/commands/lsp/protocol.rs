//! What is in the messages of an editor, and of those that it gets: only what we read and write.
//!
//! Source: Language Server Protocol 3.17,
//! <https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/>.

use std::collections::BTreeMap;
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

    /// The byte that is meant, or the nearest before it.
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
#[serde(rename_all = "camelCase")]
pub(super) struct Initialize {
    #[serde(default)]
    pub capabilities: serde_json::Value,
}

#[derive(Debug, Deserialize)]
pub(super) struct Document {
    pub uri: String,
    #[serde(default)]
    pub version: Option<i64>,
    /// Only when it is opened.
    #[serde(default)]
    pub text: String,
}

/// What is about one document: that it is opened, closed or saved, or a question about all of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct About {
    pub text_document: Document,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Changed {
    pub text_document: Document,
    pub content_changes: Vec<Change>,
}

/// A new text in place of a range, or of everything.
#[derive(Debug, Deserialize)]
pub(super) struct Change {
    pub range: Option<Range>,
    pub text: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct At {
    pub text_document: Document,
    pub position: Position,
    #[serde(default)]
    pub context: Context,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Within {
    pub text_document: Document,
    pub range: Range,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Context {
    pub include_declaration: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Published<'d> {
    pub uri: &'d str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    pub diagnostics: Vec<Diagnostic>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Diagnostic {
    pub range: Range,
    /// 1 is an error, 2 a warning.
    pub severity: u8,
    pub code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_description: Option<Page>,
    pub source: &'static str,
    pub message: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Page {
    pub href: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Action {
    pub title: String,
    pub kind: &'static str,
    pub diagnostics: Vec<Diagnostic>,
    pub is_preferred: bool,
    pub edit: WorkspaceEdit,
}

#[derive(Debug, Serialize)]
pub(super) struct WorkspaceEdit {
    pub changes: BTreeMap<String, Vec<TextEdit>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TextEdit {
    pub range: Range,
    pub new_text: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CompletionList {
    pub is_incomplete: bool,
    pub items: Vec<CompletionItem>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CompletionItem {
    pub label: String,
    pub kind: u8,
    /// What the editor compares with the text that is replaced.
    pub filter_text: String,
    pub text_edit: TextEdit,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documentation: Option<Markdown>,
}

#[derive(Debug, Serialize)]
pub(super) struct Markdown {
    pub kind: &'static str,
    pub value: String,
}

impl Markdown {
    pub(super) fn new(value: String) -> Self {
        Self {
            kind: "markdown",
            value,
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Hover {
    pub contents: Markdown,
    pub range: Range,
}

#[derive(Debug, Serialize)]
pub(super) struct Location {
    pub uri: String,
    pub range: Range,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Symbol {
    pub name: String,
    pub detail: String,
    pub kind: u8,
    pub range: Range,
    pub selection_range: Range,
}

#[derive(Debug, Serialize)]
pub(super) struct Lens {
    pub range: Range,
    pub command: Title,
}

/// A command that does nothing but say this.
#[derive(Debug, Serialize)]
pub(super) struct Title {
    pub title: String,
    pub command: &'static str,
}
