//! No client may be slower than the limits allow.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use twiml_responder::service::connection::HttpLimits;

use crate::wire::ask::hello;
use crate::wire::server::{TestServer, expect_refusal};
use crate::wire::{long_winded_service, signed_service, within};

#[tokio::test]
async fn a_slow_head_is_closed() {
    let limits = HttpLimits {
        head: Duration::from_millis(50),
        ..HttpLimits::default()
    };
    let server = TestServer::start_with(signed_service(), limits).await;
    for begun in ["", "POST /out-of-session HTTP/1.1\r\nHost: exam"] {
        let begin = Instant::now();
        let mut client = server.connect().await;
        client.send(begun.as_bytes()).await;
        client.expect_close().await;
        assert!(begin.elapsed() >= limits.head, "{begun:?}");
    }
    // The head of a later request has the same deadline.
    let mut client = server.connect().await;
    client.send(&hello().bytes()).await;
    client.answer().await.expect_document("hello");
    client.send(b"P").await;
    client.expect_close().await;
}

#[tokio::test]
async fn bytes_now_and_then_do_not_keep_a_head_open() {
    let limits = HttpLimits {
        head: Duration::from_millis(200),
        ..HttpLimits::default()
    };
    let server = TestServer::start_with(signed_service(), limits).await;
    let client = server.connect().await;
    let (mut read, mut write) = client.stream.into_split();
    let dripping = async move {
        let _ = write.write_all(b"GET / HTTP/1.1\r\nX-Slow: ").await;
        let mut drip = tokio::time::interval(Duration::from_millis(20));
        loop {
            drip.tick().await;
            if write.write_all(b"a").await.is_err() {
                break;
            }
        }
    };
    let dripping = tokio::spawn(dripping);
    // The end may be a reset, because the remaining bytes are not read.
    let _ = within("the end", read.read(&mut [0; 100])).await;
    dripping.abort();
}

#[tokio::test]
async fn a_slow_body_is_told_so() {
    let limits = HttpLimits {
        body: Duration::from_millis(50),
        ..HttpLimits::default()
    };
    let server = TestServer::start_with(signed_service(), limits).await;
    let request = hello().with("Content-Length", "1000");
    let text = "the body did not come in time";
    expect_refusal(&server, &request.bytes(), 408, text).await;
}

#[tokio::test]
async fn an_idle_connection_has_longer_than_a_head() {
    let limits = HttpLimits {
        head: Duration::from_millis(50),
        idle: Duration::from_millis(400),
        ..HttpLimits::default()
    };
    let server = TestServer::start_with(signed_service(), limits).await;
    let mut client = server.connect().await;
    client.send(&hello().bytes()).await;
    client.answer().await.expect_document("hello");
    let answered = Instant::now();
    client.expect_close().await;
    // The server may have finished its answer slightly before the client had read it.
    assert!(answered.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let limits = HttpLimits {
        answer: Duration::from_millis(50),
        ..HttpLimits::default()
    };
    let server = TestServer::start_with(long_winded_service(), limits).await;
    let mut client = server.connect().await;
    client.send(&hello().bytes()).await;
    assert_eq!(client.head().await.status, 200);
    // The drain may take ten seconds: it ends sooner only because the client was cut off.
    let begin = Instant::now();
    assert_eq!(server.stop().await, 0);
    assert!(begin.elapsed() < HttpLimits::default().drain);
}
