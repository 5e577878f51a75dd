//! What is refused and how, and that nothing follows a refusal.

use twiml_responder::service::live::Verification;
use twiml_responder::service::responder::Responder;
use twiml_responder::twilio::signature::secrets::Secrets;

use crate::wire::ask::{Ask, hello};
use crate::wire::server::{TestServer, expect_refusal};
use crate::wire::{CALL, TOKEN, signed_service, table};

#[tokio::test]
async fn what_is_not_signed_is_refused() {
    let server = TestServer::start(signed_service()).await;
    let missing = "signature missing";
    let mismatch = "signature does not match";
    for (request, text) in [
        (Ask::post("/out-of-session", CALL), missing),
        (Ask::get(&format!("/out-of-session?{CALL}")), missing),
        (
            Ask::post("/webhook", CALL).with("X-Twilio-Signature", ""),
            missing,
        ),
        (
            Ask::post("/webhook", CALL).with("X-Twilio-Signature", "AAAA"),
            mismatch,
        ),
        (
            Ask::post("/webhook", CALL).signed("http://example.com/out-of-session"),
            mismatch,
        ),
        (
            Ask::post("/webhook", CALL).signed("https://example.com/webhook"),
            mismatch,
        ),
        (
            Ask::post("/webhook", CALL)
                .signed_as_asked()
                .host("example.org"),
            mismatch,
        ),
        (
            Ask {
                body: b"CallSid=CA2".to_vec(),
                ..hello()
            },
            mismatch,
        ),
    ] {
        expect_refusal(&server, &request.bytes(), 403, text).await;
    }
}

