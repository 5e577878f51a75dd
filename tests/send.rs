//! `send` posts to every webhook what its sender would, and the running service accepts it. Also `ready`, which asks as
//! containers do.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;

use twiml_responder::twilio::request::event::Event;
use twiml_responder::twilio::signature::{Algorithm, Content, Secret, body_sha256, sign};

use support::{Folder, Ran, Service, program, run};

const TOKEN: &str = "12345";
const KEY: &str = "0123456789abcdef0123456789abcdef";

const TABLE: &str = r#"
[default]
voice = [ { Say = "Goodbye." } ]

[[intercept]]
name = "no-numbers"
when = { interactionType = "Message", "interactionData.body" = { regex = '\d{7}' } }
block = true
"#;

fn ran(code: i32, stdout: &str, stderr: &str) -> Ran {
    Ran {
        code: Some(code),
        stdout: stdout.to_owned(),
        stderr: stderr.to_owned(),
    }
}

fn send(url: &str, arguments: &[&str]) -> Ran {
    run(program()
        .args(["send", "--url", url])
        .args(arguments)
        .env("TWILIO_AUTH_TOKEN", TOKEN))
}

/// The service with a table that blocks interactions, and with a key.
fn service(folder: &Folder) -> Service {
    let table = folder.write("responses.toml", TABLE);
    let keys = folder.write("keys", &format!("# ours\n{KEY}\n"));
    let paths = [table, keys].map(|path| path.display().to_string());
    Service::start(
        &["--table", &paths[0], "--voice-webhooks-key-file", &paths[1]],
        &[("TWILIO_AUTH_TOKEN", TOKEN)],
    )
}

#[test]
fn an_intercept_that_blocks_is_an_answer() {
    let folder = Folder::new("send-intercept");
    let service = service(&folder);
    let url = format!("http://{}", service.address);
    let intercept = ["--webhook", "intercept"];
    let number = "interactionData={\"body\":\"call 5550100\"}";
    assert_eq!(
        send(&url, &[&intercept[..], &[number]].concat()),
        ran(0, "403 Forbidden\nroute no-numbers\nblocked\n", "")
    );
    let passed = ran(0, "204 No Content\nroute pass\n", "");
    assert_eq!(send(&url, &intercept), passed);
    assert_eq!(
        send(&url, &[&intercept[..], &["--message"]].concat()),
        passed
    );
    // The path alone determines the webhook.
    let by_path = format!("{url}/intercept/?a=1");
    assert_eq!(send(&by_path, &["--message"]), passed);
    let forged = run(program()
        .args(["send", "--url", &url, "--webhook", "intercept", number])
        .env("TWILIO_AUTH_TOKEN", "54321"));
    assert_eq!(
        forged,
        ran(1, "400 Bad Request\nsignature does not match\n", "")
    );
    // A 403 from another webhook does not mean that an interaction is blocked.
    let elsewhere = format!("{url}/out-of-session?step=lost");
    let refused = run(program().args(["send", "--url", &elsewhere]));
    assert_eq!(
        (refused.code, refused.stdout.as_str()),
        (Some(1), "403 Forbidden\nsignature missing\n")
    );
    let (_, log) = service.stop("-TERM");
    let sids: Vec<&str> = log
        .lines()
        .filter_map(|line| line.split_once("sid=\"KI"))
        .map(|(_, after)| &after[..32])
        .collect();
    assert_eq!(sids.len(), 4, "{log}");
    assert!(
        sids.iter().collect::<std::collections::HashSet<_>>().len() == 4,
        "{sids:?}"
    );
}

#[test]
fn voice_webhooks_go_to_their_key_unsigned() {
    let folder = Folder::new("send-voice-webhooks");
    let service = service(&folder);
    let url = format!("http://{}", service.address);
    let keys = folder.path().join("keys").display().to_string();
    let taken = ran(0, "204 No Content\n", "");
    let named = ["--webhook", "voice-webhooks"];
    let with_file = [&named[..], &["--voice-webhooks-key-file", &keys]].concat();
    assert_eq!(send(&url, &with_file), taken);
    assert_eq!(send(&format!("{url}/voice-webhooks/"), &with_file), taken);
    // A token is not needed, and no message asks for one.
    let given = format!("{url}/voice-webhooks/{KEY}");
    let unsigned = run(program().args(["send", "--url", &given, "Event=Call.Initiate"]));
    assert_eq!(unsigned, taken);
    let wrong = format!("{url}/voice-webhooks/x{KEY}");
    assert_eq!(send(&wrong, &[]), ran(1, "404 Not Found\nnot found\n", ""));
    let none = "error: there is no key: name its file with --voice-webhooks-key-file\n";
    assert_eq!(send(&url, &named), ran(2, "", none));
    folder.write("keys", "short\n");
    let bad = send(&url, &with_file);
    assert!(
        bad.code == Some(2)
            && bad
                .stderr
                .contains("line 1: a key needs at least 32 characters")
            && !bad.stderr.contains("short"),
        "{bad:?}"
    );
}

