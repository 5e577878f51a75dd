//! Schedules, and times as operators write them: opening hours on the wall clock of a place.
//!
//! A span includes its first minute and excludes its last. It is compared with the wall clock, so an hour that occurs
//! twice in autumn counts twice, and one that is skipped in spring does not count.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, ZonedDateTime};

/// A named set of spans in one time zone.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Its name in the table.
    pub name: String,
    /// The zone whose wall clock counts.
    pub zone: TimeZone,
    /// When it is open, unless it is closed.
    pub open: Vec<Span>,
    /// When it is closed in any case.
    pub closed: Vec<Span>,
}

impl Schedule {
    /// Whether it is open at a moment.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        let clock = self.zone.to_datetime(now);
        let within = |spans: &[Span]| spans.iter().any(|span| span.contains(clock));
        within(&self.open) && !within(&self.closed)
    }

    /// Whether it is certainly never open: every open span lies within a closed one, in every year.
    pub(crate) fn is_never_open(&self) -> bool {
        self.open
            .iter()
            .all(|open| self.closed.iter().any(|closed| closed.covers(open)))
    }
}

/// Days with their hours: `Mon-Fri 09:00-17:30`, `22:00-06:00`, `12-25`, `2027-01-02..2027-01-05`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    days: Days,
    /// From this minute of the day.
    from: u16,
    /// Up to this minute; not after `from` when the span runs past midnight.
    to: u16,
}

/// The days on which a span begins.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Days {
    Every,
    /// By weekday, Monday first.
    Weekdays([bool; 7]),
    /// Every year from one month and day to another, inclusive.
    Yearly {
        first: (i8, i8),
        last: (i8, i8),
    },
    /// From one date to another, inclusive.
    Dates {
        first: Date,
        last: Date,
    },
}

/// The number of minutes in a day.
const DAY: u16 = 24 * 60;

impl Span {
    /// One whole day.
    #[must_use]
    pub fn on(date: Date) -> Self {
        Self {
            days: Days::Dates {
                first: date,
                last: date,
            },
            from: 0,
            to: DAY,
        }
    }

    /// Whether another span certainly lies within it.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let is_whole_day = self.from == 0 && self.to == DAY;
        let covers_hours = self.from < self.to
            && other.from < other.to
            && self.from <= other.from
            && other.to <= self.to;
        match (&self.days, &other.days) {
            (Days::Every, _) => {
                is_whole_day || covers_hours || (self.from, self.to) == (other.from, other.to)
            }
            (Days::Weekdays(own), Days::Weekdays(others)) => {
                covers_hours && others.iter().zip(own).all(|(other, own)| !other || *own)
            }
            (own, others) => own == others && covers_hours,
        }
    }

    /// Whether it covers whole days by weekday.
    pub(crate) fn is_whole_weekdays(&self) -> bool {
        matches!(self.days, Days::Weekdays(_)) && (self.from, self.to) == (0, DAY)
    }

    /// Whether it has hours but no days.
    pub(crate) fn is_only_hours(&self) -> bool {
        self.days == Days::Every
    }

    /// When its last day ends on the clocks of a zone; `None` when its days recur.
    pub(crate) fn end(&self, zone: &TimeZone) -> Option<Timestamp> {
        let Days::Dates { last, .. } = self.days else {
            return None;
        };
        let runs_past_midnight = self.to <= self.from;
        let after = last.checked_add(if runs_past_midnight { 2 } else { 1 }.days());
        let midnight = after.ok()?.at(0, 0, 0, 0);
        Some(midnight.to_zoned_datetime(zone.clone()).ok()?.timestamp())
    }

    /// Whether it includes a moment of the wall clock.
    fn contains(&self, clock: DateTime) -> bool {
        let minute = u16::try_from(i32::from(clock.hour()) * 60 + i32::from(clock.minute()))
            .unwrap_or_default();
        let date = clock.date();
        if self.from < self.to {
            return self.days.contain(date) && (self.from..self.to).contains(&minute);
        }
        let began_yesterday = || {
            date.yesterday()
                .is_ok_and(|yesterday| self.days.contain(yesterday))
        };
        (minute >= self.from && self.days.contain(date)) || (minute < self.to && began_yesterday())
    }
}

