//! What a table means for a caller: directories, schedules, sessions and guards, through the library and with the
//! test's own clock.

use std::collections::BTreeMap;
use std::io;

use jiff::{Span, Timestamp};
use serde_json::{Value, json};
use twiml_responder::language::{Compiled, Files, compile};
use twiml_responder::table::Table;
use twiml_responder::table::answer::{AnswerKind, Asked, answer};
use twiml_responder::table::diagnostic::File;
use twiml_responder::table::guard::{GuardReason, LOOP_GUARD, LoopGuard, OPT_OUT_WORDS};
use twiml_responder::twilio::request::{Form, Request, Webhook};

#[path = "language/faults.rs"]
mod faults;

const DEFAULT: &str =
    "\n[default]\nvoice = [{ Say = \"Goodbye.\" }]\nmessage = [{ Message = \"No number.\" }]\n";
const NOON: &str = "2026-11-20T17:00:00Z";

/// Files in memory.
#[derive(Default)]
struct InPlace(BTreeMap<&'static str, &'static str>);

impl Files for InPlace {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let text = self.0.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(text.as_bytes().to_vec())
    }
}

fn compiled(text: &str, files: &[(&'static str, &'static str)]) -> Compiled {
    let text = format!("{text}{DEFAULT}");
    let file = File::new("responses.toml", text.as_str());
    match compile(&file, &InPlace(files.iter().copied().collect())) {
        Ok(compiled) => compiled,
        Err(diagnostics) => panic!("{diagnostics:#?}\n{text}"),
    }
}

/// A table with these lines and a default.
fn table(text: &str) -> Table {
    compiled(text, &[]).table
}

fn moment(text: &str) -> Timestamp {
    text.parse().expect(text)
}

fn after(seconds: i64) -> Timestamp {
    moment(NOON) + Span::new().seconds(seconds)
}

/// A callback and its circumstances.
#[derive(Clone)]
struct Callback {
    webhook: Webhook,
    body: Form,
    query: Form,
    token: &'static str,
    now: Timestamp,
}

/// The answer to a callback.
#[derive(Debug, Clone, PartialEq)]
struct Heard {
    route: String,
    body: String,
    kind: AnswerKind,
    guarded: Option<GuardReason>,
    failed: bool,
}

impl Callback {
    fn new(pairs: &[(&str, &str)]) -> Self {
        Self {
            webhook: Webhook::OutOfSession,
            body: pairs.iter().copied().collect(),
            query: Form::default(),
            token: "",
            now: moment(NOON),
        }
    }

    fn at(mut self, now: Timestamp) -> Self {
        self.now = now;
        self
    }

    fn token(mut self, token: &'static str) -> Self {
        self.token = token;
        self
    }

    fn step(mut self, step: &str) -> Self {
        self.query = [("step", step)].into_iter().collect();
        self
    }

    fn webhook(mut self) -> Self {
        self.webhook = Webhook::Plain;
        self
    }

    fn heard(&self, table: &Table, guard: &LoopGuard) -> Heard {
        let request = Request::new(self.webhook, &self.body, &self.query);
        let asked = Asked {
            request: &request,
            url: "https://example.com/out-of-session",
            token: self.token,
            now: self.now,
        };
        let answer = answer(table, guard, &asked);
        Heard {
            route: answer.route.to_owned(),
            body: String::from_utf8(answer.body.to_vec()).expect("UTF-8"),
            kind: answer.kind,
            guarded: answer.guarded,
            failed: answer.failure.is_some(),
        }
    }

    /// The answer from a guard that has seen nothing.
    fn answered(&self, table: &Table) -> Heard {
        self.heard(table, &LoopGuard::new())
    }

    /// The name of the route that answers.
    fn route(&self, table: &Table) -> String {
        self.answered(table).route
    }
}

/// A call with these fields.
fn call(pairs: &[(&str, &str)]) -> Callback {
    Callback::new(&[&[("CallSid", "CA1")], pairs].concat())
}

/// A text with these fields; its body is not an opt-out word.
fn text(pairs: &[(&str, &str)]) -> Callback {
    let all: &[(&str, &str)] = &[
        ("MessageSid", "SM1"),
        ("From", "+14155550100"),
        ("To", "+15005550006"),
        ("Body", "hello"),
    ];
    let given = |name: &str| pairs.iter().any(|(given, _)| *given == name);
    let rest: Vec<(&str, &str)> = all
        .iter()
        .copied()
        .filter(|(name, _)| !given(name))
        .collect();
    Callback::new(&[pairs, &rest].concat())
}

/// Asserts that each piece occurs in a document, in this order.
fn holds(document: &str, pieces: &[&str]) {
    let mut rest = document;
    for piece in pieces {
        let at = rest.find(piece);
        rest = &rest[at.unwrap_or_else(|| panic!("{piece} in {document}"))..];
    }
}

// Directories.

const SELLERS: &str = "\
number,name,phone,city,language,page
+15005550001,Ann & Co,+14155550101,ny,en-US,https://example.com/a?x=1&y=2
+1500555*,Bob,+14155550102,la,en-GB,https://example.com/b
+1500*,Eve,+14155550103,,,
*,Anybody,+14155550104,ny,de-DE,https://example.com/c
";

fn sellers(routes: &str) -> Table {
    let text = format!("[directory.sellers]\nfile = \"sellers.csv\"\n{routes}");
    compiled(&text, &[("sellers.csv", SELLERS)]).table
}

#[test]
fn the_exact_key_wins_then_the_longest_prefix_then_the_star() {
    let table = sellers(
        "[[route]]\nname = \"seller\"\nwhen = { Called = { in = \"sellers\" } }\n\
         voice = [{ Say = \"{{ sellers.name }}\" }]\n",
    );
    for (called, name) in [
        ("+15005550001", "Ann &amp; Co"),
        ("+150055500010", "Bob"),
        ("+1500555", "Bob"),
        ("+15005560001", "Eve"),
        ("+1500", "Eve"),
        ("+150", "Anybody"),
        ("client:ann", "Anybody"),
        ("", "Anybody"),
    ] {
        let heard = call(&[("Called", called)]).answered(&table);
        assert_eq!(heard.route, "seller", "{called}");
        holds(&heard.body, &[&format!("<Say>{name}</Say>")]);
    }
}

