//! Schedules, minute by minute: any spans in any zone, around the days when its clocks change, are open in exactly the
//! minutes that are marked in a calendar with these spans.

use std::collections::HashSet;

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use proptest::prelude::*;
use twiml_responder::language::{NoFiles, compile};
use twiml_responder::table::Table;
use twiml_responder::table::diagnostic::File;
use twiml_responder::twilio::request::{Form, Request, Webhook};

/// Zones, each with a day on which its clocks change or which is special in another way.
const DAYS: [(&str, Date); 11] = [
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 12, 31)),
    // A change of half an hour.
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    // A change at midnight, so that a day begins at one, or its last hour occurs twice.
    ("America/Sao_Paulo", date(2018, 11, 4)),
    ("America/Sao_Paulo", date(2018, 2, 17)),
    // A day that did not exist.
    ("Pacific/Apia", date(2011, 12, 30)),
    ("Asia/Kathmandu", date(2026, 1, 1)),
    ("UTC", date(2028, 2, 29)),
];

const WEEK: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

#[derive(Debug, Clone)]
enum Days {
    Every,
    /// Ranges of positions in the week, each including its last day.
    Weekdays(Vec<(usize, usize)>),
    /// This many days from a date on, every year.
    Yearly(Date, i64),
    Dates(Date, i64),
}

/// A span of a schedule: days, and a range of minutes on each of them.
#[derive(Debug, Clone)]
struct Drawn {
    days: Days,
    hours: Option<(u16, u16)>,
}

/// A span on days near this one.
fn span(around: Date) -> impl Strategy<Value = Drawn> {
    let near = (-4..4_i64).prop_map(move |days| later(around, days));
    let days = prop_oneof![
        2 => Just(Days::Every),
        3 => prop::collection::vec((0..7_usize, 0..7_usize), 1..3).prop_map(Days::Weekdays),
        2 => (near.clone(), 0..4_i64).prop_map(|(first, days)| Days::Yearly(first, days)),
        2 => (near, 0..4_i64).prop_map(|(first, days)| Days::Dates(first, days)),
    ];
    let minute = prop_oneof![
        prop::sample::select(vec![0, 30, 60, 90, 120, 150, 180, 720, 1380, 1410, 1439]),
        0..1440_u16,
    ];
    let to = prop_oneof![4 => minute.clone(), 1 => Just(1440)];
    let hours = (minute, to).prop_filter("a span has some time", |(from, to)| from != to);
    (days, prop::option::weighted(0.8, hours))
        .prop_filter("a span has days or hours", |(days, hours)| {
            !matches!((days, hours), (Days::Every, None))
        })
        .prop_map(|(days, hours)| Drawn { days, hours })
}

fn later(date: Date, days: i64) -> Date {
    date.checked_add(Span::new().days(days))
        .expect("a date of the calendar")
}

impl Drawn {
    /// The span as written in a table.
    fn written(&self) -> String {
        let yearly = |date: Date| format!("{:02}-{:02}", date.month(), date.day());
        let days = match &self.days {
            Days::Every => String::new(),
            Days::Weekdays(ranges) => {
                let ranges = ranges.iter().map(|(first, last)| {
                    let range = [WEEK[*first], WEEK[*last]];
                    range[usize::from(first == last)..].join("-")
                });
                ranges.collect::<Vec<_>>().join(",")
            }
            Days::Yearly(first, 0) => yearly(*first),
            Days::Yearly(first, days) => {
                format!("{}..{}", yearly(*first), yearly(later(*first, *days)))
            }
            Days::Dates(first, 0) => first.to_string(),
            Days::Dates(first, days) => format!("{first}..{}", later(*first, *days)),
        };
        let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        let hours = self
            .hours
            .map(|(from, to)| format!("{}-{}", clock(from), clock(to)));
        format!("{days} {}", hours.unwrap_or_default())
            .trim()
            .to_owned()
    }

