//! Moments: what `before` and `after` compare a date and time with.

use std::fmt;

use jiff::civil::{Date, DateTime};
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

use super::{BAD_CONDITION, Reading, Seen, is_one};
use crate::table::problems::{Key, Value};
use crate::table::remedy::Remedy;
use crate::table::schedule::parse_seconds;
use crate::twilio::facts::Known;
use crate::twilio::parameters::{PARAMETERS, ParameterKind};

/// The moment in a condition: a fixed one, or one at this distance from the moment of the request.
#[derive(Debug)]
pub(super) enum Moment {
    At(Timestamp),
    Now(SignedDuration),
}

impl Moment {
    /// Reads `now`, `now-2h`, `now+30m`, a date or a date and time after a condition's key; `None` after reporting an
    /// error.
    pub(super) fn read(
        reading: &mut Reading<'_>,
        key: &Key<'_>,
        value: &Value<'_>,
    ) -> Option<Self> {
        let (subject, name) = (reading.subject, key.get_ref());
        let problems = &mut *reading.problems;
        if !suits(subject) {
            let message = format!("`{subject}` is never a date and time");
            let help = format!("write sessionDateEnded = {{ {name} = \"now-2h\" }}");
            return problems.refuse(&BAD_CONDITION, key.span(), message, help);
        }
        let help = "write \"now\", \"now-2h\", \"2026-12-31\" or \"2026-12-31T23:00:00Z\"";
        let written = problems.moment(value, "a date and time", help)?;
        Self::parse(&written).map_or_else(
            |error| {
                let remedy = error.remedy(help);
                problems.refuse(&BAD_CONDITION, value.span(), error.message, remedy)
            },
            Some,
        )
    }

    fn parse(text: &str) -> Result<Self, NoMoment> {
        let Some(rest) = text.strip_prefix("now") else {
            return parse(text).map(Self::At);
        };
        let rest = rest.trim_start();
        let (sign, duration) = match rest.split_at_checked(1) {
            None => return Ok(Self::Now(SignedDuration::ZERO)),
            Some(("+", duration)) => (1, duration),
            Some(("-", duration)) => (-1, duration),
            Some(_) => return Err(NoMoment::of(text)),
        };
        let seconds = parse_seconds(duration.trim_start()).ok_or_else(|| NoMoment::of(text))?;
        Ok(Self::Now(SignedDuration::from_secs(
            sign * i64::from(seconds),
        )))
    }

    /// Whether `compare` holds for the value's moment and this one. An empty cell means "no end", for which the result
    /// is `endless`; a value that is absent or not a moment never holds.
    pub(super) fn compared(
        &self,
        seen: &Seen<'_>,
        endless: bool,
        compare: impl Fn(Timestamp, Timestamp) -> bool,
    ) -> Option<bool> {
        let Known::Whole(value) = seen.value() else {
            return None;
        };
        if value.is_empty() {
            return Some(seen.is_cell && endless);
        }
        let Ok(moment) = parse(value) else {
            return Some(false);
        };
        let wanted = match self {
            Self::At(wanted) => *wanted,
            // A moment beyond the calendar becomes its first or last.
            Self::Now(distance) => seen
                .now?
                .saturating_add(*distance)
                .unwrap_or(Timestamp::MAX),
        };
        Some(compare(moment, wanted))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(moment) => moment.fmt(f),
            Self::Now(distance) if distance.is_zero() => f.write_str("now"),
            Self::Now(distance) => {
                let sign = if distance.is_negative() { '-' } else { '+' };
                let seconds = distance.as_secs().unsigned_abs();
                let units = [(86_400, 'd'), (3600, 'h'), (60, 'm'), (1, 's')];
                let fits = |(size, _): &(u64, char)| seconds.is_multiple_of(*size);
                let (size, unit) = units.into_iter().find(fits).unwrap_or((1, 's'));
                write!(f, "now{sign}{}{unit}", seconds / size)
            }
        }
    }
}

/// Whether a parameter may be a date and time: Twilio sends it as one, or its value is free text.
pub(super) fn suits(parameter: &str) -> bool {
    let kind = PARAMETERS.of_request(parameter).map(|known| known.kind);
    let may_be = matches!(
        kind,
        None | Some(ParameterKind::DateTime | ParameterKind::Text)
    );
    may_be && is_one(parameter)
}

/// What is wrong with a cell that is compared with a moment. An empty cell is right: it means "no end".
pub(super) fn check_cell(cell: &str) -> Result<(), NoMoment> {
    if cell.is_empty() {
        return Ok(());
    }
    parse(cell).map(drop)
}

/// The schema of a moment in a condition.
pub(super) fn schema(compared: &str) -> Json {
    json!({
        "description": format!("The value must be {compared} this: now, now-2h, a date, or a date and time."),
        "type": "string",
        "pattern": r"^now( *[+-] *[0-9]+[smhd]?)?$|^[0-9]{4}-[0-9]{2}-[0-9]{2}",
    })
}

