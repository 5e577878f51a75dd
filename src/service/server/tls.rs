//! TLS: the certificate in use, which a reload replaces without touching a connection, and the handshake.

mod files;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::sign::SingleCertAndKey;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::server::TlsStream;
use tracing::{debug, warn};

use crate::service::server::connection::Connection;
use crate::service::server::listener::Peer;

pub use self::files::{TlsError, TlsFiles};
pub(super) use tokio_rustls::TlsAcceptor;

/// The one protocol that is spoken inside.
const ALPN: &[u8] = b"http/1.1";

/// The certificate in use. A connection keeps the one it began with.
pub struct Certificates {
    files: TlsFiles,
    current: ArcSwap<Fresh>,
}

/// A certificate that has been read and is good.
pub struct Fresh {
    config: Arc<ServerConfig>,
    expires: Timestamp,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificates").field(&self.files).finish()
    }
}

impl Certificates {
    /// Reads certificate and key. What is only suspicious, or expires within 14 days, is a warning in the log.
    ///
    /// # Errors
    ///
    /// A file is missing or no PEM, has no certificate or no key or several, they do not belong together, a certificate
    /// is not valid at this time, or the chain is incomplete or in the wrong order.
    pub fn read(files: TlsFiles, now: Timestamp) -> Result<Self, TlsError> {
        let current = ArcSwap::from_pointee(read(&files, now)?);
        Ok(Self { files, current })
    }

    /// Reads the files again; nothing changes before [`Certificates::put`].
    ///
    /// # Errors
    ///
    /// Those of [`Certificates::read`].
    pub fn read_again(&self, now: Timestamp) -> Result<Fresh, TlsError> {
        read(&self.files, now)
    }

    /// From the next handshake on it is this.
    pub fn put(&self, fresh: Fresh) {
        self.current.store(Arc::new(fresh));
    }

    /// When the first certificate of the chain in use to end is valid no more.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.current.load().expires
    }

    /// For one handshake.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.current.load().config))
    }
}

fn read(files: &TlsFiles, now: Timestamp) -> Result<Fresh, TlsError> {
    let read = files::read(files, now)?;
    for warning in read.warnings {
        warn!("{warning}");
    }
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .expect("ring has suites of both versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(read.certified)));
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Fresh {
        config: Arc::new(config),
        expires: read.expires,
    })
}

/// The stream inside, unless the handshake fails, takes too long, or the connection is to go.
pub(super) async fn handshake(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    within: Duration,
    peer: Peer,
    connection: &Connection,
) -> Option<TlsStream<TcpStream>> {
    let accepted = tokio::select! {
        accepted = timeout(within, acceptor.accept(stream)) => accepted,
        () = connection.closing() => return None,
    };
    match accepted {
        Ok(Ok(stream)) => Some(stream),
        // What is no TLS, plain HTTP above all, ends up here.
        Ok(Err(error)) => {
            debug!(%peer, %error, "TLS handshake failed");
            None
        }
        Err(_) => {
            debug!(%peer, "TLS handshake took too long");
            None
        }
    }
}
