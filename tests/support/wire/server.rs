//! A running service.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use twiml_responder::service::connection::HttpLimits;
use twiml_responder::service::listen_address::ListenAddress;
use twiml_responder::service::listener::Listener;
use twiml_responder::service::responder::Responder;
use twiml_responder::service::server::{Purpose, run};

use crate::wire::ask::Ask;
use crate::wire::client::{Client, Got};
use crate::wire::within;

/// A service on a free port of this machine.
pub struct TestServer {
    pub address: ListenAddress,
    pub stop: oneshot::Sender<()>,
    pub ended: JoinHandle<usize>,
}

impl TestServer {
    pub async fn start(service: impl Into<Arc<Responder>>) -> Self {
        Self::start_with(service, HttpLimits::default()).await
    }

    pub async fn start_with(service: impl Into<Arc<Responder>>, limits: HttpLimits) -> Self {
        let any_port = "127.0.0.1:0".parse().expect("an address");
        Self::start_on(&any_port, service, limits).await
    }

    pub async fn start_on(
        address: &ListenAddress,
        service: impl Into<Arc<Responder>>,
        limits: HttpLimits,
    ) -> Self {
        let listener = Listener::bind(address).await.expect("a free address");
        Self::start_listening(listener, service, limits)
    }

    pub fn start_listening(
        listener: Listener,
        service: impl Into<Arc<Responder>>,
        limits: HttpLimits,
    ) -> Self {
        let address = listener.address().expect("its address");
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            let _ = stopped.await;
        };
        let ended = tokio::spawn(run(
            Purpose::Webhooks,
            vec![listener],
            service.into(),
            limits,
            shutdown,
        ));
        Self {
            address,
            stop,
            ended,
        }
    }

    /// The admin listener of a service, on a free port.
    pub async fn start_admin(service: Arc<Responder>) -> Self {
        let any_port = "127.0.0.1:0".parse().expect("an address");
        let listener = Listener::bind(&any_port).await.expect("a free address");
        let address = listener.address().expect("its address");
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            let _ = stopped.await;
        };
        let limits = HttpLimits::admin();
        let ended = tokio::spawn(run(
            Purpose::Admin,
            vec![listener],
            service,
            limits,
            shutdown,
        ));
        Self {
            address,
            stop,
            ended,
        }
    }

    pub fn port(&self) -> SocketAddr {
        match &self.address {
            ListenAddress::Tcp(address) => *address,
            ListenAddress::Unix(path) => panic!("{} is no port", path.display()),
        }
    }

    pub async fn connect(&self) -> Client<TcpStream> {
        let stream = TcpStream::connect(self.port()).await.expect("a connection");
        Client::new(stream)
    }

    /// The answer to a request on a connection of its own.
    pub async fn ask(&self, request: &Ask) -> Got {
        let mut client = self.connect().await;
        client.send(&request.bytes()).await;
        client.answer().await
    }

    /// Ends the service, and returns how many connections were cut off.
    pub async fn stop(self) -> usize {
        let _ = self.stop.send(());
        within("the drain", self.ended).await.expect("no panic")
    }
}

/// Sends bytes, and asserts the status, text and headers of a refusal, and that nothing follows.
pub async fn expect_refusal(server: &TestServer, bytes: &[u8], status: u16, text: &str) {
    let request = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned();
    let mut client = server.connect().await;
    client.send(bytes).await;
    let got = if request.starts_with("HEAD ") {
        client.head().await
    } else {
        client.answer().await
    };
    assert_eq!(got.status, status, "{request}\n{got:?}");
    if !request.starts_with("HEAD ") {
        assert_eq!(got.body, text, "{request}");
    }
    if !text.is_empty() {
        assert_eq!(
            got.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
    }
    assert_eq!(got.header("connection"), Some("close"), "{request}");
    assert_eq!(got.header("twiml-route"), None);
    let allow = (status == 405).then_some("GET, POST");
    assert_eq!(got.header("allow"), allow);
    client.expect_close().await;
}
