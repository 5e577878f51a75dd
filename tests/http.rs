//! The service over real sockets, byte by byte: what a client sends, and what it gets.

use std::future::Future;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use quick_xml::Reader;
use quick_xml::events::Event;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use twiml_responder::answer::{Answer, Asked, Kind};
use twiml_responder::config::{NoFiles, compile};
use twiml_responder::diagnostic::File;
use twiml_responder::guard::Guard;
use twiml_responder::request::Form;
use twiml_responder::server::listener::{ListenAddress, Listener};
use twiml_responder::server::{Limits, Service, Verification, run};
use twiml_responder::signature::secrets::Secrets;
use twiml_responder::signature::{Algorithm, Content, Secret, sign};
use twiml_responder::table::Table;

const TOKEN: &str = "2bd9e9638872de601313dc77410d3b23";

const TABLE: &str = r#"
[[route]]
name = "hello"
when = { Called = "+15005550001" }
voice = [ { Say = "Hello." } ]
message = [ { Message = "You wrote {{ Body }}" } ]

[[route]]
name = "more"
when = { Called = "+15005550002" }
voice = [ { Redirect = "?step=next" } ]

[[route]]
name = "next"
step = "next"
voice = [ { Say = "Next." } ]

[[route]]
name = "breaks"
when = { Called = "+15005550003" }
voice = [ { Dial = "{{ Caller }}", callerId = "+15005550003" } ]

[default]
voice = [ { Say = "No such number." } ]
message = [ { Message = "No such number." } ]
"#;

const HELLO: &str =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Say>Hello.</Say></Response>";
const DEFAULT: &str =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Say>No such number.</Say></Response>";
const CALL: &str = "CallSid=CA00000000000000000000000000000001&AccountSid=AC00000000000000000000000000000001\
     &Called=%2B15005550001&Caller=%2B14155550100";

/// As long as a test may wait for anything before it fails.
const LONG: Duration = Duration::from_secs(20);

fn table() -> Arc<Table> {
    let file = File::new("responses.toml", TABLE);
    match compile(&file, &NoFiles) {
        Ok(compiled) => Arc::new(compiled.table),
        Err(diagnostics) => panic!("{diagnostics:?}"),
    }
}

fn signed_service() -> Service {
    let secrets = Secrets::parse(TOKEN).expect("a token");
    Service::new(table(), Verification::Signed(secrets))
}

fn unsigned_service() -> Service {
    Service::new(table(), Verification::AllowUnsigned)
}

/// Waits for something, but not for ever.
async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(LONG, future).await {
        Ok(output) => output,
        Err(elapsed) => panic!("{what} takes too long: {elapsed}"),
    }
}

/// A service on a free port of this machine.
struct TestServer {
    address: ListenAddress,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<usize>,
}

impl TestServer {
    async fn start(service: Service) -> Self {
        Self::start_with(service, Limits::default()).await
    }

    async fn start_with(service: Service, limits: Limits) -> Self {
        let any_port = "127.0.0.1:0".parse().expect("an address");
        Self::start_on(&any_port, service, limits).await
    }

    async fn start_on(address: &ListenAddress, service: Service, limits: Limits) -> Self {
        let listener = Listener::bind(address).await.expect("a free address");
        let address = listener.address().expect("its address");
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            let _ = stopped.await;
        };
        let ended = tokio::spawn(run(vec![listener], Arc::new(service), limits, shutdown));
        Self {
            address,
            stop,
            ended,
        }
    }

    fn port(&self) -> SocketAddr {
        match &self.address {
            ListenAddress::Tcp(address) => *address,
            ListenAddress::Unix(path) => panic!("{} is no port", path.display()),
        }
    }

    async fn connect(&self) -> Client<TcpStream> {
        let stream = TcpStream::connect(self.port()).await.expect("a connection");
        Client::new(stream)
    }

    /// What a request gets on a connection of its own.
    async fn ask(&self, request: &Ask) -> Got {
        let mut client = self.connect().await;
        client.send(&request.bytes()).await;
        client.answer().await
    }

    /// Ends it; how many connections were cut off.
    async fn stop(self) -> usize {
        let _ = self.stop.send(());
        within("the drain", self.ended).await.expect("no panic")
    }
}

/// One connection.
struct Client<S> {
    stream: S,
    received: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    fn new(stream: S) -> Self {
        Self {
            stream,
            received: Vec::new(),
        }
    }