#[test]
fn an_absent_value_is_met_by_the_star_alone() {
    let rows = |star: &str| {
        table(&format!(
            "[directory.languages]\nkey = \"country\"\nrows = [ {{ country = \"US\", word = \"Hello\" }}{star} ]\n\
             [[route]]\nname = \"greeted\"\nwhen = {{ CallerCountry = {{ in = \"languages\" }} }}\n\
             voice = [ {{ Say = \"{{{{ languages.word }}}}\" }} ]\n"
        ))
    };
    let (with, without) = (rows(", { country = \"*\", word = \"Hi\" }"), rows(""));
    for (pairs, with_star, without_star) in [
        (&[("CallerCountry", "US")][..], "<Say>Hello", "greeted"),
        (&[("FromCountry", "US")], "<Say>Hello", "greeted"),
        (&[("CallerCountry", "us")], "<Say>Hi", "default"),
        (&[("CallerCountry", "")], "<Say>Hi", "default"),
        (&[], "<Say>Hi", "default"),
        // A withheld caller has no geography, whatever Twilio takes the number for.
        (
            &[("Caller", "+266696687"), ("CallerCountry", "US")],
            "<Say>Hi",
            "default",
        ),
    ] {
        let pairs = [&[("Caller", "+14155550100")], pairs].concat();
        let pairs: BTreeMap<_, _> = pairs.into_iter().collect();
        let pairs: Vec<_> = pairs.into_iter().collect();
        holds(&call(&pairs).answered(&with).body, &[with_star]);
        assert_eq!(call(&pairs).route(&without), without_star, "{pairs:?}");
    }
}

#[test]
fn a_column_stands_in_texts_attributes_and_urls() {
    let table = sellers(
        "[[route]]\nname = \"seller\"\nwhen = { Called = { in = \"sellers\" } }\nvoice = [\n\
         { Say = \"{{ sellers.name | upper }}, {{ sellers.city | default(\\\"nowhere\\\") }}\", language = \"{{ sellers.language }}\" },\n\
         { Play = \"{{ sellers.page }}\" },\n\
         { Play = \"https://example.com/{{ sellers.name }}.mp3?of={{ sellers.page }}&by={{ Caller }}\" },\n\
         { Dial = \"{{ sellers.phone }}\", timeout = 20 },\n\
         { Redirect = \"?step=next&name={{ sellers.name }}\" },\n]\n\
         [[route]]\nname = \"next\"\nstep = \"next\"\nvoice = []\n",
    );
    let caller = ("Caller", "+14155550100");
    let heard = call(&[("Called", "+15005550001"), caller]).answered(&table);
    holds(
        &heard.body,
        &[
            "<Say language=\"en-US\">ANN &amp; CO, ny</Say>",
            // A URL that consists of one column is the operator's own, so nothing in it is encoded.
            "<Play>https://example.com/a?x=1&amp;y=2</Play>",
            "<Play>https://example.com/Ann%20%26%20Co.mp3?of=https%3A%2F%2Fexample.com%2Fa%3Fx%3D1%26y%3D2\
             &amp;by=%2B14155550100</Play>",
            "<Dial timeout=\"20\" callerId=\"+15005550001\">+14155550101</Dial>",
            "<Redirect>https://example.com/out-of-session?step=next&amp;name=Ann%20%26%20Co</Redirect>",
        ],
    );
    // Empty cells: the attribute and the element are dropped, and the rest is still a valid document.
    let heard = call(&[("Called", "+15009"), caller]).answered(&table);
    assert!(!heard.failed, "{heard:?}");
    holds(
        &heard.body,
        &["<Response><Say>EVE, nowhere</Say><Play>https://example.com/Eve.mp3?of=&amp;by="],
    );
}

#[test]
fn a_column_may_be_a_condition() {
    let table = sellers(
        "[[route]]\nname = \"new-york\"\nwhen = { \"sellers.city\" = \"ny\", Called = { in = \"sellers\", not = \"\" } }\nvoice = []\n\
         [[route]]\nname = \"nowhere\"\nwhen = { Called = { in = \"sellers\" }, \"sellers.city\" = { present = false } }\nvoice = []\n\
         [[route]]\nname = \"english\"\nwhen = { Called = { in = \"sellers\" }, \"sellers.language\" = [\"en-*\", { regex = \"^fr\" }] }\nvoice = []\n",
    );
    for (called, route) in [
        ("+15005550001", "new-york"),
        ("+15005550002", "english"),
        ("+15009", "nowhere"),
        ("+44", "new-york"),
        ("", "default"),
    ] {
        assert_eq!(
            call(&[("Called", called)]).route(&table),
            route,
            "{called:?}"
        );
    }
}

#[test]
fn each_table_of_when_chooses_its_own_row() {
    let table = sellers(
        "[[route]]\nname = \"either\"\n\
         when = [ { Called = { in = \"sellers\" }, \"sellers.city\" = \"ny\" }, { Caller = { in = \"sellers\" }, Digits = \"1\" } ]\n\
         voice = [{ Say = \"{{ sellers.name }}\" }]\n",
    );
    let ann = ("Called", "+15005550001");
    for (pairs, said) in [
        (
            &[ann, ("Caller", "+15005550002"), ("Digits", "1")][..],
            "<Say>Ann",
        ),
        (
            &[
                ("Called", "+1500"),
                ("Caller", "+15005550002"),
                ("Digits", "1"),
            ],
            "<Say>Bob",
        ),
        (
            &[("Called", "+1500"), ("Caller", "+15005550002")],
            "<Say>Goodbye",
        ),
    ] {
        holds(&call(pairs).answered(&table).body, &[said]);
    }
}

#[test]
fn two_directories_give_a_row_each() {
    let table = table(
        "[directory.sellers]\nrows = [{ number = \"+15005550001\", name = \"Ann\" }, { number = \"*\", name = \"us\" }]\n\
         [directory.languages]\nkey = \"country\"\nrows = [{ country = \"DE\", hello = \"Hallo\" }, { country = \"*\", hello = \"Hello\" }]\n\
         [reply.greeting]\nvoice = [{ Say = \"{{ languages.hello }} {{ sellers.name }}\" }]\nmessage = [{ Message = \"{{ sellers.name }}\" }]\n\
         [[route]]\nname = \"greeted\"\nwhen = { Called = { in = \"sellers\" }, CallerCountry = { in = \"languages\" } }\nreply = \"greeting\"\n",
    );
    for (called, country, said) in [
        ("+15005550001", "DE", "Hallo Ann"),
        ("+15005550001", "FR", "Hello Ann"),
        ("+15005550002", "DE", "Hallo us"),
        ("+15005550002", "", "Hello us"),
    ] {
        let pairs = [
            ("Called", called),
            ("Caller", "+14155550100"),
            ("CallerCountry", country),
        ];
        let heard = call(&pairs).answered(&table);
        holds(&heard.body, &[&format!("<Say>{said}</Say>")]);
    }
    let heard = text(&[("To", "+15005550001")]).answered(&table);
    holds(&heard.body, &["<Message>Ann</Message>"]);
}

#[test]
fn a_column_that_is_public_may_be_dialled_and_told() {
    let table = table(
        "[directory.desks]\nrows = [{ number = \"+15005550001\", phone = \"+14155550101\" }]\npublic = [\"phone\"]\n\
         [[route]]\nname = \"desk\"\nwhen = { Called = { in = \"desks\" } }\n\
         voice = [{ Dial = \"{{ desks.phone }}\" }, { Say = \"{{ desks.phone | spell }}\" }]\n\
         message = [{ Message = \"Call {{ desks.phone }}.\" }]\n",
    );
    let heard = call(&[("Called", "+15005550001")]).answered(&table);
    holds(&heard.body, &["+14155550101</Dial>", "+ 1 4 1 5 5 5 5"]);
    let heard = text(&[("To", "+15005550001")]).answered(&table);
    holds(&heard.body, &["Call +14155550101."]);
}

