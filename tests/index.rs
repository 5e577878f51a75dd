//! The index finds the same route as a plain scan, for any table and any request.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use twiml_responder::table::condition::inside::Inside;
use twiml_responder::table::condition::present::Present;
use twiml_responder::table::condition::withheld::Withheld;
use twiml_responder::table::condition::{Binding, Condition, Demand, Subject};
use twiml_responder::table::directory::Directory;
use twiml_responder::table::guard::Limits;
use twiml_responder::table::schedule::Schedule;
use twiml_responder::table::when::{Alternative, When};
use twiml_responder::table::{DefaultReplies, DefaultReply, Route, Table};
use twiml_responder::twilio::request::{Form, Request, Webhook};

/// More keys than the index copies from a directory.
const MANY: usize = 1500;

/// The values in conditions and requests.
const VALUES: [&str; 24] = [
    "",
    "1",
    "12",
    "123",
    "2",
    "23",
    "3",
    "33",
    "4",
    "lost",
    "Lost",
    "lost bag",
    "+1415",
    "+14155550100",
    "+14155550101",
    "+14155550102",
    "+44",
    "+442079460000",
    "é",
    "éa",
    "us",
    "ny",
    "open",
    "closed",
];

const PARAMETERS: [&str; 6] = ["Called", "To", "Caller", "Digits", "Body", "Direction"];

const STEPS: [&str; 3] = ["", "a", "b"];

/// Directories of all kinds: small and large, with and without prefixes, and one that contains every value.
fn directories() -> Vec<Arc<Directory>> {
    let numbers = (0..MANY).map(|number| format!("+1500{number:07}"));
    let large: Vec<String> = ["1", "+1415*", "é"]
        .into_iter()
        .map(str::to_owned)
        .chain(numbers)
        .collect();
    let large: Vec<&str> = large.iter().map(String::as_str).collect();
    [
        &["1", "lost", "+1415*", "1*"][..],
        &["12", "", "é*"],
        &["*", "2"],
        &large,
    ]
    .into_iter()
    .map(|keys| {
        let mut directory = Directory::new("d", vec!["key".to_owned(), "cell".to_owned()], vec![0]);
        for (place, key) in keys.iter().enumerate() {
            let cell = VALUES[place % VALUES.len()];
            directory.add([*key, cell]).expect("keys that differ");
        }
        Arc::new(directory)
    })
    .collect()
}

fn value() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&VALUES[..])
}

fn directory(all: &[Arc<Directory>]) -> impl Strategy<Value = Arc<Directory>> + use<> {
    prop::sample::select(all.to_vec())
}

/// A demand as the compiler makes them. Most of them pin a route, in every possible way.
fn demand(all: &[Arc<Directory>]) -> impl Strategy<Value = Demand> + use<> {
    let leaf = prop_oneof![
        8 => value().prop_map(Demand::text),
        4 => value().prop_map(|text| Demand::text(&format!("{text}*"))),
        1 => value().prop_map(|text| Demand::text(&format!("*{text}"))),
        4 => directory(all).prop_map(|directory| Inside(directory).into()),
        1 => any::<bool>().prop_map(|wanted| Present(wanted).into()),
        1 => any::<bool>().prop_map(|wanted| Withheld(wanted).into()),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            4 => prop::collection::vec(inner.clone(), 1..4).prop_map(|demands| Demand::AnyOf(demands.into())),
            2 => prop::collection::vec(inner.clone(), 1..4).prop_map(|demands| Demand::AllOf(demands.into())),
            1 => inner.prop_map(|demand| Demand::Not(Box::new(demand))),
        ]
    })
}