impl Days {
    fn contain(&self, date: Date) -> bool {
        match self {
            Self::Every => true,
            Self::Weekdays(days) => days[position(date.weekday())],
            Self::Yearly { first, last } => {
                let day = (date.month(), date.day());
                if first <= last {
                    *first <= day && day <= *last
                } else {
                    *first <= day || day <= *last
                }
            }
            Self::Dates { first, last } => *first <= date && date <= *last,
        }
    }
}

/// The position of a weekday in a week that begins on Monday.
fn position(weekday: Weekday) -> usize {
    usize::try_from(weekday.to_monday_zero_offset()).unwrap_or_default()
}

/// Why a text is not a [`Span`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanError(&'static str);

const BAD_DAYS: SpanError = SpanError("its days are neither weekdays nor dates");
/// The error for hours in the wrong form.
pub(crate) const BAD_HOURS: SpanError = SpanError("its hours are not written as 09:00-17:30");

impl fmt::Display for SpanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for SpanError {}

impl FromStr for Span {
    type Err = SpanError;

    /// Reads days, hours or both. Without days it means every day, without hours the whole day.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut words: Vec<&str> = text.split_whitespace().collect();
        let after_weekday =
            words.len() > 1 && words[0].starts_with(|first: char| first.is_alphabetic());
        let hours = words.pop_if(|word| {
            let are_hours = word.contains('-') && word.starts_with(|c: char| c.is_ascii_digit());
            word.contains(':') || (after_weekday && are_hours)
        });
        let (from, to) = hours.map_or(Ok((0, DAY)), parse_hours)?;
        let days = match words.as_slice() {
            [] if hours.is_none() => return Err(SpanError("it is empty")),
            [] => Days::Every,
            // Spaces are allowed after the commas of a list of weekdays.
            words => parse_days(&words.concat())?,
        };
        Ok(Self { days, from, to })
    }
}

fn parse_hours(text: &str) -> Result<(u16, u16), SpanError> {
    let (from, to) = text.split_once('-').ok_or(BAD_HOURS)?;
    match (parse_minute(from), parse_minute(to)) {
        (None | Some(DAY), _) | (_, None) => Err(BAD_HOURS),
        (Some(from), Some(to)) if from == to => {
            Err(SpanError("it ends in the same minute in which it begins"))
        }
        (Some(from), Some(to)) => Ok((from, to)),
    }
}

/// The minute of the day of `HH:MM`; `24:00` is the end of the day.
fn parse_minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    match (number(hour, 2)?, number(minute, 2)?) {
        (hour @ 0..=23, minute @ 0..=59) => Some(60 * hour + minute),
        (24, 0) => Some(DAY),
        _ => None,
    }
}

/// A number with exactly this many digits.
fn number<N: FromStr>(text: &str, digits: usize) -> Option<N> {
    let is_number = text.len() == digits && is_digits(text);
    text.parse().ok().filter(|_| is_number)
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn parse_days(text: &str) -> Result<Days, SpanError> {
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        return parse_dates(text);
    }
    let mut days = [false; 7];
    for range in text.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (parse_weekday(first)?, parse_weekday(last)?);
        // A week wraps around: Sat-Mon is three days.
        let length = (last + 7 - first) % 7;
        (0..=length).for_each(|offset| days[(first + offset) % 7] = true);
    }
    Ok(Days::Weekdays(days))
}

fn parse_weekday(text: &str) -> Result<usize, SpanError> {
    let names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let position = names.iter().position(|name| *name == text);
    position.ok_or(BAD_DAYS)
}

fn parse_dates(text: &str) -> Result<Days, SpanError> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let day = |date: Date| (date.month(), date.day());
    match (parse_date(first)?, parse_date(last)?) {
        ((true, first), (true, last)) if first <= last => Ok(Days::Dates { first, last }),
        ((true, _), (true, _)) => Err(SpanError("its last day is before its first")),
        ((false, first), (false, last)) => Ok(Days::Yearly {
            first: day(first),
            last: day(last),
        }),
        _ => Err(BAD_DAYS),
    }
}

