//! `{{ Name | filter }}`: texts with places for a request to fill in. Parsed once, when the table is compiled.
//!
//! A template names a parameter and filters it; there are no loops, no conditions and no scripts.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::table::directory::{BoundRow, Directory};
use crate::twilio::number::E164;
use crate::twilio::request::Request;
use crate::twilio::twiml_value::is_at_twilio;

/// What a URL may contain as it is; everything else from a request is percent-encoded.
///
/// Source: RFC 3986, section 2.3, unreserved characters, <https://www.rfc-editor.org/rfc/rfc3986#section-2.3>.
const NOT_UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A text of the table: literal pieces and places to fill in.
#[derive(Debug, Clone, Default)]
pub struct Text {
    pieces: Vec<Piece>,
}

/// One piece of a [`Text`].
#[derive(Debug, Clone)]
pub enum Piece {
    /// Literal text.
    Literal(String),
    /// `{{ … }}`
    Field(Field),
    /// The URL of the recording or picture in the parameter of this name; empty unless it is hosted by Twilio.
    Relayed(String),
    /// Our own number if it is a phone number, else empty.
    OwnNumber,
    /// The requested URL without its query, which completes a relative URL `?step=…`.
    PageUrl,
    /// The requested scheme, host and port, which complete a relative URL `/…`.
    Origin,
}

/// One `{{ … }}`: a value and its filters.
#[derive(Debug, Clone)]
pub struct Field {
    /// Where the value comes from.
    pub source: FieldValue,
    /// The filters, in the order they are applied.
    pub filters: Vec<Filter>,
}

/// Where a value comes from.
#[derive(Debug, Clone)]
pub enum FieldValue {
    /// `"…"`: a literal string.
    Literal(String),
    /// The parameter of this name. Parsing yields only these; `language` replaces some of them with columns.
    Parameter(String),
    /// A cell of the row that the request has chosen.
    Column {
        /// The directory.
        directory: Arc<Directory>,
        /// The position of the column.
        column: usize,
    },
}

/// A change to a value.
#[derive(Debug, Clone)]
pub enum Filter {
    /// `default("…")` or `default(Name)`: replaces an empty value with this one.
    Default(FieldValue),
    /// `spell`: puts blanks between the characters, so that a voice reads them one by one.
    Spell,
    /// `upper`: in upper case.
    Upper,
    /// `lower`: in lower case.
    Lower,
}

/// The names of all filters, sorted.
pub const FILTERS: [&str; 4] = ["default", "lower", "spell", "upper"];

/// What fills in a text.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The request to be answered.
    pub request: &'a Request<'a>,
    /// The requested URL as the outside world sees it, without its query.
    pub url: &'a str,
    /// The rows that the request has chosen.
    pub rows: &'a [BoundRow<'a>],
}

/// How values are put into a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As they are.
    Plain,
    /// Percent-encoded, for a URL.
    Percent,
    /// Percent-encoded after a `?`, for an address that can have parameters.
    PercentInQuery,
}

impl Text {
    /// A text of these pieces.
    pub(crate) fn new(pieces: Vec<Piece>) -> Self {
        Self { pieces }
    }

