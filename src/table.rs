//! The table: routes in file order, and which of them answers a request.
//!
//! Built only by `config::compile`, never changed afterwards. Decides, and shows why, with the same code.

pub mod directory;
pub mod pattern;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use regex::Regex;

use self::directory::Directory;
use self::pattern::Pattern;
use crate::reply::Reply;
use crate::request::Request;
use crate::types::{Channel, is_withheld};

/// The name under which `[default]` answers.
pub const DEFAULT: &str = "default";

/// All of `responses.toml`, compiled.
#[derive(Debug)]
pub struct Table {
    routes: Vec<Route>,
    default: DefaultReplies,
}

/// What `[default]` answers: there is always something for both channels.
#[derive(Debug)]
pub struct DefaultReplies {
    /// To a call.
    pub voice: Reply,
    /// To a text.
    pub message: Reply,
}

/// One `[[route]]`: when it answers, and what.
#[derive(Debug)]
pub struct Route {
    /// Its name, in logs, tests and the answer's header.
    pub name: String,
    /// The step it answers; `None` for requests without one.
    pub step: Option<String>,
    /// The tables of `when`: one of them must hold whole. Empty: always.
    pub alternatives: Vec<Vec<Condition>>,
    /// The reply to a call; `None` when it does not answer calls.
    pub voice: Option<Reply>,
    /// The reply to a text; `None` when it does not answer texts.
    pub message: Option<Reply>,
}

/// One entry of `when`: a parameter and the values it may have.
#[derive(Debug)]
pub struct Condition {
    /// The parameter's name, as Twilio spells it.
    pub parameter: String,
    /// What its value must be.
    pub test: Test,
}

/// What a value must be. Compiled once; nothing in it is text to interpret later.
#[derive(Debug, Clone)]
pub enum Test {
    /// This very text; for `Body` in small letters and without outer blanks.
    Exactly(String),
    /// A text with `*` for any run of characters.
    Like(Pattern),
    /// At least one of these holds.
    AnyOf(Vec<Test>),
    /// All of these hold.
    AllOf(Vec<Test>),
    /// The value is a key of this directory.
    In(Arc<Directory>),
    /// The regular expression is found in the value.
    Regex(Regex),
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
    /// The route's name, or [`DEFAULT`].
    pub name: &'t str,
    /// The reply for the request's channel.
    pub reply: &'t Reply,
}

/// Why a route does not answer a request: the first thing that does not hold.
#[derive(Debug)]
pub enum Miss<'t> {
    /// The request is at another step; the step that the route answers.
    Step(Option<&'t str>),
    /// The route says nothing on this channel.
    Silent(Channel),
    /// The first failing condition of the first table of `when`.
    Condition(&'t Condition),
}

impl Table {
    /// A table of these routes, in file order.
    #[must_use]
    pub fn new(routes: Vec<Route>, default: DefaultReplies) -> Self {
        Self { routes, default }
    }

    /// Its routes, in file order.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The reply of `[default]` on a channel.
    #[must_use]
    pub fn default_reply(&self, channel: Channel) -> &Reply {
        match channel {
            Channel::Voice => &self.default.voice,
            Channel::Message => &self.default.message,
        }
    }

    /// Every route in file order with why it does not answer; `None` means that it would.
    pub fn verdicts<'t>(
        &'t self,
        request: &Request<'_>,
    ) -> impl Iterator<Item = (&'t Route, Option<Miss<'t>>)> {
        self.routes
            .iter()
            .map(move |route| (route, route.miss(request)))
    }

    /// The first route in [`Table::verdicts`] that answers, else `[default]`.
    #[must_use]
    pub fn decide<'t>(&'t self, request: &Request<'_>) -> Decision<'t> {
        self.verdicts(request)
            .find(|(_, miss)| miss.is_none())
            .and_then(|(route, _)| {
                route.reply(request.channel()).map(|reply| Decision {
                    name: &route.name,
                    reply,
                })
            })
            .unwrap_or_else(|| Decision {
                name: DEFAULT,
                reply: self.default_reply(request.channel()),
            })
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

    /// Why it does not answer a request; `None` when it does.
    fn miss(&self, request: &Request<'_>) -> Option<Miss<'_>> {
        if self.step.as_deref().unwrap_or_default() != request.step() {
            return Some(Miss::Step(self.step.as_deref()));
        }
        if self.reply(request.channel()).is_none() {
            return Some(Miss::Silent(request.channel()));
        }
        let mut first = None;
        for conditions in &self.alternatives {
            match conditions
                .iter()
                .find(|condition| !condition.holds(request))
            {
                None => return None,
                Some(failing) => first = first.or(Some(failing)),
            }
        }
        first.map(Miss::Condition)
    }

    /// The first failing condition of each table of `when`, for whoever asks why the route does not answer.
    pub fn failing<'t>(&'t self, request: &Request<'_>) -> impl Iterator<Item = &'t Condition> {
        self.alternatives.iter().filter_map(move |conditions| {
            conditions
                .iter()
                .find(|condition| !condition.holds(request))
        })
    }
}

impl Condition {
    /// Whether the parameter is compared without regard to case and outer blanks: what people type.
    #[must_use]
    pub fn folds(parameter: &str) -> bool {
        parameter == "Body"
    }

    /// Whether it holds for a request.
    #[must_use]
    pub fn holds(&self, request: &Request<'_>) -> bool {
        let value = request.value(&self.parameter);
        let value = if Self::folds(&self.parameter) {
            Cow::Owned(folded(&value))
        } else {
            value
        };
        self.test.holds(&value)
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
            Self::Exactly(text) => text == value,
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