#[test]
fn what_one_directory_dials_another_over_the_same_file_does_not_tell() {
    let route = |name: &str, reply: &str| {
        format!(
            "[directory.{name}]\nfile = \"sellers.csv\"\n[[route]]\nname = \"{name}\"\n\
             when = {{ Called = {{ in = \"{name}\" }} }}\n{reply}\n"
        )
    };
    let text = route("a", "voice = [{ Dial = \"{{ a.phone }}\" }]")
        + &route("b", "message = [{ Message = \"Call {{ b.phone }}.\" }]")
        + DEFAULT;
    let file = File::new("responses.toml", text);
    let files = InPlace(BTreeMap::from([(
        "sellers.csv",
        "number,phone\n+15005550001,+14155550101\n",
    )]));
    let diagnostics = compile(&file, &files).expect_err("a leak");
    let codes: Vec<&str> = diagnostics.iter().map(|one| one.check.code).collect();
    assert!(codes.contains(&"private-column"), "{codes:?}");
}

#[test]
fn rows_of_a_file_and_rows_in_place_answer_alike() {
    let in_place = table(
        "[directory.d]\nkey = \"country\"\nrows = [{ country = \"US\", a = \"1\", b = \"2\" }, { b = \"4\", country = \"M*\" }]\n\
         [[route]]\nname = \"r\"\nwhen = { CallerCountry = { in = \"d\" } }\nvoice = [{ Say = \"x {{ d.a }}-{{ d.b }}\" }]\n",
    );
    let in_file = compiled(
        "[directory.d]\nkey = \"country\"\nfile = \"d.csv\"\n\
         [[route]]\nname = \"r\"\nwhen = { CallerCountry = { in = \"d\" } }\nvoice = [{ Say = \"x {{ d.a }}-{{ d.b }}\" }]\n",
        &[("d.csv", "a,country,b\r\n1,US,2\r\n\r\n,M*,4\r\n")],
    )
    .table;
    for country in ["US", "MX", "M", "us", ""] {
        let callback = call(&[("Caller", "+14155550100"), ("CallerCountry", country)]);
        let heard = callback.answered(&in_file);
        assert_eq!(callback.answered(&in_place), heard, "{country}");
        if country == "MX" {
            holds(&heard.body, &["<Say>x -4</Say>"]);
        }
    }
}

// Speech and typed text.

#[test]
fn what_people_say_is_compared_without_case_and_closing_punctuation() {
    let table = table(
        "[directory.words]\nkey = \"word\"\nrows = [{ word = \"Opening hours?\" }, { word = \"lost*\" }]\n\
         [[route]]\nname = \"sales\"\nstep = \"said\"\nwhen = { SpeechResult = \"sales\" }\nvoice = []\n\
         [[route]]\nname = \"support\"\nstep = \"said\"\nwhen = { SpeechResult = [\"Support!\", \"Help.\"] }\nvoice = []\n\
         [[route]]\nname = \"billing\"\nstep = \"said\"\nwhen = { SpeechResult = \"*Bill*\" }\nvoice = []\n\
         [[route]]\nname = \"exactly\"\nstep = \"said\"\nwhen = { SpeechResult = { regex = \"^Yes( please)?$\" } }\nvoice = []\n\
         [[route]]\nname = \"word\"\nstep = \"said\"\nwhen = { SpeechResult = { in = \"words\" } }\nvoice = []\n\
         [[route]]\nname = \"nothing\"\nstep = \"said\"\nwhen = { SpeechResult = { present = false } }\nvoice = []\n\
         [[route]]\nname = \"text\"\nstep = \"said\"\nwhen = { TranscriptionText = \"CALL ME\" }\nvoice = []\n\
         [[route]]\nname = \"start\"\nvoice = [{ Gather = \"\", input = \"speech\", action = \"?step=said\" }]\n",
    );
    let route = |pairs: &[(&str, &str)]| call(pairs).step("said").route(&table);
    for (said, answers) in [
        ("Sales.", "sales"),
        (" SALES! ", "sales"),
        ("sales", "sales"),
        ("Sales. Please.", "default"),
        ("support", "support"),
        ("help?", "support"),
        ("My bills.", "billing"),
        ("yes please.", "exactly"),
        ("Yes, please.", "default"),
        ("opening hours", "word"),
        ("Lost property.", "word"),
        ("", "nothing"),
        ("...", "nothing"),
    ] {
        let text = ("TranscriptionText", "Sales.");
        assert_eq!(route(&[("SpeechResult", said), text]), answers, "{said:?}");
    }
    let text = ("TranscriptionText", "Call me.");
    assert_eq!(route(&[("SpeechResult", "x"), text]), "text");
    // Typed text keeps its punctuation, and everything else is compared exactly.
    assert_eq!(
        route(&[("SpeechResult", "x"), ("StableSpeechResult", "Sales.")]),
        "default"
    );
}

// Schedules.

const HOURS: &str = "\
[schedule.new-york]\ntimezone = \"America/New_York\"\nopen = [\"Mon-Fri 09:00-17:30\"]\nclosed = [2026-11-26, \"12-25\"]\n\
[schedule.berlin]\ntimezone = \"Europe/Berlin\"\nopen = [\"Mon-Fri 09:00-17:30\"]\n";

#[test]
fn during_is_any_of_them_and_outside_none() {
    let table = table(&format!(
        "{HOURS}\
         [[route]]\nname = \"either\"\nwhen = {{ Digits = \"1\" }}\nduring = [\"new-york\", \"berlin\"]\nvoice = []\n\
         [[route]]\nname = \"neither\"\nwhen = {{ Digits = \"1\" }}\noutside = [\"new-york\", \"berlin\"]\nvoice = []\n\
         [[route]]\nname = \"only-berlin\"\nwhen = {{ Digits = \"2\" }}\nduring = \"berlin\"\noutside = \"new-york\"\nvoice = []\n\
         [[route]]\nname = \"not-berlin\"\nwhen = {{ Digits = \"2\" }}\noutside = [\"berlin\"]\nvoice = []\n"
    ));
    // A Friday; Berlin is six hours ahead.
    for (now, first, second) in [
        ("2026-11-20T07:59:59Z", "neither", "not-berlin"),
        ("2026-11-20T08:00:00Z", "either", "only-berlin"),
        ("2026-11-20T13:59:59Z", "either", "only-berlin"),
        ("2026-11-20T14:00:00Z", "either", "default"),
        ("2026-11-20T16:30:00Z", "either", "not-berlin"),
        ("2026-11-20T22:29:59Z", "either", "not-berlin"),
        ("2026-11-20T22:30:00Z", "neither", "not-berlin"),
        ("2026-11-21T12:00:00Z", "neither", "not-berlin"),
        // Thanksgiving in one of the two countries, as a TOML date.
        ("2026-11-26T20:00:00Z", "neither", "not-berlin"),
        ("2026-11-27T20:00:00Z", "either", "not-berlin"),
        ("2026-12-25T10:00:00Z", "either", "only-berlin"),
        ("2026-12-25T20:00:00Z", "neither", "not-berlin"),
    ] {
        for (digits, route) in [("1", first), ("2", second)] {
            let callback = call(&[("Digits", digits)]).at(moment(now));
            assert_eq!(callback.route(&table), route, "{digits} at {now}");
        }
    }
}