    async fn send(&mut self, bytes: &[u8]) {
        within("sending", self.stream.write_all(bytes))
            .await
            .expect("the server reads");
    }

    /// Reads more; false at the end.
    async fn read_more(&mut self) -> bool {
        within("reading", self.stream.read_buf(&mut self.received))
            .await
            .expect("no reset")
            > 0
    }

    /// The next answer that is no answer to a HEAD.
    async fn answer(&mut self) -> Got {
        let mut got = self.head().await;
        let length = got
            .header("content-length")
            .map_or(0, |length| length.parse().expect("a length"));
        while self.received.len() < length {
            assert!(self.read_more().await, "closed within a body");
        }
        let body = self.received.drain(..length).collect();
        got.body = String::from_utf8(body).expect("UTF-8");
        got
    }

    async fn head(&mut self) -> Got {
        let end = loop {
            if let Some(end) = self
                .received
                .windows(4)
                .position(|four| four == b"\r\n\r\n")
            {
                break end;
            }
            assert!(
                self.read_more().await,
                "closed within a head: {:?}",
                String::from_utf8_lossy(&self.received)
            );
        };
        let head = self.received.drain(..end + 4).collect();
        Got::read(&String::from_utf8(head).expect("an ASCII head"))
    }

    /// Asserts that the server has closed the connection, or does, and sent nothing more.
    async fn expect_close(&mut self) {
        while self.read_more().await {}
        assert_eq!(String::from_utf8_lossy(&self.received), "");
    }
}

