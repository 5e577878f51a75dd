//! A line of the journal: what is kept of a request, and what never is.
//!
//! One format for writing and for reading. A line holds nobody's number whole but our own, and of what people say
//! nothing at all, unless the operator asks for it by name. Files and threads are the business of [`crate::service::journal_writer`].

mod allowed;
mod pairs;
mod recorded;
mod written;

use std::borrow::Cow;
use std::collections::HashSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub(crate) use self::allowed::is_own as may_be_own;
pub use self::pairs::{Names, Pairs};
pub use self::recorded::{Known, Recorded};
pub use self::written::{event, request};

use crate::twilio::request::{Form, Webhook};

/// One line, in the order of its fields. Fields that are `None` are written as null, so that every line has the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line<'a> {
    /// When it was answered, RFC 3339 in UTC with milliseconds.
    #[serde(borrow)]
    pub time: Cow<'a, str>,
    /// The word of the webhook, [`Webhook::as_str`].
    #[serde(borrow)]
    pub webhook: Cow<'a, str>,
    /// `voice` or `message`; `None` for an event.
    #[serde(borrow)]
    pub channel: Option<Cow<'a, str>>,
    /// The route or intercept that answered, `default`, `loop-guard` or `pass`; `None` when nothing decides.
    #[serde(borrow)]
    pub route: Option<Cow<'a, str>>,
    /// The status of the answer.
    pub status: u16,
    /// From the request's head to its answer.
    pub microseconds: u64,
    /// Why the loop guard answered, a word of [`crate::table::guard::Verdict::word`]; `None` when it did not.
    #[serde(borrow)]
    pub guard: Option<Cow<'a, str>>,
    /// The route whose reply could not be written, so that `default` answered; `default` when the answer panicked.
    #[serde(borrow)]
    pub failed: Option<Cow<'a, str>>,
    /// Whether it is a text of a machine, which only routes with `answer_machines` answer.
    pub machine: bool,
    /// The SID of the call, text or interaction, or the id of the event.
    #[serde(borrow)]
    pub sid: Option<Cow<'a, str>>,
    /// Our own number; `None` when none is known to be ours.
    #[serde(borrow)]
    pub number: Option<Cow<'a, str>>,
    /// Whether the caller or sender keeps the number to himself; `None` when nobody is named.
    pub withheld: Option<bool>,
    /// The query's `step`.
    #[serde(borrow)]
    pub step: Option<Cow<'a, str>>,
    /// The type of the event.
    #[serde(borrow)]
    pub event: Option<Cow<'a, str>>,
    /// Parameters with their whole values, as they were sent. One that is nowhere in the line was absent or empty.
    #[serde(borrow)]
    pub parameters: Pairs<'a>,
    /// Numbers and addresses of other people, masked as [`crate::twilio::types::masked`] does.
    #[serde(borrow)]
    pub masked: Pairs<'a>,
    /// The names of the other parameters that had a value.
    #[serde(borrow)]
    pub left_out: Names<'a>,
    /// How many parameters had a value and a name that is not written: too long, unprintable, or with a number in it.
    pub unnamed: usize,
}

/// What is handed to the journal of a request that was answered.
#[derive(Debug, Clone)]
pub struct Told {
    /// The moment that the decision went by.
    pub time: Timestamp,
    /// Which webhook was asked.
    pub webhook: Webhook,
    /// The fields of the body.
    pub body: Form,
    /// The fields of the query.
    pub query: Form,
    /// [`Line::route`]
    pub route: Option<Box<str>>,
    /// [`Line::status`]
    pub status: u16,
    /// [`Line::microseconds`]
    pub microseconds: u64,
    /// [`Line::guard`]
    pub guard: Option<&'static str>,
    /// [`Line::failed`]
    pub failed: Option<Box<str>>,
}

impl Told {
    /// About how much memory it takes, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        size_of::<Self>() + self.body.size() + self.query.size()
    }
}

/// What lines hold beyond the rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Beyond {
    /// Parameters whose values are kept, whatever they are. A dotted name reaches into JSON.
    pub values: HashSet<String>,
    /// Whether all numbers are kept whole.
    pub numbers: bool,
}

impl Line<'_> {
    /// Adds the line to some bytes, with its line feed.
    pub fn write(&self, to: &mut Vec<u8>) {
        serde_json::to_writer(&mut *to, self).expect("a line is texts, numbers and words");
        to.push(b'\n');
    }
}

impl<'a> Line<'a> {
    /// Reads a line; a line feed at its end does not matter, nor do fields that are unknown.
    ///
    /// # Errors
    ///
    /// Anything that is no JSON object with the fields of a line.
    pub fn parse(text: &'a [u8]) -> Result<Self, NoLine> {
        serde_json::from_slice(text).map_err(|_| NoLine)
    }

    /// Reads a line and the moment of it.
    ///
    /// # Errors
    ///
    /// Those of [`Line::parse`], or somebody has written something else where the time is.
    pub fn with_moment(text: &'a [u8]) -> Result<(Self, Timestamp), NoLine> {
        let line = Self::parse(text)?;
        let moment = line.time.parse().map_err(|_| NoLine)?;
        Ok((line, moment))
    }

    /// Whether an interaction was blocked, when the line is of an intercept.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        // Source: <https://www.twilio.com/docs/proxy/api/webhooks#interceptcallbackurl>.
        const BLOCKED: u16 = 403;
        self.status == BLOCKED
    }
}

/// A text that is no line of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoLine;