#[test]
fn the_wall_clock_counts_when_it_is_turned() {
    let table = table(
        "[schedule.small]\ntimezone = \"America/New_York\"\nopen = [\"01:30-02:30\"]\n\
         [schedule.night]\ntimezone = \"America/New_York\"\nopen = [\"Sat 22:00-06:00\"]\n\
         [[route]]\nname = \"small\"\nwhen = { Digits = \"1\" }\nduring = \"small\"\nvoice = []\n\
         [[route]]\nname = \"night\"\nwhen = { Digits = \"2\" }\nduring = \"night\"\nvoice = []\n",
    );
    for (now, small, night) in [
        // 2026-11-01 is a Sunday: 01:00 to 02:00 occurs twice.
        ("2026-11-01T05:29:59Z", false, true),
        ("2026-11-01T05:30:00Z", true, true),
        ("2026-11-01T06:15:00Z", false, true),
        ("2026-11-01T06:30:00Z", true, true),
        ("2026-11-01T07:29:59Z", true, true),
        ("2026-11-01T07:30:00Z", false, true),
        ("2026-11-01T10:59:59Z", false, true),
        ("2026-11-01T11:00:00Z", false, false),
        // 2026-03-08 is a Sunday: 02:00 to 03:00 does not occur.
        ("2026-03-08T06:59:59Z", true, true),
        ("2026-03-08T07:00:00Z", false, true),
        ("2026-03-08T09:59:59Z", false, true),
        ("2026-03-08T10:00:00Z", false, false),
    ] {
        for (digits, route, open) in [("1", "small", small), ("2", "night", night)] {
            let found = call(&[("Digits", digits)]).at(moment(now)).route(&table);
            assert_eq!(found == route, open, "{route} at {now}");
        }
    }
}

#[test]
fn a_schedule_is_asked_only_after_conditions_and_step() {
    let table = table(&format!(
        "{HOURS}[[route]]\nname = \"menu\"\nwhen = {{ Called = \"+15005550001\" }}\nduring = \"berlin\"\n\
         voice = [{{ Redirect = \"?step=desk\" }}]\n\
         [[route]]\nname = \"desk\"\nstep = \"desk\"\nduring = \"berlin\"\nvoice = []\n\
         [[route]]\nname = \"closed\"\nstep = \"desk\"\nvoice = []\n"
    ));
    let called = call(&[("Called", "+15005550001")]);
    let (open, closed) = (
        moment("2026-11-20T09:00:00Z"),
        moment("2026-11-20T20:00:00Z"),
    );
    assert_eq!(called.clone().at(open).route(&table), "menu");
    assert_eq!(called.clone().at(closed).route(&table), "default");
    assert_eq!(called.clone().step("desk").at(open).route(&table), "desk");
    assert_eq!(called.step("desk").at(closed).route(&table), "closed");
}

// Sessions.

fn session(fields: &str) -> Table {
    table(&format!(
        "[directory.sellers]\nrows = [{{ number = \"+15005550001\", phone = \"+14155550101\", line = \"+15005550009\" }}]\n\
         [[route]]\nname = \"session\"\nwhen = {{ Called = {{ in = \"sellers\" }} }}\ncreate_session = {{ {fields} }}\n"
    ))
}

#[test]
fn a_session_is_json_as_proxy_reads_it() {
    let seller = ("Called", "+15005550001");
    for (fields, json) in [
        (
            "participantIdentifier = \"+14155550123\"",
            json!({ "participantIdentifier": "+14155550123" }),
        ),
        (
            "participantIdentifier = \"{{ sellers.phone }}\", participantProxyIdentifier = \"{{ sellers.line }}\", ttl = 0",
            json!({ "participantIdentifier": "+14155550101", "participantProxyIdentifier": "+15005550009", "ttl": 0 }),
        ),
        (
            "participantIdentifier = \"+14155550123\", participantProxyIdentifier = \"{{ Called }}\", ttl = 3600, \
             mode = \"voice-and-message\", uniqueName = \"call-{{ CallSid | default(MessageSid) }}\"",
            json!({ "participantIdentifier": "+14155550123", "participantProxyIdentifier": "+15005550001",
                    "ttl": 3600, "mode": "voice-and-message", "uniqueName": "call-CA1" }),
        ),
        (
            "participantIdentifier = \"+14155550123\", dateExpiry = 2026-12-31T23:00:00Z",
            json!({ "participantIdentifier": "+14155550123", "dateExpiry": "2026-12-31T23:00:00Z" }),
        ),
    ] {
        let heard = call(&[seller]).answered(&session(fields));
        assert_eq!(
            (heard.route.as_str(), heard.kind),
            ("session", AnswerKind::Session),
            "{fields}"
        );
        let found: Value = serde_json::from_str(&heard.body).expect("JSON");
        assert_eq!(found, json, "{fields}");
    }
}

#[test]
fn a_session_answers_the_channels_of_its_mode() {
    let seller = ("To", "+15005550001");
    for (mode, voice, message) in [
        ("", "session", "session"),
        (", mode = \"voice-and-message\"", "session", "session"),
        (", mode = \"voice-only\"", "session", "default"),
        (", mode = \"message-only\"", "default", "session"),
    ] {
        let table = session(&format!("participantIdentifier = \"+14155550123\"{mode}"));
        assert_eq!(call(&[seller]).route(&table), voice, "{mode}");
        assert_eq!(text(&[seller]).route(&table), message, "{mode}");
    }
}

#[test]
fn a_route_may_open_a_session_on_one_channel_and_say_something_on_the_other() {
    let table = table(
        "[[route]]\nname = \"r\"\nvoice = [{ Say = \"Send a text.\" }]\n\
         create_session = { participantIdentifier = \"+14155550123\" }\n\
         [[route]]\nname = \"after\"\nmessage = []\n",
    );
    holds(&call(&[]).answered(&table).body, &["Send a text."]);
    assert_eq!(text(&[]).answered(&table).kind, AnswerKind::Session);
    // Only Proxy can open the session; the spoken reply is for all webhooks.
    assert_eq!(call(&[]).webhook().route(&table), "r");
    assert_eq!(text(&[]).webhook().route(&table), "after");
}

