//! A plain implementation of the rules of matching, written only from the manual, and slow. Table, service and
//! `explain` are compared with it.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::ops::Range;

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ZonedDateTime};
use proptest::prelude::*;
use twiml_responder::language::{NoFiles, compile};
use twiml_responder::table::Table;
use twiml_responder::table::diagnostic::{File, Severity};
use twiml_responder::twilio::request::{Form, Webhook};

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
    /// The two parameters are a key of [`PAIRS`].
    Paired,
    /// Positions in [`TIMES`].
    Before(usize),
    After(usize),
    Not(Test),
}

/// What a condition is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    Parameter(&'static str),
    /// Two parameters, which are looked up in [`PAIRS`].
    Pair([&'static str; 2]),
    /// The city in the row that these two choose.
    PairCity([&'static str; 2]),
    /// The city in the row of a directory that a parameter chooses.
    City(usize, &'static str),
    /// The end in such a row.
    Until(usize, &'static str),
}

#[derive(Debug, Clone)]
pub(crate) struct Route {
    step: Option<&'static str>,
    alternatives: Vec<Vec<(Subject, Test)>>,
    /// Positions in [`SCHEDULES`].
    during: Vec<usize>,
    outside: Vec<usize>,
    says: Says,
    pub(crate) answers_machines: bool,
    /// Whether the intercept with the same conditions blocks.
    pub(crate) blocks: bool,
}

/// What a route says.
#[derive(Debug, Clone)]
struct Says {
    voice: bool,
    message: bool,
    /// Whether both replies are in a named reply.
    is_named: bool,
    /// The `mode` of its `create_session`, empty without a mode; `None` without `create_session`.
    session: Option<&'static str>,
}

const NUMBERS: [&str; 4] = ["Called", "To", "Caller", "From"];

const OTHERS: [&str; 17] = [
    "Digits",
    "Body",
    "SpeechResult",
    "sessionDateEnded",
    "CallerCity",
    "FromCity",
    "CallerZip",
    "FromZip",
    "CallerState",
    "ToState",
    "CalledState",
    "ToCity",
    "Direction",
    "campaign",
    "AddOns.a",
    "AddOns.a.b",
    "interactionData.a",
];

/// Key, city, and end.
type DirectoryRow = (&'static str, &'static str, &'static str);

/// The directories in random tables: their keys, each with a city and its end. The first has no rows, and so no cells.
const DIRECTORIES: [(&str, &[DirectoryRow]); 4] = [
    (
        "rides",
        &[
            ("+15005550006", "", ""),
            ("+1415*", "", ""),
            ("+14155550100", "", ""),
            ("+14*", "", ""),
        ],
    ),
    (
        "all",
        &[
            ("*", "ny", "2026-11-20"),
            ("lost", "la", ""),
            ("+1*", "", "2026-11-20T14:00:00Z"),
        ],
    ),
    (
        "words",
        &[
            ("LOST", "ny", ""),
            ("lost", "la", "Fri, 20 Nov 2026 13:00:00 +0100"),
            ("Lost!", "ny", ""),
            ("1*", "NY", "2026-12-31"),
            ("inbound", "ny", "1970-01-01T00:00:00Z"),
            ("12", "la", "2026-11-20T12:00:00Z"),
        ],
    ),
    (
        "zones",
        &[
            ("+1*", "ny", "2026-11-20T15:00:00+01:00"),
            ("+14155550100", "la", ""),
            ("+1415*", "NY", "2026-11-21"),
            ("anonymous", "la", "2026-11-20T14:00:00Z"),
        ],
    ),
];

/// The directory with two key columns in random tables: its keys, each with a city.
const PAIRS: [([&str; 2], &str); 6] = [
    (["+15005550006", "+14155550100"], "ny"),
    (["+14155550100", "+15005550006"], "la"),
    (["+15005550006", "anonymous"], ""),
    (["+14155550100", "+14155550100"], "NY"),
    (["Lost", "+15005550006"], "ny"),
    (["12345", "client:alice"], "la"),
];

const PAIRED: [[&str; 2]; 4] = [
    ["Called", "Caller"],
    ["Caller", "Called"],
    ["From", "To"],
    ["Body", "Called"],
];

/// The moments meant by the cells above and the values below, as RFC 3339 in UTC. Other values are not moments.
const MEANT: [(&str, &str); 9] = [
    ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
    ("2026-11-20", "2026-11-20T00:00:00Z"),
    ("2026-11-20T12:00:00Z", "2026-11-20T12:00:00Z"),
    ("Fri, 20 Nov 2026 13:00:00 +0100", "2026-11-20T12:00:00Z"),
    ("2026-11-20T14:00:00Z", "2026-11-20T14:00:00Z"),
    ("2026-11-20T15:00:00+01:00", "2026-11-20T14:00:00Z"),
    ("2026-11-21", "2026-11-21T00:00:00Z"),
    ("2026-12-25T15:00:00.5Z", "2026-12-25T15:00:00.5Z"),
    ("2026-12-31", "2026-12-31T00:00:00Z"),
];

/// What `before` and `after` compare with: the text, and its meaning as seconds from now or as a moment.
const TIMES: [(&str, Result<i64, &str>); 7] = [
    ("now", Ok(0)),
    ("now-2h", Ok(-7200)),
    ("now + 30m", Ok(1800)),
    ("now-1d", Ok(-86_400)),
    ("2026-11-20", Err("2026-11-20T00:00:00Z")),
    ("2026-11-20T14:00:00Z", Err("2026-11-20T14:00:00Z")),
    ("2026-12-31T00:00:00+00:00", Err("2026-12-31T00:00:00Z")),
];

/// Parameters that may be moments: one of Twilio's, and one of the operator's.
const DATED: [&str; 2] = ["sessionDateEnded", "campaign"];

const DATED_VALUES: [&str; 12] = [
    "",
    "1970-01-01T00:00:00Z",
    "2026-11-20",
    "2026-11-20T12:00:00Z",
    "Fri, 20 Nov 2026 13:00:00 +0100",
    "2026-11-20T15:00:00+01:00",
    "2026-11-21",
    "2026-12-25T15:00:00.5Z",
    "2026-11-20 14:00:00",
    "1795176000",
    "20.11.2026",
    "soon",
];

const CITIES: [&str; 6] = ["", "*", "ny", "NY", "n*", "la"];

/// Whether a schedule is open at a local time.
type Hours = fn(&ZonedDateTime) -> bool;

/// The schedules in random tables, each as text and as its meaning.
const SCHEDULES: [(&str, &str, &str, Hours); 3] = [
    ("morning", "UTC", "open = [\"00:00-12:00\"]", |clock| {
        clock.hour() < 12
    }),
    (
        "office",
        "America/New_York",
        "open = [\"Mon-Fri 09:00-17:30\", \"Sat 10:00-14:00\"]\nclosed = [\"12-25\", \"2026-12-31 12:00-24:00\"]",
        |clock| {
            let minute = i32::from(clock.hour()) * 60 + i32::from(clock.minute());
            let is_open = match clock.weekday() {
                Weekday::Sunday => false,
                Weekday::Saturday => (600..840).contains(&minute),
                _ => (540..1050).contains(&minute),
            };
            let is_christmas = (clock.month(), clock.day()) == (12, 25);
            let is_last_day = (clock.year(), clock.month(), clock.day()) == (2026, 12, 31);
            is_open && !is_christmas && !(is_last_day && minute >= 720)
        },
    ),
    (
        "night",
        "Europe/Berlin",
        "open = [\"Mon-Fri 22:00-06:00\"]",
        |clock| {
            let day = clock.weekday();
            let is_evening = clock.hour() >= 22;
            let is_small_hours = clock.hour() < 6;
            let is_weekend = matches!(day, Weekday::Saturday | Weekday::Sunday);
            // Hours after midnight belong to the day before.
            let follows_weekend = matches!(day, Weekday::Sunday | Weekday::Monday);
            is_evening && !is_weekend || is_small_hours && !follows_weekend
        },
    ),
];

/// Moments when a schedule opens or closes, or when clocks change.
const MOMENTS: [&str; 14] = [
    "1970-01-01T00:00:00Z",
    "2026-07-01T11:59:59.999Z",
    "2026-11-20T12:00:00Z",
    "2026-11-20T13:59:59.999Z",
    "2026-11-20T14:00:00Z",
    "2026-11-20T22:29:59Z",
    "2026-11-20T22:30:00Z",
    "2026-11-21T04:59:59Z",
    "2026-11-21T05:00:00Z",
    "2026-11-23T04:30:00Z",
    "2026-10-23T20:00:00Z",
    "2026-12-25T15:00:00Z",
    "2026-12-31T16:59:59Z",
    "2026-12-31T17:00:00Z",
];

/// Whether a regular expression matches.
type Meaning = fn(&str) -> bool;

/// Regular expressions with their meanings.
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

const PATTERNS: [&str; 16] = [
    "",
    "*",
    "lost",
    "LOST",
    "*lost*",
    " Lost ",
    "Lost?",
    "*t.",
    "l*t",
    "*o*s*",
    "1",
    "1*",
    "inbound",
    "outbound*",
    "us",
    "**",
];

const NUMBER_PATTERNS: [&str; 10] = [
    "",
    "*",
    "+15005550006",
    "+1415*",
    "+1*6",
    "anonymous",
    "client:*",
    "No*",
    "12345",
    "+14155550100",
];

const NUMBER_VALUES: [&str; 18] = [
    "",
    "+15005550006",
    "+14155550100",
    "+14155550101",
    "+1415",
    "anonymous",
    "Restricted",
    "+266696687",
    "+7378742833",
    "86282452253",
    "sip:anonymous@anonymous.invalid",
    "sip:x@anonymous.invalid:5061",
    "anonymous@10.0.0.1:5060",
    "sip:+2562533@example.com",
    "No Caller ID",
    "TWILIO",
    "client:alice",
    "12345",
];

const WORD_VALUES: [&str; 22] = [
    "",
    "STOP",
    " help",
    "Stop it",
    "\"Stop!\"",
    "opt out",
    "Arrêt",
    "REVOKE.",
    "Lost!",
    "lost. ",
    "...",
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
    "one",
];

const JSON_VALUES: [&str; 4] = [
    "{\"a\":\"lost\"}",
    "{\"a\":{\"b\":1}}",
    "{\"a\":true}",
    "{\"a.b\":\"1\",\"a\":{}}",
];

/// The values above that mean a withheld caller on calls and texts. On calls, values with neither a digit nor a colon
/// also do.
const WITHHELD: [&str; 8] = [
    "",
    "+266696687",
    "+7378742833",
    "86282452253",
    "anonymous@10.0.0.1:5060",
    "sip:+2562533@example.com",
    "sip:x@anonymous.invalid:5061",
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

/// Some of the keys of a condition, each at most once.
fn keys(parameter: &'static str, inner: BoxedStrategy<Test>) -> impl Strategy<Value = Vec<Key>> {
    let maybe = |allowed: bool, keys: BoxedStrategy<Key>| {
        if allowed {
            prop::option::weighted(0.4, keys).boxed()
        } else {
            Just(None).boxed()
        }
    };
    (
        maybe(true, (0..DIRECTORIES.len()).prop_map(Key::In).boxed()),
        maybe(true, (0..REGEXES.len()).prop_map(Key::Regex).boxed()),
        maybe(true, any::<bool>().prop_map(Key::Present).boxed()),
        maybe(
            is_number(parameter),
            any::<bool>().prop_map(Key::Withheld).boxed(),
        ),
        maybe(DATED.contains(&parameter), moment_key().boxed()),
        maybe(true, inner.prop_map(Key::Not).boxed()),
    )
        .prop_map(|(a, b, c, d, e, f)| {
            let keys = [a, b, c, d, e, f];
            keys.into_iter().flatten().collect::<Vec<_>>()
        })
        .prop_filter("a condition tests something", |keys| !keys.is_empty())
}

/// The directory whose row a condition chooses: that of an `in` at its top level.
fn chosen(test: &Test) -> Option<usize> {
    match test {
        Test::All(keys) => keys.iter().find_map(|key| match key {
            Key::In(directory) => Some(*directory),
            _ => None,
        }),
        Test::Text(_) | Test::Any(_) => None,
    }
}

/// A test of two parameters.
fn paired() -> impl Strategy<Value = Test> {
    let paired = || Test::All(vec![Key::Paired]);
    prop_oneof![
        4 => Just(paired()),
        1 => Just(Test::All(vec![Key::Not(paired())])),
        1 => Just(Test::Any(vec![paired()])),
        1 => Just(Test::All(vec![Key::Not(Test::All(vec![Key::Not(paired())]))])),
    ]
}

fn moment_key() -> impl Strategy<Value = Key> {
    let time = 0..TIMES.len();
    prop_oneof![
        time.clone().prop_map(Key::Before),
        time.prop_map(Key::After)
    ]
}

/// A test of the end of a row.
fn until() -> impl Strategy<Value = Test> {
    let one = || moment_key().prop_map(|key| Test::All(vec![key]));
    prop_oneof![
        3 => one(),
        1 => one().prop_map(|test| Test::All(vec![Key::Not(test)])),
        1 => prop::collection::vec(one(), 2).prop_map(Test::Any),
        1 => any::<bool>().prop_map(|wanted| Test::All(vec![Key::Present(wanted)])),
    ]
}

/// A test of a city.
fn city() -> impl Strategy<Value = Test> {
    let text = prop::sample::select(&CITIES[..]).prop_map(Test::Text);
    let some = prop::collection::vec(text.clone(), 1..3).prop_map(Test::Any);
    prop_oneof![
        2 => text,
        1 => some.clone(),
        1 => some.prop_map(|some| Test::All(vec![Key::Not(some)])),
        1 => any::<bool>().prop_map(|wanted| Test::All(vec![Key::Present(wanted)])),
    ]
}

/// One table of `when`: its conditions, in order, including one that chooses a row of the directory, if given.
fn alternative(
    parameters: &[&'static str],
    directory: Option<usize>,
) -> impl Strategy<Value = Vec<(Subject, Test)>> + use<> {
    let conditions = prop::sample::subsequence(parameters.to_vec(), 0..=parameters.len().min(2))
        .prop_shuffle()
        .prop_flat_map(|parameters| {
            parameters
                .into_iter()
                .map(|parameter| (Just(Subject::Parameter(parameter)), test(parameter)))
                .collect::<Vec<_>>()
        });
    let cell = (
        prop::sample::select(parameters.to_vec()),
        directory.map_or_else(|| (1..DIRECTORIES.len()).boxed(), |one| Just(one).boxed()),
        prop::option::of(any::<bool>()),
        prop::option::weighted(0.6, city()),
        prop::option::weighted(0.4, until()),
        any::<[prop::sample::Index; 3]>(),
    );
    let cell = if directory.is_some() {
        cell.prop_map(Some).boxed()
    } else {
        prop::option::weighted(0.25, cell).boxed()
    };
    let pair = (
        prop::sample::select(&PAIRED[..]),
        paired(),
        city(),
        any::<(prop::sample::Index, prop::sample::Index)>(),
    );
    let has_pair = parameters.iter().any(|name| is_number(name));
    let pair = if has_pair {
        prop::option::weighted(0.3, pair).boxed()
    } else {
        Just(None).boxed()
    };
    (conditions, cell, pair).prop_map(|(mut conditions, cell, pair)| {
        if let Some((names, paired, city, (first, second))) = pair {
            // Only a plain `in` chooses a row.
            let chooses = matches!(&paired, Test::All(keys) if matches!(keys[..], [Key::Paired]));
            let mut insert = |at: prop::sample::Index, condition| {
                let at = at.index(conditions.len() + 1);
                conditions.insert(at, condition);
            };
            insert(first, (Subject::Pair(names), paired));
            if chooses {
                insert(second, (Subject::PairCity(names), city));
            }
        }
        if let Some((parameter, directory, present, city, until, [first, second, third])) = cell {
            // A column needs exactly one condition that chooses the row.
            conditions.retain(|(subject, test)| {
                *subject != Subject::Parameter(parameter) && chosen(test) != Some(directory)
            });
            let keys = [Some(Key::In(directory)), present.map(Key::Present)];
            let choosing = Test::All(keys.into_iter().flatten().collect());
            let mut insert = |at: prop::sample::Index, condition| {
                let at = at.index(conditions.len() + 1);
                conditions.insert(at, condition);
            };
            insert(first, (Subject::Parameter(parameter), choosing));
            if let Some(city) = city {
                insert(second, (Subject::City(directory, parameter), city));
            }
            if let Some(until) = until {
                insert(third, (Subject::Until(directory, parameter), until));
            }
        }
        conditions
    })
}

fn says() -> impl Strategy<Value = Says> {
    let keys = prop::sample::select(vec![(true, true), (true, false), (false, true)]);
    let modes = vec!["", "voice-only", "message-only", "voice-and-message"];
    let mode = prop::sample::select(modes);
    prop_oneof![
        4 => (keys.clone(), Just(None)),
        1 => (Just((false, false)), mode.clone().prop_map(Some)),
        1 => (keys, mode.prop_map(Some)),
    ]
    .prop_flat_map(|((voice, message), session)| {
        prop::bool::weighted(0.2).prop_map(move |is_named| Says {
            voice,
            message,
            is_named,
            session,
        })
    })
}

fn route(parameters: &[&'static str]) -> BoxedStrategy<Route> {
    let schedules = || {
        let some = prop::sample::subsequence((0..SCHEDULES.len()).collect::<Vec<_>>(), 1..3);
        prop_oneof![5 => Just(Vec::new()), 1 => some]
    };
    let parameters = parameters.to_vec();
    let directory = prop::option::weighted(0.5, 1..DIRECTORIES.len());
    let alternatives = directory.prop_flat_map(move |directory| {
        prop::collection::vec(alternative(&parameters, directory), 0..4)
    });
    (
        prop_oneof![6 => Just(None), 1 => Just(Some("a")), 1 => Just(Some("b"))],
        alternatives,
        (schedules(), schedules()),
        says(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(step, alternatives, (during, outside), says, answers_machines, blocks)| Route {
                step,
                alternatives,
                during,
                outside,
                says,
                answers_machines,
                blocks,
            },
        )
        .boxed()
}

/// Some routes, all over the same few parameters.
pub(crate) fn some_routes(many: Range<usize>) -> impl Strategy<Value = Vec<Route>> {
    let parameters: Vec<&'static str> = NUMBERS.into_iter().chain(OTHERS).collect();
    prop::sample::subsequence(parameters, 1..6)
        .prop_flat_map(move |parameters| prop::collection::vec(route(&parameters), many.clone()))
}

pub(crate) type Pairs = Vec<(&'static str, &'static str)>;

/// A request: its webhook, its fields, and its time. A GET has all fields in its query.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) webhook: Webhook,
    pub(crate) is_get: bool,
    pub(crate) body: Pairs,
    pub(crate) query: Pairs,
    pub(crate) moment: &'static str,
}

impl Asked {
    pub(crate) fn now(&self) -> Timestamp {
        self.moment.parse().expect("a moment")
    }

    /// The fields of its body and of its query.
    pub(crate) fn forms(&self) -> (Form, Form) {
        let form = |pairs: &Pairs| pairs.iter().copied().collect();
        (form(&self.body), form(&self.query))
    }
}

pub(crate) fn asked() -> impl Strategy<Value = Asked> {
    let of = |names: &[&'static str], values: &[&'static str]| {
        (
            prop::sample::select(names.to_vec()),
            prop::sample::select(values.to_vec()),
        )
    };
    let others = [&OTHERS[..], &["OptOutType"]].concat();
    let all = [&NUMBERS[..], &OTHERS].concat();
    let all_values = [&NUMBER_VALUES[..], &WORD_VALUES, &JSON_VALUES].concat();
    let pair = prop_oneof![
        6 => of(&NUMBERS, &NUMBER_VALUES),
        8 => of(&others, &WORD_VALUES),
        2 => of(&DATED, &DATED_VALUES),
        1 => of(&["AddOns", "interactionData"], &JSON_VALUES),
        3 => of(&all, &all_values),
    ];
    let sids = vec![
        "CallSid",
        "MessageSid",
        "SmsSid",
        "SmsMessageSid",
        "SmsStatus",
    ];
    let step = prop::option::weighted(0.3, prop::sample::select(vec!["", "a", "b", "c"]));
    let webhooks = [Webhook::OutOfSession, Webhook::Plain, Webhook::Intercept];
    (
        prop::sample::select(webhooks.to_vec()),
        prop::bool::weighted(0.2),
        prop::collection::vec(pair.clone(), 0..10),
        prop::option::weighted(0.9, prop::sample::select(sids)),
        prop::collection::vec(pair, 0..3),
        (step, prop::option::weighted(0.1, Just("a"))),
        prop::sample::select(&MOMENTS[..]),
    )
        .prop_map(
            |(webhook, is_get, mut body, sid, mut query, (step, posted_step), moment)| {
                body.extend(sid.map(|sid| (sid, "XX1")));
                // A field of the body, which does not count as the step.
                body.extend(posted_step.map(|step| ("step", step)));
                query.extend(step.map(|step| ("step", step)));
                if is_get {
                    query.append(&mut body);
                }
                Asked {
                    webhook,
                    is_get,
                    body,
                    query,
                    moment,
                }
            },
        )
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
                    Key::Paired => "in = \"pairs\"".to_owned(),
                    Key::Before(time) => format!("before = {}", quoted(TIMES[*time].0)),
                    Key::After(time) => format!("after = {}", quoted(TIMES[*time].0)),
                    Key::Not(test) => format!("not = {}", written_test(test)),
                })
                .collect();
            format!("{{ {} }}", keys.join(", "))
        }
    }
}

impl Subject {
    pub(crate) fn written(self) -> String {
        match self {
            Self::Parameter(name) => name.to_owned(),
            Self::Pair(names) => names.join(", "),
            Self::PairCity(_) => "pairs.city".to_owned(),
            Self::City(directory, _) => format!("{}.city", DIRECTORIES[directory].0),
            Self::Until(directory, _) => format!("{}.until", DIRECTORIES[directory].0),
        }
    }
}

/// What all tables have before their routes.
fn head() -> String {
    let mut text = String::from("parameters = [\"campaign\"]\n");
    for (place, (name, rows)) in DIRECTORIES.iter().enumerate() {
        let rows: Vec<String> = rows
            .iter()
            .map(|(key, city, until)| {
                let [key, city, until] = [key, city, until].map(|cell| quoted(cell));
                if place == 0 {
                    return key;
                }
                format!("{{ number = {key}, city = {city}, until = {until} }}")
            })
            .collect();
        let key = if place == 0 { "numbers" } else { "rows" };
        writeln!(text, "[directory.{name}]\n{key} = [{}]", rows.join(", ")).expect(TAKES_ALL);
    }
    text.push_str("[directory.pairs]\nkey = [\"number\", \"party\"]\nrows = [\n");
    for ([number, party], city) in PAIRS {
        let cells = [number, party, city].map(quoted);
        let [number, party, city] = cells;
        writeln!(
            text,
            "{{ city = {city}, party = {party}, number = {number} }},"
        )
        .expect(TAKES_ALL);
    }
    text.push_str("]\n");
    for (name, zone, spans, _) in SCHEDULES {
        writeln!(text, "[schedule.{name}]\ntimezone = \"{zone}\"\n{spans}").expect(TAKES_ALL);
    }
    text + "[reply.calls]\nvoice = []\n[reply.texts]\nmessage = []\n[reply.both]\nvoice = []\nmessage = []\n"
}

const TAKES_ALL: &str = "a String takes all";

impl Route {
    /// The directory whose city it says: the first of which every table of `when` chooses exactly one row.
    fn told_directory(&self) -> Option<usize> {
        let chooses_once = |conditions: &[(Subject, Test)], directory| {
            let choosing = |(_, test): &&(Subject, Test)| chosen(test) == Some(directory);
            conditions.iter().filter(choosing).count() == 1
        };
        (1..DIRECTORIES.len()).find(|directory| {
            let mut tables = self.alternatives.iter();
            !self.alternatives.is_empty() && tables.all(|table| chooses_once(table, *directory))
        })
    }

    /// `when`, `during` and `outside`
    fn write_conditions(&self, text: &mut String) {
        if !self.alternatives.is_empty() {
            let tables: Vec<String> = self
                .alternatives
                .iter()
                .map(|conditions| {
                    let conditions: Vec<String> = conditions
                        .iter()
                        .map(|(subject, test)| {
                            format!("{} = {}", quoted(&subject.written()), written_test(test))
                        })
                        .collect();
                    format!("{{ {} }}", conditions.join(", "))
                })
                .collect();
            writeln!(text, "when = [{}]", tables.join(", ")).expect(TAKES_ALL);
        }
        for (key, schedules) in [("during", &self.during), ("outside", &self.outside)] {
            let names: Vec<&str> = schedules.iter().map(|place| SCHEDULES[*place].0).collect();
            if !names.is_empty() {
                writeln!(text, "{key} = {names:?}").expect(TAKES_ALL);
            }
        }
    }

    fn write(&self, name: &str, text: &mut String) {
        write!(text, "[[route]]\nname = \"{name}\"\n").expect(TAKES_ALL);
        if let Some(step) = self.step {
            writeln!(text, "step = \"{step}\"").expect(TAKES_ALL);
        }
        self.write_conditions(text);
        if self.answers_machines {
            text.push_str("answer_machines = true\n");
        }
        let Says { voice, message, .. } = self.says;
        if self.says.is_named && (voice || message) {
            let name = match (voice, message) {
                (true, true) => "both",
                (true, false) => "calls",
                (false, _) => "texts",
            };
            writeln!(text, "reply = \"{name}\"").expect(TAKES_ALL);
        } else {
            for (channel, verb, says) in [("voice", "Say", voice), ("message", "Message", message)]
            {
                let told = self.told_directory().map_or_else(String::new, |directory| {
                    let (name, _) = DIRECTORIES[directory];
                    format!("{{ {verb} = \"In {{{{ {name}.city }}}}.\" }}")
                });
                if says {
                    writeln!(text, "{channel} = [{told}]").expect(TAKES_ALL);
                }
            }
        }
        if let Some(mode) = self.says.session {
            let mode = match mode {
                "" => String::new(),
                mode => format!(", mode = \"{mode}\""),
            };
            let session = format!("{{ participantIdentifier = \"+14155550123\"{mode} }}");
            writeln!(text, "create_session = {session}").expect(TAKES_ALL);
        }
    }
}

/// The name of the route at a position.
pub(crate) fn route_name(place: usize) -> String {
    place.to_string()
}

/// The name of the intercept at a position.
pub(crate) fn intercept_name(place: usize) -> String {
    format!("i{place}")
}

/// A table with these routes, without `[default]`; each is named after its position.
pub(crate) fn written(routes: &[Route]) -> String {
    let mut text = head();
    for (place, route) in routes.iter().enumerate() {
        route.write(&route_name(place), &mut text);
    }
    text
}

/// The end of all random tables: guards that count nothing, so that no answer depends on earlier requests.
const END: &str = "[default]\nvoice = [{ Say = \"Goodbye.\" }]\nmessage = []\n[loop_guard]\nsame_call = 0\nreplies = 0\n";

/// A table with routes, and with intercepts that have the same conditions.
pub(crate) struct Drawn {
    pub(crate) table: Table,
    pub(crate) text: String,
    /// The names of those that the compiler refuses, having proved that they can never answer. They are not in the
    /// table, and no request may show that one of them would have come first.
    pub(crate) taken_out: HashSet<String>,
}

impl Drawn {
    pub(crate) fn new(routes: &[Route]) -> Self {
        let mut taken_out = HashSet::new();
        loop {
            let mut text = head();
            for (place, route) in routes.iter().enumerate() {
                let name = route_name(place);
                if !taken_out.contains(&name) {
                    route.write(&name, &mut text);
                }
            }
            for (place, route) in routes.iter().enumerate() {
                let name = intercept_name(place);
                if !taken_out.contains(&name) {
                    let blocks = route.blocks;
                    write!(text, "[[intercept]]\nname = \"{name}\"\nblock = {blocks}\n")
                        .expect(TAKES_ALL);
                    route.write_conditions(&mut text);
                }
            }
            text.push_str(END);
            let diagnostics = match compile(&File::new("responses.toml", &*text), &NoFiles) {
                Ok(compiled) => {
                    return Self {
                        table: compiled.table,
                        text,
                        taken_out,
                    };
                }
                Err(diagnostics) => diagnostics,
            };
            for diagnostic in diagnostics {
                if diagnostic.severity == Severity::Error {
                    let is_proof = diagnostic.check.code == "never-answers";
                    assert!(is_proof, "{diagnostic:#?}\n{text}");
                    taken_out.insert(text[diagnostic.span].trim_matches('"').to_owned());
                }
            }
        }
    }
}

/// Why a route or an intercept does not match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    Step,
    Channel,
    /// It opens a session, which is possible only on Proxy's own webhook.
    Session,
    /// The first failing condition of each table of `when`, with the values that it found.
    Conditions(Vec<(String, Vec<String>)>),
    /// No schedule of `during` is open.
    Closed,
    /// This schedule of `outside` is open; the first one.
    Open(&'static str),
}

/// A request, read by the rules of the manual.
pub(crate) struct Plain<'p> {
    pub(crate) asked: &'p Asked,
    pub(crate) now: Timestamp,
}

impl<'p> Plain<'p> {
    pub(crate) fn new(asked: &'p Asked) -> Self {
        Self {
            asked,
            now: asked.now(),
        }
    }

    fn sent(&self, name: &str) -> &str {
        let pairs = self.asked.body.iter().chain(&self.asked.query);
        pairs
            .clone()
            .find(|(field, _)| *field == name)
            .map_or("", |(_, value)| value)
    }

    pub(crate) fn is_voice(&self) -> bool {
        let is_text = ["MessageSid", "SmsSid", "SmsMessageSid", "SmsStatus", "Body"]
            .iter()
            .any(|name| !self.sent(name).is_empty());
        !self.sent("CallSid").is_empty() || !is_text
    }

    pub(crate) fn step(&self) -> &str {
        self.asked
            .query
            .iter()
            .find(|(field, _)| *field == "step")
            .map_or("", |(_, value)| value)
    }

    fn value(&self, name: &str) -> String {
        let sides = [("Called", "To"), ("Caller", "From")];
        let other_name = sides.iter().find_map(|(call, text)| {
            let other = |own: &str, other: &str| {
                let rest = name.strip_prefix(own)?;
                ["", "City", "State", "Zip"]
                    .contains(&rest)
                    .then(|| format!("{other}{rest}"))
            };
            other(call, text).or_else(|| other(text, call))
        });
        let is_callers = name.starts_with("Caller") || name.starts_with("From");
        let is_geography = is_callers && !is_number(name);
        if is_geography && self.is_withheld(&self.value("Caller")) {
            return String::new();
        }
        let own = [Some(name.to_owned()), other_name]
            .into_iter()
            .flatten()
            .map(|name| self.sent(&name))
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

    fn is_withheld(&self, number: &str) -> bool {
        let has_digit_or_scheme = number.contains(|c: char| c.is_ascii_digit() || c == ':');
        WITHHELD.contains(&number) || self.is_voice() && !has_digit_or_scheme
    }

    /// The values that a condition is on.
    fn subject(&self, subject: Subject) -> Vec<String> {
        match subject {
            Subject::Parameter(name) => vec![self.value(name)],
            Subject::Pair(names) => names.map(|name| self.value(name)).to_vec(),
            Subject::PairCity(names) => vec![self.pair(names).unwrap_or_default().to_owned()],
            Subject::City(directory, parameter) => vec![self.cells(directory, parameter).0],
            Subject::Until(directory, parameter) => vec![self.cells(directory, parameter).1],
        }
    }

    /// The cells of the row that a parameter chooses.
    fn cells(&self, directory: usize, parameter: &str) -> (String, String) {
        let value = folded(parameter, &self.value(parameter));
        let (city, until) = row(directory, &value, parameter).unwrap_or_default();
        (city.to_owned(), until.to_owned())
    }

    /// The city in the row of two parameters.
    fn pair(&self, names: [&str; 2]) -> Option<&'static str> {
        let found = PAIRS.iter().find(|(key, _)| {
            let mut parts = names.iter().zip(key);
            parts.all(|(name, key)| folded(name, &self.value(name)) == folded(name, key))
        });
        found.map(|(_, city)| *city)
    }

    fn holds(&self, subject: Subject, test: &Test) -> bool {
        let values = self.subject(subject);
        match subject {
            Subject::Parameter(name) => self.passes(name, &folded(name, &values[0]), test),
            Subject::Pair(names) => is_paired(self.pair(names).is_some(), test),
            Subject::City(..) | Subject::PairCity(_) | Subject::Until(..) => {
                self.passes("", &values[0], test)
            }
        }
    }

    /// Whether a value passes a test; `parameter` is empty for a cell.
    fn passes(&self, parameter: &str, value: &str, test: &Test) -> bool {
        match test {
            Test::Text(pattern) => like(&folded(parameter, pattern), value),
            Test::Any(tests) => tests.iter().any(|test| self.passes(parameter, value, test)),
            Test::All(keys) => keys.iter().all(|key| match key {
                Key::In(directory) => row(*directory, value, parameter).is_some(),
                Key::Regex(regex) => REGEXES[*regex].1(value),
                Key::Present(wanted) => *wanted != value.is_empty(),
                Key::Withheld(wanted) => self.is_withheld(value) == *wanted,
                Key::Before(time) => meant(value).is_some_and(|moment| moment < self.time(*time)),
                // A row without an end never ends.
                Key::After(_) if value.is_empty() => parameter.is_empty(),
                Key::After(time) => meant(value).is_some_and(|moment| moment > self.time(*time)),
                Key::Paired => false,
                Key::Not(test) => !self.passes(parameter, value, test),
            }),
        }
    }

    /// The moment at a position of [`TIMES`].
    fn time(&self, place: usize) -> Timestamp {
        match TIMES[place].1 {
            Ok(seconds) => self.now + SignedDuration::from_secs(seconds),
            Err(moment) => moment.parse().expect("a moment"),
        }
    }

    /// Why the conditions do not hold, or the hours do not match; `None` when both do.
    fn conditions(&self, route: &Route) -> Option<Why> {
        let failing: Option<Vec<(String, Vec<String>)>> = route
            .alternatives
            .iter()
            .map(|conditions| {
                let (subject, _) = conditions
                    .iter()
                    .find(|(subject, test)| !self.holds(*subject, test))?;
                Some((subject.written(), self.subject(*subject)))
            })
            .collect();
        if let Some(failing) = failing.filter(|failing| !failing.is_empty()) {
            return Some(Why::Conditions(failing));
        }
        let is_open = |place: &usize| {
            let (_, zone, _, hours) = SCHEDULES[*place];
            let zone = TimeZone::get(zone).expect("a zone");
            hours(&self.now.to_zoned_datetime(zone))
        };
        if !route.during.is_empty() && !route.during.iter().any(is_open) {
            return Some(Why::Closed);
        }
        let open = route.outside.iter().find(|place| is_open(place));
        open.map(|place| Why::Open(SCHEDULES[*place].0))
    }

    /// Whether a route has the key of the request's channel; a route that answers without it opens a session.
    pub(crate) fn has_key(&self, route: &Route) -> bool {
        if self.is_voice() {
            route.says.voice
        } else {
            route.says.message
        }
    }

    /// Why a route does not answer; `None` when it does.
    pub(crate) fn why(&self, route: &Route) -> Option<Why> {
        if route.step.unwrap_or_default() != self.step() {
            return Some(Why::Step);
        }
        if !self.has_key(route) {
            let other_channel = if self.is_voice() {
                "message-only"
            } else {
                "voice-only"
            };
            match route.says.session {
                Some(mode) if mode != other_channel => {
                    if self.asked.webhook != Webhook::OutOfSession {
                        return Some(Why::Session);
                    }
                }
                _ => return Some(Why::Channel),
            }
        }
        self.conditions(route)
    }

    /// Why an intercept with a route's conditions does not decide; `None` when it does.
    pub(crate) fn why_not_intercepted(&self, route: &Route) -> Option<Why> {
        self.conditions(route)
    }

    /// Why a route does not answer, or on `/intercept`, why an intercept does not decide.
    pub(crate) fn why_on_webhook(&self, route: &Route) -> Option<Why> {
        if self.asked.webhook == Webhook::Intercept {
            self.why_not_intercepted(route)
        } else {
            self.why(route)
        }
    }

    /// The position of the route that answers, or of the intercept that decides.
    pub(crate) fn first(&self, routes: &[Route]) -> Option<usize> {
        routes
            .iter()
            .position(|route| self.why_on_webhook(route).is_none())
    }

    /// What answers: a route, `default` or `loop-guard`; on `/intercept` an intercept or `pass`.
    pub(crate) fn answers(&self, routes: &[Route]) -> String {
        let first = self.first(routes);
        if self.asked.webhook == Webhook::Intercept {
            return first.map_or("pass".to_owned(), intercept_name);
        }
        let answers_machines = first.is_some_and(|place| routes[place].answers_machines);
        if self.is_machine() && !answers_machines {
            return "loop-guard".to_owned();
        }
        first.map_or("default".to_owned(), route_name)
    }

    /// The content between `<Response>` and `</Response>` when this route or `[default]` answers: the city of the row
    /// that is chosen by the first table of `when` that holds.
    pub(crate) fn says(&self, route: Option<&Route>) -> String {
        let (verb, goodbye) = if self.is_voice() {
            ("Say", "<Say>Goodbye.</Say>")
        } else {
            ("Message", "")
        };
        let Some(route) = route else {
            return goodbye.to_owned();
        };
        let directory = route.told_directory().filter(|_| !route.says.is_named);
        let Some(directory) = directory else {
            return String::new();
        };
        let holds = |(subject, test): &(Subject, Test)| self.holds(*subject, test);
        let mut alternatives = route.alternatives.iter();
        let conditions = alternatives.find(|conditions| conditions.iter().all(holds));
        let choosing = conditions
            .expect("the route answers")
            .iter()
            .find_map(|(subject, test)| match subject {
                Subject::Parameter(name) if chosen(test) == Some(directory) => Some(*name),
                _ => None,
            });
        let city = self.cells(directory, choosing.expect("there is one")).0;
        format!("<{verb}>In {city}.</{verb}>")
    }

    /// Whether the sender counts as a machine.
    fn is_machine(&self) -> bool {
        const WORDS: &str = "STOP STOPALL UNSUBSCRIBE CANCEL END QUIT REVOKE OPTOUT ARRET ARRETE ARRETT START UNSTOP DEBUT HELP INFO";
        let body = self.value("Body").to_uppercase().replace('Ê', "E");
        let body = body.trim_matches(|around: char| !around.is_alphanumeric());
        let is_word = WORDS.split(' ').any(|word| word == body.replace(' ', ""));
        let sender = self.value("Caller");
        let is_number = sender.strip_prefix('+').is_some_and(|digits| {
            let is_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
            is_digits && (1..=15).contains(&digits.len()) && !digits.starts_with('0')
        });
        // A name or a short code.
        let is_nobody = !sender.is_empty() && !sender.contains(':') && !is_number;
        !self.is_voice() && (!self.sent("OptOutType").is_empty() || is_word || is_nobody)
    }
}

/// A text in the form in which a parameter's values are compared: as people type for a Body, as speech recognition
/// writes for a `SpeechResult`.
fn folded(parameter: &str, text: &str) -> String {
    let mut text = text.to_owned();
    if ["Body", "SpeechResult"].contains(&parameter) {
        text = text.trim().to_lowercase();
    }
    while parameter == "SpeechResult" && text.ends_with(['.', '!', '?', ' ']) {
        text.pop();
    }
    text
}

/// The city and the end in the row that a parameter's value chooses: that of its key, else of the longest prefix, else
/// of `*`.
fn row(directory: usize, value: &str, parameter: &str) -> Option<(&'static str, &'static str)> {
    let rank = |key: &str| {
        let key = folded(parameter, key);
        match key.strip_suffix('*') {
            None => (key == value).then_some(usize::MAX),
            Some(prefix) => value.starts_with(prefix).then_some(prefix.len()),
        }
    };
    let rows = DIRECTORIES[directory].1.iter();
    let fitting = rows.filter_map(|(key, city, until)| Some((rank(key)?, (*city, *until))));
    // Of keys that compare as equal the first counts.
    let best = fitting.reduce(|best, next| if next.0 > best.0 { next } else { best });
    best.map(|(_, cells)| cells)
}

/// Whether a test of two parameters holds, given whether they are a key.
fn is_paired(is_key: bool, test: &Test) -> bool {
    match test {
        Test::Text(_) => false,
        Test::Any(tests) => tests.iter().any(|test| is_paired(is_key, test)),
        Test::All(keys) => keys.iter().all(|key| match key {
            Key::Paired => is_key,
            Key::Not(test) => !is_paired(is_key, test),
            _ => false,
        }),
    }
}

/// The moment that a value means; `None` when it is not a moment.
fn meant(value: &str) -> Option<Timestamp> {
    let (_, moment) = MEANT.iter().find(|(written, _)| *written == value)?;
    Some(moment.parse().expect("a moment"))
}

/// Whether a text matches a pattern in which `*` stands for anything: tries every way to divide the text.
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
