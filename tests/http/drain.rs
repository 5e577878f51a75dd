//! The end: what runs ends, and nothing begins.

use std::time::Duration;

use tokio::net::TcpStream;
use twiml_responder::server::Limits;

use crate::wire::ask::hello;
use crate::wire::server::TestServer;
use crate::wire::{CALL, signed_service};

#[tokio::test]
async fn a_drain_ends_what_runs_and_begins_nothing() {
    let server = TestServer::start(signed_service()).await;
    let port = server.port();
    let mut idle = server.connect().await;
    idle.send(&hello().bytes()).await;
    idle.answer().await.expect_document("hello");
    let request = hello()
        .with("Content-Length", &CALL.len().to_string())
        .with("Expect", "100-continue");
    let mut running = server.connect().await;
    running.send(&request.head()).await;
    // Now it is known to run.
    assert_eq!(running.head().await.status, 100);
    let mut half = server.connect().await;
    let bytes = hello().bytes();
    half.send(&bytes[..30]).await;

    let stopping = tokio::spawn(server.stop());
    idle.expect_close().await;
    let refused = TcpStream::connect(port).await;
    assert!(refused.is_err(), "{refused:?}");
    running.send(CALL.as_bytes()).await;
    let got = running.answer().await;
    assert_eq!(got.header("connection"), Some("close"));
    got.expect_document("hello");
    running.expect_close().await;
    half.send(&bytes[30..]).await;
    half.answer().await.expect_document("hello");
    half.expect_close().await;
    assert_eq!(stopping.await.expect("no panic"), 0);
}

#[tokio::test]
async fn a_drain_has_an_end() {
    let limits = Limits {
        drain: Duration::from_millis(50),
        ..Limits::default()
    };
    let server = TestServer::start_with(signed_service(), limits).await;
    let request = hello()
        .with("Content-Length", &CALL.len().to_string())
        .with("Expect", "100-continue");
    let mut running = server.connect().await;
    running.send(&request.head()).await;
    assert_eq!(running.head().await.status, 100);
    assert_eq!(server.stop().await, 1);
    running.expect_close().await;
}
