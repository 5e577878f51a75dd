//! When all places are taken, the longest idle connection goes.

use std::time::Instant;

use twiml_responder::service::connection::HttpLimits;

use crate::wire::ask::hello;
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
    // The first came first, but the second has been idle for longer.
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
    // Without that it has until the head's deadline.
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
    // It may not stay, since the second waits.
    first.expect_close().await;
    second.answer().await.expect_document("hello");
}
