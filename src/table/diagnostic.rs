//! What is wrong with a table, where, and what to do about it.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

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

impl Code {
    /// Whether it says that something is missing.
    pub(crate) fn is_absence(self) -> bool {
        matches!(
            self,
            Self::MissingDefault
                | Self::MissingKey
                | Self::SilentDefault
                | Self::SilentRoute
                | Self::UnboundDirectory
                | Self::UnknownColumn
                | Self::UnknownDirectory
                | Self::UnknownParameter
                | Self::UnknownReply
                | Self::UnknownSchedule
                | Self::UnknownStep
                | Self::UnreachedStep
                | Self::Unused
        )
    }
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
    pub(crate) fn boundary(&self, byte: usize) -> usize {
        (0..=byte.min(self.text.len()))
            .rev()
            .find(|at| self.text.is_char_boundary(*at))
            .unwrap_or(0)
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
}
