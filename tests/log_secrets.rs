//! Even at its most detailed level, the log of the real program contains no secret and no unmasked number, whatever it
//! receives.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use support::{Folder, Service, program, run};

const TOKEN: &str = "2bd9e9638872de601313dc77410d3b23";

const TABLE: &str = r#"
[[route]]
name = "hello"
when = { Called = "+15005550001" }
voice = [ { Dial = "+14155550177", timeout = 20 } ]
message = [ { Message = "You wrote {{ Body }}" } ]

[[route]]
name = "breaks"
when = { Called = "+15005550003" }
voice = [ { Dial = "{{ Caller }}", callerId = "+15005550003" } ]

[default]
voice = [ { Say = "No such number." } ]
message = [ { Message = "No such number." } ]
"#;

/// What the log must not contain: secrets, texts, query values, and the digits of numbers.
const SECRETS: [&str; 4] = [TOKEN, "pr1vate-text", "s3cret-query", "wrong-signature"];
/// Other people's.
const NUMBERS: [&str; 3] = ["14155550100", "14155550177", "14155550188"];

/// The whole log of a service at level trace that has received all kinds of requests and a bad edit.
fn log_of_everything(name: &str, further: &[&str]) -> String {
    let folder = Folder::new(name);
    let table = folder.write("responses.toml", TABLE);
    let table = table.to_str().expect("UTF-8").to_owned();
    let mut arguments = vec!["--table", &*table, "--log-level", "trace"];
    arguments.extend(further);
    let service = Service::start(&arguments, &[("TWILIO_AUTH_TOKEN", TOKEN)]);
    let url = format!("http://{}/webhook?q=s3cret-query", service.address);
    let send = |fields: &[&str]| {
        let ran = run(program()
            .args(["send", "--url", &url])
            .args(fields)
            .env("TWILIO_AUTH_TOKEN", TOKEN));
        assert_eq!(ran.code, Some(0), "{ran:?}");
    };
    send(&["Called=+15005550001", "Caller=+14155550100"]);
    send(&["Called=+15005550003", "Caller=anonymous"]);
    send(&[
        "--message",
        "To=+15005550001",
        "From=+14155550100",
        "Body=pr1vate-text",
    ]);
    send(&[
        "--message",
        "To=+15005550001",
        "From=+14155550100",
        "Body=STOP",
    ]);
    let form = "CallSid=CA1&Called=%2B15005550001&Caller=%2B14155550100&Body=pr1vate-text";
    let head = |line: &str, headers: &str| {
        format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n")
    };
    let post = format!(
        "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
        form.len()
    );
    for request in [
        head("GET /webhook?Caller=%2B14155550100&q=s3cret-query", ""),
        head("GET /+14155550100?q=s3cret-query", ""),
        head("PUT /webhook?q=s3cret-query", ""),
        head("POST /webhook?q=s3cret-query", &post) + form,
        head(
            "POST /webhook?q=s3cret-query",
            &format!("{post}X-Twilio-Signature: wrong-signature\r\n"),
        ) + form,
        "+14155550100 s3cret-query\r\n\r\n".to_owned(),
    ] {
        let mut stream = TcpStream::connect(&service.address).expect("a connection");
        let timeout = stream.set_read_timeout(Some(Duration::from_secs(20)));
        timeout.expect("a timeout");
        stream.write_all(request.as_bytes()).expect("it is read");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
    }
    // A number that TwiML cannot dial.
    let bad = TABLE.replace("\"+14155550177\"", "\"14155550188\"");
    folder.write("responses.toml", &bad);
    service.wait_for("bad-number", 1);
    service.stop("-TERM").1
}

#[test]
fn no_secret_and_no_whole_number_is_logged() {
    let log = log_of_everything("log-masked", &[]);
    for hidden in SECRETS.iter().chain(&NUMBERS) {
        assert!(!log.contains(hidden), "{hidden} in\n{log}");
    }
    // The requests did happen, and were logged.
    for told in [
        "answered",
        "+141•••••00",
        "DEBUG",
        "signature does not match",
        "bad-number",
    ] {
        assert!(log.contains(told), "no {told} in\n{log}");
    }
}

#[test]
fn numbers_are_shown_when_asked_for_and_secrets_never() {
    let log = log_of_everything("log-shown", &["--show-numbers", "--log", "json"]);
    for secret in SECRETS {
        assert!(!log.contains(secret), "{secret} in\n{log}");
    }
    for number in ["14155550100", "15005550001"] {
        assert!(log.contains(number), "no {number} in\n{log}");
    }
}
