//! Health, metrics and the page for people on the admin listener; health also on the webhook listener.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use twiml_responder::service::responder::Responder;

use crate::wire::ask::{Ask, hello};
use crate::wire::client::Got;
use crate::wire::server::TestServer;
use crate::wire::{CALL, TOKEN, signed_service, unsigned_service};

/// A service's webhook listener and its admin listener.
async fn both(service: Responder) -> (Arc<Responder>, TestServer, TestServer) {
    let service = Arc::new(service);
    let webhooks = TestServer::start(Arc::clone(&service)).await;
    let admin = TestServer::start_admin(Arc::clone(&service)).await;
    (service, webhooks, admin)
}

fn told(got: &Got) -> (u16, &str) {
    (got.status, &got.body)
}

#[tokio::test]
async fn health_tells_how_the_service_is() {
    let service = Responder {
        has_health_paths: true,
        ..signed_service()
    };
    let (service, webhooks, admin) = both(service).await;
    for server in [&webhooks, &admin] {
        for path in ["/livez", "/readyz"] {
            let got = server.ask(&Ask::get(path)).await;
            assert_eq!(told(&got), (200, "ok\n"), "{path}");
            assert_eq!(got.header("cache-control"), Some("no-store"));
            assert_eq!(got.header("connection"), None);
        }
    }
    let now = Timestamp::UNIX_EPOCH;
    service.metrics.table_was_read("", now);
    service.metrics.degraded(true);
    for server in [&webhooks, &admin] {
        let got = server.ask(&Ask::get("/readyz")).await;
        assert_eq!(told(&got), (200, "degraded\n"));
        assert_eq!(told(&server.ask(&Ask::get("/livez")).await), (200, "ok\n"));
    }
    service.metrics.degraded(false);
    service.is_ending.store(true, Ordering::SeqCst);
    for server in [&webhooks, &admin] {
        let got = server.ask(&Ask::get("/readyz")).await;
        assert_eq!(told(&got), (503, "draining\n"));
        assert_eq!(told(&server.ask(&Ask::get("/livez")).await), (200, "ok\n"));
    }
}

#[tokio::test]
async fn a_service_that_accepts_nothing_more_does_not_live() {
    let (service, webhooks, admin) = both(signed_service()).await;
    webhooks.stop().await;
    let got = admin.ask(&Ask::get("/livez")).await;
    assert_eq!(told(&got), (503, "stuck\n"));
    // It may stop accepting when it is ending.
    service.is_ending.store(true, Ordering::SeqCst);
    assert_eq!(told(&admin.ask(&Ask::get("/livez")).await), (200, "ok\n"));
}

#[tokio::test]
async fn who_watches_may_only_look() {
    let (_service, _webhooks, admin) = both(signed_service()).await;
    for path in ["/livez", "/readyz", "/metrics"] {
        let request = Ask {
            method: "HEAD",
            ..Ask::get(path)
        };
        let mut client = admin.connect().await;
        client.send(&request.bytes()).await;
        let head = client.head().await;
        assert_eq!(head.status, 200, "{path}");
        let length = head.header("content-length").map(str::to_owned);
        assert_ne!(length.as_deref(), Some("0"), "{path}");
        // The HEAD answer had no body: the next answer begins at once.
        client.send(&Ask::get("/livez").bytes()).await;
        assert_eq!(told(&client.answer().await), (200, "ok\n"));
        let got = admin.ask(&Ask::post(path, "a=b")).await;
        assert_eq!(told(&got), (405, "only GET and HEAD are allowed\n"));
        assert_eq!(got.header("allow"), Some("GET, HEAD"));
        assert_eq!(got.header("connection"), Some("close"));
    }
    for path in ["/metrics/", "//", "/out-of-session?CallSid=CA1", "/webhook"] {
        let got = admin.ask(&Ask::get(path)).await;
        assert_eq!(got.status, 404, "{path}");
    }
}

#[tokio::test]
async fn without_the_option_the_webhook_listener_has_no_health() {
    let server = TestServer::start(signed_service()).await;
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(server.ask(&Ask::get(path)).await.status, 404, "{path}");
    }
    let service = Responder {
        has_health_paths: true,
        ..signed_service()
    };
    let server = TestServer::start(service).await;
    assert_eq!(server.ask(&Ask::get("/metrics")).await.status, 404);
    let got = server.ask(&Ask::post("/readyz", "")).await;
    assert_eq!(got.status, 405);
    server.ask(&hello()).await.expect_document("hello");
}

#[tokio::test]
async fn metrics_come_in_the_text_format_of_prometheus() {
    let (_service, _webhooks, admin) = both(signed_service()).await;
    let got = admin.ask(&Ask::get("/metrics")).await;
    let media_type = got.header("content-type");
    assert_eq!(media_type, Some("text/plain; version=0.0.4; charset=utf-8"));
    let line = "\ntwiml_responder_refusals_total{reason=\"path\"} 0\n";
    assert!(got.body.contains(line), "{}", got.body);
}

