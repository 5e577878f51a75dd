//! The other webhooks of the service over real sockets: what only their senders get.

#[path = "support/wire/mod.rs"]
mod wire;

use std::path::Path;
use std::sync::Arc;

use twiml_responder::journal::line::Beyond;
use twiml_responder::language::{NoFiles, compile};
use twiml_responder::service::journal_files::JournalSettings;
use twiml_responder::service::journal_writer::Journal;
use twiml_responder::service::live::{Access, Verification};
use twiml_responder::service::responder::Responder;
use twiml_responder::table::diagnostic::File;
use twiml_responder::twilio::signature::secrets::PathKeys;
use twiml_responder::twilio::signature::secrets::Secrets;
use twiml_responder::twilio::signature::{Algorithm, Content, Secret, body_sha256, sign};

use wire::ask::Ask;
use wire::client::Got;
use wire::folder::Folder;
use wire::log::Log;
use wire::server::TestServer;
use wire::{TOKEN, signed_service};

const TABLE: &str = r#"
[default]
voice = [ { Say = "Goodbye." } ]

[[intercept]]
name = "friends"
when = { inboundParticipantSid = "KP00000000000000000000000000000009" }
block = false

[[intercept]]
name = "no-numbers"
when = { interactionType = "Message", "interactionData.body" = { regex = '\d{7}' } }
block = true
"#;

const KEY: &str = "0123456789abcdef0123456789abcdef";

fn access() -> Access {
    Access {
        verification: Verification::Signed(Secrets::parse(TOKEN).expect("a token")),
        voice_webhooks: PathKeys::parse(KEY).expect("a key"),
    }
}

fn service() -> Responder {
    let compiled = compile(&File::new("responses.toml", TABLE), &NoFiles).expect("a table");
    assert_eq!(compiled.warnings, []);
    Responder::new(Arc::new(compiled.table), access())
}

fn text(participant: &str, body: &str) -> Ask {
    let form = format!(
        "interactionSid=KI00000000000000000000000000000001&interactionType=Message\
         &inboundParticipantSid=KP0000000000000000000000000000000{participant}\
         &interactionData=%7B%22body%22%3A%22{body}%22%7D"
    );
    Ask::post("/intercept", &form)
}

#[track_caller]
fn expect_empty(got: &Got, status: u16, route: Option<&str>) {
    assert_eq!(got.status, status, "{got:?}");
    assert_eq!(got.header("twiml-route"), route, "{got:?}");
    assert_eq!((got.body.as_str(), got.header("content-type")), ("", None));
}

#[tokio::test]
async fn the_first_intercept_that_fits_decides() {
    let server = TestServer::start(service()).await;
    for (participant, body, status, route) in [
        ("1", "call+5550100", 403, "no-numbers"),
        ("1", "call+me", 204, "pass"),
        ("9", "call+5550100", 204, "friends"),
    ] {
        let got = server.ask(&text(participant, body).signed_as_asked()).await;
        expect_empty(&got, status, Some(route));
    }
    // The connection stays open after a verdict, as after a document.
    let mut client = server.connect().await;
    for _ in 0..2 {
        client
            .send(&text("1", "5550100").signed_as_asked().bytes())
            .await;
        assert_eq!(client.answer().await.status, 403);
    }
    // A call has no text to match.
    let call = Ask::get("/intercept/?interactionType=Voice").signed_as_asked();
    expect_empty(&server.ask(&call).await, 204, Some("pass"));
}

#[tokio::test]
async fn only_an_intercept_that_blocks_ever_answers_403() {
    let server = TestServer::start(service()).await;
    let blocked = text("1", "5550100");
    for (asked, status, body) in [
        (blocked.clone(), 400, "signature missing"),
        (
            blocked.clone().signed("https://example.com/other"),
            400,
            "signature does not match",
        ),
        (
            blocked.clone().without("Content-Type").signed_as_asked(),
            415,
            "the body must be application/x-www-form-urlencoded",
        ),
        (
            Ask {
                method: "PUT",
                ..blocked.clone()
            },
            405,
            "only GET and POST are allowed",
        ),
    ] {
        let got = server.ask(&asked).await;
        assert_eq!((got.status, got.body.as_str()), (status, body));
    }
    let unsigned = Responder::new(
        Arc::clone(&service().live.load().table),
        Verification::AllowUnsigned,
    );
    let server = TestServer::start(unsigned).await;
    let forwarded = blocked.clone().with("X-Forwarded-For", "203.0.113.9");
    assert_eq!(server.ask(&forwarded).await.status, 400);
    let local = blocked.host("localhost");
    assert_eq!(server.ask(&local).await.status, 403);
}

