//! `call`: a telephone in the terminal, on a real terminal and from a script.

mod support;

use support::terminal::{END, session, typed_in};
use support::{Folder, Ran, program, run};

const DIALOGUES: &str = "tests/tables/dialogues/responses.toml";

fn call(arguments: &[&str]) -> Ran {
    run(program()
        .args(["call", "--table", DIALOGUES])
        .args(arguments))
}

/// Plays a recording on a terminal: types the same input, and expects the same output.
fn replayed(arguments: &[&str], recording: &str) {
    let mut command = program();
    command.args(["call", "--table", DIALOGUES, "Caller=+14155550100"]);
    let (code, seen) = session(command.args(arguments), &typed_in(recording));
    assert_eq!((code, seen.as_str()), (Some(0), recording));
}

#[test]
fn somebody_leaves_a_message_after_a_wrong_key() {
    replayed(
        &["Called=+15005550006"],
        "menu
  says     Press 1 for a message, 2 for an agent, 3 to wait, or say what you want.
  pauses   2 s
  waits    for a key, or words  (5 s, → ?step=menu)
keys, or words> I lost my keys
said
  says     Press any key.
  waits    for keys and #  (5 s, → ?step=menu)
keys> lost
  press keys: 0-9 * #
keys> 1#2
voicemail
  says     Speak after the tone.
  records  until 5 s of silence or a key  (at most 30 s, → ?step=recorded)
words, a key, or hangup> hangup
hung-up
The call ends.
",
    );
}

#[test]
fn nobody_presses_a_key_and_then_the_agent_is_busy() {
    replayed(
        &["Called=+15005550006"],
        "menu
  says     Press 1 for a message, 2 for an agent, 3 to wait, or say what you want.
  pauses   2 s
  waits    for a key, or words  (5 s, → ?step=menu)
keys, or words> 
again
  says     Still there?
  waits    for 4 keys  (5 s, → ?step=pin&asked=again)
keys> 12345
pin
  dials    +14155550123  (callerId +15005550006, 20 s)
completed, answered, busy, no-answer, failed, canceled> engaged
  write one of completed, answered, busy, no-answer, failed, canceled
completed, answered, busy, no-answer, failed, canceled> b
default
  says     Goodbye.
The call ends.
",
    );
}

#[test]
fn somebody_waits_in_a_queue() {
    replayed(
        &["Called=+15005550006"],
        "menu
  says     Press 1 for a message, 2 for an agent, 3 to wait, or say what you want.
  pauses   2 s
  waits    for a key, or words  (5 s, → ?step=menu)
keys, or words> 3
wait
  waits    in queue desk  (hears ?step=hold, → ?step=left)
bridged, bridging-in-process, error, hangup, leave, redirected, redirected-from-bridged, queue-full, system-error> 
hold
  says     You are number 1.
  says     Press star to leave.
  waits    for a key  (5 s, → ?step=leave)
keys> 
music
  plays    https://example.com/music.mp3
  waits    in queue desk  (hears ?step=hold, → ?step=left)
bridged, bridging-in-process, error, hangup, leave, redirected, redirected-from-bridged, queue-full, system-error> 
hold
  says     You are number 1.
  says     Press star to leave.
  waits    for a key  (5 s, → ?step=leave)
keys> *
leave
left
  says     Goodbye.
The call ends.
",
    );
}

#[test]
fn texts_go_to_and_fro_until_a_line_is_empty() {
    replayed(
        &["--message", "To=+15005550007"],
        "text> hello
default
  texts    Goodbye.
text> list
list
list-by-text
  texts    One. Two.
text> stop
loop-guard  (the text is an opt-out word, which Twilio answers itself)
text> 
",
    );
}