/// The page, requested as a browser on this machine would.
fn page(query: &str) -> Ask {
    Ask::get(&format!("/{query}")).host("127.0.0.1:9480")
}

#[tokio::test]
async fn the_page_is_shown_to_browsers_of_this_machine_only() {
    let service = Responder {
        has_health_paths: true,
        ..signed_service()
    };
    let (_service, webhooks, admin) = both(service).await;
    let got = admin.ask(&page("")).await;
    assert_eq!(got.status, 200);
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(got.header(name), Some(value), "{name}");
    }
    let policy = got.header("content-security-policy").expect("a policy");
    assert!(
        policy.starts_with("default-src 'none'; style-src 'sha256-"),
        "{policy}"
    );
    assert!(
        policy.ends_with("'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"),
        "{policy}"
    );
    // A website whose name was made to resolve to this address sends its own name as the host, and is refused.
    let rebound = admin.ask(&Ask::get("/")).await;
    assert_eq!(rebound.status, 421);
    assert!(
        rebound
            .body
            .starts_with("this page is shown under an IP address"),
        "{}",
        rebound.body
    );
    assert_eq!(
        rebound.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    let long = admin.ask(&page(&format!("?{}", "a".repeat(8193)))).await;
    assert_eq!(told(&long), (414, "the query is too long\n"));
    let most = admin.ask(&page(&format!("?{}", "a".repeat(8192)))).await;
    assert_eq!(most.status, 200);
    let posted = Ask::post("/", "a=b").host("127.0.0.1");
    assert_eq!(admin.ask(&posted).await.status, 405);
    assert_eq!(webhooks.ask(&page("")).await.status, 404);
}

#[tokio::test]
async fn the_page_tells_what_a_caller_would_hear_and_nobody_s_number() {
    let (service, webhooks, admin) = both(signed_service()).await;
    webhooks.ask(&hello()).await;
    webhooks.ask(&hello()).await;
    let got = admin.ask(&page("")).await;
    let row = "<strong>hello</strong>";
    assert!(got.body.contains(row), "{}", got.body);
    let counted = got.body.split(row).nth(1).expect("the row");
    let counted = counted.split("</tr>").next().expect("its end");
    assert!(counted.ends_with("<td>2</td><td>2</td>"), "{counted}");
    // An hour later the recent counts are gone, but not those since the start.
    for _ in 0..=60 {
        service.minute_is_over();
    }
    let later = admin.ask(&page("")).await;
    let counted = later.body.split(row).nth(1).expect("the row");
    let counted = counted.split("</tr>").next().expect("its end");
    assert!(counted.ends_with("<td>2</td><td>0</td>"), "{counted}");
    for secret in [TOKEN, "4155550100", "141•••••00"] {
        assert!(!later.body.contains(secret), "{secret}");
    }
    let query = "?channel=voice&f-Called=%2B15005550001&f-Caller=%2B14155550100";
    let asked = admin.ask(&page(query)).await;
    for words in [
        "<strong>hello</strong>",
        "The call ends.",
        "<td class=\"yes\">answers</td>",
    ] {
        assert!(asked.body.contains(words), "{words}: {}", asked.body);
    }
    // Every query gets a page.
    for query in [
        "?channel=voice",
        "?channel=message&f-Body=STOP",
        "?channel=x&webhook=events&at=now",
        "?channel=voice&acts=%22%22%201%20w%20%22",
        "?%00=%ff&channel=%f0&f-=1",
        "?channel=voice&f-Called=+&f-Caller=anonymous&at=2026-11-25T12:00Z",
    ] {
        let got = admin.ask(&page(query)).await;
        assert_eq!(got.status, 200, "{query}");
        assert!(got.body.ends_with("</html>\n"), "{query}");
    }
}

/// The samples of a scrape, by name and labels as written.
async fn scrape(admin: &TestServer) -> BTreeMap<String, String> {
    let got = admin.ask(&Ask::get("/metrics")).await;
    got.body
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (sample, value) = line.rsplit_once(' ').expect("a value");
            (sample.to_owned(), value.to_owned())
        })
        .collect()
}

fn expect(samples: &BTreeMap<String, String>, expected: &[(&str, &str)]) {
    for (sample, value) in expected {
        let sample = format!("twiml_responder_{sample}");
        let found = samples.get(&sample).map(String::as_str);
        assert_eq!(found, Some(*value), "{sample} in {samples:#?}");
    }
}

