//! What went wrong while a table was read, and the small readers that say so.

use std::borrow::Borrow;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeInteger, DeString, DeTable, DeValue};

use crate::table::diagnostic::{Check, Diagnostic, File, Severity};
use crate::twilio::spelling::nearest;

pub(crate) static UNKNOWN_KEY: Check = Check::new(
    "unknown-key",
    "A key that does not exist in this place. A misspelt key would do nothing, so it is an error. The help line names the
nearest key, or all of them.",
    r#"wehn = { Called = "+15005550006" }     # when"#,
);

pub(crate) static WRONG_TYPE: Check = Check::new(
    "wrong-type",
    "A value that does not have the type that the key takes: a number without quotes instead of a text, a text instead of
an array. Parameters are always texts, even if they look like numbers.",
    r#"when = { Digits = 1 }     # "1""#,
);

pub(crate) static MISSING_KEY: Check = Check::absence(
    "missing-key",
    "A required key is missing: a route's `name`, a schedule's `timezone` and `open`, a test's `expect`, a row's key, one
of `numbers`, `rows` and `file` of a directory. The help line shows how to write it.",
    r#"[schedule.office]
open = ["Mon-Fri 09:00-17:30"]     # timezone = "America/New_York""#,
);

pub(crate) static BAD_NAME: Check = Check::new(
    "bad-name",
    "A name with characters that it may not have, or one that is taken. Names of routes and steps are 1 to 64 of
`A-Z a-z 0-9 . _ -`. A directory's name has no dot, because its columns are written `NAME.column`. `default` and
`loop-guard` are reserved. Choose another name.",
    r#"name = "ride ended"     # name = "ride-ended""#,
);

pub(crate) static DUPLICATE_NAME: Check = Check::new(
    "duplicate-name",
    "Two routes, two tests or two columns of a file have the same name. Logs, metrics and templates could not tell them
apart. Rename one.",
    "number,name,name",
);

/// A value of the file with its place.
pub(crate) type Value<'i> = Spanned<DeValue<'i>>;

/// A key of the file with its place.
pub(crate) type Key<'i> = Spanned<DeString<'i>>;

/// All that is wrong so far.
#[derive(Debug)]
pub(crate) struct Problems {
    /// The table's own file.
    file: Arc<File>,
    list: Vec<Diagnostic>,
    has_syntax_errors: bool,
}

impl Problems {
    /// No problems yet with a table's file.
    pub(crate) fn new(file: &Arc<File>) -> Self {
        Self {
            file: Arc::clone(file),
            list: Vec::new(),
            has_syntax_errors: false,
        }
    }

    /// Adds what is no TOML.
    pub(crate) fn add_syntax_errors(&mut self, errors: Vec<Diagnostic>) {
        self.has_syntax_errors = true;
        self.list.extend(errors);
    }

