//! A plain reading of the rules of matching, to hold the table against: slow, and written from the manual alone.

use std::fmt::Write as _;

use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Test {
    Text(&'static str),
    Any(Vec<Test>),
    All(Vec<Key>),
}

#[derive(Debug, Clone)]
enum Key {
    In(usize),
    Regex(usize),
    Present(bool),
    Withheld(bool),
    Not(Test),
}

#[derive(Debug, Clone)]
pub(crate) struct Route {
    step: Option<&'static str>,
    alternatives: Vec<Vec<(&'static str, Test)>>,
    voice: bool,
    message: bool,
}

const NUMBERS: [&str; 4] = ["Called", "To", "Caller", "From"];

const OTHERS: [&str; 11] = [
    "Digits",
    "Body",
    "CallerCity",
    "FromCity",
    "ToState",
    "CalledState",
    "Direction",
    "campaign",
    "AddOns.a",
    "AddOns.a.b",
    "interactionData.a",
];

/// The directories that random tables have, and their keys.
const DIRECTORIES: [(&str, &[&str]); 3] = [
    ("rides", &["+15005550006", "+1415*", "+14155550100", "+14*"]),
    ("all", &["*", "lost"]),
    ("words", &["lost", "1*", "inbound"]),
];

/// What a regular expression finds.
type Meaning = fn(&str) -> bool;

/// Regular expressions beside what they mean.
const REGEXES: [(&str, Meaning); 6] = [
    ("^\\+1", |value| value.starts_with("+1")),
    ("lost", |value| value.contains("lost")),
    ("\\d{4}", |value| {
        value
            .as_bytes()
            .windows(4)
            .any(|four| four.iter().all(u8::is_ascii_digit))
    }),
    ("^$", str::is_empty),
    ("^(1|us)$", |value| value == "1" || value == "us"),
    ("o[sn]", |value| {
        value.contains("os") || value.contains("on")
    }),
];

const PATTERNS: [&str; 14] = [
    "",
    "*",
    "lost",
    "LOST",
    "*lost*",
    " Lost ",
    "l*t",
    "*o*s*",
    "1",
    "1*",
    "inbound",
    "outbound*",
    "us",
    "**",
];

const NUMBER_PATTERNS: [&str; 9] = [
    "",
    "*",
    "+15005550006",
    "+1415*",
    "+1*6",
    "anonymous",
    "client:*",
    "12345",
    "+14155550100",
];

const VALUES: [&str; 26] = [
    "",
    "+15005550006",
    "+14155550100",
    "+14155550101",
    "+1415",
    "anonymous",
    "Restricted",
    "+266696687",
    "sip:anonymous@anonymous.invalid",
    "client:alice",
    "12345",
    "lost",
    "LOST",
    " Lost\n",
    "l lost t",
    "1",
    "12",
    "inbound",
    "outbound-api",
    "us",
    "US",
    "{\"a\":\"lost\"}",
    "{\"a\":{\"b\":1}}",
    "{\"a\":true}",
    "{\"a.b\":\"1\",\"a\":{}}",
    "one",
];

/// Those of the values above that are a withheld caller's.
const WITHHELD: [&str; 5] = [
    "",
    "anonymous",
    "Restricted",
    "+266696687",
    "sip:anonymous@anonymous.invalid",
];

fn is_number(parameter: &str) -> bool {
    NUMBERS.contains(&parameter)
}

fn test(parameter: &'static str) -> BoxedStrategy<Test> {
    let patterns: &[&str] = if is_number(parameter) {
        &NUMBER_PATTERNS
    } else {
        &PATTERNS
    };
    let text = prop::sample::select(patterns).prop_map(Test::Text);
    text.prop_recursive(3, 12, 3, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Test::Any),
            keys(parameter, inner).prop_map(Test::All),
        ]
    })
    .boxed()
}

/// Some of the keys of a condition that is a table, each at most once.
fn keys(parameter: &'static str, inner: BoxedStrategy<Test>) -> impl Strategy<Value = Vec<Key>> {
    // Whether the keys of a directory are compared with a folded Body is not for this test to say.
    let maybe = |allowed: bool, keys: BoxedStrategy<Key>| {
        if allowed {
            prop::option::weighted(0.4, keys).boxed()
        } else {
            Just(None).boxed()
        }
    };
    (
        maybe(
            parameter != "Body",
            (0..DIRECTORIES.len()).prop_map(Key::In).boxed(),
        ),
        maybe(true, (0..REGEXES.len()).prop_map(Key::Regex).boxed()),
        maybe(true, any::<bool>().prop_map(Key::Present).boxed()),
        maybe(
            is_number(parameter),
            any::<bool>().prop_map(Key::Withheld).boxed(),
        ),
        maybe(true, inner.prop_map(Key::Not).boxed()),
    )
        .prop_map(|(a, b, c, d, e)| [a, b, c, d, e].into_iter().flatten().collect::<Vec<_>>())
        .prop_filter("a condition tests something", |keys| !keys.is_empty())
}

