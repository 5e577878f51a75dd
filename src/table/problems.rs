//! The mistakes found while a table is read, and the small readers that report them.

use std::ops::Range;
use std::ptr;
use std::sync::Arc;

use hashbrown::HashMap;
use toml::Spanned;
use toml::de::{DeInteger, DeString, DeTable, DeValue};

use crate::table::diagnostic::{Check, Diagnostic, File, Fix, Severity};
use crate::table::remedy::{Remedy, did_you_mean};
use crate::table::visible::shown;

pub(crate) static UNKNOWN_KEY: Check = Check::new(
    "unknown-key",
    "A key that does not exist in this place. A misspelt key would have no effect, so it is an error. The help line names
the nearest key, or all of them.",
    r#"wehn = { Called = "+15005550006" }     # when"#,
);

pub(crate) static WRONG_TYPE: Check = Check::new(
    "wrong-type",
    "A value of the wrong type for its key: a number without quotes instead of a string, a string instead of an array.
Parameters are always strings, even if they look like numbers.",
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
    "A name with characters that are not allowed, or one that is reserved. Names of routes and steps have 1 to 64 of the
characters `A-Z a-z 0-9 . _ -`. The name of a directory has no dot, because its columns are written `NAME.column`.
`default` and `loop-guard` are reserved. Choose another name.",
    r#"name = "ride ended"     # name = "ride-ended""#,
);

pub(crate) static DUPLICATE_NAME: Check = Check::new(
    "duplicate-name",
    "Two routes, two tests or two columns of a file have the same name. Logs, metrics and templates could not distinguish
them. Rename one.",
    "number,name,name",
);

/// A value of the file with its place.
pub(crate) type Value<'i> = Spanned<DeValue<'i>>;

/// A key of the file with its place.
pub(crate) type Key<'i> = Spanned<DeString<'i>>;

/// Where a mistake is: in the table's own file, or in another one.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    file: Option<Arc<File>>,
    span: Range<usize>,
    /// Whether the span is larger than the mistake, so that a fix must not replace all of it.
    is_wide: bool,
}

impl From<Range<usize>> for Place {
    fn from(span: Range<usize>) -> Self {
        Self {
            file: None,
            span,
            is_wide: false,
        }
    }
}

impl From<&Range<usize>> for Place {
    fn from(span: &Range<usize>) -> Self {
        span.clone().into()
    }
}

impl From<(Arc<File>, Range<usize>)> for Place {
    fn from((file, span): (Arc<File>, Range<usize>)) -> Self {
        Self {
            file: Some(file),
            ..span.into()
        }
    }
}

impl From<(&Arc<File>, Range<usize>)> for Place {
    fn from((file, span): (&Arc<File>, Range<usize>)) -> Self {
        (Arc::clone(file), span).into()
    }
}

impl Place {
    /// A place that is larger than the mistake.
    pub(crate) fn wide(span: &Range<usize>) -> Self {
        Self {
            is_wide: true,
            ..span.into()
        }
    }

    /// Its first `length` bytes.
    pub(crate) fn first(mut self, length: usize) -> Self {
        if !self.is_wide {
            self.span.end = self.span.start + length;
        }
        self
    }

    /// Its last `length` bytes.
    pub(crate) fn last(mut self, length: usize) -> Self {
        if !self.is_wide {
            self.span.start = self.span.end - length;
        }
        self
    }
}

/// The most problems that one check reports one by one in a file: beyond that they are probably a single mistake.
const MOST_ALIKE: usize = 1_000;

/// All the problems found so far.
#[derive(Debug)]
pub(crate) struct Problems {
    /// The table's own file.
    file: Arc<File>,
    list: Vec<Diagnostic>,
    /// How many problems each check has found in each file with each severity, and the position in the list of the
    /// last.
    alike: HashMap<(usize, usize, Severity), (usize, usize)>,
    /// The places at which each check has reported in each file, and the position of that report in the list.
    reported: HashMap<(usize, usize, Range<usize>), usize>,
    /// How many bytes of memory the regular expressions of the table take so far.
    pub regex_bytes: usize,
}

/// Identifies a check or a file.
fn address<T>(of: &T) -> usize {
    ptr::from_ref(of).addr()
}