    /// Reads a text of the table.
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        for (place, field) in parts(text)? {
            match field {
                None => literal.push_str(&text[place]),
                Some(Field {
                    source: FieldValue::Literal(text),
                    ..
                }) => literal.push_str(&text),
                Some(field) => {
                    if !literal.is_empty() {
                        pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                    }
                    pieces.push(Piece::Field(field));
                }
            }
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Self { pieces })
    }

    /// The parts of a text of the table outside every `{{ … }}`.
    pub(crate) fn outside_of_fields(text: &str) -> Result<Vec<Range<usize>>, TemplateError> {
        let parts = parts(text)?.into_iter();
        let outside = parts.filter_map(|(place, field)| field.is_none().then_some(place));
        Ok(outside.collect())
    }

    /// Its pieces, in order; none for an empty text.
    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Puts a piece in front.
    pub(crate) fn prepend(&mut self, piece: Piece) {
        self.pieces.insert(0, piece);
    }

    /// The whole text, when it has no places to fill in.
    pub(crate) fn literal(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Its values, for changing them.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut FieldValue> {
        self.pieces.iter_mut().flat_map(|piece| {
            let (source, filters) = match piece {
                Piece::Field(field) => (Some(&mut field.source), &mut field.filters[..]),
                _ => (None, &mut [][..]),
            };
            let fallbacks = filters.iter_mut().filter_map(|filter| match filter {
                Filter::Default(value) => Some(value),
                _ => None,
            });
            source.into_iter().chain(fallbacks)
        })
    }

    /// Its `{{ … }}`, in order.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &Field> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Field(field) => Some(field),
            _ => None,
        })
    }

    /// Its column, when it consists of one column and nothing else.
    pub(crate) fn plain_column(&self) -> Option<(&Arc<Directory>, usize)> {
        match self.pieces.as_slice() {
            [Piece::Field(field)] => field.plain_column(),
            _ => None,
        }
    }

    /// The name of its parameter, when it consists of one parameter and nothing else.
    pub(crate) fn plain_parameter(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [
                Piece::Field(Field {
                    source: FieldValue::Parameter(name),
                    filters,
                }),
            ] if filters.is_empty() => Some(name),
            _ => None,
        }
    }

    /// Whether it contains a parameter of the request.
    pub(crate) fn has_parameter(&self) -> bool {
        self.fields().flat_map(Field::parameters).next().is_some()
    }

    /// The text with its places filled in.
    pub(crate) fn fill<'t>(&'t self, scope: &Scope<'_>, encoding: Encoding) -> Cow<'t, str> {
        if let Some(literal) = self.literal() {
            return Cow::Borrowed(literal);
        }
        // A cell that makes up the whole URL is the operator's own URL, not a value inside one.
        let encoding = if self.plain_column().is_some() {
            Encoding::Plain
        } else {
            encoding
        };
        let mut filled = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => filled.push_str(text),
                Piece::Field(field) => {
                    let value = field.filled(scope);
                    let is_plain = match encoding {
                        Encoding::Plain => true,
                        Encoding::Percent => false,
                        Encoding::PercentInQuery => !filled.contains('?'),
                    };
                    if is_plain {
                        filled.push_str(&value);
                    } else {
                        filled.extend(utf8_percent_encode(&value, NOT_UNRESERVED));
                    }
                }
                Piece::Relayed(name) => {
                    let url = scope.request.value(name);
                    filled.push_str(if is_at_twilio(&url) { &url } else { "" });
                }
                Piece::OwnNumber => {
                    if let Ok(number) = scope.request.own_number().parse::<E164>() {
                        filled.push_str(number.as_str());
                    }
                }
                Piece::PageUrl => filled.push_str(scope.url),
                Piece::Origin => filled.push_str(origin(scope.url)),
            }
        }
        Cow::Owned(filled)
    }
}

/// A part of a text: its place, and its content when it is `{{ … }}`.
type Part = (Range<usize>, Option<Field>);

/// The parts of a text in order: each `{{ … }}` with its content, and the text in between.
fn parts(text: &str) -> Result<Vec<Part>, TemplateError> {
    let mut parts = Vec::new();
    let mut at = 0;
    while let Some(found) = text[at..].find("{{") {
        let start = at + found;
        parts.push((at..start, None));
        let mut parser = FieldParser {
            text,
            at: start + "{{".len(),
            start,
        };
        let field = parser.parse()?;
        at = parser.at;
        parts.push((start..at, Some(field)));
    }
    parts.push((at..text.len(), None));
    Ok(parts)
}

/// The scheme, host and port of a URL.
fn origin(url: &str) -> &str {
    let authority = url.find("://").map_or(0, |at| at + 3);
    url[authority..]
        .find('/')
        .map_or(url, |at| &url[..authority + at])
}

