//! Where the service listens, and why it cannot.

use tokio::net::UnixStream;
use twiml_responder::server::Limits;
use twiml_responder::server::listener::{ListenAddress, Listener};

use crate::wire::ask::Ask;
use crate::wire::client::Client;
use crate::wire::folder::Folder;
use crate::wire::server::TestServer;
use crate::wire::{CALL, signed_service};

#[tokio::test]
async fn a_unix_socket_is_served_and_removed() {
    let folder = Folder::new("served");
    let path = folder.0.join("x.sock");
    let server = TestServer::start_on(&folder.socket(), signed_service(), Limits::default()).await;
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
            .ends_with(": there is a file of this name, and it is no socket")
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
