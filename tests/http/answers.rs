//! A signed request gets its document, whatever fails.

use std::sync::Arc;

use twiml_responder::language::{NoFiles, compile};
use twiml_responder::service::live::Verification;
use twiml_responder::service::responder::Responder;
use twiml_responder::table::Table;
use twiml_responder::table::answer::{Answer, Asked};
use twiml_responder::table::diagnostic::File;
use twiml_responder::table::guard::LoopGuard;
use twiml_responder::twilio::signature::secrets::Secrets;

use crate::wire::ask::{Ask, hello};
use crate::wire::log::Log;
use crate::wire::server::TestServer;
use crate::wire::{CALL, DEFAULT, HELLO, TOKEN, signed_service};

// One test for each kind of request.

#[tokio::test]
async fn a_signed_post_is_answered() {
    let server = TestServer::start(signed_service()).await;
    let got = server.ask(&hello()).await;
    assert_eq!(got.version, "HTTP/1.1");
    assert_eq!(got.expect_document("hello"), HELLO);
    assert_eq!(got.header("connection"), None);
}

#[tokio::test]
async fn a_signed_get_is_answered() {
    let server = TestServer::start(signed_service()).await;
    let got = server
        .ask(&Ask::get(&format!("/out-of-session?{CALL}")).signed_as_asked())
        .await;
    assert_eq!(got.expect_document("hello"), HELLO);
    // The same signature with one more character in the URL.
    let mut other = Ask::get(&format!("/out-of-session?{CALL}")).signed_as_asked();
    other.target.push('1');
    assert_eq!(server.ask(&other).await.status, 403);
}

#[tokio::test]
async fn the_query_of_a_post_is_signed_and_read() {
    let server = TestServer::start(signed_service()).await;
    let asked = Ask::post("/webhook?step=next&x=%7E~+%2b", CALL).signed_as_asked();
    server.ask(&asked).await.expect_document("next");
    let mut other = asked;
    other.target = "/webhook?step=next&x=~~+%2b".to_owned();
    assert_eq!(server.ask(&other).await.status, 403);
}

#[tokio::test]
async fn a_call_that_waits_in_a_queue_does_not_go_in_circles() {
    const QUEUE: &str = r#"
[[route]]
name = "in"
when = { Called = "+15005550006" }
voice = [ { Enqueue = "support", waitUrl = "?step=wait", action = "?step=left" } ]
[[route]]
name = "hold"
step = "wait"
voice = [ { Say = "You are still in the queue." }, { Play = "https://example.com/half-a-minute.mp3" } ]
[[route]]
name = "left"
step = "left"
voice = [ { Say = "Goodbye." } ]
[default]
voice = [ { Say = "This number is not in use. Goodbye." } ]
"#;
    let compiled = compile(&File::new("responses.toml", QUEUE), &NoFiles);
    let table = compiled.expect("a table without a mistake").table;
    let secrets = Secrets::parse(TOKEN).expect("a token");
    let service = Responder::new(Arc::new(table), Verification::Signed(secrets));
    let server = TestServer::start(service).await;
    let mut client = server.connect().await;
    let mut ask = async |step: &str, body: &str| {
        let asked = Ask::post(&format!("/webhook?step={step}"), body).signed_as_asked();
        client.send(&asked.bytes()).await;
        let got = client.answer().await;
        got.header("twiml-route").map(str::to_owned)
    };
    for seconds in (30..).step_by(30).take(40) {
        let body = format!("{CALL}&QueueSid=QU1&QueueTime={seconds}");
        assert_eq!(ask("wait", &body).await.as_deref(), Some("hold"));
    }
    // Other requests of the call are counted.
    for _ in 0..21 {
        assert_eq!(ask("left", CALL).await.as_deref(), Some("left"));
    }
    assert_eq!(ask("left", CALL).await.as_deref(), Some("loop-guard"));
    assert_eq!(ask("wait", CALL).await.as_deref(), Some("hold"));
}