#[test]
fn only_proxy_opens_sessions() {
    let table = session("participantIdentifier = \"+14155550123\"");
    let seller = [("Called", "+15005550001")];
    assert_eq!(call(&seller).route(&table), "session");
    assert_eq!(call(&seller).webhook().route(&table), "default");
}

#[test]
fn a_session_that_cannot_be_written_is_the_default() {
    let table = session(
        "participantIdentifier = \"+14155550123\", participantProxyIdentifier = \"{{ Called }}\", uniqueName = \"x{{ Digits }}{{ CallSid }}\"",
    );
    let long = "1".repeat(200);
    let at_most = "1".repeat(187);
    for (digits, route) in [
        ("", "session"),
        (at_most.as_str(), "session"),
        (long.as_str(), "default"),
    ] {
        let heard = call(&[("Called", "+15005550001"), ("Digits", digits)]).answered(&table);
        assert_eq!(
            (heard.route.as_str(), heard.failed),
            (route, route == "default"),
            "{digits}"
        );
    }
    let anybody = self::table(
        "[[route]]\nname = \"r\"\ncreate_session = { participantIdentifier = \"+14155550123\", participantProxyIdentifier = \"{{ Called }}\" }\n",
    );
    for called in ["client:ann", "12345", "", "whatsapp:+15005550001"] {
        let heard = call(&[("Called", called)]).answered(&anybody);
        assert_eq!(
            (heard.route.as_str(), heard.failed),
            ("default", true),
            "{called}"
        );
        holds(&heard.body, &["<Say>Goodbye.</Say>"]);
    }
}

#[test]
fn the_other_partys_number_is_taken_into_a_session_that_says_it_is_private() {
    let table = table(
        "[[route]]\nname = \"again\"\nprivate = true\nwhen = { outboundParticipantIdentifier = { present = true } }\n\
         create_session = { participantIdentifier = \"{{ outboundParticipantIdentifier }}\" }\n",
    );
    let heard = call(&[("outboundParticipantIdentifier", "+14155550123")]).answered(&table);
    assert_eq!(heard.body, "{\"participantIdentifier\":\"+14155550123\"}");
}

// The loop guard.

/// A table that answers every text except those from machines.
fn talker(limits: &str) -> Table {
    table(&format!(
        "{limits}[[route]]\nname = \"talk\"\nmessage = [{{ Message = \"Thanks!\" }}]\nvoice = [{{ Say = \"Hello.\" }}]\n"
    ))
}

/// The n-th text of a pair, with its own SID.
fn nth(n: usize, seconds: i64) -> Callback {
    text(&[("MessageSid", &format!("SM{n}"))]).at(after(seconds))
}

fn is_silenced(heard: &Heard) -> bool {
    let silenced = heard.route == LOOP_GUARD;
    if silenced {
        assert!(heard.body.ends_with("?><Response/>"), "{heard:?}");
    }
    silenced
}

#[test]
fn a_pair_gets_three_replies_in_ten_minutes() {
    let (table, guard) = (talker(""), LoopGuard::new());
    for (n, seconds, silenced) in [
        (1, 0, false),
        (2, 100, false),
        (3, 200, false),
        (4, 300, true),
        (5, 599, true),
        // Ten minutes after the first, then after the second.
        (6, 600, false),
        (7, 601, true),
        (8, 700, false),
        (9, 799, true),
        (10, 800, false),
        (11, 1199, true),
        (12, 1200, false),
    ] {
        let heard = nth(n, seconds).heard(&table, &guard);
        assert_eq!(is_silenced(&heard), silenced, "{n} after {seconds} s");
        let verdict = silenced.then_some(GuardReason::Replies(3));
        assert_eq!(heard.guarded, verdict, "{n}");
    }
}

#[test]
fn a_reply_counts_until_its_time_is_over_to_the_last_moment() {
    let (table, guard) = (talker("[loop_guard]\nreplies = 1\n"), LoopGuard::new());
    for (n, milliseconds, silenced) in [(1, 900, false), (2, 600_000, true), (3, 600_900, false)] {
        let now = moment(NOON) + Span::new().milliseconds(milliseconds);
        let heard = nth(n, 0).at(now).heard(&table, &guard);
        assert_eq!(is_silenced(&heard), silenced, "after {milliseconds} ms");
    }
}

#[test]
fn the_limits_are_those_of_the_table() {
    for (limits, sent) in [
        ("", 3),
        ("[loop_guard]\nreplies = 1\n", 1),
        ("[loop_guard]\nreplies = 30\n", 30),
        ("[loop_guard]\nreplies = 5\nper = \"10s\"\n", 20),
        ("[loop_guard]\nper = 5\n", 24),
        ("[loop_guard]\nreplies = 0\n", 40),
    ] {
        let (table, guard) = (talker(limits), LoopGuard::new());
        let heard = (0..40).map(|n| nth(n, i64::try_from(n).expect("few")).heard(&table, &guard));
        assert_eq!(
            heard.filter(|heard| !is_silenced(heard)).count(),
            sent,
            "{limits}"
        );
    }
}

#[test]
fn the_default_counts_like_any_route_and_silence_does_not() {
    let table = table(
        "[[route]]\nname = \"silent\"\nwhen = { Body = \"quiet\" }\nmessage = []\n\
         [[route]]\nname = \"session\"\nwhen = { Body = \"session\" }\ncreate_session = { participantIdentifier = \"+14155550123\" }\n\
         [[route]]\nname = \"elsewhere\"\nwhen = { Body = \"elsewhere\" }\nmessage = [{ Redirect = \"https://example.com/x\" }]\n",
    );
    let guard = LoopGuard::new();
    let say = |n: usize, body: &str| {
        text(&[("MessageSid", &format!("SM{n}")), ("Body", body)])
            .heard(&table, &guard)
            .route
    };
    for n in 0..10 {
        for (kind, body) in ["quiet", "session", "elsewhere"].into_iter().enumerate() {
            let route = say(10 * n + kind, body);
            assert_ne!(route, LOOP_GUARD, "{body}");
        }
    }
    let routes: Vec<String> = (200..205).map(|n| say(n, "hello")).collect();
    assert_eq!(
        routes,
        ["default", "default", "default", LOOP_GUARD, LOOP_GUARD]
    );
    // The pair is silenced, but documents that send nothing are still answered.
    assert_eq!(say(300, "quiet"), "silent");
}

#[test]
fn a_call_is_not_counted_as_a_reply() {
    let (table, guard) = (talker(""), LoopGuard::new());
    for n in 0..10 {
        let sid = format!("CA{n}");
        let callback = Callback::new(&[
            ("CallSid", &sid),
            ("To", "+15005550006"),
            ("From", "+14155550100"),
        ]);
        assert_eq!(callback.heard(&table, &guard).route, "talk");
    }
}

