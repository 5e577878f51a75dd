//! Two people behind one of our numbers, without Proxy: a person in a session reaches only the other party and sees
//! only our number, and everyone else learns nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;

use jiff::Timestamp;
use proptest::prelude::*;
use twiml_responder::language::{Files, compile};
use twiml_responder::table::Table;
use twiml_responder::table::answer::{Asked, answer};
use twiml_responder::table::diagnostic::File;
use twiml_responder::table::guard::LoopGuard;
use twiml_responder::twilio::request::{Form, Request, Webhook};

const TABLE: &str = r#"
[directory.sessions]
file = "sessions.csv"
key = ["number", "party"]

[[route]]
name = "in-session"
when = { "Called, Caller" = { in = "sessions" }, "sessions.until" = { after = "now" } }
voice = [ { Say = "One moment." }, { Dial = "{{ sessions.other }}", timeout = 20 } ]
message = [ { Message = [ { Body = "{{ Body }}" }, { Media = "{{ MediaUrl0 }}" } ], to = "{{ sessions.other }}" } ]

[default]
voice = [ { Say = "No such number." } ]
message = [ { Message = "No such number." } ]
"#;

const OURS: [&str; 4] = [
    "+15005550001",
    "+15005550002",
    "+15005550011",
    "+1500555000",
];

/// Some are prefixes of others, and one resembles our own numbers.
const PEOPLE: [&str; 8] = [
    "+14155550100",
    "+14155550101",
    "+1415555010",
    "+141555501001",
    "+442079460000",
    "+4420794600",
    "+33123456789",
    "+15005550003",
];

/// Other callers: withheld numbers, short codes, other kinds of addresses, our own numbers.
const OTHERS: [&str; 7] = [
    "",
    "anonymous",
    "+266696687",
    "12345",
    "client:+14155550100",
    "whatsapp:+14155550100",
    "+15005550001",
];

const NOW: &str = "2026-12-01T12:00:00Z";

/// The ends of sessions in rows, and whether they are still to come.
const ENDS: [(&str, bool); 5] = [
    ("", true),
    ("2026-12-01T12:00:01Z", true),
    ("2026-12-01T12:00:00Z", false),
    ("2026-12-01", false),
    ("2026-12-01T13:30:00+01:00", true),
];

#[derive(Debug, Clone)]
struct Row {
    number: usize,
    party: usize,
    other: usize,
    end: usize,
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (
        0..OURS.len(),
        0..PEOPLE.len(),
        0..PEOPLE.len(),
        0..ENDS.len(),
    );
    let row = row.prop_map(|(number, party, other, end)| Row {
        number,
        party,
        other,
        end,
    });
    prop::collection::vec(row, 0..40).prop_map(|rows| {
        let keyed = rows.into_iter().map(|row| ((row.number, row.party), row));
        let unique: BTreeMap<_, _> = keyed.collect();
        unique.into_values().collect()
    })
}

struct Sessions<'s>(&'s str);

impl Files for Sessions<'_> {
    fn read(&self, _path: &str) -> io::Result<Vec<u8>> {
        Ok(self.0.as_bytes().to_vec())
    }
}

fn written(rows: &[Row]) -> String {
    let mut text = "until,party,other,number\n".to_owned();
    for row in rows {
        let (end, _) = ENDS[row.end];
        let (party, other) = (PEOPLE[row.party], PEOPLE[row.other]);
        writeln!(text, "{end},{party},{other},{}", OURS[row.number]).expect("a String takes all");
    }
    text
}

fn table(sessions: &str) -> Table {
    match compile(&File::new("responses.toml", TABLE), &Sessions(sessions)) {
        Ok(compiled) => compiled.table,
        Err(diagnostics) => panic!("{diagnostics:#?}\n{sessions}"),
    }
}

