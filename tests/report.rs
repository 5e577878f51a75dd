//! `report` on journals with known figures: the real program, its three outputs, and what must never appear in them.

mod support;

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use support::{Folder, Ran, program, run};

/// The default moment of a line, a Wednesday.
const NOON: &str = "2026-11-25T12:00:00.000Z";

/// A line with these values, and otherwise those that the service writes when there is nothing to record.
fn line(given: &Value) -> String {
    let mut line = json!({
        "time": NOON, "webhook": "out-of-session", "channel": "voice", "route": "default", "status": 200,
        "microseconds": 100, "guard": null, "failed": null, "machine": false, "sid": null, "number": null,
        "withheld": false, "step": "", "event": null, "parameters": {}, "masked": {}, "left_out": [], "unnamed": 0
    });
    for (name, value) in given.as_object().expect("an object") {
        line[name] = value.clone();
    }
    format!("{line}\n")
}

/// A journal of these lines, all in one file.
fn journal(name: &str, lines: &[Value]) -> Folder {
    let folder = Folder::new(name);
    let text: String = lines.iter().map(line).collect();
    folder.write("journal-2026-11-25.jsonl", &text);
    folder
}

/// Runs `report` on a folder without a table.
fn report(folder: &Folder, arguments: &[&str]) -> Ran {
    run(program()
        .current_dir(folder.path())
        .args(["report", "--journal", "."])
        .args(arguments))
}

/// What `--format json` prints.
#[track_caller]
fn figures(folder: &Folder, arguments: &[&str]) -> Value {
    let ran = report(folder, &[arguments, &["--format", "json"]].concat());
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    serde_json::from_str(&ran.stdout).expect("JSON")
}

