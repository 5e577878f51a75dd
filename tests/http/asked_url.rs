//! What was signed: the URL as the outside world sees it.

use twiml_responder::service::responder::Responder;

use crate::wire::ask::{Ask, hello};
use crate::wire::server::{TestServer, expect_refusal};
use crate::wire::{CALL, signed_service, unsigned_service};

#[tokio::test]
async fn a_port_may_be_signed_or_not() {
    let server = TestServer::start(signed_service()).await;
    for url in [
        "http://example.com:8443/webhook",
        "http://example.com/webhook",
    ] {
        let request = Ask::post("/webhook", CALL)
            .signed(url)
            .host("example.com:8443");
        server.ask(&request).await.expect_document("hello");
    }
    let request = Ask::post("/webhook", CALL).signed("http://example.com:80/webhook");
    server.ask(&request).await.expect_document("hello");
}

#[tokio::test]
async fn public_urls_win_over_what_a_request_says() {
    let public_urls = ["https://a.example.com:8443/twilio", "https://b.example.com"];
    let service = Responder {
        public_urls: public_urls.map(|url| url.parse().expect(url)).to_vec(),
        ..signed_service()
    };
    let server = TestServer::start(service).await;
    let body = CALL.replace("0001&Caller", "0002&Caller");
    for (url, step) in [
        (
            "https://a.example.com:8443/twilio/webhook?a=%2b",
            "https://a.example.com:8443/twilio/webhook?step=next",
        ),
        (
            "https://a.example.com/twilio/webhook?a=%2b",
            "https://a.example.com:8443/twilio/webhook?step=next",
        ),
        (
            "https://b.example.com/webhook?a=%2b",
            "https://b.example.com/webhook?step=next",
        ),
    ] {
        let request = Ask::post("/webhook?a=%2b", &body).signed(url);
        let got = server.ask(&request).await;
        let document = got.expect_document("more");
        assert!(document.contains(&format!(">{step}<")), "{document}");
    }
    // Neither Host nor a proxy's headers are used in addition to the public URLs.
    let request = hello()
        .with("X-Forwarded-Host", "example.com")
        .with("X-Forwarded-Proto", "http");
    assert_eq!(server.ask(&request).await.status, 403);
}

#[tokio::test]
async fn a_proxy_on_this_machine_is_believed() {
    let server = TestServer::start(signed_service()).await;
    let request = |url| Ask::post("/webhook", CALL).signed(url).host("inside:8080");
    for (request, is_answered) in [
        (
            request("https://inside:8080/webhook").with("X-Forwarded-Proto", "https"),
            true,
        ),
        (
            request("https://example.com/webhook")
                .with("X-Forwarded-Proto", "HTTPS , http")
                .with("X-Forwarded-Host", " example.com , inside"),
            true,
        ),
        (
            request("http://example.com/webhook").with("X-Forwarded-Host", "example.com"),
            true,
        ),
        (
            request("http://inside:8080/webhook").with("X-Forwarded-Proto", "gopher"),
            true,
        ),
        (
            request("http://inside:8080/webhook").with("X-Forwarded-Host", "a/b?c"),
            true,
        ),
        (
            request("http://inside:8080/webhook").with("X-Forwarded-Proto", "https"),
            false,
        ),
        (
            request("https://example.com/webhook")
                .with("Forwarded", "host=example.com;proto=https"),
            false,
        ),
    ] {
        let got = server.ask(&request).await;
        assert_eq!(got.status, if is_answered { 200 } else { 403 });
    }
}

#[tokio::test]
async fn unsigned_requests_are_answered_only_when_they_are_direct() {
    let server = TestServer::start(unsigned_service()).await;
    let direct = Ask::post("/webhook", CALL).host("localhost");
    server.ask(&direct).await.expect_document("hello");
    let text = "only direct requests from this machine are answered";
    for request in [
        direct.clone().with("Forwarded", "x"),
        direct.clone().with("X-Forwarded-Anything", "x"),
        direct.clone().with("Origin", "null"),
        direct.clone().signed("http://localhost/webhook"),
        direct.clone().host("example.com"),
        // The host in the request line wins.
        Ask {
            target: "http://example.com/webhook".to_owned(),
            ..direct
        },
    ] {
        expect_refusal(&server, &request.bytes(), 403, text).await;
    }
}