/// A date and time as Twilio sends it (RFC 3339 or RFC 2822), or a date, which means its first moment in UTC.
fn parse(text: &str) -> Result<Timestamp, NoMoment> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    if let Ok(moment) = rfc2822::parse(text) {
        return Ok(moment.timestamp());
    }
    if let Ok(date) = text.parse::<Date>()
        && text.len() == "2026-12-31".len()
        && let Ok(moment) = date.at(0, 0, 0, 0).to_zoned_datetime(TimeZone::UTC)
    {
        return Ok(moment.timestamp());
    }
    Err(NoMoment::of(text))
}

/// Why a text is not a moment.
#[derive(Debug)]
pub(crate) struct NoMoment {
    /// What is wrong with it.
    pub message: String,
    /// The moment that it means, where there is no doubt.
    pub meant: Option<String>,
}

impl NoMoment {
    fn of(text: &str) -> Self {
        let (message, meant) = if text.parse::<DateTime>().is_ok() {
            let of_utc = text.replace(' ', "T");
            let message = format!(
                "\"{text}\" has no time zone: write {of_utc}Z for UTC, or an offset such as +01:00"
            );
            (message, None)
        } else if let Some(moment) = since_1970(text) {
            let message = format!("\"{text}\" looks like seconds since 1970: that is {moment}");
            (message, Some(moment))
        } else if let Some((first, second, year)) = day_and_month(text) {
            let date = year.and_then(|year| certain_date(first, second, year));
            let message = match &date {
                Some(date) => format!("a date is written with the year first: {date}"),
                None => format!(
                    "\"{text}\" is ambiguous, because day and month could be swapped: write it as YYYY-MM-DDThh:mm:ssZ"
                ),
            };
            (message, date)
        } else {
            let message = format!("\"{text}\" is not a date and time such as 2026-12-31T23:00:00Z");
            (message, None)
        };
        Self { message, meant }
    }

    /// What to do about it; `otherwise` when the intended moment is in doubt.
    pub(crate) fn remedy(&self, otherwise: &str) -> Remedy {
        match &self.meant {
            Some(meant) => Remedy::word(format!("write {meant}"), meant),
            None => otherwise.into(),
        }
    }
}

/// The moment that is this number of seconds or milliseconds after 1970; `None` for any other text.
fn since_1970(text: &str) -> Option<String> {
    let number: i64 = text.parse().ok().filter(|number| *number > 0)?;
    let moment = match text.len() {
        9 | 10 => Timestamp::from_second(number),
        12 | 13 => Timestamp::from_millisecond(number),
        _ => return None,
    };
    moment.ok().map(|moment| moment.to_string())
}

/// The two numbers before a year, as in `31.12.2026` and `12/31/2026`, and the year if it is a number.
fn day_and_month(text: &str) -> Option<(i8, i8, Option<i16>)> {
    let parts: Vec<&str> = text.split(['/', '.', '-']).collect();
    let [first, second, year] = parts[..] else {
        return None;
    };
    let year = year.parse().ok().filter(|year| *year > 999);
    Some((first.parse().ok()?, second.parse().ok()?, year))
}

/// The date of these two numbers; `None` when either may be the month.
fn certain_date(first: i8, second: i8, year: i16) -> Option<String> {
    let date = |month, day| Date::new(year, month, day).ok();
    let date = match (date(first, second), date(second, first)) {
        (Some(date), None) | (None, Some(date)) => Some(date),
        (Some(one), Some(other)) if one == other => Some(one),
        _ => None,
    };
    date.map(|date| date.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_prints_as_it_can_be_written() {
        for (written, printed) in [
            ("now", "now"),
            ("now - 2h", "now-2h"),
            ("now+90m", "now+90m"),
            ("now-86400", "now-1d"),
            ("2026-12-31", "2026-12-31T00:00:00Z"),
            ("2026-12-31T23:00:00+01:00", "2026-12-31T22:00:00Z"),
            ("Thu, 31 Dec 2026 23:00:00 +0000", "2026-12-31T23:00:00Z"),
        ] {
            let moment = Moment::parse(written).expect(written);
            assert_eq!(moment.to_string(), printed);
        }
    }

    #[test]
    fn what_is_not_a_moment_says_why() {
        for (text, reason) in [
            (
                "2026-12-31T23:00",
                "has no time zone: write 2026-12-31T23:00Z for UTC",
            ),
            (
                "2026-12-31 23:00:00",
                "has no time zone: write 2026-12-31T23:00:00Z for UTC",
            ),
            (
                "1798761600",
                "seconds since 1970: that is 2027-01-01T00:00:00Z",
            ),
            ("1798761600123", "1970: that is 2027-01-01T00:00:00.123Z"),
            ("31.12.2026", "with the year first: 2026-12-31"),
            ("12/31/2026", "with the year first: 2026-12-31"),
            ("12/12/2026", "with the year first: 2026-12-12"),
            ("03/04/2026", "day and month could be swapped"),
            ("31.12.26", "day and month could be swapped"),
            ("31.12.", "day and month could be swapped"),
            ("415555", "is not a date and time"),
            ("now-2 hours", "is not a date and time"),
            ("nowhere", "is not a date and time"),
            ("2026-13-01", "is not a date and time"),
            ("soon", "is not a date and time"),
        ] {
            let error = Moment::parse(text).expect_err(text);
            assert!(error.message.contains(reason), "{}", error.message);
            let meant = error.meant.as_deref().map(parse);
            assert!(meant.is_none_or(|meant| meant.is_ok()), "{text}");
        }
    }
}