#[test]
fn callbacks_and_events_go_into_the_journal() {
    let folder = Folder::new("send-journal");
    let journal = folder.path().join("journal");
    let path = journal.display().to_string();
    let service = Service::start(&["--journal", &path], &[("TWILIO_AUTH_TOKEN", TOKEN)]);
    let url = format!("http://{}", service.address);
    let taken = ran(0, "204 No Content\n", "");
    for arguments in [
        &["--webhook", "callback"][..],
        &["--webhook", "callback", "--message"],
        &["--webhook", "events"],
        &["--webhook", "events"],
        // Sending the same event twice records it once.
        &["--webhook", "events", "id=EZ7", "type=t"],
        &["--webhook", "events", "id=EZ7", "type=t"],
    ] {
        assert_eq!(send(&url, arguments), taken, "{arguments:?}");
    }
    let forged = run(program()
        .args(["send", "--url", &format!("{url}/events")])
        .env("TWILIO_AUTH_TOKEN", "54321"));
    assert_eq!(
        forged,
        ran(1, "403 Forbidden\nsignature does not match\n", "")
    );
    let (code, log) = service.stop("-TERM");
    assert_eq!(code, Some(0));
    // An event is about no call or text, or about many.
    let mut events = log
        .lines()
        .filter(|line| line.contains("webhook=\"events\""));
    assert!(
        events.clone().count() == 4 && events.all(|line| !line.contains("channel")),
        "{log}"
    );
    let mut text = String::new();
    for file in std::fs::read_dir(&journal).expect("a folder") {
        let path = file.expect("a file").path();
        if path.extension().is_some_and(|kind| kind == "jsonl") {
            text += &std::fs::read_to_string(path).expect("text");
        }
    }
    let count = |webhook: &str| {
        let word = format!("\"webhook\":\"{webhook}\"");
        text.lines().filter(|line| line.contains(&word)).count()
    };
    assert_eq!((count("callback"), count("events")), (2, 3), "{text}");
}

#[test]
fn a_url_without_a_path_gets_that_of_the_webhook() {
    let folder = Folder::new("send-path");
    let service = service(&folder);
    let url = format!("http://{}", service.address);
    let called = ["Called=+15005550006"];
    for (url, arguments) in [
        (&url, &called[..]),
        (&format!("{url}?campaign=a"), &called[..]),
        (&url, &["--webhook", "webhook"][..]),
        (&format!("{url}/webhook"), &["--webhook", "webhook"]),
        (
            &format!("{url}/out-of-session?step=lost"),
            &["--webhook", "webhook"],
        ),
    ] {
        let sent = send(url, arguments);
        let is_answered = sent.stdout.starts_with("200 OK\nroute default\n");
        assert!(is_answered && sent.code == Some(0), "{url}: {sent:?}");
    }
    // `/` may be intended: the out-of-session webhook can be there.
    let top = send(&format!("{url}/"), &called);
    assert_eq!(top, ran(1, "404 Not Found\nnot found\n", ""));
    for (path, webhook) in [
        ("/webhook", "intercept"),
        ("/voice-webhooks/x", "webhook"),
        ("/prefix/webhook/", "out-of-session"),
    ] {
        let target = format!("{url}{path}");
        let told = format!(
            "error: --webhook {webhook} contradicts the path of {target}: leave one of them out\n"
        );
        assert_eq!(send(&target, &["--webhook", webhook]), ran(2, "", &told));
    }
    // The whole URL, as in the field of Twilio's console.
    let whole = ["--public-url", "https://example.com/a/webhook"];
    let told = "error: https://example.com/a/webhook ends in the path of a webhook, but every request adds its own path: \
                write --public-url https://example.com/a\n";
    assert_eq!(send(&format!("{url}/webhook"), &whole), ran(2, "", told));
}

#[test]
fn a_misspelt_field_and_a_form_of_many_lines_get_a_word() {
    let folder = Folder::new("send-fields");
    let service = service(&folder);
    let url = format!("http://{}", service.address);
    let sent = send(
        &url,
        &["called=+15005550006", "SessionStatus=open", "campaign=a"],
    );
    assert_eq!(
        (sent.code, sent.stderr.as_str()),
        (
            Some(0),
            "warning: Twilio spells `called` as `Called`, and letter case matters\n\
             warning: `SessionStatus` is never \"open\", but `sessionStatus` is; did you mean `sessionStatus`? It is a different parameter\n"
        )
    );
    let form = folder.write("a.form", "Called=+15005550006\nCaller=+14155550100\n");
    let form = form.to_str().expect("a path of the test");
    let told = format!(
        "error: {form} has several lines, but a form is a single one: \
         join its fields with `&`, as in To=%2B15005550006&Body=Hi\n"
    );
    assert_eq!(send(&url, &["--form", form]), ran(2, "", &told));
}