#[test]
fn a_retry_is_decided_anew_and_not_counted_again() {
    let table = table(
        "[schedule.berlin]\ntimezone = \"Europe/Berlin\"\nopen = [\"08:00-18:00\"]\n\
         [[route]]\nname = \"open\"\nduring = \"berlin\"\nmessage = [{ Message = \"Open.\" }]\n\
         [[route]]\nname = \"closed\"\nmessage = [{ Message = \"Closed.\" }]\n",
    );
    for by_token in [true, false] {
        let guard = LoopGuard::new();
        // 18:00 in Berlin is NOON.
        let ask = |n: usize, seconds: i64| {
            let sid = if by_token {
                format!("SM-other-{seconds}")
            } else {
                format!("SM{n}")
            };
            let token = ["token-0", "token-1", "token-2", "token-3", "token-4"][n];
            let callback = text(&[("MessageSid", &sid)]).at(after(seconds));
            let callback = if by_token {
                callback.token(token)
            } else {
                callback
            };
            callback.heard(&table, &guard).route
        };
        assert_eq!(ask(0, -20), "open", "by token: {by_token}");
        assert_eq!(ask(0, -10), "open");
        assert_eq!(ask(0, 5), "closed", "decided anew");
        assert_eq!(ask(1, 10), "closed");
        assert_eq!(ask(2, 15), "closed");
        assert_eq!(ask(3, 20), LOOP_GUARD);
        assert_eq!(ask(0, 25), "closed", "a retry of what was sent is sent");
        assert_eq!(ask(2, 30), "closed");
        assert_eq!(ask(3, 35), LOOP_GUARD, "a retry of what was not is not");
        // The first has left the window, so there is room, but not for the suppressed text.
        assert_eq!(ask(3, 590), LOOP_GUARD);
        assert_eq!(ask(4, 590), "closed");
        assert_eq!(ask(3, 600), LOOP_GUARD);
    }
}

#[test]
fn a_token_counts_before_the_sid() {
    let (table, guard) = (talker(""), LoopGuard::new());
    let tokens = ["a", "b", "c", "d"];
    let routes: Vec<String> = tokens
        .iter()
        .map(|token| {
            text(&[("MessageSid", "SM1")])
                .token(token)
                .heard(&table, &guard)
                .route
        })
        .collect();
    assert_eq!(routes, ["talk", "talk", "talk", LOOP_GUARD]);
}

#[test]
fn each_pair_is_counted_for_itself() {
    let (table, guard) = (talker(""), LoopGuard::new());
    for n in 0..10 {
        let _ = nth(n, 0).heard(&table, &guard);
    }
    for (to, from, silenced) in [
        ("+15005550006", "+14155550100", true),
        ("+15005550006", "+14155550101", false),
        ("+15005550007", "+14155550100", false),
        // The other direction is a different pair.
        ("+14155550100", "+15005550006", false),
        ("whatsapp:+15005550006", "whatsapp:+14155550100", false),
    ] {
        let callback = text(&[("To", to), ("From", from), ("MessageSid", "SM99")]);
        let heard = callback.heard(&table, &guard);
        assert_eq!(is_silenced(&heard), silenced, "{from} to {to}");
    }
}

#[test]
fn a_flood_of_pairs_makes_the_guard_forget_the_oldest_and_nothing_else() {
    let (table, guard) = (
        talker("[loop_guard]\nreplies = 1\nper = \"24h\"\n"),
        LoopGuard::new(),
    );
    let ask = |pair: u32, seconds: i64| {
        let from = format!("+1415{pair:07}");
        let sid = format!("SM{seconds}-{pair}");
        let callback = text(&[("From", &from), ("MessageSid", &sid)]).at(after(seconds));
        !is_silenced(&callback.heard(&table, &guard))
    };
    let few = 1_000;
    assert!((0..few).all(|pair| ask(pair, 0)), "nobody has had a reply");
    let answered = (0..few).filter(|pair| ask(*pair, 1)).count();
    assert!(
        answered <= 10,
        "{answered} of {few} pairs are forgotten without need"
    );
    // Far more pairs than there is room for.
    let many = 100_000;
    let second = |pair: u32| 2 + i64::from(pair) / 2;
    let first = (few..many).filter(|pair| ask(*pair, second(*pair))).count();
    assert_eq!(
        first,
        usize::try_from(many - few).expect("it fits"),
        "new pairs are answered"
    );
    // The newest pairs are still remembered.
    let (from, to) = (many - 1_000, many);
    let remembered = (from..to).filter(|pair| !ask(*pair, 55_000)).count();
    assert!(remembered >= 990, "the newest stay: {remembered} of 1000");
    let forgotten = (0..few).filter(|pair| ask(*pair, 60_000)).count();
    assert!(forgotten >= 990, "the oldest go: {forgotten} of {few}");
}

#[test]
fn a_flood_from_one_pair_is_no_way_around_the_guard() {
    let (table, guard) = (talker(""), LoopGuard::new());
    let sent = (0..10_000)
        .filter(|n| {
            !is_silenced(&nth(*n, i64::try_from(n / 20).expect("few")).heard(&table, &guard))
        })
        .count();
    assert_eq!(sent, 3);
}

#[test]
fn a_clock_that_jumps_back_neither_lets_a_loop_run_nor_silences_for_ever() {
    let (table, guard) = (talker(""), LoopGuard::new());
    let sent = |from: usize, seconds: i64| {
        (from..from + 10)
            .filter(|n| !is_silenced(&nth(*n, seconds).heard(&table, &guard)))
            .count()
    };
    assert_eq!(sent(0, 0), 3);
    // Back by five minutes: replies in the future still count.
    assert_eq!(sent(100, -300), 0);
    // Back by a day: the pair starts afresh, once.
    assert_eq!(sent(200, -86_400), 3);
    assert_eq!(sent(300, -86_400 + 60), 0);
    assert_eq!(sent(400, -86_400 + 600), 3);
}

// Machines.

#[test]
fn machines_get_no_answer() {
    let talker = talker("");
    let deaf = table(
        "[[route]]\nname = \"talk\"\nanswer_machines = true\nmessage = [{ Message = \"Thanks!\" }]\n",
    );
    for (pairs, verdict) in [
        (&[("From", "TWILIO")][..], GuardReason::Name),
        (&[("From", "My Bank")], GuardReason::Name),
        (&[("From", "12345")], GuardReason::ShortCode),
        (&[("From", "123456")], GuardReason::ShortCode),
        (&[("From", "40404"), ("Body", "x")], GuardReason::ShortCode),
        (
            &[("OptOutType", "STOP"), ("Body", "please")],
            GuardReason::OptOut,
        ),
        (&[("OptOutType", "HELP")], GuardReason::OptOut),
        (&[("Body", "STOP")], GuardReason::OptOutWord),
    ] {
        let heard = text(pairs).answered(&talker);
        assert!(is_silenced(&heard), "{pairs:?}");
        assert_eq!(heard.guarded, Some(verdict), "{pairs:?}");
        let heard = text(pairs).answered(&deaf);
        assert_eq!(
            (heard.route.as_str(), heard.guarded),
            ("talk", None),
            "{pairs:?}"
        );
    }
}