fn subject(
    all: &[Arc<Directory>],
    parameters: &[&'static str],
) -> impl Strategy<Value = Subject> + use<> {
    let parameter = prop::sample::select(parameters.to_vec());
    let binding = (parameter.clone(), directory(all)).prop_map(|(parameter, directory)| {
        Box::new(Binding {
            parameters: parameter.into(),
            directory,
        })
    });
    prop_oneof![
        6 => parameter.prop_map(|name| Subject::Parameters(name.into())),
        1 => binding.prop_map(|binding| Subject::Column { binding, column: 1 }),
    ]
}

fn alternative(
    all: &[Arc<Directory>],
    parameters: &[&'static str],
) -> impl Strategy<Value = Alternative> + use<> {
    let condition = (subject(all, parameters), demand(all))
        .prop_map(|(subject, demand)| Condition { subject, demand });
    prop::collection::vec(condition, 1..3).prop_map(|conditions| Alternative {
        conditions,
        ..Alternative::default()
    })
}

fn route(
    all: &[Arc<Directory>],
    parameters: &[&'static str],
) -> impl Strategy<Value = Route> + use<> {
    let schedule = Arc::new(Schedule {
        name: "first-hour".to_owned(),
        zone: TimeZone::UTC,
        open: vec!["00:00-01:00".parse().expect("a span")],
        closed: Vec::new(),
    });
    (
        prop::sample::select(&STEPS[..]),
        prop_oneof![
            1 => Just(0..1),
            30 => Just(1..3_usize),
        ]
        .prop_flat_map({
            let alternative = alternative(all, parameters).boxed();
            move |many| prop::collection::vec(alternative.clone(), many)
        }),
        prop::option::weighted(0.2, any::<bool>()),
        prop::sample::select(vec![(true, true), (true, false), (false, true)]),
    )
        .prop_map(move |(step, alternatives, open, (voice, message))| {
            let schedule = || vec![Arc::clone(&schedule)];
            let reply = |is_there: bool| is_there.then(|| DefaultReply::silent().reply);
            Route {
                name: Box::default(),
                step: (!step.is_empty()).then(|| step.into()),
                when: When {
                    alternatives,
                    during: if open == Some(true) {
                        schedule()
                    } else {
                        Vec::new()
                    },
                    outside: if open == Some(false) {
                        schedule()
                    } else {
                        Vec::new()
                    },
                },
                voice: reply(voice),
                message: reply(message),
                answers_machines: false,
            }
        })
}

/// The pairs of a body, and a query with a step.
fn request() -> impl Strategy<Value = (Form, Form)> {
    let parameter = prop::sample::select(&PARAMETERS[..]);
    let many = (0..MANY).prop_map(|number| format!("+1500{number:07}"));
    let sent = prop_oneof![9 => value().prop_map(str::to_owned), 1 => many];
    let sid = prop::sample::select(vec!["CallSid", "MessageSid"]);
    (
        prop::collection::vec((parameter, sent), 0..6),
        sid,
        prop::sample::select(&STEPS[..]),
    )
        .prop_map(|(pairs, sid, step)| {
            let sid = (sid, "XX1".to_owned());
            (
                pairs.into_iter().chain([sid]).collect(),
                [("step", step)].into_iter().collect(),
            )
        })
}

fn table(routes: Vec<Route>) -> Table {
    let names = |(place, route): (usize, Route)| Route {
        name: place.to_string().into(),
        ..route
    };
    let default = DefaultReplies {
        voice: DefaultReply::silent(),
        message: DefaultReply::silent(),
    };
    Table::new(
        routes.into_iter().enumerate().map(names).collect(),
        Vec::new(),
        default,
        Limits::default(),
    )
}

/// Routes that mostly use the same few parameters, so that the index has something to file.
fn tables() -> impl Strategy<Value = Vec<Route>> {
    let all = directories();
    let some = prop::sample::subsequence(PARAMETERS.to_vec(), 1..=3);
    some.prop_flat_map(move |parameters| {
        let route = route(&all, &parameters).boxed();
        prop_oneof![
            1 => prop::collection::vec(route.clone(), 0..8),
            4 => prop::collection::vec(route, 8..60),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn the_index_finds_the_first_route_of_the_plain_scan(
        routes in tables(),
        requests in prop::collection::vec(request(), 1..20),
    ) {
        let table = table(routes);
        for (body, query) in &requests {
            let request = Request::new(Webhook::OutOfSession, body, query);
            let scanned = table
                .verdicts(&request, Timestamp::UNIX_EPOCH)
                .find_map(|(route, miss)| miss.is_none().then_some(&*route.name));
            let found = table.decide(&request, Timestamp::UNIX_EPOCH);
            prop_assert_eq!(found.name(), scanned.unwrap_or("default"), "{:?} {:?}", body, query);
        }
    }
}
