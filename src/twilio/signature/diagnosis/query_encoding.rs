//! Other ways to write the query of a URL, as things between Twilio and this service have been seen to do.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// The query's percent-encode set of an https URL.
///
/// Source: <https://url.spec.whatwg.org/#special-query-percent-encode-set>.
const SPECIAL_QUERY: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'\'');

/// One way to write the same query differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryEncoding {
    /// `%27` for `'`.
    ApostropheEscaped,
    /// `'` for `%27`.
    ApostrophePlain,
    /// `+` for `%20`.
    SpacePlus,
    /// `%20` for `+`.
    SpaceEscaped,
    /// `%2B` for `%2b`.
    EscapesUpper,
    /// `%2b` for `%2B`.
    EscapesLower,
    /// What is beyond ASCII, and `"`, `<`, `>` and `'`, escaped as browsers and Node do.
    Browser,
    /// What is beyond ASCII not escaped.
    UnicodePlain,
}

impl QueryEncoding {
    pub(super) const ALL: [Self; 8] = [
        Self::ApostropheEscaped,
        Self::ApostrophePlain,
        Self::SpacePlus,
        Self::SpaceEscaped,
        Self::EscapesUpper,
        Self::EscapesLower,
        Self::Browser,
        Self::UnicodePlain,
    ];

    pub(super) fn apply(self, query: &str) -> String {
        match self {
            Self::ApostropheEscaped => query.replace('\'', "%27"),
            Self::ApostrophePlain => query.replace("%27", "'"),
            Self::SpacePlus => query.replace("%20", "+"),
            Self::SpaceEscaped => query.replace('+', "%20"),
            Self::EscapesUpper => with_escapes(query, str::to_ascii_uppercase),
            Self::EscapesLower => with_escapes(query, str::to_ascii_lowercase),
            Self::Browser => utf8_percent_encode(query, SPECIAL_QUERY).to_string(),
            Self::UnicodePlain => unicode_plain(query),
        }
    }
}

impl fmt::Display for QueryEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ApostropheEscaped => "the query has %27 for '",
            Self::ApostrophePlain => "the query has ' for %27",
            Self::SpacePlus => "the query has + for %20",
            Self::SpaceEscaped => "the query has %20 for +",
            Self::EscapesUpper => "the query's escapes are in upper case",
            Self::EscapesLower => "the query's escapes are in lower case",
            Self::Browser => "the query is escaped as a browser does",
            Self::UnicodePlain => "the query's letters beyond ASCII are not escaped",
        })
    }
}

/// The text with `change` done to every `%` and its two hexadecimal digits.
fn with_escapes(text: &str, change: impl Fn(&str) -> String) -> String {
    let is_escape = |escape: &&str| escape[1..].bytes().all(|digit| digit.is_ascii_hexdigit());
    let mut changed = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (before, from_percent) = rest.split_at(at);
        changed.push_str(before);
        if let Some(escape) = from_percent.get(..3).filter(is_escape) {
            changed.push_str(&change(escape));
            rest = &from_percent[3..];
        } else {
            changed.push('%');
            rest = &from_percent[1..];
        }
    }
    changed.push_str(rest);
    changed
}

/// The text with escaped UTF-8 beyond ASCII written plainly; as it is when that is no UTF-8.
fn unicode_plain(text: &str) -> String {
    // An escape of ASCII stays one, since it may stand for an `&` or `=`.
    let guarded = with_escapes(text, |escape| {
        if escape.as_bytes()[1] < b'8' {
            escape.replace('%', "%25")
        } else {
            escape.to_owned()
        }
    });
    percent_decode_str(&guarded)
        .decode_utf8()
        .map_or_else(|_| text.to_owned(), Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_written_in_other_ways() {
        for (encoding, query, written) in [
            (QueryEncoding::ApostropheEscaped, "?a=It's", "?a=It%27s"),
            (QueryEncoding::ApostrophePlain, "?a=It%27s", "?a=It's"),
            (QueryEncoding::SpacePlus, "?a=b%20c", "?a=b+c"),
            (QueryEncoding::SpaceEscaped, "?a=b+c", "?a=b%20c"),
            (
                QueryEncoding::EscapesUpper,
                "?a=%2b%zz%é%c3%",
                "?a=%2B%zz%é%C3%",
            ),
            (QueryEncoding::EscapesLower, "?A=%2B%C", "?A=%2b%C"),
            (
                QueryEncoding::Browser,
                "?a='é'&b=%2b+\"",
                "?a=%27%C3%A9%27&b=%2b+%22",
            ),
            (
                QueryEncoding::UnicodePlain,
                "?a%C3%B1o=%26%2b%c3%a9%",
                "?año=%26%2bé%",
            ),
            (QueryEncoding::UnicodePlain, "?a=%7f%c4%80", "?a=%7f\u{100}"),
            (QueryEncoding::UnicodePlain, "?a=%ff", "?a=%ff"),
        ] {
            assert_eq!(encoding.apply(query), written);
        }
    }

    #[test]
    fn a_plain_query_has_one_writing() {
        for encoding in QueryEncoding::ALL {
            assert_eq!(encoding.apply("?a=1&b=c-d"), "?a=1&b=c-d");
        }
    }
}
