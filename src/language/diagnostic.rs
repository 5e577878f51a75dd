//! What is wrong with a table, where, and what to do about it.
//!
//! A diagnostic is a value; drawing one is the same everywhere, by `annotate-snippets`.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use serde::Serialize;

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Keeps the table from going live: Twilio would refuse or misread it, or it cannot be meant.
    Error,
    /// Looks wrong, and may still be right.
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

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// The stable name of a kind of diagnostic: scripts, editors and the reference know it by this.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $($(#[$doc])* $variant,)*
        }

        impl Code {
            /// All codes.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The code as it is printed.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}

codes! {
    /// The file is no TOML.
    TomlSyntax = "toml-syntax",
    /// A key that the table does not have.
    UnknownKey = "unknown-key",
    /// A key below `[route.when]` that belongs to the route.
    MisplacedKey = "misplaced-key",
    /// A key that must be there is not.
    MissingKey = "missing-key",
    /// A value of another type than the key takes.
    WrongType = "wrong-type",
    /// A name that is not 1 to 64 of `A-Za-z0-9._-`, or is taken.
    BadName = "bad-name",
    /// Two things with one name.
    DuplicateName = "duplicate-name",
    /// There is no `[default]`.
    MissingDefault = "missing-default",
    /// `[default]` says nothing to a caller.
    SilentDefault = "silent-default",
    /// `[default]` holds what may fail: a template, or a verb that asks again.
    FragileDefault = "fragile-default",
    /// A route that says nothing on any channel.
    SilentRoute = "silent-route",
    /// An element that TwiML does not have.
    UnknownElement = "unknown-element",
    /// More than one element in one table.
    TwoElements = "two-elements",
    /// A verb of the other channel.
    WrongChannel = "wrong-channel",
    /// An element where TwiML does not allow it.
    WrongPlace = "wrong-place",
    /// An attribute that the element does not have.
    UnknownAttribute = "unknown-attribute",
    /// A value that the attribute does not take.
    BadValue = "bad-value",
    /// A value that the attribute may not take: its list is known to be incomplete.
    UnusualValue = "unusual-value",
    /// Text in an element that takes none.
    UnexpectedText = "unexpected-text",
    /// An element without the text or children it needs.
    EmptyElement = "empty-element",
    /// A text over Twilio's limit.
    TooLong = "too-long",
    /// More elements than Twilio takes.
    TooMany = "too-many",
    /// An element after one that ends the document.
    Unreachable = "unreachable-element",
    /// A `Gather` or `Record` without `action`: the same URL is asked again.
    MissingAction = "missing-action",
    /// A `Reject` that is not the first verb: the call is answered and billed.
    LateReject = "late-reject",
    /// A URL that Twilio could not use.
    BadUrl = "bad-url",
    /// No number that could be dialled or compared with.
    BadNumber = "bad-number",
    /// A `{{ … }}` that cannot be read.
    BadTemplate = "bad-template",
    /// A parameter that no Twilio webhook and no `parameters` entry has.
    UnknownParameter = "unknown-parameter",
    /// A parameter or word in the wrong letter case: it can never match.
    WrongCase = "wrong-case",
    /// A value that the parameter never has.
    UnknownValue = "unknown-value",
    /// A condition that is written wrongly.
    BadCondition = "bad-condition",
    /// A regular expression that cannot be read.
    BadRegex = "bad-regex",
    /// A directory that the table does not have.
    UnknownDirectory = "unknown-directory",
    /// A key of a directory that cannot be looked up.
    BadKey = "bad-key",
    /// A key that a directory has already.
    DuplicateKey = "duplicate-key",
    /// A directory's file that cannot be read.
    BadFile = "bad-file",
    /// A row of a directory that has too many or too few cells.
    BadRow = "bad-row",
    /// A cell that cannot stand where a reply puts it.
    BadCell = "bad-cell",
    /// A column that a directory does not have.
    UnknownColumn = "unknown-column",
    /// A directory's column where nothing has chosen a row.
    UnboundDirectory = "unbound-directory",
    /// A column that is dialled is also spoken or sent.
    PrivateColumn = "private-column",
    /// A schedule that is written wrongly.
    BadSchedule = "bad-schedule",
    /// A schedule that the table does not have.
    UnknownSchedule = "unknown-schedule",
    /// A schedule that is never open.
    NeverOpen = "never-open",
    /// A route that can never answer: earlier ones cover it, or its conditions exclude each other.
    NeverAnswers = "never-answers",
    /// A session that Proxy would refuse to open.
    BadSession = "bad-session",
    /// An attribute without which an element means nothing.
    MissingAttribute = "missing-attribute",
    /// Redirects that lead back to where they began.
    RedirectLoop = "redirect-loop",
    /// A voice that does not speak the language.
    VoiceLanguage = "voice-language",
    /// A session's unique name that a second call would use again.
    UsedName = "used-name",
    /// A limit of the guards that is out of range.
    BadLimit = "bad-limit",
    /// A test that is written wrongly.
    BadTest = "bad-test",
    /// A test whose request gets another answer.
    FailedTest = "failed-test",
    /// A test whose answer depends on the hour, without `at`.
    TestNeedsTime = "test-needs-time",
    /// A reply that the table does not have.
    UnknownReply = "unknown-reply",
    /// A reply or directory that nothing refers to.
    Unused = "unused",
    /// A URL that leads to a step that no route has.
    UnknownStep = "unknown-step",
    /// A step that nothing leads to.
    UnreachedStep = "unreached-step",
    /// A condition on a session in a step: Twilio's follow-up requests carry no session.
    SessionInStep = "session-in-step",
    /// Something that is dialled or fetched and that a stranger could choose.
    OpenDestination = "open-destination",
    /// The caller decides whom we dial.
    CallerDestination = "caller-destination",
    /// The other party's real number or name where somebody could hear or read it.
    PrivateNumber = "private-number",
    /// A caller's real number is shown to the other side.
    ShownCaller = "shown-caller",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that is wrong with a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its kind.
    pub code: Code,
    /// Whether it keeps the table from going live.
    pub severity: Severity,
    /// The file that it is about.
    pub file: Arc<File>,
    /// The bytes of the file that it is about.
    pub span: Range<usize>,
    /// What is wrong, in one line.
    pub message: String,
    /// What to do about it, in one line.
    pub help: String,
    /// The Twilio error that the mistake would have caused, when there is one.
    pub error_number: Option<u32>,
}

/// A file that diagnostics are about.
#[derive(Debug)]
pub struct File {
    /// Its name as the operator gave it.
    pub name: String,
    /// Its text.
    pub text: String,
    /// Where its lines begin, found when the first place is asked for.
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
        let byte = self.boundary(byte);
        let starts = self.line_starts.get_or_init(|| {
            let after_line_feeds = self.text.match_indices('\n').map(|(at, _)| at + 1);
            std::iter::once(0).chain(after_line_feeds).collect()
        });
        let line = starts.partition_point(|start| *start <= byte);
        let before = &self.text[starts[line - 1]..byte];
        (line, before.chars().count() + 1)
    }

    /// The nearest character boundary at or before a byte.
    fn boundary(&self, byte: usize) -> usize {
        (0..=byte.min(self.text.len()))
            .rev()
            .find(|at| self.text.is_char_boundary(*at))
            .unwrap_or(0)
    }

    /// The bytes of the whole lines that a span touches.
    fn lines(&self, span: &Range<usize>) -> Range<usize> {
        let start = self.text[..span.start].rfind('\n').map_or(0, |at| at + 1);
        let end = self.text[span.end..]
            .find('\n')
            .map_or(self.text.len(), |at| span.end + at);
        // A carriage return is the line's end too, unless the diagnostic is about that very character.
        let end = if end > span.end && self.text[..end].ends_with('\r') {
            end - 1
        } else {
            end
        };
        start..end
    }

    /// What of the text is drawn for a span: the lines that it touches, or of very long ones what is near. A drawing reads
    /// its whole source, and a generated table may be a million numbers in one line.
    fn excerpt(&self, span: &Range<usize>) -> Excerpt<'_> {
        let lines = self.lines(span);
        if lines.len() <= MOST_DRAWN {
            return Excerpt {
                text: self.text[lines.clone()].into(),
                bytes: lines,
                before: 0,
            };
        }
        let start = self.boundary(span.start.saturating_sub(MOST_BESIDE).max(lines.start));
        let end = self.boundary((span.start + MOST_BESIDE).min(lines.end));
        let before = if start > lines.start { CUT } else { "" };
        let behind = if end < lines.end { CUT } else { "" };
        Excerpt {
            text: [before, &self.text[start..end], behind].concat().into(),
            bytes: start..end,
            before: before.len(),
        }
    }
}