pub(crate) fn route() -> impl Strategy<Value = Route> {
    let parameters: Vec<&'static str> = NUMBERS.into_iter().chain(OTHERS).collect();
    let conditions = prop::sample::subsequence(parameters, 0..3).prop_flat_map(|parameters| {
        parameters
            .into_iter()
            .map(|parameter| (Just(parameter), test(parameter)))
            .collect::<Vec<_>>()
    });
    (
        prop_oneof![4 => Just(None), 1 => Just(Some("a")), 1 => Just(Some("b"))],
        prop::collection::vec(conditions, 0..3),
        prop::sample::select(vec![(true, true), (true, false), (false, true)]),
    )
        .prop_map(|(step, alternatives, (voice, message))| Route {
            step,
            alternatives,
            voice,
            message,
        })
}

pub(crate) type Pairs = Vec<(&'static str, &'static str)>;

/// The pairs of a body and of a query.
pub(crate) fn pairs() -> impl Strategy<Value = (Pairs, Pairs)> {
    let names: Vec<&'static str> = NUMBERS
        .into_iter()
        .chain(OTHERS)
        .chain(["AddOns", "interactionData"])
        .collect();
    let pair = (
        prop::sample::select(names),
        prop::sample::select(&VALUES[..]),
    );
    let sid = prop::sample::select(vec!["CallSid", "MessageSid", "SmsSid", "SmsStatus"]);
    let step = prop::option::weighted(0.4, prop::sample::select(vec!["", "a", "b", "c"]));
    (
        prop::collection::vec(pair.clone(), 0..10),
        prop::option::weighted(0.9, sid),
        prop::collection::vec(pair, 0..3),
        step,
    )
        .prop_map(|(mut body, sid, mut query, step)| {
            body.extend(sid.map(|sid| (sid, "XX1")));
            query.extend(step.map(|step| ("step", step)));
            (body, query)
        })
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text can be written as JSON, and so as TOML")
}

fn written_test(wanted: &Test) -> String {
    match wanted {
        Test::Text(text) => quoted(text),
        Test::Any(tests) => {
            let tests: Vec<String> = tests.iter().map(written_test).collect();
            format!("[{}]", tests.join(", "))
        }
        Test::All(keys) => {
            let keys: Vec<String> = keys
                .iter()
                .map(|key| match key {
                    Key::In(directory) => format!("in = {}", quoted(DIRECTORIES[*directory].0)),
                    Key::Regex(regex) => format!("regex = {}", quoted(REGEXES[*regex].0)),
                    Key::Present(wanted) => format!("present = {wanted}"),
                    Key::Withheld(wanted) => format!("withheld = {wanted}"),
                    Key::Not(test) => format!("not = {}", written_test(test)),
                })
                .collect();
            format!("{{ {} }}", keys.join(", "))
        }
    }
}

/// The routes and directories of a table; each route is named by its place.
pub(crate) fn written(routes: &[Route]) -> String {
    let mut text = String::from("parameters = [\"campaign\"]\n");
    for (name, keys) in DIRECTORIES {
        let keys: Vec<String> = keys.iter().copied().map(quoted).collect();
        writeln!(text, "[directory.{name}]\nnumbers = [{}]", keys.join(", "))
            .expect("a String takes all");
    }
    for (place, route) in routes.iter().enumerate() {
        write!(text, "[[route]]\nname = \"{place}\"\n").expect("a String takes all");
        if let Some(step) = route.step {
            writeln!(text, "step = \"{step}\"").expect("a String takes all");
        }
        if !route.alternatives.is_empty() {
            let tables: Vec<String> = route
                .alternatives
                .iter()
                .map(|conditions| {
                    let conditions: Vec<String> = conditions
                        .iter()
                        .map(|(parameter, test)| {
                            format!("{} = {}", quoted(parameter), written_test(test))
                        })
                        .collect();
                    format!("{{ {} }}", conditions.join(", "))
                })
                .collect();
            writeln!(text, "when = [{}]", tables.join(", ")).expect("a String takes all");
        }
        for (channel, answers) in [("voice", route.voice), ("message", route.message)] {
            if answers {
                writeln!(text, "{channel} = []").expect("a String takes all");
            }
        }
    }
    text
}