#[tokio::test]
async fn an_interaction_of_a_sub_account_is_signed_with_its_own_token() {
    const ACCOUNT: &str = "AC00000000000000000000000000000001";
    let secrets = Secrets::parse(&format!("{ACCOUNT} {TOKEN}")).expect("a token");
    let table = Arc::clone(&service().live.load().table);
    let server = TestServer::start(Responder::new(table, Verification::Signed(secrets))).await;
    let of = |account: &str| {
        let form = format!("interactionType=Voice&interactionAccountSid={account}");
        Ask::post("/intercept", &form).signed_as_asked()
    };
    expect_empty(&server.ask(&of(ACCOUNT)).await, 204, Some("pass"));
    let other = of("AC00000000000000000000000000000002");
    assert_eq!(server.ask(&other).await.status, 400);
}

#[tokio::test]
async fn a_fault_lets_the_interaction_go_on() {
    let log = Log::default();
    let _listening = log.listen();
    let blocked = text("1", "5550100").signed_as_asked();
    let broken = Responder {
        intercept: |_, _, _| panic!("a fault"),
        ..service()
    };
    let server = TestServer::start(broken).await;
    let got = server.ask(&blocked).await;
    expect_empty(&got, 204, Some("pass"));
    assert!(
        log.text().contains("an intercept panicked"),
        "{}",
        log.text()
    );
}

#[tokio::test]
async fn a_broken_clock_leaves_the_system_s_time() {
    let broken = Responder {
        clock: || panic!("no clock"),
        ..service()
    };
    let server = TestServer::start(broken).await;
    let blocked = text("1", "5550100").signed_as_asked();
    expect_empty(&server.ask(&blocked).await, 403, Some("no-numbers"));
}

