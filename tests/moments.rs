//! Conditions on moments: the values for which they hold, what `explain` and `replay` say about them, and what `check`
//! says about mistakes.

mod support;

use jiff::Timestamp;
use twiml_responder::journal::judge::{Doubt, Verdict, judge};
use twiml_responder::journal::line::{self, Beyond, Recorded, Told};
use twiml_responder::language::{Compiled, NoFiles, compile};
use twiml_responder::table::diagnostic::File;
use twiml_responder::twilio::request::{Form, Request, Webhook};

use support::{Folder, program, run};

const NOW: &str = "2026-06-01T12:00:00Z";

fn compiled(route: &str) -> Compiled {
    let text = format!("{route}\n[default]\nvoice = [ {{ Say = \"Goodbye.\" }} ]\n");
    compile(&File::new("responses.toml", text), &NoFiles)
        .unwrap_or_else(|diagnostics| panic!("{diagnostics:#?}"))
}

/// Whether a session's end meets a condition at [`NOW`].
fn holds(condition: &str, ended: &str) -> bool {
    let route = format!(
        "[[route]]\nname = \"hit\"\nwhen = {{ sessionDateEnded = {condition} }}\nvoice = []\n"
    );
    let table = compiled(&route).table;
    let body: Form = [("CallSid", "CA1"), ("sessionDateEnded", ended)]
        .into_iter()
        .collect();
    let query = Form::default();
    let request = Request::new(Webhook::OutOfSession, &body, &query);
    let now: Timestamp = NOW.parse().expect("a moment");
    table.decide(&request, now).name() == "hit"
}

