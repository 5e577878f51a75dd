//! Which route answers: the sample table, each rule of matching, and any table compared with a plain implementation of
//! the rules.

// Other tests use more of this module.
#[allow(dead_code)]
#[path = "table/plain.rs"]
mod plain;

use std::borrow::Cow;
use std::collections::HashSet;

use jiff::Timestamp;
use proptest::prelude::*;
use twiml_responder::language::{NoFiles, compile};
use twiml_responder::table::answer::{Asked, answer};
use twiml_responder::table::diagnostic::File;
use twiml_responder::table::guard::LoopGuard;
use twiml_responder::table::when::{Mismatch, When};
use twiml_responder::table::{Miss, Table};
use twiml_responder::twilio::request::{Form, Request, Webhook};

use self::plain::{Drawn, Plain, Route, Why, asked, intercept_name, route_name, some_routes};

const DEFAULT: &str = "\n[default]\nvoice = [{ Say = \"Goodbye.\" }]\nmessage = []\n";

fn table(text: &str) -> Table {
    let file = File::new("responses.toml", text);
    match compile(&file, &NoFiles) {
        Ok(compiled) => compiled.table,
        Err(diagnostics) => panic!("{diagnostics:#?}\n{text}"),
    }
}

/// A table with these routes and a default.
fn routes(text: &str) -> Table {
    table(&format!("{text}{DEFAULT}"))
}

/// A callback: the fields of its body, and those in the query of its URL.
struct Callback {
    body: Form,
    query: Form,
}

impl Callback {
    fn request(&self) -> Request<'_> {
        Request::new(Webhook::OutOfSession, &self.body, &self.query)
    }

    /// The same callback, returning from a step.
    fn at_step(mut self, step: &str) -> Self {
        self.query = [("step", step)].into_iter().collect();
        self
    }

    fn with_query(mut self, pairs: &[(&str, &str)]) -> Self {
        self.query = pairs.iter().copied().collect();
        self
    }
}

fn callback(kind: &str, pairs: &[(&str, &str)]) -> Callback {
    Callback {
        body: [(kind, "XX1")].iter().chain(pairs).copied().collect(),
        query: Form::default(),
    }
}

fn call(pairs: &[(&str, &str)]) -> Callback {
    callback("CallSid", pairs)
}

fn text(pairs: &[(&str, &str)]) -> Callback {
    callback("MessageSid", pairs)
}

/// The name of the route that answers.
fn decided(table: &Table, callback: &Callback) -> String {
    table
        .decide(&callback.request(), Timestamp::UNIX_EPOCH)
        .name()
        .to_owned()
}

/// Checks a condition with a list of values of a parameter.
fn condition(when: &str, parameter: &str, values: &[(&str, bool)]) {
    let table = routes(&format!(
        "[directory.rides]\nnumbers = [\"+15005550006\", \"+1415*\", \"client:*\"]\n\
         [[route]]\nname = \"yes\"\nwhen = {when}\nvoice = []\n"
    ));
    for (value, holds) in values {
        let name = decided(&table, &call(&[(parameter, value)]));
        assert_eq!(name == "yes", *holds, "{when} with {parameter}={value:?}");
    }
}

const SAMPLE: &str = include_str!("../responses.toml");

#[test]
fn the_sample_table_compiles_without_a_warning() {
    let file = File::new("responses.toml", SAMPLE);
    let compiled = compile(&file, &NoFiles).expect("the sample has no errors");
    assert_eq!(compiled.warnings, []);
}