impl Field {
    /// All of its values, including the fallbacks of `default`.
    pub(crate) fn values(&self) -> impl Iterator<Item = &FieldValue> {
        let fallbacks = self.filters.iter().filter_map(|filter| match filter {
            Filter::Default(value) => Some(value),
            _ => None,
        });
        std::iter::once(&self.source).chain(fallbacks)
    }

    /// The names of all parameters that it reads.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &str> {
        self.values().filter_map(|value| match value {
            FieldValue::Parameter(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// Its cell, when it is one column without filters.
    pub(crate) fn plain_column(&self) -> Option<(&Arc<Directory>, usize)> {
        match &self.source {
            FieldValue::Column { directory, column } if self.filters.is_empty() => {
                Some((directory, *column))
            }
            _ => None,
        }
    }

    fn filled<'a>(&'a self, scope: &Scope<'a>) -> Cow<'a, str> {
        let mut value = self.source.of(scope);
        for filter in &self.filters {
            value = match filter {
                Filter::Default(fallback) if value.is_empty() => fallback.of(scope),
                Filter::Default(_) => value,
                Filter::Spell => Cow::Owned(spell(&value)),
                Filter::Upper => Cow::Owned(value.to_uppercase()),
                Filter::Lower => Cow::Owned(value.to_lowercase()),
            };
        }
        value
    }
}

impl FieldValue {
    /// The value for a request; empty when absent.
    fn of<'a>(&'a self, scope: &Scope<'a>) -> Cow<'a, str> {
        match self {
            Self::Literal(text) => Cow::Borrowed(text),
            Self::Parameter(name) => scope.request.value(name),
            Self::Column { directory, column } => {
                let row = scope
                    .rows
                    .iter()
                    .find(|(bound, _)| bound.name() == directory.name());
                Cow::Borrowed(row.map_or("", |(_, row)| directory.cell(*row, *column)))
            }
        }
    }
}

fn spell(value: &str) -> String {
    let characters = value.chars().filter(|character| !character.is_whitespace());
    let spelt: String = characters.flat_map(|character| [' ', character]).collect();
    spelt.trim_start().to_owned()
}

/// Why a text is not a valid template, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// The bytes of the text that are wrong.
    pub span: Range<usize>,
    /// What is wrong with them.
    pub kind: TemplateErrorKind,
}

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateErrorKind {
    /// `{{` without its `}}`.
    Unclosed,
    /// Nothing between `{{` and `}}`.
    NoName,
    /// No filter has this name.
    UnknownFilter(String),
    /// `default` without a string or name in brackets.
    DefaultWithout,
    /// A string without its closing quote.
    UnclosedQuote,
    /// A character that belongs neither to a name nor to a filter.
    Unexpected(char),
}

impl fmt::Display for TemplateErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unclosed => f.write_str("`{{` without `}}`"),
            Self::NoName => f.write_str("no parameter between `{{` and `}}`"),
            Self::UnknownFilter(name) => write!(f, "there is no filter `{name}`"),
            Self::DefaultWithout => {
                f.write_str("`default` needs a text or a parameter in parentheses")
            }
            Self::UnclosedQuote => f.write_str("a quoted text without a closing quote"),
            Self::Unexpected(found) => write!(f, "{found:?} is not allowed here"),
        }
    }
}

/// Reads a `{{ … }}` from after its `{{`, which is at `start`, to after its `}}`.
struct FieldParser<'t> {
    text: &'t str,
    at: usize,
    start: usize,
}

