//! `[schedule.NAME]`, and `during` and `outside` of a route.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::{TimeZone, db};
use toml::de::{DeTable, DeValue};

use super::names::Reader;
use crate::table::diagnostic::Check;
use crate::table::problems::{Problems, Value};
use crate::table::remedy::{Remedy, did_you_mean};
use crate::table::schedule::{Schedule, Span};

pub(super) static BAD_SCHEDULE: Check = Check::new(
    "bad-schedule",
    "A time zone that the IANA database does not have, or a span that cannot be read. Days are `Mon` to `Sun`, `12-25` or
`2026-12-31`, hours `09:00-17:30` with two digits and no blanks.",
    r#"open = ["Mon-Fri 9-17"]     # "Mon-Fri 09:00-17:00""#,
);

pub(super) static UNKNOWN_SCHEDULE: Check = Check::absence(
    "unknown-schedule",
    "A schedule that the table does not have. Correct its name, or write a section for it.",
    r#"during = "ofice"     # [schedule.office]"#,
);

pub(super) static NEVER_OPEN: Check = Check::new(
    "never-open",
    "A schedule that is never open: `open` is empty, or `closed` covers all of it, whatever the year. No route `during` it
could ever answer. Write the hours when somebody is there.",
    r#"open = ["Sat 10:00-14:00"]
closed = ["Sat"]"#,
);

/// The schedules by name; `None` for one with an error in it.
pub(super) fn schedules(
    problems: &mut Problems,
    section: Option<&Value<'_>>,
) -> BTreeMap<String, Option<Arc<Schedule>>> {
    let mut schedules = BTreeMap::new();
    for (key, value) in problems.entries(section, "a table of schedules") {
        let name = key.get_ref().as_ref();
        let schedule = schedule(problems, name, key.span(), value).map(Arc::new);
        schedules.insert(name.to_owned(), schedule);
    }
    schedules
}

fn schedule(
    problems: &mut Problems,
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
    let open = spans(problems, open);
    let closed = table.get("closed").map(|closed| spans(problems, closed));
    let schedule = Schedule {
        name: name.to_owned(),
        zone: zone?,
        open,
        closed: closed.unwrap_or_default(),
    };
    if problems.errors_since(before) > 0 {
        return None;
    }
    if schedule.is_never_open() {
        let message = format!("{section} is never open: `closed` covers all of `open`");
        let help = "write the spans in which somebody is there";
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
    if let Ok(zone) = TimeZone::get(name) {
        return Some(zone);
    }
    let names: Vec<String> = db().available().map(|name| name.to_string()).collect();
    let otherwise = "write an IANA name, such as \"America/New_York\"";
    let help = did_you_mean('"', name, names.iter().map(String::as_str), otherwise);
    let message = format!("there is no time zone \"{name}\"");
    problems.refuse(&BAD_SCHEDULE, value.span(), message, help)
}

fn spans(problems: &mut Problems, value: &Value<'_>) -> Vec<Span> {
    let help = "write an array: [\"Mon-Fri 09:00-17:30\"]";
    let array = problems.array(value, "an array of spans", help, |item| {
        item.is_str() || matches!(item, DeValue::Datetime(_))
    });
    let items = array.unwrap_or_default().iter();
    items.filter_map(|item| span(problems, item)).collect()
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
        let message = "this is not a date without hours";
        return span.or_else(|| problems.refuse(&BAD_SCHEDULE, item.span(), message, help));
    }
    let text = problems.name(item, "a span")?;
    match text.parse() {
        Ok(span) => Some(span),
        Err(error) => {
            let message = format!("\"{text}\" is not a span: {error}");
            let remedy = match meant(text) {
                Some(meant) => Remedy::word(format!("did you mean \"{meant}\"?"), meant),
                None => help.into(),
            };
            problems.refuse(&BAD_SCHEDULE, item.span(), message, remedy)
        }
    }
}

/// The span that is meant, where only its form is wrong: another dash or space, the whole name of a day, hours without
/// minutes.
fn meant(text: &str) -> Option<String> {
    let plain: String = text
        .chars()
        .map(|character| match character {
            '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
            space if space.is_whitespace() => ' ',
            other => other,
        })
        .collect();
    let words: Vec<&str> = plain.split_whitespace().collect();
    let joined = words.join(" ").replace(" - ", "-").replace(" .. ", "..");
    let word = |word: &str| {
        let ends: Vec<String> = word
            .split('-')
            .map(|end| day(end).or(hour(end)).unwrap_or(end.to_owned()))
            .collect();
        ends.join("-")
    };
    // Digits and a hyphen alone may be a date.
    let mut meant: Vec<String> = joined.split(' ').map(str::to_owned).collect();
    let is_first = meant.len() == 1;
    for part in &mut meant {
        if !is_first
            || part.contains(|character: char| character == ':' || character.is_alphabetic())
        {
            *part = word(part);
        }
    }
    let meant = meant.join(" ");
    meant.parse::<Span>().is_ok().then_some(meant)
}

/// `Mon` for `monday`.
fn day(text: &str) -> Option<String> {
    let names = [
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
    ];
    let text = text.to_lowercase();
    let is_name = |name: &&str| text.len() >= 3 && name.to_lowercase().starts_with(&text);
    names
        .iter()
        .find(|name| is_name(name))
        .map(|name| name[..3].to_owned())
}

/// `09:00` for `9` or `9:00`.
fn hour(text: &str) -> Option<String> {
    let (hour, minute) = text.split_once(':').unwrap_or((text, "00"));
    let hour: u8 = hour.parse().ok()?;
    (hour <= 24 && minute.len() == 2).then(|| format!("{hour:02}:{minute}"))
}

/// The schedules that a `during` or `outside` names.
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
        if let Some(schedule) = known.get(name) {
            reader.uses.schedules.insert(name.to_owned());
            schedules.extend(schedule.clone());
        } else {
            let known = known.keys();
            problems.unknown_section(&UNKNOWN_SCHEDULE, "schedule", name, known, item.span());
        }
    }
    schedules
}