#[test]
fn the_sample_table_answers_as_its_comments_say() {
    let table = table(SAMPLE);
    let ride = ("Called", "+15005550006");
    let prefixed = ("To", "+14155559999");
    let rider = ("Caller", "+15005550001");
    let closed = ("sessionStatus", "closed");
    for (callback, route, holds) in [
        (
            call(&[ride, ("Caller", "anonymous"), closed]),
            "withheld-caller",
            "without hiding your number",
        ),
        (
            call(&[ride, ("From", "+266696687"), closed]),
            "withheld-caller",
            "Goodbye.",
        ),
        (
            call(&[ride, rider, closed]),
            "ride-ended",
            "action=\"https://example.com/out-of-session?step=lost\"",
        ),
        (
            call(&[ride, rider, closed]),
            "ride-ended",
            "<Say voice=\"Polly.Joanna-Neural\" language=\"en-US\">",
        ),
        (
            text(&[prefixed, ("From", "+15005550001"), closed]),
            "ride-ended",
            "reply LOST",
        ),
        (
            text(&[prefixed, ("From", "+14155550100"), closed]),
            "ride-ended",
            "reply LOST",
        ),
        (
            call(&[ride, rider, ("Digits", "1")]).at_step("lost"),
            "lost-property",
            "callerId=\"+15005550006\"",
        ),
        (
            call(&[ride, rider, ("Digits", "2")]).at_step("lost"),
            "other-key",
            "That key is not in use.",
        ),
        (
            call(&[ride, rider, ("Digits", "1")]),
            "default",
            "not in use",
        ),
        (
            text(&[
                prefixed,
                ("Body", " Lost my bag\n"),
                ("FromCity", "OAKLAND"),
                ("From", "+15005550001"),
            ]),
            "lost-by-text",
            "near OAKLAND.",
        ),
        (
            text(&[prefixed, ("Body", "LOST")]),
            "lost-by-text",
            "near you.",
        ),
        (
            call(&[ride, rider, ("Body", "lost")]),
            "default",
            "not in use",
        ),
        (
            call(&[("Called", "+14155550199"), rider]),
            "support",
            "<Number>+14155550125</Number>",
        ),
        (
            text(&[("To", "+14155550199"), ("Body", "hello")]),
            "support",
            "?><Response/>",
        ),
        (
            text(&[("To", "+14155550198"), ("Body", "hello")]),
            "default",
            "not in use",
        ),
    ] {
        let request = callback.request();
        let asked = Asked {
            request: &request,
            url: "https://example.com/out-of-session",
            token: "",
            now: Timestamp::UNIX_EPOCH,
        };
        let answer = answer(&table, &LoopGuard::new(), &asked);
        let document = std::str::from_utf8(&answer.body).expect("UTF-8");
        assert_eq!(answer.route, route, "{:?}", callback.body);
        assert!(document.contains(holds), "{holds} in {document}");
        assert_eq!((answer.failure, answer.cut_texts), (None, 0));
    }
}

#[test]
fn the_first_route_in_the_file_wins() {
    let table = routes(
        "[[route]]\nname = \"loose\"\nwhen = { Called = \"+1*\" }\nvoice = []\n\
         [[route]]\nname = \"exact\"\nwhen = { Called = \"+15005550006\" }\nmessage = []\nvoice = []\n\
         [[route]]\nname = \"always\"\nvoice = []\n",
    );
    assert_eq!(
        decided(&table, &call(&[("Called", "+15005550006")])),
        "loose"
    );
    assert_eq!(decided(&table, &call(&[("Called", "+44")])), "always");
    assert_eq!(decided(&table, &text(&[("To", "+15005550006")])), "exact");
}

#[test]
fn a_route_without_the_key_of_the_channel_is_passed_over() {
    let table = routes(
        "[[route]]\nname = \"calls\"\nvoice = []\n\
         [[route]]\nname = \"texts\"\nmessage = []\n",
    );
    assert_eq!(decided(&table, &call(&[])), "calls");
    assert_eq!(decided(&table, &text(&[])), "texts");
}

#[test]
fn an_empty_reply_is_a_reply() {
    let table = routes("[[route]]\nname = \"silent\"\nvoice = []\nmessage = []\n");
    for callback in [call(&[]), text(&[])] {
        let request = callback.request();
        let asked = Asked {
            request: &request,
            url: "https://example.com/",
            token: "",
            now: Timestamp::UNIX_EPOCH,
        };
        let answer = answer(&table, &LoopGuard::new(), &asked);
        assert_eq!(answer.route, "silent");
        assert_eq!(
            answer.body,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>"
        );
    }
}