    /// Adds an error.
    pub(crate) fn error(
        &mut self,
        check: &'static Check,
        span: impl Borrow<Range<usize>>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> &mut Diagnostic {
        self.add(Severity::Error, check, span, message, help)
    }

    /// Adds an error about a value, which leaves none.
    pub(crate) fn refuse<T>(
        &mut self,
        check: &'static Check,
        span: impl Borrow<Range<usize>>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Option<T> {
        self.error(check, span, message, help);
        None
    }

    /// Adds an error that Twilio would have reported under this number.
    pub(crate) fn twilio_error(
        &mut self,
        number: impl Into<Option<u32>>,
        check: &'static Check,
        span: impl Borrow<Range<usize>>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> &mut Diagnostic {
        let diagnostic = self.error(check, span, message, help);
        diagnostic.error_number = number.into();
        diagnostic
    }

    /// Adds a warning.
    pub(crate) fn warn(
        &mut self,
        check: &'static Check,
        span: impl Borrow<Range<usize>>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> &mut Diagnostic {
        self.add(Severity::Warning, check, span, message, help)
    }

    /// Adds a diagnostic about the table's own file.
    pub(crate) fn add(
        &mut self,
        severity: Severity,
        check: &'static Check,
        span: impl Borrow<Range<usize>>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> &mut Diagnostic {
        self.list.push(Diagnostic {
            check,
            severity,
            file: Arc::clone(&self.file),
            span: span.borrow().clone(),
            message: message.into(),
            help: help.into(),
            error_number: None,
            fix: None,
        });
        self.list.last_mut().expect("one was pushed just now")
    }

    /// Whether there is an error among them.
    pub(crate) fn has_errors(&self) -> bool {
        self.errors_since(0) > 0
    }

    /// How many errors have come since there were this many problems.
    pub(crate) fn errors_since(&self, count: usize) -> usize {
        self.list[count..]
            .iter()
            .filter(|diagnostic| diagnostic.severity == Severity::Error)
            .count()
    }

    /// How many there are in a file beside the table; none in the table's own.
    pub(crate) fn count_in(&self, file: &Arc<File>) -> usize {
        if Arc::ptr_eq(file, &self.file) {
            return 0;
        }
        self.list
            .iter()
            .rev()
            .take_while(|diagnostic| Arc::ptr_eq(&diagnostic.file, file))
            .count()
    }

    /// Whether a check has found something at this very place already.
    pub(crate) fn has_reported(
        &self,
        check: &Check,
        file: &Arc<File>,
        span: &Range<usize>,
    ) -> bool {
        let mut found = self.list.iter();
        found.any(|one| one.check == check && Arc::ptr_eq(&one.file, file) && one.span == *span)
    }

    /// The table's own file.
    pub(crate) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.list.len()
    }

    /// All of them, sorted by place. Without those that say that something is missing, when that may stand in what is no
    /// TOML.
    pub(crate) fn into_sorted(mut self) -> Vec<Diagnostic> {
        if self.has_syntax_errors {
            self.list.retain(|diagnostic| !diagnostic.check.is_absence);
        }
        sort(&mut self.list, &self.file);
        self.list
    }

    /// The value's text; an error says what was wanted when it is none.
    pub(crate) fn text<'v>(&mut self, value: &'v Value<'_>, wanted: &str) -> Option<&'v str> {
        let text = value.get_ref().as_str();
        text.or_else(|| self.no_text(value, wanted, "write a text in quotes"))
    }

    /// The text of a moment, which TOML can also write without quotes.
    pub(crate) fn moment(&mut self, value: &Value<'_>, wanted: &str, help: &str) -> Option<String> {
        match value.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Datetime(moment) => Some(moment.to_string()),
            _ => self.wrong_type(value, wanted, help),
        }
    }

    /// The error for a value that should be a text or may be one: a number only lacks its quotes.
    pub(crate) fn no_text<T>(
        &mut self,
        value: &Value<'_>,
        wanted: &str,
        otherwise: impl Into<String>,
    ) -> Option<T> {
        let help = match value.get_ref() {
            DeValue::Integer(number) => format!("write it in quotes: \"{}\"", number.as_str()),
            _ => otherwise.into(),
        };
        self.wrong_type(value, wanted, help)
    }

    /// The value as a boolean.
    pub(crate) fn boolean(&mut self, value: &Value<'_>, wanted: &str) -> Option<bool> {
        let boolean = value.get_ref().as_bool();
        boolean.or_else(|| self.wrong_type(value, wanted, "write true or false, without quotes"))
    }

    /// Whether a key of a section is true; a missing one is not.
    pub(crate) fn flag(&mut self, table: &DeTable<'_>, key: &str) -> bool {
        let value = table.get(key);
        let flag = value.and_then(|value| self.boolean(value, "true or false"));
        flag.unwrap_or(false)
    }

    /// The value as a table.
    pub(crate) fn table<'v, 'i>(
        &mut self,
        value: &'v Value<'i>,
        wanted: &str,
    ) -> Option<&'v DeTable<'i>> {
        let table = value.get_ref().as_table();
        table.or_else(|| self.wrong_type(value, wanted, "write a table: { … }, or a [section]"))
    }

    /// The value as an array.
    pub(crate) fn array<'v, 'i>(
        &mut self,
        value: &'v Value<'i>,
        wanted: &str,
        help: &str,
    ) -> Option<&'v [Value<'i>]> {
        let array = value.get_ref().as_array().map(|array| &**array);
        array.or_else(|| self.wrong_type(value, wanted, help))
    }

    /// The tables in a section such as `[[route]]`, each with the whole of its value.
    pub(crate) fn tables<'v, 'i>(
        &mut self,
        section: Option<&'v Value<'i>>,
        (all, help): (&str, &str),
        one: &str,
    ) -> Vec<(&'v DeTable<'i>, &'v Value<'i>)> {
        let array = section.and_then(|section| self.array(section, all, help));
        let items = array.unwrap_or_default().iter();
        let tables = items.filter_map(|item| Some((self.table(item, one)?, item)));
        tables.collect()
    }

    /// The entries of a section such as `[schedule]`, in the order of the file.
    pub(crate) fn entries<'v, 'i>(
        &mut self,
        section: Option<&'v Value<'i>>,
        wanted: &str,
    ) -> Vec<(&'v Key<'i>, &'v Value<'i>)> {
        let table = section.and_then(|section| self.table(section, wanted));
        table.map(entries).unwrap_or_default()
    }

    /// The value of a key; an error at a place when the section does not have it.
    pub(crate) fn required<'t, 'i>(
        &mut self,
        table: &'t DeTable<'i>,
        key: &str,
        section: &str,
        place: Range<usize>,
        help: &str,
    ) -> Option<&'t Value<'i>> {
        let value = table.get(key);
        if value.is_none() {
            let message = format!("{section} has no `{key}`");
            self.error(&MISSING_KEY, place, message, help);
        }
        value
    }

    /// The error for a value of another type than `wanted`.
    pub(crate) fn wrong_type<T>(
        &mut self,
        value: &Value<'_>,
        wanted: &str,
        help: impl Into<String>,
    ) -> Option<T> {
        let message = format!("{wanted} wanted, found {}", described(value.get_ref()));
        self.refuse(&WRONG_TYPE, value.span(), message, help)
    }

    /// The error for each key that a section does not have.
    pub(crate) fn unknown_keys(&mut self, table: &DeTable<'_>, section: &str, known: &[&str]) {
        for (key, _) in entries(table) {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let otherwise = format!("{section} has {}", listed(known));
                let help = did_you_mean('`', name, known.iter().copied(), otherwise);
                let message = format!("{section} has no key `{name}`");
                let diagnostic = self.error(&UNKNOWN_KEY, key.span(), message, help);
                if let Some(near) = nearest(name, known.iter().copied()) {
                    diagnostic.replacement(near);
                }
            }
        }
    }

    /// The error for the name of a section such as `[reply.NAME]` that the table does not have.
    pub(crate) fn unknown_section<'k>(
        &mut self,
        check: &'static Check,
        kind: &str,
        name: &str,
        known: impl IntoIterator<Item = &'k String>,
        span: impl Borrow<Range<usize>>,
    ) {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let is_bare = !name.is_empty() && name.bytes().all(is_word);
        let otherwise = if is_bare {
            format!("add a section [{kind}.{name}]")
        } else {
            format!("add a section [{kind}.{name:?}]")
        };
        let known = known.into_iter().map(String::as_str);
        let help = did_you_mean('"', name, known, otherwise);
        let message = format!("there is no {kind} \"{name}\"");
        self.error(check, span, message, help);
    }
}

