//! How long a connection lives, and how it ends.

use tokio::io::AsyncWriteExt;

use crate::wire::ask::{Ask, hello};
use crate::wire::server::TestServer;
use crate::wire::{LONG_DOCUMENT, long_winded_service, signed_service};

#[tokio::test]
async fn a_connection_serves_several_requests() {
    let server = TestServer::start(signed_service()).await;
    let mut client = server.connect().await;
    for _ in 0..3 {
        client.send(&hello().bytes()).await;
        client.answer().await.expect_document("hello");
    }
    // The same for requests that arrive all at once.
    client.send(&hello().bytes().repeat(3)).await;
    for _ in 0..3 {
        client.answer().await.expect_document("hello");
    }
    // A refusal ends the connection.
    client.send(&Ask::get("/x").bytes()).await;
    assert_eq!(client.answer().await.status, 404);
    client.expect_close().await;
}

#[tokio::test]
async fn http_1_0_and_connection_close_close() {
    let server = TestServer::start(signed_service()).await;
    let old = Ask {
        version: "HTTP/1.0",
        ..hello()
    };
    for request in [
        old.clone(),
        old.with("Connection", "keep-alive"),
        hello().with("Connection", "close"),
    ] {
        let mut client = server.connect().await;
        client.send(&request.bytes()).await;
        let got = client.answer().await;
        assert_eq!(got.header("connection"), Some("close"));
        got.expect_document("hello");
        client.expect_close().await;
    }
}

#[tokio::test]
async fn a_client_that_closes_its_side_hears_the_answer() {
    let server = TestServer::start(long_winded_service()).await;
    let mut client = server.connect().await;
    client.send(&hello().bytes()).await;
    let shutdown = client.stream.shutdown().await;
    shutdown.expect("a half-closed connection");
    assert_eq!(client.answer().await.body.len(), LONG_DOCUMENT);
    client.expect_close().await;
}
