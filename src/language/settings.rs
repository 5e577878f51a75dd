//! `parameters` and `[loop_guard]`: the operator's additions and changes to our own rules.

use std::collections::BTreeSet;

use toml::de::{DeTable, DeValue};

use crate::table::diagnostic::Check;
use crate::table::guard::{Limits, MOST_RELAYS, MOST_REPLIES};
use crate::table::problems::{Problems, Value, integer};
use crate::table::remedy::Remedy;
use crate::table::schedule::parse_seconds;

pub(super) static UNKNOWN_ELEMENT: Check = Check::new(
    "unknown-element",
    "An element that TwiML does not have, or an empty table. Letter case matters: `Say`, not `say`. Tags inside `Say` are
lowercase.",
    r#"voice = [ { say = "Hello." } ]"#,
);

pub(super) static BAD_LIMIT: Check = Check::new(
    "bad-limit",
    "A limit in `[loop_guard]` is out of range: `replies` is 0 to 30, `relays` is 0 to 300, `per` is `1s` to `24h`. Write 0
for `replies`, `relays` or `same_call` to switch that limit off.",
    r#"[loop_guard]
per = "10 minutes"     # per = "10m""#,
);

/// Reads `parameters`: the query fields that the operator added.
pub(super) fn parameters(problems: &mut Problems, value: Option<&Value<'_>>) -> BTreeSet<String> {
    let help = "write parameters = [\"campaign\"]";
    let names =
        value.and_then(|value| problems.array(value, "an array of names", help, DeValue::is_str));
    names
        .unwrap_or_default()
        .iter()
        .filter_map(|item| problems.text(item, "the name of a query field"))
        .map(str::to_owned)
        .collect()
}

/// Reads `[loop_guard]`: the limits of the loop guard. Missing keys have their defaults.
pub(super) fn limits(problems: &mut Problems, section: Option<&Value<'_>>) -> Limits {
    let defaults = Limits::default();
    let table = section.and_then(|section| problems.table(section, "a table of limits"));
    let Some(table) = table else {
        return defaults;
    };
    Limits {
        replies: count(problems, table, "replies", MOST_REPLIES).unwrap_or(defaults.replies),
        relays: count(problems, table, "relays", MOST_RELAYS).unwrap_or(defaults.relays),
        per_seconds: seconds(problems, table).unwrap_or(defaults.per_seconds),
        same_call: count(problems, table, "same_call", u32::MAX).unwrap_or(defaults.same_call),
    }
}

fn seconds(problems: &mut Problems, table: &DeTable<'_>) -> Option<u32> {
    let value = table.get("per")?;
    let help = "write a duration such as per = \"10m\"";
    let seconds = match value.get_ref() {
        DeValue::String(text) => parse_seconds(text),
        DeValue::Integer(number) => parse_seconds(number.as_str()),
        _ => return problems.wrong_type(value, "a duration", help),
    };
    let seconds = seconds.filter(|seconds| (1..=86_400).contains(seconds));
    let message = "`per` must be between 1s and 24h";
    seconds.or_else(|| problems.refuse(&BAD_LIMIT, value.span(), message, help))
}

fn count(problems: &mut Problems, table: &DeTable<'_>, key: &str, most: u32) -> Option<u32> {
    let value = table.get(key)?;
    let DeValue::Integer(number) = value.get_ref() else {
        let digits = value
            .get_ref()
            .as_str()
            .filter(|text| text.parse::<u32>().is_ok());
        let remedy = match digits {
            Some(digits) => Remedy::write(key, digits),
            None => "write a number; 0 switches the limit off".into(),
        };
        return problems.wrong_type(value, "a whole number", remedy);
    };
    let count = integer(number).filter(|count| *count <= most);
    count.or_else(|| {
        let message = format!("{} is not between 0 and {most}", number.as_str());
        let help = "write a number in this range; 0 switches the limit off";
        problems.refuse(&BAD_LIMIT, value.span(), message, help)
    })
}