#[test]
fn every_opt_out_word_is_known_in_every_spelling_and_only_alone() {
    let table = talker("");
    let silenced = |body: &str| is_silenced(&text(&[("Body", body)]).answered(&table));
    for word in OPT_OUT_WORDS {
        let lower = word.to_lowercase();
        let mixed: String = word[..1].chars().chain(lower[1..].chars()).collect();
        let spaced: String = word.chars().flat_map(|letter| [letter, ' ']).collect();
        let full_width = |letter| char::from_u32(u32::from(letter) + 0xfee0);
        let full_width: String = word.chars().filter_map(full_width).collect();
        for body in [
            word,
            &lower,
            &mixed,
            &spaced,
            &full_width,
            &format!(" {lower}\r\n"),
            &format!("\t{word} "),
            &format!("{mixed}."),
            &format!("\"{word}\"!!"),
            &format!("«\u{a0}{lower}\u{a0}»"),
        ] {
            assert!(silenced(body), "{body:?}");
        }
        for body in [
            format!("{word} it"),
            format!("{word}.it"),
            format!("please {lower}"),
            format!("{word}S"),
        ] {
            // STOPALL is an opt-out word of its own.
            assert!(!silenced(&body), "{body:?}");
        }
    }
    for body in [
        "ST OP",
        "stop all",
        "OPT OUT",
        "Opt-out",
        "opt–out",
        "Arrêt",
        "ARRÊTÉ",
        "arre\u{302}te\u{301}",
        "Début.",
    ] {
        assert!(silenced(body), "{body:?}");
    }
    let long = format!("STOP{}", " ".repeat(1500));
    assert!(silenced(&long));
    for body in [
        "",
        "...",
        "STOPPEN",
        "hello",
        "yes",
        "please stop calling me",
        &format!("S{}TOP", " ".repeat(1500)),
    ] {
        assert!(!silenced(body), "{body:?}");
    }
}

#[test]
fn people_are_no_machines() {
    let table = talker("");
    for from in [
        "+14155550100",
        "+4930123",
        "whatsapp:+14155550100",
        "messenger:12345",
        "rcs:agent",
        "client:ann",
        "",
    ] {
        let heard = text(&[("From", from)]).answered(&table);
        assert_eq!(heard.route, "talk", "{from}");
    }
    // A call from a short code is still a call.
    assert_eq!(
        call(&[("From", "12345"), ("Body", "STOP")]).route(&table),
        "talk"
    );
}

#[test]
fn the_default_answers_no_machine_either() {
    let table = table("");
    assert!(is_silenced(&text(&[("Body", "stop")]).answered(&table)));
    assert_eq!(text(&[("Body", "stop it")]).route(&table), "default");
}

#[test]
fn a_machine_does_not_use_up_the_replies_of_its_pair() {
    let (table, guard) = (talker(""), LoopGuard::new());
    for n in 0..20 {
        let sid = format!("SM{n}");
        let stop = text(&[("MessageSid", &sid), ("Body", "STOP")]);
        assert!(is_silenced(&stop.heard(&table, &guard)));
    }
    let routes: Vec<String> = (30..34)
        .map(|n| nth(n, 0).heard(&table, &guard).route)
        .collect();
    assert_eq!(routes, ["talk", "talk", "talk", LOOP_GUARD]);
}

#[test]
fn a_route_that_answers_machines_is_counted_all_the_same() {
    let table = table(
        "[[route]]\nname = \"talk\"\nanswer_machines = true\nmessage = [{ Message = \"Thanks!\" }]\n",
    );
    let guard = LoopGuard::new();
    let routes: Vec<String> = (0..4)
        .map(|n| {
            text(&[("MessageSid", &format!("SM{n}")), ("From", "12345")])
                .heard(&table, &guard)
                .route
        })
        .collect();
    assert_eq!(routes, ["talk", "talk", "talk", LOOP_GUARD]);
}

// Calls that come back.

/// How many of this many requests of one call the route itself answers.
fn returns(limits: &str, requests: usize, callback: impl Fn(usize) -> Callback) -> usize {
    let (table, guard) = (talker(limits), LoopGuard::new());
    let mut answered = 0;
    for n in 0..requests {
        let heard = callback(n).heard(&table, &guard);
        if heard.route == LOOP_GUARD {
            holds(&heard.body, &["<Response><Say>Goodbye.</Say></Response>"]);
            assert!(matches!(heard.guarded, Some(GuardReason::SameCall(_))));
        } else {
            answered += 1;
        }
    }
    answered
}

#[test]
fn a_call_that_comes_back_too_often_gets_the_default() {
    let same = |_| call(&[]);
    assert_eq!(returns("", 100, same), 21, "the first time is no return");
    assert_eq!(returns("[loop_guard]\nsame_call = 2\n", 100, same), 3);
    assert_eq!(returns("[loop_guard]\nsame_call = 0\n", 100, same), 100);
    // Regardless of the step and of the time in between.
    assert_eq!(
        returns("", 100, |n| call(&[])
            .at(after(100 * i64::try_from(n).expect("few")))),
        21
    );
    assert_eq!(
        returns("", 100, |n| Callback::new(&[(
            "CallSid",
            &format!("CA{n}")
        )])),
        100
    );
}

#[test]
fn a_call_that_waits_is_not_counted_where_only_a_wait_url_leads() {
    const WAIT: &str = "[[route]]\nname = \"in\"\nwhen = { Digits = \"0\" }\nvoice = [{ Enqueue = \"q\", waitUrl = \"?step=wait\", action = \"?step=left\" }]\n\
         [[route]]\nname = \"room\"\nwhen = { Digits = \"1\" }\n\
         voice = [{ Dial = [{ Conference = \"c\", waitUrl = \"/webhook?step=room\" }] }]\n\
         [[route]]\nname = \"left\"\nstep = \"left\"\nvoice = []\n";
    const ON_HOLD: &str = "{ Say = \"Please hold.\" }";
    for (elsewhere, hold, counted) in [
        ("", ON_HOLD, false),
        // It redirects at once, and so would never end.
        ("", "{ Redirect = \"?step=wait\" }", true),
        (
            "[[route]]\nname = \"menu\"\nwhen = { Digits = \"2\" }\nvoice = [{ Gather = \"\", action = \"?step=wait\" }]\n",
            ON_HOLD,
            true,
        ),
        (
            "[[route]]\nname = \"menu\"\nwhen = { Digits = \"2\" }\nvoice = [{ Gather = \"\", action = \"https://example.com/webhook?step=wait\" }]\n",
            ON_HOLD,
            true,
        ),
        (
            "[[route]]\nname = \"menu\"\nwhen = { Digits = \"2\" }\nvoice = [{ Gather = \"\", action = \"?step={{ Digits }}\" }]\n",
            ON_HOLD,
            true,
        ),
    ] {
        let table = table(&format!(
            "{elsewhere}{WAIT}\
             [[route]]\nname = \"hold\"\nstep = \"wait\"\nvoice = [{hold}]\n\
             [[route]]\nname = \"alone\"\nstep = \"room\"\nvoice = [{{ Say = \"You are alone.\" }}]\n"
        ));
        for (step, is_counted) in [
            ("wait", counted),
            ("room", elsewhere.contains("{{")),
            ("left", true),
            ("", true),
        ] {
            let guard = LoopGuard::new();
            let asked = call(&[]).step(step);
            let last = (0..40).map(|_| asked.heard(&table, &guard).route).last();
            assert_eq!(
                last.as_deref() == Some(LOOP_GUARD),
                is_counted,
                "{step:?} {elsewhere}{hold}"
            );
        }
    }
}

