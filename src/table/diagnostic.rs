//! What is wrong with a table, where, and what to do about it.

use std::borrow::Borrow;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Keeps the table from going live: Twilio would refuse or misread it, or it cannot be what the operator meant.
    Error,
    /// Looks wrong but may be right.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// A check of a table: what scripts, editors and the manual know about a kind of mistake. Each is in the file that looks
/// for the mistake.
#[derive(Debug, PartialEq, Eq)]
pub struct Check {
    /// Its stable name, such as `bad-number`.
    pub code: &'static str,
    /// Whether it reports that something is missing, which may be in a part of the file that could not be read.
    pub is_absence: bool,
    /// What the mistake is and what to do about it, for docs/diagnostics.md.
    pub manual: &'static str,
    /// A piece of a table or of a CSV file with the mistake.
    pub example: &'static str,
}

impl Check {
    /// A check for something present and wrong.
    pub(crate) const fn new(
        code: &'static str,
        manual: &'static str,
        example: &'static str,
    ) -> Self {
        Self {
            code,
            is_absence: false,
            manual,
            example,
        }
    }

    /// A check for something missing.
    pub(crate) const fn absence(
        code: &'static str,
        manual: &'static str,
        example: &'static str,
    ) -> Self {
        let mut check = Self::new(code, manual, example);
        check.is_absence = true;
        check
    }
}

/// One thing that is wrong with a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The check that found it.
    pub check: &'static Check,
    /// Whether it keeps the table from going live.
    pub severity: Severity,
    /// The file at fault.
    pub file: Arc<File>,
    /// The bytes of the file at fault.
    pub span: Range<usize>,
    /// What is wrong, in one line.
    pub message: String,
    /// What to do about it, in one line.
    pub help: String,
    /// The Twilio error that the mistake would have caused, when there is one.
    pub error_number: Option<u32>,
    /// The change that corrects it, if there is no doubt which one that is.
    pub fix: Option<Fix>,
    /// How many more like it the file has that are not reported one by one.
    pub more: usize,
}

/// A change to the diagnostic's file: this text replaces what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// The bytes of the file that it replaces; empty where it only adds.
    pub span: Range<usize>,
    /// The text that is there afterwards.
    pub text: String,
}

impl Diagnostic {
    /// Gives it a change that corrects it, in its own file.
    pub(crate) fn fix(
        &mut self,
        span: impl Borrow<Range<usize>>,
        text: impl Into<String>,
    ) -> &mut Self {
        self.fix = Some(Fix {
            span: span.borrow().clone(),
            text: text.into(),
        });
        self
    }

    /// Withdraws the change of a key when its table already has a key of that name.
    pub(crate) fn unless_taken(&mut self, has_key: impl Fn(&str) -> bool) {
        let is_free = |fix: &Fix| !has_key(fix.text.trim_matches(['"', '\'']));
        self.fix = self.fix.take().filter(is_free);
    }
}

/// A file that diagnostics refer to.
#[derive(Debug)]
pub struct File {
    /// Its name as the operator wrote it.
    pub name: String,
    /// Its text.
    pub text: String,
    /// Where its lines begin, computed when the first position is needed.
    line_starts: OnceLock<Vec<usize>>,
}

impl PartialEq for File {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.text == other.text
    }
}

impl Eq for File {}

impl File {
    /// A file of this name and text, to be shared by its diagnostics.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            text: text.into(),
            line_starts: OnceLock::new(),
        })
    }

    /// Line and column of a byte, both from 1; the column counts characters.
    #[must_use]
    pub fn position(&self, byte: usize) -> (usize, usize) {
        let (line, before) = self.line_up_to(byte);
        (line, before.chars().count() + 1)
    }

    /// Line and column of a byte as editors count them: both from 0, the column in units of UTF-16.
    #[must_use]
    pub fn utf16_position(&self, byte: usize) -> (usize, usize) {
        let (line, before) = self.line_up_to(byte);
        (line - 1, before.encode_utf16().count())
    }

    /// The byte at such a line and column. A column behind the end of its line, or inside a character, is the last place before
    /// it; a line behind the last is the end.
    #[must_use]
    pub fn byte_at_utf16(&self, line: usize, column: usize) -> usize {
        let Some(start) = self.line_starts().get(line) else {
            return self.text.len();
        };
        let rest = &self.text[*start..];
        let text = &rest[..rest.find(['\r', '\n']).unwrap_or(rest.len())];
        let mut units = 0;
        let mut characters = text.char_indices();
        let behind = characters.find(|(_, character)| {
            units += character.len_utf16();
            units > column
        });
        start + behind.map_or(text.len(), |(at, _)| at)
    }

    /// The line of a byte, from 1, and what stands in it before the byte.
    fn line_up_to(&self, byte: usize) -> (usize, &str) {
        let byte = self.boundary(byte);
        let starts = self.line_starts();
        let line = starts.partition_point(|start| *start <= byte);
        (line, &self.text[starts[line - 1]..byte])
    }

    fn line_starts(&self) -> &[usize] {
        self.line_starts.get_or_init(|| {
            let after_line_feeds = self.text.match_indices('\n').map(|(at, _)| at + 1);
            std::iter::once(0).chain(after_line_feeds).collect()
        })
    }

    /// The nearest character boundary at or before a byte.
    pub(crate) fn boundary(&self, byte: usize) -> usize {
        (0..=byte.min(self.text.len()))
            .rev()
            .find(|at| self.text.is_char_boundary(*at))
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editors_count_in_utf_16() {
        let file = File::new("x", "a🙂é\r\n\n🙂");
        for (byte, line, column) in [
            (0, 0, 0),
            (1, 0, 1),
            (5, 0, 3),
            (7, 0, 4),
            (9, 1, 0),
            (10, 2, 0),
            (14, 2, 2),
        ] {
            assert_eq!(file.utf16_position(byte), (line, column), "{byte}");
            assert_eq!(file.byte_at_utf16(line, column), byte, "{line}:{column}");
        }
        // Between the two halves of a character, behind a line's end, behind the last line.
        for (line, column, byte) in [
            (0, 2, 1),
            (0, 99, 7),
            (1, 5, 9),
            (2, 1, 10),
            (3, 0, 14),
            (usize::MAX, usize::MAX, 14),
        ] {
            assert_eq!(file.byte_at_utf16(line, column), byte, "{line}:{column}");
        }
        assert_eq!(file.utf16_position(3), (0, 1));
        assert_eq!(file.utf16_position(usize::MAX), (2, 2));
    }
}