#[test]
fn a_named_reply_stands_for_its_channels() {
    let table = routes(
        "[reply.sorry]\nvoice = [{ Say = \"Sorry.\" }]\n\
         [[route]]\nname = \"sorry\"\nreply = \"sorry\"\n\
         [[route]]\nname = \"other\"\nmessage = []\n",
    );
    assert_eq!(decided(&table, &call(&[])), "sorry");
    assert_eq!(decided(&table, &text(&[])), "other");
}

#[test]
fn a_step_answers_only_its_own_requests() {
    let table = routes(
        "[[route]]\nname = \"at-lost\"\nstep = \"lost\"\nvoice = [{ Redirect = \"?step=Lost\" }]\n\
         [[route]]\nname = \"no-step\"\nvoice = [{ Redirect = \"?step=lost\" }]\n\
         [[route]]\nname = \"at-other-case\"\nstep = \"Lost\"\nvoice = []\n",
    );
    for (callback, route) in [
        (call(&[]), "no-step"),
        (call(&[]).at_step("lost"), "at-lost"),
        (call(&[]).at_step("Lost"), "at-other-case"),
        (call(&[]).at_step(""), "no-step"),
        (call(&[]).at_step("found"), "default"),
        // A posted field is not the step: only the URL, which we wrote, says which step a call comes back from.
        (call(&[("step", "lost")]), "no-step"),
        (
            call(&[]).with_query(&[("step", "lost"), ("step", "found")]),
            "at-lost",
        ),
    ] {
        assert_eq!(decided(&table, &callback), route, "{:?}", callback.query);
    }
}

#[test]
fn a_text_is_met_exactly_or_with_stars() {
    condition(
        "{ Called = \"+15005550006\" }",
        "Called",
        &[
            ("+15005550006", true),
            ("+150055500060", false),
            ("", false),
        ],
    );
    condition(
        "{ Called = \"+1415*\" }",
        "Called",
        &[("+14155550100", true), ("+1415", true), ("+1414", false)],
    );
    condition(
        "{ CallerName = \"*lost*bag*\" }",
        "CallerName",
        &[
            ("I lost my bag.", true),
            ("lostbag", true),
            ("bag lost", false),
            ("Lost bag", false),
        ],
    );
    condition("{ Digits = \"*\" }", "Digits", &[("1", true), ("", true)]);
    condition("{ Digits = \"\" }", "Digits", &[("1", false), ("", true)]);
    condition(
        "{ Digits = [\"1\", \"2*\", { present = false }] }",
        "Digits",
        &[("1", true), ("23", true), ("", true), ("3", false)],
    );
}

#[test]
fn the_keys_of_a_condition_hold_as_they_are_named() {
    condition(
        "{ Called = { in = \"rides\" } }",
        "Called",
        &[
            ("+15005550006", true),
            ("+14159", true),
            ("client:alice", true),
            ("+15005550007", false),
            ("", false),
        ],
    );
    condition(
        "{ Called = { in = \"rides\", not = \"+14155550100\" } }",
        "Called",
        &[
            ("+14155550101", true),
            ("+14155550100", false),
            ("+44", false),
        ],
    );
    condition(
        "{ CallerName = { regex = '\\bbag\\b' } }",
        "CallerName",
        &[("my bag!", true), ("baggage", false), ("BAG", false)],
    );
    condition(
        "{ Digits = { present = true } }",
        "Digits",
        &[("0", true), ("", false)],
    );
    condition(
        "{ Digits = { present = false } }",
        "Digits",
        &[("0", false), ("", true)],
    );
    condition(
        "{ Digits = { not = \"1\" } }",
        "Digits",
        &[("1", false), ("2", true), ("", true)],
    );
    condition(
        "{ Digits = { not = [\"1\", \"2\"] } }",
        "Digits",
        &[("1", false), ("2", false), ("3", true)],
    );
    condition(
        "{ Digits = { not = { not = \"1\" } } }",
        "Digits",
        &[("1", true), ("2", false)],
    );
    condition(
        "{ CallerCountry = { not = \"US\" } }",
        "FromZip",
        &[("94000", true)],
    );
    condition(
        "{ Caller = { withheld = true } }",
        "Caller",
        &[
            ("anonymous", true),
            ("+7378742833", true),
            ("sip:anonymous@anonymous.invalid", true),
            ("", true),
            ("+15005550001", false),
        ],
    );
    condition(
        "{ Caller = { withheld = false } }",
        "From",
        &[("RESTRICTED", false), ("+15005550001", true)],
    );
    condition(
        "{ Caller = { not = { withheld = true } }, Digits = \"\" }",
        "Caller",
        &[("unknown", false), ("12345", true)],
    );
    condition(
        "{ Called = \"whatsapp:+15005550006\" }",
        "Called",
        &[("whatsapp:+15005550006", true), ("+15005550006", false)],
    );
    condition(
        "{ Called = \"+15005550006\" }",
        "Called",
        &[("whatsapp:+15005550006", false)],
    );
    condition("{}", "Called", &[("", true), ("+1", true)]);
}

