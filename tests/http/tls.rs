//! TLS: who gets a handshake, what is wrong with a certificate, and a new certificate without a lost connection.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};
use twiml_responder::service::connection::HttpLimits;
use twiml_responder::service::listener::{Decrypt, Listener};
use twiml_responder::service::tls::{Certificates, Fresh, TlsFiles};

use crate::wire::ask::{Ask, hello};
use crate::wire::client::Client;
use crate::wire::folder::Folder;
use crate::wire::server::TestServer;
use crate::wire::{CALL, signed_service, within};

/// A root authority, an intermediate one below it, and the certificates they have issued.
struct World {
    folder: Folder,
    root: CertifiedIssuer<'static, KeyPair>,
    intermediate: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate for `example.com`, valid from and until these years.
fn params(years: (i32, i32)) -> CertificateParams {
    let mut params = CertificateParams::new(vec!["example.com".to_owned()]).expect("a name");
    params
        .distinguished_name
        .push(DnType::CommonName, "example.com");
    params.not_before = date_time_ymd(years.0, 1, 1);
    params.not_after = date_time_ymd(years.1, 1, 1);
    params
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

impl World {
    fn new(name: &str) -> Self {
        let root = CertifiedIssuer::self_signed(authority("Root"), new_key()).expect("a root");
        let intermediate = CertifiedIssuer::signed_by(authority("Intermediate"), new_key(), &root)
            .expect("an intermediate");
        Self {
            folder: Folder::new(name),
            root,
            intermediate,
        }
    }

    /// A certificate issued by the intermediate authority, and its key, in PEM.
    fn issue(&self, years: (i32, i32)) -> (String, String) {
        let key = new_key();
        let certificate = params(years)
            .signed_by(&key, &self.intermediate)
            .expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    }

    /// The complete chain without the root, and its key.
    fn good(&self) -> (String, String) {
        let (certificate, key) = self.issue((2020, 2090));
        (certificate + &self.intermediate.pem(), key)
    }

    fn write(&self, (certificate, key): &(String, String)) -> TlsFiles {
        let files = TlsFiles {
            certificate: self.folder.0.join("cert.pem"),
            key: self.folder.0.join("key.pem"),
        };
        std::fs::write(&files.certificate, certificate).expect("a file");
        std::fs::write(&files.key, key).expect("a file");
        files
    }

    fn certificates(&self) -> Arc<Certificates> {
        let files = self.write(&self.good());
        Arc::new(Certificates::new(read(&files).expect("a good certificate")))
    }

    async fn serve(&self, certificates: &Arc<Certificates>, limits: HttpLimits) -> TestServer {
        let any_port = "127.0.0.1:0".parse().expect("an address");
        let listener = Listener::bind(&any_port).await.expect("a free port");
        let listener = listener.with_tls(Arc::clone(certificates) as Arc<dyn Decrypt>);
        TestServer::start_listening(listener, signed_service(), limits)
    }

    async fn connect(
        &self,
        server: &TestServer,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Client<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.der().clone()).expect("a root");
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let stream = TcpStream::connect(server.port())
            .await
            .expect("a connection");
        let name = ServerName::try_from("example.com").expect("a name");
        let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
        Client::new(within("a handshake", connecting).await.expect("TLS"))
    }
}

fn read(files: &TlsFiles) -> Result<Fresh, String> {
    files.read(Timestamp::now(), &|path| std::fs::read(path))
}

fn first_certificate(client: &Client<TlsStream<TcpStream>>) -> CertificateDer<'static> {
    let (_, connection) = client.stream.get_ref();
    connection.peer_certificates().expect("certificates")[0].clone()
}

#[tokio::test]
async fn both_versions_of_tls_are_served_and_the_url_is_https() {
    let world = World::new("tls-versions");
    let server = world
        .serve(&world.certificates(), HttpLimits::default())
        .await;
    for version in [&version::TLS12, &version::TLS13] {
        let mut client = world.connect(&server, &[version]).await;
        let (_, connection) = client.stream.get_ref();
        assert_eq!(connection.protocol_version(), Some(version.version));
        assert_eq!(connection.alpn_protocol(), Some(&b"http/1.1"[..]));
        for _ in 0..2 {
            let request = Ask::post("/webhook", CALL).signed("https://example.com/webhook");
            client.send(&request.bytes()).await;
            client.answer().await.expect_document("hello");
        }
        // A signature over an http URL does not match here.
        client.send(&hello().bytes()).await;
        assert_eq!(client.answer().await.status, 403);
        client.expect_close().await;
    }
}

