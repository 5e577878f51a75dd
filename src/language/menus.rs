//! Menus: Gathers that can send a key which no route of their step answers.
//!
//! A key is reported only when this is certain: a condition on anything else is assumed to hold.

use std::collections::BTreeSet;
use std::ops::Range;

use hashbrown::HashMap;

use super::dead_routes::NEVER_ANSWERS;
use super::elements::Written;
use super::names::{Names, Reader, Uses};
use super::rules::{ACTION, literal};
use crate::table::condition::{all, any};
use crate::table::diagnostic::Check;
use crate::table::problems::Problems;
use crate::table::remedy::listed;
use crate::table::{Route, Table};
use crate::twilio::channel::{Channel, Webhook};
use crate::twilio::facts::{Facts, Known};

pub(super) static UNANSWERED_KEY: Check = Check::new(
    "unanswered-key",
    "A menu accepts keys that no route of its step answers. A caller who presses one hears `[default]`, for example that the
number is not in use. Add a last route for the step, without a condition on `Digits`, that says what to press.",
    r#"voice = [ { Gather = [ { Say = "For sales, press 1." } ], numDigits = 1, action = "?step=menu" } ]

[[route]]
name = "sales"
step = "menu"
when = { Digits = "1" }     # and what about 2?
voice = [ { Dial = "+15005550006" } ]"#,
);

/// A Gather that sends keys to a step.
#[derive(Debug)]
pub(super) struct Menu {
    step: String,
    /// The keys that it can send on their own.
    keys: String,
    /// Whether it never takes more than one key.
    takes_one: bool,
    span: Range<usize>,
}

/// The keys of a telephone.
const KEYS: &str = "0123456789*#";

/// Records a Gather whose keys go to a step.
pub(super) fn note_menu(reader: &mut Reader<'_>, written: &Written<'_>) {
    let element = &written.element;
    let Some((_, place)) = written
        .attribute(ACTION)
        .filter(|_| element.tag == "Gather")
    else {
        return;
    };
    let mut steps = reader.uses.steps.iter();
    let step = steps.find(|step| step.span == *place && step.is_ours);
    let value = |name: &str, default: &'static str| match written.attribute(name) {
        Some(_) => literal(element, name).map(str::to_owned),
        None => Some(default.to_owned()),
    };
    let (Some(step), Some(input), Some(last)) =
        (step, value("input", "dtmf"), value("finishOnKey", "#"))
    else {
        return;
    };
    if !input.split(' ').any(|word| word == "dtmf") {
        return;
    }
    let menu = Menu {
        step: step.step.clone(),
        // The key that ends the input is not sent with the digits.
        keys: KEYS.chars().filter(|key| !last.contains(*key)).collect(),
        takes_one: literal(element, "numDigits") == Some("1"),
        span: written.name.clone(),
    };
    reader.uses.menus.push(menu);
}

/// Reports menu keys that no route of the step can answer, and routes that wait for more keys than can come.
pub(super) fn check(names: &Names, table: &Table, uses: &Uses, problems: &mut Problems) {
    let menus = &uses.menus;
    if menus.is_empty() {
        return;
    }
    let mut answering: HashMap<&str, Vec<&Route>> = HashMap::new();
    for route in table.routes().iter().filter(|route| route.voice.is_some()) {
        answering.entry(route.step()).or_default().push(route);
    }
    if !uses.leads_anywhere {
        check_lengths(names, uses, &answering, problems);
    }
    // The unanswered keys, by step and possible keys, computed once: many menus may lead to the same step.
    let mut unanswered: HashMap<(&str, &str), Vec<char>> = HashMap::new();
    for menu in menus {
        // A step without routes is itself reported.
        let Some(routes) = answering.get(&*menu.step) else {
            continue;
        };
        let is_answered = |key: &char| {
            let key = Key(key.to_string());
            routes.iter().any(|route| may_match(route, &key))
        };
        let find = || menu.keys.chars().filter(|key| !is_answered(key)).collect();
        let missing = unanswered
            .entry((&menu.step, &menu.keys))
            .or_insert_with(find);
        if missing.is_empty() {
            continue;
        }
        let step = &menu.step;
        let message = if missing.len() == menu.keys.len() {
            format!(
                "no route with step = \"{step}\" answers any single key: callers who press one hear [default]"
            )
        } else {
            let keys = spelled(missing);
            format!(
                "no route with step = \"{step}\" answers {keys}: callers who press that hear [default]"
            )
        };
        let help =
            format!("add a last route with step = \"{step}\" and without a condition on `Digits`");
        problems.warn(&UNANSWERED_KEY, &menu.span, message, help);
    }
}