impl FieldParser<'_> {
    fn parse(&mut self) -> Result<Field, TemplateError> {
        let mut filters = Vec::new();
        let source = match self.value()? {
            Some(value) => value,
            None if self.next_is("}") || self.next_is("|") => {
                return Err(self.error(self.start, TemplateErrorKind::NoName));
            }
            None => return Err(self.unexpected()),
        };
        while !matches!(source, FieldValue::Literal(_)) && self.take("|") {
            filters.push(self.filter()?);
        }
        self.expect("}}")?;
        Ok(Field { source, filters })
    }

    fn filter(&mut self) -> Result<Filter, TemplateError> {
        self.skip_blanks();
        let start = self.at;
        match self.name() {
            "spell" => Ok(Filter::Spell),
            "upper" => Ok(Filter::Upper),
            "lower" => Ok(Filter::Lower),
            "default" => {
                let value = if self.take("(") { self.value()? } else { None };
                let Some(value) = value else {
                    return Err(self.error(start, TemplateErrorKind::DefaultWithout));
                };
                self.expect(")")?;
                Ok(Filter::Default(value))
            }
            "" => Err(self.unexpected()),
            other => {
                let kind = TemplateErrorKind::UnknownFilter(other.to_owned());
                Err(self.error(start, kind))
            }
        }
    }

    /// A quoted string or a name; `None` when neither comes next.
    fn value(&mut self) -> Result<Option<FieldValue>, TemplateError> {
        self.skip_blanks();
        let start = self.at;
        if !self.take("\"") {
            let name = self.name();
            return Ok((!name.is_empty()).then(|| FieldValue::Parameter(name.to_owned())));
        }
        // `\"` and `\\` mean a quote and a backslash.
        let mut text = String::new();
        let mut characters = self.text[self.at..].char_indices();
        while let Some((offset, character)) = characters.next() {
            match character {
                '"' => {
                    self.at += offset + 1;
                    return Ok(Some(FieldValue::Literal(text)));
                }
                '\\' => text.extend(characters.next().map(|(_, escaped)| escaped)),
                _ => text.push(character),
            }
        }
        self.at = self.text.len();
        Err(self.error(start, TemplateErrorKind::UnclosedQuote))
    }

    fn name(&mut self) -> &str {
        self.skip_blanks();
        let rest = &self.text[self.at..];
        let length = rest
            .find(|character: char| character.is_whitespace() || "{}|()\"".contains(character))
            .unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// Whether this comes next, possibly after blanks.
    fn next_is(&mut self, mark: &str) -> bool {
        self.skip_blanks();
        self.text[self.at..].starts_with(mark)
    }

    fn take(&mut self, mark: &str) -> bool {
        let is_next = self.next_is(mark);
        self.at += if is_next { mark.len() } else { 0 };
        is_next
    }

    fn expect(&mut self, mark: &str) -> Result<(), TemplateError> {
        if self.take(mark) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn skip_blanks(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    /// The error for what is here; at the end of the text that is the missing `}}`.
    fn unexpected(&mut self) -> TemplateError {
        let rest = &self.text[self.at..];
        match rest.chars().next() {
            Some(found) if rest.contains("}}") => {
                let start = self.at;
                self.at += found.len_utf8();
                self.error(start, TemplateErrorKind::Unexpected(found))
            }
            _ => {
                self.at = self.text.len();
                self.error(self.start, TemplateErrorKind::Unclosed)
            }
        }
    }

    /// The error for everything from `start` up to here.
    fn error(&self, start: usize, kind: TemplateErrorKind) -> TemplateError {
        let span = start..self.at;
        TemplateError { span, kind }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twilio::request::{Form, Webhook};

    fn fill(text: &str, encoding: Encoding) -> String {
        let body = Form::parse(
            b"CallSid=CA1&Called=%2B15005550006&Caller=%2B14155550100&CallerCity=&Body=a+b%26c",
        );
        let query = Form::default();
        let request = Request::new(Webhook::OutOfSession, &body, &query);
        let scope = Scope {
            request: &request,
            url: "https://example.com/out-of-session",
            rows: &[],
        };
        Text::parse(text)
            .expect("a template")
            .fill(&scope, encoding)
            .into_owned()
    }

    #[test]
    fn fields_are_filled_in_and_filtered() {
        for (text, filled) in [
            ("", ""),
            ("no template } }}", "no template } }}"),
            ("To {{ Called }}.", "To +15005550006."),
            ("{{Called}}{{ Caller }}", "+15005550006+14155550100"),
            ("{{ Nothing }}", ""),
            ("{{ CallerCity | default(\"your area\") }}", "your area"),
            (
                "{{ CallerCity|default( Called )|spell }}",
                "+ 1 5 0 0 5 5 5 0 0 0 6",
            ),
            ("{{ Caller | default(\"x\") }}", "+14155550100"),
            ("{{ Body | upper }}{{ Body | lower }}", "A B&Ca b&c"),
            (
                "{{ Nothing | default(\"a \\\"b\\\" \\\\\") }}",
                "a \"b\" \\",
            ),
            ("{{ \"{{\" }} literal {{\"}}\"}}", "{{ literal }}"),
        ] {
            assert_eq!(fill(text, Encoding::Plain), filled, "{text}");
        }
        assert_eq!(
            fill("?q={{ Body }}&r=1", Encoding::Percent),
            "?q=a%20b%26c&r=1"
        );
    }

    #[test]
    fn own_number_and_urls_are_of_the_request() {
        let body = Form::parse(b"Called=%2B15005550006");
        let query = Form::default();
        let request = Request::new(Webhook::OutOfSession, &body, &query);
        let scope = Scope {
            request: &request,
            url: "https://example.com:8443/prefix/out-of-session",
            rows: &[],
        };
        let fill = |piece| {
            Text::new(vec![piece])
                .fill(&scope, Encoding::Plain)
                .into_owned()
        };
        assert_eq!(fill(Piece::OwnNumber), "+15005550006");
        assert_eq!(
            fill(Piece::PageUrl),
            "https://example.com:8443/prefix/out-of-session"
        );
        assert_eq!(fill(Piece::Origin), "https://example.com:8443");
        assert_eq!(origin("https://example.com"), "https://example.com");
    }

    #[test]
    fn mistakes_have_a_place() {
        for (text, span, message) in [
            ("a {{ Called", 2..11, "`{{` without `}}`"),
            ("a {{ Called }", 2..13, "`{{` without `}}`"),
            ("{{ }}", 0..3, "no parameter between `{{` and `}}`"),
            ("{{ | upper }}", 0..3, "no parameter between `{{` and `}}`"),
            ("{{ Called | shout }}", 12..17, "there is no filter `shout`"),
            (
                "{{ Called | default }}",
                12..20,
                "`default` needs a text or a parameter in parentheses",
            ),
            (
                "{{ Called | default() }}",
                12..20,
                "`default` needs a text or a parameter in parentheses",
            ),
            (
                "{{ Called | default(\"x }}",
                20..25,
                "a quoted text without a closing quote",
            ),
            ("{{ Called To }}", 10..12, "'T' is not allowed here"),
            ("{{ Called | }}", 12..13, "'}' is not allowed here"),
            (
                "{{ a | default(\"x\" y) }}",
                19..20,
                "'y' is not allowed here",
            ),
            ("{{ (x) }}", 3..4, "'(' is not allowed here"),
        ] {
            let error = Text::parse(text).expect_err(text);
            assert_eq!(error.kind.to_string(), message, "{text}");
            let wanted = if message.ends_with("allowed here") {
                span.start..span.start + 1
            } else {
                span
            };
            assert_eq!(error.span, wanted, "{text}");
        }
    }

    #[test]
    fn the_origin_of_a_url_ends_where_its_path_begins() {
        for (url, cut) in [
            ("https://h/a/b", "https://h"),
            ("http://[::1]:80/", "http://[::1]:80"),
            ("https://h", "https://h"),
            ("h/a", "h"),
        ] {
            assert_eq!(origin(url), cut);
        }
    }
}
