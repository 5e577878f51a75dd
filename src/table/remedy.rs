//! What to do about a mistake: a line of help, and the text that corrects it.

use std::fmt::Write as _;

use crate::twilio::spelling::nearest_all;

/// A line of help and, if there is no doubt, the text that corrects the mistake, created together so that they agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remedy {
    pub help: String,
    pub text: Option<NewText>,
}

/// What replaces a mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NewText {
    /// A name or a value, within the quotes that are there, if any are.
    Word(String),
    /// This text as it is.
    Source(String),
}

impl Remedy {
    /// Help, and the name or value that belongs there.
    pub(crate) fn word(help: impl Into<String>, word: impl Into<String>) -> Self {
        Self {
            help: help.into(),
            text: Some(NewText::Word(word.into())),
        }
    }

    /// Help, and the text that belongs there.
    pub(crate) fn source(help: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            help: help.into(),
            text: Some(NewText::Source(text.into())),
        }
    }

    /// The text, with `write …` as the help; `key` is the key that it is the value of.
    pub(crate) fn write(key: &str, text: impl Into<String>) -> Self {
        let text = text.into();
        let equals = if key.is_empty() { "" } else { " = " };
        Self::source(format!("write {key}{equals}{text}"), text)
    }
}

impl From<String> for Remedy {
    fn from(help: String) -> Self {
        Self { help, text: None }
    }
}

impl From<&str> for Remedy {
    fn from(help: &str) -> Self {
        help.to_owned().into()
    }
}

impl NewText {
    /// The text in the place of `old`, in a TOML file or else in a CSV file.
    pub(crate) fn in_place_of(self, old: &str, is_toml: bool) -> String {
        match self {
            Self::Source(text) => text,
            Self::Word(word) if is_toml => match old.chars().next() {
                Some('\'') if !word.contains('\'') => format!("'{word}'"),
                Some('"' | '\'') => quoted(&word),
                _ => word,
            },
            Self::Word(word) if old.starts_with('"') || word.contains([',', '"', '\n', '\r']) => {
                format!("\"{}\"", word.replace('"', "\"\""))
            }
            Self::Word(word) => word,
        }
    }
}

/// A name that differs in more letters may be meant, but not without doubt.
const MOST_LETTERS: usize = 2;

/// The remedy for a misspelt name or value: the nearest of those that are known, in these quotes, else `otherwise`.
pub(crate) fn did_you_mean<'k>(
    quote: char,
    name: &str,
    known: impl IntoIterator<Item = &'k str>,
    otherwise: impl Into<Remedy>,
) -> Remedy {
    let (distance, near) = nearest_all(name, known);
    match *near {
        [near] if distance <= MOST_LETTERS => {
            Remedy::word(format!("did you mean {quote}{near}{quote}?"), near)
        }
        // More than a few names are near only because they are all alike.
        [_] | [_, _] | [_, _, _] => format!("did you mean {}?", either(quote, &near)).into(),
        _ => otherwise.into(),
    }
}

/// The remedy for a value that is none of these words.
pub(crate) fn one_of(text: &str, words: &[&str]) -> Remedy {
    let otherwise = format!("write {}", either('"', words));
    did_you_mean('"', text, words.iter().copied(), otherwise)
}

/// Names for a sentence: `` `a`, `b` and `c` ``.
pub(crate) fn listed(names: &[&str]) -> String {
    joined(names, '`', "and")
}

/// Names to choose from: `` `a`, `b` or `c` ``.
pub(crate) fn choice(names: &[&str]) -> String {
    either('`', names)
}

/// Names or values to choose from, in these quotes.
pub(crate) fn either(quote: char, names: &[&str]) -> String {
    joined(names, quote, "or")
}

fn joined(names: &[&str], quote: char, last_word: &str) -> String {
    let quoted: Vec<String> = names
        .iter()
        .map(|name| format!("{quote}{name}{quote}"))
        .collect();
    match quoted.as_slice() {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} {last_word} {last}", most.join(", ")),
    }
}

/// A text as a TOML string on one line: in quotes, or in apostrophes when it has quotes or backslashes itself.
pub(crate) fn quoted(text: &str) -> String {
    let needs_escapes = text.contains('\'') || text.contains(char::is_control);
    if text.contains(['"', '\\']) && !needs_escapes {
        format!("'{text}'")
    } else {
        format!("\"{}\"", escaped(text).replace('"', "\\\""))
    }
}

/// A text with its backslashes and control characters escaped for TOML, but not its quotes.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => escaped += "\\\\",
            '\n' => escaped += "\\n",
            '\r' => escaped += "\\r",
            '\t' => escaped += "\\t",
            control if control.is_control() => {
                let _ = write!(escaped, "\\u{:04X}", u32::from(control));
            }
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_and_text_name_the_one_that_is_nearest() {
        let names = ["Caller", "Called", "From"];
        let remedy = did_you_mean('`', "Form", names, "name one");
        assert_eq!(remedy, Remedy::word("did you mean `From`?", "From"));
        let remedy = did_you_mean('"', "Calle", names, "name one");
        assert_eq!(remedy, "did you mean \"Caller\" or \"Called\"?".into());
        assert_eq!(
            did_you_mean('`', "Zebra", names, "name one"),
            "name one".into()
        );
        let alike = ["Aa", "Ab", "Ac", "Ad"].map(|name| name.repeat(2));
        let alike = alike.iter().map(String::as_str);
        assert_eq!(
            did_you_mean('`', "AxAx", alike, "name one"),
            "name one".into()
        );
    }

    #[test]
    fn a_word_keeps_the_quotes_that_are_there() {
        for (old, word, is_toml, new) in [
            ("Caled", "Called", true, "Called"),
            ("\"Caled\"", "Called", true, "\"Called\""),
            ("'Caled'", "Called", true, "'Called'"),
            ("'its'", "it's", true, "\"it's\""),
            ("\"a\"", "a\"b", true, "'a\"b'"),
            ("'+1500", "+1500", false, "+1500"),
            ("\"a\"", "b", false, "\"b\""),
            ("a", "b, c", false, "\"b, c\""),
            ("a", "6\" b", false, "\"6\"\" b\""),
        ] {
            let text = NewText::Word(word.to_owned());
            assert_eq!(text.in_place_of(old, is_toml), new, "{old}");
        }
    }
}