#[test]
fn any_of_several_tables_is_enough_and_each_must_hold_whole() {
    let table = routes(
        "[[route]]\nname = \"either\"\nwhen = [{ Called = \"+15005550006\", Digits = \"1\" }, { Digits = \"2\" }]\nvoice = []\n",
    );
    for (pairs, route) in [
        (&[("Called", "+15005550006"), ("Digits", "1")][..], "either"),
        (&[("Called", "+15005550007"), ("Digits", "1")], "default"),
        (&[("Called", "+15005550006")], "default"),
        (&[("Digits", "2")], "either"),
    ] {
        assert_eq!(decided(&table, &call(pairs)), route, "{pairs:?}");
    }
}

#[test]
fn a_body_is_compared_as_people_type() {
    let table = routes(
        "[[route]]\nname = \"exact\"\nwhen = { Body = \" Lost \" }\nmessage = []\n\
         [[route]]\nname = \"pattern\"\nwhen = { Body = \"LOST *\" }\nmessage = []\n\
         [[route]]\nname = \"regex\"\nwhen = { Body = { regex = '^Größe \\d+$' } }\nmessage = []\n\
         [[route]]\nname = \"absent\"\nwhen = { Body = { present = false } }\nmessage = []\n",
    );
    for (body, route) in [
        ("lost", "exact"),
        ("\n LOST\t", "exact"),
        ("Lost my bag", "pattern"),
        ("  GRÖSSE 42", "default"),
        ("  GRÖßE 42 ", "regex"),
        ("größe 42x", "default"),
        ("", "absent"),
    ] {
        assert_eq!(decided(&table, &text(&[("Body", body)])), route, "{body:?}");
    }
}

#[test]
fn a_dotted_name_reaches_into_json_unless_it_was_sent() {
    let table = routes(
        "[[route]]\nname = \"digits\"\nwhen = { \"interactionData.body\" = { regex = '\\d{7}' } }\nvoice = []\n\
         [[route]]\nname = \"deep\"\nwhen = { \"AddOns.results.spam.score\" = [\"1\", \"true\"] }\nvoice = []\n",
    );
    for (pairs, route) in [
        (
            &[("interactionData", "{\"body\":\"call 5550100\"}")][..],
            "digits",
        ),
        (&[("interactionData", "{\"body\":\"call me\"}")], "default"),
        (&[("interactionData", "call 5550100")], "default"),
        (
            &[
                ("interactionData.body", "5550100"),
                ("interactionData", "{\"body\":\"no\"}"),
            ],
            "digits",
        ),
        (
            &[
                ("interactionData.body", "no"),
                ("interactionData", "{\"body\":\"5550100\"}"),
            ],
            "default",
        ),
        (
            &[("AddOns", "{\"results\":{\"spam\":{\"score\":1}}}")],
            "deep",
        ),
        (
            &[("AddOns", "{\"results\":{\"spam\":{\"score\":true}}}")],
            "deep",
        ),
        (
            &[("AddOns", "{\"results\":{\"spam\":{\"score\":[1]}}}")],
            "default",
        ),
    ] {
        assert_eq!(decided(&table, &call(pairs)), route, "{pairs:?}");
    }
}

