//! The table: routes in file order, and which of them answers a request.
//!
//! Built only by `language::compile`, never changed afterwards. Decides, and shows why, with the same code.

pub mod answer;
pub mod diagnostic;
pub mod directory;
pub mod guard;
mod index;
pub mod intercept;
pub mod pattern;
pub(crate) mod problems;
pub mod reply;
pub mod schedule;
pub mod twiml;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use regex::Regex;

use self::index::Index;
pub(crate) use self::index::Shelved;
use self::intercept::Intercept;
use self::pattern::Pattern;
use self::schedule::Schedule;
use crate::table::directory::{BoundRow, Directory, Row};
use crate::table::guard::Limits;
use crate::table::reply::{EMPTY_DOCUMENT, Reply};
use crate::twilio::request::{Request, Webhook};
use crate::twilio::types::{Channel, is_withheld};

/// The name under which `[default]` answers.
pub const DEFAULT: &str = "default";

/// All of `responses.toml`, compiled.
#[derive(Debug)]
pub struct Table {
    routes: Vec<Route>,
    index: Index,
    default: DefaultReplies,
    /// Which interactions of Proxy sessions are blocked, in file order; none: there is no such webhook.
    pub intercepts: Vec<Intercept>,
    /// What the guards allow.
    pub limits: Limits,
}

/// What `[default]` answers: there is always something for both channels.
#[derive(Debug)]
pub struct DefaultReplies {
    /// To a call.
    pub voice: DefaultReply,
    /// To a text.
    pub message: DefaultReply,
}

/// What `[default]` answers on one channel.
#[derive(Debug)]
pub struct DefaultReply {
    /// The reply.
    pub reply: Reply,
    /// What of it depends on nothing, for a request that breaks the program itself.
    pub plain: Bytes,
}

impl DefaultReply {
    /// The reply that says nothing.
    #[must_use]
    pub fn silent() -> Self {
        let document = Bytes::from_static(EMPTY_DOCUMENT.as_bytes());
        Self {
            reply: Reply::Ready {
                document: document.clone(),
                sends: false,
            },
            plain: document,
        }
    }
}

/// One `[[route]]`: when it answers, and what.
#[derive(Debug)]
pub struct Route {
    /// Its name, in logs, tests and the answer's header.
    pub name: Box<str>,
    /// The step it answers; `None` for requests without one.
    pub step: Option<Box<str>>,
    /// The tables of `when`: one of them must hold whole. Empty: always.
    pub alternatives: Vec<Alternative>,
    /// The schedules of `during`: one of them must be open. Empty: at any time.
    pub during: Vec<Arc<Schedule>>,
    /// The schedules of `outside`: none of them may be open. Empty: at any time.
    pub outside: Vec<Arc<Schedule>>,
    /// The reply to a call; `None` when it does not answer calls.
    pub voice: Option<Reply>,
    /// The reply to a text; `None` when it does not answer texts.
    pub message: Option<Reply>,
    /// Whether it answers texts of machines, which get nothing otherwise.
    pub answers_machines: bool,
}

/// One table of `when`: conditions that must all hold.
#[derive(Debug, Default)]
pub struct Alternative {
    /// The conditions, in file order.
    pub conditions: Vec<Condition>,
    /// The directories whose row a parameter chooses: those of a plain `in`.
    pub bindings: Vec<Binding>,
}

/// A directory whose row is chosen by the value of a parameter.
#[derive(Debug, Clone)]
pub struct Binding {
    /// The parameter's name.
    pub parameter: Arc<str>,
    /// The directory.
    pub directory: Arc<Directory>,
}

/// One entry of `when`: a value of the request and what it must be.
#[derive(Debug)]
pub struct Condition {
    /// What is tested.
    pub subject: Subject,
    /// What its value must be.
    pub test: Test,
}

/// What a condition tests.
#[derive(Debug, Clone)]
pub enum Subject {
    /// The parameter of this name.
    Parameter(Arc<str>),
    /// A cell of the row that a directory has for the request.
    Column {
        /// Which directory, and which parameter chooses its row.
        binding: Box<Binding>,
        /// The position of the column.
        column: usize,
    },
}

