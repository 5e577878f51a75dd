//! `[schedule.NAME]`, and `during` and `outside` of a route.

mod spans;
mod zones;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use toml::de::{DeTable, DeValue};

use self::spans::mended;
use super::names::Reader;
use crate::table::diagnostic::{Check, Diagnostic};
use crate::table::problems::{Problems, Value};
use crate::table::remedy::Remedy;
use crate::table::schedule::{BAD_HOURS, Schedule, Span};
use crate::twilio::characters::{first_odd, named, plain};

pub(super) static BAD_SCHEDULE: Check = Check::new(
    "bad-schedule",
    "A time zone that the IANA database does not have, or a span that cannot be read. Days are `Mon` to `Sun`, `12-25` or
`2026-12-31`, hours `09:00-17:30` with two digits and no spaces.",
    r#"open = ["Mon-Fri 9-17"]     # "Mon-Fri 09:00-17:00""#,
);

pub(super) static UNKNOWN_SCHEDULE: Check = Check::absence(
    "unknown-schedule",
    "A schedule that the table does not have. Correct its name, or write a section for it.",
    r#"during = "ofice"     # [schedule.office]"#,
);

pub(super) static NEVER_OPEN: Check = Check::new(
    "never-open",
    "A schedule that is never open: `open` is empty, or `closed` covers all of it in every year. No route `during` it could
ever answer. Write the hours when you are open.",
    r#"open = ["Sat 10:00-14:00"]
closed = ["Sat"]"#,
);

pub(super) static FIXED_ZONE: Check = Check::new(
    "fixed-zone",
    "A time zone whose clocks never change, although they do change in the places where people use its name. In summer, the
schedule would be an hour off. Write the zone of a place.",
    r#"timezone = "EST"     # "America/New_York""#,
);

pub(super) static SPLIT_SPAN: Check = Check::new(
    "split-span",
    "Days and hours written as two spans of `open`. Each span counts separately, so the days are open around the clock, and
the hours apply to every day. Write them in one string.",
    r#"open = ["Mon-Fri", "09:00-17:30"]     # "Mon-Fri 09:00-17:30""#,
);

pub(super) static IDLE_SPAN: Check = Check::new(
    "idle-span",
    "A span that has no effect: its days passed more than a month ago (`check` looks at the clock), or another span in the
same list covers it. Correct the span, or remove it.",
    r#"closed = ["2020-12-24"]     # "12-24" is every year"#,
);

/// A span that has no effect once its last day has passed.
#[derive(Debug)]
pub(super) struct Passing {
    /// When its last day ends.
    pub end: Timestamp,
    /// The warning from then on.
    pub warning: Diagnostic,
}

/// The schedules by name (`None` for a schedule with an error in it), and their spans that have a last day.
pub(super) fn schedules(
    problems: &mut Problems,
    section: Option<&Value<'_>>,
) -> (BTreeMap<String, Option<Arc<Schedule>>>, Vec<Passing>) {
    let mut schedules = BTreeMap::new();
    let mut passing = Vec::new();
    for (key, value) in problems.entries(section, "a table of schedules") {
        let name = key.get_ref().as_ref();
        let schedule = schedule(problems, &mut passing, name, key.span(), value).map(Arc::new);
        schedules.insert(name.to_owned(), schedule);
    }
    (schedules, passing)
}

fn schedule(
    problems: &mut Problems,
    passing: &mut Vec<Passing>,
    name: &str,
    place: Range<usize>,
    value: &Value<'_>,
) -> Option<Schedule> {
    let before = problems.count();
    let table = problems.table(value, "a schedule")?;
    let section = format!("[schedule.{name}]");
    let zone = zone(problems, table, &section, &place);
    let help = "write open = [\"Mon-Fri 09:00-17:30\"]";
    let open = problems.required(table, "open", &section, place.clone(), help)?;
    let open = read_spans(problems, open);
    check_split_spans(problems, &open);
    let closed = table.get("closed");
    let closed = closed.map_or(Vec::new(), |closed| read_spans(problems, closed));
    let zone = zone?;
    for (span, place) in open.iter().chain(&closed) {
        if let Some(end) = span.end(&zone) {
            let warning = passed(problems, place.clone());
            passing.push(Passing { end, warning });
        }
    }
    let spans = |read: Vec<(Span, Range<usize>)>| read.into_iter().map(|(span, _)| span).collect();
    let schedule = Schedule {
        name: name.to_owned(),
        zone,
        open: spans(open),
        closed: spans(closed),
    };
    if problems.errors_since(before) > 0 {
        return None;
    }
    if schedule.is_never_open() {
        let message = format!("{section} is never open: `closed` covers all of `open`");
        let help = "write the hours when you are open";
        return problems.refuse(&NEVER_OPEN, place, message, help);
    }
    Some(schedule)
}

fn zone(
    problems: &mut Problems,
    table: &DeTable<'_>,
    section: &str,
    place: &Range<usize>,
) -> Option<TimeZone> {
    let help = "write timezone = \"America/New_York\"";
    let value = problems.required(table, "timezone", section, place.clone(), help)?;
    let name = problems.name(value, "the name of a time zone")?;
    let Ok(zone) = TimeZone::get(name) else {
        let message = format!("there is no time zone \"{name}\"");
        return problems.refuse(&BAD_SCHEDULE, value.span(), message, zones::remedy(name));
    };
    if let Some((with, without)) = zones::instead_of_fixed(name) {
        let message = format!("the time zone \"{name}\" has no daylight saving time");
        let help = format!("write \"{with}\", or \"{without}\" if the clocks do not change there");
        problems.warn(&FIXED_ZONE, value.span(), message, help);
    }
    Some(zone)
}