/// Reports a step's routes that wait for several keys although every Gather that leads there takes only one.
fn check_lengths(
    names: &Names,
    uses: &Uses,
    answering: &HashMap<&str, Vec<&Route>>,
    problems: &mut Problems,
) {
    let mut references: HashMap<&str, usize> = HashMap::new();
    for reference in &uses.steps {
        *references.entry(&reference.step).or_default() += 1;
    }
    let mut menus: HashMap<&str, Vec<&Menu>> = HashMap::new();
    for menu in uses.menus.iter().filter(|menu| menu.takes_one) {
        menus.entry(&menu.step).or_default().push(menu);
    }
    for (step, routes) in answering.iter().filter(|(step, _)| !step.is_empty()) {
        let Some(menus) = menus.get(step) else {
            continue;
        };
        if references.get(step) != Some(&menus.len()) {
            continue;
        }
        // A Gather may also send no key at all.
        let keys = menus
            .iter()
            .flat_map(|menu| menu.keys.chars().map(String::from));
        let keys: BTreeSet<String> = keys.chain([String::new()]).collect();
        for route in routes {
            let is_heard = keys.iter().any(|key| may_match(route, &Key(key.clone())));
            let place = names.routes.get(&*route.name);
            if let Some(&start) = place.filter(|_| !is_heard && route.message.is_none()) {
                // The name with its quotes.
                let place = start..start + route.name.len() + 2;
                let message = format!(
                    "each Gather that leads to step \"{step}\" takes one key, and this route waits for another"
                );
                let help =
                    "write numDigits = 2 for those Gathers, or correct the condition on `Digits`";
                problems.warn(&NEVER_ANSWERS, place, message, help);
            }
        }
    }
}

/// Whether a route may match a request with this key.
fn may_match(route: &Route, key: &Key) -> bool {
    let alternatives = &route.when.alternatives;
    let holds = any(alternatives, |alternative| {
        all(&alternative.conditions, |condition| {
            condition.holds_always(&key)
        })
    });
    alternatives.is_empty() || holds != Some(false)
}

/// Lists keys for a message, consecutive ones as a range.
fn spelled(keys: &[char]) -> String {
    let mut runs: Vec<(char, char)> = Vec::new();
    for key in keys {
        match runs.last_mut() {
            Some((_, last)) if key.is_ascii_digit() && *last as u32 + 1 == *key as u32 => {
                *last = *key;
            }
            _ => runs.push((*key, *key)),
        }
    }
    let runs: Vec<String> = runs
        .into_iter()
        .map(|(first, last)| match last as u32 - first as u32 {
            0 => first.to_string(),
            _ => format!("{first}-{last}"),
        })
        .collect();
    let runs: Vec<&str> = runs.iter().map(String::as_str).collect();
    let keys = if keys.len() == 1 {
        "the key"
    } else {
        "the keys"
    };
    format!("{keys} {}", listed(&runs))
}

/// A request from a Gather of which only the pressed key is known.
struct Key(String);

impl<'k> Facts<'k> for &'k Key {
    fn webhook(&self) -> Webhook {
        Webhook::Plain
    }

    fn channel(&self) -> Channel {
        Channel::Voice
    }

    fn step(&self) -> Option<&'k str> {
        None
    }

    fn sent(&self, name: &str) -> Known<'k> {
        if name == "Digits" {
            Known::Whole(self.0.as_str().into())
        } else {
            Known::Nothing
        }
    }

    fn caller_withheld(&self) -> Option<bool> {
        None
    }

    // The rules for a whole request do not apply: a value absent there is only unknown here.
    fn value(&self, name: &str) -> Known<'k> {
        self.sent(name)
    }
}