/// Lines of more bytes than this are not drawn whole.
const MOST_DRAWN: usize = 100_000;

/// So many bytes of them are drawn before the place that a diagnostic is about, and as many from there on: more than fits
/// into the width of a terminal.
const MOST_BESIDE: usize = 2_000;

/// What stands where a line is cut.
const CUT: &str = "...";

/// A part of a file's text as it is drawn.
struct Excerpt<'f> {
    /// Where it stands in the file.
    bytes: Range<usize>,
    /// How many bytes are drawn before it.
    before: usize,
    text: Cow<'f, str>,
}

impl Diagnostic {
    /// Its help, with the number of the Twilio error that the mistake would have caused.
    #[must_use]
    pub fn help_line(&self) -> String {
        match self.error_number {
            Some(number) => format!("{} (Twilio error {number})", self.help),
            None => self.help.clone(),
        }
    }

    /// Draws it: the line itself, a caret, the code and the help. Without a line feed at the end.
    #[must_use]
    pub fn draw(&self, renderer: &Renderer) -> String {
        let source = &*self.file;
        let span =
            source.boundary(self.span.start)..source.boundary(self.span.end.max(self.span.start));
        let excerpt = source.excerpt(&span);
        let (first_line, _) = source.position(excerpt.bytes.start);
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let help = self.help_line();
        let place = |at: usize| at.min(excerpt.bytes.end) - excerpt.bytes.start + excerpt.before;
        let snippet = Snippet::source(excerpt.text.as_ref())
            .line_start(first_line)
            .annotation(AnnotationKind::Primary.span(place(span.start)..place(span.end)));
        let group = level
            .primary_title(self.message.as_str())
            .id(self.code.as_str());
        let group = if excerpt.before == 0 {
            group.element(snippet.path(source.name.as_str()))
        } else {
            // The column in the excerpt is not that in the line.
            let (line, column) = source.position(span.start);
            let origin = Origin::path(source.name.as_str());
            group
                .element(origin.line(line).char_column(column))
                .element(snippet)
        };
        renderer.render(&[group.element(Level::HELP.message(help.as_str()))])
    }