/// Accepts one request and answers 204; returns the request line, the headers and the body.
fn overheard(listener: &TcpListener) -> (String, Vec<String>, Vec<u8>) {
    let (mut stream, _) = listener.accept().expect("somebody connects");
    let mut reader = BufReader::new(stream.try_clone().expect("two ends"));
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line");
        if line.trim_end().is_empty() {
            break;
        }
        lines.push(line.trim_end().to_owned());
    }
    let length = lines
        .iter()
        .find_map(|line| line.strip_prefix("content-length: "))
        .and_then(|length| length.parse().ok())
        .expect("a length");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    stream
        .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
        .expect("it is read");
    let asked = lines.remove(0);
    (asked, lines, body)
}

#[test]
fn events_are_an_array_whose_hash_is_signed() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let mut ids = Vec::new();
    for query in ["", "/events?a=1"] {
        let target = format!("{url}{query}");
        let sending = std::thread::spawn(move || {
            let public = "https://example.com/prefix";
            send(
                &target,
                &["--webhook", "events", "--public-url", public, "duration=7"],
            )
        });
        let (asked, headers, body) = overheard(&listener);
        let sent = sending.join().expect("it ends");
        assert_eq!(sent, ran(0, "204 No Content\n", ""));
        let events = Event::read_all(&body).expect("events");
        assert_eq!(
            (events.len(), &events[0].data["duration"]),
            (1, &"7".into())
        );
        ids.push(events[0].id.clone());
        let hash = body_sha256(&body);
        let path = match query {
            "" => format!("/events?bodySHA256={hash}"),
            _ => format!("/events?a=1&bodySHA256={hash}"),
        };
        assert_eq!(asked, format!("POST {path} HTTP/1.1"));
        let signature = sign(
            &Secret::new(TOKEN),
            Algorithm::HmacSha1,
            &format!("https://example.com/prefix{path}"),
            Content::Bytes(&body),
        );
        for header in [
            format!("x-twilio-signature: {signature}"),
            "content-type: application/json".to_owned(),
            "host: example.com".to_owned(),
        ] {
            assert!(headers.contains(&header), "{header}: {headers:?}");
        }
    }
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn an_answer_of_something_else_is_no_success() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let sending = std::thread::spawn(move || send(&url, &["--webhook", "webhook"]));
    overheard(&listener);
    let told = "this answer names no route, so it is not from twiml-responder: check --url\n";
    assert_eq!(
        sending.join().expect("it ends"),
        ran(1, "204 No Content\n", told)
    );
}

#[test]
fn ready_says_whether_the_service_should_get_requests() {
    let folder = Folder::new("ready");
    let table = folder.write("responses.toml", TABLE);
    let table = table.display().to_string();
    let socket = folder.path().join("admin.sock");
    let admin = format!("unix:{}", socket.display());
    let ready = |option: &str, value: &str| run(program().args(["ready", option, value]));
    let service = Service::start(
        &["--table", &table, "--admin", &admin, "--health"],
        &[("TWILIO_AUTH_TOKEN", TOKEN)],
    );
    let url = format!("http://{}", service.address);
    service.wait_for("health and metrics on ", 1);
    assert_eq!(ready("--admin", &admin), ran(0, "ok\n", ""));
    assert_eq!(ready("--url", &url), ran(0, "ok\n", ""));
    // An answer from another page.
    let other = ready("--url", &format!("{url}/other"));
    assert_eq!((other.code, other.stderr.as_str()), (Some(1), ""));
    folder.write("responses.toml", "[default");
    service.wait_for("the reload failed", 1);
    assert_eq!(ready("--url", &url), ran(0, "degraded\n", ""));
    service.stop("-TERM");
    let nobody = ready("--url", &url);
    assert_eq!(nobody.code, Some(2), "{}", nobody.stdout);
    assert!(
        nobody.stderr.starts_with("error: cannot connect to "),
        "{}",
        nobody.stderr
    );
}

#[test]
fn what_is_too_long_is_not_read_to_its_end() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    let endless = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let asked = stream.read(&mut [0; 4096]).expect("a request");
        assert!(asked > 0);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        // Until nobody reads any more.
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    let ran = send(&url, &[]);
    endless.join().expect("no panic");
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    let reason = "answers with more than 1048576 bytes\n";
    assert!(ran.stderr.ends_with(reason), "{}", ran.stderr);
    let too_long = |arguments: &[&str]| {
        let ran = run(program()
            .args(arguments)
            .args(["--form", "/dev/zero"])
            .env("TWILIO_AUTH_TOKEN", TOKEN));
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        let reason = "error: cannot read /dev/zero: it is larger than 1048576 bytes\n";
        assert_eq!(ran.stderr, reason);
    };
    too_long(&["send", "--url", &url]);
    too_long(&["verify", "--url", "https://h/x", "--signature", "x"]);
    let ran = run(program().args(["send", "--url", &url, "--auth-token-file", "/dev/zero"]));
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("it is larger than 1048576 bytes"),
        "{}",
        ran.stderr
    );
}
