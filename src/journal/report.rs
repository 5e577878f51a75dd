//! What a journal tells: how many calls and texts came, where and when, and what they got.
//!
//! Counts lines one by one and keeps none of them. Memory is bounded by the distinct values in the lines, and of these
//! no more than [`DISTINCT_MAX`] of a kind have a count of their own. Reading and drawing are the shell's.

mod figures;
mod numbers;
mod tally;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

pub use self::figures::{
    Failed, Figures, InterceptFigures, NumberFigures, OfHour, OfReason, OfRoute, OfStatus, OfType,
    OfWeekday,
};
pub use self::numbers::{Pinned, Quiet};
use self::tally::Tally;
use crate::journal::line::{Line, NoLine};
use crate::table::DEFAULT;
use crate::table::guard::LOOP_GUARD;
use crate::twilio::channel::Channel;
use crate::twilio::request::Webhook;

/// How many distinct values of a kind have a count of their own; those that come later share one.
pub const DISTINCT_MAX: usize = 100_000;

/// The name under which values share a count. No route, number or type is called so.
pub const OTHERS: &str = "(others)";

/// How many calls and texts are remembered by their SIDs, the latest, so that one that comes back is known.
const KNOWN_MAX: usize = 65_536;

/// Calls and texts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
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

    fn add(&mut self, channel: Channel) {
        match channel {
            Channel::Voice => self.calls += 1,
            Channel::Message => self.texts += 1,
        }
    }
}

impl std::ops::AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.texts += other.texts;
    }
}

/// What came to one of our numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct OfNumber {
    came: Count,
    default: Count,
}

/// How often an intercept, or none, decided so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Decided {
    blocked: u64,
    passed: u64,
}

/// Counts the lines of a journal.
#[derive(Debug)]
pub struct Counter {
    zone: TimeZone,
    pinned: Option<Pinned>,
    known: Known,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    lines: u64,
    unreadable: u64,
    came: Count,
    came_back: Count,
    withheld: Count,
    machines: u64,
    numbers: Tally<OfNumber>,
    unknown_number: OfNumber,
    routes: Tally<Count>,
    guard: Tally<u64>,
    failed: Tally<u64>,
    /// By weekday, Monday first, and hour.
    week: [[Count; 24]; 7],
    intercepts: Tally<Decided>,
    callbacks: Tally<u64>,
    events: Tally<u64>,
    voice_webhooks: Tally<u64>,
    statuses: BTreeMap<(&'static str, u16), u64>,
}

impl Counter {
    /// Nothing counted yet. Hours and weekdays are those of this zone's wall clock; of the numbers that a table is
    /// pinned to, those that never come are told when there is a table.
    #[must_use]
    pub fn new(zone: TimeZone, pinned: Option<Pinned>) -> Self {
        Self {
            zone,
            pinned,
            known: Known::default(),
            from: None,
            to: None,
            lines: 0,
            unreadable: 0,
            came: Count::default(),
            came_back: Count::default(),
            withheld: Count::default(),
            machines: 0,
            numbers: Tally::default(),
            unknown_number: OfNumber::default(),
            routes: Tally::default(),
            guard: Tally::default(),
            failed: Tally::default(),
            week: [[Count::default(); 24]; 7],
            intercepts: Tally::default(),
            callbacks: Tally::default(),
            events: Tally::default(),
            voice_webhooks: Tally::default(),
            statuses: BTreeMap::new(),
        }
    }

    /// Counts a line as it stands in its file.
    ///
    /// # Errors
    ///
    /// It is no line of a journal, or its time is none; that is counted, too.
    pub fn add(&mut self, text: &[u8]) -> Result<(), NoLine> {
        match Line::with_moment(text) {
            Ok((line, moment)) => {
                self.add_line(&line, moment);
                Ok(())
            }
            Err(error) => {
                self.unreadable += 1;
                Err(error)
            }
        }
    }