#[tokio::test]
async fn a_document_has_no_relative_url() {
    let server = TestServer::start(signed_service()).await;
    let body = CALL.replace("0001&Caller", "0002&Caller");
    let got = server
        .ask(&Ask::post("/webhook/?a=1", &body).signed_as_asked())
        .await;
    let document = got.expect_document("more");
    assert!(
        document.contains("<Redirect>http://example.com/webhook/?step=next</Redirect>"),
        "{document}"
    );
}

#[tokio::test]
async fn both_webhooks_have_a_path_with_and_without_slash() {
    let server = TestServer::start(signed_service()).await;
    for path in [
        "/out-of-session",
        "/out-of-session/",
        "/webhook",
        "/webhook/",
    ] {
        let got = server.ask(&Ask::post(path, CALL).signed_as_asked()).await;
        got.expect_document("hello");
    }
    let service = Responder {
        out_of_session: "/proxy/out".parse().expect("a path"),
        ..signed_service()
    };
    let server = TestServer::start(service).await;
    let got = server
        .ask(&Ask::post("/proxy/out", CALL).signed_as_asked())
        .await;
    got.expect_document("hello");
    assert_eq!(server.ask(&hello()).await.status, 404);
}

#[tokio::test]
async fn a_form_may_be_named_with_parameters_and_capitals() {
    let server = TestServer::start(signed_service()).await;
    for value in [
        "application/x-www-form-urlencoded; charset=UTF-8",
        "Application/X-WWW-Form-Urlencoded ;charset=utf-8;x=y",
    ] {
        let request = hello().without("Content-Type").with("Content-Type", value);
        server.ask(&request).await.expect_document("hello");
    }
    let request = hello().with("Content-Encoding", "identity");
    server.ask(&request).await.expect_document("hello");
}

// Whatever fails, the answer is a document.

#[tokio::test]
async fn a_panic_gives_the_default() {
    fn broken<'t>(_: &'t Table, _: &LoopGuard, _: &Asked<'_>) -> Answer<'t> {
        panic!("a fault for a test");
    }
    let log = Log::default();
    let _guard = log.listen();
    let service = Responder {
        core: broken,
        ..signed_service()
    };
    let server = TestServer::start(service).await;
    let mut client = server.connect().await;
    for _ in 0..2 {
        client.send(&hello().bytes()).await;
        assert_eq!(client.answer().await.expect_document("default"), DEFAULT);
    }
    assert_eq!(log.text().matches("ERROR").count(), 2, "{}", log.text());
}

#[tokio::test]
async fn a_reply_that_cannot_be_written_gives_the_default() {
    let log = Log::default();
    let _guard = log.listen();
    let server = TestServer::start(signed_service()).await;
    let body = CALL.replace("0001&Caller", "0003&Caller");
    let fits = Ask::post("/webhook", &body).signed_as_asked();
    server.ask(&fits).await.expect_document("breaks");
    assert_eq!(log.text().matches("ERROR").count(), 0, "{}", log.text());
    let body = body.replace("Caller=%2B14155550100", "Caller=anonymous");
    let request = Ask::post("/webhook", &body).signed_as_asked();
    assert_eq!(
        server.ask(&request).await.expect_document("default"),
        DEFAULT
    );
    let error = log.line("ERROR");
    assert!(error.contains("route=\"breaks\""), "{error}");
}

#[tokio::test]
async fn odd_requests_get_a_document() {
    let server = TestServer::start(signed_service()).await;
    let unknown: Vec<String> = (0..500)
        .map(|index| format!("Parameter{index}=%FF{index}"))
        .collect();
    let controls: Vec<String> = (0..=0x20).map(|byte| format!("%{byte:02X}")).collect();
    let controls = controls.concat();
    let text = "MessageSid=SM1&To=%2B15005550001";
    for (body, route) in [
        (String::new(), "default"),
        (unknown.join("&"), "default"),
        ("&&==&%zz&=".to_owned(), "default"),
        (
            format!("{text}&Body={controls}%EF%BF%BF%3C%26%5D%5D%3E"),
            "hello",
        ),
        (
            format!("{text}&Body={}", "%F0%9F%98%80".repeat(10_000)),
            "hello",
        ),
    ] {
        let request = Ask::post("/webhook", &body).signed_as_asked();
        server.ask(&request).await.expect_document(route);
    }
}