#[tokio::test]
async fn signalwires_header_is_for_its_own_keys_and_yields_to_twilios() {
    const KEY: &str = "PSK0123456789";
    let secrets = Secrets::parse(&format!("{TOKEN}\nsignalwire {KEY}")).expect("two secrets");
    let service = Responder::new(table(), Verification::Signed(secrets));
    let server = TestServer::start(service).await;
    let (twilios, signalwires) = ("X-Twilio-Signature", "X-SignalWire-Signature");
    for target in ["/webhook?a=1", "/out-of-session"] {
        let asked = Ask::post(target, CALL);
        let url = format!("http://example.com{target}");
        let (token, key) = (asked.signature(TOKEN, &url), asked.signature(KEY, &url));
        let with = |headers: &[(&'static str, &str)]| {
            let mut asked = asked.clone();
            for (name, value) in headers {
                asked = asked.with(name, value);
            }
            asked
        };
        for headers in [
            &[(signalwires, &*key)][..],
            &[(twilios, &token)],
            &[(twilios, &token), (signalwires, &key)],
            &[(signalwires, "AAAA"), (twilios, &token)],
        ] {
            server.ask(&with(headers)).await.expect_document("hello");
        }
        let (missing, mismatch) = ("signature missing", "signature does not match");
        for (headers, text) in [
            (&[(signalwires, &*token)][..], mismatch),
            (&[(twilios, &key)], mismatch),
            (&[(twilios, "AAAA"), (signalwires, &key)], mismatch),
            (&[(twilios, ""), (signalwires, &key)], missing),
            (&[(signalwires, "")], missing),
        ] {
            expect_refusal(&server, &with(headers).bytes(), 403, text).await;
        }
    }
}

#[tokio::test]
async fn other_paths_methods_and_types_are_refused() {
    let server = TestServer::start(signed_service()).await;
    let not_a_form = "the body must be application/x-www-form-urlencoded";
    let with_type = |value: &str| hello().without("Content-Type").with("Content-Type", value);
    for (request, status, text) in [
        (Ask::post("/", CALL).signed_as_asked(), 404, "not found"),
        (
            Ask::post("/out-of-session//", CALL).signed_as_asked(),
            404,
            "not found",
        ),
        (Ask::get("/livez"), 404, "not found"),
        (Ask::get("/metrics"), 404, "not found"),
        (
            Ask {
                method: "PUT",
                ..hello()
            },
            405,
            "only GET and POST are allowed",
        ),
        (
            Ask {
                method: "HEAD",
                ..hello()
            },
            405,
            "only GET and POST are allowed",
        ),
        (
            Ask {
                method: "BREW",
                ..hello()
            },
            405,
            "only GET and POST are allowed",
        ),
        (
            Ask {
                method: "OPTIONS",
                target: "*".to_owned(),
                ..hello()
            },
            404,
            "not found",
        ),
        (
            Ask {
                method: "CONNECT",
                target: "example.com:80".to_owned(),
                ..hello()
            },
            404,
            "not found",
        ),
        (hello().without("Content-Type"), 415, not_a_form),
        (with_type("application/json"), 415, not_a_form),
        (
            with_type("multipart/form-data; boundary=x"),
            415,
            not_a_form,
        ),
        (
            with_type("application/x-www-form-urlencoded2"),
            415,
            not_a_form,
        ),
        (hello().with("Content-Encoding", "gzip"), 415, not_a_form),
    ] {
        expect_refusal(&server, &request.bytes(), status, text).await;
    }
}

#[tokio::test]
async fn get_is_refused_where_only_post_is_meant() {
    let service = Responder {
        post_only: true,
        ..signed_service()
    };
    let strict = TestServer::start(service).await;
    let server = TestServer::start(signed_service()).await;
    // What is signed has nothing between the URL, the names and the values, so a text can become a query.
    let form = "Body=%26step%3Dlost%26Digits%3D1%26x%3D&From=%2B14155550100&MessageSid=SM1";
    let text = Ask::post("/webhook?a=b", form);
    let signature = text.signature(TOKEN, "http://example.com/webhook?a=b");
    let text = text.with("X-Twilio-Signature", &signature);
    let cut = "/webhook?a=bBody&step=lost&Digits=1&x=From+14155550100MessageSidSM1";
    let cut = Ask::get(cut).with("X-Twilio-Signature", &signature);
    for server in [&server, &strict] {
        assert_eq!(server.ask(&text).await.status, 200);
    }
    assert_eq!(server.ask(&cut).await.status, 200);
    let got = strict.ask(&cut).await;
    assert_eq!(
        (got.status, got.body.as_str()),
        (405, "only POST is allowed")
    );
    assert_eq!(got.header("allow"), Some("POST"));
}

#[tokio::test]
async fn a_host_is_asked_for_once() {
    let server = TestServer::start(signed_service()).await;
    let text = "one Host header is needed";
    for request in [
        Ask {
            host: None,
            ..hello()
        },
        Ask {
            host: None,
            version: "HTTP/1.0",
            ..hello()
        },
        hello().with("Host", "example.com"),
        hello().host(""),
        hello().host("example.com/x"),
        hello().host("user@example.com"),
    ] {
        expect_refusal(&server, &request.bytes(), 400, text).await;
    }
    // An absolute URL in the request line determines the host, whatever the header says.
    let request = Ask {
        target: "http://example.com/webhook?a=1".to_owned(),
        ..Ask::post("/webhook", CALL).signed("http://example.com/webhook?a=1")
    };
    server
        .ask(&request.host("other"))
        .await
        .expect_document("hello");
}

#[tokio::test]
async fn what_is_too_large_is_refused_without_reading_it() {
    let server = TestServer::start(signed_service()).await;
    let too_large = "the body is too large";
    let announced = Ask::post("/webhook", "").with("Content-Length", "262145");
    expect_refusal(&server, &announced.bytes(), 413, too_large).await;
    let huge = Ask::post("/webhook", "").with("Content-Length", "9223372036854775807");
    expect_refusal(&server, &huge.bytes(), 413, too_large).await;
    let expecting = announced.with("Expect", "100-continue");
    expect_refusal(&server, &expecting.bytes(), 413, too_large).await;

    let chunked = Ask::post("/webhook", "").with("Transfer-Encoding", "chunked");
    let mut bytes = chunked.head();
    for _ in 0..257 {
        bytes.extend_from_slice(b"400\r\n");
        bytes.extend_from_slice(&[b'a'; 1024]);
        bytes.extend_from_slice(b"\r\n");
    }
    // The body is never finished.
    expect_refusal(&server, &bytes, 413, too_large).await;

    let long_path = format!("/{}", "a".repeat(66_000));
    expect_refusal(&server, &Ask::post(&long_path, CALL).bytes(), 431, "").await;
    let long_header = hello().with("X-Long", &"a".repeat(66_000));
    expect_refusal(&server, &long_header.bytes(), 431, "").await;
    let mut many_headers = hello();
    for _ in 0..200 {
        many_headers = many_headers.with("X-Many", "1");
    }
    expect_refusal(&server, &many_headers.bytes(), 431, "").await;
}

#[tokio::test]
async fn a_broken_body_is_refused() {
    let server = TestServer::start(signed_service()).await;
    let mut bytes = hello().with("Transfer-Encoding", "chunked").head();
    bytes.extend_from_slice(b"no length\r\n");
    expect_refusal(&server, &bytes, 400, "the body is not complete").await;
}

#[tokio::test]
async fn garbage_is_refused() {
    let server = TestServer::start(signed_service()).await;
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"hello\r\n\r\n",
        b"POST /out-of-session HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST /out-of-session HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        expect_refusal(&server, garbage, 400, "").await;
    }
    // HTTP/2 is closed without an answer, which it could misread.
    let mut client = server.connect().await;
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    client.expect_close().await;
    // The service is still running.
    server.ask(&hello()).await.expect_document("hello");
}