    /// The line that `check --format json` prints: one JSON object.
    #[must_use]
    pub fn to_json(&self) -> String {
        /// Its members, in the order in which they are documented.
        #[derive(Serialize)]
        struct Shown<'d> {
            severity: &'static str,
            code: &'static str,
            message: &'d str,
            file: &'d str,
            line: usize,
            column: usize,
            help: String,
        }
        let (line, column) = self.file.position(self.span.start);
        let shown = Shown {
            severity: self.severity.as_str(),
            code: self.code.as_str(),
            message: &self.message,
            file: &self.file.name,
            line,
            column,
            help: self.help_line(),
        };
        serde_json::to_string(&shown).expect("texts and numbers can be written as JSON")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_kebab_case() {
        let texts: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
        for text in texts {
            assert!(
                text.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'-'),
                "{text}"
            );
        }
    }

    #[test]
    fn a_diagnostic_is_drawn_with_its_line_and_help() {
        let file = File::new("responses.toml", "a = 1\nb = \"é\" # x\nc = 2\n");
        let diagnostic = Diagnostic {
            code: Code::BadNumber,
            severity: Severity::Error,
            file,
            span: 10..14,
            message: "not a digit at byte 0".into(),
            help: "write the number as +15005550006".into(),
            error_number: Some(13223),
        };
        assert_eq!(
            diagnostic.draw(&Renderer::plain()),
            "error[bad-number]: not a digit at byte 0\n \
             --> responses.toml:2:5\n  \
             |\n\
             2 | b = \"é\" # x\n  \
             |     ^^^\n  \
             |\n  \
             = help: write the number as +15005550006 (Twilio error 13223)"
        );
    }

    #[test]
    fn of_a_very_long_line_only_what_is_near_is_drawn() {
        let many = |count: usize| "\"1415555\u{e9}\", ".repeat(count);
        let text = format!("a = 1\nb = [{}X{}]\nc = 2\n", many(50_000), many(50_000));
        let at = text.find('X').expect("the place");
        let diagnostic = Diagnostic {
            code: Code::BadNumber,
            severity: Severity::Error,
            span: at..at + 1,
            file: File::new("responses.toml", text),
            message: "not a number".into(),
            help: "write a number".into(),
            error_number: None,
        };
        let drawn = diagnostic.draw(&Renderer::plain().term_width(10_000));
        assert!(drawn.contains(" --> responses.toml:2:600006\n"), "{drawn}");
        assert!(drawn.len() < 8 * MOST_BESIDE, "{} bytes", drawn.len());
        let mut lines = drawn.lines().skip(4);
        let (line, caret) = (
            lines.next().expect("a line"),
            lines.next().expect("a caret"),
        );
        let column = caret.chars().position(|character| character == '^');
        assert_eq!(line.chars().position(|character| character == 'X'), column);
        assert!(
            line.starts_with("2 | ...") && line.ends_with("..."),
            "{line}"
        );
    }

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let source = File::new("x", "é1\n2");
        assert_eq!(source.position(0), (1, 1));
        assert_eq!(source.position(1), (1, 1));
        assert_eq!(source.position(2), (1, 2));
        assert_eq!(source.position(4), (2, 1));
        assert_eq!(source.position(99), (2, 2));
    }

    #[test]
    fn a_file_is_the_same_by_its_name_and_its_text() {
        let one = File::new("a.toml", "a\nb\n");
        // Whether a place has been asked for makes no difference.
        assert_eq!(one.position(2), (2, 1));
        assert_eq!(*one, *File::new("a.toml", "a\nb\n"));
        assert_ne!(*one, *File::new("b.toml", "a\nb\n"));
        assert_ne!(*one, *File::new("a.toml", "a\nc\n"));
    }

    #[test]
    fn a_line_is_shown_without_its_end() {
        let file = File::new("x", "a = 1\r\nb\r\n\nc\r");
        for (span, shown) in [
            (0..1, "a = 1"),
            // A line feed of its own would be a line more.
            (2..5, "a = 1"),
            // What is wrong is the carriage return itself.
            (5..6, "a = 1\r"),
            (7..8, "b"),
            (4..8, "a = 1\r\nb"),
            (10..10, ""),
            (11..12, "c"),
        ] {
            assert_eq!(file.excerpt(&span).text, shown, "{span:?}");
        }
    }

    #[test]
    fn a_very_long_line_is_cut_where_it_is_not_shown_whole() {
        let text = format!("a\n{}\nb", "x".repeat(MOST_DRAWN + 1));
        let (first, last) = (2, 2 + MOST_DRAWN + 1);
        for (start, before, behind) in [
            (first, false, true),
            (first + MOST_BESIDE, false, true),
            (first + MOST_BESIDE + 1, true, true),
            (last - MOST_BESIDE - 1, true, true),
            (last - MOST_BESIDE, true, false),
            (last, true, false),
        ] {
            let file = File::new("x", &*text);
            let excerpt = file.excerpt(&(start..start));
            let cut = |is_cut| if is_cut { CUT } else { "" };
            let length = excerpt.bytes.len();
            assert_eq!(
                excerpt.text,
                [cut(before), &*"x".repeat(length), cut(behind)].concat(),
                "{start}"
            );
            assert!(
                (MOST_BESIDE..=2 * MOST_BESIDE).contains(&length),
                "{start} {length}"
            );
            assert_eq!(excerpt.before, cut(before).len());
        }
    }
}
