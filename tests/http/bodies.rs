//! Bodies of every shape: at the limit, in chunks, after `Expect`, and without meaning.

use crate::wire::ask::{Ask, hello};
use crate::wire::server::TestServer;
use crate::wire::{CALL, signed_service};

#[tokio::test]
async fn a_client_that_goes_on_sending_still_hears_the_refusal() {
    let server = TestServer::start(signed_service()).await;
    let length = 16 * 1024 * 1024;
    let request = Ask::post("/webhook", "").with("Content-Length", &length.to_string());
    let mut client = server.connect().await;
    client.send(&request.head()).await;
    // The answer is read only after everything is sent; without lingering, sending would fail or the answer would be
    // lost.
    client.send(&vec![b'a'; length]).await;
    assert_eq!(client.answer().await.status, 413);
    client.expect_close().await;
}

#[tokio::test]
async fn a_body_at_the_limit_is_read() {
    let server = TestServer::start(signed_service()).await;
    let body = format!("{CALL}&Body={}", "a".repeat(262_144 - CALL.len() - 6));
    assert_eq!(body.len(), 262_144);
    let request = Ask::post("/webhook", &body).signed_as_asked();
    server.ask(&request).await.expect_document("hello");
}

#[tokio::test]
async fn a_chunked_body_is_read() {
    let server = TestServer::start(signed_service()).await;
    let request = hello().with("Transfer-Encoding", "chunked");
    let (first, second) = CALL.split_at(10);
    let mut client = server.connect().await;
    for _ in 0..2 {
        client.send(&request.head()).await;
        for piece in [first, second, ""] {
            let chunk = format!("{:x}\r\n{piece}\r\n", piece.len());
            client.send(chunk.as_bytes()).await;
        }
        client.answer().await.expect_document("hello");
    }
}

#[tokio::test]
async fn the_body_of_a_get_means_nothing() {
    let server = TestServer::start(signed_service()).await;
    let request = Ask::get(&format!("/webhook?{CALL}")).signed_as_asked();
    let mut client = server.connect().await;
    client
        .send(&request.clone().with("Content-Length", "1000000").bytes())
        .await;
    let got = client.answer().await;
    assert_eq!(got.header("connection"), Some("close"));
    got.expect_document("hello");
    client.expect_close().await;

    let mut client = server.connect().await;
    let empty = request.with("Content-Length", "0");
    for _ in 0..2 {
        client.send(&empty.bytes()).await;
        client.answer().await.expect_document("hello");
    }
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_go_on() {
    let server = TestServer::start(signed_service()).await;
    let length = CALL.len().to_string();
    let request = hello()
        .with("Content-Length", &length)
        .with("Expect", "100-continue");
    let mut client = server.connect().await;
    client.send(&request.head()).await;
    assert_eq!(client.head().await.status, 100);
    client.send(CALL.as_bytes()).await;
    client.answer().await.expect_document("hello");
}
