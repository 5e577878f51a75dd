//! The TLS certificate in use: read from its files, checked, and replaced by a reload. Open connections keep theirs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{PemObject, SectionKind};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tracing::warn;
use x509_cert::Certificate;
use x509_cert::der::Decode;

use crate::service::listener::{Decrypt, Duplex, Handshake};
use crate::service::table_file::ReadFile;

/// How long before a certificate expires the log begins to warn about it.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Where the certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate of the service, then the intermediate ones, in PEM.
    pub certificate: PathBuf,
    /// The private key of the first certificate, in PEM.
    pub key: PathBuf,
}

/// The certificate in use. A connection keeps the one that it began with.
#[derive(Debug)]
pub struct Certificates {
    current: ArcSwap<Fresh>,
}

/// A certificate that has been read and is good.
pub struct Fresh {
    config: Arc<ServerConfig>,
    expires: Timestamp,
}

impl fmt::Debug for Fresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a certificate that expires on {}", self.expires)
    }
}

impl Certificates {
    /// Uses this certificate.
    #[must_use]
    pub fn new(first: Fresh) -> Self {
        Self {
            current: ArcSwap::from_pointee(first),
        }
    }

    /// Uses this certificate from the next handshake on.
    pub fn put(&self, fresh: Fresh) {
        self.current.store(Arc::new(fresh));
    }

    /// When the chain in use expires: as soon as any certificate in it does.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.current.load().expires
    }
}

impl Decrypt for Certificates {
    fn handshake(&self, stream: TcpStream) -> Handshake {
        let config = Arc::clone(&self.current.load().config);
        let accept = TlsAcceptor::from(config).accept(stream);
        Box::pin(async { Ok(Box::new(accept.await?) as Box<dyn Duplex>) })
    }
}

impl TlsFiles {
    /// Reads certificate and key, and checks them against each other and against the time. Anything that is only
    /// suspicious, or expires within 14 days, is a warning in the log.
    ///
    /// # Errors
    ///
    /// A file cannot be read or is not PEM, has no certificate, or does not have exactly one key; the two do not belong
    /// together; a certificate is not valid at this time; the chain is incomplete or in the wrong order.
    pub fn read(&self, now: Timestamp, read: ReadFile<'_>) -> Result<Fresh, String> {
        let about = |file: &Path| {
            let file = file.display().to_string();
            move |reason| format!("{file}: {reason}")
        };
        let chain = read_chain(&self.certificate, read).map_err(about(&self.certificate))?;
        let key = read_key(&self.key, read).map_err(about(&self.key))?;
        let parsed = parse(&chain).map_err(about(&self.certificate))?;
        let certified = certify(&self.certificate, chain, &key).map_err(about(&self.key))?;
        let warnings = judge(&parsed, now).map_err(about(&self.certificate))?;
        for warning in warnings {
            warn!("{}: {warning}", self.certificate.display());
        }
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .expect("ring has suites of both versions")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Fresh {
            config: Arc::new(config),
            expires: parsed.iter().map(end).min().unwrap_or(Timestamp::MAX),
        })
    }
}

/// A part of a PEM file: what it is, and its bytes.
type PemSection = (SectionKind, Vec<u8>);

/// The text of a PEM file, and its parts.
fn sections(file: &Path, read: ReadFile<'_>) -> Result<(String, Vec<PemSection>), String> {
    let bytes = read(file).map_err(|error| format!("cannot be read: {error}"))?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    if !text.contains("-----BEGIN") {
        return Err("is not PEM: nothing in it begins with -----BEGIN".to_owned());
    }
    let sections = PemObject::pem_slice_iter(&bytes).collect::<Result<_, _>>();
    // The error itself would show what is in the file.
    let sections = sections.map_err(|_| "is damaged: a part of it is not whole PEM")?;
    Ok((text, sections))
}