/// Sorts diagnostics by place: those of the table's own file first.
pub(crate) fn sort(list: &mut [Diagnostic], first: &Arc<File>) {
    list.sort_by_cached_key(|diagnostic| {
        let is_other = !Arc::ptr_eq(&diagnostic.file, first);
        let file = is_other.then(|| diagnostic.file.name.clone());
        (file, diagnostic.span.start, diagnostic.span.end)
    });
}

/// A whole number that is not negative, in whatever base it is written; `None` when it does not fit.
pub(crate) fn integer(number: &DeInteger<'_>) -> Option<u32> {
    u32::from_str_radix(number.as_str(), number.radix()).ok()
}

/// The entries of a table in the order of the file.
pub(crate) fn entries<'t, 'i>(table: &'t DeTable<'i>) -> Vec<(&'t Key<'i>, &'t Value<'i>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

/// The help for a misspelt key or text: the nearest of those that are known, in these quotes, else `otherwise`.
pub(crate) fn did_you_mean<'k>(
    quote: char,
    name: &str,
    known: impl IntoIterator<Item = &'k str>,
    otherwise: impl Into<String>,
) -> String {
    match nearest(name, known) {
        Some(near) => format!("did you mean {quote}{near}{quote}?"),
        None => otherwise.into(),
    }
}

/// The help for a text that is none of these words.
pub(crate) fn one_of(text: &str, words: &[&str]) -> String {
    let otherwise = format!("it is one of {}", choice(words));
    did_you_mean('"', text, words.iter().copied(), otherwise)
}

/// Names for a sentence: `` `a`, `b` and `c` ``.
pub(crate) fn listed(names: &[&str]) -> String {
    joined(names, "and")
}

/// Names to choose from: `` `a`, `b` or `c` ``.
pub(crate) fn choice(names: &[&str]) -> String {
    joined(names, "or")
}

fn joined(names: &[&str], last_word: &str) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} {last_word} {last}", most.join(", ")),
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
