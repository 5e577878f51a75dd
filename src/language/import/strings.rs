//! Texts as TOML writes them: one string on one line, or folded over several when it is long or has line breaks.
//!
//! Source: <https://toml.io/en/v1.0.0#string>.

use std::fmt::Write;

/// How many columns a line should have at most.
pub(super) const COLUMNS: usize = 100;

/// A text as a string; lines after the first are indented by this many blanks.
pub(super) fn string(text: &str, indent: usize) -> String {
    let is_long = text.chars().count() + indent > COLUMNS - 10 && text.contains(' ');
    if is_long || text.contains('\n') {
        folded(text, indent)
    } else {
        quoted(text)
    }
}

/// A text as a string on one line: in quotes, or in apostrophes when it has quotes or backslashes itself.
pub(super) fn quoted(text: &str) -> String {
    let is_literal = text.contains(['"', '\\'])
        && !text.contains('\'')
        && !text.contains(|character: char| character.is_control());
    if is_literal {
        return format!("'{text}'");
    }
    let mut string = String::from("\"");
    for character in text.chars() {
        push_escaped(&mut string, character, character == '"');
    }
    string.push('"');
    string
}

/// A text as a multi-line string without a line break of its own: each line ends in a backslash, which takes the
/// break and the indentation out again.
fn folded(text: &str, indent: usize) -> String {
    let width = COLUMNS.saturating_sub(indent).max(20);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut segments = text.split('\n').peekable();
    while let Some(segment) = segments.next() {
        let mut rest = segment;
        while !rest.is_empty() {
            let token = &rest[..token_length(rest)];
            rest = &rest[token.len()..];
            if !line.is_empty() && line.chars().count() + token.chars().count() > width {
                lines.push(std::mem::take(&mut line));
            }
            let is_end = rest.is_empty() && segments.peek().is_none();
            push_token(&mut line, token, is_end);
        }
        if segments.peek().is_some() {
            line.push_str("\\n");
            // Empty lines stay with the line before them.
            if segments.peek().is_some_and(|next| !next.is_empty()) {
                lines.push(std::mem::take(&mut line));
            }
        }
    }
    lines.push(line);
    let margin = " ".repeat(indent);
    format!(
        "\"\"\"\\\n{margin}{}\"\"\"",
        lines.join(&format!("\\\n{margin}"))
    )
}

/// The bytes of the first word with the blanks behind it.
fn token_length(text: &str) -> usize {
    let word = text.find(' ').unwrap_or(text.len());
    let blanks = text[word..].len() - text[word..].trim_start_matches(' ').len();
    word + blanks
}

fn push_token(line: &mut String, token: &str, is_end: bool) {
    let mut characters = token.chars().peekable();
    while let Some(character) = characters.next() {
        // Blanks at the beginning of a line would be taken for its indentation.
        if character == ' ' && line.is_empty() {
            line.push_str("\\u0020");
            continue;
        }
        // Three quotes in a row would end the string.
        let would_end = line.ends_with('"') || (is_end && characters.peek().is_none());
        push_escaped(line, character, character == '"' && would_end);
    }
}

fn push_escaped(string: &mut String, character: char, escapes_quote: bool) {
    match character {
        '"' if escapes_quote => string.push_str("\\\""),
        '\\' => string.push_str("\\\\"),
        '\n' => string.push_str("\\n"),
        '\r' => string.push_str("\\r"),
        '\t' => string.push_str("\\t"),
        control if control.is_control() => {
            write!(string, "\\u{:04X}", u32::from(control))
                .expect("writing to memory does not fail");
        }
        other => string.push(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_back(string: &str) -> String {
        let file = format!("x = {string}\n");
        let (table, errors) = toml::de::DeTable::parse_recoverable(&file);
        assert!(errors.is_empty(), "{file}{errors:?}");
        let value = table.get_ref().get("x").expect("x is there");
        value.get_ref().as_str().expect("a string").to_owned()
    }

    #[test]
    fn texts_are_written_as_a_person_would() {
        for (text, string) in [
            ("", "\"\""),
            ("it's", "\"it's\""),
            ("a \"b\" \\", "'a \"b\" \\'"),
            ("it's \"b\"", "\"it's \\\"b\\\"\""),
            ("a\tb\u{7f}\r", "\"a\\tb\\u007F\\r\""),
            ("\"One\"\nTwo", "\"\"\"\\\n    \"One\"\\n\\\n    Two\"\"\""),
            ("One\nTwo", "\"\"\"\\\n    One\\n\\\n    Two\"\"\""),
            (
                "One\n\n  \"Two\"",
                "\"\"\"\\\n    One\\n\\n\\\n    \\u0020 \"Two\\\"\"\"\"",
            ),
        ] {
            assert_eq!(super::string(text, 4), string, "{text}");
            assert_eq!(read_back(string), text);
        }
    }

    #[test]
    fn a_long_text_is_folded_between_its_words() {
        let text = "word ".repeat(30);
        let string = super::string(&text, 4);
        assert!(
            string
                .lines()
                .all(|line| line.chars().count() <= COLUMNS + 1),
            "{string}"
        );
        assert_eq!(string.lines().count(), 3);
        assert_eq!(read_back(&string), text);
        // A line may be full: that of a short text, and each of a long one.
        let full = "a ".repeat(43);
        assert_eq!(super::string(&full, 4), format!("\"{full}\""));
        assert_eq!(super::string(&(full + "a"), 4).lines().count(), 2);
        let full = "three words ".repeat(8);
        assert_eq!(
            super::string(&full.repeat(2), 4),
            format!("\"\"\"\\\n    {full}\\\n    {full}\"\"\"")
        );
        let url = "x".repeat(300);
        assert_eq!(super::string(&url, 4), format!("\"{url}\""));
    }

    proptest::proptest! {
        #[test]
        fn a_string_reads_back(text in "([ \"'\\\\\n\t\r]|[a-z]|\\PC|\\p{Cc}|word word word word word ){0,60}", indent in 0..40usize) {
            proptest::prop_assert_eq!(read_back(&super::string(&text, indent)), text);
        }
    }
}