/// A call or a text, which have different names for the two numbers.
fn answered(table: &Table, is_call: bool, called: &str, caller: &str) -> (String, String) {
    let body: Form = if is_call {
        [("CallSid", "CA1"), ("Called", called), ("Caller", caller)]
            .into_iter()
            .collect()
    } else {
        let fields = [("MessageSid", "SM1"), ("To", called), ("From", caller)];
        fields.into_iter().chain([("Body", "On my way.")]).collect()
    };
    let query = Form::default();
    let request = Request::new(Webhook::Plain, &body, &query);
    let asked = Asked {
        request: &request,
        url: "https://example.com/webhook",
        token: "",
        now: NOW.parse::<Timestamp>().expect("a moment"),
    };
    let answer = answer(table, &LoopGuard::new(), &asked);
    let document = String::from_utf8(answer.body.to_vec()).expect("UTF-8");
    (answer.route.to_owned(), document)
}

/// The answer to a person in a session: it reaches the other party, and contains no numbers but ours and theirs.
fn connected(is_call: bool, called: &str, other: &str) -> String {
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response>";
    if is_call {
        format!(
            "{head}<Say>One moment.</Say><Dial timeout=\"20\" callerId=\"{called}\">{other}</Dial></Response>"
        )
    } else {
        format!("{head}<Message to=\"{other}\"><Body>On my way.</Body></Message></Response>")
    }
}

fn learns_nothing(is_call: bool) -> String {
    let verb = if is_call { "Say" } else { "Message" };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><{verb}>No such number.</{verb}></Response>"
    )
}

proptest! {
    #[test]
    fn whoever_is_in_a_session_reaches_the_other_party_and_nobody_else(rows in rows()) {
        let table = table(&written(&rows));
        for called in OURS.iter().chain(&["+15005550009", ""]) {
            for caller in PEOPLE.iter().chain(&OTHERS) {
                for is_call in [true, false] {
                    let (route, document) = answered(&table, is_call, called, caller);
                    // A simple search through all rows.
                    let row = rows.iter().find(|row| {
                        OURS[row.number] == *called && PEOPLE[row.party] == *caller && ENDS[row.end].1
                    });
                    if let Some(row) = row {
                        prop_assert_eq!(&*route, "in-session");
                        prop_assert_eq!(document, connected(is_call, called, PEOPLE[row.other]));
                    } else if route == "loop-guard" {
                        // A text from a machine gets no answer at all.
                        prop_assert!(!is_call && !document.contains('+'), "{}", document);
                    } else {
                        prop_assert_eq!(&*route, "default");
                        prop_assert_eq!(document, learns_nothing(is_call));
                    }
                }
            }
        }
    }

    /// A file whose writer was stopped at any byte is either refused, or still connects everyone correctly. A cut in
    /// the last line may turn it into another row, but a reload does not accept a file written in place that ends in
    /// the middle of a line.
    #[test]
    fn a_file_that_is_cut_off_between_two_lines_connects_nobody_wrongly(rows in rows(), cut in any::<prop::sample::Index>()) {
        let whole = written(&rows);
        let lines: Vec<&str> = whole.split_inclusive('\n').collect();
        let kept = cut.index(lines.len()) + 1;
        let table = table(&lines[..kept].concat());
        for (place, row) in rows.iter().enumerate() {
            let (called, caller) = (OURS[row.number], PEOPLE[row.party]);
            let (_, document) = answered(&table, true, called, caller);
            if place + 1 < kept && ENDS[row.end].1 {
                prop_assert_eq!(document, connected(true, called, PEOPLE[row.other]));
            } else {
                prop_assert_eq!(document, learns_nothing(true));
            }
        }
    }
}

#[test]
fn two_rows_for_one_pair_are_no_table() {
    let sessions = "until,party,other,number\n,+14155550100,+14155550101,+15005550001\n,+14155550100,+33123456789,+15005550001\n";
    let compiled = compile(&File::new("responses.toml", TABLE), &Sessions(sessions));
    let diagnostics = compiled.expect_err("it cannot be told whom they mean");
    let codes: Vec<&str> = diagnostics.iter().map(|one| one.check.code).collect();
    assert_eq!(codes, ["duplicate-key"]);
}
