//! What went wrong while a table was read, and the small readers that say so.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::diagnostic::{Code, Diagnostic, Severity, nearest};

/// A value of the file with its place.
pub(super) type Value<'i> = Spanned<DeValue<'i>>;

/// A key of the file with its place.
pub(super) type Key<'i> = Spanned<DeString<'i>>;

/// All that is wrong so far.
#[derive(Debug, Default)]
pub(super) struct Problems {
    list: Vec<Diagnostic>,
}

impl Problems {
    /// Adds an error; the number of the Twilio error it would have caused can be set on what is returned.
    pub(super) fn error(
        &mut self,
        code: Code,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> &mut Diagnostic {
        self.add(Severity::Error, code, span, message.into(), help.into())
    }

    /// Adds a warning.
    pub(super) fn warn(
        &mut self,
        code: Code,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> &mut Diagnostic {
        self.add(Severity::Warning, code, span, message.into(), help.into())
    }

    fn add(
        &mut self,
        severity: Severity,
        code: Code,
        span: Range<usize>,
        message: String,
        help: String,
    ) -> &mut Diagnostic {
        self.list.push(Diagnostic {
            code,
            severity,
            span,
            message,
            help,
            error_number: None,
        });
        self.list.last_mut().expect("one was pushed just now")
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.list.len()
    }

    /// All of them, sorted by place.
    pub(super) fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.list
            .sort_by_key(|diagnostic| (diagnostic.span.start, diagnostic.span.end));
        self.list
    }

    /// The value's text; an error says what was wanted when it is none.
    pub(super) fn text<'v>(&mut self, value: &'v Value<'_>, wanted: &str) -> Option<&'v str> {
        if let Some(text) = value.get_ref().as_str() {
            return Some(text);
        }
        let help = match value.get_ref() {
            DeValue::Integer(number) => format!("write it in quotes: \"{}\"", number.as_str()),
            _ => "write a text in quotes".to_owned(),
        };
        self.wrong_type(value, wanted, help);
        None
    }

    /// The value as a boolean.
    pub(super) fn boolean(&mut self, value: &Value<'_>, wanted: &str) -> Option<bool> {
        let boolean = value.get_ref().as_bool();
        if boolean.is_none() {
            self.wrong_type(value, wanted, "write true or false, without quotes");
        }
        boolean
    }

    /// The value as a table.
    pub(super) fn table<'v, 'i>(
        &mut self,
        value: &'v Value<'i>,
        wanted: &str,
    ) -> Option<&'v DeTable<'i>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(value, wanted, "write a table: { … }, or a [section]");
        }
        table
    }

    /// The value as an array.
    pub(super) fn array<'v, 'i>(
        &mut self,
        value: &'v Value<'i>,
        wanted: &str,
        help: &str,
    ) -> Option<&'v [Value<'i>]> {
        if let Some(array) = value.get_ref().as_array() {
            Some(array)
        } else {
            self.wrong_type(value, wanted, help);
            None
        }
    }

    /// The error for a value of another type than `wanted`.
    pub(super) fn wrong_type(&mut self, value: &Value<'_>, wanted: &str, help: impl Into<String>) {
        let message = format!("{wanted} wanted, found {}", described(value.get_ref()));
        self.error(Code::WrongType, value.span(), message, help);
    }

    /// The error for each key that a section does not have.
    pub(super) fn unknown_keys(&mut self, table: &DeTable<'_>, section: &str, known: &[&str]) {
        for (key, _) in entries(table) {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let help = match nearest(name, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("{section} has {}", listed(known)),
                };
                self.error(
                    Code::UnknownKey,
                    key.span(),
                    format!("{section} has no key `{name}`"),
                    help,
                );
            }
        }
    }
}

impl Diagnostic {
    /// Says which Twilio error the mistake would have caused.
    pub(super) fn twilio(&mut self, number: impl Into<Option<u32>>) {
        self.error_number = number.into();
    }
}

/// The entries of a table in the order of the file.
pub(super) fn entries<'t, 'i>(table: &'t DeTable<'i>) -> Vec<(&'t Key<'i>, &'t Value<'i>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

/// Names for a sentence: `` `a`, `b` and `c` ``.
pub(super) fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// What a value is, for a sentence.
fn described(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