#[test]
fn a_withheld_caller_has_no_geography() {
    let table = routes(
        "[[route]]\nname = \"uganda\"\nwhen = { CallerCountry = \"UG\" }\nvoice = []\n\
         [[route]]\nname = \"nowhere\"\nwhen = { FromCountry = { present = false }, CalledCountry = \"US\" }\nvoice = []\n",
    );
    let from = |number| {
        [
            ("Caller", number),
            ("CallerCountry", "UG"),
            ("FromCountry", "UG"),
            ("ToCountry", "US"),
        ]
    };
    assert_eq!(decided(&table, &call(&from("+256312345678"))), "uganda");
    assert_eq!(decided(&table, &call(&from("+2562533"))), "nowhere");
    assert_eq!(decided(&table, &call(&from(""))), "nowhere");
}

#[test]
fn a_parameter_that_is_absent_reads_its_other_name() {
    let table = routes(
        "[[route]]\nname = \"called\"\nwhen = { Called = \"+15005550006\", CallerCity = \"OAKLAND\", Direction = \"inbound\" }\nvoice = []\nmessage = []\n\
         [[route]]\nname = \"to\"\nwhen = { To = \"+15005550007\", FromCity = \"OAKLAND\", Direction = { not = \"inbound\" } }\nvoice = []\nmessage = []\n",
    );
    let from = ("From", "+15005550001");
    for (callback, route) in [
        (
            text(&[("To", "+15005550006"), from, ("FromCity", "OAKLAND")]),
            "called",
        ),
        (
            call(&[
                ("Called", ""),
                ("To", "+15005550006"),
                from,
                ("FromCity", "OAKLAND"),
            ]),
            "called",
        ),
        (
            call(&[
                ("Called", "+15005550009"),
                ("To", "+15005550006"),
                from,
                ("FromCity", "OAKLAND"),
            ]),
            "default",
        ),
        (
            call(&[
                ("Called", "+15005550007"),
                from,
                ("CallerCity", "OAKLAND"),
                ("Direction", "outbound-api"),
            ]),
            "to",
        ),
        (
            call(&[("Called", "+15005550007"), from, ("CallerCity", "OAKLAND")]),
            "default",
        ),
    ] {
        assert_eq!(decided(&table, &callback), route, "{:?}", callback.body);
    }
}

#[test]
fn the_body_wins_over_the_query_and_the_first_of_a_repeated_name() {
    let table = table(&format!(
        "parameters = [\"campaign\"]\n[[route]]\nname = \"autumn\"\nwhen = {{ campaign = \"autumn\" }}\nvoice = []\n{DEFAULT}"
    ));
    for (callback, route) in [
        (call(&[]).with_query(&[("campaign", "autumn")]), "autumn"),
        (
            call(&[("campaign", "spring")]).with_query(&[("campaign", "autumn")]),
            "default",
        ),
        (
            call(&[("campaign", "autumn"), ("campaign", "spring")]),
            "autumn",
        ),
        (
            call(&[("campaign", "spring"), ("campaign", "autumn")]),
            "default",
        ),
    ] {
        assert_eq!(decided(&table, &callback), route, "{:?}", callback.body);
    }
}

#[test]
fn the_channel_is_read_from_the_sids() {
    let table = routes(
        "[[route]]\nname = \"calls\"\nvoice = []\n[[route]]\nname = \"texts\"\nmessage = []\n",
    );
    for (pairs, route) in [
        (&[("CallSid", "CA1"), ("MessageSid", "SM1")][..], "calls"),
        (&[("SmsSid", "SM1")], "texts"),
        (&[("SmsMessageSid", "SM1")], "texts"),
        (&[("CallSid", ""), ("MessageSid", "SM1")], "texts"),
        (&[("Body", "hello")], "texts"),
        (&[("SmsStatus", "received")], "texts"),
        (&[("Called", "+15005550006")], "calls"),
        (&[], "calls"),
    ] {
        let callback = Callback {
            body: pairs.iter().copied().collect(),
            query: Form::default(),
        };
        assert_eq!(decided(&table, &callback), route, "{pairs:?}");
    }
}

