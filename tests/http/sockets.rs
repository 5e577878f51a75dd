//! Where the service listens, and why it cannot.

use std::os::unix::fs::PermissionsExt;

use tokio::net::{TcpStream, UnixListener, UnixStream};
use twiml_responder::service::connection::HttpLimits;
use twiml_responder::service::listen_address::{ListenAddress, SocketMode};
use twiml_responder::service::listener::Listener;

use crate::wire::ask::{Ask, hello};
use crate::wire::client::Client;
use crate::wire::folder::Folder;
use crate::wire::server::TestServer;
use crate::wire::{CALL, signed_service};

#[tokio::test]
async fn a_unix_socket_is_served_and_removed() {
    let folder = Folder::new("served");
    let path = folder.0.join("x.sock");
    let server =
        TestServer::start_on(&folder.socket(), signed_service(), HttpLimits::default()).await;
    let stream = UnixStream::connect(&path).await.expect("a connection");
    let mut client = Client::new(stream);
    let request = Ask::post("/webhook", CALL)
        .signed("https://example.com/webhook")
        .with("X-Forwarded-Proto", "https");
    client.send(&request.bytes()).await;
    client.answer().await.expect_document("hello");

    let error = Listener::bind(&folder.socket())
        .await
        .expect_err("it is in use");
    let shown = format!(
        "cannot listen on unix:{}: another program answers there",
        path.display()
    );
    assert_eq!(error.to_string(), shown);

    assert_eq!(server.stop().await, 0);
    assert!(!path.exists());
}

#[tokio::test]
async fn only_a_stale_socket_is_replaced() {
    let folder = Folder::new("stale");
    let path = folder.0.join("x.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket"));
    assert!(path.exists());
    drop(
        Listener::bind(&folder.socket())
            .await
            .expect("a stale socket is replaced"),
    );
    assert!(!path.exists());

    std::fs::write(&path, "precious").expect("a file");
    let error = Listener::bind(&folder.socket())
        .await
        .expect_err("it is a file");
    assert!(
        error
            .to_string()
            .ends_with(": a file of this name exists and is not a socket")
    );
    assert_eq!(std::fs::read_to_string(&path).expect("a file"), "precious");

    let nowhere = ListenAddress::Unix(folder.0.join("no/x.sock"));
    let error = Listener::bind(&nowhere).await.expect_err("no folder");
    assert!(
        error.to_string().ends_with(": there is no such folder"),
        "{error}"
    );
}

#[tokio::test]
async fn a_taken_port_is_told() {
    let any_port = "127.0.0.1:0".parse().expect("an address");
    let listener = Listener::bind(&any_port).await.expect("a free port");
    let address = listener.address().expect("its address");
    let error = Listener::bind(&address).await.expect_err("it is taken");
    assert_eq!(
        error.to_string(),
        format!("cannot listen on {address}: another program has this port")
    );
    let elsewhere = "192.0.2.1:80".parse().expect("an address");
    let error = Listener::bind(&elsewhere).await.expect_err("not ours");
    assert_eq!(
        error.to_string(),
        "cannot listen on 192.0.2.1:80: this machine has no such address"
    );
}

#[tokio::test]
async fn a_unix_socket_has_the_mode_that_was_asked_for() {
    let folder = Folder::new("mode");
    let path = folder.0.join("x.sock");
    for (mode, bits) in [("0660", 0o660), ("600", 0o600), ("0777", 0o777)] {
        let mode: SocketMode = mode.parse().expect(mode);
        let _listeners = Listener::bind_all(&[folder.socket()], mode)
            .await
            .expect("a free path");
        let metadata = std::fs::metadata(&path).expect("a socket");
        assert_eq!(metadata.permissions().mode() & 0o7777, bits);
        UnixStream::connect(&path).await.expect("a connection");
    }
    let _listener = Listener::bind(&folder.socket()).await.expect("a free path");
    let metadata = std::fs::metadata(&path).expect("a socket");
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o660);
}

#[tokio::test]
async fn the_file_of_an_inherited_unix_socket_stays() {
    let folder = Folder::new("inherited");
    let path = folder.0.join("x.sock");
    let socket = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
    let listener = Listener::inherited(socket.into()).expect("a socket that listens");
    let server = TestServer::start_listening(listener, signed_service(), HttpLimits::default());
    let stream = UnixStream::connect(&path).await.expect("a connection");
    let mut client = Client::new(stream);
    client.send(&hello().bytes()).await;
    client.answer().await.expect_document("hello");
    assert_eq!(server.stop().await, 0);
    assert!(path.exists());
}

#[tokio::test]
async fn every_address_of_ipv6_takes_ipv4_too_unless_that_is_asked_for() {
    let any: ListenAddress = "[::]:0".parse().expect("an address");
    let listener = Listener::bind(&any).await.expect("IPv6");
    let server = TestServer::start_listening(listener, signed_service(), HttpLimits::default());
    let port = server.port().port();
    for host in ["127.0.0.1", "::1"] {
        let stream = TcpStream::connect((host, port)).await.expect(host);
        let mut client = Client::new(stream);
        client.send(&hello().bytes()).await;
        client.answer().await.expect_document("hello");
    }
    // A client that connects over IPv4 also counts as this machine.
    let proxied = Ask::post("/webhook", CALL)
        .signed("https://example.com/webhook")
        .with("X-Forwarded-Proto", "https");
    let stream = TcpStream::connect(("127.0.0.1", port)).await;
    let mut client = Client::new(stream.expect("a connection"));
    client.send(&proxied.bytes()).await;
    client.answer().await.expect_document("hello");
    server.stop().await;

    let both = [format!("0.0.0.0:{port}"), format!("[::]:{port}")];
    let both = both.map(|address| address.parse().expect("an address"));
    let listeners = Listener::bind_all(&both, SocketMode::default())
        .await
        .expect("one beside the other");
    assert_eq!(listeners.len(), 2);
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_is_told() {
    let path = format!("/tmp/{}.sock", "a".repeat(120));
    let address = ListenAddress::Unix(path.clone().into());
    let error = Listener::bind(&address).await.expect_err("it is too long");
    assert_eq!(
        error.to_string(),
        format!("cannot listen on unix:{path}: the path is too long, the system takes 107 bytes")
    );
}

#[tokio::test]
async fn what_belongs_to_somebody_is_not_replaced() {
    let folder = Folder::new("odd");
    let address = ListenAddress::Unix(folder.0.clone());
    let error = Listener::bind(&address).await.expect_err("it is a folder");
    let shown = error.to_string();
    assert!(shown.ends_with("and is not a socket"), "{shown}");
    // A socket that another program listens on is not replaced, even if that program never answers.
    let path = folder.0.join("x.sock");
    let _deaf = UnixListener::bind(&path).expect("a socket");
    let error = Listener::bind(&folder.socket()).await;
    let shown = error.expect_err("it is in use").to_string();
    assert!(shown.ends_with("another program answers there"), "{shown}");
}