/// Reads the spans in an array, with their places. Reports spans that another span covers.
fn read_spans(problems: &mut Problems, value: &Value<'_>) -> Vec<(Span, Range<usize>)> {
    let help = "write an array: [\"Mon-Fri 09:00-17:30\"]";
    let array = problems.array(value, "an array of spans", help, |item| {
        item.is_str() || matches!(item, DeValue::Datetime(_))
    });
    let mut spans: Vec<(Span, Range<usize>)> = Vec::new();
    for item in array.unwrap_or_default() {
        spans.extend(span(problems, item).map(|span| (span, item.span())));
    }
    for (position, (span, place)) in spans.iter().enumerate() {
        let mut others = spans.iter().enumerate();
        // Of two equal spans, the second is the one without effect.
        let covering = others.find(|(other, (covering, _))| {
            *other != position
                && covering.covers(span)
                && (*other < position || !span.covers(covering))
        });
        if let Some((_, (_, first))) = covering {
            let (line, column) = problems.file().position(first.start);
            let message = format!(
                "this span has no effect: the one in line {line}, column {column} covers it"
            );
            problems.warn(&IDLE_SPAN, place, message, "remove it");
        }
    }
    spans
}

/// Reports days and hours that were probably meant as one span: as two spans, each is open separately.
fn check_split_spans(problems: &mut Problems, open: &[(Span, Range<usize>)]) {
    for pair in open.windows(2) {
        let [(days, first), (hours, second)] = pair else {
            continue;
        };
        if !days.is_whole_weekdays() || !hours.is_only_hours() {
            continue;
        }
        let unquoted = |place: &Range<usize>| {
            let source = problems.source(place.clone());
            source.trim_matches(['"', '\'']).to_owned()
        };
        let (days, hours) = (unquoted(first), unquoted(second));
        if days.contains(':') {
            continue;
        }
        let message = format!(
            "\"{days}\" is open around the clock, and \"{hours}\" on every day of the week"
        );
        let help = format!(
            "write \"{days} {hours}\", or \"{days} 00:00-24:00\" if these days have no closing time"
        );
        problems.warn(&SPLIT_SPAN, first, message, help);
    }
}

/// The warning for a span that has passed.
fn passed(problems: &Problems, place: Range<usize>) -> Diagnostic {
    let help = "remove it, correct the year, or leave the year out for every year: \"12-25\"";
    let message = "this day has passed, so it has no effect";
    let mut warnings = Problems::new(problems.file());
    warnings.warn(&IDLE_SPAN, place, message, help).clone()
}

fn span(problems: &mut Problems, item: &Value<'_>) -> Option<Span> {
    let help = "write \"Mon-Fri 09:00-17:30\", \"22:00-06:00\", \"12-25\", \"2026-12-31 12:00-24:00\" or \
                \"2027-01-02..2027-01-05\"";
    if let DeValue::Datetime(date) = item.get_ref() {
        let date = date.date.filter(|_| date.time.is_none());
        let span = date.and_then(|date| {
            let (month, day) = (date.month.try_into().ok()?, date.day.try_into().ok()?);
            let date = Date::new(date.year.try_into().ok()?, month, day);
            Some(Span::on(date.ok()?))
        });
        let message = "expected a date without hours";
        return span.or_else(|| problems.refuse(&BAD_SCHEDULE, item.span(), message, help));
    }
    let text = problems.name(item, "a span")?;
    match text.parse() {
        Ok(span) => Some(span),
        Err(error) => {
            let message = match first_odd(text) {
                Some(odd) if mended(text).is_some() => {
                    let place = match &*plain(&odd.to_string()) {
                        "-" => " where a hyphen belongs",
                        " " => " where a space belongs",
                        _ => "",
                    };
                    format!("\"{text}\" is not a span: it has {}{place}", named(odd))
                }
                _ => format!("\"{text}\" is not a span: {error}"),
            };
            let remedy = match mended(text) {
                Some(mended) => Remedy::word(format!("write \"{mended}\""), mended),
                None if error == BAD_HOURS => {
                    "write both hours with two digits, from 00:00 to 24:00: \"Mon-Fri 09:00-17:30\""
                        .into()
                }
                None => help.into(),
            };
            problems.refuse(&BAD_SCHEDULE, item.span(), message, remedy)
        }
    }
}

/// The schedules named in a `during` or `outside`.
pub(super) fn named_schedules(
    reader: &mut Reader<'_>,
    value: Option<&Value<'_>>,
) -> Vec<Arc<Schedule>> {
    let items: &[Value<'_>] = match value.map(|value| (value, value.get_ref())) {
        None => &[],
        Some((_, DeValue::Array(array))) if !array.is_empty() => array,
        Some((value, _)) => std::slice::from_ref(value),
    };
    let known = &reader.names.schedules;
    let problems = &mut *reader.problems;
    let mut schedules = Vec::new();
    for item in items {
        let Some(name) = problems.name(item, "the name of a schedule") else {
            continue;
        };
        if name.contains("{{") {
            let message =
                "a schedule is chosen when the table is read, so a template cannot name it";
            let help = "write a route for each schedule, such as during = \"office\", with a condition on the column";
            problems.error(&UNKNOWN_SCHEDULE, item.span(), message, help);
        } else if let Some(schedule) = known.get(name) {
            reader.uses.schedules.insert(name.to_owned());
            schedules.extend(schedule.clone());
        } else {
            let known = known.keys();
            problems.unknown_section(&UNKNOWN_SCHEDULE, "schedule", name, known, item.span());
        }
    }
    schedules
}
