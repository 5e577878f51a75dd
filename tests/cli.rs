//! The program as an operator meets it: arguments in; exit code, standard output and all of standard error out.

mod support;

use std::process::Stdio;

use support::{Folder, Ran, Service, program, run};

const TOKEN: &str = "12345";

fn ran(code: i32, stdout: &str, stderr: &str) -> Ran {
    Ran {
        code: Some(code),
        stdout: stdout.to_owned(),
        stderr: stderr.to_owned(),
    }
}

fn with(arguments: &[&str]) -> Ran {
    run(program().args(arguments))
}

#[test]
fn check_says_that_nothing_is_wrong() {
    assert_eq!(
        with(&["check"]),
        ran(
            0,
            "responses.toml: 6 routes, 1 intercept, 8 tests, nothing wrong\n",
            ""
        )
    );
}

#[test]
fn check_shows_every_mistake_and_fails() {
    let folder = Folder::new("check-mistakes");
    folder.write(
        "t.toml",
        "[[route]]\nname = \"a\"\nvoice = [ { say = \"x\" } ]\n\n[default]\nvoice = []\n",
    );
    let ran_human = run(program()
        .args(["check", "t.toml"])
        .current_dir(folder.path()));
    let wanted = "\
error[unknown-element]: TwiML has no element `say`
 --> t.toml:3:13
  |
3 | voice = [ { say = \"x\" } ]
  |             ^^^
  |
  = help: write `Say`: letter case matters (Twilio error 12200)

warning[silent-default]: [default] says nothing to a caller
 --> t.toml:6:9
  |
6 | voice = []
  |         ^^
  |
  = help: write voice = [ { Say = \"…\" } ], so that no caller hears silence

t.toml: 1 error, 1 warning; `check --fix` can fix 1 of them
";
    assert_eq!(ran_human, ran(1, wanted, ""));
    let ran_json = run(program()
        .args(["check", "t.toml", "--format", "json"])
        .current_dir(folder.path()));
    let wanted = concat!(
        r#"{"severity":"error","code":"unknown-element","message":"TwiML has no element `say`","file":"t.toml","#,
        r#""line":3,"column":13,"end_line":3,"end_column":16,"help":"write `Say`: letter case matters (Twilio error 12200)","fix":{"line":3,"column":13,"end_line":3,"end_column":16,"text":"Say"}}"#,
        "\n",
        r#"{"severity":"warning","code":"silent-default","message":"[default] says nothing to a caller","#,
        r#""file":"t.toml","line":6,"column":9,"end_line":6,"end_column":11,"help":"write voice = [ { Say = \"…\" } ], so that no caller hears silence","fix":null}"#,
        "\n",
        r#"{"summary":{"files":1,"routes":0,"intercepts":0,"tests":0,"errors":1,"warnings":1}}"#,
        "\n",
    );
    assert_eq!(ran_json, ran(1, wanted, ""));
}

#[test]
fn warnings_fail_only_when_they_are_denied() {
    let folder = Folder::new("check-warnings");
    let path = folder.write("t.toml", "[default]\nvoice = []\n");
    assert_eq!(run(program().arg("check").arg(&path)).code, Some(0));
    assert_eq!(
        run(program().args(["check", "--deny-warnings"]).arg(&path)).code,
        Some(1)
    );
}

#[test]
fn a_table_that_cannot_be_read_is_named() {
    let missing = "error: cannot read the table no.toml: No such file or directory (os error 2)\n";
    assert_eq!(with(&["check", "no.toml"]), ran(2, "", missing));
    assert_eq!(
        with(&["explain", "--table", "no.toml"]),
        ran(2, "", missing)
    );
    assert_eq!(
        with(&["serve", "--allow-unsigned", "--table", "no.toml"]),
        ran(2, "", missing)
    );
    let folder = Folder::new("not-utf8");
    std::fs::write(folder.path().join("t.toml"), b"# a\n# \xff\n").expect("a file of the test");
    assert_eq!(
        run(program()
            .args(["check", "t.toml"])
            .current_dir(folder.path())),
        ran(
            2,
            "",
            "error: the table t.toml is not UTF-8 in line 2: save it as UTF-8\n"
        )
    );
}

#[test]
fn explain_tells_what_was_expected_from_what_was_not() {
    let closed = [
        "explain",
        "Called=+15005550006",
        "Caller=+14155550100",
        "sessionStatus=closed",
    ];
    assert_eq!(
        run(program().args(closed).args(["--expect", "ride-ended"])).code,
        Some(0)
    );
    assert_eq!(
        run(program().args(closed).args(["--expect", "default"])).code,
        Some(1)
    );
    assert_eq!(
        with(&[
            "explain",
            "--step",
            "lost",
            "Digits=1",
            "--expect",
            "lost-property"
        ])
        .code,
        Some(0)
    );
    assert_eq!(
        with(&[
            "explain",
            "--message",
            "To=+14155550199",
            "--expect",
            "support"
        ])
        .code,
        Some(0)
    );
}

#[test]
fn explain_prints_json_for_programs() {
    let folder = Folder::new("explain-json");
    folder.write(
        "responses.toml",
        "[[route]]\nname = \"a\"\nwhen = { Called = \"+15005550006\" }\nvoice = [ { Dial = \"{{ Caller }}\" } ]\n\
         [default]\nvoice = [ { Say = \"No.\" } ]\n",
    );
    let explain = |arguments: &[&str]| {
        let ran = run(program()
            .args(["explain", "--format", "json"])
            .args(arguments)
            .current_dir(folder.path()));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran.stdout
    };
    assert_eq!(
        explain(&["Called=+14155550199"]),
        concat!(
            r#"{"channel":"voice","route":"default","document":"<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response>"#,
            r#"<Say>No.</Say></Response>","considered":[{"route":"a","matched":false,"#,
            r#""reason":"Called is \"+14155550199\", expected \"+15005550006\""}]}"#,
            "\n"
        )
    );
    assert_eq!(
        explain(&["Called=+15005550006", "Caller=+14155550100"]),
        concat!(
            r#"{"channel":"voice","route":"a","document":"<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response>"#,
            r#"<Dial callerId=\"+15005550006\">+14155550100</Dial></Response>","#,
            r#""considered":[{"route":"a","matched":true,"reason":null}]}"#,
            "\n"
        )
    );
}

#[test]
fn explain_says_when_a_reply_cannot_be_written() {
    let folder = Folder::new("explain-failure");
    folder.write(
        "responses.toml",
        "[[route]]\nname = \"call-back\"\nvoice = [ { Dial = \"{{ Caller }}\" } ]\n[default]\nvoice = [ { Say = \"No.\" } ]\n",
    );
    let ran = run(program()
        .args(["explain", "Caller=anonymous"])
        .current_dir(folder.path()));
    let wanted = "\
yes  call-back
                its reply cannot be written, so the default answers: the text for Dial cannot be used there: a number must begin with `+` and the country code

route default, voice

<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<Response>
  <Say>No.</Say>
</Response>
";
    assert_eq!(ran.stdout, wanted);
    assert_eq!(ran.code, Some(0));
}

#[test]
fn a_form_is_read_from_a_file_or_from_standard_input() {
    let folder = Folder::new("form");
    let path = folder.write(
        "a.form",
        "Called=%2B15005550006&Caller=%2B14155550100&sessionStatus=open\n",
    );
    let path = path.to_str().expect("a path of the test");
    let closed = [
        "explain",
        "--form",
        path,
        "sessionStatus=closed",
        "--expect",
        "ride-ended",
    ];
    assert_eq!(with(&closed).code, Some(0));
    assert_eq!(
        with(&["explain", "--form", path, "--expect", "default"]).code,
        Some(0)
    );
    let input = std::fs::File::open(path).expect("the file is there");
    let ran = run(program()
        .args(["explain", "--form", "-", "--expect", "default"])
        .stdin(input));
    assert_eq!(ran.code, Some(0));
    let none = "error: cannot read no.form: No such file or directory (os error 2)\n";
    assert_eq!(
        with(&["explain", "--form", "no.form"]),
        Ran {
            code: Some(2),
            stdout: String::new(),
            stderr: none.into()
        }
    );
}

#[test]
fn explain_shows_the_mistakes_of_a_table_that_has_some() {
    let folder = Folder::new("explain-mistakes");
    folder.write("responses.toml", "");
    let ran = run(program().arg("explain").current_dir(folder.path()));
    assert_eq!(ran.code, Some(2));
    assert_eq!(ran.stdout, "");
    assert!(
        ran.stderr
            .starts_with("error[missing-default]: the file has no [default]\n"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr
            .ends_with("\nerror: responses.toml has 1 error\n"),
        "{}",
        ran.stderr
    );
}

/// A table with a schedule, a directory in a file next to it, and tests.
const OFFICE: &str = "\
[schedule.office]
timezone = \"America/New_York\"
open = [\"Mon-Fri 09:00-17:30\"]

[directory.sellers]
file = \"sellers.csv\"

[[route]]
name = \"seller\"
when = { Called = { in = \"sellers\" }, Digits = \"\" }
during = \"office\"
voice = [{ Say = \"Hello from {{ sellers.name }}.\" }]

[[route]]
name = \"closed\"
when = { Called = { in = \"sellers\" } }
voice = [{ Say = \"Closed.\" }]

[default]
voice = [{ Say = \"No.\" }]

[[test]]
name = \"by day\"
request = { Called = \"+15005550001\" }
at = \"2026-11-20T12:00[America/New_York]\"
expect = \"seller\"
contains = \"Ann\"
";

fn office(name: &str, tests: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("sellers.csv", "number,name\n+15005550001,Ann\n");
    folder.write("office.toml", &format!("{OFFICE}{tests}"));
    folder
}

const FAILING: &str = "
[[test]]
name = \"by night\"
request = { Called = \"+15005550001\" }
at = \"2026-11-20T22:00[America/New_York]\"
expect = \"seller\"
";

#[test]
fn check_runs_the_tests_of_the_table() {
    let folder = office("check-tests", "");
    let check = |arguments: &[&str]| {
        run(program()
            .args(["check", "office.toml"])
            .args(arguments)
            .current_dir(folder.path()))
    };
    assert_eq!(
        check(&[]),
        ran(0, "office.toml: 2 routes, 1 test, nothing wrong\n", "")
    );
    folder.write("office.toml", &format!("{OFFICE}{FAILING}"));
    let wanted = "\
error[failed-test]: \"closed\" answers, not \"seller\", because \"office\" is closed at Fri 2026-11-20 22:00
  --> office.toml:33:10
   |
33 | expect = \"seller\"
   |          ^^^^^^^^
   |
   = help: `explain --test \"by night\"` shows every verdict; without a Caller the caller counts as withheld

office.toml: 2 routes, 2 tests, 1 error
";
    assert_eq!(check(&[]), ran(1, wanted, ""));
    let wanted = concat!(
        r#"{"severity":"error","code":"failed-test","message":"\"closed\" answers, not \"seller\", because \"office\" is closed at Fri 2026-11-20 22:00","file":"office.toml","#,
        r#""line":33,"column":10,"end_line":33,"end_column":18,"help":"`explain --test \"by night\"` shows every verdict; without a Caller the caller counts as withheld","fix":null}"#,
        "\n",
        r#"{"summary":{"files":1,"routes":2,"intercepts":0,"tests":2,"errors":1,"warnings":0}}"#,
        "\n"
    );
    assert_eq!(check(&["--format", "json"]), ran(1, wanted, ""));

    // A failed test is listed with the other diagnostics, in order of place.
    let spare = "[reply.spare]\nvoice = []\n";
    folder.write("office.toml", &format!("{spare}{OFFICE}{FAILING}"));
    let shown = check(&["--format", "json"]).stdout;
    let codes: Vec<&str> = shown
        .split('"')
        .filter(|word| matches!(*word, "unused" | "failed-test"))
        .collect();
    assert_eq!(codes, ["unused", "failed-test"], "{shown}");
}

#[test]
fn check_shows_what_no_test_reaches_and_rounds_down() {
    let folder = office("check-coverage", "");
    let check = |arguments: &[&str]| {
        run(program()
            .args(["check", "office.toml"])
            .args(arguments)
            .current_dir(folder.path()))
    };
    // Of two routes and three conditions, the test reaches one and two.
    let wanted = "\
office.toml: 2 routes, 1 test, nothing wrong
no test is answered by closed
no test reaches Called = a key of directory \"sellers\" of closed
1 test, 60 % of routes and conditions reached
";
    for (least, code) in [("0", 0), ("60", 0), ("61", 1), ("100", 1)] {
        assert_eq!(
            check(&["--coverage", "--fail-under", least]),
            ran(code, wanted, "")
        );
    }
    assert_eq!(check(&["--coverage"]), ran(0, wanted, ""));
    let json = ["--coverage", "--fail-under", "61", "--format", "json"];
    assert_eq!(check(&json).code, Some(1));

    // Two more routes without conditions: 3 of 7 is 42.86 %.
    let more = "\n[[route]]\nname = \"a\"\nmessage = []\n\n[[route]]\nname = \"b\"\nvoice = []\n";
    folder.write("office.toml", &format!("{OFFICE}{more}"));
    assert_eq!(
        check(&["--coverage", "--fail-under", "42"]).code,
        Some(0),
        "42.86 is at least 42"
    );
    assert_eq!(
        check(&["--coverage", "--fail-under", "43"]).code,
        Some(1),
        "42.86 is less than 43"
    );

    let alone = check(&["--fail-under", "50"]);
    assert_eq!((alone.code, alone.stdout.as_str()), (Some(2), ""));
    assert!(alone.stderr.contains("--coverage"), "{}", alone.stderr);
}

#[test]
fn serve_starts_in_spite_of_a_failed_test() {
    let folder = office("serve-failed-test", FAILING);
    let config = folder.path().join("office.toml");
    let config = config.to_str().expect("a path of the test");
    let service = Service::start(&["--table", config, "--allow-unsigned"], &[]);
    let url = format!("http://{}/out-of-session", service.address);
    let sent = run(program().args(["send", "--url", &url, "Called=+15005550002"]));
    assert!(
        sent.stdout.starts_with("200 OK\nroute default\n"),
        "{}{}",
        sent.stdout,
        sent.stderr
    );
    let (code, log) = service.stop("-TERM");
    assert_eq!(code, Some(0), "{log}");
    assert!(
        log.contains("WARN \"closed\" answers, not \"seller\", because \"office\" is closed at "),
        "{log}"
    );
}

#[test]
fn explain_answers_at_the_moment_it_is_given() {
    let folder = office("explain-at", "");
    let explain = |at: &str, arguments: &[&str]| {
        run(program()
            .args([
                "explain",
                "--table",
                "office.toml",
                "--at",
                at,
                "Called=+15005550001",
            ])
            .args(["Caller=+14155550100"])
            .args(arguments)
            .current_dir(folder.path()))
    };
    for (at, route) in [
        ("2026-11-20T09:00[America/New_York]", "seller"),
        ("2026-11-20T14:00Z", "seller"),
        ("2026-11-20T15:00+01:00", "seller"),
        ("2026-11-20T13:59:59Z", "closed"),
        ("2026-11-21T12:00[America/New_York]", "closed"),
    ] {
        assert_eq!(explain(at, &["--expect", route]).code, Some(0), "{at}");
    }
    let wanted = "\
no   seller  \"office\" is closed at Fri 2026-11-20 17:30
yes  closed

route closed, voice

<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<Response>
  <Say>Closed.</Say>
</Response>
";
    assert_eq!(explain("2026-11-20T22:30Z", &[]), ran(0, wanted, ""));
    for wrong in [
        "2026-11-20",
        "12:00",
        "2026-11-20T12:00",
        "tomorrow",
        "2026-11-20T12:00[New York]",
    ] {
        let ran = explain(wrong, &[]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{wrong}");
        assert!(
            ran.stderr.contains("2026-12-24T12:00[America/New_York]"),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn a_directory_file_is_found_beside_its_table_from_anywhere() {
    let folder = office("beside", "");
    let elsewhere = Folder::new("beside-elsewhere");
    let table = folder.path().join("office.toml");
    let check = |arguments: &[&std::path::Path]| {
        let mut command = program();
        command
            .arg("check")
            .args(arguments)
            .current_dir(elsewhere.path());
        run(&mut command)
    };
    assert_eq!(
        check(&[&table]).code,
        Some(0),
        "{}",
        check(&[&table]).stdout
    );
    // Files are not looked for in the working directory.
    elsewhere.write("sellers.csv", "number\n");
    assert_eq!(check(&[&table]).code, Some(0));
    std::fs::remove_file(folder.path().join("sellers.csv")).expect("it is there");
    let missing = check(&[&table]);
    assert_eq!(missing.code, Some(1));
    assert!(
        missing.stdout.contains("error[bad-file]: cannot read "),
        "{}",
        missing.stdout
    );
}

#[test]
fn explain_prints_a_session_as_it_is_sent() {
    let folder = Folder::new("explain-session");
    folder.write(
        "responses.toml",
        "[[route]]\nname = \"session\"\n\
         create_session = { participantIdentifier = \"+14155550123\", mode = \"voice-only\" }\n\
         [default]\nvoice = [{ Say = \"No.\" }]\n",
    );
    let explain = |arguments: &[&str]| {
        run(program()
            .args(["explain", "Caller=+14155550100"])
            .args(arguments)
            .current_dir(folder.path()))
    };
    let wanted = "yes  session\n\nroute session, voice\n\n\
                  {\"participantIdentifier\":\"+14155550123\",\"mode\":\"voice-only\"}\n";
    assert_eq!(explain(&[]), ran(0, wanted, ""));
    let elsewhere = explain(&["--webhook", "webhook"]);
    assert!(
        elsewhere.stdout.starts_with(
            "no   session  it opens a session, which only Proxy's own webhook can do\nyes  default\n"
        ),
        "{}",
        elsewhere.stdout
    );
}

#[test]
fn the_tables_with_tests_are_right_and_tested_whole() {
    for (table, wanted) in [
        (
            "tests/tables/marketplace/responses.toml",
            ": 12 routes, 19 tests, nothing wrong\n19 tests, 100 % of routes and conditions reached\n",
        ),
        (
            "tests/tables/dialogues/responses.toml",
            ": 21 routes, 11 tests, nothing wrong\n11 tests, 100 % of routes and conditions reached\n",
        ),
    ] {
        let coverage = ["--deny-warnings", "--coverage", "--fail-under", "100"];
        let ran_check = with(&[&["check", table][..], &coverage].concat());
        assert_eq!(ran_check, ran(0, &format!("{table}{wanted}"), ""));
    }
}

#[test]
fn serve_fails_closed_and_says_what_to_set() {
    let none = "error: there is no auth token to check signatures with: set TWILIO_AUTH_TOKEN or --auth-token-file, \
                or try things out on this machine with --allow-unsigned\n";
    assert_eq!(with(&["serve"]), ran(2, "", none));
    assert_eq!(
        run(program().arg("serve").env("TWILIO_AUTH_TOKEN", "")),
        ran(2, "", none)
    );
    let both = "error: --allow-unsigned together with an auth token: remove --allow-unsigned to check signatures, \
                or unset TWILIO_AUTH_TOKEN and --auth-token-file to try things out\n";
    let command = ["serve", "--allow-unsigned"];
    assert_eq!(
        run(program().args(command).env("TWILIO_AUTH_TOKEN", TOKEN)),
        ran(2, "", both)
    );
    let missing =
        "error: cannot read the auth token file no.txt: No such file or directory (os error 2)\n";
    assert_eq!(
        with(&["serve", "--auth-token-file", "no.txt"]),
        ran(2, "", missing)
    );
}

#[test]
fn a_service_takes_no_secret_that_it_cannot_read_again() {
    let folder = Folder::new("secret-pipe");
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo").success());
    for option in ["--auth-token-file", "--voice-webhooks-key-file"] {
        let mut serve = program();
        let serve = serve.args(["serve", option]).arg(&pipe);
        let ran = run(serve.env("TWILIO_AUTH_TOKEN", TOKEN));
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        let told = ran
            .stderr
            .contains("/pipe: it is a pipe, a socket or a device, not a file");
        assert!(told && ran.stderr.lines().count() == 1, "{}", ran.stderr);
    }
}

#[test]
fn a_secret_that_is_none_is_refused_and_never_shown() {
    let folder = Folder::new("secrets");
    for text in [
        "",
        "# nothing\n",
        "SK00000000000000000000000000000001\n",
        "token: swordfish swordfish swordfish\n",
    ] {
        let path = folder.write("token", text);
        let ran = run(program().args(["serve", "--auth-token-file"]).arg(path));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{text}");
        assert!(
            ran.stderr.starts_with("error: the auth token file "),
            "{}",
            ran.stderr
        );
        assert!(
            !ran.stderr.contains("swordfish") && ran.stderr.lines().count() == 1,
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn an_address_that_cannot_be_listened_on_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it has an address").to_string();
    let ran_taken = with(&["serve", "--allow-unsigned", "--listen", &address]);
    assert_eq!(
        ran_taken,
        ran(
            2,
            "",
            &format!("error: cannot listen on {address}: another program has this port\n")
        )
    );
    for wrong in [
        "localhost",
        "127.0.0.1",
        "80",
        "unix:x.sock",
        "127.0.0.1:99999",
    ] {
        let ran = with(&["serve", "--allow-unsigned", "--listen", wrong]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{wrong}");
        assert!(
            ran.stderr.starts_with(&format!(
                "error: invalid value '{wrong}' for '--listen <ADDRESS>': "
            )),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn serve_ends_with_the_diagnostics_of_a_bad_table() {
    let folder = Folder::new("serve-bad");
    folder.write("responses.toml", "[default]\nvoice = [ { Say = 5 } ]\n");
    let ran = run(program()
        .args(["serve", "--allow-unsigned"])
        .current_dir(folder.path()));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert!(
        ran.stderr
            .starts_with("error[wrong-type]: expected a string or an array, found an integer\n"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr
            .ends_with("\nerror: responses.toml has 1 error\n"),
        "{}",
        ran.stderr
    );
}

#[test]
fn what_is_sent_is_answered_and_a_signal_ends_the_service() {
    let service = Service::start(&[], &[("TWILIO_AUTH_TOKEN", TOKEN)]);
    let url = format!("http://{}/out-of-session", service.address);
    let sent = run(program()
        .args(["send", "--url", &url])
        .env("TWILIO_AUTH_TOKEN", TOKEN));
    let document =
        "200 OK\nroute ride-ended\n\n<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response>\n";
    assert!(
        sent.stdout.starts_with(document),
        "{}{}",
        sent.stdout,
        sent.stderr
    );
    assert_eq!((sent.code, sent.stderr.as_str()), (Some(0), ""));

    let text = run(program()
        .args([
            "send",
            "--message",
            "Body=lost it",
            "--url",
            &url,
            "sessionStatus=",
        ])
        .env("TWILIO_AUTH_TOKEN", TOKEN));
    assert!(
        text.stdout.starts_with("200 OK\nroute lost-by-text\n"),
        "{}",
        text.stdout
    );
    let step = format!("{url}?step=lost");
    let digits = run(program()
        .args(["send", "Digits=1", "--url", &step])
        .env("TWILIO_AUTH_TOKEN", TOKEN));
    assert!(
        digits.stdout.starts_with("200 OK\nroute lost-property\n"),
        "{}",
        digits.stdout
    );

    let unsigned = run(program().args(["send", "--url", &url]));
    let note = "sent without a signature: set TWILIO_AUTH_TOKEN or --auth-token-file to sign\n";
    assert_eq!(unsigned, ran(1, "403 Forbidden\nsignature missing\n", note));
    let forged = run(program()
        .args(["send", "--url", &url])
        .env("TWILIO_AUTH_TOKEN", "54321"));
    assert_eq!(
        forged,
        ran(1, "403 Forbidden\nsignature does not match\n", "")
    );
    let public = ["send", "--url", &url, "--public-url", "https://example.com"];
    let elsewhere = run(program().args(public).env("TWILIO_AUTH_TOKEN", TOKEN));
    assert_eq!(elsewhere.code, Some(1));

    let (code, log) = service.stop("-TERM");
    assert_eq!(code, Some(0), "{log}");
    for number in ["+14155550100", "%2B14155550100", "5550100", TOKEN] {
        assert!(!log.contains(number), "{number} in\n{log}");
    }
    assert!(
        log.contains("route=\"ride-ended\"") && log.contains("+141•••••00"),
        "{log}"
    );
}

#[test]
fn a_second_signal_ends_the_service_at_once() {
    let service = Service::start(&["--allow-unsigned", "--drain-delay", "1h"], &[]);
    service.signal("-TERM");
    service.wait_for("ending, still accepting connections", 1);
    let (code, log) = service.stop("-INT");
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("ended at once by a second signal"), "{log}");
}

#[test]
fn send_says_when_nobody_listens() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = free.local_addr().expect("it has an address").to_string();
    drop(free);
    let url = format!("http://{address}/out-of-session");
    let ran = run(program()
        .args(["send", "--url", &url])
        .env("TWILIO_AUTH_TOKEN", TOKEN));
    let wanted = format!(
        "error: cannot connect to {address}; is the service running there?: Connection refused (os error 111)\n"
    );
    assert_eq!((ran.code, ran.stderr), (Some(2), wanted));
    let https = run(program()
        .args(["send", "--url", "https://example.com/"])
        .env("TWILIO_AUTH_TOKEN", TOKEN));
    let wanted = "error: https://example.com/ is not an http:// URL: `send` connects to the service itself, not to the proxy in front of it\n";
    assert_eq!((https.code, https.stderr.as_str()), (Some(2), wanted));
}

#[test]
fn verify_says_yes_no_and_why() {
    let folder = Folder::new("verify");
    // The worked example of Twilio's security page, with its fields in another order.
    folder.write("a.form", "To=%2B18005551212&From=%2B14158675310&CallSid=CA1234567890ABCDE&Caller=%2B14158675310&Digits=1234\n");
    let verify = |url: &str, signature: &str| {
        let arguments = [
            "verify",
            "--url",
            url,
            "--form",
            "a.form",
            "--signature",
            signature,
        ];
        run(program()
            .args(arguments)
            .env("TWILIO_AUTH_TOKEN", TOKEN)
            .current_dir(folder.path()))
    };
    let signature = "L/OH5YylLD5NRKLltdqwSvS0BnU=";
    assert_eq!(
        verify("https://example.com/myapp.php?foo=1&bar=2", signature),
        ran(0, "signature matches\n", "")
    );
    assert_eq!(
        verify("http://example.com/myapp.php?foo=1&bar=2", signature),
        ran(
            1,
            "signature does not match\n\
             tried http://example.com/myapp.php?foo=…&bar=… with 1 secret: \
             https://example.com/myapp.php?foo=…&bar=… would match: the scheme is https; \
             set --public-url https://example.com\n",
            ""
        )
    );
    let none =
        "error: there is no secret to verify with: set TWILIO_AUTH_TOKEN or --auth-token-file\n";
    assert_eq!(
        with(&[
            "verify",
            "--url",
            "https://example.com/",
            "--signature",
            signature
        ]),
        ran(2, "", none)
    );
}

#[test]
fn help_fits_a_screen() {
    for command in [
        &[][..],
        &["serve"],
        &["check"],
        &["explain"],
        &["init"],
        &["import"],
        &["call"],
        &["send"],
        &["verify"],
        &["replay"],
        &["report"],
        &["completions"],
        &["man"],
    ] {
        let ran = run(program().args(command).arg("--help").env("COLUMNS", "80"));
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
        let lines = ran.stdout.lines().count();
        // `serve` has the most options, in seven groups.
        let screen = if *command == ["serve"] { 62 } else { 32 };
        assert!(
            lines <= screen,
            "{command:?} has {lines} lines:\n{}",
            ran.stdout
        );
        let longest = ran.stdout.lines().map(|line| line.chars().count()).max();
        assert!(longest <= Some(100), "{command:?}:\n{}", ran.stdout);
        assert!(!ran.stdout.contains('`'), "{}", ran.stdout);
    }
}

#[test]
fn a_failed_test_explains_itself() {
    let folder = office("failed-test", FAILING);
    let explain = |arguments: &[&str]| {
        run(program()
            .args(["explain", "-t", "office.toml"])
            .args(arguments)
            .current_dir(folder.path()))
    };
    let failing = "warning: 1 test of office.toml fails; `check` says why\n";
    let wanted = "\
no   seller  \"office\" is closed at Fri 2026-11-20 22:00
yes  closed
             no Caller is given, so the caller counts as withheld

route closed, voice

<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<Response>
  <Say>Closed.</Say>
</Response>

the test fails: it expects seller
";
    assert_eq!(explain(&["--test", "by night"]), ran(1, wanted, failing));
    let passing = explain(&["--test", "by day"]);
    let passes = passing
        .stdout
        .ends_with("\nthe test passes: it expects seller\n");
    assert!(passes && passing.code == Some(0), "{passing:?}");
    let json = explain(&["--test", "by night", "--format", "json"]);
    assert!(json.stdout.contains(r#""route":"closed""#), "{json:?}");
    let near = "error: office.toml has no test \"by nigt\"; did you mean \"by night\"?\n";
    let told = format!("{failing}{near}");
    assert_eq!(explain(&["--test", "by nigt"]), ran(2, "", &told));
    let both = explain(&["--test", "by night", "--message"]);
    assert_eq!((both.code, both.stdout.as_str()), (Some(2), ""));
    // Unless a test is named, a request is explained without printing the failed tests again.
    let other = explain(&["Called=+15005550002", "Caller=+14155550100"]);
    assert_eq!((other.code, other.stderr.as_str()), (Some(0), failing));
}

#[test]
fn a_tests_verdicts_go_on_to_the_route_that_it_expects() {
    let folder = Folder::new("expected-route");
    folder.write(
        "responses.toml",
        "[[route]]\nname = \"first\"\nwhen = { CallerCountry = \"US\" }\nvoice = []\nmessage = []\n\
         [[route]]\nname = \"step\"\nstep = \"a\"\nvoice = []\n\
         [[route]]\nname = \"late\"\nwhen = { Called = \"+15005550006\" }\nvoice = []\n\
         [[route]]\nname = \"last\"\nvoice = []\n\
         [default]\nvoice = [ { Say = \"No.\" } ]\n\
         [[test]]\nname = \"t\"\nrequest = { Called = \"+15005550001\", Caller = \"+14155550100\", CallerCountry = \"US\" }\nexpect = \"late\"\n",
    );
    let run_in = |arguments: &[&str]| run(program().args(arguments).current_dir(folder.path()));
    let explained = run_in(&["explain", "--test", "t"]);
    let verdicts = "\
yes  first
no   step   it answers step \"a\" only
no   late   Called is \"+15005550001\", expected \"+15005550006\"

route first, voice
";
    assert!(explained.stdout.starts_with(verdicts), "{explained:?}");
    // Otherwise the verdicts end with the answer, and a single route of another step gets its own line, because a
    // summary would not be shorter.
    let explained = run_in(&["explain", "Called=+15005550001", "Caller=+14155550100"]);
    let verdicts = "\
no   first  CallerCountry is absent, expected \"US\"
no   step   it answers step \"a\" only
no   late   Called is \"+15005550001\", expected \"+15005550006\"
yes  last

route last, voice
";
    assert!(explained.stdout.starts_with(verdicts), "{explained:?}");
}

#[test]
fn routes_of_other_steps_and_channels_are_one_line() {
    let text = [
        "explain",
        "To=+15005550006",
        "From=+14155550100",
        "Body=lost",
    ];
    let text = |more: &[&str]| with(&[&text[..], more].concat()).stdout;
    let folded = "\
no   3 routes of other steps or channels; --all shows them
no   ride-ended    sessionStatus is absent, expected \"closed\"
yes  lost-by-text
";
    assert!(text(&[]).starts_with(folded), "{}", text(&[]));
    let all = "\
no   withheld-caller  it has no `message`
no   ride-ended       sessionStatus is absent, expected \"closed\"
no   lost-property    it answers step \"lost\" only
no   other-key        it answers step \"lost\" only
yes  lost-by-text
";
    assert!(text(&["--all"]).starts_with(all), "{}", text(&["--all"]));
    let json = text(&["--format", "json"]);
    assert_eq!(json.matches("\"matched\"").count(), 5, "{json}");
}

#[test]
fn explain_names_a_parameter_in_the_wrong_letter_case() {
    let folder = Folder::new("explain-case");
    folder.write(
        "responses.toml",
        "parameters = [\"campagin\"]\n[default]\nvoice = [ { Say = \"No.\" } ]\n",
    );
    let explain = |fields: &[&str]| {
        let ran = run(program()
            .arg("explain")
            .args(fields)
            .current_dir(folder.path()));
        assert_eq!(ran.code, Some(0));
        ran.stderr
    };
    assert_eq!(
        explain(&[
            "called=+15005550006",
            "SessionStatus=closed",
            "sessionstatus=closed",
            "Caled=x",
            "CallerCountry=UK",
            "Digits=*"
        ]),
        "warning: Twilio spells `called` as `Called`, and letter case matters\n\
         warning: `SessionStatus` is never \"closed\", but `sessionStatus` is; did you mean `sessionStatus`? It is a different parameter\n\
         warning: Twilio spells `sessionstatus` as `sessionStatus`, and letter case matters\n\
         warning: `Caled` is not a known parameter; did you mean `Called`?\n\
         warning: no country has the ISO 3166 code \"UK\"; write \"GB\"\n"
    );
    assert_eq!(explain(&["Called=+15005550006", "campagin=a"]), "");
}

#[test]
fn check_takes_several_tables_and_standard_input() {
    let folder = office("check-several", FAILING);
    folder.write("fine.toml", "[default]\nvoice = [ { Say = \"No.\" } ]\n");
    let check = |arguments: &[&str], input: &str| {
        let mut command = program();
        command.arg("check").args(arguments);
        let input = folder.path().join(input);
        let input = std::fs::File::open(input).expect("a file of the test");
        run(command.current_dir(folder.path()).stdin(input))
    };
    let both = check(&["fine.toml", "office.toml"], "fine.toml");
    let (first, last) = (
        "fine.toml: 0 routes, nothing wrong\nerror[failed-test]: ",
        "\n\noffice.toml: 2 routes, 2 tests, 1 error\n",
    );
    assert!(
        both.code == Some(1) && both.stdout.starts_with(first) && both.stdout.ends_with(last),
        "{both:?}"
    );
    let quiet = check(&["-q", "fine.toml", "office.toml"], "fine.toml").stdout;
    let drawn = both.stdout.split_once('\n').expect("two lines").1;
    assert_eq!(quiet, drawn.strip_suffix(&last[2..]).expect("its end"));
    let fine = check(&["-"], "fine.toml");
    let nothing = "standard input: 0 routes, nothing wrong\n";
    assert_eq!(fine, ran(0, nothing, ""));
    // Directory files are next to the file that standard input stands for.
    let inside = folder.path().join("inside");
    std::fs::create_dir(&inside).expect("a folder");
    std::fs::rename(
        folder.path().join("sellers.csv"),
        inside.join("sellers.csv"),
    )
    .expect("a move");
    let named = [
        "-",
        "--stdin-name",
        "inside/office.toml",
        "--format",
        "json",
    ];
    let named = check(&named, "office.toml");
    let closing =
        r#"{"summary":{"files":1,"routes":2,"intercepts":0,"tests":2,"errors":1,"warnings":0}}"#;
    assert!(
        named.stdout.contains(r#""code":"failed-test""#)
            && named.stdout.contains(r#""file":"inside/office.toml""#)
            && named.stdout.ends_with(&format!("{closing}\n")),
        "{named:?}"
    );
    assert_eq!(check(&["-"], "office.toml").code, Some(1));
}

#[test]
fn check_speaks_to_pipelines() {
    let folder = Folder::new("check-pipelines");
    let inside = folder.path().join("of 100%, a:b");
    std::fs::create_dir(&inside).expect("a folder");
    std::fs::write(inside.join("sellers.csv"), "number,name\n15005550001,Ann\n").expect("a file");
    let table = "[directory.sellers]\nfile = \"sellers.csv\"\n\
        [[route]]\nname = \"a\"\nwehn = { Called = { in = \"sellers\" } }\nvoice = []\n\
        [default]\nvoice = [ { Say = \"x\" } ]\n";
    std::fs::write(inside.join("t.toml"), table).expect("a file");
    let check = |format: &str| {
        let ran = run(program()
            .args(["check", "--format", format, "of 100%, a:b/t.toml"])
            .current_dir(folder.path()));
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), ""));
        ran.stdout
    };
    let github = check("github");
    let lines: Vec<&str> = github.lines().collect();
    assert!(
        lines.contains(
            &"::error file=of 100%25%2C a%3Ab/t.toml,line=5,endLine=5,col=1,endColumn=5,title=unknown-key::\
              a route has no key `wehn`%0Ahelp: did you mean `when`?"
        ),
        "{github}"
    );
    assert!(
        lines.iter().any(|line| line
            .starts_with("::warning file=of 100%25%2C a%3Ab/sellers.csv,line=2,endLine=2,col=1,")),
        "{github}"
    );
    let log: serde_json::Value = serde_json::from_str(&check("sarif")).expect("JSON");
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    assert_eq!(run["tool"]["driver"]["name"], "twiml-responder");
    let results = run["results"].as_array().expect("results");
    assert_eq!(results.len(), lines.len());
    let result = results
        .iter()
        .find(|result| result["ruleId"] == "unknown-key")
        .expect("the mistake");
    assert_eq!(result["level"], "error");
    let place = &result["locations"][0]["physicalLocation"];
    let uri = "of%20100%25%2C%20a%3Ab/t.toml";
    assert_eq!(place["artifactLocation"]["uri"], uri);
    let region =
        serde_json::json!({ "startLine": 5, "startColumn": 1, "endLine": 5, "endColumn": 5 });
    assert_eq!(place["region"], region);
    let change = &result["fixes"][0]["artifactChanges"][0];
    assert_eq!(change["artifactLocation"]["uri"], uri);
    let replacement = &change["replacements"][0];
    assert_eq!(replacement["deletedRegion"], region);
    assert_eq!(replacement["insertedContent"]["text"], "when");
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    for result in results {
        let mut rules = rules.iter();
        assert!(rules.any(|rule| rule["id"] == result["ruleId"]), "{result}");
    }
}

#[test]
fn a_table_has_one_name_everywhere() {
    let folder = Folder::new("table-names");
    let other = folder.write(
        "other.toml",
        "[default]\nvoice = [ { Say = \"Other.\" } ]\n",
    );
    let other = other.to_str().expect("a path of the test");
    let checked = format!("{other}: 0 routes, nothing wrong\n");
    for arguments in [
        &["check", other][..],
        &["check", "--table", other],
        &["check", "-t", other],
    ] {
        assert_eq!(with(arguments), ran(0, &checked, ""), "{arguments:?}");
    }
    let variable = |arguments: &[&str]| {
        run(program()
            .args(arguments)
            .env("TWIML_RESPONDER_TABLE", other))
    };
    assert_eq!(variable(&["check"]), ran(0, &checked, ""));
    assert!(variable(&["explain"]).stdout.contains("<Say>Other.</Say>"));
    // The command line takes precedence.
    let sample = variable(&["check", "responses.toml"]);
    assert!(sample.stdout.starts_with("responses.toml: "), "{sample:?}");
    for arguments in [
        &["check", "-t", other, "responses.toml"][..],
        &["serve", "-t", other, "responses.toml", "--allow-unsigned"],
        &["replay", "-t", other, "responses.toml", "--journal", "x"],
        &["report", "-t", other, "responses.toml", "--journal", "x"],
    ] {
        let twice = with(arguments);
        assert!(
            twice.code == Some(2) && twice.stderr.contains("the table is given twice"),
            "{twice:?}"
        );
    }
    let service = Service::start(&[other, "--allow-unsigned"], &[]);
    let url = format!("http://{}", service.address);
    let sent = with(&["send", "--url", &url]);
    assert!(sent.stdout.contains("<Say>Other.</Say>"), "{sent:?}");
}

#[test]
fn an_empty_variable_is_none_and_a_misspelt_one_is_named() {
    let environment = [
        ("TWIML_RESPONDER_PUBLIC_URL", ""),
        ("TWIML_RESPONDER_JOURNAL", ""),
        ("TWIML_RESPONDER_HEALTH", ""),
        ("TWIML_RESPONDER_LOG_LEVEL", ""),
        ("TWIML_RESPONDER_PUBLC_URL", "https://example.com"),
        ("TWIML_RESPONDER_CONFIG", "x"),
        // The variables that Kubernetes sets for a Service of this name.
        ("TWIML_RESPONDER_SERVICE_HOST", "10.0.0.1"),
        ("TWIML_RESPONDER_SERVICE_PORT_HTTP", "80"),
        ("TWIML_RESPONDER_PORT", "tcp://10.0.0.1:80"),
        ("TWIML_RESPONDER_PORT_80_TCP_ADDR", "10.0.0.1"),
    ];
    let service = Service::start(&["--allow-unsigned"], &environment);
    let (code, log) = service.stop("-TERM");
    assert_eq!(code, Some(0), "{log}");
    let warnings: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("has the variable"))
        .collect();
    assert_eq!(
        warnings,
        [
            "warning: no option has the variable TWIML_RESPONDER_CONFIG; --help lists the options",
            "warning: no option has the variable TWIML_RESPONDER_PUBLC_URL; did you mean TWIML_RESPONDER_PUBLIC_URL?"
        ]
    );
}

#[test]
fn colors_come_when_they_are_asked_for() {
    let folder = Folder::new("color");
    folder.write("t.toml", "[default]\nvoice = []\n");
    let check = |color: &[&str], environment: &[(&str, &str)]| {
        run(program()
            .args(color)
            .args(["check", "t.toml"])
            .envs(environment.iter().copied())
            .current_dir(folder.path()))
        .stdout
        .contains('\u{1b}')
    };
    assert!(!check(&[], &[]));
    assert!(check(&["--color", "always"], &[]));
    assert!(check(&[], &[("TWIML_RESPONDER_COLOR", "always")]));
    assert!(!check(&["--color=never"], &[("CLICOLOR_FORCE", "1")]));
    let service = Service::start(&["--allow-unsigned", "--color", "always"], &[]);
    let (_, log) = service.stop("-TERM");
    assert!(log.contains("\u{1b}["), "{log}");
}

#[test]
fn the_version_has_its_target() {
    let ran = with(&["--version"]);
    let version = concat!("twiml-responder ", env!("CARGO_PKG_VERSION"), " (");
    let rest = ran.stdout.strip_prefix(version).expect(version);
    let arch = std::env::consts::ARCH;
    assert!(rest.contains(arch) && rest.ends_with(")\n"), "{rest}");
}

/// The commands in a text, one per line: the words after the program's name.
fn commands_in(text: &str) -> Vec<Vec<&str>> {
    let lines = text.lines().map(|line| line.trim_start_matches(['#', ' ']));
    let commands = lines.filter_map(|line| line.strip_prefix("twiml-responder "));
    commands.map(|line| line.split(' ').collect()).collect()
}

#[test]
fn the_commands_that_the_sample_names_give_what_it_says() {
    let sample = std::fs::read_to_string(support::top().join("responses.toml")).expect("a table");
    let commands = commands_in(&sample);
    assert_eq!(commands.len(), 2, "{commands:?}");
    let wanted = ["nothing wrong\n", "\nroute ride-ended, voice\n"];
    for (command, wanted) in commands.iter().zip(wanted) {
        let ran = with(command);
        assert!(
            ran.code == Some(0) && ran.stdout.contains(wanted),
            "{ran:?}"
        );
    }
}

#[test]
fn init_writes_a_first_table_and_never_over_another() {
    let folder = Folder::new("init");
    let init = |arguments: &[&str]| {
        run(program()
            .arg("init")
            .args(arguments)
            .current_dir(folder.path()))
    };
    let made = init(&["my table"]);
    assert_eq!((made.code, made.stderr.as_str()), (Some(0), ""));
    let wrote = "wrote my table/responses.toml\nwrote my table/.gitignore\n\nNext, ";
    assert!(made.stdout.starts_with(wrote), "{}", made.stdout);
    let named = "  twiml-responder check 'my table/responses.toml'\n";
    assert!(made.stdout.contains(named), "{}", made.stdout);
    let again = "error: my table/responses.toml already exists; it was not changed\n";
    folder.write("my table/responses.toml", "# mine\n");
    assert_eq!(init(&["my table"]), ran(2, "", again));
    let kept = std::fs::read_to_string(folder.path().join("my table/responses.toml"));
    assert_eq!(kept.expect("a table"), "# mine\n");

    // Next to existing files, and with the hint about what to do next.
    folder.write(".gitignore", "mine\n");
    let here = init(&[]);
    let told = "wrote responses.toml\n\
                .gitignore already exists: add auth-token*, token*, *.key, .env, journal/, state/ to it\n";
    assert!(
        here.code == Some(0) && here.stdout.starts_with(told),
        "{here:?}"
    );
    let checked = run(program()
        .args([
            "check",
            "--deny-warnings",
            "--coverage",
            "--fail-under",
            "100",
        ])
        .current_dir(folder.path()));
    let wanted = "responses.toml: 6 routes, 8 tests, nothing wrong\n\
                  8 tests, 100 % of routes and conditions reached\n";
    assert_eq!(checked, ran(0, wanted, ""));
    let next = commands_in(&here.stdout);
    let [check, serve, send] = next.as_slice() else {
        panic!("{next:?}");
    };
    let fine = run(program().args(check).current_dir(folder.path()));
    assert!(fine.stdout.ends_with("nothing wrong\n"), "{fine:?}");
    let mut command = program();
    command.args(serve).args(["--listen", "127.0.0.1:0"]);
    let service = Service::start_by(command.current_dir(folder.path()));
    let send = send.join(" ").replace("127.0.0.1:8080", &service.address);
    let sent = run(program().args(send.split(' ')));
    let is_menu = sent.stdout.starts_with("200 OK\nroute menu\n");
    assert!(is_menu && sent.stdout.contains("press 1"), "{sent:?}");
}

#[test]
fn what_cannot_be_right_is_refused_at_the_start() {
    let folder = Folder::new("refused-start");
    let token = "0123456789abcdef0123456789abcdef";
    let sid_and_token = format!("AC00000000000000000000000000000001:{token}");
    let two = format!("{token} {token}");
    let file = folder.write("token", &sid_and_token);
    let by_file = with(&["serve", "--auth-token-file", file.to_str().expect("a path")]);
    let variable = |token: &str| run(program().arg("serve").env("TWILIO_AUTH_TOKEN", token));
    let url = |url: &str| with(&["serve", "--allow-unsigned", "--public-url", url]);
    for (ran, words) in [
        (by_file, "write a space between SID and token"),
        (variable(&sid_and_token), "write only the token"),
        (variable(&two), "write only the token"),
        (
            variable(&format!("{token},{token}")),
            "write only the token",
        ),
        (
            variable(&format!("\u{201c}{token}\u{201d}")),
            "write only the token",
        ),
        (
            variable(&format!("{token}\u{200b}")),
            "copy the secret again",
        ),
        (
            url("https://h.example.com/out-of-session"),
            "write --public-url https://h.example.com\n",
        ),
        (
            url("https://h.example.com/a/webhook/"),
            "write --public-url https://h.example.com/a\n",
        ),
    ] {
        assert!(ran.code == Some(2) && ran.stderr.contains(words), "{ran:?}");
        assert!(!ran.stderr.contains(token), "{ran:?}");
    }
}

#[test]
fn what_may_be_wrong_is_a_warning_at_the_start() {
    let start = |token: &str| {
        let proxies = ["--trusted-proxy", "192.0.2.7,2001:db8::1,10.0.0.0/8"];
        let service = Service::start(&proxies, &[("TWILIO_AUTH_TOKEN", token)]);
        let (code, log) = service.stop("-TERM");
        assert_eq!(code, Some(0), "{log}");
        log
    };
    let unusual = "WARN an auth token is not 32 hexadecimal digits, as Twilio's are";
    assert!(start("0123456789abcdef0123456789abcde").contains(unusual));
    assert!(!start("0123456789abcdef0123456789abcdef").contains("WARN"));
    let no_network = with(&["serve", "--trusted-proxy", "proxy.example.com"]);
    assert!(
        no_network.code == Some(2)
            && no_network
                .stderr
                .contains("write an address or a network, such as 192.0.2.7 or 192.0.2.0/24"),
        "{no_network:?}"
    );
}

#[test]
fn signals_that_mean_nothing_change_nothing() {
    let service = Service::start(&["--allow-unsigned"], &[]);
    for (signal, name) in [("-USR1", "SIGUSR1"), ("-USR2", "SIGUSR2")] {
        service.signal(signal);
        service.wait_for(
            &format!("{name} changes nothing; SIGHUP asks for a reload"),
            1,
        );
    }
    let (code, log) = service.stop("-TERM");
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let mut child = program()
        .arg("explain")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

const INTERCEPTS: &str = r#"
[default]
voice = [ { Say = "Goodbye." } ]

[[intercept]]
name = "calls"
when = { interactionType = "Voice", inboundResourceStatus = "in-progress" }
block = false

[[intercept]]
name = "no-numbers"
when = { interactionType = "Message", "interactionData.body" = { regex = '\d{7}' } }
block = true

[[test]]
name = "a number"
webhook = "intercept"
request = { interactionData = '{"body":"call 5550100"}' }
expect = "block"
"#;

#[test]
fn explain_shows_which_intercept_decides() {
    let folder = Folder::new("explain-intercept");
    let table = folder.write("responses.toml", INTERCEPTS);
    let explain = |more: &[&str]| {
        let mut command = program();
        command.args(["explain", "--webhook", "intercept", "--table"]);
        run(command.arg(&table).args(more))
    };
    let text = "interactionData={\"body\":\"5550100\"}";
    let ran = explain(&[text, "--expect", "block"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_eq!(
        ran.stdout,
        "no   calls       interactionType is \"Message\", expected \"Voice\"\n\
         yes  no-numbers\n\nblock: intercept no-numbers, message\n"
    );
    let ran = explain(&["--message", "--expect", "block"]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stdout
            .ends_with("yes  no intercept matches, so it passes\n\npass: no intercept, message\n"),
        "{}",
        ran.stdout
    );
    let ran = explain(&[text, "--format", "json"]);
    assert_eq!(
        ran.stdout,
        "{\"channel\":\"message\",\"intercept\":\"no-numbers\",\"outcome\":\"block\",\"considered\":[\
         {\"intercept\":\"calls\",\"matched\":false,\"reason\":\"interactionType is \\\"Message\\\", expected \\\"Voice\\\"\"},\
         {\"intercept\":\"no-numbers\",\"matched\":true,\"reason\":null}]}\n"
    );
}

#[test]
fn coverage_counts_intercepts() {
    let folder = Folder::new("intercept-coverage");
    let table = folder.write("responses.toml", INTERCEPTS);
    let ran = run(program().args(["check", "--coverage"]).arg(&table));
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    let (told, summary) = ran.stdout.trim_end().rsplit_once('\n').expect("two lines");
    assert!(told.contains("no test is decided by calls"), "{told}");
    let both = [told, summary].join("\n");
    assert!(
        both.contains("no test reaches inboundResourceStatus = \"in-progress\" of calls")
            && both.contains("1 test, 66 % of routes and conditions reached")
            && both.contains("0 routes, 2 intercepts, 1 test, nothing wrong"),
        "{both}"
    );
}

#[test]
fn a_bad_key_file_is_told_without_the_key() {
    let folder = Folder::new("bad-key-file");
    let keys = folder.write("keys", "0123456789abcdef\n");
    let mut command = program();
    command.args(["serve", "--allow-unsigned", "--voice-webhooks-key-file"]);
    let ran = run(command.arg(&keys));
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr
            .contains("cannot be used: line 1: a key needs at least 32 characters")
            && !ran.stderr.contains("0123456789abcdef"),
        "{}",
        ran.stderr
    );
}
