//! A certificate and its key, read from their files, or a sentence why they are of no use.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{PemObject, SectionKind};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;
use x509_cert::Certificate;
use x509_cert::der::Decode;

/// How long before its end a certificate is warned about.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Where the certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate of the service, then the intermediate ones, in PEM.
    pub certificate: PathBuf,
    /// The private key of the first certificate, in PEM.
    pub key: PathBuf,
}

/// A file that is of no use, and why.
#[derive(Debug)]
pub struct TlsError {
    pub(super) file: PathBuf,
    pub(super) reason: Reason,
}

#[derive(Debug)]
pub(super) enum Reason {
    Unreadable(io::Error),
    NotPem,
    BadPem,
    /// Wanted a certificate; whether there is a key instead.
    NoCertificate {
        has_key: bool,
    },
    /// Wanted a key; whether there is a certificate instead.
    NoKey {
        has_certificate: bool,
    },
    Encrypted,
    SeveralKeys(usize),
    /// Which certificate, from 1, and why.
    BadCertificate(usize, String),
    Expired(usize, Timestamp),
    NotYet(usize, Timestamp),
    /// The certificate at the second place did not issue that at the first.
    BrokenChain(usize, usize),
    /// The issuer of the first is there, but at the second place.
    WrongOrder(usize, usize),
    UnknownKey,
    /// The key is not that of the first certificate of this file, but perhaps of another one.
    OtherKey(PathBuf, Option<usize>),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file.display())?;
        match &self.reason {
            Reason::Unreadable(error) => write!(f, "cannot be read: {error}"),
            Reason::NotPem => f.write_str("is not PEM: nothing in it begins with -----BEGIN"),
            Reason::BadPem => f.write_str("is damaged: a part of it is not whole PEM"),
            Reason::NoCertificate { has_key: true } => f.write_str(
                "has a private key and no certificate; are --tls-cert and --tls-key the wrong way round?",
            ),
            Reason::NoCertificate { has_key: false } => f.write_str("has no certificate"),
            Reason::NoKey { has_certificate: true } => f.write_str(
                "has a certificate and no private key; are --tls-cert and --tls-key the wrong way round?",
            ),
            Reason::NoKey { has_certificate: false } => f.write_str("has no private key"),
            Reason::Encrypted => {
                f.write_str("has a key with a passphrase; write it without, readable by the service only")
            }
            Reason::SeveralKeys(number) => {
                write!(f, "has {number} private keys; leave only that of the certificate")
            }
            Reason::BadCertificate(place, error) => {
                write!(f, "certificate {place} cannot be understood: {error}")
            }
            Reason::Expired(place, end) => write!(f, "certificate {place} has expired on {end}"),
            Reason::NotYet(place, begin) => {
                write!(f, "certificate {place} is not valid before {begin}; is the clock right?")
            }
            Reason::BrokenChain(child, parent) => write!(
                f,
                "the chain is not complete: certificate {parent} has not issued certificate {child}"
            ),
            Reason::WrongOrder(child, parent) => write!(
                f,
                "the chain is in the wrong order: certificate {parent} has issued certificate {child} and belongs behind it"
            ),
            Reason::UnknownKey => f.write_str(
                "has a private key of a kind that is not supported: take ECDSA P-256, Ed25519 or RSA of 2048 bits or more",
            ),
            Reason::OtherKey(certificates, None) => write!(
                f,
                "is not the key of the first certificate in {}",
                certificates.display()
            ),
            Reason::OtherKey(certificates, Some(place)) => write!(
                f,
                "is the key of certificate {place} in {}, which has to be the first there",
                certificates.display()
            ),
        }
    }
}

impl std::error::Error for TlsError {}

/// What is to be used, and what the operator had better know.
#[derive(Debug)]
pub(super) struct ReadFiles {
    pub certified: CertifiedKey,
    /// When the first certificate of the chain to end is valid no more.
    pub expires: Timestamp,
    pub warnings: Vec<String>,
}

/// Reads both files and holds them against each other and against the time.
pub(super) fn read(files: &TlsFiles, now: Timestamp) -> Result<ReadFiles, TlsError> {
    let at = |file: &Path| {
        let file = file.to_owned();
        move |reason| TlsError { file, reason }
    };
    let chain = certificates(&files.certificate).map_err(at(&files.certificate))?;
    let key = key(&files.key).map_err(at(&files.key))?;
    let parsed = parse(&chain).map_err(at(&files.certificate))?;
    let certified = certify(files, &chain, &key)?;
    let warnings = judge(&parsed, now).map_err(at(&files.certificate))?;
    let expires = parsed.iter().map(end).min().unwrap_or(Timestamp::MAX);
    let named = |warning| format!("{}: {warning}", files.certificate.display());
    Ok(ReadFiles {
        certified,
        expires,
        warnings: warnings.into_iter().map(named).collect(),
    })
}

