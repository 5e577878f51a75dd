//! A file that is not TOML: each mistake is reported once, and the rest of the file can still be read.
//!
//! A quote or bracket that is not closed makes everything after it unreadable to a TOML parser. So the file is cut at
//! the lines that begin a section, and whatever cannot be read in a part is blanked, byte for byte, so that everything
//! else keeps its place.

use std::ops::Range;
use std::sync::Arc;

use toml::de::DeTable;

use crate::table::diagnostic::{Check, Diagnostic, File, Severity};

pub(super) static TOML_SYNTAX: Check = Check::new(
    "toml-syntax",
    "The file is not valid TOML here. The most common causes: a quote or a bracket that is not closed, a value without
quotes, a section that is defined twice, single brackets where `[[route]]` needs two.",
    r#"name = ride-ended     # name = "ride-ended""#,
);

/// Reading stops after this many mistakes: such a file is something else than a table.
const MOST: usize = 100;

/// The most mistakes that are looked for in one part of a file.
const MOST_PER_PART: usize = 20;

/// Only the first mistake is looked for in a part that has more bytes, because each takes another reading of the part.
const LARGE_PART: usize = 1 << 20;

/// The text of a file that is not TOML with every mistake blanked, and the mistakes. The text ends where reading stopped.
pub(super) fn readable(file: &Arc<File>) -> (String, Vec<Diagnostic>) {
    let mut text = file.text.clone();
    let mut found = Vec::new();
    let starts = file.text.match_indices("\n[").map(|(at, _)| at + 1);
    let mut start = 0;
    for end in starts.chain([file.text.len()]) {
        if found.len() >= MOST {
            text.truncate(start);
            break;
        }
        clean(file, &mut text, start..end, &mut found);
        start = end;
    }
    // Mistakes that only the parts together show, such as two sections with one name.
    let (_, errors) = DeTable::parse_recoverable(&text);
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let is_here = |known: &Diagnostic| line(file, &known.span) == line(file, &span);
        if !found.iter().any(is_here) && found.len() < MOST {
            found.push(diagnostic(file, &error, span));
        }
    }
    (text, found)
}

/// Reports the mistakes in a part, and blanks them.
fn clean(file: &Arc<File>, text: &mut String, part: Range<usize>, found: &mut Vec<Diagnostic>) {
    let is_large = part.len() > LARGE_PART;
    let most = if is_large { 1 } else { MOST_PER_PART };
    let mut last_line = None;
    for _ in 0..most.min(MOST - found.len()) {
        let Err(error) = DeTable::parse(&text[part.clone()]) else {
            return;
        };
        let inner = error.span().unwrap_or(0..0);
        let span = part.start + inner.start..part.start + inner.end;
        let here = line(file, &span);
        if last_line.is_some_and(|last| here <= last + 1) {
            // Blanking the line before has not helped: what is open there runs on to the end of the part.
            break;
        }
        found.push(diagnostic(file, &error, span.clone()));
        if here == file.position(part.start).0 && file.text[part.start..].starts_with('[') {
            // Without its first line it is not known to what the rest of the part belongs.
            return blank(text, part);
        }
        last_line = Some(here);
        let inside = span.start.min(part.end.saturating_sub(1));
        blank(text, line_of(&file.text, inside));
    }
    // The section's own line stays if it can be read: the lines below belong to it.
    let header = line_of(&file.text, part.start);
    let body = if DeTable::parse(&file.text[header.clone()]).is_ok() {
        header.end..part.end
    } else {
        part
    };
    blank(text, body);
}

fn line(file: &File, span: &Range<usize>) -> usize {
    file.position(span.start).0
}

/// The bytes of the line that a byte is in, from the line feed before it to the one behind it.
fn line_of(text: &str, byte: usize) -> Range<usize> {
    // By bytes: a place that a parser names may lie inside a character.
    let bytes = text.as_bytes();
    let byte = byte.min(bytes.len());
    let is_line_feed = |byte: &u8| *byte == b'\n';
    let start = bytes[..byte].iter().rposition(is_line_feed);
    let length = bytes[byte..].iter().position(is_line_feed);
    start.unwrap_or(0)..length.map_or(bytes.len(), |length| byte + length)
}

/// Puts blanks in the place of some bytes. The first and the last may be line feeds that end a line, so they become one.
fn blank(text: &mut String, range: Range<usize>) {
    let blanks = match range.len() {
        0 | 1 => "\n".repeat(range.len()),
        length => format!("\n{}\n", " ".repeat(length - 2)),
    };
    text.replace_range(range, &blanks);
}

fn diagnostic(file: &Arc<File>, error: &toml::de::Error, span: Range<usize>) -> Diagnostic {
    let message = error.message().replace('\n', ", ");
    let line = &file.text[line_of(&file.text, span.start)];
    let help = if line.contains(['“', '”', '‘', '’']) {
        "write straight quotes: \"…\""
    } else if message.contains("no value") || message.contains("keys cannot be empty") {
        "write NAME = VALUE"
    } else if message.contains("quoted") || message.contains("float") {
        "write a value behind the `=`; a text stands in quotes"
    } else if message.contains("escape") {
        "write it in single quotes, where a backslash is only a backslash: '\\d'"
    } else if message.contains("duplicate key") {
        "write each key once; a section that may come again has two brackets: [[route]]"
    } else if message.contains("inline table")
        || message.contains("array")
        || message.contains("bracket")
    {
        "look for a bracket, a brace or a quote that is not closed"
    } else if line.matches('"').count() % 2 == 1 || line.matches('\'').count() % 2 == 1 {
        "look for a quote that is not closed"
    } else {
        "see https://toml.io/en/v1.0.0 for how TOML is written"
    };
    Diagnostic {
        check: &TOML_SYNTAX,
        severity: Severity::Error,
        file: Arc::clone(file),
        span,
        message,
        help: help.to_owned(),
        error_number: None,
        fix: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of_errors(text: &str) -> Vec<usize> {
        let file = File::new("x", text);
        let (readable, found) = readable(&file);
        assert_eq!(readable.len(), text.len());
        assert!(DeTable::parse(&readable).is_ok(), "{readable}");
        found
            .iter()
            .map(|diagnostic| line(&file, &diagnostic.span))
            .collect()
    }

    #[test]
    fn each_mistake_is_reported_once_and_the_rest_can_be_read() {
        assert_eq!(lines_of_errors("a = 1\n[b]\nc = 2\n"), [0_usize; 0]);
        assert_eq!(
            lines_of_errors("a = \n[b]\nc = \"x\nd = 1\n[e]\nf = 1\n"),
            [1, 3]
        );
        assert_eq!(
            lines_of_errors("[[r]]\nv = [ { S = \"x }, ]\nw = [\n 1,\n]\n[[r]]\nv = 1\n").len(),
            1
        );
        assert_eq!(lines_of_errors("[[r]]\nname \"x\"\n\n\nv = \n").len(), 2);
    }

    #[test]
    fn the_help_says_what_to_look_for() {
        for (text, help) in [
            ("a = 'x", "look for a quote that is not closed"),
            ("a = \"x", "look for a quote that is not closed"),
            (
                "a = 'x' 'y'",
                "see https://toml.io/en/v1.0.0 for how TOML is written",
            ),
        ] {
            let file = File::new("x", text);
            let (_, found) = readable(&file);
            assert_eq!(found[0].help, help, "{text}: {}", found[0].message);
        }
    }
}
