//! `parameters`, `[extra]` and `[loop_guard]`: what an operator adds to or changes of our own rules.

use std::collections::{BTreeMap, BTreeSet};

use toml::de::{DeTable, DeValue};

use crate::table::diagnostic::Check;
use crate::table::guard::{Limits, MOST_REPLIES};
use crate::table::problems::{BAD_NAME, Problems, Value, integer};
use crate::table::remedy::{Remedy, did_you_mean};
use crate::table::schedule::parse_seconds;
use crate::twilio::channel::Channel;
use crate::twilio::vocabulary;

pub(super) static UNKNOWN_ELEMENT: Check = Check::new(
    "unknown-element",
    "An element that TwiML does not have, or an empty table. Letter case counts: `Say`, not `say`; tags inside `Say` are in
small letters.",
    r#"voice = [ { say = "Hello." } ]"#,
);

pub(super) static BAD_LIMIT: Check = Check::new(
    "bad-limit",
    "A limit of `[loop_guard]` is out of range: `replies` is 0 to 30, `per` is `1s` to `24h`. Write 0 for `replies` or
`same_call` to switch that guard off.",
    r#"[loop_guard]
per = "10 minutes"     # per = "10m""#,
);

/// The query fields of the operator's own.
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

/// The attributes that elements have besides those that TwiML is known to have.
pub(super) fn extra(
    problems: &mut Problems,
    section: Option<&Value<'_>>,
) -> BTreeMap<String, Vec<String>> {
    let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let known = Channel::ALL.into_iter();
    let known: Vec<&str> = known.flat_map(vocabulary::element_names).collect();
    let elements = problems.entries(section, "a table of elements");
    let is_there = |name: &str| elements.iter().any(|(key, _)| key.get_ref() == name);
    for (key, value) in &elements {
        let element = key.get_ref().as_ref();
        if !known.contains(&element) {
            let otherwise = "name an element of TwiML's";
            let remedy = did_you_mean('`', element, known.iter().copied(), otherwise);
            let message = format!("TwiML has no element `{element}`");
            problems
                .error(&UNKNOWN_ELEMENT, key.span(), message, remedy)
                .unless_taken(|name| is_there(name));
            continue;
        }
        let help = format!("write {element} = [\"newAttribute\"]");
        let attributes = problems.array(value, "an array of attributes", &help, DeValue::is_str);
        for item in attributes.unwrap_or_default() {
            let Some(name) = problems.name(item, "the name of an attribute") else {
                continue;
            };
            let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_:".contains(&byte);
            let begins_well = name.starts_with(|first: char| first.is_ascii_alphabetic());
            if begins_well && name.bytes().all(is_word) {
                let names = extra.entry(element.to_owned()).or_default();
                names.push(name.to_owned());
            } else {
                let message = format!("\"{name}\" cannot be the name of an attribute");
                let help = "a name begins with a letter and has only letters, digits, - _ and :";
                problems.error(&BAD_NAME, item.span(), message, help);
            }
        }
    }
    extra
}

/// What the guards allow; the defaults where the section does not say otherwise.
pub(super) fn limits(problems: &mut Problems, section: Option<&Value<'_>>) -> Limits {
    let defaults = Limits::default();
    let table = section.and_then(|section| problems.table(section, "a table of limits"));
    let Some(table) = table else {
        return defaults;
    };
    Limits {
        replies: count(problems, table, "replies", MOST_REPLIES).unwrap_or(defaults.replies),
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
            None => "write a number; 0 switches the guard off".into(),
        };
        return problems.wrong_type(value, "a whole number", remedy);
    };
    let count = integer(number).filter(|count| *count <= most);
    count.or_else(|| {
        let message = format!("{} is not between 0 and {most}", number.as_str());
        let help = "write such a number; 0 switches the guard off";
        problems.refuse(&BAD_LIMIT, value.span(), message, help)
    })
}