/// A part of a PEM file: what it is, and its bytes.
type Section = (SectionKind, Vec<u8>);

/// Every part of a PEM file, with the text it was read from.
fn sections(file: &Path) -> Result<(String, Vec<Section>), Reason> {
    let bytes = fs::read(file).map_err(Reason::Unreadable)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    if !text.contains("-----BEGIN") {
        return Err(Reason::NotPem);
    }
    let sections = Section::pem_slice_iter(&bytes).collect::<Result<_, _>>();
    // The error itself would show what is in the file.
    sections
        .map(|sections| (text, sections))
        .map_err(|_| Reason::BadPem)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Reason> {
    let (_, sections) = sections(file)?;
    let has_key = sections.iter().any(|(kind, _)| is_key(*kind));
    let chain: Vec<_> = sections
        .into_iter()
        .filter(|(kind, _)| *kind == SectionKind::Certificate)
        .map(|(_, der)| CertificateDer::from(der))
        .collect();
    if chain.is_empty() {
        return Err(Reason::NoCertificate { has_key });
    }
    Ok(chain)
}

fn key(file: &Path) -> Result<PrivateKeyDer<'static>, Reason> {
    let (text, sections) = sections(file)?;
    if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(Reason::Encrypted);
    }
    let has_certificate = sections
        .iter()
        .any(|(kind, _)| *kind == SectionKind::Certificate);
    let mut keys: Vec<_> = sections
        .into_iter()
        .filter_map(|(kind, der)| PrivateKeyDer::from_pem(kind, der))
        .collect();
    match (keys.pop(), keys.len()) {
        (None, _) => Err(Reason::NoKey { has_certificate }),
        (Some(key), 0) => Ok(key),
        (Some(_), others) => Err(Reason::SeveralKeys(others + 1)),
    }
}

fn is_key(kind: SectionKind) -> bool {
    use SectionKind::{EcPrivateKey, PrivateKey, RsaPrivateKey};
    matches!(kind, EcPrivateKey | PrivateKey | RsaPrivateKey)
}

fn parse(chain: &[CertificateDer<'_>]) -> Result<Vec<Certificate>, Reason> {
    let parsed = chain.iter().enumerate().map(|(index, der)| {
        Certificate::from_der(der)
            .map_err(|error| Reason::BadCertificate(index + 1, error.to_string()))
    });
    parsed.collect()
}

/// Puts the key to the first certificate.
fn certify(
    files: &TlsFiles,
    chain: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
) -> Result<CertifiedKey, TlsError> {
    let of_key = |reason| TlsError {
        file: files.key.clone(),
        reason,
    };
    let provider = ring::default_provider();
    if provider
        .key_provider
        .load_private_key(key.clone_key())
        .is_err()
    {
        return Err(of_key(Reason::UnknownKey));
    }
    let put = |chain: Vec<CertificateDer<'static>>| {
        CertifiedKey::from_der(chain, key.clone_key(), &provider).ok()
    };
    put(chain.to_vec()).ok_or_else(|| {
        let fits = chain
            .iter()
            .position(|der| put(vec![der.clone()]).is_some());
        let place = fits.map(|index| index + 1);
        of_key(Reason::OtherKey(files.certificate.clone(), place))
    })
}

/// Whether the certificates are valid now and each is issued by the next; gives what is only suspected.
fn judge(chain: &[Certificate], now: Timestamp) -> Result<Vec<String>, Reason> {
    let mut warnings = Vec::new();
    for (index, certificate) in chain.iter().enumerate() {
        let place = index + 1;
        let validity = certificate.tbs_certificate().validity();
        let begin = timestamp(validity.not_before.to_unix_duration());
        let end = end(certificate);
        if now < begin {
            return Err(Reason::NotYet(place, begin));
        }
        if now > end {
            return Err(Reason::Expired(place, end));
        }
        if end.duration_since(now) <= SOON {
            warnings.push(format!("certificate {place} expires on {end}"));
        }
    }
    let issuer = |index: usize| chain[index].tbs_certificate().issuer();
    let subject = |index: usize| chain[index].tbs_certificate().subject();
    for child in 0..chain.len() - 1 {
        if issuer(child) == subject(child + 1) {
            continue;
        }
        let parent =
            (0..chain.len()).find(|parent| *parent != child && issuer(child) == subject(*parent));
        return Err(match parent {
            Some(parent) => Reason::WrongOrder(child + 1, parent + 1),
            None => Reason::BrokenChain(child + 1, child + 2),
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
