//! Repairs for invalid TOML whose meaning is clear, and messages for the rest.

use std::ops::Range;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::may_repeat;
use crate::twilio::channel::Channel;
use crate::twilio::vocabulary;

/// A change that may correct a mistake.
#[derive(Debug, Clone)]
pub(super) struct Repair {
    /// The bytes that it replaces.
    pub old: Range<usize>,
    /// What is there afterwards.
    pub new: String,
    /// The bytes that the mistake is about.
    pub place: Range<usize>,
    pub message: String,
    pub help: String,
    /// Whether it closes a quote at the end of its line.
    pub closes_line: bool,
}

/// A repair within a line: `new` replaces what the pattern captures as `bad`. In `message` and `help`, `$bad` is the
/// captured text.
struct Rule {
    pattern: &'static str,
    new: &'static str,
    message: &'static str,
    help: &'static str,
}

const fn rule(
    pattern: &'static str,
    new: &'static str,
    message: &'static str,
    help: &'static str,
) -> Rule {
    Rule {
        pattern,
        new,
        message,
        help,
    }
}

const QUOTES: &str = "a curly quote does not begin or end a string";
const STRAIGHT: &str = r#"write straight quotes: "…""#;
const UNCLOSED: &str = "the quote of this string is not closed";
const CLOSE: &str = "add the closing quote";
const EQUALS: &str = "expected `=` between a key and its value";
const HEADER: &str = "the brackets of this header are not closed";

