//! Takes the place of `tls.rs` in a program that is built without the feature `tls`: there are no certificates.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::path::PathBuf;

use jiff::Timestamp;
use tokio::net::TcpStream;

/// Where the certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate of the service, then the intermediate ones, in PEM.
    pub certificate: PathBuf,
    /// The private key of the first certificate, in PEM.
    pub key: PathBuf,
}

/// This program cannot speak TLS.
#[derive(Debug)]
pub struct TlsError;

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this program was built without TLS: build it with the feature `tls`, or let a reverse proxy take the TLS")
    }
}

impl std::error::Error for TlsError {}

/// There are none.
#[derive(Debug)]
pub struct Certificates(Infallible);

/// Never made.
pub(super) struct TlsAcceptor(Infallible);

/// What would be decrypted.
pub(super) type TlsStream = TcpStream;

impl TlsAcceptor {
    pub(super) async fn accept(&self, _stream: TcpStream) -> io::Result<TlsStream> {
        match self.0 {}
    }
}

impl Certificates {
    /// Always fails.
    ///
    /// # Errors
    ///
    /// This program cannot speak TLS.
    pub fn read(_files: TlsFiles, _now: Timestamp) -> Result<Self, TlsError> {
        Err(TlsError)
    }

    /// Never called.
    ///
    /// # Errors
    ///
    /// None.
    pub fn read_again(&self, _now: Timestamp) -> Result<Infallible, TlsError> {
        match self.0 {}
    }

    /// Never called.
    pub fn put(&self, fresh: Infallible) {
        match fresh {}
    }

    /// Never called.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        match self.0 {}
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        match self.0 {}
    }
}