#[test]
fn before_holds_for_what_is_earlier() {
    for (condition, ended, expected) in [
        (r#"{ before = "now" }"#, "2026-06-01T11:59:59Z", true),
        (r#"{ before = "now" }"#, NOW, false),
        (r#"{ before = "now" }"#, "2026-06-01T12:00:01Z", false),
        (r#"{ before = "now-2h" }"#, "2026-06-01T09:59:59Z", true),
        (r#"{ before = "now-2h" }"#, "2026-06-01T10:00:01Z", false),
        (r#"{ before = "now+30m" }"#, "2026-06-01T12:29:00Z", true),
        (r#"{ before = "2026-06-01" }"#, "2026-05-31T23:59:59Z", true),
        (
            r#"{ before = "2026-06-01" }"#,
            "2026-06-01T00:00:00Z",
            false,
        ),
        ("{ before = 2026-06-01T00:00:00Z }", "2026-05-31", true),
        // In the form that Twilio's other webhooks use.
        (
            r#"{ before = "now" }"#,
            "Mon, 01 Jun 2026 13:00:00 +0200",
            true,
        ),
        (r#"{ before = "now" }"#, "", false),
        (r#"{ before = "now" }"#, "yesterday", false),
        (r#"{ not = { before = "now" } }"#, "", true),
    ] {
        assert_eq!(holds(condition, ended), expected, "{condition} {ended:?}");
    }
}

#[test]
fn after_holds_for_what_is_later() {
    for (condition, ended, expected) in [
        (r#"{ after = "now-2h" }"#, "2026-06-01T10:00:01Z", true),
        (r#"{ after = "now-2h" }"#, "2026-06-01T10:00:00Z", false),
        (r#"{ after = "now-2h" }"#, "2026-06-01T09:59:59Z", false),
        (r#"{ after = "2026-06-01" }"#, "2026-06-01T00:00:00Z", false),
        (r#"{ after = "2026-06-01" }"#, "2026-06-01T00:00:01Z", true),
        (r#"{ after = "now" }"#, "", false),
        (r#"{ after = "now" }"#, "tomorrow", false),
        (r#"{ not = { after = "now" } }"#, "", true),
        // Both keys of a table must hold.
        (
            r#"{ after = "now-2h", before = "now-1h" }"#,
            "2026-06-01T10:30:00Z",
            true,
        ),
        (
            r#"{ after = "now-2h", before = "now-1h" }"#,
            "2026-06-01T11:30:00Z",
            false,
        ),
    ] {
        assert_eq!(holds(condition, ended), expected, "{condition} {ended:?}");
    }
}

/// A table of sessions that end; its one row has this `until`.
fn sessions(condition: &str, until: &str) -> String {
    format!(
        r#"
        [directory.sessions]
        rows = [ {{ number = "+15005550006", until = "{until}" }} ]
        [[route]]
        name = "hit"
        when = {{ Called = {{ in = "sessions" }}, "sessions.until" = {condition} }}
        voice = []
        "#
    )
}

/// Whether a cell meets a condition at [`NOW`].
fn cell_holds(condition: &str, until: &str) -> bool {
    let table = compiled(&sessions(condition, until)).table;
    let body: Form = [("CallSid", "CA1"), ("Called", "+15005550006")]
        .into_iter()
        .collect();
    let query = Form::default();
    let request = Request::new(Webhook::OutOfSession, &body, &query);
    let now: Timestamp = NOW.parse().expect("a moment");
    table.decide(&request, now).name() == "hit"
}

#[test]
fn a_cell_that_is_empty_has_no_end_so_it_is_before_nothing() {
    for (until, expected) in [("2026-05-31", true), ("2026-06-02", false), ("", false)] {
        assert_eq!(
            cell_holds(r#"{ before = "now" }"#, until),
            expected,
            "{until}"
        );
    }
}

#[test]
fn a_cell_that_is_empty_has_no_end_so_it_is_after_everything() {
    for (until, expected) in [("2026-05-31", false), ("2026-06-02", true), ("", true)] {
        assert_eq!(
            cell_holds(r#"{ after = "now" }"#, until),
            expected,
            "{until}"
        );
    }
}

#[test]
fn a_test_whose_answer_depends_on_the_moment_wants_one() {
    let test = |at: &str, ended: &str| {
        compiled(&format!(
            r#"
            [[route]]
            name = "ended"
            when = {{ sessionDateEnded = {{ before = "now" }} }}
            voice = []
            [[test]]
            name = "t"
            request = {{ sessionDateEnded = "{ended}" }}
            {at}
            expect = "ended"
            "#
        ))
    };
    let ended = "2020-01-01T00:00:00Z";
    let codes = |compiled: &Compiled| -> Vec<&str> {
        let all = compiled.warnings.iter();
        all.map(|diagnostic| diagnostic.check.code).collect()
    };
    assert_eq!(codes(&test("", ended)), ["test-needs-time"]);
    assert_eq!(
        codes(&test("at = \"2026-01-01T00:00:00Z\"", ended)),
        [""; 0]
    );
}

#[test]
fn explain_says_what_was_expected() {
    let folder = Folder::new("moments");
    let table = folder.write(
        "responses.toml",
        "[[route]]\nname = \"old\"\nwhen = { sessionDateEnded = { before = \"now-2h\" } }\nvoice = []\n\
         [default]\nvoice = [ { Say = \"Goodbye.\" } ]\n",
    );
    let ran = run(program()
        .args(["explain", "--at", NOW, "--table"])
        .arg(&table)
        .arg("sessionDateEnded=2026-06-01T11:00:00Z"));
    assert!(
        ran.stdout
            .contains("sessionDateEnded is \"2026-06-01T11:00:00Z\", expected before now-2h"),
        "{}",
        ran.stdout
    );
}

#[test]
fn replay_cannot_tell_without_the_value() {
    let table = compiled(
        "[[route]]\nname = \"old\"\nwhen = { sessionDateEnded = { before = \"now\" } }\nvoice = []\n",
    )
    .table;
    let told = |body: &str| Told {
        time: Timestamp::UNIX_EPOCH,
        webhook: Webhook::OutOfSession,
        body: Form::parse(body.as_bytes()),
        query: Form::default(),
        route: Some("default".into()),
        status: 200,
        microseconds: 1,
        guard: None,
        failed: None,
    };
    let verdict = |body: &str| {
        let told = told(body);
        let line = line::request(&told, &Beyond::default());
        let recorded = Recorded::of(&line).expect("a request");
        match judge(&table, &recorded, Timestamp::UNIX_EPOCH) {
            Some(Verdict::CannotTell(Doubt::Values(names))) => names.join(" "),
            verdict => format!("{verdict:?}"),
        }
    };
    assert_eq!(
        verdict("CallSid=CA1&sessionDateEnded=1969-01-01"),
        "sessionDateEnded"
    );
    assert_eq!(verdict("CallSid=CA1"), "Some(Same)");
}
