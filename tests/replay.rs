//! `replay` as an operator meets it: a journal and another table in; differences, counts and an exit code out.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use support::{Folder, Ran, Service, program, run};

const TABLE: &str = r#"
[[route]]
name = "blocked"
when = { Caller = ["+14155550100", "+442*"] }
voice = [ { Say = "Not you." } ]

[[route]]
name = "lost"
when = { Called = "+15005550001", Body = "*lost*" }
message = [ { Message = "We look for it." } ]

[[route]]
name = "hello"
when = { Called = "+15005550001" }
voice = [ { Say = "Hello." } ]
message = [ { Message = "Hello." } ]

[[intercept]]
name = "no-numbers"
when = { interactionType = "Message" }
block = true

[default]
voice = [ { Say = "No such number." } ]
message = [ { Message = "No such number." } ]
"#;

/// A line of a call, with these changes.
fn line(others: &Value) -> String {
    let mut line = json!({
        "time": "2026-11-25T10:00:00.000Z",
        "webhook": "out-of-session",
        "channel": "voice",
        "route": "hello",
        "status": 200,
        "microseconds": 40,
        "guard": null,
        "failed": null,
        "machine": false,
        "sid": "CA00000000000000000000000000000001",
        "number": "+15005550001",
        "withheld": false,
        "step": null,
        "event": null,
        "parameters": { "Called": "+15005550001", "Direction": "inbound" },
        "masked": { "Caller": "+151•••••00" },
        "left_out": [],
        "unnamed": 0,
    });
    for (name, value) in others.as_object().expect("an object") {
        line[name] = value.clone();
    }
    format!("{line}\n")
}

/// A folder with a table and a journal of one day.
fn folder(name: &str, table: &str, journal: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("t.toml", table);
    std::fs::create_dir(folder.path().join("journal")).expect("a folder of the test");
    folder.write("journal/journal-2026-11-25.jsonl", journal);
    folder
}

fn replay_in(folder: &Folder, arguments: &[&str]) -> Ran {
    run(program()
        .args(["replay", "--journal", "journal", "--table", "t.toml"])
        .args(arguments)
        .current_dir(folder.path()))
}

#[track_caller]
fn expect(ran: &Ran, code: i32, stdout: &str, stderr: &str) {
    assert_eq!(
        (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
        (Some(code), stdout, stderr)
    );
}

#[test]
fn nothing_differs_under_the_table_that_answered() {
    let journal = [
        line(&json!({})),
        line(&json!({ "route": "blocked", "masked": { "Caller": "+442•••••50" } })),
        line(&json!({ "route": "default", "parameters": { "Called": "+15005550009" } })),
        line(&json!({ "webhook": "webhook" })),
    ];
    let folder = folder("replay-same", TABLE, &journal.concat());
    let wanted = "4 requests: 4 same, 0 different, 0 cannot tell\n";
    expect(&replay_in(&folder, &[]), 0, wanted, "");
}

#[test]
fn what_differs_is_shown_and_counted() {
    let text = json!({
        "time": "2026-11-25T10:00:01.000Z",
        "channel": "message",
        "route": "greeting",
        "sid": "SM00000000000000000000000000000002",
        "left_out": ["Body"],
    });
    let withheld = json!({
        "time": "2026-11-25T10:00:02.000Z",
        "route": "default",
        "withheld": true,
        "parameters": { "Called": "+15005550001", "Caller": "anonymous" },
        "masked": {},
        "sid": null,
        "number": null,
    });
    let journal = [
        line(&json!({ "route": "greeting" })),
        line(&json!({ "route": "greeting" })),
        line(&text),
        line(&withheld),
        line(&json!({})),
    ];
    let folder = folder("replay-different", TABLE, &journal.concat());
    let wanted = "\
2026-11-25T10:00:00.000Z  CA00000000000000000000000000000001  +151•••••00   +15005550001  greeting → hello
2026-11-25T10:00:00.000Z  CA00000000000000000000000000000001  +151•••••00   +15005550001  greeting → hello
2026-11-25T10:00:02.000Z  -                                   withheld      -             default → hello

5 requests: 1 same, 3 different, 1 cannot tell
different:
  2  greeting → hello
  1  default → hello
cannot tell:
  1  values that decide are masked or left out: Body 1
  `serve --journal-values Body` would keep the missing values from now on
";
    expect(&replay_in(&folder, &[]), 1, wanted, "");
}

#[test]
fn json_has_an_object_for_each_request_that_differs_and_one_with_the_counts() {
    let journal = [
        line(&json!({ "route": "greeting" })),
        line(&json!({ "masked": { "Caller": "+141•••••00" } })),
        line(&json!({ "webhook": "callback", "route": null })),
        "not a line\n".to_owned(),
        line(&json!({})),
    ];
    let folder = folder("replay-json", TABLE, &journal.concat());
    let ran = replay_in(&folder, &["--format", "json"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), ""));
    let parse = |line| serde_json::from_str::<Value>(line).expect("JSON");
    let lines: Vec<Value> = ran.stdout.lines().map(parse).collect();
    let difference = json!({
        "time": "2026-11-25T10:00:00.000Z",
        "webhook": "out-of-session",
        "channel": "voice",
        "sid": "CA00000000000000000000000000000001",
        "caller": "+151•••••00",
        "withheld": false,
        "number": "+15005550001",
        "old": "greeting",
        "new": "hello",
        "old_blocks": null,
        "new_blocks": null,
    });
    let counts = json!({
        "same": 1,
        "different": 1,
        "cannot_tell": 1,
        "changes": [{ "old": "greeting", "new": "hello", "count": 1 }],
        "reasons": { "values": 1, "counting_guard": 0, "fault": 0 },
        "missing": { "Caller": 1 },
        "without_decision": 1,
        "unreadable": 1,
        "first_unreadable": "journal/journal-2026-11-25.jsonl:4",
    });
    assert_eq!(lines, [difference, counts]);
}