/// `2026-12-25`, or `12-25` for every year, and whether it has a year.
fn parse_date(text: &str) -> Result<(bool, Date), SpanError> {
    let parts: Vec<&str> = text.split('-').collect();
    let (year, month, day) = match parts.as_slice() {
        [year, month, day] => (number(year, 4), month, day),
        // A leap year has every day that any year has.
        [month, day] => (Some(2024), month, day),
        _ => return Err(BAD_DAYS),
    };
    let (Some(year), Some(month), Some(day)) = (year, number(month, 2), number(day, 2)) else {
        return Err(BAD_DAYS);
    };
    let date = Date::new(year, month, day)
        .map_err(|_| SpanError("there is no such day in the calendar"))?;
    Ok((parts.len() == 3, date))
}

/// A moment as people write it, with a zone in brackets or with an offset.
pub(crate) fn parse_moment(text: &str) -> Option<Timestamp> {
    text.parse::<ZonedDateTime>()
        .map(|zoned| zoned.timestamp())
        .or_else(|_| text.parse())
        .ok()
}

/// A duration in seconds: `90`, `5s`, `10m`, `2h`, `1d`. `None` when it has another form or does not fit.
pub(crate) fn parse_seconds(text: &str) -> Option<u32> {
    let number = text.trim_end_matches(|last: char| last.is_ascii_lowercase());
    let unit = match &text[number.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    let seconds: u32 = number.parse().ok().filter(|_| is_digits(number))?;
    seconds.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(open: &[&str], closed: &[&str]) -> Schedule {
        let spans = |texts: &[&str]| texts.iter().map(|text| text.parse().expect(text)).collect();
        Schedule {
            name: "office".into(),
            zone: TimeZone::get("America/New_York").expect("a zone"),
            open: spans(open),
            closed: spans(closed),
        }
    }

    fn is_open(schedule: &Schedule, clock: &str) -> bool {
        let clock: DateTime = clock.parse().expect("a date and a time");
        let moment = clock
            .to_zoned_datetime(schedule.zone.clone())
            .expect("a moment");
        schedule.is_open(moment.timestamp())
    }

    #[test]
    fn a_span_runs_from_its_first_minute_up_to_its_last() {
        let office = schedule(&["Mon-Fri 09:00-17:30", "Sat 10:00-14:00"], &[]);
        // 2026-11-20 is a Friday.
        for (clock, open) in [
            ("2026-11-20T08:59:59", false),
            ("2026-11-20T09:00", true),
            ("2026-11-20T17:29:59", true),
            ("2026-11-20T17:30", false),
            ("2026-11-21T10:00", true),
            ("2026-11-21T09:00", false),
            ("2026-11-22T12:00", false),
        ] {
            assert_eq!(is_open(&office, clock), open, "{clock}");
        }
    }

    #[test]
    fn a_span_may_run_past_midnight_and_around_the_week() {
        let night = schedule(&["Fri 22:00-06:00"], &[]);
        assert!(is_open(&night, "2026-11-20T23:00"));
        assert!(is_open(&night, "2026-11-21T05:59"));
        assert!(!is_open(&night, "2026-11-21T06:00"));
        assert!(!is_open(&night, "2026-11-20T05:00"));
        assert!(!is_open(&night, "2026-11-21T22:00"));
        let weekend = schedule(&["Sat-Mon 00:00-24:00"], &[]);
        for (clock, open) in [
            ("2026-11-21T00:00", true),
            ("2026-11-23T23:59", true),
            ("2026-11-24T00:00", false),
            ("2026-11-20T12:00", false),
        ] {
            assert_eq!(is_open(&weekend, clock), open, "{clock}");
        }
        let list = schedule(&["Mon, Wed 09:00-10:00"], &[]);
        assert!(is_open(&list, "2026-11-25T09:30"));
        assert!(!is_open(&list, "2026-11-24T09:30"));
    }

    #[test]
    fn closed_wins_over_open() {
        let office = schedule(
            &["00:00-24:00"],
            &[
                "12-25",
                "2026-12-31 12:00-24:00",
                "2027-01-02..2027-01-05",
                "12-29..01-01 06:00-07:00",
                "Sun",
            ],
        );
        for (clock, open) in [
            ("2026-12-25T12:00", false),
            ("2031-12-25T12:00", false),
            ("2026-12-31T11:59", true),
            ("2026-12-31T12:00", false),
            ("2027-01-02T00:00", false),
            ("2027-01-05T23:59", false),
            ("2027-01-06T00:00", true),
            ("2028-12-30T06:30", false),
            ("2029-01-01T06:30", false),
            ("2029-01-02T06:30", true),
            ("2026-11-22T12:00", false),
        ] {
            assert_eq!(is_open(&office, clock), open, "{clock}");
        }
    }

    #[test]
    fn an_hour_that_comes_twice_counts_twice_and_a_skipped_one_not_at_all() {
        // New York: 2026-11-01 02:00 becomes 01:00, 2026-03-08 02:00 becomes 03:00.
        let small_hours = schedule(&["01:00-03:00"], &[]);
        for (moment, open) in [
            ("2026-11-01T05:30Z", true),
            ("2026-11-01T06:30Z", true),
            ("2026-11-01T07:30Z", true),
            ("2026-11-01T08:00Z", false),
            ("2026-03-08T06:30Z", true),
            ("2026-03-08T07:00Z", false),
        ] {
            let moment: Timestamp = moment.parse().expect("a moment");
            assert_eq!(small_hours.is_open(moment), open, "{moment}");
        }
    }

    #[test]
    fn a_schedule_that_is_never_open_is_known() {
        assert!(schedule(&[], &[]).is_never_open());
        assert!(schedule(&["Mon 09:00-10:00"], &["Mon-Fri"]).is_never_open());
        assert!(schedule(&["22:00-06:00"], &["00:00-24:00"]).is_never_open());
        assert!(!schedule(&["22:00-06:00"], &["Mon-Sat"]).is_never_open());
        assert!(!schedule(&["Mon 09:00-10:00"], &["Mon 09:00-09:59"]).is_never_open());
        assert!(!schedule(&["Mon 09:00-10:00", "Sun 09:00-10:00"], &["Mon"]).is_never_open());
        assert!(!schedule(&["Mon 09:00-10:00"], &["12-25"]).is_never_open());
    }

    #[test]
    fn a_moment_has_a_zone_or_an_offset() {
        let noon: Timestamp = "2026-12-24T17:00:00Z".parse().expect("a moment");
        for text in [
            "2026-12-24T12:00[America/New_York]",
            "2026-12-24T17:00Z",
            "2026-12-24T12:00-05:00",
        ] {
            assert_eq!(parse_moment(text), Some(noon), "{text}");
        }
        for text in [
            "",
            "2026-12-24",
            "2026-12-24T12:00",
            "12:00",
            "2026-12-24T12:00[Nowhere]",
        ] {
            assert_eq!(parse_moment(text), None, "{text}");
        }
    }

    #[test]
    fn a_span_says_what_is_wrong() {
        for (text, message) in [
            ("", "it is empty"),
            ("Mon-Fri 9-17", "its hours are not written as 09:00-17:30"),
            ("Sat 9am-5pm", "its hours are not written as 09:00-17:30"),
            ("Mo 09:00-10:00", "its days are neither weekdays nor dates"),
            ("mon 09:00-10:00", "its days are neither weekdays nor dates"),
            (
                "Mon-Fri 9:00-17:30",
                "its hours are not written as 09:00-17:30",
            ),
            ("Mon-Fri 09:00", "its hours are not written as 09:00-17:30"),
            ("09:00-24:01", "its hours are not written as 09:00-17:30"),
            ("09:60-10:00", "its hours are not written as 09:00-17:30"),
            (
                "09:00-09:00",
                "it ends in the same minute in which it begins",
            ),
            ("24:00-06:00", "its hours are not written as 09:00-17:30"),
            ("02-30", "there is no such day in the calendar"),
            ("2026-02-29", "there is no such day in the calendar"),
            ("2026-13-01", "there is no such day in the calendar"),
            ("2027-01-05..2027-01-02", "its last day is before its first"),
            (
                "2027-01-05..01-07",
                "its days are neither weekdays nor dates",
            ),
            ("2027-1-5", "its days are neither weekdays nor dates"),
            ("2027-01-05..", "its days are neither weekdays nor dates"),
        ] {
            assert_eq!(
                text.parse::<Span>().expect_err(text).to_string(),
                message,
                "{text}"
            );
        }
        assert!("02-29".parse::<Span>().is_ok());
    }

    #[test]
    fn a_schedule_is_never_open_when_what_is_closed_covers_all_of_it() {
        for (open, closed, is_never) in [
            ("09:00-17:00", "2026-12-24", false),
            ("09:00-17:00", "00:00-24:00", true),
            ("22:00-06:00", "00:00-24:00", true),
            ("09:00-17:00", "09:00-17:00", true),
            ("22:00-06:00", "22:00-06:00", true),
            ("09:00-17:00", "00:00-17:00", true),
            ("09:00-17:00", "00:00-16:59", false),
            ("09:00-17:00", "09:01-17:00", false),
            ("09:00-17:00", "00:01-24:00", true),
            ("09:00-17:00", "22:00-17:00", false),
            ("22:00-06:00", "00:00-23:59", false),
            ("22:00-00:00", "21:00-24:00", false),
            ("22:00-06:00", "21:00-07:00", false),
            ("Mon-Fri 09:00-17:00", "09:00-17:00", true),
            ("Mon-Fri 09:00-17:00", "10:00-17:00", false),
            ("Mon-Fri 09:00-17:00", "Mon-Sat 08:00-17:00", true),
            ("Mon-Fri 09:00-17:00", "Mon-Thu 08:00-17:00", false),
            ("Mon-Fri 09:00-17:00", "Mon-Sat 10:00-17:00", false),
            ("12-25", "12-25", true),
            ("12-25", "12-26", false),
            ("12-25", "12-25 10:00-24:00", false),
            ("12-25 10:00-12:00", "12-25", true),
            ("09:00-17:00", "Mon-Sun 09:00-17:00", false),
        ] {
            assert_eq!(
                schedule(&[open], &[closed]).is_never_open(),
                is_never,
                "{open} without {closed}"
            );
        }
    }

    #[test]
    fn a_span_with_its_year_ends() {
        let zone = TimeZone::get("America/New_York").expect("a zone");
        for (span, end) in [
            ("2026-12-24", Some("2026-12-25T05:00:00Z")),
            ("2026-12-24 09:00-12:00", Some("2026-12-25T05:00:00Z")),
            ("2026-12-24 22:00-06:00", Some("2026-12-26T05:00:00Z")),
            ("2026-12-24..2027-07-01", Some("2027-07-02T04:00:00Z")),
            ("12-24", None),
            ("Mon-Fri", None),
            ("22:00-06:00", None),
        ] {
            let found = span.parse::<Span>().expect(span).end(&zone);
            let end = end.map(|end| end.parse().expect("a moment"));
            assert_eq!(found, end, "{span}");
        }
    }

    #[test]
    fn seconds_are_a_number_and_its_unit() {
        for (text, seconds) in [
            ("0", 0),
            ("90", 90),
            ("5s", 5),
            ("10m", 600),
            ("2h", 7200),
            ("1d", 86_400),
        ] {
            assert_eq!(parse_seconds(text), Some(seconds), "{text}");
        }
        for text in [
            "", "m", "-5s", "+5s", "5 s", "5S", "1.5m", "5ms", "50000d", "٣s",
        ] {
            assert_eq!(parse_seconds(text), None, "{text}");
        }
    }
}