#[tokio::test]
async fn what_is_no_tls_is_closed() {
    let world = World::new("tls-garbage");
    let server = world
        .serve(&world.certificates(), HttpLimits::default())
        .await;
    let client_hello = [&[0x16, 3, 1, 0, 5][..], &[1, 2, 3, 4, 5]].concat();
    for bytes in [
        &hello().bytes()[..],
        &[0; 300],
        &client_hello,
        b"\x80\x2e\x01\x03\x01",
    ] {
        let mut client = server.connect().await;
        client.send(bytes).await;
        while client.read_more().await {}
        // At most a TLS alert.
        let received = &client.received;
        assert!(received.is_empty() || received[0] == 0x15, "{received:?}");
    }
    let mut client = world.connect(&server, &[&version::TLS13]).await;
    let request = Ask::post("/webhook", CALL).signed("https://example.com/webhook");
    client.send(&request.bytes()).await;
    client.answer().await.expect_document("hello");
}

#[tokio::test]
async fn half_a_handshake_has_an_end() {
    let world = World::new("tls-half");
    let limits = HttpLimits {
        head: Duration::from_millis(50),
        ..HttpLimits::default()
    };
    let server = world.serve(&world.certificates(), limits).await;
    for begun in [&b""[..], &[0x16], &[0x16, 3, 1, 2, 0, 1]] {
        let mut client = server.connect().await;
        client.send(begun).await;
        client.expect_close().await;
    }
    // A complete handshake, but no request.
    let long = HttpLimits {
        head: Duration::from_millis(500),
        ..HttpLimits::default()
    };
    let server = world.serve(&world.certificates(), long).await;
    let mut client = world.connect(&server, &[&version::TLS13]).await;
    client.expect_close().await;
}

#[tokio::test]
async fn half_a_handshake_makes_room() {
    let world = World::new("tls-room");
    let limits = HttpLimits {
        max_connections: 1,
        ..HttpLimits::default()
    };
    let server = world.serve(&world.certificates(), limits).await;
    let mut half = server.connect().await;
    half.send(&[0x16]).await;
    let mut client = world.connect(&server, &[&version::TLS13]).await;
    let request = Ask::post("/webhook", CALL).signed("https://example.com/webhook");
    client.send(&request.bytes()).await;
    client.answer().await.expect_document("hello");
    half.expect_close().await;
}

#[tokio::test]
async fn a_new_certificate_leaves_connections_alone() {
    let world = World::new("tls-reload");
    let certificates = world.certificates();
    let server = world.serve(&certificates, HttpLimits::default()).await;
    let request = Ask::post("/webhook", CALL).signed("https://example.com/webhook");
    let mut before = world.connect(&server, &[&version::TLS13]).await;
    before.send(&request.bytes()).await;
    before.answer().await.expect_document("hello");

    // A bad certificate changes nothing.
    let (chain, _) = world.good();
    let files = world.write(&(chain, world.good().1));
    read(&files).expect_err("another key");
    let same = world.connect(&server, &[&version::TLS13]).await;
    assert_eq!(first_certificate(&same), first_certificate(&before));

    world.write(&world.good());
    certificates.put(read(&files).expect("good"));
    let mut after = world.connect(&server, &[&version::TLS13]).await;
    assert_ne!(first_certificate(&after), first_certificate(&before));
    for client in [&mut before, &mut after] {
        client.send(&request.bytes()).await;
        client.answer().await.expect_document("hello");
    }
}

