//! Spans in forms that people write but the table does not take.

use crate::table::schedule::Span;
use crate::twilio::characters::plain;

/// The days of a week, as people write them.
const DAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// The span that was meant, in the table's form; `None` when that would be a guess.
pub(super) fn mended(text: &str) -> Option<String> {
    let mut text = plain(text).replace(" to ", "-");
    for sign in ["-", "..", ","] {
        text = closed_up(&text, sign);
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let (mut days, mut hours) = (None, None);
    for word in words {
        if word.starts_with(|first: char| first.is_alphabetic()) && days.is_none() {
            days = Some(with_days(word)?);
        } else if days.is_some() || word.contains(':') {
            if hours.replace(with_hours(word)?).is_some() {
                return None;
            }
        } else {
            days = Some(with_date(word));
        }
    }
    let parts: Vec<String> = days.into_iter().chain(hours).collect();
    let mended = parts.join(" ");
    mended.parse::<Span>().is_ok().then_some(mended)
}

/// Removes the whitespace around a sign.
fn closed_up(text: &str, sign: &str) -> String {
    let parts: Vec<&str> = text.split(sign).map(str::trim).collect();
    parts.join(sign)
}

/// Turns `monday-Fri` into `Mon-Fri`.
fn with_days(word: &str) -> Option<String> {
    let short = |day: &str| {
        let lower = day.to_lowercase();
        let is_it =
            |name: &&&str| lower.len() >= 2 && name.starts_with(lower.trim_end_matches('.'));
        let name = DAYS.iter().find(is_it)?;
        Some(name[..1].to_uppercase() + &name[1..3])
    };
    let range = |range: &str| {
        let ends: Option<Vec<String>> = range.split('-').map(short).collect();
        Some(ends?.join("-"))
    };
    let ranges: Option<Vec<String>> = word.split(',').map(range).collect();
    Some(ranges?.join(","))
}

/// Puts `25.12.` and `25.12.2026` into the table's form where the month is certain; returns any other text unchanged.
fn with_date(word: &str) -> String {
    let parts: Vec<&str> = word.trim_end_matches('.').split('.').collect();
    match parts[..] {
        [day, month] if is_late(day) => format!("{month:0>2}-{day}"),
        [day, month, year] if is_late(day) => format!("{year}-{month:0>2}-{day}"),
        _ => word.to_owned(),
    }
}

/// Whether a number can be a day but not a month (13 or more).
fn is_late(day: &str) -> bool {
    day.parse().is_ok_and(|day: u8| day > 12)
}

/// `9-17`, `9:00-5pm` as `09:00-17:00`. `9-5` does not show whether it ends in the afternoon.
fn with_hours(word: &str) -> Option<String> {
    let (from, to) = word.split_once('-')?;
    let (begins, ends) = (hour(from)?, hour(to)?);
    let has_noon = |text: &str| text.to_lowercase().ends_with('m');
    let is_clear = begins < ends || begins.as_str() > "12:59" || (has_noon(from) && has_noon(to));
    is_clear.then(|| format!("{begins}-{ends}"))
}

fn hour(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    let (clock, noon) = match (lower.strip_suffix("am"), lower.strip_suffix("pm")) {
        (Some(clock), _) => (clock, Some(0)),
        (_, Some(clock)) => (clock, Some(12)),
        _ => (&*lower, None),
    };
    let (hour, minute) = clock.split_once([':', '.']).unwrap_or((clock, "00"));
    let hour: u8 = hour.parse().ok()?;
    let hour = match noon {
        // 12am is midnight, 12pm is noon.
        Some(noon) if (1..=12).contains(&hour) => hour % 12 + noon,
        Some(_) => return None,
        None => hour,
    };
    Some(format!("{hour:02}:{minute}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_found_without_a_guess() {
        for (written, meant) in [
            ("Mon–Fri 09:00–17:30", Some("Mon-Fri 09:00-17:30")),
            ("Mon-Fri\u{a0}09:00-17:30", Some("Mon-Fri 09:00-17:30")),
            ("monday - friday 9-17", Some("Mon-Fri 09:00-17:00")),
            ("Mo, We 9:00 - 17:30", Some("Mon,Wed 09:00-17:30")),
            ("Mon to Fri 9am-5:30pm", Some("Mon-Fri 09:00-17:30")),
            ("Sat 12am-12pm", Some("Sat 00:00-12:00")),
            ("9:00-17:00", Some("09:00-17:00")),
            ("2026-12-31 12:00 - 24:00", Some("2026-12-31 12:00-24:00")),
            ("2026-12-24 .. 2026-12-26", Some("2026-12-24..2026-12-26")),
            // September 17th, or nine to five.
            ("9-17", None),
            ("25.12.2026", Some("2026-12-25")),
            ("25.12.", Some("12-25")),
            ("31.1.", Some("01-31")),
            ("05.12.2026", None),
            ("Mon-Fri 9-5", None),
            ("Mon-Fri 09:00-5:30", None),
            ("Mon-Fri 22:00-6:00", Some("Mon-Fri 22:00-06:00")),
            ("Mon-Fri 10pm-6am", Some("Mon-Fri 22:00-06:00")),
            ("Mon-Fri 9-5pm", Some("Mon-Fri 09:00-17:00")),
            ("Dec 25", None),
            ("Mon-Fri 13pm-5pm", None),
            ("Mon-Fri 09:00-09:00", None),
            ("Mon 9-12 13-17", None),
            ("T 9-17", None),
            ("", None),
        ] {
            assert_eq!(mended(written).as_deref(), meant, "{written}");
        }
    }
}
