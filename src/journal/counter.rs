//! Counts the lines of a journal: how many calls and texts came, where and when, and which answers they got.
//!
//! Keeps none of the lines. Memory is bounded by the distinct values in them, of which at most
//! [`DISTINCT_MAX`](super::figures::DISTINCT_MAX) of a kind have their own counts. The shell reads and draws.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::journal::figures::{Figures, MostDefaults, NumberCount, OTHERS};
use crate::journal::latest::Latest;
use crate::journal::line::{Line, NoLine};
use crate::journal::pinned::Pinned;
use crate::journal::table_view::TableView;
use crate::table::guard::LOOP_GUARD;
use crate::table::{DEFAULT, Table};
use crate::twilio::channel::Channel;
use crate::twilio::request::Webhook;

/// How many of the latest calls and texts are remembered by SID, to recognize one that comes back.
const KNOWN_MAX: usize = 65_536;

#[derive(Debug)]
pub(crate) struct Counter<'t> {
    zone: TimeZone,
    table: Option<TableView<'t>>,
    pinned: Option<Pinned>,
    /// The parameters in the table's conditions.
    asked: BTreeSet<&'t str>,
    /// Hashes of the latest SIDs. A collision is extremely unlikely.
    latest: Latest<u64, KNOWN_MAX>,
    hasher: RandomState,
    figures: Figures,
}

impl<'t> Counter<'t> {
    /// Counts days and hours by this zone's wall clock. A table adds what is known about its numbers.
    pub(crate) fn new(zone: TimeZone, table: Option<&'t Table>) -> Self {
        Self {
            figures: Figures::new(zone.iana_name().unwrap_or("UTC")),
            zone,
            asked: table.map(Table::asked).unwrap_or_default(),
            table: table.map(TableView::of),
            pinned: table.map(Pinned::of),
            latest: Latest::default(),
            hasher: RandomState::new(),
        }
    }

    /// Counts a line as it is in its file. One that cannot be read is counted as such, and is the error.
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
        if webhook.is_some_and(Webhook::is_decided) {
            self.add_left_out(&line);
        }
        Ok(())
    }

    /// Counts the values that the table's conditions ask for and that the line lacks.
    fn add_left_out(&mut self, line: &Line<'_>) {
        for name in &self.asked {
            let sent = name.split('.').next().unwrap_or_default();
            let is_kept = line.parameters.get(name).is_some();
            if !is_kept && (line.left_out.has(name) || line.left_out.has(sent)) {
                self.figures.left_out.count(name).count += 1;
            }
        }
    }

    /// Counts an answer with a document.
    fn add_answer(&mut self, line: &Line<'_>, moment: Timestamp) {
        let figures = &mut self.figures;
        // This program writes a channel into every line of a call or a text.
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
        // A step or a known SID means that the same call or text has come back.
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
        figures.add_day(clock.date(), channel);
        let day = usize::try_from(clock.weekday().to_monday_zero_offset());
        let hour = usize::try_from(clock.hour()).expect("it is from 0 to 23");
        let weekday = &mut figures.weekdays[day.expect("it is from 0 to 6")];
        weekday.came.add(channel);
        weekday.hours[hour].add(channel);
        figures.hours[hour].came.add(channel);
    }

    /// Completes and returns the figures.
    pub(crate) fn figures(mut self) -> Figures {
        self.figures.most_defaults = self.most_defaults();
        if let Some(table) = &self.table {
            for number in self.figures.numbers.named.keys() {
                if let Some(name) = table.name_of(number) {
                    let name = name.to_owned();
                    self.figures.names.insert(number.to_string(), name);
                }
            }
        }
        self.figures.quiet = self.pinned.map(Pinned::quiet);
        self.figures
    }

    /// The number with the most answers by the default; `None` without any, or when that number is unknown.
    fn most_defaults(&self) -> Option<MostDefaults> {
        let defaults = |(_, count): &(Option<&str>, NumberCount)| count.default.all();
        let rows = self.figures.numbers.rows().into_iter();
        let rows = rows.filter(|row| row.0.is_some_and(|name| name != OTHERS) && defaults(row) > 0);
        // If several tie, the first wins, because it had the most calls and texts.
        let (number, count) = rows.rev().max_by_key(defaults)?;
        let number = number?;
        let routes = self.table.as_ref().map(|table| table.routes_for(number));
        Some(MostDefaults {
            number: number.to_owned(),
            default: count.default.all(),
            routes: routes.map(|routes| routes.into_iter().map(str::to_owned).collect()),
        })
    }
}

fn or_others(name: Option<&str>) -> &str {
    name.unwrap_or(OTHERS)
}

/// What a callback reports, in Twilio's words: `interactionType=Message`, `CallStatus=completed`.
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