/// What a value must be. Compiled once; nothing in it is text to interpret later. What is large stands in a box: there
/// may be a million of these, and most are one short text.
#[derive(Debug, Clone)]
pub enum Test {
    /// This very text; for `Body` in small letters and without outer blanks.
    Exactly(Box<str>),
    /// A text with `*` for any run of characters.
    Like(Box<Pattern>),
    /// At least one of these holds.
    AnyOf(Box<[Test]>),
    /// All of these hold.
    AllOf(Box<[Test]>),
    /// The value is a key of this directory.
    In(Arc<Directory>),
    /// The regular expression is found in the value.
    Regex(Box<Regex>),
    /// The value is there (`true`) or absent (`false`).
    Present(bool),
    /// The number is withheld (`true`) or shown (`false`).
    Withheld(bool),
    /// This does not hold.
    Not(Box<Test>),
}

/// Which route answers, with what.
#[derive(Debug)]
pub struct Decision<'t> {
    /// The route; `None` when `[default]` answers.
    pub route: Option<&'t Route>,
    /// The route's position in the table; `None` when `[default]` answers.
    pub position: Option<usize>,
    /// The reply for the request's channel.
    pub reply: &'t Reply,
    /// The rows that the request's values have chosen.
    pub rows: Vec<BoundRow<'t>>,
}

/// Why a route does not answer a request: the first thing that does not hold.
#[derive(Debug)]
pub enum Miss<'t> {
    /// The request is at another step; the step that the route answers.
    Step(Option<&'t str>),
    /// The route says nothing on this channel.
    Silent(Channel),
    /// The route opens a session, which only Proxy's own webhook can.
    ProxyOnly,
    /// The first failing condition of the first table of `when`.
    Condition(&'t Condition),
    /// None of these schedules is open.
    Closed(&'t [Arc<Schedule>]),
    /// This schedule is open.
    Open(&'t Schedule),
}

impl Table {
    /// A table of these routes and intercepts, in file order.
    #[must_use]
    pub fn new(
        routes: Vec<Route>,
        intercepts: Vec<Intercept>,
        default: DefaultReplies,
        limits: Limits,
    ) -> Self {
        Self {
            index: Index::new(&routes),
            routes,
            default,
            intercepts,
            limits,
        }
    }

    /// Its routes, in file order.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The reply of `[default]` on a channel.
    #[must_use]
    pub fn default_reply(&self, channel: Channel) -> &DefaultReply {
        match channel {
            Channel::Voice => &self.default.voice,
            Channel::Message => &self.default.message,
        }
    }

    /// Every route in file order with why it does not answer; `None` means that it would.
    pub fn verdicts<'t>(
        &'t self,
        request: &Request<'_>,
        now: Timestamp,
    ) -> impl Iterator<Item = (&'t Route, Option<Miss<'t>>)> {
        self.routes
            .iter()
            .map(move |route| (route, route.matching(request, now).err()))
    }

    /// [`Table::verdicts`] without those routes that the index says have nothing to do with the request.
    pub(crate) fn close_verdicts<'t>(
        &'t self,
        request: &Request<'_>,
        now: Timestamp,
    ) -> impl Iterator<Item = (&'t Route, Option<Miss<'t>>)> {
        self.index.candidates(request).map(move |position| {
            let route = &self.routes[position];
            (route, route.matching(request, now).err())
        })
    }

    /// What [`Table::candidates`] goes by where a value is not known.
    pub(crate) fn shelved(&self) -> Shelved {
        self.index.shelved()
    }

    /// The routes that may answer a request of which not all is known, in file order. `value` gives the value of a subject
    /// as conditions compare it, or for `None` the step; none when it is not known.
    pub(crate) fn candidates<'t, 'v>(
        &'t self,
        shelved: &'t Shelved,
        value: impl FnMut(Option<&'t Subject>) -> Option<Cow<'v, str>>,
    ) -> impl Iterator<Item = &'t Route> {
        self.index
            .candidates_of(shelved, value)
            .map(|position| &self.routes[position])
    }

    /// The first route in [`Table::verdicts`] that answers, found through the index, else `[default]`.
    #[must_use]
    pub fn decide<'t>(&'t self, request: &Request<'_>, now: Timestamp) -> Decision<'t> {
        let found = self.index.candidates(request).find_map(|position| {
            let route = &self.routes[position];
            let alternative = route.matching(request, now).ok()?;
            let reply = route.reply(request.channel())?;
            let rows = alternative
                .map(|alternative| alternative.rows(request))
                .unwrap_or_default();
            Some(Decision {
                route: Some(route),
                position: Some(position),
                reply,
                rows,
            })
        });
        found.unwrap_or_else(|| Decision {
            route: None,
            position: None,
            reply: &self.default_reply(request.channel()).reply,
            rows: Vec::new(),
        })
    }
}

impl<'t> Decision<'t> {
    /// The route's name, or [`DEFAULT`].
    #[must_use]
    pub fn name(&self) -> &'t str {
        self.route.map_or(DEFAULT, |route| &*route.name)
    }
}