#[test]
fn every_mistake_names_its_file_and_itself() {
    let world = World::new("tls-mistakes");
    let (chain, key) = world.good();
    let (leaf, leaf_key) = world.issue((2020, 2090));
    let intermediate = world.intermediate.pem();
    let stranger = CertifiedIssuer::self_signed(authority("Stranger"), new_key()).expect("a root");
    let both = |certificate: String, key: &str| (certificate, key.to_owned());
    let expired = world.issue((2020, 2021));
    let early = world.issue((2080, 2090));
    let damaged = chain.replacen("-----END", "-----", 1);
    let no_certificate =
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned();
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let odd_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    for (files, wanted) in [
        (
            both("nothing".to_owned(), &key),
            "cert.pem: is not PEM: nothing in it begins with -----BEGIN",
        ),
        (
            both(damaged, &key),
            "cert.pem: is damaged: a part of it is not whole PEM",
        ),
        (
            both(key.clone(), &key),
            "cert.pem: has a private key and no certificate; are --tls-cert and --tls-key the wrong way round?",
        ),
        (
            both(chain.clone(), &chain),
            "key.pem: has a certificate and no private key; are --tls-cert and --tls-key the wrong way round?",
        ),
        (
            both(chain.clone(), encrypted),
            "key.pem: has a key with a passphrase; write it without, readable by the service only",
        ),
        (
            both(chain.clone(), &[&*key, &*leaf_key].concat()),
            "key.pem: has 2 private keys; leave only that of the certificate",
        ),
        (
            both(chain.clone(), odd_key),
            "key.pem: has a private key of a kind that is not supported: take ECDSA P-256, Ed25519 or RSA of 2048 bits or more",
        ),
        (
            both(chain.clone(), &leaf_key),
            "key.pem: is not the key of the first certificate in FOLDER/cert.pem",
        ),
        (
            both(intermediate.clone() + &leaf, &leaf_key),
            "key.pem: is the key of certificate 2 in FOLDER/cert.pem, which has to be the first there",
        ),
        (
            expired,
            "cert.pem: certificate 1 has expired on 2021-01-01T00:00:00Z",
        ),
        (
            early,
            "cert.pem: certificate 1 is not valid before 2080-01-01T00:00:00Z; is the clock right?",
        ),
        (
            both(leaf.clone() + &stranger.pem(), &leaf_key),
            "cert.pem: the chain is not complete: certificate 2 has not issued certificate 1",
        ),
        (
            both(leaf.clone() + &world.root.pem() + &intermediate, &leaf_key),
            "cert.pem: the chain is in the wrong order: certificate 3 has issued certificate 1 and belongs behind it",
        ),
    ] {
        let paths = world.write(&files);
        let error = read(&paths).expect_err(wanted);
        let folder = world.folder.0.display().to_string();
        let shown = error.replace(&folder, "FOLDER");
        assert_eq!(shown, format!("FOLDER/{wanted}"));
    }
    let files = world.write(&both(no_certificate, &key));
    let error = read(&files).expect_err("no X.509");
    assert!(
        error.contains("cert.pem: certificate 1 cannot be understood: "),
        "{error}"
    );
    std::fs::remove_file(&files.certificate).expect("it was there");
    let error = read(&files).expect_err("missing");
    assert!(
        error.contains("cert.pem: cannot be read: No such file"),
        "{error}"
    );
}

#[tokio::test]
async fn what_is_only_suspicious_is_a_warning() {
    use crate::wire::log::Log;
    let world = World::new("tls-warnings");
    let log = Log::default();
    let _guard = log.listen();
    world.certificates();
    assert_eq!(log.text(), "");
    let files = world.write(&world.issue((2020, 2090)));
    read(&files).expect("good");
    let line = log.line("WARN");
    assert!(
        line.contains("has only the certificate of the service"),
        "{line}"
    );
    // Eleven days before it expires.
    world.write(&world.good());
    let late = "2089-12-21T00:00:00Z".parse().expect("a time");
    files.read(late, &|path| std::fs::read(path)).expect("good");
    let line = log.line("expires");
    assert!(
        line.contains("certificate 1 expires on 2090-01-01T00:00:00Z"),
        "{line}"
    );
}

#[test]
fn the_end_that_is_told_is_that_of_the_first_certificate_to_end() {
    let world = World::new("tls-expiry");
    for (leaf, issuer, first) in [(2060, 2080, 2060), (2080, 2060, 2060)] {
        let mut above = authority("Intermediate");
        above.not_after = date_time_ymd(issuer, 1, 1);
        let intermediate =
            CertifiedIssuer::signed_by(above, new_key(), &world.root).expect("an intermediate");
        let key = new_key();
        let certificate = params((2020, leaf)).signed_by(&key, &intermediate);
        let chain = certificate.expect("a certificate").pem() + &intermediate.pem();
        let files = world.write(&(chain, key.serialize_pem()));
        let certificates = Certificates::new(read(&files).expect("good"));
        let expected = format!("{first}-01-01T00:00:00Z");
        assert_eq!(certificates.expires().to_string(), expected);
    }
}
