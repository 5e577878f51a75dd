//! What the log says about requests, and what it never says.

use tokio::io::AsyncWriteExt;
use twiml_responder::service::responder::Responder;

use crate::wire::ask::Ask;
use crate::wire::log::Log;
use crate::wire::server::TestServer;
use crate::wire::{CALL, TOKEN, signed_service, unsigned_service};

/// The example from the specification.
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test]
async fn a_request_is_one_line_without_numbers() {
    let log = Log::default();
    let _guard = log.listen();
    let server = TestServer::start(signed_service()).await;
    let request = Ask::post("/webhook?token=s3cret", &format!("{CALL}&Body=private"))
        .with("X-Home-Region", "us1")
        .with("traceparent", TRACE)
        .signed_as_asked();
    server.ask(&request).await.expect_document("hello");
    let line = log.line("answered");
    for part in [
        " INFO ",
        "webhook=\"webhook\"",
        "channel=\"voice\"",
        "route=\"hello\"",
        "status=200",
        "microseconds=",
        "sid=\"CA00000000000000000000000000000001\"",
        "region=\"us1\"",
        "caller=\"+141•••••00\"",
        "called=\"+15005550001\"",
        "trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\"",
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
    for secret in ["4155550100", "s3cret", "private", TOKEN] {
        assert!(!log.text().contains(secret), "{secret} in {line}");
    }
}

#[tokio::test]
async fn a_log_line_is_not_the_clients_to_write() {
    let log = Log::default();
    let _guard = log.listen();
    let service = Responder {
        show_numbers: true,
        ..unsigned_service()
    };
    let server = TestServer::start(service).await;
    let body = "CallSid=14155550100&Called=%2B15005550001&Caller=%0Aforged%1B%5B31m";
    let request = Ask::post("/webhook", body)
        .host("localhost")
        .with("X-Home-Region", "us1 forged=1");
    server.ask(&request).await.expect_document("hello");
    server.ask(&Ask::get("/forged\"%0Ared=1?also=1")).await;
    let line = log.line("answered");
    assert!(line.contains("caller=\"\\nforged\\u{1b}[31m\""), "{line}");
    assert!(line.contains("called=\"+15005550001\""), "{line}");
    for absent in ["sid=", "region="] {
        assert!(!line.contains(absent), "{absent} in {line}");
    }
    let line = log.line("refused");
    let path = "refusal=\"path\" path=\"/forged\\\"%0Ared=1\" status=404";
    assert!(line.contains(path), "{line}");
}

#[tokio::test]
async fn a_path_where_nothing_is_can_be_found_in_the_log() {
    let key = "0123456789abcdef0123456789abcdef";
    let long = format!("/{}", "ab/".repeat(60));
    let cut = format!("/{}…", "ab/".repeat(33));
    for (target, path) in [
        ("/out_of-session?token=s3cret", "/out_of-session"),
        ("//out-of-session", "//out-of-session"),
        ("/twilio/out-of-session", "/twilio/out-of-session"),
        ("/webhook/+14155550100", "/webhook/+141•••••00"),
        ("/webhook/%2B14155550100", "/webhook/%2B1415•••••00"),
        ("/voice-webhooks/hunter2", "/voice-webhooks/…"),
        (&format!("/voice-webhook/{key}/x"), "/voice-webhook/…/x"),
        (&long, &cut),
    ] {
        let log = Log::default();
        let _guard = log.listen();
        let server = TestServer::start(signed_service()).await;
        let got = server.ask(&Ask::post(target, CALL).signed_as_asked()).await;
        assert_eq!(got.status, 404, "{target}");
        let line = log.line("refused");
        assert!(
            line.contains(&format!(" path=\"{path}\" ")),
            "{target}: {line}"
        );
    }
}

#[tokio::test]
async fn what_is_not_http_1_is_named() {
    for (bytes, named) in [
        (
            &b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"[..],
            Some("speaks TLS"),
        ),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Some("speaks HTTP/2")),
        (
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
            Some("PROXY protocol"),
        ),
        (
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c",
            Some("PROXY protocol"),
        ),
        (b"PROXIES / HTTP/1.1\r\n\r\n", None),
        (b"\x16\x02", None),
    ] {
        let log = Log::default();
        let _guard = log.listen();
        let server = TestServer::start(signed_service()).await;
        let mut client = server.connect().await;
        client.send(bytes).await;
        client.stream.shutdown().await.expect("our side is closed");
        while client.read_more().await {}
        let text = log.text();
        match named {
            Some(what) => assert!(log.line(" WARN ").contains(what), "{text}"),
            None => assert!(!text.contains(" WARN "), "{text}"),
        }
    }
}