/// The page that `--html` writes.
fn page(folder: &Folder, arguments: &[&str]) -> String {
    let ran = report(folder, &[arguments, &["--html", "page.html"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    std::fs::read_to_string(folder.path().join("page.html")).expect("a page")
}

fn sid(kind: &str, number: u32) -> String {
    format!("{kind}{number:032}")
}

/// Three calls, one of which comes back twice, two texts, and one request of every other kind.
fn some_of_everything() -> Vec<Value> {
    let (ours, other) = ("+15005550001", "+15005550002");
    vec![
        json!({"time": "2026-11-22T23:30:00.000Z", "sid": sid("CA", 1), "number": ours, "route": "ended"}),
        json!({"time": "2026-11-22T23:31:00.000Z", "sid": sid("CA", 1), "number": ours, "route": "lost", "step": "lost"}),
        json!({"time": "2026-11-22T23:32:00.000Z", "sid": sid("CA", 1), "number": ours, "route": "loop-guard",
               "guard": "same-call"}),
        json!({"time": "2026-11-23T08:00:00.000Z", "sid": sid("CA", 2), "number": ours, "route": "ended",
               "withheld": true}),
        json!({"time": "2026-11-23T08:59:59.999Z", "webhook": "webhook", "sid": sid("CA", 3), "route": "default",
               "failed": "ended", "masked": {"Called": "+150•••••04", "Caller": "+141•••••00"}}),
        json!({"sid": sid("SM", 4), "channel": "message", "number": other, "route": "default"}),
        json!({"sid": sid("SM", 5), "channel": "message", "number": other, "route": "loop-guard", "guard": "short-code",
               "machine": true}),
        json!({"sid": sid("SM", 5), "channel": "message", "number": other, "route": "loop-guard", "guard": "short-code",
               "machine": true}),
        json!({"webhook": "intercept", "channel": "message", "route": "no-numbers", "status": 403}),
        json!({"webhook": "intercept", "channel": "message", "route": "no-numbers", "status": 204}),
        json!({"webhook": "intercept", "channel": "message", "route": "pass", "status": 204}),
        json!({"webhook": "callback", "route": null, "status": 204, "parameters": {"CallStatus": "completed"}}),
        json!({"webhook": "callback", "route": null, "status": 204, "channel": "message",
               "parameters": {"interactionType": "Message", "inboundParticipantProxyIdentifier": "+15005550003"}}),
        json!({"webhook": "callback", "route": null, "status": 204, "parameters": {}}),
        json!({"webhook": "events", "route": null, "channel": null, "status": 204,
               "event": "com.twilio.voice.insights.call-summary.complete"}),
        json!({"webhook": "voice-webhooks", "route": null, "status": 204, "parameters": {"Event": "Call.Initiate"}}),
        json!({"webhook": "voice-webhooks", "route": null, "status": 500, "parameters": {"Event": "Call.Complete"}}),
    ]
}

/// A count of calls and texts.
fn count(calls: u64, texts: u64) -> Value {
    json!({"calls": calls, "texts": texts})
}

/// The rows of hours or weekdays that are not empty.
fn not_empty(rows: &Value, name: &str) -> Vec<(Value, u64, u64)> {
    let rows = rows.as_array().expect("rows");
    rows.iter()
        .map(|row| {
            let figure = |name: &str| row[name].as_u64().expect("a figure");
            (row[name].clone(), figure("calls"), figure("texts"))
        })
        .filter(|(_, calls, texts)| calls + texts > 0)
        .collect()
}

#[test]
fn what_decided_most_often_comes_first_and_a_guard_has_a_reason() {
    let decided = |name: &str, status: u16, count: usize| {
        let line = json!({ "webhook": "intercept", "channel": "message", "route": name, "status": status });
        vec![line; count]
    };
    let guarded = json!({ "route": "loop-guard" });
    let lines = [
        decided("even", 403, 2),
        decided("even", 204, 2),
        decided("most", 403, 5),
        decided("odd", 403, 3),
        decided("odd", 204, 1),
        vec![guarded; 3],
    ]
    .concat();
    let found = figures(&journal("report-order", &lines), &[]);
    let names: Vec<&Value> = found["intercepts"]
        .as_array()
        .expect("an array")
        .iter()
        .map(|decided| &decided["intercept"])
        .collect();
    assert_eq!(names, ["most", "even", "odd"]);
    assert_eq!(
        found["loop_guard"],
        json!([{ "reason": "(others)", "count": 3 }])
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "one object, figure by figure")]
fn json_has_every_figure() {
    let folder = journal("report-figures", &some_of_everything());
    let figures = figures(&folder, &[]);
    for (name, wanted) in [
        ("from", json!("2026-11-22T23:30:00Z")),
        ("to", json!("2026-11-25T12:00:00Z")),
        ("timezone", json!("UTC")),
        ("lines", json!(17)),
        ("unreadable", json!(0)),
        ("came", count(3, 2)),
        ("came_back", count(2, 1)),
        ("withheld", count(1, 0)),
        ("machines", json!(1)),
        (
            "numbers",
            json!([
                {"number": "+15005550001", "calls": 2, "texts": 0, "default": count(0, 0)},
                {"number": "+15005550002", "calls": 0, "texts": 2, "default": count(0, 1)},
                {"number": null, "calls": 1, "texts": 0, "default": count(1, 0)},
            ]),
        ),
        (
            "routes",
            json!([
                {"route": "loop-guard", "calls": 1, "texts": 2},
                {"route": "default", "calls": 1, "texts": 1},
                {"route": "ended", "calls": 2, "texts": 0},
                {"route": "lost", "calls": 1, "texts": 0},
            ]),
        ),
        (
            "loop_guard",
            json!([{"reason": "short-code", "count": 2}, {"reason": "same-call", "count": 1}]),
        ),
        ("failed", json!([{"route": "ended", "count": 1}])),
        ("quiet", Value::Null),
        ("names", json!({})),
        (
            "most_defaults",
            json!({"number": "+15005550002", "default": 1, "routes": null}),
        ),
        (
            "days",
            json!([
                {"day": "2026-11-22", "calls": 1, "texts": 0},
                {"day": "2026-11-23", "calls": 2, "texts": 0},
                {"day": "2026-11-25", "calls": 0, "texts": 2},
            ]),
        ),
        ("left_out", json!([])),
        (
            "intercepts",
            json!([
                {"intercept": "no-numbers", "blocked": 1, "passed": 1},
                {"intercept": "pass", "blocked": 0, "passed": 1},
            ]),
        ),
        (
            "callbacks",
            json!([
                {"type": "CallStatus=completed", "count": 1},
                {"type": "interactionType=Message", "count": 1},
                {"type": "(others)", "count": 1},
            ]),
        ),
        (
            "events",
            json!([{"type": "com.twilio.voice.insights.call-summary.complete", "count": 1}]),
        ),
        (
            "voice_webhooks",
            json!([{"type": "Call.Complete", "count": 1}, {"type": "Call.Initiate", "count": 1}]),
        ),
        (
            "statuses",
            json!([
                {"webhook": "callback", "status": 204, "count": 3},
                {"webhook": "events", "status": 204, "count": 1},
                {"webhook": "intercept", "status": 204, "count": 2},
                {"webhook": "intercept", "status": 403, "count": 1},
                {"webhook": "out-of-session", "status": 200, "count": 7},
                {"webhook": "voice-webhooks", "status": 204, "count": 1},
                {"webhook": "voice-webhooks", "status": 500, "count": 1},
                {"webhook": "webhook", "status": 200, "count": 1},
            ]),
        ),
    ] {
        assert_eq!(figures[name], wanted, "{name}");
    }
    assert_eq!(
        not_empty(&figures["hours"], "hour"),
        [(json!(8), 2, 0), (json!(12), 0, 2), (json!(23), 1, 0)]
    );
    assert_eq!(
        not_empty(&figures["weekdays"], "weekday"),
        [
            (json!("Mon"), 2, 0),
            (json!("Wed"), 0, 2),
            (json!("Sun"), 1, 0)
        ]
    );
    assert_eq!(figures["weekdays"][0]["hours"][8], count(2, 0));
}

#[test]
fn hours_and_weekdays_go_by_the_clock_of_a_zone() {
    let folder = journal("report-zone", &some_of_everything());
    let figures = figures(&folder, &["--timezone", "Asia/Kathmandu"]);
    assert_eq!(figures["timezone"], "Asia/Kathmandu");
    assert_eq!(
        not_empty(&figures["hours"], "hour"),
        [
            (json!(5), 1, 0),
            (json!(13), 1, 0),
            (json!(14), 1, 0),
            (json!(17), 0, 2)
        ]
    );
    assert_eq!(
        not_empty(&figures["weekdays"], "weekday"),
        [(json!("Mon"), 3, 0), (json!("Wed"), 0, 2)]
    );
    assert_eq!(
        not_empty(&figures["days"], "day"),
        [(json!("2026-11-23"), 3, 0), (json!("2026-11-25"), 0, 2)]
    );
    let ran = report(&folder, &["--timezone", "Mars/Olympus"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert!(ran.stderr.contains("write an IANA name"), "{}", ran.stderr);
}

const TABLE: &str = r#"
[directory.rides]
numbers = ["+15005550001", "+15005550004", "+15005550009", "+1415555*"]

[[route]]
name = "ended"
when = [
  { Called = { in = "rides" }, Caller = "+14155550100" },
  { To = ["+15005550002", "sip:desk@example.com", "+15005550*"], Direction = "inbound" },
  { Called = { not = "+15005550008" } },
]
voice = [ { Say = "Hello." } ]

[[route]]
name = "call-back"
when = { Called = "+15005550007", Caller = { withheld = false } }
create_session = { participantIdentifier = "+14155550123", participantProxyIdentifier = "+15005550003" }

[default]
voice = [ { Say = "No such number." } ]
"#;

#[test]
fn numbers_of_the_table_that_never_came_are_told() {
    let folder = journal("report-quiet", &some_of_everything());
    folder.write("other.toml", TABLE);
    let wanted = json!({
        "pinned": 7,
        "never": ["+15005550007", "+15005550009"],
        "uncertain": ["+15005550004"],
        "unkept": ["sip:desk@example.com"],
    });
    assert_eq!(
        figures(&folder, &["--table", "other.toml"])["quiet"],
        wanted
    );
    // A table in the folder is used by default.
    folder.write("responses.toml", TABLE);
    assert_eq!(figures(&folder, &[])["quiet"], wanted);
    let text = report(&folder, &[]).stdout;
    for words in [
        "Quiet numbers  2 of 7 in the table received nothing\n+15005550007  +15005550009\n",
        "1 number may have been used, because a masked number in the journal begins and\nends like this: +15005550004. `serve --journal-numbers full` would show which.\n",
        "Nothing is known about 1 number of a form that the journal never stores in",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    let page = page(&folder, &[]);
    for words in [
        "2 of 7 in the table received nothing.",
        "<li>+15005550007</li><li>+15005550009</li>",
    ] {
        assert!(page.contains(words), "{words}\n{page}");
    }
}

#[test]
fn numbers_have_their_names_and_the_most_defaults_are_explained() {
    const NAMED: &str = r#"
[directory.desks]
rows = [
  { number = "+15005550001", name = "Front desk" },
  { number = "+15005550003", name = "" },
  { number = "+1500555000*", name = "<b>Zo\u00eb</b>" },
]

[directory.others]
rows = [{ number = "+15005550003", name = "Back door" }, { number = "+15005550009", name = "Nowhere" }]

[[route]]
name = "desk"
when = { Called = { in = "desks" }, CallerCity = "AUSTIN", "AddOns.status" = "ok" }
voice = [ { Gather = [ { Say = "Hello." } ], action = "?step=a" } ]

[[route]]
name = "back"
when = { To = { in = "others" }, Body = "LOST" }
message = [ { Message = "Hello." } ]

[[route]]
name = "step"
step = "a"
when = { Called = "+15005550002" }
voice = [ { Say = "Hello." } ]

[default]
voice = [ { Say = "No such number." } ]
"#;
    let call = |number: &str, route: &str, left_out: &[&str]| json!({ "number": number, "route": route, "left_out": left_out });
    let mut lines = vec![
        call(
            "+15005550001",
            "desk",
            &["CallerCity", "AddOns", "CallerName"],
        ),
        call("+15005550002", "default", &["CallerCity"]),
        call("+15005550003", "back", &[]),
        call("+15005550003", "default", &[]),
        call("+14155550100", "default", &[]),
    ];
    // Webhooks that only report have no decision.
    lines.push(
        json!({"webhook": "callback", "route": null, "status": 204, "left_out": ["CallerCity"]}),
    );
    let mut kept = call("+15005550002", "default", &["AddOns"]);
    kept["parameters"] = json!({ "AddOns.status": "ok" });
    lines.push(kept);
    let folder = journal("report-names", &lines);
    folder.write("table.toml", NAMED);
    let figures = figures(&folder, &["--table", "table.toml"]);
    assert_eq!(
        figures["names"],
        json!({ "+15005550001": "Front desk", "+15005550002": "<b>Zo\u{eb}</b>", "+15005550003": "Back door" })
    );
    assert_eq!(
        figures["most_defaults"],
        json!({ "number": "+15005550002", "default": 2, "routes": ["desk"] })
    );
    assert_eq!(
        figures["left_out"],
        json!([{ "parameter": "CallerCity", "count": 2 }, { "parameter": "AddOns.status", "count": 1 }])
    );
    let text = report(&folder, &["--table", "table.toml"]).stdout;
    let text = text.replace('\n', " ");
    for words in [
        "+15005550001 Front desk  ",
        "+15005550002 <b>Zo\u{eb}</b> (most defaults)",
        "+15005550002 had 2 default answers: none of its routes matched (desk). `explain Called=+15005550002` shows the verdict of each route. ",
        "`serve --journal-values CallerCity,AddOns.status` keeps them from now on.",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    let page = page(&folder, &["--table", "table.toml"]);
    assert!(
        page.contains("+15005550002 &lt;b&gt;Zo\u{eb}&lt;/b&gt;<mark>most defaults</mark>"),
        "{page}"
    );
    assert!(
        page.contains("<title>Calls and texts, 2026-11-25</title>"),
        "{page}"
    );
    // A number that has no route.
    lines.extend(vec![call("+14155550100", "default", &[]); 3]);
    let folder = journal("report-names", &lines);
    folder.write("table.toml", NAMED);
    let text = report(&folder, &["--table", "table.toml"]).stdout;
    let text = text.replace('\n', " ");
    let words =
        "+14155550100 had 4 default answers: no route applies to it. `explain Called=+14155550100`";
    assert!(text.contains(words), "{text}");
}

#[test]
fn the_days_before_the_last_are_one_row() {
    let lines: Vec<Value> = (1..=30)
        .map(
            |day| json!({"time": format!("2026-11-{day:02}T12:00:00.000Z"), "sid": sid("CA", day)}),
        )
        .collect();
    let folder = journal("report-days", &lines);
    let text = report(&folder, &[]).stdout;
    let days = text.split("\nDays").nth(1).expect("days");
    let days: Vec<&str> = days.lines().skip(1).take(25).collect();
    assert!(
        days[0].starts_with("earlier               6        0"),
        "{days:#?}"
    );
    assert!(
        days[1].starts_with("Sat 2026-11-07        1        0  █"),
        "{days:#?}"
    );
    assert!(
        days[24].starts_with("Mon 2026-11-30        1        0  █"),
        "{days:#?}"
    );
}

#[test]
fn a_table_with_errors_tells_of_no_numbers() {
    let folder = journal("report-bad-table", &some_of_everything());
    folder.write("responses.toml", "[[route]]\n");
    let ran = report(&folder, &["--format", "json"]);
    assert_eq!(ran.code, Some(0));
    assert!(
        ran.stderr.contains("so the report does without it"),
        "{}",
        ran.stderr
    );
    let figures: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(figures["quiet"], Value::Null);
    // A table that is given must be valid.
    let ran = report(&folder, &["--table", "responses.toml"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
}

#[test]
fn the_terminal_has_bars_in_80_columns() {
    let folder = journal("report-terminal", &some_of_everything());
    let ran = report(&folder, &[]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let wanted = "\
2026-11-22 23:30 to 2026-11-25 12:00, UTC: 17 lines

Calls                 3  1 withheld, 2 returned
Texts                 2  1 from machines, 1 returned
Default answers       2  25 % of 8 answers
Interactions blocked  1  2 let through

Numbers                       █ calls  ▒ texts  default
+15005550001                        2        0        0  ███████████████████████
+15005550002 (most defaults)        0        2        1  ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
not certain which                   1        0        1  ████████████
+15005550002 had 1 default answer. `explain Called=+15005550002` shows the
verdict of each route.

Routes      █ calls  ▒ texts
loop-guard        1        2  █████████████████▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
default           1        1  █████████████████▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
ended             2        0  █████████████████████████████████
lost              1        0  █████████████████
Calls and texts that returned count once for each answer.

Days            █ calls  ▒ texts
Sun 2026-11-22        1        0  ███████████████████████
Mon 2026-11-23        2        0  ██████████████████████████████████████████████
Tue 2026-11-24        0        0
Wed 2026-11-25        0        2  ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
";
    let start: String = ran.stdout.chars().take(wanted.chars().count()).collect();
    assert_eq!(start, wanted);
    for row in [
        "\nIntercepts  █ blocked  ▒ let through\n",
        "\nCallbacks                count\nCallStatus=completed         1  █",
        "\nLoop guard  count\nshort-code      2  █",
        "\nEvents                                           count\ncom.twilio.voice.insights.call-summary.complete      1  █",
        "\nUnwritten replies  count\nended                  1  █",
        "\nOther statuses      answers\nvoice-webhooks 500        1  █",
    ] {
        assert!(ran.stdout.contains(row), "{row}\n{}", ran.stdout);
    }
    for line in ran.stdout.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn an_empty_journal_says_so() {
    let folder = Folder::new("report-empty");
    let ran = report(&folder, &["--html", "page.html"]);
    let none =
        "error: there is no journal in .: its files have names such as journal-2026-11-25.jsonl\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(2), none));
    assert!(!folder.path().join("page.html").exists());
    folder.write("journal-2026-11-25.jsonl", "");
    let ran = report(&folder, &[]);
    assert_eq!(
        ran,
        Ran {
            code: Some(0),
            stdout: "The journal has no lines.\n".to_owned(),
            stderr: String::new()
        }
    );
    assert!(page(&folder, &[]).contains("The journal has no lines."));
    assert_eq!(
        figures(&folder, &[])["hours"][23],
        json!({"hour": 23, "calls": 0, "texts": 0})
    );
}

#[test]
fn lines_that_cannot_be_read_are_counted_and_their_place_is_told() {
    let folder = Folder::new("report-unreadable");
    let bad_time = line(&json!({"time": "yesterday"}));
    let text = line(&json!({})) + "nonsense\n" + &bad_time + "{}\n" + &line(&json!({}));
    folder.write("journal-2026-11-25.jsonl", &text);
    let ran = report(&folder, &["--format", "json"]);
    assert_eq!(ran.code, Some(0));
    assert_eq!(
        ran.stderr,
        "warning: 3 lines could not be read, the first at ./journal-2026-11-25.jsonl:2\n"
    );
    let figures: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(
        (&figures["lines"], &figures["unreadable"], &figures["came"]),
        (&json!(2), &json!(3), &count(2, 0))
    );
    assert!(
        report(&folder, &[])
            .stdout
            .contains("Unreadable lines  3  in no other figure\n")
    );
}

#[test]
fn what_cannot_be_done_is_said() {
    let folder = journal("report-cannot", &[]);
    let nowhere = run(program().args(["report", "--journal", "/nowhere"]));
    assert_eq!((nowhere.code, nowhere.stdout.as_str()), (Some(2), ""));
    assert!(
        nowhere
            .stderr
            .starts_with("error: cannot read the journal /nowhere: "),
        "{}",
        nowhere.stderr
    );
    std::fs::create_dir(folder.path().join("folder")).expect("a folder");
    for (html, words) in [
        ("folder", "it already exists and is not a file"),
        ("/dev/null", "it already exists and is not a file"),
        ("nowhere/page.html", "No such file or directory"),
    ] {
        let ran = report(&folder, &["--html", html]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{html}");
        let start = format!("error: cannot write the page {html}: ");
        assert!(
            ran.stderr.starts_with(&start) && ran.stderr.contains(words),
            "{}",
            ran.stderr
        );
    }
    assert!(Path::new("/dev/null").exists());
}

#[test]
fn the_page_is_put_in_its_place_whole() {
    let folder = journal("report-place", &some_of_everything());
    let path = |name: &str| folder.path().join(name);
    folder.write("old.html", "old");
    std::fs::set_permissions(path("old.html"), PermissionsExt::from_mode(0o644)).expect("a mode");
    symlink("old.html", path("link.html")).expect("a link");
    let before = std::fs::File::open(path("old.html")).expect("it is there");
    let ran = report(&folder, &["--html", "link.html"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert!(path("link.html").is_symlink());
    let page = std::fs::read_to_string(path("old.html")).expect("a page");
    assert!(page.starts_with("<!DOCTYPE html>\n<html lang=\"en\">") && page.ends_with("</html>\n"));
    assert_eq!(std::io::read_to_string(before).expect("the old one"), "old");
    let mode = std::fs::metadata(path("old.html"))
        .expect("a page")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut names: Vec<_> = std::fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("a file")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .collect();
    names.sort();
    assert_eq!(names, ["journal-2026-11-25.jsonl", "link.html", "old.html"]);
}

/// Texts that try to break out of the output.
const HOSTILE: [&str; 7] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "</style></title><b>&amp;",
    "\u{1b}[31mred\u{9b}0m\u{7}\0\r\n",
    "\u{202e}gnp.exe\u{2066}\u{200b}",
    "\u{e000}\u{fffe}",
    "日本語 Zo\u{eb}",
];

#[test]
fn hostile_texts_harm_neither_terminal_nor_page_nor_json() {
    let mut lines = Vec::new();
    for text in HOSTILE {
        lines.push(json!({"route": text, "number": text, "guard": text, "failed": text}));
        lines.push(json!({"webhook": text, "status": 500}));
        lines.push(json!({"webhook": "intercept", "route": text}));
        lines.push(json!({"webhook": "events", "event": text}));
        lines.push(json!({"webhook": "callback", "parameters": {"CallStatus": text}}));
        lines.push(json!({"webhook": "voice-webhooks", "parameters": {"Event": text}}));
    }
    lines.push(json!({"route": "x".repeat(100_000), "number": "日".repeat(100_000)}));
    let folder = journal("report-hostile", &lines);
    let hidden = |text: &str| {
        text.chars()
            .find(|c| c.escape_debug().len() > 1 && !"\n\"'\\".contains(*c))
    };
    let terminal = report(&folder, &[]).stdout;
    let json = report(&folder, &["--format", "json"]).stdout;
    let page = page(&folder, &[]);
    for (what, text) in [("terminal", &terminal), ("JSON", &json), ("page", &page)] {
        assert_eq!(hidden(text), None, "{what}: {text}");
    }
    for line in terminal.lines() {
        // A Japanese character takes two columns.
        let wide = line
            .chars()
            .filter(|c| ('\u{3000}'..'\u{a000}').contains(c))
            .count();
        assert!(line.chars().count() + wide <= 80, "{line}");
    }
    let figures: Value = serde_json::from_str(&json).expect("JSON");
    let routes = figures["routes"].as_array().expect("routes");
    for text in HOSTILE {
        assert!(
            routes.iter().any(|of| of["route"] == text),
            "{text:?}: {routes:?}"
        );
    }
    for tag in ["<script", "<img", "<b>", "onerror='"] {
        assert!(!page.contains(tag), "{tag}");
    }
    assert_eq!(page.matches("</style>").count(), 1);
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(page.contains("default-src 'none'") || page.contains("default-src &apos;none&apos;"));
}

#[test]
fn a_page_has_a_bounded_number_of_rows() {
    let lines: Vec<Value> = (0..2000)
        .map(|number| {
            let name = format!("+1500{number:07}");
            json!({"number": name, "route": format!("route-{number}"), "sid": sid("CA", number)})
        })
        .collect();
    let folder = journal("report-many", &lines);
    let page = page(&folder, &[]);
    assert_eq!(page.matches("1,950 others").count(), 2);
    assert!(page.len() < 150_000, "{} bytes", page.len());
    let text = report(&folder, &[]).stdout;
    assert_eq!(text.matches("1,976 others").count(), 2);
    let figures = figures(&folder, &[]);
    assert_eq!(figures["numbers"].as_array().map(Vec::len), Some(2000));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// For any lines, each call and text counts in one hour of one weekday and at one number, and each answer at one
    /// route.
    #[test]
    fn sums_agree(
        lines in prop::collection::vec(
            (0_i64..4_000_000_000, any::<bool>(), 0..9_u32, prop::option::of(0..5_u32), 0..30_u32, any::<bool>()),
            0..60,
        ),
        zone in prop::sample::select(vec!["UTC", "America/St_Johns", "Pacific/Apia", "Europe/Berlin"]),
    ) {
        let lines: Vec<Value> = lines
            .into_iter()
            .map(|(second, is_call, route, number, call, has_step)| {
                let time = jiff::Timestamp::from_second(second).expect("a moment");
                json!({
                    "time": format!("{time:.3}"),
                    "channel": if is_call { "voice" } else { "message" },
                    "route": format!("route-{route}"),
                    "number": number.map(|number| format!("+1500555000{number}")),
                    "sid": sid(if is_call { "CA" } else { "SM" }, call),
                    "step": if has_step { "lost" } else { "" },
                })
            })
            .collect();
        let folder = journal("report-sums", &lines);
        let figures = figures(&folder, &["--timezone", zone]);
        let sum = |rows: &Value, name: &str| -> u64 {
            let rows = rows.as_array().expect("rows");
            rows.iter().map(|row| row[name].as_u64().expect("a figure")).sum()
        };
        for channel in ["calls", "texts"] {
            let came = figures["came"][channel].as_u64().expect("a figure");
            let back = figures["came_back"][channel].as_u64().expect("a figure");
            for rows in ["days", "hours", "weekdays", "numbers"] {
                prop_assert_eq!(sum(&figures[rows], channel), came, "{}", rows);
            }
            for day in figures["weekdays"].as_array().expect("days") {
                prop_assert_eq!(sum(&day["hours"], channel), day[channel].as_u64().expect("a figure"));
            }
            prop_assert_eq!(sum(&figures["routes"], channel), came + back);
        }
        prop_assert_eq!(sum(&figures["statuses"], "count"), lines.len() as u64);
    }
}

#[test]
fn a_line_without_an_end_costs_no_other_line() {
    let folder = Folder::new("report-long-line");
    let good = line(&json!({}));
    let long = format!(
        "{{\"time\":\"{NOON}\",\"route\":\"{}\"}}\n",
        "x".repeat(17 << 20)
    );
    folder.write("journal-2026-11-25.jsonl", &[&*good, &long, &good].concat());
    let ran = report(&folder, &["--format", "json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let warning = "warning: 1 line could not be read, the first at ./journal-2026-11-25.jsonl:2\n";
    assert_eq!(ran.stderr, warning);
    let figures: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(figures["unreadable"], 1, "{figures}");
}