#[tokio::test]
async fn a_verdict_is_one_line_without_what_was_written() {
    let log = Log::default();
    let _listening = log.listen();
    let server = TestServer::start(service()).await;
    server.ask(&text("1", "5550100").signed_as_asked()).await;
    let line = log.line("answered");
    for part in [
        "webhook=\"intercept\"",
        "channel=\"message\"",
        "route=\"no-numbers\"",
        "status=403",
        "sid=\"KI00000000000000000000000000000001\"",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(!log.text().contains("5550100"), "{}", log.text());
}

#[tokio::test]
async fn interactions_are_counted() {
    let service = service();
    let metrics = Arc::clone(&service.metrics);
    let server = TestServer::start(service).await;
    for body in ["5550100", "hello", "hello"] {
        server.ask(&text("1", body).signed_as_asked()).await;
    }
    let text = metrics.text();
    for line in [
        "interactions_total{outcome=\"block\"} 1",
        "interactions_total{outcome=\"pass\"} 2",
        "interactions_total{outcome=\"panic\"} 0",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn a_webhook_that_nothing_asks_for_is_not_there() {
    let server = TestServer::start(signed_service()).await;
    for path in [
        "/intercept",
        "/callback",
        "/events",
        &format!("/voice-webhooks/{KEY}"),
    ] {
        let got = server.ask(&Ask::post(path, "a=1").signed_as_asked()).await;
        assert_eq!(
            (got.status, got.body.as_str()),
            (404, "not found"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn voice_webhooks_are_taken_with_their_key_and_are_not_there_without() {
    let log = Log::default();
    let _listening = log.listen();
    let server = TestServer::start(service()).await;
    let fields = "Action=Webhook&Event=Call.Initiate&Call.Sid=C1&Call.From=%2B61491570156";
    for asked in [
        Ask::get(&format!("/voice-webhooks/{KEY}?{fields}")),
        Ask::post(&format!("/voice-webhooks/{KEY}/"), fields),
    ] {
        expect_empty(&server.ask(&asked).await, 204, None);
    }
    let raw = |path: String| {
        let server = &server;
        async move {
            let mut client = server.connect().await;
            client.send(&Ask::get(&path).bytes()).await;
            while client.read_more().await {}
            let answer = String::from_utf8(client.received.clone()).expect("text");
            let lines = answer
                .split("\r\n")
                .filter(|line| !line.starts_with("date"));
            lines.collect::<Vec<_>>().join("\n")
        }
    };
    let other = raw("/no-such-path".to_owned()).await;
    assert!(other.starts_with("HTTP/1.1 404"), "{other}");
    for key in ["", &KEY[1..], &KEY.to_uppercase(), "x", &format!("{KEY}0")] {
        assert_eq!(raw(format!("/voice-webhooks/{key}")).await, other, "{key}");
    }
    let log = log.text();
    assert!(log.contains("webhook=\"voice-webhooks\""), "{log}");
    assert!(
        !log.contains(&KEY[1..]) && !log.contains("61491570156"),
        "{log}"
    );
}

/// The same service, with a journal in this folder.
fn with_journal(folder: &Path) -> Responder {
    let service = service();
    let options = JournalSettings {
        folder: Some(folder.to_owned()),
        beyond: Beyond::default(),
        max_size_bytes: 1 << 20,
        max_files: 2,
    };
    let (journal, _) = Journal::begin(options, Arc::clone(&service.metrics)).expect("a thread");
    Responder {
        journal: Some(journal),
        ..service
    }
}

/// The lines of the journal: the webhook and the SID or id of each.
fn lines(folder: &Path) -> Vec<(String, String)> {
    let files = std::fs::read_dir(folder).expect("the journal's folder");
    let mut lines = Vec::new();
    for file in files.map(|file| file.expect("a file").path()) {
        if file
            .extension()
            .is_some_and(|extension| extension == "jsonl")
        {
            let text = std::fs::read_to_string(file).expect("text");
            lines.extend(text.lines().map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
                let word = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
                (word("webhook"), word("sid"))
            }));
        }
    }
    lines
}

/// A batch of events of this type, posted and signed as Twilio does.
fn batch(ids: &[&str], kind: &str, test_id: &str) -> Ask {
    let events: Vec<serde_json::Value> = ids
        .iter()
        .map(|id| {
            serde_json::json!({
                "specversion": "1.0", "type": kind, "id": id, "source": "x",
                "time": "2026-01-02T03:04:05Z", "data": { "test_id": test_id },
            })
        })
        .collect();
    json(&serde_json::Value::from(events).to_string())
}

fn json(body: &str) -> Ask {
    let target = format!("/events?bodySHA256={}", body_sha256(body.as_bytes()));
    let signature = sign(
        &Secret::new(TOKEN),
        Algorithm::HmacSha1,
        &format!("http://example.com{target}"),
        Content::Bytes(body.as_bytes()),
    );
    Ask::post(&target, body)
        .without("Content-Type")
        .with("Content-Type", "application/json")
        .with("X-Twilio-Signature", &signature)
}

const SUMMARY: &str = "com.twilio.voice.insights.call-summary.complete";
const TEST: &str = "com.twilio.eventstreams.test-event";

fn event_lines(ids: &[&str]) -> Vec<(String, String)> {
    ids.iter()
        .map(|id| ("events".to_owned(), (*id).to_owned()))
        .collect()
}

#[tokio::test]
async fn events_are_in_the_journal_once_when_they_are_said_to_be_kept() {
    let folder = Folder::new("events");
    let server = TestServer::start(with_journal(&folder.0)).await;
    expect_empty(
        &server.ask(&batch(&["EZ1", "EZ2"], SUMMARY, "")).await,
        204,
        None,
    );
    assert_eq!(lines(&folder.0), event_lines(&["EZ1", "EZ2"]));
    for (ids, all) in [
        (&["EZ2"][..], &["EZ1", "EZ2"][..]),
        (&["EZ3", "EZ1", "EZ3"], &["EZ1", "EZ2", "EZ3"]),
        (&[], &["EZ1", "EZ2", "EZ3"]),
    ] {
        expect_empty(&server.ask(&batch(ids, SUMMARY, "")).await, 204, None);
        assert_eq!(lines(&folder.0), event_lines(all));
    }
    // All test events of a sink have the same id.
    let account = "AC00000000000000000000000000000001";
    for (test_id, count) in [("a", 4), ("b", 5), ("a", 5)] {
        let got = server.ask(&batch(&[account], TEST, test_id)).await;
        expect_empty(&got, 204, None);
        assert_eq!(lines(&folder.0).len(), count, "{test_id}");
    }
}

#[tokio::test]
async fn an_event_that_comes_twice_at_once_is_written_once() {
    let folder = Folder::new("events-at-once");
    let server = TestServer::start(with_journal(&folder.0)).await;
    let asked = batch(&["EZ1"], SUMMARY, "");
    let (a, b, c) = tokio::join!(server.ask(&asked), server.ask(&asked), server.ask(&asked));
    let statuses = [a.status, b.status, c.status];
    // Until it is known whether the event was kept, the other senders are asked to try again.
    assert!(
        statuses.contains(&204) && statuses.iter().all(|status| [204, 503].contains(status)),
        "{statuses:?}"
    );
    expect_empty(&server.ask(&asked).await, 204, None);
    assert_eq!(lines(&folder.0), event_lines(&["EZ1"]));
}

#[tokio::test]
async fn events_that_cannot_be_kept_are_asked_for_again() {
    let folder = Folder::new("events-not-kept");
    let journal = folder.0.join("journal");
    std::fs::write(&journal, "in the way").expect("a file");
    let server = TestServer::start(with_journal(&journal)).await;
    let asked = batch(&["EZ1"], SUMMARY, "");
    for _ in 0..2 {
        expect_empty(&server.ask(&asked).await, 503, None);
    }
    std::fs::remove_file(&journal).expect("it goes");
    for _ in 0..2 {
        expect_empty(&server.ask(&asked).await, 204, None);
        assert_eq!(lines(&journal), event_lines(&["EZ1"]));
    }
}

#[tokio::test]
async fn what_is_no_array_of_events_or_not_signed_is_not_kept() {
    let folder = Folder::new("events-refused");
    let server = TestServer::start(with_journal(&folder.0)).await;
    let whole = batch(&["EZ1"], SUMMARY, "");
    let altered = Ask {
        body: batch(&["EZ2"], SUMMARY, "").body,
        ..whole.clone()
    };
    for (asked, status, body) in [
        (
            json("{\"id\":\"EZ1\"}"),
            400,
            "the body must be an array of events",
        ),
        (altered, 403, "signature does not match"),
        (
            whole.clone().without("X-Twilio-Signature"),
            403,
            "signature missing",
        ),
    ] {
        let got = server.ask(&asked).await;
        assert_eq!((got.status, got.body.as_str()), (status, body));
    }
    expect_empty(&server.ask(&whole).await, 204, None);
    assert_eq!(lines(&folder.0), event_lines(&["EZ1"]));
}

#[tokio::test]
async fn a_callback_is_taken_and_in_the_journal() {
    let folder = Folder::new("callback");
    let server = TestServer::start(with_journal(&folder.0)).await;
    let sid = "KI00000000000000000000000000000001";
    let form =
        format!("interactionSid={sid}&interactionType=Voice&outboundResourceStatus=completed");
    let callback = Ask::post("/callback", &form).signed_as_asked();
    expect_empty(&server.ask(&callback).await, 204, None);
    let got = server.ask(&Ask::post("/callback", &form)).await;
    assert_eq!((got.status, got.body.as_str()), (403, "signature missing"));
    // Lines are written in order of arrival: once the event is kept, the callback is in the journal, too.
    expect_empty(&server.ask(&batch(&["EZ1"], SUMMARY, "")).await, 204, None);
    let wanted = [("callback".to_owned(), sid.to_owned())];
    assert_eq!(
        lines(&folder.0),
        [&wanted[..], &event_lines(&["EZ1"])].concat()
    );
}