impl Route {
    /// Its reply on a channel; `None` when it says nothing there.
    #[must_use]
    pub fn reply(&self, channel: Channel) -> Option<&Reply> {
        match channel {
            Channel::Voice => self.voice.as_ref(),
            Channel::Message => self.message.as_ref(),
        }
    }

    /// The table of `when` that holds (`None` without a `when`), or why the route does not answer.
    fn matching(
        &self,
        request: &Request<'_>,
        now: Timestamp,
    ) -> Result<Option<&Alternative>, Miss<'_>> {
        if self.step.as_deref().unwrap_or_default() != request.step() {
            return Err(Miss::Step(self.step.as_deref()));
        }
        match self.reply(request.channel()) {
            None => return Err(Miss::Silent(request.channel())),
            Some(Reply::Session(_)) if request.webhook() != Webhook::OutOfSession => {
                return Err(Miss::ProxyOnly);
            }
            Some(_) => {}
        }
        fitting(
            &self.alternatives,
            &self.during,
            &self.outside,
            request,
            now,
        )
    }

    /// The first failing condition of each table of `when`, for whoever asks why the route does not answer.
    pub fn failing<'t>(&'t self, request: &Request<'_>) -> impl Iterator<Item = &'t Condition> {
        failing(&self.alternatives, request)
    }
}

/// The table of `when` that holds (`None` without a `when`) at an hour that fits, or the first thing that does not hold.
fn fitting<'t>(
    alternatives: &'t [Alternative],
    during: &'t [Arc<Schedule>],
    outside: &'t [Arc<Schedule>],
    request: &Request<'_>,
    now: Timestamp,
) -> Result<Option<&'t Alternative>, Miss<'t>> {
    let mut alternative = None;
    let mut failing = None;
    for candidate in alternatives {
        match candidate
            .conditions
            .iter()
            .find(|condition| !condition.holds(request))
        {
            None => {
                alternative = Some(candidate);
                break;
            }
            Some(condition) => failing = failing.or(Some(condition)),
        }
    }
    if let (None, Some(condition)) = (alternative, failing) {
        return Err(Miss::Condition(condition));
    }
    if !during.is_empty() && !during.iter().any(|schedule| schedule.is_open(now)) {
        return Err(Miss::Closed(during));
    }
    match outside.iter().find(|schedule| schedule.is_open(now)) {
        Some(schedule) => Err(Miss::Open(schedule)),
        None => Ok(alternative),
    }
}

/// The first failing condition of each table of `when`.
fn failing<'t>(
    alternatives: &'t [Alternative],
    request: &Request<'_>,
) -> impl Iterator<Item = &'t Condition> {
    alternatives.iter().filter_map(move |alternative| {
        alternative
            .conditions
            .iter()
            .find(|condition| !condition.holds(request))
    })
}

impl Alternative {
    fn rows(&self, request: &Request<'_>) -> Vec<BoundRow<'_>> {
        self.bindings
            .iter()
            .filter_map(|binding| Some((&*binding.directory, binding.row(request)?)))
            .collect()
    }
}

impl Binding {
    /// The row that a request chooses; `None` when the directory has none for it.
    fn row(&self, request: &Request<'_>) -> Option<Row> {
        let value = request.value(&self.parameter);
        if Condition::folds(&self.parameter) {
            self.directory.row(&folded(&value))
        } else {
            self.directory.row(&value)
        }
    }
}

impl Condition {
    /// Whether a parameter is compared without regard to case and outer blanks: what people type.
    #[must_use]
    pub fn folds(parameter: &str) -> bool {
        parameter == "Body"
    }