    fn begins_on(&self, date: Date) -> bool {
        let weekday = usize::try_from(date.weekday().to_monday_zero_offset()).expect("0 to 6");
        let is_day = |first: Date, days: i64, is_same: &dyn Fn(Date) -> bool| {
            (0..=days).any(|day| is_same(later(first, day)))
        };
        match &self.days {
            Days::Every => true,
            Days::Weekdays(ranges) => ranges.iter().any(|(first, last)| {
                let mut day = *first;
                while day != *last && day != weekday {
                    day = (day + 1) % 7;
                }
                day == weekday
            }),
            Days::Yearly(first, days) => is_day(*first, *days, &|day| {
                (day.month(), day.day()) == (date.month(), date.day())
            }),
            Days::Dates(first, days) => is_day(*first, *days, &|day| day == date),
        }
    }

    /// Marks the span in a calendar, minute by minute, for each of these dates on which it begins.
    fn draw(&self, dates: &[Date], calendar: &mut HashSet<(Date, u16)>) {
        for date in dates.iter().filter(|date| self.begins_on(**date)) {
            let (mut day, (mut minute, end)) = (*date, self.hours.unwrap_or((0, 1440)));
            loop {
                calendar.insert((day, minute));
                minute += 1;
                if minute == end {
                    break;
                }
                if minute == 1440 {
                    (day, minute) = (later(day, 1), 0);
                    if end == 0 {
                        break;
                    }
                }
            }
        }
    }
}

/// A calendar with all minutes of these spans marked.
fn calendar(spans: &[Drawn], dates: &[Date]) -> HashSet<(Date, u16)> {
    let mut calendar = HashSet::new();
    for span in spans {
        span.draw(dates, &mut calendar);
    }
    calendar
}

/// A table that answers only while this schedule is open; `None` when the compiler has proved that it never is.
fn table(zone: &str, open: &[Drawn], closed: &[Drawn]) -> Option<Table> {
    let written = |spans: &[Drawn]| spans.iter().map(Drawn::written).collect::<Vec<_>>();
    let text = format!(
        "[schedule.drawn]\ntimezone = \"{zone}\"\nopen = {:?}\nclosed = {:?}\n\
         [[route]]\nname = \"open\"\nduring = \"drawn\"\nvoice = []\n[default]\nvoice = [{{ Say = \"Closed.\" }}]\n",
        written(open),
        written(closed),
    );
    match compile(&File::new("responses.toml", &*text), &NoFiles) {
        Ok(compiled) => Some(compiled.table),
        Err(diagnostics) => {
            let is_proof = diagnostics
                .iter()
                .any(|found| found.check.code == "never-open");
            assert!(is_proof, "{diagnostics:#?}\n{text}");
            None
        }
    }
}

fn drawn() -> impl Strategy<Value = (&'static str, Date, Vec<Drawn>, Vec<Drawn>)> {
    prop::sample::select(&DAYS[..]).prop_flat_map(|(zone, day)| {
        let spans = |many: std::ops::Range<usize>| prop::collection::vec(span(day), many);
        (Just(zone), Just(day), spans(1..4), spans(0..3))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_schedule_is_open_as_the_calendar_shows((zone, day, open, closed) in drawn(), second in 0..60_i64) {
        let dates: Vec<Date> = (-3..4).map(|days| later(day, days)).collect();
        let (open_minutes, closed_minutes) = (calendar(&open, &dates), calendar(&closed, &dates));
        let table = table(zone, &open, &closed);
        let time_zone = TimeZone::get(zone).expect("a zone");
        let (body, query) = ([("CallSid", "CA1")].into_iter().collect(), Form::default());
        let request = Request::new(Webhook::Plain, &body, &query);
        // Every minute of two days, for any zone of the world.
        let noon = day.at(12, 0, 0, 0).to_zoned_datetime(TimeZone::UTC).expect("a moment").timestamp();
        for minute in -1440..1440 {
            let now: Timestamp = noon + SignedDuration::from_secs(60 * minute + second);
            let clock = time_zone.to_datetime(now);
            let shown = (clock.date(), u16::try_from(60 * i32::from(clock.hour()) + i32::from(clock.minute())).expect("a minute"));
            let is_open = open_minutes.contains(&shown) && !closed_minutes.contains(&shown);
            let answers = table.as_ref().is_some_and(|table| table.decide(&request, now).name() == "open");
            prop_assert_eq!(answers, is_open, "{} in {}: open {:?}, closed {:?}", clock, zone, open, closed);
        }
    }
}