#[tokio::test]
async fn every_request_is_counted_once_where_it_belongs() {
    let (_, webhooks, admin) = both(signed_service()).await;
    let call = |called: &str| {
        let form = CALL.replace("15005550001", called);
        Ask::post("/webhook", &form).signed_as_asked()
    };
    let text =
        "MessageSid=SM00000000000000000000000000000001&To=%2B15005550009&From=%2B14155550100";
    let machine = "MessageSid=SM00000000000000000000000000000002&To=%2B15005550001&From=32665";
    for (request, times) in [
        (hello(), 3),
        (call("15005550002"), 2),
        (call("15005550009"), 4),
        // A Dial of a withheld number cannot be written.
        (
            Ask::post(
                "/webhook",
                "CallSid=CA00000000000000000000000000000002&Called=%2B15005550003&Caller=anonymous",
            )
            .signed_as_asked(),
            5,
        ),
        (Ask::post("/webhook", text).signed_as_asked(), 1),
        (Ask::post("/webhook", machine).signed_as_asked(), 6),
        (Ask::post("/webhook", CALL), 2),
        (
            hello()
                .with("X-Twilio-Signature", "AAAA")
                .without("X-Twilio-Signature"),
            1,
        ),
        (Ask::get("/elsewhere"), 7),
    ] {
        for _ in 0..times {
            webhooks.ask(&request).await;
        }
    }
    let samples = scrape(&admin).await;
    let requests = |channel: &str, outcome: &str| {
        format!("requests_total{{channel=\"{channel}\",outcome=\"{outcome}\"}}")
    };
    for (channel, outcome, count) in [
        ("voice", "route", "5"),
        ("voice", "default", "4"),
        ("voice", "failed-reply", "5"),
        ("voice", "panic", "0"),
        ("message", "default", "1"),
        ("message", "loop-guard", "6"),
        ("message", "route", "0"),
    ] {
        expect(&samples, &[(&requests(channel, outcome), count)]);
    }
    expect(
        &samples,
        &[
            ("answers_total{route=\"hello\"}", "3"),
            ("answers_total{route=\"more\"}", "2"),
            ("answers_total{route=\"breaks\"}", "0"),
            ("answers_total{route=\"default\"}", "10"),
            ("answers_total{route=\"loop-guard\"}", "6"),
            ("guard_answers_total{reason=\"short-code\"}", "6"),
            ("decision_seconds_count", "21"),
            ("decision_seconds_bucket{le=\"+Inf\"}", "21"),
            ("request_seconds_count", "31"),
            ("refusals_total{reason=\"signature-missing\"}", "3"),
            ("refusals_total{reason=\"path\"}", "7"),
            ("connections_opened_total", "31"),
            ("panics_total", "0"),
            ("table_routes", "4"),
        ],
    );
}

#[tokio::test]
async fn under_load_nothing_is_lost_or_counted_twice() {
    const CLIENTS: usize = 8;
    const EACH: usize = 50;
    let (_, webhooks, admin) = both(unsigned_service()).await;
    let webhooks = Arc::new(webhooks);
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..CLIENTS {
        let webhooks = Arc::clone(&webhooks);
        clients.spawn(async move {
            let mut client = webhooks.connect().await;
            for turn in 0..EACH {
                // Each is a new call, because the guard would answer one that keeps coming back.
                let sid = format!("CA{:032x}", number * EACH + turn);
                let form = CALL.replace("CA00000000000000000000000000000001", &sid);
                let request = Ask::post("/webhook", &form).host("localhost");
                client.send(&request.bytes()).await;
                client.answer().await.expect_document("hello");
            }
        });
    }
    // Counts never decrease between scrapes while the clients run.
    let count = async || -> usize {
        let samples = scrape(&admin).await;
        samples["twiml_responder_answers_total{route=\"hello\"}"]
            .parse()
            .expect("a number")
    };
    let mut before = 0;
    while !clients.is_empty() {
        let now = count().await;
        assert!((before..=CLIENTS * EACH).contains(&now), "{before} {now}");
        before = now;
        while let Some(ended) = clients.try_join_next() {
            ended.expect("a client without a complaint");
        }
    }
    let samples = scrape(&admin).await;
    let all = (CLIENTS * EACH).to_string();
    expect(
        &samples,
        &[
            ("requests_total{channel=\"voice\",outcome=\"route\"}", &*all),
            ("answers_total{route=\"hello\"}", &*all),
            ("decision_seconds_count", &*all),
            ("connections_opened_total", &CLIENTS.to_string()),
        ],
    );
}

#[tokio::test]
async fn who_fills_the_admin_listener_keeps_nobody_from_an_answer() {
    let (_, webhooks, admin) = both(signed_service()).await;
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(admin.connect().await);
    }
    webhooks.ask(&hello()).await.expect_document("hello");
    // The listener also makes room for new connections.
    assert_eq!(told(&admin.ask(&Ask::get("/livez")).await), (200, "ok\n"));
}