impl Problems {
    /// An empty list for a table's file.
    pub(crate) fn new(file: &Arc<File>) -> Self {
        Self {
            file: Arc::clone(file),
            list: Vec::new(),
            alike: HashMap::new(),
            reported: HashMap::new(),
            regex_bytes: 0,
        }
    }

    /// Adds an error.
    pub(crate) fn error(
        &mut self,
        check: &'static Check,
        place: impl Into<Place>,
        message: impl Into<String>,
        remedy: impl Into<Remedy>,
    ) -> &mut Diagnostic {
        self.add(Severity::Error, check, place, message, remedy)
    }

    /// Adds an error about a value, and returns `None` in its place.
    pub(crate) fn refuse<T>(
        &mut self,
        check: &'static Check,
        place: impl Into<Place>,
        message: impl Into<String>,
        remedy: impl Into<Remedy>,
    ) -> Option<T> {
        self.error(check, place, message, remedy);
        None
    }

    /// Adds an error that Twilio would have reported with this number.
    pub(crate) fn twilio_error(
        &mut self,
        number: impl Into<Option<u32>>,
        check: &'static Check,
        place: impl Into<Place>,
        message: impl Into<String>,
        remedy: impl Into<Remedy>,
    ) -> &mut Diagnostic {
        let diagnostic = self.error(check, place, message, remedy);
        diagnostic.error_number = number.into();
        diagnostic
    }

    /// Adds a warning.
    pub(crate) fn warn(
        &mut self,
        check: &'static Check,
        place: impl Into<Place>,
        message: impl Into<String>,
        remedy: impl Into<Remedy>,
    ) -> &mut Diagnostic {
        self.add(Severity::Warning, check, place, message, remedy)
    }

    /// Adds a diagnostic. The same message is not reported twice at one place, and beyond [`MOST_ALIKE`] diagnostics
    /// are only counted.
    pub(crate) fn add(
        &mut self,
        severity: Severity,
        check: &'static Check,
        place: impl Into<Place>,
        message: impl Into<String>,
        remedy: impl Into<Remedy>,
    ) -> &mut Diagnostic {
        let Place {
            file,
            span,
            is_wide,
        } = place.into();
        let file = file.unwrap_or_else(|| Arc::clone(&self.file));
        let message = shown(&message.into());
        let (of, within) = (address(check), address(&*file));
        let next = self.list.len();
        let place = (of, within, span.clone());
        if let Some(said) = self.reported.get(&place).copied()
            && self.list[said].message == message
        {
            return &mut self.list[said];
        }
        let (count, last) = self.alike.entry((of, within, severity)).or_default();
        *count += 1;
        if *count > MOST_ALIKE {
            let last = &mut self.list[*last];
            last.more += 1;
            return last;
        }
        *last = next;
        self.reported.insert(place, next);
        let Remedy { help, text } = remedy.into();
        let is_toml = Arc::ptr_eq(&file, &self.file);
        let fix = text.filter(|_| !is_wide).map(|text| Fix {
            span: span.clone(),
            text: text.in_place_of(file.text.get(span.clone()).unwrap_or_default(), is_toml),
        });
        self.list.push(Diagnostic {
            check,
            severity,
            file,
            span,
            message,
            help: shown(&help),
            error_number: None,
            fix,
            more: 0,
        });
        &mut self.list[next]
    }

    /// Whether any of them is an error.
    pub(crate) fn has_errors(&self) -> bool {
        self.errors_since(0) > 0
    }

    /// How many errors have been added since there were this many problems.
    pub(crate) fn errors_since(&self, count: usize) -> usize {
        self.list[count..]
            .iter()
            .filter(|diagnostic| diagnostic.severity == Severity::Error)
            .count()
    }

    /// Whether a check has already reported something at exactly this place.
    pub(crate) fn has_reported(
        &self,
        check: &Check,
        file: &Arc<File>,
        span: &Range<usize>,
    ) -> bool {
        let place = (address(check), address(&**file), span.clone());
        self.reported.contains_key(&place)
    }

    /// The table's own file.
    pub(crate) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// How many problems there are.
    pub(crate) fn count(&self) -> usize {
        self.list.len()
    }

    /// All of them, sorted by place.
    pub(crate) fn into_sorted(mut self) -> Vec<Diagnostic> {
        sort(&mut self.list, &self.file);
        self.list
    }