#[test]
fn what_cannot_be_told_is_never_the_same_nor_different() {
    let text = |others: Value| {
        let mut all = json!({ "channel": "message" });
        for (name, value) in others.as_object().expect("an object") {
            all[name] = value.clone();
        }
        line(&all)
    };
    let journal = [
        // This may be exactly the number that is blocked.
        line(&json!({ "masked": { "Caller": "+141•••••00" } })),
        line(&json!({ "masked": { "From": "+141•••••00" } })),
        // The text may be anything.
        text(json!({ "left_out": ["Body"] })),
        // An omitted name may be that of any parameter.
        text(json!({ "unnamed": 1 })),
        // Whatever the table says, counting guards decided by earlier requests.
        text(json!({ "route": "loop-guard", "guard": "replies" })),
        line(&json!({ "route": "loop-guard", "guard": "same-call" })),
        line(&json!({ "route": "default", "failed": "default" })),
    ];
    let folder = folder("replay-untold", TABLE, &journal.concat());
    let wanted = "\
7 requests: 0 same, 0 different, 7 cannot tell
cannot tell:
  4  values that decide are masked or left out: Body 2, Caller 1, From 1, step 1
  2  the loop guard answered, because of earlier requests
  1  a fault of the program answered
  `serve --journal-values Body --journal-numbers full` would keep the missing values from now on
";
    expect(&replay_in(&folder, &[]), 0, wanted, "");
}

#[test]
fn a_guard_that_goes_by_the_text_alone_is_replayed() {
    let machine = |others: Value| {
        let mut all = json!({
            "channel": "message",
            "route": "loop-guard",
            "guard": "short-code",
            "machine": true,
            "left_out": ["Body"],
            "masked": { "Caller": "•••••" },
        });
        for (name, value) in others.as_object().expect("an object") {
            all[name] = value.clone();
        }
        line(&all)
    };
    let journal = machine(json!({}));
    let silent = folder("replay-machine", TABLE, &journal);
    let wanted = "1 request: 1 same, 0 different, 0 cannot tell\n";
    expect(&replay_in(&silent, &[]), 0, wanted, "");
    let answering = TABLE.replace("\"hello\"", "\"hello\"\nanswer_machines = true");
    let answering = answering.replace("Body = \"*lost*\"", "Digits = \"1\"");
    let answering = folder("replay-answering", &answering, &journal);
    let ran = replay_in(&answering, &[]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stdout.contains("loop-guard → hello"), "{ran:?}");
}

#[test]
fn a_route_that_failed_to_write_its_reply_was_chosen_all_the_same() {
    let journal = line(&json!({ "route": "default", "failed": "hello" }));
    let folder = folder("replay-failed", TABLE, &journal);
    let wanted = "1 request: 1 same, 0 different, 0 cannot tell\n";
    expect(&replay_in(&folder, &[]), 0, wanted, "");
}