    fn add_line(&mut self, line: &Line<'_>, moment: Timestamp) {
        self.lines += 1;
        self.from = Some(self.from.map_or(moment, |from| from.min(moment)));
        self.to = Some(self.to.map_or(moment, |to| to.max(moment)));
        if let Some(pinned) = &mut self.pinned {
            pinned.see(line);
        }
        let webhook = Webhook::from_name(&line.webhook);
        let word = webhook.map_or(OTHERS, Webhook::as_str);
        *self.statuses.entry((word, line.status)).or_default() += 1;
        match webhook {
            Some(Webhook::OutOfSession | Webhook::Plain) => self.add_answer(line, moment),
            Some(Webhook::Intercept) => {
                let decided = self.intercepts.of(line.route.as_deref().unwrap_or(OTHERS));
                if line.is_blocked() {
                    decided.blocked += 1;
                } else {
                    decided.passed += 1;
                }
            }
            Some(Webhook::Callback) => *self.callbacks.of(&type_of_callback(line)) += 1,
            Some(Webhook::Events) => {
                *self.events.of(line.event.as_deref().unwrap_or(OTHERS)) += 1;
            }
            Some(Webhook::VoiceWebhooks) => {
                let kind = line.parameters.get("Event").unwrap_or(OTHERS);
                *self.voice_webhooks.of(kind) += 1;
            }
            None => {}
        }
    }

    /// Counts what was answered with a document.
    fn add_answer(&mut self, line: &Line<'_>, moment: Timestamp) {
        // Lines of calls and texts have a channel, else they are not of this program.
        let channel = line.channel.as_deref().and_then(Channel::from_name);
        let channel = channel.unwrap_or(Channel::Voice);
        let route = line.route.as_deref().unwrap_or(OTHERS);
        self.routes.of(route).add(channel);
        if let Some(reason) = line.guard.as_deref() {
            *self.guard.of(reason) += 1;
        } else if route == LOOP_GUARD {
            *self.guard.of(OTHERS) += 1;
        }
        if let Some(route) = line.failed.as_deref() {
            *self.failed.of(route) += 1;
        }
        let number = match line.number.as_deref() {
            Some(number) => self.numbers.of(number),
            None => &mut self.unknown_number,
        };
        if route == DEFAULT {
            number.default.add(channel);
        }
        // A step, or a SID that came before, is the same call once more.
        let has_step = line.step.as_deref().is_some_and(|step| !step.is_empty());
        let is_known = line.sid.as_deref().is_some_and(|sid| self.known.knows(sid));
        if has_step || is_known {
            self.came_back.add(channel);
            return;
        }
        number.came.add(channel);
        self.came.add(channel);
        if line.withheld == Some(true) {
            self.withheld.add(channel);
        }
        self.machines += u64::from(line.machine);
        let clock = self.zone.to_datetime(moment);
        let day = clock.weekday().to_monday_zero_offset();
        let hour = clock.hour();
        let place = usize::try_from(day).ok().zip(usize::try_from(hour).ok());
        let (day, hour) = place.expect("a weekday and an hour are small and not negative");
        self.week[day][hour].add(channel);
    }
}

/// What a callback tells of, as Twilio sends it: `interactionType=Message`, `CallStatus=completed`.
fn type_of_callback<'a>(line: &Line<'a>) -> Cow<'a, str> {
    const TYPES: [&str; 8] = [
        "interactionType",
        "StatusCallbackEvent",
        "RecordingStatus",
        "EventType",
        "MessageStatus",
        "SmsStatus",
        "DialCallStatus",
        "CallStatus",
    ];
    let found = TYPES
        .into_iter()
        .find_map(|name| Some(format!("{name}={}", line.parameters.get(name)?)));
    found.map_or(Cow::Borrowed(OTHERS), Cow::Owned)
}

/// The SIDs that came lately, as hashes: two that agree by chance are one in millions of millions.
#[derive(Debug, Default)]
struct Known {
    hasher: RandomState,
    hashes: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Known {
    /// Whether it came before; from now on it did.
    fn knows(&mut self, sid: &str) -> bool {
        let hash = self.hasher.hash_one(sid);
        if !self.hashes.insert(hash) {
            return true;
        }
        if self.order.len() == KNOWN_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.hashes.remove(&oldest);
        }
        self.order.push_back(hash);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_sids_are_known() {
        let mut known = Known::default();
        assert!(!known.knows("CA1"));
        assert!(known.knows("CA1"));
        for number in 0..KNOWN_MAX {
            assert!(!known.knows(&format!("SM{number}")));
        }
        assert_eq!(known.hashes.len(), KNOWN_MAX);
        assert!(!known.knows("CA1"), "it is too long ago");
    }
}