/// If several rules let the parser read equally far, the first is used.
#[rustfmt::skip]
const RULES: &[Rule] = &[
    // Characters that word processors, web pages and chats substitute for plain ones.
    rule(r"(?<bad>[\u{a0}\u{1680}\u{2000}-\u{200a}\u{202f}\u{205f}\u{3000}]+)", " ",
        "TOML does not accept a no-break space or another special space", "write a plain space"),
    rule(r"(?<bad>[\u{200b}-\u{200f}\u{202a}-\u{202e}\u{2060}\u{2066}-\u{2069}\u{feff}]+)", "",
        "there is an invisible character here", "remove it"),
    rule(r"(?<bad>[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+)", "", "there is a control character here", "remove it"),
    rule(r#"(?<bad>[“”„‟″«»](?<inner>[^“”„‟″«»"\\]*)[“”„‟″«»"])"#, r#""$inner""#, QUOTES, STRAIGHT),
    rule(r#"(?<bad>"(?<inner>[^“”„‟″«»"\\]*)[“”„‟″«»])"#, r#""$inner""#, QUOTES, STRAIGHT),
    rule(r#"(?<bad>[‘’‚‛′](?<inner>[^‘’‚‛′'"\\]*)[‘’‚‛′'])"#, r#""$inner""#, QUOTES, STRAIGHT),
    rule(r#"(?<bad>'(?<inner>[^‘’‚‛′'"\\]*)[‘’‚‛′])"#, r#""$inner""#, QUOTES, STRAIGHT),
    rule(r"(?<bad>[‐‑‒–—―−－])", "-", "this dash is not a hyphen", "write `-`"),
    rule(r"(?<bad>＝)", "=", "this is not a plain `=`", "write `=`"),
    rule(r"(?<bad>，)", ",", "this is not a plain comma", "write `,`"),
    // Keys and values.
    rule(r#"(?:^|[{,])\s*(?:[\w-]+|"[^"]*")(?<bad>\s*(?::=|=>|==|:)\s*)"#, " = ", EQUALS, "write `=`"),
    rule(r#"(?:^|[{,])\s*[\w-]+(?<bad>\s+)["'\[{0-9+]"#, " = ", EQUALS, "write `=`"),
    rule(r"\b(?<bad>T(?:rue|RUE))\b", "true", "TOML writes `$bad` in lower case", "write true"),
    rule(r"\b(?<bad>F(?:alse|ALSE))\b", "false", "TOML writes `$bad` in lower case", "write false"),
    rule(r"=\s*\[\s*(?<bad>[A-Za-z][\w-]*\s*=\s*[^\[\]{}]*?)\s*\]", "{ $bad }",
        "an element in an array needs braces around it", "write { $bad }"),
    rule(r#"=\s*(?<bad>(?:"[^"]*"|\{[^{}]*\})(?:\s*,\s*(?:"[^"]*"|\{[^{}]*\}))+)\s*(?:#.*)?$"#, "[ $bad ]",
        "several values need brackets around them", "write [ $bad ]"),
    rule(r"=\s*(?<bad>\{[^\[\]]*\})\s*\]", "[ $bad", "this array has no opening bracket", "write `[` before it"),
    rule(r"(?<bad>\s*[,;])\s*(?:#.*)?$", "", "expected the end of the line after this value", "remove it"),
    rule(r#"[=\[,]\s*(?<bad>[^\s"'\[\]{}=#,][^"'\[\]{}=#,]*?)\s*(?:$|[#,\]}])"#, r#""$bad""#,
        "this string has no quotes", r#"write "$bad""#),
    rule(r#"[=\[,]\s*(?<bad>[^\s"'\[\]{}=#,][^"'\[\]{}=#,]*")"#, r#""$bad"#, "this string has no opening quote", r#"write "$bad"#),
    rule(r#"(?<bad>"(?<inner>[^"'\\]*(?:\\.[^"'\\]*)+)")"#, "'$inner'",
        "TOML does not know this escape", "write the string in single quotes: '$inner'"),
    rule(r#"(?<bad>'(?<inner>[^"\\']*'[^"\\]*?)')\s*(?:$|[#,\]}])"#, r#""$inner""#,
        "an apostrophe ends a string in single quotes", r#"write it in double quotes: "$inner""#),
    rule(r#"(?<bad>'(?<inner>[^"\\']*'[^"\\']*))$"#, r#""$inner""#,
        "an apostrophe ends a string in single quotes", r#"write it in double quotes: "$inner""#),
    rule(r#"(?<bad>"[^"\]}]*?)\s*[\]}]"#, r#"$bad""#, UNCLOSED, CLOSE),
    rule(r"(?<bad>'[^'\]}]*?)\s*[\]}]", "$bad'", UNCLOSED, CLOSE),
    rule(r##"(?<bad>"[^"#]*?)\s*$"##, r#"$bad""#, UNCLOSED, CLOSE),
    rule(r"(?<bad>'[^'#]*?)\s*$", "$bad'", UNCLOSED, CLOSE),
    // Punctuation.
    rule(r"(?<bad>,\s*),", "", "there is an extra comma here", "remove it"),
    rule(r"[\[{]\s*(?<bad>,\s*)", "", "there is an extra comma here", "remove it"),
    rule(r"(?<bad>\s*[\]}])\s*(?:#.*)?$", "", "this bracket closes nothing", "remove it"),
    rule(r"^\s*(?<bad>//+|--+|;+|/\*)", "#", "a comment begins with `#`", "write `#`"),
    rule(r#"^\s*(?<bad>\[\[\s*(?<inner>[\w."-]+)\s*\]?)\s*(?:#.*)?$"#, "[[$inner]]", HEADER, "write [[$inner]]"),
    rule(r#"^\s*(?<bad>\[\s*(?<inner>[\w."-]+)\s*\]\])\s*(?:#.*)?$"#, "[[$inner]]", HEADER, "write [[$inner]]"),
    rule(r#"^\s*(?<bad>\[\s*(?<inner>[\w."-]+))\s*(?:#.*)?$"#, SINGLE, HEADER, "write [$inner]"),
];

/// The replacement for a header without its closing bracket.
const SINGLE: &str = "[$inner]";

/// The same for a section that may be repeated.
static DOUBLE: Rule = rule("", "[[$inner]]", HEADER, "write [[$inner]]");

/// An element's name without a value, in a table or in an array.
const ELEMENT: &str = r"(?<open>[\[{,])\s*(?<bad>[A-Z][A-Za-z]*)\s*[,\]}]";

/// Messages for mistakes that cannot be mended, by the TOML parser's message.
const WORDS: &[(&str, &str, &str)] = &[
    (
        "unexpected key or value",
        "expected the end of the line",
        "write each key on its own line, and several values in brackets: [ … ]",
    ),
    (
        "basic string",
        "a string that begins with `\"` is not closed",
        "close it on the same line; put a text of several lines in \"\"\"…\"\"\"",
    ),
    (
        "literal string, expected `'`",
        "a string or a value is missing, or a string that begins with `'` is not closed",
        "write NAME = \"…\"",
    ),
    (
        "escape",
        "this backslash does not begin an escape that TOML knows",
        "write the string in single quotes, where a backslash has no special meaning: '\\d'",
    ),
    (
        "unicode",
        "this backslash does not begin an escape that TOML knows",
        "write the string in single quotes, where a backslash has no special meaning: '\\d'",
    ),
    (
        "string values must be quoted",
        "a value is missing, or it has no quotes",
        "write NAME = \"…\"",
    ),
    (
        "key with no value",
        "a key has no value",
        "write NAME = \"…\"",
    ),
    ("missing value", "a key has no value", "write NAME = \"…\""),
    (
        "assignment",
        "a key in this table has no value",
        "write NAME = \"…\"",
    ),
    (
        "key",
        "expected a key, `=` and a value",
        "write NAME = \"…\"; put a name in quotes if it has characters other than letters, digits, - and _",
    ),
    (
        "missing comma",
        "expected a comma",
        "look for a missing comma, bracket, brace or quote before this place",
    ),
    (
        "unclosed",
        "a bracket or a brace is not closed",
        "look for an unclosed `[` or `{` before this place",
    ),
    (
        "array",
        "this does not belong in an array",
        "separate the items with commas, and close the array with `]`",
    ),
    (
        "inline table",
        "this does not belong in a table",
        "write { NAME = \"…\", OTHER = \"…\" }",
    ),
    (
        "carriage return",
        "a line ends in a lone carriage return",
        "save the file with Unix or Windows line endings",
    ),
    (
        "duplicate",
        "this is already defined",
        "write each key once",
    ),
    (
        "extend",
        "this already has a value",
        "write everything in one place",
    ),
    (
        "datetime",
        "this is neither a number nor a date",
        "write it in quotes",
    ),
    ("float", "this is not a number", "write it in quotes"),
    ("integer", "this is not a number", "write it in quotes"),
    (
        "leading zero",
        "a number cannot have a leading zero",
        "write it in quotes",
    ),
];

/// The message and the help for a mistake, by the TOML parser's message.
pub(super) fn words(said: &str) -> (String, String) {
    let known = WORDS.iter().find(|(words, ..)| said.contains(words));
    match known {
        Some((_, message, help)) => ((*message).to_owned(), (*help).to_owned()),
        None => (said.to_owned(), "see https://toml.io/en/v1.0.0".to_owned()),
    }
}

/// The rules with their compiled patterns.
static PATTERNS: LazyLock<Vec<(Regex, &Rule)>> = LazyLock::new(|| {
    let compiled = |rule: &'static Rule| (pattern(rule.pattern), rule);
    RULES.iter().map(compiled).collect()
});

/// The possible corrections of the mistake at a byte of a text, most likely first.
pub(super) fn repairs(text: &str, at: usize) -> Vec<Repair> {
    let (open, end) = scanned(&text[..at]);
    let mut found = Vec::from_iter(comma(text, end));
    let line_start = text[..at].rfind('\n').map_or(0, |line_feed| line_feed + 1);
    let line_end = text[at..]
        .find('\n')
        .map_or(text.len(), |length| at + length);
    let line = text[line_start..line_end].trim_end_matches('\r');
    found.extend(elements(line, line_start));
    for (pattern, rule) in PATTERNS.iter() {
        let repairs = pattern.captures_iter(line).filter_map(|captures| {
            let before = &line[..bad(&captures, 0).start];
            if captures["bad"].starts_with(['"', '\'']) && before.matches('"').count() % 2 == 1 {
                // The quote ends a string.
                return None;
            }
            let expanded = |template: &str| {
                let mut text = String::new();
                captures.expand(template, &mut text);
                text
            };
            let bad = bad(&captures, line_start);
            let mut rule = *rule;
            if rule.new == SINGLE && may_repeat(&captures["inner"]) {
                rule = &DOUBLE;
            }
            Some(Repair {
                old: bad.clone(),
                new: expanded(rule.new),
                place: bad,
                message: expanded(rule.message),
                help: expanded(rule.help),
                closes_line: rule.message == UNCLOSED && rule.pattern.ends_with('$'),
            })
        });
        found.extend(repairs);
    }
    found.extend(brackets(&open, end));
    found
}

fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a test reads every pattern")
}

/// The place of a mistake that a pattern found in the line that begins at `start`.
fn bad(captures: &Captures<'_>, start: usize) -> Range<usize> {
    let bad = captures.name("bad").expect("every pattern has it");
    start + bad.start()..start + bad.end()
}

/// A comma after the value before the mistake, which ends at `end`.
fn comma(text: &str, end: usize) -> Option<Repair> {
    let is_value =
        text[..end].ends_with(|last: char| last.is_alphanumeric() || "\"']}".contains(last));
    is_value.then(|| Repair {
        old: end..end,
        new: ",".to_owned(),
        place: end..end,
        message: "a comma is missing here".to_owned(),
        help: "write `,` between the two".to_owned(),
        closes_line: false,
    })
}

/// The empty content of each element of a line that consists of its name alone.
fn elements(line: &str, start: usize) -> Vec<Repair> {
    static PATTERN: LazyLock<Regex> = LazyLock::new(|| pattern(ELEMENT));
    let is_element = |name: &str| {
        let mut channels = Channel::ALL.into_iter();
        channels.any(|channel| vocabulary::elements_named(channel, name).next().is_some())
    };
    let found = PATTERN.captures_iter(line).filter_map(|captures| {
        let name = &captures["bad"];
        let opened = line[..bad(&captures, 0).start].rfind(['[', '{']);
        let (message, new) = if opened.is_some_and(|at| line[at..].starts_with('[')) {
            let message = format!("`{name}` in an array needs braces and a value");
            (message, format!("{{ {name} = \"\" }}"))
        } else {
            (format!("`{name}` has no value"), format!("{name} = \"\""))
        };
        is_element(name).then(|| Repair {
            old: bad(&captures, start),
            place: bad(&captures, start),
            help: format!("write {{ {name} = \"\" }}"),
            new,
            message,
            closes_line: false,
        })
    });
    found.collect()
}

/// Closes the brackets and braces that are open before the mistake, at `end`: only the last, or all of them.
fn brackets(open: &[(usize, char)], end: usize) -> Vec<Repair> {
    let closed = |from: usize| {
        let (first, bracket) = open[from];
        let closing = open[from..].iter().rev();
        let closing = closing.map(|(_, open)| if *open == '[' { " ]" } else { " }" });
        Repair {
            old: end..end,
            new: closing.collect(),
            place: first..first + 1,
            message: format!("this `{bracket}` is not closed"),
            help: format!("close it with `{}`", if bracket == '[' { ']' } else { '}' }),
            closes_line: false,
        }
    };
    let last = open.len().checked_sub(1);
    let all = (open.len() > 1).then_some(0);
    last.into_iter().chain(all).map(closed).collect()
}

/// The brackets and braces that nothing closes in a text, with their places, and where the text ends without its last blanks
/// and comments. Brackets in strings and comments do not count.
fn scanned(text: &str) -> (Vec<(usize, char)>, usize) {
    let mut open = Vec::new();
    let mut end = 0;
    let mut quote: Option<&str> = None;
    let mut is_comment = false;
    let mut skip = 0;
    for (at, character) in text.char_indices() {
        if at < skip {
            end = at + character.len_utf8();
            continue;
        }
        if quote.is_some() || !(is_comment || character == '#' || character.is_whitespace()) {
            end = at + character.len_utf8();
        }
        let rest = &text[at..];
        match (quote, character) {
            (_, '\n') => {
                is_comment = false;
                quote = quote.filter(|quote| quote.len() == 3);
            }
            (Some(quote), '\\') if quote.starts_with('"') => skip = at + 2,
            (Some(end), _) if rest.starts_with(end) => {
                skip = at + end.len();
                quote = None;
            }
            (None, _) if is_comment => {}
            (None, '#') => is_comment = true,
            (None, '"' | '\'') => {
                let quotes = ["\"\"\"", "'''", "\"", "'"];
                quote = quotes.into_iter().find(|quote| rest.starts_with(quote));
                skip = at + quote.map_or(0, str::len);
            }
            (None, '[' | '{') => open.push((at, character)),
            (None, ']' | '}') => {
                open.pop();
            }
            _ => {}
        }
    }
    (open, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_can_be_read_and_names_what_is_bad() {
        let patterns = RULES.iter().map(|rule| rule.pattern).chain([ELEMENT]);
        for pattern in patterns {
            let pattern = super::pattern(pattern);
            assert!(
                pattern.capture_names().any(|name| name == Some("bad")),
                "{pattern}"
            );
        }
    }

    #[test]
    fn brackets_in_strings_and_comments_are_none() {
        for (text, open) in [
            ("a = [ { b = \"]\" }, ", "["),
            ("a = [ { b = ']}', # ]\n", "[{"),
            ("a = [ \"\"\"\n]\"]\n\"\"\", ", "["),
            ("a = \"[\\\"[\" ]", ""),
            ("a = [ \"x\n { b = 1 }", "["),
        ] {
            let (found, _) = scanned(text);
            let found: String = found.iter().map(|(_, open)| *open).collect();
            assert_eq!(found, open, "{text}");
        }
    }

    #[test]
    fn blanks_and_comments_at_the_end_are_left_out() {
        for (text, code) in [
            ("a = 1", "a = 1"),
            ("a = \"#\" # b\n # c\n\n", "a = \"#\""),
            ("a = [ # b\n 1 # [\n", "a = [ # b\n 1"),
            ("# a", ""),
        ] {
            assert_eq!(&text[..scanned(text).1], code);
        }
    }
}