fn read_chain(file: &Path, read: ReadFile<'_>) -> Result<Vec<CertificateDer<'static>>, String> {
    let (text, sections) = sections(file, read)?;
    let chain: Vec<_> = sections
        .into_iter()
        .filter(|(kind, _)| *kind == SectionKind::Certificate)
        .map(|(_, der)| CertificateDer::from(der))
        .collect();
    if !chain.is_empty() {
        Ok(chain)
    } else if text.contains("PRIVATE KEY-----") {
        Err(wrong_way_round("private key", "certificate"))
    } else {
        Err("has no certificate".to_owned())
    }
}

fn read_key(file: &Path, read: ReadFile<'_>) -> Result<PrivateKeyDer<'static>, String> {
    let (text, sections) = sections(file, read)?;
    if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(
            "has a key with a passphrase; write it without, readable by the service only"
                .to_owned(),
        );
    }
    let mut keys: Vec<_> = sections
        .into_iter()
        .filter_map(|(kind, der)| PrivateKeyDer::from_pem(kind, der))
        .collect();
    match (keys.pop(), keys.len()) {
        (Some(key), 0) => Ok(key),
        (Some(_), others) => Err(format!(
            "has {} private keys; leave only that of the certificate",
            others + 1
        )),
        (None, _) if text.contains("BEGIN CERTIFICATE-----") => {
            Err(wrong_way_round("certificate", "private key"))
        }
        (None, _) => Err("has no private key".to_owned()),
    }
}

fn wrong_way_round(found: &str, wanted: &str) -> String {
    format!("has a {found} and no {wanted}; are --tls-cert and --tls-key the wrong way round?")
}

fn parse(chain: &[CertificateDer<'_>]) -> Result<Vec<Certificate>, String> {
    let parsed = chain.iter().zip(1..).map(|(der, place)| {
        Certificate::from_der(der)
            .map_err(|error| format!("certificate {place} cannot be understood: {error}"))
    });
    parsed.collect()
}

/// Combines the key with the first certificate. An error is about the key's file.
fn certify(
    certificates: &Path,
    chain: Vec<CertificateDer<'static>>,
    key: &PrivateKeyDer<'_>,
) -> Result<CertifiedKey, String> {
    let key = ring::sign::any_supported_type(key).map_err(|_| {
        "has a private key of a kind that is not supported: \
         take ECDSA P-256, Ed25519 or RSA of 2048 bits or more"
    })?;
    let fits = |der: &CertificateDer<'static>| {
        let alone = CertifiedKey::new(vec![der.clone()], Arc::clone(&key));
        alone.keys_match().is_ok()
    };
    let file = certificates.display();
    match chain.iter().position(fits) {
        Some(0) => Ok(CertifiedKey::new(chain, key)),
        Some(index) => {
            let place = index + 1;
            Err(format!(
                "is the key of certificate {place} in {file}, which has to be the first there"
            ))
        }
        None => Err(format!("is not the key of the first certificate in {file}")),
    }
}

/// Checks that the certificates are valid now and that each was issued by the next. Returns warnings.
fn judge(chain: &[Certificate], now: Timestamp) -> Result<Vec<String>, String> {
    let mut warnings = Vec::new();
    for (certificate, place) in chain.iter().zip(1..) {
        let validity = certificate.tbs_certificate().validity();
        let begin = timestamp(validity.not_before.to_unix_duration());
        let end = end(certificate);
        if now < begin {
            return Err(format!(
                "certificate {place} is not valid before {begin}; is the clock right?"
            ));
        }
        if now > end {
            return Err(format!("certificate {place} has expired on {end}"));
        }
        if end.duration_since(now) <= SOON {
            warnings.push(format!("certificate {place} expires on {end}"));
        }
    }
    let issuer = |index: usize| chain[index].tbs_certificate().issuer();
    let subject = |index: usize| chain[index].tbs_certificate().subject();
    let mut children = 0..chain.len() - 1;
    if let Some(child) = children.find(|child| issuer(*child) != subject(child + 1)) {
        let issued = |other: &usize| *other != child && issuer(child) == subject(*other);
        let place = child + 1;
        return Err(match (0..chain.len()).find(issued) {
            Some(parent) => format!(
                "the chain is in the wrong order: certificate {} has issued certificate {place} \
                 and belongs behind it",
                parent + 1
            ),
            None => format!(
                "the chain is not complete: certificate {} has not issued certificate {place}",
                place + 1
            ),
        });
    }
    if chain.len() == 1 && issuer(0) != subject(0) {
        warnings.push(
            "has only the certificate of the service; if its issuer is an intermediate one, append that, \
             or Twilio cannot trust it"
                .to_owned(),
        );
    }
    Ok(warnings)
}

/// The last moment at which a certificate is valid.
fn end(certificate: &Certificate) -> Timestamp {
    let validity = certificate.tbs_certificate().validity();
    timestamp(validity.not_after.to_unix_duration())
}

fn timestamp(since_1970: std::time::Duration) -> Timestamp {
    SignedDuration::try_from(since_1970)
        .ok()
        .and_then(|since| Timestamp::from_duration(since).ok())
        .unwrap_or(Timestamp::MAX)
}