    /// Whether it holds for a request.
    #[must_use]
    pub fn holds(&self, request: &Request<'_>) -> bool {
        self.test.holds(&self.subject.compared(request))
    }
}

impl Subject {
    /// The value of a request; empty when it is absent, or when the directory has no row for the request.
    #[must_use]
    pub fn value<'a>(&'a self, request: &Request<'a>) -> Cow<'a, str> {
        match self {
            Self::Parameter(name) => request.value(name),
            Self::Column { binding, column } => Cow::Borrowed(
                binding
                    .row(request)
                    .map_or("", |row| binding.directory.cell(row, *column)),
            ),
        }
    }
}

impl Subject {
    /// [`Self::value`] as tests compare it: folded where [`Condition::folds`] says so.
    fn compared<'a>(&'a self, request: &Request<'a>) -> Cow<'a, str> {
        let value = self.value(request);
        match self {
            Self::Parameter(name) if Condition::folds(name) => Cow::Owned(folded(&value)),
            _ => value,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameter(name) => f.write_str(name),
            Self::Column { binding, column } => {
                write!(
                    f,
                    "{}.{}",
                    binding.directory.name(),
                    binding.directory.columns()[*column]
                )
            }
        }
    }
}

/// A text as [`Condition::folds`] compares it.
#[must_use]
pub fn folded(text: &str) -> String {
    text.trim().to_lowercase()
}

impl Test {
    /// Whether a value passes. An absent value is the empty text.
    #[must_use]
    pub fn holds(&self, value: &str) -> bool {
        match self {
            Self::Exactly(text) => **text == *value,
            Self::Like(pattern) => pattern.matches(value),
            Self::AnyOf(tests) => tests.iter().any(|test| test.holds(value)),
            Self::AllOf(tests) => tests.iter().all(|test| test.holds(value)),
            Self::In(directory) => directory.row(value).is_some(),
            Self::Regex(regex) => regex.is_match(value),
            Self::Present(wanted) => value.is_empty() != *wanted,
            Self::Withheld(wanted) => is_withheld(value) == *wanted,
            Self::Not(test) => !test.holds(value),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(text) => write!(f, "{text:?}"),
            Self::Like(pattern) => write!(f, "{:?}", pattern.to_string()),
            Self::AnyOf(tests) => list(f, tests, " or "),
            Self::AllOf(tests) => list(f, tests, " and "),
            Self::In(directory) => write!(f, "a key of directory {:?}", directory.name()),
            Self::Regex(regex) => write!(f, "regex {:?}", regex.as_str()),
            Self::Present(true) => f.write_str("present"),
            Self::Present(false) => f.write_str("absent"),
            Self::Withheld(true) => f.write_str("withheld"),
            Self::Withheld(false) => f.write_str("not withheld"),
            Self::Not(test) => write!(f, "not {test}"),
        }
    }
}

/// The first few tests of a list; a route may name thousands of numbers.
fn list(f: &mut fmt::Formatter<'_>, tests: &[Test], between: &str) -> fmt::Result {
    const SHOWN: usize = 5;
    for (position, test) in tests.iter().take(SHOWN).enumerate() {
        if position > 0 {
            f.write_str(between)?;
        }
        write!(f, "{test}")?;
    }
    match tests.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => write!(f, "{between}{more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_reads_as_what_is_wanted() {
        let exactly = |text: &str| Test::Exactly(text.into());
        let many = |count: usize| {
            (0..count)
                .map(|number| exactly(&number.to_string()))
                .collect()
        };
        for (test, text) in [
            (exactly("+1 \"x\""), r#""+1 \"x\"""#),
            (Test::Present(true), "present"),
            (Test::Present(false), "absent"),
            (Test::Withheld(true), "withheld"),
            (Test::Withheld(false), "not withheld"),
            (Test::Not(Box::new(Test::Present(true))), "not present"),
            (Test::AnyOf(Box::default()), ""),
            (Test::AnyOf(many(1)), r#""0""#),
            (Test::AllOf(many(2)), r#""0" and "1""#),
            (Test::AnyOf(many(5)), r#""0" or "1" or "2" or "3" or "4""#),
            (
                Test::AnyOf(many(7)),
                r#""0" or "1" or "2" or "3" or "4" or 2 more"#,
            ),
        ] {
            assert_eq!(test.to_string(), text);
        }
    }
}