/// A request as section 3 of the manual reads it.
pub(crate) struct Plain<'p> {
    pub(crate) body: &'p Pairs,
    pub(crate) query: &'p Pairs,
}

impl Plain<'_> {
    fn sent(&self, name: &str) -> &str {
        let pairs = self.body.iter().chain(self.query);
        pairs
            .clone()
            .find(|(field, _)| *field == name)
            .map_or("", |(_, value)| value)
    }

    fn is_voice(&self) -> bool {
        let is_text = ["MessageSid", "SmsSid", "SmsStatus", "Body"]
            .iter()
            .any(|name| !self.sent(name).is_empty());
        !self.sent("CallSid").is_empty() || !is_text
    }

    fn step(&self) -> &str {
        self.query
            .iter()
            .find(|(field, _)| *field == "step")
            .map_or("", |(_, value)| value)
    }

    fn value(&self, name: &str) -> String {
        let alias = match name {
            "Called" => "To",
            "To" => "Called",
            "Caller" => "From",
            "From" => "Caller",
            "CallerCity" => "FromCity",
            "FromCity" => "CallerCity",
            "CalledState" => "ToState",
            "ToState" => "CalledState",
            _ => name,
        };
        let is_geography = matches!(name, "CallerCity" | "FromCity");
        if is_geography && WITHHELD.contains(&self.value("Caller").as_str()) {
            return String::new();
        }
        let own = [self.sent(name), self.sent(alias)]
            .into_iter()
            .find(|value| !value.is_empty());
        match (own, name.split_once('.')) {
            (Some(value), _) => value.to_owned(),
            (None, Some((parameter, path))) => self.inside(parameter, path),
            (None, None) if name == "Direction" => "inbound".to_owned(),
            (None, None) => String::new(),
        }
    }

    fn inside(&self, parameter: &str, path: &str) -> String {
        let value: Option<serde_json::Value> = serde_json::from_str(self.sent(parameter)).ok();
        let value = path
            .split('.')
            .try_fold(value.unwrap_or_default(), |value, key| {
                value.get(key).cloned()
            });
        match value {
            Some(serde_json::Value::String(text)) => text,
            Some(value @ (serde_json::Value::Number(_) | serde_json::Value::Bool(_))) => {
                value.to_string()
            }
            _ => String::new(),
        }
    }

    fn holds(&self, parameter: &str, test: &Test) -> bool {
        let value = self.value(parameter);
        if parameter == "Body" {
            passes(&value.trim().to_lowercase(), test, true)
        } else {
            passes(&value, test, false)
        }
    }

    fn first_failing(&self, conditions: &[(&'static str, Test)]) -> Option<&'static str> {
        let failing = conditions
            .iter()
            .find(|(parameter, test)| !self.holds(parameter, test));
        failing.map(|(parameter, _)| *parameter)
    }

    /// Why a route does not answer: `step`, `channel`, or the parameter of the first failing condition.
    pub(crate) fn miss(&self, route: &Route) -> Option<&'static str> {
        if route.step.unwrap_or_default() != self.step() {
            return Some("step");
        }
        let answers = if self.is_voice() {
            route.voice
        } else {
            route.message
        };
        if !answers {
            return Some("channel");
        }
        let failing: Option<Vec<&str>> = route
            .alternatives
            .iter()
            .map(|conditions| self.first_failing(conditions))
            .collect();
        failing?.first().copied()
    }
}

fn passes(value: &str, test: &Test, folds: bool) -> bool {
    match test {
        Test::Text(pattern) if folds => like(&pattern.trim().to_lowercase(), value),
        Test::Text(pattern) => like(pattern, value),
        Test::Any(tests) => tests.iter().any(|test| passes(value, test, folds)),
        Test::All(keys) => keys.iter().all(|key| match key {
            Key::In(directory) => DIRECTORIES[*directory].1.iter().any(|key| like(key, value)),
            Key::Regex(regex) => REGEXES[*regex].1(value),
            Key::Present(wanted) => *wanted != value.is_empty(),
            Key::Withheld(wanted) => WITHHELD.contains(&value) == *wanted,
            Key::Not(test) => !passes(value, test, folds),
        }),
    }
}

/// Whether a text fits a pattern whose `*` stands for anything: every way to share the text out is tried.
fn like(pattern: &str, text: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('*') => text
            .char_indices()
            .map(|(at, _)| at)
            .chain([text.len()])
            .any(|at| like(&pattern[1..], &text[at..])),
        Some(first) => text
            .strip_prefix(first)
            .is_some_and(|rest| like(&pattern[first.len_utf8()..], rest)),
    }
}
