//! The figures of a journal: each section described once, for the terminal, the page and `--format json` alike.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::ser::{Serialize, Serializer};

use crate::table::DEFAULT;
use crate::twilio::channel::Channel;

/// How many distinct values of a kind have a count of their own; those that come later share one.
pub const DISTINCT_MAX: usize = 100_000;

/// The name under which values share a count. No route, number or type is called so.
pub const OTHERS: &str = "(others)";

/// All that was counted. Sections have the largest figures first; hours and weekdays are all there, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Figures {
    /// The time of the earliest line; `None` without lines.
    pub from: Option<Timestamp>,
    /// The time of the latest line.
    pub to: Option<Timestamp>,
    /// The zone of hours and weekdays.
    pub timezone: String,
    /// How many lines were counted.
    pub lines: u64,
    /// How many could not be read.
    pub unreadable: u64,
    /// Calls and texts, each once.
    pub came: Count,
    /// Requests of these that came back: a step, a repetition.
    pub came_back: Count,
    /// Those whose caller or sender withheld the number.
    pub withheld: Count,
    /// Texts that seem to come from machines.
    pub machines: u64,
    /// By number of our own; the row without a name is for those of which it is not certain which one is ours.
    pub numbers: Section<NumberCount>,
    /// Every answer, by route, `default` and `loop-guard` among them.
    pub routes: Section<Count>,
    /// Answers of the loop guard, by its reason.
    pub loop_guard: Section<Times>,
    /// Replies that could not be written, so that the default answered, by route.
    pub failed: Section<Times>,
    /// Calls and texts by hour of the day.
    pub hours: Vec<HourCount>,
    /// Calls and texts by weekday, Monday first.
    pub weekdays: Vec<WeekdayCount>,
    /// Numbers of the table that never came; `None` without a table.
    pub quiet: Option<Quiet>,
    /// Interactions, by the intercept that decided; `pass` when none fitted.
    pub intercepts: Section<Decided>,
    /// Callbacks, by what they report.
    pub callbacks: Section<Times>,
    /// Events, by type.
    pub events: Section<Times>,
    /// Voice webhooks of Fone Dynamics, by event.
    pub voice_webhooks: Section<Times>,
    /// Answers by webhook and status.
    pub statuses: Vec<StatusCount>,
}

impl Figures {
    /// Answers of the default.
    #[must_use]
    pub fn default_answers(&self) -> u64 {
        let rows = &self.routes.rows;
        rows.iter()
            .find(|(route, _)| route.as_deref() == Some(DEFAULT))
            .map_or(0, |(_, count)| count.all())
    }

    /// All answers with a document.
    #[must_use]
    pub fn answers(&self) -> u64 {
        self.came.all() + self.came_back.all()
    }
}

/// Rows of figures that belong together. JSON has an array of objects, each with its name below [`Section::of`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Section<T> {
    /// What people read above it.
    pub title: &'static str,
    /// What the rows are named after.
    pub of: &'static str,
    /// Names with what was counted of them.
    pub rows: Vec<(Option<String>, T)>,
}

/// What is counted of each row of a section.
pub trait Counted {
    /// The headings of the figures. The first figure, or the first two together, is the length of a bar.
    const COLUMNS: &'static [&'static str];

    /// The figures, as many as there are headings.
    fn figures(&self) -> Vec<u64>;
}

impl<T: Serialize> Serialize for Section<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Row<'s, T> {
            #[serde(flatten)]
            name: BTreeMap<&'static str, &'s Option<String>>,
            #[serde(flatten)]
            counted: &'s T,
        }
        serializer.collect_seq(self.rows.iter().map(|(name, counted)| Row {
            name: BTreeMap::from([(self.of, name)]),
            counted,
        }))
    }
}

/// Calls and texts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Count {
    /// Calls.
    pub calls: u64,
    /// Texts.
    pub texts: u64,
}

impl Count {
    /// Both together.
    #[must_use]
    pub fn all(self) -> u64 {
        self.calls + self.texts
    }

    /// Counts one more.
    pub(super) fn add(&mut self, channel: Channel) {
        match channel {
            Channel::Voice => self.calls += 1,
            Channel::Message => self.texts += 1,
        }
    }
}

impl Counted for Count {
    const COLUMNS: &'static [&'static str] = &["calls", "texts"];

    fn figures(&self) -> Vec<u64> {
        vec![self.calls, self.texts]
    }
}

impl std::iter::Sum for Count {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |sum, count| Self {
            calls: sum.calls + count.calls,
            texts: sum.texts + count.texts,
        })
    }
}

/// What came to a number of our own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct NumberCount {
    /// Calls and texts.
    #[serde(flatten)]
    pub came: Count,
    /// Answers of the default.
    pub default: Count,
}

impl Counted for NumberCount {
    const COLUMNS: &'static [&'static str] = &["calls", "texts", "default"];

    fn figures(&self) -> Vec<u64> {
        vec![self.came.calls, self.came.texts, self.default.all()]
    }
}

/// What an intercept decided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Decided {
    /// Interactions that were blocked.
    pub blocked: u64,
    /// Interactions that were let go on.
    pub passed: u64,
}

impl Counted for Decided {
    const COLUMNS: &'static [&'static str] = &["blocked", "let go on"];

    fn figures(&self) -> Vec<u64> {
        vec![self.blocked, self.passed]
    }
}

/// How often something came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Times {
    /// How often.
    pub count: u64,
}

impl Counted for Times {
    const COLUMNS: &'static [&'static str] = &["count"];

    fn figures(&self) -> Vec<u64> {
        vec![self.count]
    }
}

/// What came in an hour of the day.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct HourCount {
    /// From 0 to 23.
    pub hour: u8,
    /// Calls and texts.
    #[serde(flatten)]
    pub came: Count,
}

/// What came on a weekday.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct WeekdayCount {
    /// `Mon` to `Sun`.
    pub weekday: &'static str,
    /// Calls and texts.
    #[serde(flatten)]
    pub came: Count,
    /// The same by hour, from 0 to 23.
    pub hours: Vec<Count>,
}

/// How many answers of a webhook had this status.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct StatusCount {
    /// The word of the webhook.
    pub webhook: &'static str,
    /// The status.
    pub status: u16,
    /// How many.
    pub count: u64,
}

impl StatusCount {
    /// Whether the webhook answers so when nothing is wrong.
    #[must_use]
    pub fn is_usual(&self) -> bool {
        match self.webhook {
            "out-of-session" | "webhook" => self.status == 200,
            "intercept" => matches!(self.status, 204 | 403),
            _ => self.status == 204,
        }
    }
}

/// The numbers of a table that never came.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Quiet {
    /// How many numbers the table is pinned to.
    pub pinned: usize,
    /// Those that no line names, in order.
    pub never: Vec<String>,
    /// Those that no line names whole, but that a masked number may be.
    pub uncertain: Vec<String>,
    /// Those of a form that a line never holds whole, such as a SIP address: nothing is known of them.
    pub unkept: Vec<String>,
}