    /// The text of the table's own file at a place.
    pub(crate) fn source(&self, span: Range<usize>) -> &str {
        self.file.text.get(span).unwrap_or_default()
    }

    /// Where a word first occurs in a key or a string, preferably inside `{{ … }}`; the whole span when escapes hide
    /// the word.
    pub(crate) fn within(&self, span: &Range<usize>, word: &str) -> Place {
        let is_part = |character: char| character.is_alphanumeric() || "_-".contains(character);
        let source = self.source(span.clone());
        let found = source.match_indices(word).filter(|(at, word)| {
            let (before, after) = (&source[..*at], &source[at + word.len()..]);
            !before.ends_with(is_part) && !after.starts_with(is_part)
        });
        let is_in_braces = |(at, _): &(usize, &str)| {
            let before = &source[..*at];
            before.rfind("{{") > before.rfind("}}")
        };
        let place = found.clone().find(is_in_braces).or(found.clone().next());
        match place {
            Some((at, _)) => (span.start + at..span.start + at + word.len()).into(),
            None => Place::wide(span),
        }
    }

    /// The value as a string; reports what was expected when it is not a string.
    pub(crate) fn text<'v>(&mut self, value: &'v Value<'_>, expected: &str) -> Option<&'v str> {
        let text = value.get_ref().as_str();
        text.or_else(|| self.no_text(value, expected, "write a string in quotes"))
    }

    /// The value as the name of something. Does not suggest quotes around a number: names are not numbers.
    pub(crate) fn name<'v>(&mut self, value: &'v Value<'_>, expected: &str) -> Option<&'v str> {
        let text = value.get_ref().as_str();
        text.or_else(|| self.wrong_type(value, expected, "write a string in quotes"))
    }

