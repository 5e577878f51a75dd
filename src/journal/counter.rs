//! Counts the lines of a journal: how many calls and texts came, where and when, and what they got.
//!
//! Keeps none of the lines. Memory is bounded by the distinct values in the lines, and of these no more than
//! [`DISTINCT_MAX`](super::figures::DISTINCT_MAX) of a kind have a count of their own. Reading and drawing are the shell's.

use std::hash::{BuildHasher, RandomState};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::journal::figures::{Figures, OTHERS};
use crate::journal::latest::Latest;
use crate::journal::line::{Line, NoLine};
use crate::journal::pinned::Pinned;
use crate::table::DEFAULT;
use crate::table::guard::LOOP_GUARD;
use crate::twilio::channel::Channel;
use crate::twilio::request::Webhook;

/// How many of the latest calls and texts are remembered by their SIDs, to recognize one that comes back.
const KNOWN_MAX: usize = 65_536;

#[derive(Debug)]
pub(crate) struct Counter {
    zone: TimeZone,
    pinned: Option<Pinned>,
    /// The latest SIDs, as hashes: two of them agree by chance once in millions of millions.
    latest: Latest<u64, KNOWN_MAX>,
    hasher: RandomState,
    figures: Figures,
}

impl Counter {
    /// Hours and weekdays are those of this zone's wall clock; numbers that never come are known when there is a table
    /// that is pinned to them.
    pub(crate) fn new(zone: TimeZone, pinned: Option<Pinned>) -> Self {
        Self {
            figures: Figures::new(zone.iana_name().unwrap_or("UTC")),
            zone,
            pinned,
            latest: Latest::default(),
            hasher: RandomState::new(),
        }
    }

    /// Counts a line as it stands in its file. One that cannot be read is counted as such, and is the error.
    pub(crate) fn add(&mut self, text: &[u8]) -> Result<(), NoLine> {
        let (line, moment) =
            Line::with_moment(text).inspect_err(|_| self.figures.unreadable += 1)?;
        if let Some(pinned) = &mut self.pinned {
            pinned.see(&line);
        }
        let figures = &mut self.figures;
        figures.lines += 1;
        figures.from = Some(figures.from.map_or(moment, |from| from.min(moment)));
        figures.to = figures.to.max(Some(moment));
        let webhook = Webhook::from_name(&line.webhook);
        let word = webhook.map_or(OTHERS, Webhook::as_str);
        *figures.statuses.entry((word, line.status)).or_default() += 1;
        match webhook {
            Some(Webhook::OutOfSession | Webhook::Plain) => self.add_answer(&line, moment),
            Some(Webhook::Intercept) => {
                let decided = figures.intercepts.count(or_others(line.route.as_deref()));
                if line.is_blocked() {
                    decided.blocked += 1;
                } else {
                    decided.passed += 1;
                }
            }
            Some(Webhook::Callback) => {
                figures.callbacks.count(&type_of_callback(&line)).count += 1;
            }
            Some(Webhook::Events) => {
                let kind = or_others(line.event.as_deref());
                figures.events.count(kind).count += 1;
            }
            Some(Webhook::VoiceWebhooks) => {
                let kind = or_others(line.parameters.get("Event"));
                figures.voice_webhooks.count(kind).count += 1;
            }
            None => {}
        }
        Ok(())
    }

    /// Counts what was answered with a document.
    fn add_answer(&mut self, line: &Line<'_>, moment: Timestamp) {
        let figures = &mut self.figures;
        // Lines of calls and texts have a channel, else they are not of this program.
        let channel = line.channel.as_deref().and_then(Channel::from_name);
        let channel = channel.unwrap_or(Channel::Voice);
        let route = or_others(line.route.as_deref());
        figures.routes.count(route).add(channel);
        if line.guard.is_some() || route == LOOP_GUARD {
            let reason = or_others(line.guard.as_deref());
            figures.loop_guard.count(reason).count += 1;
        }
        if let Some(route) = line.failed.as_deref() {
            figures.failed.count(route).count += 1;
        }
        let number = match line.number.as_deref() {
            Some(number) => figures.numbers.count(number),
            None => &mut figures.numbers.unnamed,
        };
        if route == DEFAULT {
            number.default.add(channel);
        }
        // A step, or a SID that came before, is the same call once more.
        let has_step = line.step.as_deref().is_some_and(|step| !step.is_empty());
        let sid = line.sid.as_deref().map(|sid| self.hasher.hash_one(sid));
        let is_known = sid.is_some_and(|sid| !self.latest.add(sid));
        if has_step || is_known {
            figures.came_back.add(channel);
            return;
        }
        number.came.add(channel);
        figures.came.add(channel);
        if line.withheld == Some(true) {
            figures.withheld.add(channel);
        }
        figures.machines += u64::from(line.machine);
        let clock = self.zone.to_datetime(moment);
        let day = usize::try_from(clock.weekday().to_monday_zero_offset());
        let hour = usize::try_from(clock.hour()).expect("it is from 0 to 23");
        let weekday = &mut figures.weekdays[day.expect("it is from 0 to 6")];
        weekday.came.add(channel);
        weekday.hours[hour].add(channel);
        figures.hours[hour].came.add(channel);
    }

    /// What was counted.
    pub(crate) fn figures(self) -> Figures {
        Figures {
            quiet: self.pinned.map(Pinned::quiet),
            ..self.figures
        }
    }
}

fn or_others(name: Option<&str>) -> &str {
    name.unwrap_or(OTHERS)
}

/// What a callback reports, as Twilio sends it: `interactionType=Message`, `CallStatus=completed`.
fn type_of_callback(line: &Line<'_>) -> String {
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
    found.unwrap_or_else(|| OTHERS.to_owned())
}