#[test]
fn a_retry_of_a_call_is_no_return() {
    assert_eq!(returns("", 100, |_| call(&[]).token("one")), 100);
    // Every request of the call, with one retry each.
    let tokens = |n: usize| call(&[]).token(["a", "b", "c", "d"][(n / 2) % 4]);
    assert_eq!(returns("", 100, tokens), 42);
}

#[test]
fn a_call_is_silent_about_texts() {
    let (table, guard) = (
        talker("[loop_guard]\nsame_call = 1\nreplies = 0\n"),
        LoopGuard::new(),
    );
    for _ in 0..10 {
        assert_eq!(
            text(&[("MessageSid", "SM1")]).heard(&table, &guard).route,
            "talk"
        );
    }
}

#[test]
fn many_calls_at_once_do_not_silence_each_other() {
    let (table, guard) = (talker(""), LoopGuard::new());
    for turn in 0..21 {
        for n in 0..200 {
            let sid = format!("CA{n}");
            let heard = Callback::new(&[("CallSid", &sid)])
                .at(after(turn))
                .heard(&table, &guard);
            assert_eq!(heard.route, "talk", "{sid} the {turn}. time");
        }
    }
    let heard = Callback::new(&[("CallSid", "CA7")])
        .at(after(30))
        .heard(&table, &guard);
    assert_eq!(heard.route, LOOP_GUARD);
}

// [extra]

#[test]
fn an_attribute_that_is_new_to_us_is_written_as_it_is() {
    let table = table(
        "[extra]\nDial = [\"newAttribute\"]\n\
         [[route]]\nname = \"r\"\nvoice = [{ Dial = \"+14155550101\", newAttribute = \"{{ Digits }} & more\" }]\n",
    );
    let heard = call(&[("Digits", "1"), ("Called", "+15005550006")]).answered(&table);
    holds(
        &heard.body,
        &["<Dial newAttribute=\"1 &amp; more\" callerId=\"+15005550006\">"],
    );
}

// [[test]]

#[test]
fn tests_say_what_they_reach() {
    let routes = "\
        [[route]]\nname = \"a\"\nwhen = [{ Called = \"+15005550001\", Digits = \"1\" }, { Caller = \"+15005550002\" }]\nvoice = []\nmessage = []\n\
        [[route]]\nname = \"b\"\nwhen = { Digits = \"2\" }\nvoice = []\n";
    for (tests, percent, missed_routes, missed_conditions) in [
        ("", 0, 2, 4),
        // Called fails in the first table, then Caller in the second: two of six conditions, and no route.
        (
            "[[test]]\nname = \"1\"\nexpect = \"default\"\nchannel = \"message\"\n",
            33,
            2,
            2,
        ),
        ("[[test]]\nname = \"1\"\nexpect = \"default\"\n", 50, 2, 1),
        (
            "[[test]]\nname = \"1\"\nrequest = { Digits = \"2\" }\nexpect = \"b\"\n",
            66,
            1,
            1,
        ),
        (
            "[[test]]\nname = \"1\"\nrequest = { Digits = \"2\" }\nexpect = \"b\"\n\
             [[test]]\nname = \"2\"\nrequest = { Called = \"+15005550001\", Digits = \"1\" }\nexpect = \"a\"\n",
            100,
            0,
            0,
        ),
    ] {
        let compiled = compiled(&format!("{routes}{tests}"), &[]);
        assert_eq!(compiled.failed_tests, [], "{tests}");
        let coverage = compiled.coverage();
        assert_eq!(coverage.percent(), percent, "{tests}");
        let missed = (coverage.routes.len(), coverage.conditions.len());
        assert_eq!(missed, (missed_routes, missed_conditions), "{tests}");
    }
}

#[test]
fn a_table_without_routes_is_reached_whole() {
    let coverage = compiled("", &[]).coverage();
    assert_eq!(
        (coverage.percent(), coverage.tests, coverage.total),
        (100, 0, 0)
    );
}

#[test]
fn a_test_may_name_channel_step_webhook_and_moment() {
    let compiled = compiled(
        "[schedule.berlin]\ntimezone = \"Europe/Berlin\"\nopen = [\"12:00-13:00\"]\n\
         [[route]]\nname = \"noon\"\nduring = \"berlin\"\nwhen = { Digits = \"1\" }\nvoice = []\n\
         [[route]]\nname = \"texts\"\nmessage = [{ Message = \"Hi.\" }]\n\
         [[route]]\nname = \"at-step\"\nstep = \"s\"\nvoice = [{ Gather = \"\", action = \"?step=s\" }]\n\
         [[route]]\nname = \"session\"\nwhen = { Digits = \"2\" }\ncreate_session = { participantIdentifier = \"+14155550123\" }\n\
         [[test]]\nname = \"1\"\nrequest = { Digits = \"1\" }\nat = \"2026-12-24T12:59[Europe/Berlin]\"\nexpect = \"noon\"\n\
         [[test]]\nname = \"2\"\nrequest = { Digits = \"1\" }\nat = 2026-12-24T13:00:00+01:00\nexpect = \"default\"\n\
         [[test]]\nname = \"3\"\nchannel = \"message\"\nexpect = \"texts\"\n\
         [[test]]\nname = \"4\"\nrequest = { Body = \"hello\" }\nexpect = \"texts\"\ncontains = \"<Message>Hi.</Message>\"\n\
         [[test]]\nname = \"5\"\nstep = \"s\"\nexpect = \"at-step\"\ncontains = \"https://self.invalid/out-of-session?step=s\"\n\
         [[test]]\nname = \"6\"\nrequest = { Digits = \"2\" }\nexpect = \"session\"\n\
         [[test]]\nname = \"7\"\nrequest = { Digits = \"2\" }\nwebhook = \"webhook\"\nexpect = \"default\"\n\
         [[test]]\nname = \"8\"\nrequest = { Body = \"Stop\" }\nexpect = \"loop-guard\"\n",
        &[],
    );
    assert_eq!(compiled.tests().len(), 8);
    assert_eq!((compiled.failed_tests, compiled.warnings), (vec![], vec![]));
}