#[test]
fn the_end_of_the_input_hangs_up() {
    let arguments = ["call", "--table", DIALOGUES, "Called=+15005550006"];
    let (code, seen) = session(program().args(arguments), &[END]);
    assert_eq!(code, Some(0));
    assert!(
        seen.starts_with("menu  (no Caller is given, so the caller counts as withheld)\n"),
        "{seen}"
    );
    assert!(seen.ends_with("\nThe caller hangs up.\n"), "{seen}");
    // Without a terminal there is no second try.
    let ran = call(&["Called=+15005550006"]);
    assert!(
        ran.stdout
            .ends_with("keys, or words> \nThe caller hangs up.\n"),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_script_that_does_not_fit_is_a_no() {
    for (keys, wanted) in [
        ("1 hangup", None),
        ("1 hangup 2", Some("error: nothing is waiting for \"2\"\n")),
        (
            "2 engaged",
            Some(
                "error: \"engaged\" is not possible here: write one of completed, answered, busy, no-answer, failed, canceled\n",
            ),
        ),
        (
            "\"I lost it\" said",
            Some("error: \"said\" is not possible here: press keys: 0-9 * #\n"),
        ),
    ] {
        let ran = call(&["Called=+15005550006", "Caller=+14155550100", "--keys", keys]);
        let code = i32::from(wanted.is_some());
        assert_eq!(
            (ran.code, ran.stderr.as_str()),
            (Some(code), wanted.unwrap_or_default()),
            "{keys}"
        );
    }
}

#[test]
fn a_call_becomes_a_test_that_passes() {
    let folder = Folder::new("call-test");
    for (name, arguments) in [
        (
            "recorded",
            &[
                "--keys",
                "1 #",
                "Called=+15005550006",
                "Caller=+14155550100",
            ][..],
        ),
        ("queue", &["--keys", "3 w * ", "Called=+15005550006"]),
        (
            "pin",
            &[
                "--keys",
                "w 1234 busy",
                "Called=+15005550006",
                "Caller=+14155550100",
                "CallerCity=AUSTIN",
            ],
        ),
        (
            "texts",
            &[
                "--message",
                "--keys",
                "list \"a \\ quote' and tab\t\" STOP",
                "To=+15005550007",
                "From=+14155550100",
                "Body=list",
            ],
        ),
        (
            "webhook",
            &[
                "--webhook",
                "webhook",
                "--at",
                "2026-12-24T12:00Z",
                "--keys",
                "w",
                "Called=+15005550006",
            ],
        ),
    ] {
        let file = folder.path().join(format!("{name}.toml"));
        let test = file.to_str().expect("a path in UTF-8");
        let ran = call(&[arguments, &["--save-test", test]].concat());
        assert_eq!(
            (ran.code, ran.stderr.as_str()),
            (Some(0), ""),
            "{name}: {}",
            ran.stdout
        );
        let written = std::fs::read_to_string(&file).expect("the test is written");
        let table = std::fs::read_to_string(support::top().join(DIALOGUES)).expect("the table");
        let path = folder.write("table.toml", &format!("{table}\n{written}"));
        let check = run(program().args(["check", "--deny-warnings"]).arg(path));
        assert_eq!(check.code, Some(0), "{name}: {written}{}", check.stdout);
        assert!(
            check.stdout.contains("12 tests"),
            "{name}: {}",
            check.stdout
        );
        // An existing file is never overwritten.
        let again = call(&[arguments, &["--save-test", test]].concat());
        assert_eq!(again.code, Some(2), "{name}");
        assert!(
            again.stderr.contains("cannot write the test to"),
            "{}",
            again.stderr
        );
    }
}

#[test]
fn a_circle_comes_to_an_end() {
    let folder = Folder::new("call-circle");
    let table = folder.write(
        "table.toml",
        "[loop_guard]\nsame_call = 0\n[[route]]\nname = \"a\"\nvoice = [{ Redirect = \"?x=1\" }]\n\
         [[route]]\nname = \"elsewhere\"\nmessage = [{ Redirect = \"https://example.com/\\u202e\" }]\n\
         [default]\nvoice = [{ Say = \"No.\" }]\n",
    );
    let ran = run(program()
        .args(["call", "Caller=+14155550100", "--table"])
        .arg(&table));
    assert_eq!(
        ran.stdout,
        "a\n".repeat(50) + "The call goes in circles without waiting for anyone.\n"
    );
    let ran = run(program()
        .args(["call", "Body=hi", "Caller=+14155550100", "--table"])
        .arg(&table));
    assert_eq!(
        ran.stdout,
        "elsewhere\nThe call continues at https://example.com/\\u{202e}, which this table does not answer.\n"
    );
}

#[test]
fn what_explain_shows_affects_no_terminal() {
    let folder = Folder::new("explain-terminal");
    let table = "[[route]]\nname = \"echo\"\nmessage = [ { Message = \"{{ Body }}\" } ]\n\n\
                 [default]\nvoice = [ { Say = \"Nobody is here.\" } ]\n";
    let table = folder.write("responses.toml", table);
    let mut explain = program();
    explain
        .args(["explain", "--message", "--table"])
        .arg(table)
        .args(["To=+15005550006", "From=+14155550100"])
        .arg("Body=a\u{202e}b\u{9b}c\u{e9}");
    let (code, seen) = session(&mut explain, &[]);
    assert_eq!(code, Some(0), "{seen}");
    assert!(seen.contains("a\\u{202e}b\\u{9b}c\u{e9}"), "{seen}");
}