    /// A moment as text; TOML can also write one without quotes.
    pub(crate) fn moment(
        &mut self,
        value: &Value<'_>,
        expected: &str,
        help: &str,
    ) -> Option<String> {
        match value.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Datetime(moment) => Some(moment.to_string()),
            _ => self.wrong_type(value, expected, help),
        }
    }

    /// Reports a value that should be a string: a number only needs quotes.
    pub(crate) fn no_text<T>(
        &mut self,
        value: &Value<'_>,
        expected: &str,
        otherwise: impl Into<Remedy>,
    ) -> Option<T> {
        let remedy = match self.digits(value) {
            Some(digits) => Remedy::source(
                format!("write it in quotes: \"{digits}\""),
                format!("\"{digits}\""),
            ),
            None => otherwise.into(),
        };
        self.wrong_type(value, expected, remedy)
    }

    /// A number as it is written in the file, without its `_`; `None` for any other value.
    pub(crate) fn digits(&self, value: &Value<'_>) -> Option<String> {
        let is_number = matches!(value.get_ref(), DeValue::Integer(_) | DeValue::Float(_));
        is_number.then(|| self.source(value.span()).replace('_', ""))
    }

    /// The value as a boolean.
    pub(crate) fn boolean(&mut self, value: &Value<'_>, expected: &str) -> Option<bool> {
        let text = value.get_ref().as_str().map(str::to_ascii_lowercase);
        let meant = match text.as_deref() {
            Some("true" | "yes" | "on") => Some("true"),
            Some("false" | "no" | "off") => Some("false"),
            _ => None,
        };
        let remedy = match meant {
            Some(meant) => Remedy::source(format!("write {meant}, without quotes"), meant),
            None => "write true or false, without quotes".into(),
        };
        let boolean = value.get_ref().as_bool();
        boolean.or_else(|| self.wrong_type(value, expected, remedy))
    }

    /// Whether a key of a section is true; a missing key is false.
    pub(crate) fn flag(&mut self, table: &DeTable<'_>, key: &str) -> bool {
        let value = table.get(key);
        let flag = value.and_then(|value| self.boolean(value, "true or false"));
        flag.unwrap_or(false)
    }

    /// The value as a table.
    pub(crate) fn table<'v, 'i>(
        &mut self,
        value: &'v Value<'i>,
        expected: &str,
    ) -> Option<&'v DeTable<'i>> {
        let table = value.get_ref().as_table();
        table.or_else(|| {
            let header = match value.get_ref().as_array().map(|array| &**array) {
                Some([only]) => self.source(only.span()).strip_prefix("[["),
                _ => None,
            };
            let remedy = match header.and_then(|header| header.strip_suffix("]]")) {
                Some(name) => Remedy::write("", format!("[{name}]")),
                None => "write a table: { … }, or a [section]".into(),
            };
            self.wrong_type(value, expected, remedy)
        })
    }

    /// The value as an array. A value that `fits` as an item only needs brackets.
    pub(crate) fn array<'v, 'i>(
        &mut self,
        value: &'v Value<'i>,
        expected: &str,
        help: &str,
        fits: fn(&DeValue<'i>) -> bool,
    ) -> Option<&'v [Value<'i>]> {
        let array = value.get_ref().as_array().map(|array| &**array);
        array.or_else(|| {
            let item = self.source(value.span());
            let remedy = if !fits(value.get_ref()) {
                help.into()
            } else if item.starts_with('[') {
                Remedy::write("", format!("[{item}]"))
            } else if item.starts_with(['{', '"', '\'']) || !value.get_ref().is_table() {
                Remedy::source(help, format!("[ {item} ]"))
            } else {
                help.into()
            };
            self.wrong_type(value, expected, remedy)
        })
    }

    /// The tables of a section such as `[[route]]`, each with its complete value.
    pub(crate) fn tables<'v, 'i>(
        &mut self,
        section: Option<&'v Value<'i>>,
        (all, help): (&str, &str),
        one: &str,
    ) -> Vec<(&'v DeTable<'i>, &'v Value<'i>)> {
        let is_table = DeValue::is_table;
        let array = section.and_then(|section| self.array(section, all, help, is_table));
        let items = array.unwrap_or_default().iter();
        let tables = items.filter_map(|item| Some((self.table(item, one)?, item)));
        tables.collect()
    }

    /// The entries of a section such as `[schedule]`, in file order.
    pub(crate) fn entries<'v, 'i>(
        &mut self,
        section: Option<&'v Value<'i>>,
        expected: &str,
    ) -> Vec<(&'v Key<'i>, &'v Value<'i>)> {
        let table = section.and_then(|section| self.table(section, expected));
        table.map(entries).unwrap_or_default()
    }

    /// The value of a key; reports an error at a place when the section does not have it.
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

    /// Reports a value of another type than `expected`.
    pub(crate) fn wrong_type<T>(
        &mut self,
        value: &Value<'_>,
        expected: &str,
        remedy: impl Into<Remedy>,
    ) -> Option<T> {
        let found = described(value.get_ref());
        let message = format!("expected {expected}, found {found}");
        self.refuse(&WRONG_TYPE, value.span(), message, remedy)
    }

    /// Reports the name of a section such as `[reply.NAME]` that the table does not have.
    pub(crate) fn unknown_section<'k>(
        &mut self,
        check: &'static Check,
        kind: &str,
        name: &str,
        known: impl IntoIterator<Item = &'k String>,
        place: impl Into<Place>,
    ) {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let is_bare = !name.is_empty() && name.bytes().all(is_word);
        let otherwise = if is_bare {
            format!("add a section [{kind}.{name}]")
        } else {
            format!("add a section [{kind}.{name:?}]")
        };
        let known = known.into_iter().map(String::as_str);
        let remedy = did_you_mean('"', name, known, otherwise);
        let message = format!("there is no {kind} \"{name}\"");
        self.error(check, place, message, remedy);
    }
}

/// Sorts diagnostics by place, with those of the table's own file first.
pub(crate) fn sort(list: &mut [Diagnostic], first: &Arc<File>) {
    list.sort_by_cached_key(|diagnostic| {
        let is_other = !Arc::ptr_eq(&diagnostic.file, first);
        let file = is_other.then(|| diagnostic.file.name.clone());
        (file, diagnostic.span.start, diagnostic.span.end)
    });
}

/// A non-negative whole number, in any base; `None` when it does not fit.
pub(crate) fn integer(number: &DeInteger<'_>) -> Option<u32> {
    u32::from_str_radix(number.as_str(), number.radix()).ok()
}

/// The entries of a table in file order.
pub(crate) fn entries<'t, 'i>(table: &'t DeTable<'i>) -> Vec<(&'t Key<'i>, &'t Value<'i>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

/// The type of a value, for a sentence.
fn described(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