/// An answer.
#[derive(Debug)]
struct Got {
    version: String,
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Got {
    fn read(head: &str) -> Self {
        let mut lines = head.split("\r\n").filter(|line| !line.is_empty());
        let mut words = lines.next().expect("a status line").split(' ');
        let version = words.next().expect("a version").to_owned();
        let status = words.next().and_then(|word| word.parse().ok());
        let headers = lines
            .map(|line| line.split_once(": ").expect("a header"))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        Self {
            version,
            status: status.expect("a status"),
            headers,
            body: String::new(),
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(header, _)| header == name);
        let value = values.next();
        assert!(values.next().is_none(), "{name} twice: {self:?}");
        value.map(|(_, value)| value.as_str())
    }

    /// Asserts that it is a document of this route, and well formed.
    #[track_caller]
    fn expect_document(&self, route: &str) -> &str {
        assert_eq!(self.status, 200, "{self:?}");
        assert_eq!(
            self.header("content-type"),
            Some("application/xml; charset=utf-8")
        );
        assert_eq!(
            self.header("content-length"),
            Some(&*self.body.len().to_string())
        );
        assert_eq!(self.header("twiml-route"), Some(route), "{self:?}");
        assert_eq!(root_of(&self.body), "Response");
        &self.body
    }
}

/// The name of a document's root; panics when the document is not well formed.
#[track_caller]
fn root_of(document: &str) -> String {
    assert!(document.starts_with("<?xml"), "{document}");
    let mut reader = Reader::from_str(document);
    let mut depth = 0;
    let mut roots = Vec::new();
    loop {
        let event = reader.read_event().expect("well-formed XML");
        if depth == 0
            && let Event::Start(tag) | Event::Empty(tag) = &event
        {
            roots.push(tag.name().as_ref().to_owned());
        }
        match event {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth -= 1,
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!((depth, roots.len()), (0, 1), "{document}");
    roots.remove(0)
}

/// A request, to be written on the wire.
#[derive(Clone)]
struct Ask {
    method: &'static str,
    target: String,
    version: &'static str,
    host: Option<&'static str>,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Ask {
    fn post(target: &str, body: &str) -> Self {
        Self {
            method: "POST",
            target: target.to_owned(),
            version: "HTTP/1.1",
            host: Some("example.com"),
            headers: vec![(
                "Content-Type",
                "application/x-www-form-urlencoded".to_owned(),
            )],
            body: body.as_bytes().to_vec(),
        }
    }

    fn get(target: &str) -> Self {
        Self {
            method: "GET",
            headers: Vec::new(),
            ..Self::post(target, "")
        }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(header, _)| *header != name);
        self
    }

    fn host(self, host: &'static str) -> Self {
        Self {
            host: Some(host),
            ..self
        }
    }

    /// Signed as Twilio does when it asks this URL.
    fn signed(self, url: &str) -> Self {
        let form = Form::parse(&self.body);
        let content = match self.method {
            "GET" => Content::Query,
            _ => Content::Form(&form),
        };
        let signature = sign(&Secret::new(TOKEN), Algorithm::HmacSha1, url, content);
        self.with("X-Twilio-Signature", &signature)
    }

    /// Signed over `http://example.com` and the target.
    fn signed_as_asked(self) -> Self {
        let url = format!("http://example.com{}", self.target);
        self.signed(&url)
    }

    /// Headers as given, without a length: the caller writes the body.
    fn head(&self) -> Vec<u8> {
        let mut head = format!("{} {} {}\r\n", self.method, self.target, self.version);
        if let Some(host) = self.host {
            head.extend(["Host: ", host, "\r\n"]);
        }
        for (name, value) in &self.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        (head + "\r\n").into_bytes()
    }

    fn bytes(&self) -> Vec<u8> {
        let mut request = self.clone();
        if request.method == "POST"
            && !request
                .headers
                .iter()
                .any(|(name, _)| *name == "Content-Length")
        {
            request = request.with("Content-Length", &self.body.len().to_string());
        }
        [request.head(), self.body.clone()].concat()
    }
}

fn hello() -> Ask {
    Ask::post("/out-of-session", CALL).signed_as_asked()
}

// Section 5's table, a row a test.

#[tokio::test]
async fn a_signed_post_is_answered() {
    let server = TestServer::start(signed_service()).await;
    let got = server.ask(&hello()).await;
    assert_eq!(got.version, "HTTP/1.1");
    assert_eq!(got.expect_document("hello"), HELLO);
    assert_eq!(got.header("connection"), None);
}

#[tokio::test]
async fn a_signed_get_is_answered() {
    let server = TestServer::start(signed_service()).await;
    let got = server
        .ask(&Ask::get(&format!("/out-of-session?{CALL}")).signed_as_asked())
        .await;
    assert_eq!(got.expect_document("hello"), HELLO);
    // The same signature with another field in the URL.
    let mut other = Ask::get(&format!("/out-of-session?{CALL}")).signed_as_asked();
    other.target.push('1');
    assert_eq!(server.ask(&other).await.status, 403);
}

#[tokio::test]
async fn the_query_of_a_post_is_signed_and_read() {
    let server = TestServer::start(signed_service()).await;
    let asked = Ask::post("/webhook?step=next&x=%7E~+%2b", CALL).signed_as_asked();
    server.ask(&asked).await.expect_document("next");
    let mut other = asked;
    other.target = "/webhook?step=next&x=~~+%2b".to_owned();
    assert_eq!(server.ask(&other).await.status, 403);
}

#[tokio::test]
async fn a_document_has_no_relative_url() {
    let server = TestServer::start(signed_service()).await;
    let body = CALL.replace("0001&Caller", "0002&Caller");
    let got = server
        .ask(&Ask::post("/webhook/?a=1", &body).signed_as_asked())
        .await;
    let document = got.expect_document("more");
    assert!(
        document.contains("<Redirect>http://example.com/webhook/?step=next</Redirect>"),
        "{document}"
    );
}

#[tokio::test]
async fn both_webhooks_have_a_path_with_and_without_slash() {
    let server = TestServer::start(signed_service()).await;
    for path in [
        "/out-of-session",
        "/out-of-session/",
        "/webhook",
        "/webhook/",
    ] {
        let got = server.ask(&Ask::post(path, CALL).signed_as_asked()).await;
        got.expect_document("hello");
    }
    let service = Service {
        out_of_session: "/proxy/out".parse().expect("a path"),
        ..signed_service()
    };
    let server = TestServer::start(service).await;
    let got = server
        .ask(&Ask::post("/proxy/out", CALL).signed_as_asked())
        .await;
    got.expect_document("hello");
    assert_eq!(server.ask(&hello()).await.status, 404);
}

/// Sends bytes, asserts status, text and headers of a refusal, and that nothing follows it.
async fn expect_refusal(server: &TestServer, bytes: &[u8], status: u16, text: &str) {
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

#[tokio::test]
async fn what_is_not_signed_is_refused() {
    let server = TestServer::start(signed_service()).await;
    let missing = "signature missing";
    let mismatch = "signature does not match";
    for (request, text) in [
        (Ask::post("/out-of-session", CALL), missing),
        (Ask::get(&format!("/out-of-session?{CALL}")), missing),
        (
            Ask::post("/webhook", CALL).with("X-Twilio-Signature", ""),
            missing,
        ),
        (
            Ask::post("/webhook", CALL).with("X-Twilio-Signature", "AAAA"),
            mismatch,
        ),
        (
            Ask::post("/webhook", CALL).signed("http://example.com/out-of-session"),
            mismatch,
        ),
        (
            Ask::post("/webhook", CALL).signed("https://example.com/webhook"),
            mismatch,
        ),
        (
            Ask::post("/webhook", CALL)
                .signed_as_asked()
                .host("example.org"),
            mismatch,
        ),
        (
            Ask {
                body: b"CallSid=CA2".to_vec(),
                ..hello()
            },
            mismatch,
        ),
    ] {
        expect_refusal(&server, &request.bytes(), 403, text).await;
    }
}

#[tokio::test]
async fn other_paths_methods_and_types_are_refused() {
    let server = TestServer::start(signed_service()).await;
    let not_a_form = "the body must be application/x-www-form-urlencoded";
    let with_type = |value: &str| hello().without("Content-Type").with("Content-Type", value);
    for (request, status, text) in [
        (Ask::post("/", CALL).signed_as_asked(), 404, "not found"),
        (
            Ask::post("/out-of-session//", CALL).signed_as_asked(),
            404,
            "not found",
        ),
        (Ask::get("/livez"), 404, "not found"),
        (Ask::get("/metrics"), 404, "not found"),
        (
            Ask {
                method: "PUT",
                ..hello()
            },
            405,
            "only GET and POST are allowed",
        ),
        (
            Ask {
                method: "HEAD",
                ..hello()
            },
            405,
            "only GET and POST are allowed",
        ),
        (
            Ask {
                method: "BREW",
                ..hello()
            },
            405,
            "only GET and POST are allowed",
        ),
        (
            Ask {
                method: "OPTIONS",
                target: "*".to_owned(),
                ..hello()
            },
            404,
            "not found",
        ),
        (
            Ask {
                method: "CONNECT",
                target: "example.com:80".to_owned(),
                ..hello()
            },
            404,
            "not found",
        ),
        (hello().without("Content-Type"), 415, not_a_form),
        (with_type("application/json"), 415, not_a_form),
        (
            with_type("multipart/form-data; boundary=x"),
            415,
            not_a_form,
        ),
        (
            with_type("application/x-www-form-urlencoded2"),
            415,
            not_a_form,
        ),
        (hello().with("Content-Encoding", "gzip"), 415, not_a_form),
    ] {
        expect_refusal(&server, &request.bytes(), status, text).await;
    }
}

#[tokio::test]
async fn a_form_may_be_named_with_parameters_and_capitals() {
    let server = TestServer::start(signed_service()).await;
    for value in [
        "application/x-www-form-urlencoded; charset=UTF-8",
        "Application/X-WWW-Form-Urlencoded ;charset=utf-8;x=y",
    ] {
        let request = hello().without("Content-Type").with("Content-Type", value);
        server.ask(&request).await.expect_document("hello");
    }
    let request = hello().with("Content-Encoding", "identity");
    server.ask(&request).await.expect_document("hello");
}

#[tokio::test]
async fn a_host_is_asked_for_once() {
    let server = TestServer::start(signed_service()).await;
    let text = "one Host header is needed";
    for request in [
        Ask {
            host: None,
            ..hello()
        },
        Ask {
            host: None,
            version: "HTTP/1.0",
            ..hello()
        },
        hello().with("Host", "example.com"),
        hello().host(""),
        hello().host("example.com/x"),
        hello().host("user@example.com"),
    ] {
        expect_refusal(&server, &request.bytes(), 400, text).await;
    }
    // A whole URL in the request line names the host, whatever the header says.
    let request = Ask {
        target: "http://example.com/webhook?a=1".to_owned(),
        ..Ask::post("/webhook", CALL).signed("http://example.com/webhook?a=1")
    };
    server
        .ask(&request.host("other"))
        .await
        .expect_document("hello");
}

#[tokio::test]
async fn what_is_too_large_is_refused_without_reading_it() {
    let server = TestServer::start(signed_service()).await;
    let too_large = "the body is too large";
    let announced = Ask::post("/webhook", "").with("Content-Length", "262145");
    expect_refusal(&server, &announced.bytes(), 413, too_large).await;
    let huge = Ask::post("/webhook", "").with("Content-Length", "9223372036854775807");
    expect_refusal(&server, &huge.bytes(), 413, too_large).await;
    let expecting = announced.with("Expect", "100-continue");
    expect_refusal(&server, &expecting.bytes(), 413, too_large).await;

    let chunked = Ask::post("/webhook", "").with("Transfer-Encoding", "chunked");
    let mut bytes = chunked.head();
    for _ in 0..257 {
        bytes.extend_from_slice(b"400\r\n");
        bytes.extend_from_slice(&[b'a'; 1024]);
        bytes.extend_from_slice(b"\r\n");
    }
    // The end of the body never comes.
    expect_refusal(&server, &bytes, 413, too_large).await;

    let long_path = format!("/{}", "a".repeat(66_000));
    expect_refusal(&server, &Ask::post(&long_path, CALL).bytes(), 431, "").await;
    let long_header = hello().with("X-Long", &"a".repeat(66_000));
    expect_refusal(&server, &long_header.bytes(), 431, "").await;
    let mut many_headers = hello();
    for _ in 0..200 {
        many_headers = many_headers.with("X-Many", "1");
    }
    expect_refusal(&server, &many_headers.bytes(), 431, "").await;
}

#[tokio::test]
async fn a_client_that_goes_on_sending_still_hears_the_refusal() {
    let server = TestServer::start(signed_service()).await;
    let length = 16 * 1024 * 1024;
    let request = Ask::post("/webhook", "").with("Content-Length", &length.to_string());
    let mut client = server.connect().await;
    client.send(&request.head()).await;
    // Only when all is sent is the answer read; without lingering, sending fails or the answer is lost.
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
async fn a_broken_body_is_refused() {
    let server = TestServer::start(signed_service()).await;
    let mut bytes = hello().with("Transfer-Encoding", "chunked").head();
    bytes.extend_from_slice(b"no length\r\n");
    expect_refusal(&server, &bytes, 400, "the body is not complete").await;
}

#[tokio::test]
async fn garbage_is_refused() {
    let server = TestServer::start(signed_service()).await;
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"hello\r\n\r\n",
        b"POST /out-of-session HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST /out-of-session HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        expect_refusal(&server, garbage, 400, "").await;
    }
    // HTTP/2 is closed without a word that it could misread.
    let mut client = server.connect().await;
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    client.expect_close().await;
    // And the service is still there.
    server.ask(&hello()).await.expect_document("hello");
}

// Connections.

#[tokio::test]
async fn a_connection_serves_several_requests() {
    let server = TestServer::start(signed_service()).await;
    let mut client = server.connect().await;
    for _ in 0..3 {
        client.send(&hello().bytes()).await;
        client.answer().await.expect_document("hello");
    }
    // Also when they come all at once.
    client.send(&hello().bytes().repeat(3)).await;
    for _ in 0..3 {
        client.answer().await.expect_document("hello");
    }
    // A refusal ends it.
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

/// More than any socket takes at once.
const LONG_DOCUMENT: usize = 32 * 1024 * 1024;

/// A service that answers with [`LONG_DOCUMENT`] bytes.
fn long_winded_service() -> Service {
    fn long_winded<'t>(_: &'t Table, _: &Guard, _: &Asked<'_>) -> Answer<'t> {
        Answer {
            route: "default",
            body: Bytes::from(vec![b'a'; LONG_DOCUMENT]),
            kind: Kind::Document,
            sends: false,
            cut_texts: 0,
            failure: None,
            guarded: None,
        }
    }
    Service {
        core: long_winded,
        ..signed_service()
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

#[tokio::test]
async fn a_slow_head_is_closed() {
    let limits = Limits {
        head: Duration::from_millis(50),
        ..Limits::default()
    };
    let server = TestServer::start_with(signed_service(), limits).await;
    for begun in ["", "POST /out-of-session HTTP/1.1\r\nHost: exam"] {
        let begin = Instant::now();
        let mut client = server.connect().await;
        client.send(begun.as_bytes()).await;
        client.expect_close().await;
        assert!(begin.elapsed() >= limits.head, "{begun:?}");
    }
    // The head of a later request has no more time.
    let mut client = server.connect().await;
    client.send(&hello().bytes()).await;
    client.answer().await.expect_document("hello");
    client.send(b"P").await;
    client.expect_close().await;
}

#[tokio::test]
async fn bytes_now_and_then_do_not_keep_a_head_open() {
    let limits = Limits {
        head: Duration::from_millis(200),
        ..Limits::default()
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
    // The end may be a reset, since what drips is not read any more.
    let _ = within("the end", read.read(&mut [0; 100])).await;
    dripping.abort();
}

#[tokio::test]
async fn a_slow_body_is_told_so() {
    let limits = Limits {
        body: Duration::from_millis(50),
        ..Limits::default()
    };
    let server = TestServer::start_with(signed_service(), limits).await;
    let request = hello().with("Content-Length", "1000");
    let text = "the body did not come in time";
    expect_refusal(&server, &request.bytes(), 408, text).await;
}

#[tokio::test]
async fn an_idle_connection_has_longer_than_a_head() {
    let limits = Limits {
        head: Duration::from_millis(50),
        idle: Duration::from_millis(400),
        ..Limits::default()
    };
    let server = TestServer::start_with(signed_service(), limits).await;
    let mut client = server.connect().await;
    client.send(&hello().bytes()).await;
    client.answer().await.expect_document("hello");
    let answered = Instant::now();
    client.expect_close().await;
    // The server may have answered a little before we have read it.
    assert!(answered.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let limits = Limits {
        answer: Duration::from_millis(50),
        ..Limits::default()
    };
    let server = TestServer::start_with(long_winded_service(), limits).await;
    let mut client = server.connect().await;
    client.send(&hello().bytes()).await;
    assert_eq!(client.head().await.status, 200);
    // The drain has ten seconds: it is over sooner only because the client was cut off.
    let begin = Instant::now();
    assert_eq!(server.stop().await, 0);
    assert!(begin.elapsed() < Limits::default().drain);
}

#[tokio::test]
async fn the_longest_idle_connection_makes_room() {
    let limits = Limits {
        max_connections: 2,
        ..Limits::default()
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
    let limits = Limits {
        max_connections: 1,
        ..Limits::default()
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
    let limits = Limits {
        max_connections: 1,
        ..Limits::default()
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

// What was signed.

#[tokio::test]
async fn a_port_may_be_signed_or_not() {
    let server = TestServer::start(signed_service()).await;
    for url in [
        "http://example.com:8443/webhook",
        "http://example.com/webhook",
    ] {
        let request = Ask::post("/webhook", CALL)
            .signed(url)
            .host("example.com:8443");
        server.ask(&request).await.expect_document("hello");
    }
    let request = Ask::post("/webhook", CALL).signed("http://example.com:80/webhook");
    server.ask(&request).await.expect_document("hello");
}

#[tokio::test]
async fn public_urls_win_over_what_a_request_says() {
    let public_urls = ["https://a.example.com:8443/twilio", "https://b.example.com"];
    let service = Service {
        public_urls: public_urls.map(|url| url.parse().expect(url)).to_vec(),
        ..signed_service()
    };
    let server = TestServer::start(service).await;
    let body = CALL.replace("0001&Caller", "0002&Caller");
    for (url, step) in [
        (
            "https://a.example.com:8443/twilio/webhook?a=%2b",
            "https://a.example.com:8443/twilio/webhook?step=next",
        ),
        (
            "https://a.example.com/twilio/webhook?a=%2b",
            "https://a.example.com:8443/twilio/webhook?step=next",
        ),
        (
            "https://b.example.com/webhook?a=%2b",
            "https://b.example.com/webhook?step=next",
        ),
    ] {
        let request = Ask::post("/webhook?a=%2b", &body).signed(url);
        let got = server.ask(&request).await;
        let document = got.expect_document("more");
        assert!(document.contains(&format!(">{step}<")), "{document}");
    }
    // Neither Host nor a proxy's headers count beside them.
    let request = hello()
        .with("X-Forwarded-Host", "example.com")
        .with("X-Forwarded-Proto", "http");
    assert_eq!(server.ask(&request).await.status, 403);
}

#[tokio::test]
async fn a_proxy_on_this_machine_is_believed() {
    let server = TestServer::start(signed_service()).await;
    let request = |url| Ask::post("/webhook", CALL).signed(url).host("inside:8080");
    for (request, is_answered) in [
        (
            request("https://inside:8080/webhook").with("X-Forwarded-Proto", "https"),
            true,
        ),
        (
            request("https://example.com/webhook")
                .with("X-Forwarded-Proto", "HTTPS , http")
                .with("X-Forwarded-Host", " example.com , inside"),
            true,
        ),
        (
            request("http://example.com/webhook").with("X-Forwarded-Host", "example.com"),
            true,
        ),
        (
            request("http://inside:8080/webhook").with("X-Forwarded-Proto", "gopher"),
            true,
        ),
        (
            request("http://inside:8080/webhook").with("X-Forwarded-Host", "a/b?c"),
            true,
        ),
        (
            request("http://inside:8080/webhook").with("X-Forwarded-Proto", "https"),
            false,
        ),
        (
            request("https://example.com/webhook")
                .with("Forwarded", "host=example.com;proto=https"),
            false,
        ),
    ] {
        let got = server.ask(&request).await;
        assert_eq!(got.status, if is_answered { 200 } else { 403 });
    }
}

#[tokio::test]
async fn unsigned_requests_are_answered_only_when_they_are_direct() {
    let server = TestServer::start(unsigned_service()).await;
    server
        .ask(&Ask::post("/webhook", CALL))
        .await
        .expect_document("hello");
    let text = "only direct requests from this machine are answered";
    for name in [
        "Forwarded",
        "X-Forwarded-For",
        "x-forwarded-proto",
        "X-Forwarded-Anything",
    ] {
        let request = Ask::post("/webhook", CALL).with(name, "x");
        expect_refusal(&server, &request.bytes(), 403, text).await;
    }
}

// Whatever breaks, a document.

#[tokio::test]
async fn a_panic_gives_the_default() {
    fn broken<'t>(_: &'t Table, _: &Guard, _: &Asked<'_>) -> Answer<'t> {
        panic!("a fault for a test");
    }
    let log = Log::default();
    let _guard = log.listen();
    let service = Service {
        core: broken,
        ..signed_service()
    };
    let server = TestServer::start(service).await;
    let mut client = server.connect().await;
    for _ in 0..2 {
        client.send(&hello().bytes()).await;
        assert_eq!(client.answer().await.expect_document("default"), DEFAULT);
    }
    assert_eq!(log.text().matches("ERROR").count(), 2, "{}", log.text());
}

#[tokio::test]
async fn a_reply_that_cannot_be_written_gives_the_default() {
    let log = Log::default();
    let _guard = log.listen();
    let server = TestServer::start(signed_service()).await;
    let body = CALL.replace("0001&Caller", "0003&Caller");
    let fits = Ask::post("/webhook", &body).signed_as_asked();
    server.ask(&fits).await.expect_document("breaks");
    assert_eq!(log.text().matches("ERROR").count(), 0, "{}", log.text());
    let body = body.replace("Caller=%2B14155550100", "Caller=anonymous");
    let request = Ask::post("/webhook", &body).signed_as_asked();
    assert_eq!(
        server.ask(&request).await.expect_document("default"),
        DEFAULT
    );
    let error = log.line("ERROR");
    assert!(error.contains("route=\"breaks\""), "{error}");
}

#[tokio::test]
async fn odd_requests_get_a_document() {
    let server = TestServer::start(signed_service()).await;
    let unknown: Vec<String> = (0..500)
        .map(|index| format!("Parameter{index}=%FF{index}"))
        .collect();
    let controls: Vec<String> = (0..=0x20).map(|byte| format!("%{byte:02X}")).collect();
    let controls = controls.concat();
    let text = "MessageSid=SM1&To=%2B15005550001";
    for (body, route) in [
        (String::new(), "default"),
        (unknown.join("&"), "default"),
        ("&&==&%zz&=".to_owned(), "default"),
        (
            format!("{text}&Body={controls}%EF%BF%BF%3C%26%5D%5D%3E"),
            "hello",
        ),
        (
            format!("{text}&Body={}", "%F0%9F%98%80".repeat(10_000)),
            "hello",
        ),
    ] {
        let request = Ask::post("/webhook", &body).signed_as_asked();
        server.ask(&request).await.expect_document(route);
    }
}

// Unix sockets.

/// A folder that is gone after the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("twiml-responder-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn socket(&self) -> ListenAddress {
        ListenAddress::Unix(self.0.join("x.sock"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

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

// The log.

/// What is logged on this thread, and so by a server that the test's own runtime runs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || log.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no panic").clone()).expect("UTF-8")
    }

    /// The one line with this in it.
    fn line(&self, what: &str) -> String {
        let text = self.text();
        let lines: Vec<&str> = text.lines().filter(|line| line.contains(what)).collect();
        assert_eq!(lines.len(), 1, "{what} in {text}");
        lines[0].to_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_request_is_one_line_without_numbers() {
    let log = Log::default();
    let _guard = log.listen();
    let server = TestServer::start(signed_service()).await;
    let request = Ask::post("/webhook?token=s3cret", &format!("{CALL}&Body=private"))
        .with("X-Home-Region", "us1")
        .signed_as_asked();
    server.ask(&request).await.expect_document("hello");
    let line = log.line("answered");
    for part in [
        " INFO ",
        "webhook=\"webhook\"",
        "channel=\"voice\"",
        "route=\"hello\"",
        "status=200",
        "microseconds=",
        "sid=\"CA00000000000000000000000000000001\"",
        "region=\"us1\"",
        "caller=\"+141•••••00\"",
        "called=\"+150•••••01\"",
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
    for secret in ["4155550100", "s3cret", "private", TOKEN] {
        assert!(!log.text().contains(secret), "{secret} in {line}");
    }
}

#[tokio::test]
async fn a_log_line_is_not_the_clients_to_write() {
    let log = Log::default();
    let _guard = log.listen();
    let service = Service {
        show_numbers: true,
        ..unsigned_service()
    };
    let server = TestServer::start(service).await;
    let body = "CallSid=14155550100&Called=%2B15005550001&Caller=%0Aforged%1B%5B31m";
    let request = Ask::post("/webhook", body).with("X-Home-Region", "us1 forged=1");
    server.ask(&request).await.expect_document("hello");
    server.ask(&Ask::get("/forged")).await;
    let line = log.line("answered");
    assert!(line.contains("caller=\"\\nforged\\u{1b}[31m\""), "{line}");
    assert!(line.contains("called=\"+15005550001\""), "{line}");
    for absent in ["sid=", "region="] {
        assert!(!line.contains(absent), "{absent} in {line}");
    }
    let line = log.line("refused");
    assert!(line.contains("refusal=\"path\" status=404"), "{line}");
    assert_eq!(log.text().matches("/forged").count(), 0, "{}", log.text());
}

#[tokio::test]
async fn a_wrong_signature_is_explained_once_a_second() {
    let log = Log::default();
    let _guard = log.listen();
    let server = TestServer::start(signed_service()).await;
    let request =
        Ask::post("/webhook?token=s3cret", CALL).signed("https://example.com/webhook?token=s3cret");
    for _ in 0..5 {
        assert_eq!(server.ask(&request).await.status, 403);
    }
    let text = log.text();
    assert_eq!(text.matches(" WARN ").count(), 5, "{text}");
    let first = text.lines().next().expect("a line");
    assert!(first.contains("signature does not match"), "{first}");
    assert!(
        first.contains("http://example.com/webhook?token=…"),
        "{first}"
    );
    assert!(
        first.contains("--public-url https://example.com"),
        "{first}"
    );
    assert!(
        text.contains("the reason is looked for once a second"),
        "{text}"
    );
    for secret in ["s3cret", "4155550100", TOKEN] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[tokio::test]
async fn a_host_that_is_no_public_url_is_found() {
    let log = Log::default();
    let _guard = log.listen();
    let public_url = "https://old.example.com/twilio";
    let service = Service {
        public_urls: vec![public_url.parse().expect(public_url)],
        ..signed_service()
    };
    let server = TestServer::start(service).await;
    let request = Ask::post("/webhook", CALL).signed("https://example.com/twilio/webhook");
    assert_eq!(server.ask(&request).await.status, 403);
    let line = log.line("WARN");
    let remedy = "--public-url https://example.com/twilio";
    assert!(line.contains(remedy), "{line}");
}

#[tokio::test]
async fn an_unsigned_request_that_is_refused_is_explained() {
    let log = Log::default();
    let _guard = log.listen();
    let server = TestServer::start(unsigned_service()).await;
    let request = Ask::post("/webhook", CALL).with("X-Forwarded-For", "203.0.113.9");
    assert_eq!(server.ask(&request).await.status, 403);
    let line = log.line("WARN");
    assert!(
        line.contains("it has a Forwarded or X-Forwarded header"),
        "{line}"
    );
}
