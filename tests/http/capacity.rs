//! When all places are taken, the slowest request or the longest idle connection goes.

use std::time::{Duration, Instant};

use twiml_responder::service::connection::HttpLimits;

use crate::wire::ask::{Ask, hello};
use crate::wire::server::TestServer;
use crate::wire::signed_service;

#[tokio::test]
async fn the_longest_idle_connection_makes_room() {
    let limits = HttpLimits {
        max_connections: 2,
        ..HttpLimits::default()
    };
    let server = TestServer::start_with(signed_service(), limits).await;
    let mut first = server.connect().await;
    let mut second = server.connect().await;
    for client in [&mut second, &mut first] {
        client.send(&hello().bytes()).await;
        client.answer().await.expect_document("hello");
    }
    // The first connection is older, but the second has been idle longer.
    server.ask(&hello()).await.expect_document("hello");
    second.expect_close().await;
    first.send(&hello().bytes()).await;
    first.answer().await.expect_document("hello");
}

#[tokio::test]
async fn a_silent_connection_makes_room() {
    let limits = HttpLimits {
        max_connections: 1,
        ..HttpLimits::default()
    };
    let server = TestServer::start_with(signed_service(), limits).await;
    let begin = Instant::now();
    let mut silent = server.connect().await;
    server.ask(&hello()).await.expect_document("hello");
    silent.expect_close().await;
    // Otherwise it could stay until the deadline for the head.
    assert!(begin.elapsed() < limits.head);
}

#[tokio::test]
async fn a_running_request_is_not_closed_for_another() {
    let limits = HttpLimits {
        max_connections: 1,
        ..HttpLimits::default()
    };
    let server = TestServer::start_with(signed_service(), limits).await;
    let bytes = hello().bytes();
    let (begin, end) = bytes.split_at(bytes.len() - 1);
    let mut first = server.connect().await;
    first.send(&begin[..20]).await;
    first.send(&begin[20..]).await;
    let mut second = server.connect().await;
    second.send(&bytes).await;
    first.send(end).await;
    first.answer().await.expect_document("hello");
    // It is closed because the second one waits.
    first.expect_close().await;
    second.answer().await.expect_document("hello");
}

#[tokio::test]
async fn slow_heads_and_bodies_make_room_after_a_second() {
    const SLOW: usize = 20;
    let limits = HttpLimits {
        max_connections: SLOW,
        ..HttpLimits::default()
    };
    let server = TestServer::start_with(signed_service(), limits).await;
    let bytes = hello().bytes();
    let mut slow = Vec::new();
    for number in 0..SLOW {
        let mut client = server.connect().await;
        // Half a head, or a head and half a body.
        let part = [30, bytes.len() - 1][number % 2];
        client.send(&bytes[..part]).await;
        slow.push(client);
    }
    let begin = Instant::now();
    let mut answered = Vec::new();
    for _ in 0..SLOW {
        let mut client = server.connect().await;
        client.send(&bytes).await;
        client.answer().await.expect_document("hello");
        // It stays open, and takes the place.
        answered.push(client);
    }
    // Without that they would stay until their deadlines.
    assert!(begin.elapsed() < limits.head / 2, "{:?}", begin.elapsed());
    for mut client in slow {
        client.expect_close().await;
    }
}

#[tokio::test]
async fn a_refused_client_that_lingers_makes_room() {
    let limits = HttpLimits {
        max_connections: 1,
        linger: Duration::from_secs(60),
        ..HttpLimits::default()
    };
    let server = TestServer::start_with(signed_service(), limits).await;
    let mut refused = server.connect().await;
    refused
        .send(b"PUT /webhook HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n")
        .await;
    assert_eq!(refused.answer().await.status, 405);
    server.ask(&hello()).await.expect_document("hello");
}

#[tokio::test]
async fn health_is_told_next_to_clients_that_only_hold_their_places() {
    let server = TestServer::start_admin(signed_service().into()).await;
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut client = server.connect().await;
        client.send(b"GET /livez HT").await;
        slow.push(client);
    }
    let begin = Instant::now();
    // Nobody looks after the accept loop of the webhooks here, so the answer takes as long as that is waited for.
    let got = server
        .ask(&Ask::get("/readyz").with("Connection", "close"))
        .await;
    assert_eq!(got.status, 200);
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "{:?}",
        begin.elapsed()
    );
}