/// A miss of the table in the terms of the plain reading, with the failing conditions.
fn named(miss: &Miss<'_>, when: &When, request: &Request<'_>, now: Timestamp) -> Why {
    match miss {
        Miss::Step(_) => Why::Step,
        Miss::Silent(_) => Why::Channel,
        Miss::ProxyOnly => Why::Session,
        Miss::When(Mismatch::Condition(first)) => {
            let failing = when
                .failing(request, now)
                .map(|condition| {
                    let values = condition.subject.values(request).into_iter();
                    let values = values.map(Cow::into_owned).collect();
                    (condition.subject.to_string(), values)
                })
                .collect::<Vec<_>>();
            assert_eq!(first.subject.to_string(), failing[0].0);
            Why::Conditions(failing)
        }
        Miss::When(Mismatch::Closed(_)) => Why::Closed,
        Miss::When(Mismatch::Open(schedule)) => {
            let known = ["morning", "office", "night"];
            let name = known.into_iter().find(|name| *name == schedule.name);
            Why::Open(name.expect("a schedule of the table"))
        }
    }
}

/// The verdicts of the table on every route and intercept, by name.
fn verdicts(table: &Table, request: &Request<'_>, now: Timestamp) -> Vec<(String, Option<Why>)> {
    let routes = table.verdicts(request, now).map(|(route, miss)| {
        let why = miss.map(|miss| named(&miss, &route.when, request, now));
        (route.name.to_string(), why)
    });
    let intercepts = table
        .intercept_verdicts(request, now)
        .map(|(intercept, miss)| {
            let miss = miss.map(Miss::When);
            let why = miss.map(|miss| named(&miss, &intercept.when, request, now));
            (intercept.name.clone(), why)
        });
    routes.chain(intercepts).collect()
}

/// The verdicts of the plain reading.
fn plain_verdicts(
    plain: &Plain<'_>,
    routes: &[Route],
    taken_out: &HashSet<String>,
) -> Vec<(String, Option<Why>)> {
    let of_routes = routes
        .iter()
        .enumerate()
        .map(|(place, route)| (route_name(place), plain.why(route)));
    let of_intercepts = routes.iter().enumerate().map(|(place, route)| {
        let why = plain.why_not_intercepted(route);
        (intercept_name(place), why)
    });
    of_routes
        .chain(of_intercepts)
        .filter(|(name, _)| !taken_out.contains(name))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]

    #[test]
    fn any_table_decides_as_the_rules_read(
        routes in some_routes(0..6),
        requests in prop::collection::vec(asked(), 1..24),
    ) {
        let Drawn { table, text, taken_out } = Drawn::new(&routes);
        for asked in &requests {
            let (body, query) = asked.forms();
            let request = Request::new(asked.webhook, &body, &query);
            let plain = Plain::new(asked);
            let found = verdicts(&table, &request, plain.now);
            prop_assert_eq!(found, plain_verdicts(&plain, &routes, &taken_out), "{:?}\n{}", asked, text);
            let first = plain.first(&routes);
            if asked.webhook == Webhook::Intercept {
                let found = table.intercept(&request, plain.now).map(|intercept| (intercept.name.clone(), intercept.blocks));
                let expected = first.map(|place| (intercept_name(place), routes[place].blocks));
                prop_assert_eq!(found, expected, "{:?}\n{}", asked, text);
            } else {
                let found = table.decide(&request, plain.now);
                let expected = first.map_or("default".to_owned(), route_name);
                prop_assert_eq!(found.name(), expected, "{:?}\n{}", asked, text);
            }
        }
    }

    #[test]
    fn a_route_after_the_one_that_answers_changes_nothing(
        all in some_routes(2..6),
        requests in prop::collection::vec(asked(), 1..12),
    ) {
        let shorter = Drawn::new(&all[..all.len() - 1]).table;
        let longer = Drawn::new(&all).table;
        for asked in &requests {
            let (body, query) = asked.forms();
            let request = Request::new(asked.webhook, &body, &query);
            let decided = |table: &Table| table.decide(&request, asked.now()).name().to_owned();
            let name = decided(&shorter);
            if name != "default" {
                prop_assert_eq!(decided(&longer), name);
            }
        }
    }
}
