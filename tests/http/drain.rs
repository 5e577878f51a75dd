//! The end of the service: running requests finish, and no new ones begin.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::TcpStream;
use twiml_responder::service::connection::HttpLimits;
use twiml_responder::service::listener::Listener;
use twiml_responder::service::live::Verification;
use twiml_responder::service::responder::Responder;
use twiml_responder::service::server::{Purpose, run};
use twiml_responder::twilio::signature::secrets::Secrets;

use crate::wire::ask::hello;
use crate::wire::client::Client;
use crate::wire::server::TestServer;
use crate::wire::{CALL, signed_service, table, within};

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
    // Now the request is certain to be running.
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
    let limits = HttpLimits {
        drain: Duration::from_millis(50),
        ..HttpLimits::default()
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

#[tokio::test]
async fn a_drain_hears_out_who_has_just_come() {
    let server = TestServer::start(signed_service()).await;
    let mut silent = server.connect().await;
    let mut late = server.connect().await;
    // They connected before this request, so they have been accepted.
    server.ask(&hello()).await.expect_document("hello");
    let stopping = tokio::spawn(server.stop());
    late.send(&hello().bytes()).await;
    let got = late.answer().await;
    assert_eq!(got.header("connection"), Some("close"));
    got.expect_document("hello");
    late.expect_close().await;
    silent.expect_close().await;
    assert_eq!(stopping.await.expect("no panic"), 0);
}

#[tokio::test]
async fn a_drain_hears_out_who_was_just_answered() {
    let server = TestServer::start(signed_service()).await;
    let mut busy = server.connect().await;
    busy.send(&hello().bytes()).await;
    busy.answer().await.expect_document("hello");
    let port = server.port();
    let stopping = tokio::spawn(server.stop());
    // The drain has begun once nobody listens.
    while TcpStream::connect(port).await.is_ok() {}
    busy.send(&hello().bytes()).await;
    let got = busy.answer().await;
    assert_eq!(got.header("connection"), Some("close"));
    got.expect_document("hello");
    busy.expect_close().await;
    assert_eq!(stopping.await.expect("no panic"), 0);
}

/// Opens this many connections, and sends a request on each.
async fn ask_without_waiting(times: usize, address: &str) -> Vec<Client<TcpStream>> {
    let mut clients = Vec::new();
    for _ in 0..times {
        let stream = TcpStream::connect(address).await.expect("a connection");
        let mut client = Client::new(stream);
        client.send(&hello().bytes()).await;
        clients.push(client);
    }
    clients
}

async fn run_to_the_end(listener: Listener, service: Responder) -> usize {
    let run = run(
        Purpose::Webhooks,
        vec![listener],
        Arc::new(service),
        HttpLimits::default(),
        async {},
    );
    within("a run that ends at once", run).await
}

#[tokio::test]
async fn who_waits_to_be_accepted_at_the_end_gets_an_answer() {
    let any_port = "127.0.0.1:0".parse().expect("an address");
    let listener = Listener::bind(&any_port).await.expect("a free port");
    let address = listener.address().expect("its address").to_string();
    // More than the runtime accepts at a time.
    let mut waiting = ask_without_waiting(300, &address).await;
    assert_eq!(run_to_the_end(listener, signed_service()).await, 0);
    for client in &mut waiting {
        assert_eq!(client.answer().await.status, 200);
    }
}

#[tokio::test]
async fn who_waits_at_an_inherited_socket_is_answered_by_the_next() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("its address").to_string();
    let mut waiting = ask_without_waiting(20, &address).await;
    let inherited = || {
        let socket = socket.try_clone().expect("another handle");
        Listener::inherited(socket.into()).expect("a socket that listens")
    };
    // It would refuse the requests, because it has a different secret.
    let secrets = Secrets::parse("0123456789abcdef0123456789abcdef").expect("a token");
    let refusing = Responder::new(table(), Verification::Signed(secrets));
    assert_eq!(run_to_the_end(inherited(), refusing).await, 0);
    let next = TestServer::start_listening(inherited(), signed_service(), HttpLimits::default());
    for client in &mut waiting {
        client.answer().await.expect_document("hello");
    }
    assert_eq!(next.stop().await, 0);
    // The socket is still open for a third service.
    ask_without_waiting(1, &address).await;
}

#[tokio::test]
async fn answers_close_their_connection_once_the_end_is_known() {
    let service = signed_service();
    let is_ending = Arc::clone(&service.is_ending);
    let server = TestServer::start(service).await;
    let mut client = server.connect().await;
    client.send(&hello().bytes()).await;
    assert_eq!(client.answer().await.header("connection"), None);
    is_ending.store(true, Ordering::SeqCst);
    client.send(&hello().bytes()).await;
    let got = client.answer().await;
    assert_eq!(got.header("connection"), Some("close"));
    got.expect_document("hello");
    client.expect_close().await;
    // New connections are answered, too.
    server.ask(&hello()).await.expect_document("hello");
}

#[tokio::test]
async fn the_accept_loop_answers_while_it_runs() {
    let service = signed_service();
    let pulse = Arc::clone(&service.pulse);
    let limits = HttpLimits {
        max_connections: 1,
        ..HttpLimits::default()
    };
    let server = TestServer::start_with(service, limits).await;
    assert!(pulse.is_felt(Duration::from_secs(20)).await);
    // The same when all places are taken and a connection waits.
    let mut first = server.connect().await;
    first.send(b"POST").await;
    let _second = server.connect().await;
    assert!(pulse.is_felt(Duration::from_secs(20)).await);
    drop(first);
    server.stop().await;
    assert!(!pulse.is_felt(Duration::from_millis(10)).await);
}
