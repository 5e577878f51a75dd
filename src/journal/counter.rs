//! Counts the lines of a journal: how many calls and texts came, where and when, and what they got.
//!
//! Keeps none of the lines. Memory is bounded by the distinct values in the lines, and of these no more than
//! [`DISTINCT_MAX`] of a kind have a count of their own. Reading and drawing are the shell's.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::journal::figures::{
    Count, Counted, DISTINCT_MAX, Decided, Figures, HourCount, NumberCount, OTHERS, Section,
    StatusCount, Times, WeekdayCount,
};
use crate::journal::line::{Line, NoLine};
use crate::journal::pinned::Pinned;
use crate::table::DEFAULT;
use crate::table::guard::LOOP_GUARD;
use crate::twilio::channel::Channel;
use crate::twilio::request::Webhook;

/// The most bytes of a name. The service writes none that long.
const NAME_MAX: usize = 256;

/// How many of the latest calls and texts are remembered by their SIDs, to recognize one that comes back.
const KNOWN_MAX: usize = 65_536;

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Counts the lines of a journal.
#[derive(Debug)]
pub struct Counter {
    zone: TimeZone,
    pinned: Option<Pinned>,
    latest: LatestSids,
    /// What has no rows.
    figures: Figures,
    numbers: Tally<NumberCount>,
    unknown_number: NumberCount,
    routes: Tally<Count>,
    guard: Tally<Times>,
    failed: Tally<Times>,
    /// By weekday, Monday first, and hour.
    week: [[Count; 24]; 7],
    intercepts: Tally<Decided>,
    callbacks: Tally<Times>,
    events: Tally<Times>,
    voice_webhooks: Tally<Times>,
    statuses: BTreeMap<(&'static str, u16), u64>,
}

impl Counter {
    /// Nothing counted yet. Hours and weekdays are those of this zone's wall clock; numbers that never come are known
    /// when there is a table that is pinned to them.
    #[must_use]
    pub fn new(zone: TimeZone, pinned: Option<Pinned>) -> Self {
        Self {
            figures: Figures {
                timezone: zone.iana_name().unwrap_or("UTC").to_owned(),
                ..Figures::default()
            },
            zone,
            pinned,
            latest: LatestSids::default(),
            numbers: Tally::default(),
            unknown_number: NumberCount::default(),
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
    /// It is not a line of a journal, or its time cannot be read. The line is counted as unreadable.
    pub fn add(&mut self, text: &[u8]) -> Result<(), NoLine> {
        match Line::with_moment(text) {
            Ok((line, moment)) => {
                self.add_line(&line, moment);
                Ok(())
            }
            Err(error) => {
                self.figures.unreadable += 1;
                Err(error)
            }
        }
    }

    fn add_line(&mut self, line: &Line<'_>, moment: Timestamp) {
        let Figures {
            lines, from, to, ..
        } = &mut self.figures;
        *lines += 1;
        *from = Some(from.map_or(moment, |from| from.min(moment)));
        *to = Some(to.map_or(moment, |to| to.max(moment)));
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
            Some(Webhook::Callback) => self.callbacks.of(&type_of_callback(line)).count += 1,
            Some(Webhook::Events) => {
                self.events
                    .of(line.event.as_deref().unwrap_or(OTHERS))
                    .count += 1;
            }
            Some(Webhook::VoiceWebhooks) => {
                let kind = line.parameters.get("Event").unwrap_or(OTHERS);
                self.voice_webhooks.of(kind).count += 1;
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
            self.guard.of(reason).count += 1;
        } else if route == LOOP_GUARD {
            self.guard.of(OTHERS).count += 1;
        }
        if let Some(route) = line.failed.as_deref() {
            self.failed.of(route).count += 1;
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
        let is_known = line.sid.as_deref().is_some_and(|sid| self.latest.has(sid));
        if has_step || is_known {
            self.figures.came_back.add(channel);
            return;
        }
        number.came.add(channel);
        self.figures.came.add(channel);
        if line.withheld == Some(true) {
            self.figures.withheld.add(channel);
        }
        self.figures.machines += u64::from(line.machine);
        let clock = self.zone.to_datetime(moment);
        let day = clock.weekday().to_monday_zero_offset();
        let hour = clock.hour();
        let place = usize::try_from(day).ok().zip(usize::try_from(hour).ok());
        let (day, hour) = place.expect("a weekday and an hour are small and not negative");
        self.week[day][hour].add(channel);
    }

    /// What was counted.
    #[must_use]
    pub fn figures(self) -> Figures {
        let mut numbers = self.numbers.into_section("Numbers", "number");
        if self.unknown_number != NumberCount::default() {
            numbers.rows.push((None, self.unknown_number));
        }
        let week = &self.week;
        let hours = (0..24_u8).map(|hour| HourCount {
            hour,
            came: week.iter().map(|day| day[usize::from(hour)]).sum(),
        });
        let weekdays = WEEKDAYS.into_iter().zip(week);
        let weekdays = weekdays.map(|(weekday, hours)| WeekdayCount {
            weekday,
            came: hours.iter().copied().sum(),
            hours: hours.to_vec(),
        });
        let statuses = self.statuses.into_iter();
        let statuses = statuses.map(|((webhook, status), count)| StatusCount {
            webhook,
            status,
            count,
        });
        Figures {
            numbers,
            routes: self.routes.into_section("Routes", "route"),
            loop_guard: self.guard.into_section("Loop guard", "reason"),
            failed: self.failed.into_section("Unwritten replies", "route"),
            hours: hours.collect(),
            weekdays: weekdays.collect(),
            quiet: self.pinned.map(Pinned::quiet),
            intercepts: self.intercepts.into_section("Intercepts", "intercept"),
            callbacks: self.callbacks.into_section("Callbacks", "type"),
            events: self.events.into_section("Events", "type"),
            voice_webhooks: self.voice_webhooks.into_section("Voice webhooks", "type"),
            statuses: statuses.collect(),
            ..self.figures
        }
    }
}

/// What a callback reports, as Twilio sends it: `interactionType=Message`, `CallStatus=completed`.
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

/// The latest SIDs, as hashes: two of them agree by chance once in millions of millions.
#[derive(Debug, Default)]
struct LatestSids {
    hasher: RandomState,
    hashes: HashSet<u64>,
    order: VecDeque<u64>,
}

impl LatestSids {
    /// Whether it came before; from now on it has.
    fn has(&mut self, sid: &str) -> bool {
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

/// A count for each name. When there are too many names, the later ones share the count of [`OTHERS`].
#[derive(Debug)]
struct Tally<T>(HashMap<Box<str>, T>);

impl<T> Default for Tally<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: Default + Counted> Tally<T> {
    /// The count of a name.
    fn of(&mut self, name: &str) -> &mut T {
        let name = cut(name);
        let has_room = self.0.len() < DISTINCT_MAX || self.0.contains_key(name);
        let name = if has_room { name } else { OTHERS };
        if !self.0.contains_key(name) {
            self.0.insert(name.into(), T::default());
        }
        self.0.get_mut(name).expect("it is there now")
    }

    /// All counts: those with the longest bar first, those of one length by name, and [`OTHERS`] at the end.
    fn into_section(self, title: &'static str, of: &'static str) -> Section<T> {
        let length = |counted: &T| counted.figures().iter().take(2).sum::<u64>();
        let mut rows: Vec<(Option<String>, T)> = self
            .0
            .into_iter()
            .map(|(name, counted)| (Some(name.into()), counted))
            .collect();
        rows.sort_by_cached_key(|(name, counted)| {
            let is_rest = name.as_deref() == Some(OTHERS);
            (is_rest, Reverse(length(counted)), name.clone())
        });
        Section { title, of, rows }
    }
}

/// The beginning of a name, as long as it may be.
fn cut(name: &str) -> &str {
    let mut end = name.len().min(NAME_MAX);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_sids_are_known() {
        let mut latest = LatestSids::default();
        assert!(!latest.has("CA1"));
        assert!(latest.has("CA1"));
        for number in 0..KNOWN_MAX {
            assert!(!latest.has(&format!("SM{number}")));
        }
        assert_eq!(latest.hashes.len(), KNOWN_MAX);
        assert!(!latest.has("CA1"), "it is too long ago");
    }

    #[test]
    fn names_beyond_the_limit_share_a_count() {
        let mut tally = Tally::<Times>::default();
        for number in 0..DISTINCT_MAX + 7 {
            tally.of(&number.to_string()).count += 1;
        }
        tally.of("0").count += 1;
        let sorted = tally.into_section("", "").rows;
        assert_eq!(sorted.len(), DISTINCT_MAX + 1);
        assert_eq!(sorted[0], (Some("0".to_owned()), Times { count: 2 }));
        assert_eq!(
            sorted[DISTINCT_MAX],
            (Some(OTHERS.to_owned()), Times { count: 7 })
        );
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        let mut tally = Tally::<Times>::default();
        tally.of(&"\u{e9}".repeat(1000)).count += 1;
        tally.of(&format!("x{}", "\u{e9}".repeat(1000))).count += 1;
        let sorted = tally.into_section("", "").rows;
        let lengths: Vec<usize> = sorted
            .iter()
            .filter_map(|(name, _)| name.as_ref().map(String::len))
            .collect();
        assert_eq!(lengths, [255, 256]);
    }
}
