//! The figures of a journal, sorted: what is drawn, and what `--format json` prints.

use jiff::Timestamp;
use jiff::civil::Weekday;
use serde::Serialize;

use super::{Count, Counter, Quiet};

/// All that was counted. Lists have the largest figures first; hours and weekdays are all there, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    /// Those whose caller or sender kept the number back.
    pub withheld: Count,
    /// Texts that seem to come from machines.
    pub machines: u64,
    /// By number of our own.
    pub numbers: Vec<NumberFigures>,
    /// Every answer, by route, `default` and `loop-guard` among them.
    pub routes: Vec<OfRoute>,
    /// Answers of the loop guard, by its reason.
    pub loop_guard: Vec<OfReason>,
    /// Replies that could not be written, so that the default answered, by route.
    pub failed: Vec<Failed>,
    /// Calls and texts by hour of the day.
    pub hours: Vec<OfHour>,
    /// Calls and texts by weekday, Monday first.
    pub weekdays: Vec<OfWeekday>,
    /// Numbers of the table that never came; `None` without a table.
    pub quiet: Option<Quiet>,
    /// Interactions, by the intercept that decided.
    pub intercepts: Vec<InterceptFigures>,
    /// Callbacks, by what they tell of.
    pub callbacks: Vec<OfType>,
    /// Events, by type.
    pub events: Vec<OfType>,
    /// Voice webhooks of Fone Dynamics, by event.
    pub voice_webhooks: Vec<OfType>,
    /// Answers by webhook and status.
    pub statuses: Vec<OfStatus>,
}

/// What came to a number of our own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NumberFigures {
    /// The number; `None` when it cannot be told which one is ours.
    pub number: Option<String>,
    /// Calls and texts.
    #[serde(flatten)]
    pub came: Count,
    /// Answers of the default.
    pub default: Count,
}

/// What a route answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OfRoute {
    /// Its name.
    pub route: String,
    /// Answers.
    #[serde(flatten)]
    pub answers: Count,
}

/// How often the reply of a route could not be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// Its name.
    pub route: String,
    /// How often.
    pub count: u64,
}

/// How often the loop guard answered for this reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OfReason {
    /// The reason.
    pub reason: String,
    /// How often.
    pub count: u64,
}

/// What came in an hour of the day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OfHour {
    /// From 0 to 23.
    pub hour: u8,
    /// Calls and texts.
    #[serde(flatten)]
    pub came: Count,
}

/// What came on a weekday.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OfWeekday {
    /// `Mon` to `Sun`.
    pub weekday: &'static str,
    /// Calls and texts.
    #[serde(flatten)]
    pub came: Count,
    /// The same by hour, from 0 to 23.
    pub hours: Vec<Count>,
}

/// What an intercept decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InterceptFigures {
    /// Its name; `pass` when none fitted.
    pub intercept: String,
    /// Interactions that were blocked.
    pub blocked: u64,
    /// Interactions that were let go on.
    pub passed: u64,
}

/// How many of a type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OfType {
    /// The type.
    #[serde(rename = "type")]
    pub kind: String,
    /// How many.
    pub count: u64,
}

/// How many answers of a webhook had this status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OfStatus {
    /// The word of the webhook.
    pub webhook: &'static str,
    /// The status.
    pub status: u16,
    /// How many.
    pub count: u64,
}

impl OfStatus {
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

impl Figures {
    /// Answers of the default.
    #[must_use]
    pub fn default(&self) -> Count {
        self.routes
            .iter()
            .find(|route| route.route == super::DEFAULT)
            .map_or(Count::default(), |route| route.answers)
    }

    /// All answers with a document.
    #[must_use]
    pub fn answers(&self) -> u64 {
        self.came.all() + self.came_back.all()
    }

    /// How many interactions were blocked, and how many let go on.
    #[must_use]
    pub fn decided(&self) -> (u64, u64) {
        self.intercepts
            .iter()
            .fold((0, 0), |(blocked, passed), of| {
                (blocked + of.blocked, passed + of.passed)
            })
    }
}

impl Counter {
    /// What was counted.
    #[must_use]
    pub fn figures(self) -> Figures {
        let mut numbers: Vec<NumberFigures> = self
            .numbers
            .into_sorted(|of| of.came.all())
            .into_iter()
            .map(|(number, of)| NumberFigures {
                number: Some(number),
                came: of.came,
                default: of.default,
            })
            .collect();
        let unknown = self.unknown_number;
        if unknown.came.all() + unknown.default.all() > 0 {
            numbers.push(NumberFigures {
                number: None,
                came: unknown.came,
                default: unknown.default,
            });
        }
        let counted = |tally: super::Tally<u64>| tally.into_sorted(|count| *count).into_iter();
        let types = |tally| {
            counted(tally)
                .map(|(kind, count)| OfType { kind, count })
                .collect()
        };
        Figures {
            from: self.from,
            to: self.to,
            timezone: self.zone.iana_name().unwrap_or("UTC").to_owned(),
            lines: self.lines,
            unreadable: self.unreadable,
            came: self.came,
            came_back: self.came_back,
            withheld: self.withheld,
            machines: self.machines,
            numbers,
            routes: self
                .routes
                .into_sorted(|count| count.all())
                .into_iter()
                .map(|(route, answers)| OfRoute { route, answers })
                .collect(),
            loop_guard: counted(self.guard)
                .map(|(reason, count)| OfReason { reason, count })
                .collect(),
            failed: counted(self.failed)
                .map(|(route, count)| Failed { route, count })
                .collect(),
            hours: hours(&self.week),
            weekdays: weekdays(&self.week),
            quiet: self.pinned.map(super::Pinned::quiet),
            intercepts: self
                .intercepts
                .into_sorted(|decided| decided.blocked + decided.passed)
                .into_iter()
                .map(|(intercept, decided)| InterceptFigures {
                    intercept,
                    blocked: decided.blocked,
                    passed: decided.passed,
                })
                .collect(),
            callbacks: types(self.callbacks),
            events: types(self.events),
            voice_webhooks: types(self.voice_webhooks),
            statuses: self
                .statuses
                .into_iter()
                .map(|((webhook, status), count)| OfStatus {
                    webhook,
                    status,
                    count,
                })
                .collect(),
        }
    }
}

fn sum(counts: impl Iterator<Item = Count>) -> Count {
    let mut sum = Count::default();
    counts.for_each(|count| sum += count);
    sum
}

fn hours(week: &[[Count; 24]; 7]) -> Vec<OfHour> {
    (0..24_u8)
        .map(|hour| OfHour {
            hour,
            came: sum(week.iter().map(|day| day[usize::from(hour)])),
        })
        .collect()
}

fn weekdays(week: &[[Count; 24]; 7]) -> Vec<OfWeekday> {
    let days = Weekday::Monday.cycle_forward();
    days.zip(week)
        .map(|(day, hours)| OfWeekday {
            weekday: match day {
                Weekday::Monday => "Mon",
                Weekday::Tuesday => "Tue",
                Weekday::Wednesday => "Wed",
                Weekday::Thursday => "Thu",
                Weekday::Friday => "Fri",
                Weekday::Saturday => "Sat",
                Weekday::Sunday => "Sun",
            },
            came: sum(hours.iter().copied()),
            hours: hours.to_vec(),
        })
        .collect()
}