#[tokio::test]
async fn the_port_and_the_prefix_that_a_proxy_has_taken_away_are_found() {
    for (name, value, signed, public_url) in [
        (
            "X-Forwarded-Port",
            "8443",
            "https://example.com:8443/webhook",
            "https://example.com:8443",
        ),
        (
            "X-Forwarded-Prefix",
            "/twilio",
            "https://example.com/twilio/webhook",
            "https://example.com/twilio",
        ),
    ] {
        let log = Log::default();
        let _guard = log.listen();
        let server = TestServer::start(signed_service()).await;
        let request = Ask::post("/webhook", CALL)
            .with("X-Forwarded-Proto", "https")
            .with(name, value)
            .signed(signed);
        assert_eq!(server.ask(&request).await.status, 403);
        let line = log.line("WARN");
        let remedy = format!("; set --public-url {public_url}");
        assert!(
            line.contains("would match") && line.ends_with(&remedy),
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_trace_is_logged_only_when_it_is_one() {
    let log = Log::default();
    let _guard = log.listen();
    let server = TestServer::start(unsigned_service()).await;
    for (trace, is_one) in [
        (TRACE.to_owned(), true),
        (format!("{TRACE}-later"), true),
        (TRACE.replace("00-", "ff-"), false),
        (TRACE.replace("4bf9", "4BF9"), false),
        (TRACE.replace("4bf9", "x\" "), false),
        (TRACE.replace("-01", ""), false),
        (format!("00-{:032}-00f067aa0ba902b7-01", 0), false),
    ] {
        let before = log.text().len();
        server
            .ask(&Ask::get("/other").with("traceparent", &trace))
            .await;
        let line = log.text()[before..].to_owned();
        assert!(line.contains("refusal=\"path\""), "{line}");
        assert_eq!(line.contains("trace_id="), is_one, "{trace}: {line}");
    }
}

#[tokio::test]
async fn what_is_to_be_looked_into_names_its_call_or_text() {
    let log = Log::default();
    let _guard = log.listen();
    let server = TestServer::start(unsigned_service()).await;
    let sid = |number: u32| format!("{number:032}");
    let breaks = format!(
        "CallSid=CA{}&Called=%2B15005550003&Caller=anonymous",
        sid(1)
    );
    let cut = format!(
        "MessageSid=SM{}&To=%2B15005550001&From=%2B14155550100&Body={}",
        sid(2),
        "x".repeat(1600)
    );
    let guarded = format!("MessageSid=SM{}&To=%2B15005550001&From=12345", sid(3));
    for body in [&breaks, &cut, &guarded] {
        let request = Ask::post("/webhook", body).host("localhost");
        assert_eq!(server.ask(&request).await.status, 200);
    }
    for (words, sid) in [
        ("the reply cannot be written", format!("CA{}", sid(1))),
        ("were cut", format!("SM{}", sid(2))),
        ("the guard answers", format!("SM{}", sid(3))),
    ] {
        let line = log.line(words);
        assert!(line.contains(&format!("sid=\"{sid}\"")), "{line}");
    }
}

#[tokio::test]
async fn a_wrong_signature_is_explained_once_a_second() {
    let log = Log::default();
    let _guard = log.listen();
    let server = TestServer::start(signed_service()).await;
    let request =
        Ask::post("/webhook?token=s3cret", CALL).signed("https://example.com/webhook?token=s3cret");
    for _ in 0..5 {
        assert_eq!(server.ask(&request).await.status, 403);
    }
    let text = log.text();
    assert_eq!(text.matches(" WARN ").count(), 5, "{text}");
    let first = text.lines().next().expect("a line");
    assert!(first.contains("signature does not match"), "{first}");
    assert!(
        first.contains("http://example.com/webhook?token=…"),
        "{first}"
    );
    assert!(
        first.contains("--public-url https://example.com"),
        "{first}"
    );
    assert!(
        text.contains("the reason is looked for once a second"),
        "{text}"
    );
    for secret in ["s3cret", "4155550100", TOKEN] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[tokio::test]
async fn a_host_that_is_no_public_url_is_found() {
    let log = Log::default();
    let _guard = log.listen();
    let public_url = "https://old.example.com/twilio";
    let service = Responder {
        public_urls: vec![public_url.parse().expect(public_url)],
        ..signed_service()
    };
    let server = TestServer::start(service).await;
    let request = Ask::post("/webhook", CALL).signed("https://example.com/twilio/webhook");
    assert_eq!(server.ask(&request).await.status, 403);
    let line = log.line("WARN");
    let remedy = "--public-url https://example.com/twilio";
    assert!(line.contains(remedy), "{line}");
}

#[tokio::test]
async fn an_unsigned_request_that_is_refused_is_explained() {
    let log = Log::default();
    let _guard = log.listen();
    let server = TestServer::start(unsigned_service()).await;
    let direct = Ask::post("/webhook", CALL).host("localhost");
    let forwarded = direct.with("X-Forwarded-For", "203.0.113.9");
    assert_eq!(server.ask(&forwarded).await.status, 403);
    let line = log.line("WARN");
    assert!(line.contains("it has the header x-forwarded-for"), "{line}");
}