#[test]
fn interactions_differ_by_what_decides_and_by_whether_it_blocks() {
    let interaction = |route: &str, status: u16, kind: &str| {
        line(&json!({
            "webhook": "intercept",
            "channel": "message",
            "route": route,
            "status": status,
            "sid": "KI00000000000000000000000000000001",
            "number": null,
            "withheld": null,
            "parameters": { "interactionType": kind },
            "masked": { "inboundParticipantIdentifier": "+141•••••00" },
            "left_out": ["interactionData"],
        }))
    };
    let journal = [
        interaction("no-numbers", 403, "Message"),
        interaction("no-numbers", 204, "Message"),
        interaction("pass", 204, "Message"),
        interaction("pass", 204, "Voice"),
    ];
    let folder = folder("replay-intercepts", TABLE, &journal.concat());
    let wanted = "\
2026-11-25T10:00:00.000Z  KI00000000000000000000000000000001  +141•••••00   -             no-numbers → no-numbers (blocks)
2026-11-25T10:00:00.000Z  KI00000000000000000000000000000001  +141•••••00   -             pass → no-numbers (blocks)

4 requests: 2 same, 2 different, 0 cannot tell
different:
  1  no-numbers → no-numbers (blocks)
  1  pass → no-numbers (blocks)
";
    expect(&replay_in(&folder, &[]), 1, wanted, "");
    let ran = replay_in(&folder, &["--format", "json"]);
    assert!(
        ran.stdout
            .contains(r#""old":"pass","new":"no-numbers","old_blocks":false,"new_blocks":true"#),
        "{ran:?}"
    );
}

#[test]
fn the_hour_of_the_line_decides_schedules() {
    let table = format!(
        "[schedule.morning]\ntimezone = \"UTC\"\nopen = [\"00:00-12:00\"]\n\
         [[route]]\nname = \"early\"\nduring = \"morning\"\nvoice = [ {{ Say = \"Early.\" }} ]\n{TABLE}"
    );
    let journal = [
        line(&json!({ "route": "early", "time": "2026-11-25T11:59:59.999Z" })),
        line(&json!({ "time": "2026-11-25T12:00:00.000Z" })),
    ];
    let folder = folder("replay-hours", &table, &journal.concat());
    let wanted = "2 requests: 2 same, 0 different, 0 cannot tell\n";
    expect(&replay_in(&folder, &[]), 0, wanted, "");
}

#[test]
fn lines_that_are_no_decision_are_counted_and_passed_over() {
    let journal = [
        line(&json!({ "webhook": "callback", "route": null })),
        line(&json!({ "webhook": "events", "channel": null, "route": null })),
        line(&json!({ "webhook": "voice-webhooks", "route": null })),
        line(&json!({ "webhook": "of-another-version" })),
        "{\"time\":\"2026-11-25T10:00:00.000Z\"}\n".to_owned(),
        line(&json!({ "time": "yesterday" })),
        line(&json!({})),
        "\u{1b}[2J\n".to_owned(),
    ];
    let folder = folder("replay-broken", TABLE, &journal.concat());
    let wanted = "\
1 request: 1 same, 0 different, 0 cannot tell
not replayed:
  4  callbacks, events and others without a decision
  3  unreadable, the first at journal/journal-2026-11-25.jsonl:5
";
    expect(&replay_in(&folder, &[]), 0, wanted, "");
}

#[test]
fn an_empty_journal_has_nothing_that_differs() {
    let folder = folder("replay-empty", TABLE, "");
    let wanted = "0 requests: 0 same, 0 different, 0 cannot tell\n";
    expect(&replay_in(&folder, &[]), 0, wanted, "");
}

#[test]
fn what_cannot_be_read_is_said() {
    let folder = folder("replay-unreadable", TABLE, "");
    let replay = |journal: &str, table: &str| {
        run(program()
            .args(["replay", "--journal", journal, "--table", table])
            .current_dir(folder.path()))
    };
    let missing = "error: cannot read the journal no: no: No such file or directory (os error 2)\n";
    expect(&replay("no", "t.toml"), 2, "", missing);
    std::fs::create_dir(folder.path().join("other")).expect("a folder of the test");
    folder.write("other/notes.txt", "");
    let none = "error: there is no journal in other: its files have names such as journal-2026-11-25.jsonl\n";
    expect(&replay("other", "t.toml"), 2, "", none);
    let no_table = "error: cannot read the table no.toml: No such file or directory (os error 2)\n";
    expect(&replay("journal", "no.toml"), 2, "", no_table);
    folder.write(
        "bad.toml",
        "[[route]]\nname = \"a\"\nvoice = [ { say = \"x\" } ]\n",
    );
    let ran = replay("journal", "bad.toml");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
    assert!(ran.stderr.contains("error[unknown-element]"), "{ran:?}");
    let day = folder.path().join("journal/journal-2026-11-26.jsonl");
    std::fs::create_dir(day).expect("a folder of the test");
    let ran = replay("journal", "t.toml");
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("journal-2026-11-26.jsonl"), "{ran:?}");
}

