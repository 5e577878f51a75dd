//! `{ regex = '\d{7}' }`: a regular expression matches somewhere in the value.

use std::fmt;

use regex::{Regex, RegexBuilder};
use serde_json::json;

use super::{Keyed, Kind, Reading, Seen, is_one};
use crate::table::condition::BAD_REGEX;
use crate::table::problems::{Key, Value};
use crate::twilio::facts::Known;

pub(super) static KEYED: Keyed = Keyed {
    key: "regex",
    suits: is_one,
    read,
    schema: || {
        json!({
            "description": "A regular expression, in the syntax of Rust's regex, that matches somewhere in the value.",
            "type": "string",
        })
    },
    check_cell: None,
    manual: "`regex = '…'` holds if the regular expression matches anywhere in the value. To match the whole value, write `^` and \
             `$`. The syntax is that of Rust's regex, which has no look-around or back-references and takes linear time. In \
             single quotes, TOML leaves backslashes alone.",
};

/// The regular expression matches somewhere in the value.
#[derive(Debug)]
struct Matches(Regex);

fn read(reading: &mut Reading<'_>, _: &Key<'_>, value: &Value<'_>) -> Option<Box<dyn Kind>> {
    let text = reading.problems.text(value, "a regular expression")?;
    let built = RegexBuilder::new(text)
        .case_insensitive(reading.comparison.folds())
        .build();
    let error = match built {
        Ok(regex) => return Some(Box::new(Matches(regex))),
        Err(error) => error.to_string(),
    };
    let reason = error.lines().last().unwrap_or_default();
    let reason = reason.trim_start_matches("error: ");
    let help = if reason.contains("size limit") {
        "make it simpler: fewer repetitions, or several conditions"
    } else {
        "the syntax is that of Rust's regex: no look-around, no back-references"
    };
    let message = format!(
        "this regular expression cannot be read: {}",
        reason.trim_end_matches('.')
    );
    reading
        .problems
        .error(&BAD_REGEX, value.span(), message, help);
    None
}

impl Kind for Matches {
    fn holds(&self, seen: &Seen<'_>) -> Option<bool> {
        match seen.value() {
            Known::Whole(value) => Some(self.0.is_match(value)),
            _ => None,
        }
    }
}

impl fmt::Display for Matches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "regex {:?}", self.0.as_str())
    }
}