#[test]
fn a_table_is_needed_and_responses_toml_is_taken_without_a_word() {
    let folder = folder("replay-default", TABLE, &line(&json!({})));
    folder.write("responses.toml", TABLE);
    let ran = run(program()
        .arg("replay")
        .env("TWIML_RESPONDER_JOURNAL", "journal")
        .current_dir(folder.path()));
    let wanted = "1 request: 1 same, 0 different, 0 cannot tell\n";
    expect(&ran, 0, wanted, "");
}

fn post(address: &str, target: &str, form: &str) {
    let mut stream = TcpStream::connect(address).expect("a connection");
    let timeout = stream.set_read_timeout(Some(Duration::from_secs(20)));
    timeout.expect("a deadline");
    let request = format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    stream.write_all(request.as_bytes()).expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
}

#[test]
fn an_edit_is_tried_on_what_the_service_has_recorded() {
    let folder = folder("replay-service", TABLE, "");
    let path = |name: &str| {
        let path = folder.path().join(name);
        path.to_str().expect("UTF-8").to_owned()
    };
    let (table, journal) = (path("t.toml"), path("journal"));
    let arguments = ["--allow-unsigned", "--table", &table, "--journal", &journal];
    let service = Service::start(&arguments, &[]);
    for (target, form) in [
        (
            "/webhook",
            "CallSid=CA00000000000000000000000000000001&Called=%2B15005550001&Caller=%2B15105550100",
        ),
        (
            "/webhook",
            "CallSid=CA00000000000000000000000000000002&Called=%2B15005550001&Caller=%2B442071838750",
        ),
        (
            "/webhook",
            "CallSid=CA00000000000000000000000000000003&Called=%2B15005550009&Caller=%2B15105550100",
        ),
        (
            "/webhook",
            "MessageSid=SM00000000000000000000000000000004&To=%2B15005550001&From=%2B15105550100&Body=lost",
        ),
        (
            "/intercept",
            "interactionSid=KI00000000000000000000000000000005&interactionType=Message",
        ),
        (
            "/intercept",
            "interactionSid=KI00000000000000000000000000000006&interactionType=Voice",
        ),
        (
            "/callback",
            "CallSid=CA00000000000000000000000000000001&CallStatus=completed",
        ),
    ] {
        post(&service.address, target, form);
    }
    let (code, log) = service.stop("-TERM");
    assert_eq!(code, Some(0), "{log}");
    let ran = replay_in(&folder, &[]);
    let wanted = "\
6 requests: 5 same, 0 different, 1 cannot tell
cannot tell:
  1  values that decide are masked or left out: Body 1
  `serve --journal-values Body` would keep the missing values from now on
not replayed:
  1  callbacks, events and others without a decision
";
    expect(&ran, 0, wanted, "");
    let edited = TABLE
        .replace("\"+442*\"", "\"+443*\"")
        .replace("\"Message\"", "\"Voice\"");
    folder.write("t.toml", &edited);
    let ran = replay_in(&folder, &[]);
    // The first column is the time.
    let rows = ran.stdout.lines().filter(|line| line.contains("Z  "));
    let rows: Vec<&str> = rows.map(|line| line[26..].trim()).collect();
    let wanted = [
        "CA00000000000000000000000000000002  +442•••••50   +15005550001  blocked → hello",
        "KI00000000000000000000000000000005  -             -             no-numbers (blocks) → pass",
        "KI00000000000000000000000000000006  -             -             pass → no-numbers (blocks)",
    ];
    assert_eq!((ran.code, rows), (Some(1), wanted.to_vec()), "{ran:?}");
}
