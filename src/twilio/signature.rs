//! `X-Twilio-Signature`: is this request really from Twilio? Also `X-SignalWire-Signature`, which is computed in the
//! same way.
//!
//! An HMAC over the requested URL and the fields of its form, compared in constant time. The URL is taken byte for
//! byte: nothing here decodes, normalises or re-encodes it. The signature does not cover any time, so a captured
//! request can be replayed and this module cannot detect it.
//!
//! Source: <https://www.twilio.com/docs/usage/security#validating-requests>. Where Twilio's libraries differ, this
//! follows the Python one, 9.13.0.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use crate::twilio::request::Form;
use crate::twilio::signature::secrets::Secrets;
use crate::twilio::signature::signed_url::SignedUrl;

pub mod diagnosis;
pub mod public_url;
pub mod secrets;
mod signed_url;

/// An auth token or the secret of a shared key, ready for use as a key.
///
/// The text itself is not kept, and nothing prints the key.
#[derive(Clone)]
pub struct Secret {
    // The key is absorbed once here, not for every request.
    sha1: Hmac<Sha1>,
    sha256: Hmac<Sha256>,
}

impl Secret {
    /// The key is the text's UTF-8 bytes. [`Secrets`] takes only texts that can be a secret; this takes any.
    #[must_use]
    pub fn new(text: &str) -> Self {
        const ANY_LENGTH: &str = "an HMAC takes a key of any length";
        Self {
            sha1: Hmac::new_from_slice(text.as_bytes()).expect(ANY_LENGTH),
            sha256: Hmac::new_from_slice(text.as_bytes()).expect(ANY_LENGTH),
        }
    }

    /// The signature over a URL, in any number of pieces, and the fields of a form.
    fn sign(&self, algorithm: Algorithm, url: &[&str], fields: &[u8]) -> Vec<u8> {
        match algorithm {
            Algorithm::HmacSha1 => fed(&self.sha1, url, fields)
                .finalize()
                .into_bytes()
                .to_vec(),
            Algorithm::HmacSha256 => fed(&self.sha256, url, fields)
                .finalize()
                .into_bytes()
                .to_vec(),
        }
    }

    /// Whether this is the signature. Compares in constant time; a signature of another length does not match.
    fn has_signed(
        &self,
        algorithm: Algorithm,
        url: &[&str],
        fields: &[u8],
        signature: &[u8],
    ) -> bool {
        match algorithm {
            Algorithm::HmacSha1 => fed(&self.sha1, url, fields).verify_slice(signature),
            Algorithm::HmacSha256 => fed(&self.sha256, url, fields).verify_slice(signature),
        }
        .is_ok()
    }
}

fn fed<M: Mac + Clone>(keyed: &M, url: &[&str], fields: &[u8]) -> M {
    let mut mac = keyed.clone();
    for piece in url {
        mac.update(piece.as_bytes());
    }
    mac.update(fields);
    mac
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

/// How a signature is computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// For every webhook signed with an auth token, and for shared keys that ask for it.
    #[default]
    HmacSha1,
    /// For shared keys only, so far.
    HmacSha256,
}

impl Algorithm {
    /// The algorithm with Twilio's name for it, in any letter case; `None` when the name is unknown.
    fn from_name(name: &str) -> Option<Self> {
        match &*name.to_ascii_uppercase() {
            "HMAC_SHA1" => Some(Self::HmacSha1),
            "HMAC_SHA256" => Some(Self::HmacSha256),
            _ => None,
        }
    }

    /// The algorithm whose signatures have this many bytes.
    fn of_length(bytes: usize) -> Option<Self> {
        match bytes {
            20 => Some(Self::HmacSha1),
            32 => Some(Self::HmacSha256),
            _ => None,
        }
    }
}

/// What is signed along with the URL.
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    /// The fields of a form POST: sorted by name, then value, without duplicate pairs or separators.
    Form(&'a Form),
    /// Nothing: the fields of a GET are already in the URL.
    Query,
    /// A body that is not a form. The URL's query holds its SHA-256 as `bodySHA256`, in lower-case hex; without that
    /// the body is not signed, and verification fails.
    Bytes(&'a [u8]),
}

/// Who claims to have signed a request. The header with the signature shows this, and so selects the secrets to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signer {
    /// Twilio, by `X-Twilio-Signature`.
    Twilio,
    /// `SignalWire`, by `X-SignalWire-Signature`, in its dialect of TwiML, cXML.
    ///
    /// Source: <https://developer.signalwire.com/compatibility-api/guides/general/webhook-security/>.
    SignalWire,
}

/// A request as far as its signature is concerned.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// Who claims to have signed it.
    pub signer: Signer,
    /// The header with the signature.
    pub signature: Option<&'a str>,
    /// The header `X-Twilio-Webhooks-Signature-Settings`, which webhooks signed with a shared key carry. Used only for
    /// Twilio's signatures.
    pub settings: Option<&'a str>,
    /// The parameter `AccountSid`; empty when absent. Used only to look up secrets, never trusted.
    pub account_sid: &'a str,
    /// What is signed along with the URL.
    pub content: Content<'a>,
}

/// Why a request is not accepted as Twilio's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The signature is absent or empty.
    Missing,
    /// No secret that applies made this signature over any of the URLs.
    Mismatch,
}

impl Failure {
    /// The body of the answer.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "signature missing",
            Self::Mismatch => "signature does not match",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for Failure {}

/// The signature that Twilio would send for this URL, in base64. A fragment is not signed.
///
/// For [`Content::Bytes`] the URL must carry [`body_sha256`] as `bodySHA256` already.
#[must_use]
pub fn sign(secret: &Secret, algorithm: Algorithm, url: &str, content: Content<'_>) -> String {
    let url = url.split('#').next().unwrap_or_default();
    STANDARD.encode(secret.sign(algorithm, &[url], &signed_fields(content)))
}

/// The index of the URL over which Twilio signed this request.
///
/// For each URL in turn, these variants are tried: with and without its user info, with and without its port (or with
/// the scheme's default port, when it has none), and with an empty path and `/` exchanged. Fragments are not signed.
///
/// The settings header is not signed, so it only selects among the existing secrets. With a `key` only the secret of
/// that shared key is tried; a key without a secret fails and does not fall back to an auth token. Without a `key`,
/// auth tokens are tried with the `algorithm` it names, as in the Python library: an attacker gains nothing by choosing
/// it, because the token is needed either way. Shared keys are never tried unless they are named. `SignalWire`'s keys
/// are tried only for `SignalWire`'s signatures, and no other secrets are tried for those.
///
/// # Errors
///
/// [`Failure::Missing`] without a signature. [`Failure::Mismatch`] for every other reason; see
/// [`diagnosis::diagnose`] for which.
pub fn verify<U: AsRef<str>>(
    secrets: &Secrets,
    urls: &[U],
    signed: &Signed<'_>,
) -> Result<usize, Failure> {
    let claim = Claim::of(signed)?;
    let settings = Settings::of(signed);
    let algorithm = settings.algorithm.ok_or(Failure::Mismatch)?;
    // The length of the received signature is not a secret.
    if claim.algorithm != Some(algorithm) {
        return Err(Failure::Mismatch);
    }
    let is_signed = |url: SignedUrl<'_>| {
        secrets
            .applying(signed.signer, settings.key, signed.account_sid)
            // The URL contains the body's hash, so the body is worth hashing only when the URL is Twilio's.
            .any(|secret| claim.signs_url(secret, algorithm, url) && claim.signs_body(url))
    };
    let mut urls = urls.iter().map(|url| SignedUrl::parse(url.as_ref()));
    let found = urls.position(|url| url.is_some_and(|url| url.readings().any(is_signed)));
    found.ok_or(Failure::Mismatch)
}

/// SHA-256 in lower-case hex, as Twilio writes it into `bodySHA256`.
#[must_use]
pub fn body_sha256(body: &[u8]) -> String {
    format!("{:x}", Bytes::copy_from_slice(&Sha256::digest(body)))
}

/// The fields of a form as they are signed: sorted by the bytes of name, then value, without exact duplicates, all
/// joined.
fn signed_fields(content: Content<'_>) -> Vec<u8> {
    let Content::Form(form) = content else {
        return Vec::new();
    };
    // With equal names in front, joined names and values sort by value.
    let mut fields: SmallVec<[_; 64]> = form
        .joined()
        .map(|(name, field)| (beginning(name), name, field))
        .collect();
    fields.sort_unstable();
    fields.dedup();
    let mut signed = Vec::with_capacity(form.text_len());
    for (_, _, field) in fields {
        signed.extend_from_slice(field);
    }
    signed
}

/// The first eight bytes of a name as a number, which distinguishes most names in one comparison.
fn beginning(name: &[u8]) -> u64 {
    u64::from_be_bytes(name.first_chunk().copied().unwrap_or_else(|| {
        let mut short = [0; 8];
        short[..name.len()].copy_from_slice(name);
        short
    }))
}

/// The most bytes that 44 base64 digits, the length of an HMAC-SHA256 signature, can hold.
const MOST_DECODED: usize = 33;

/// A request's signature and what it claims to cover, prepared once for all URLs and secrets.
struct Claim<'a> {
    /// By the length of the signature; `None` when Twilio makes no signature of this length.
    algorithm: Option<Algorithm>,
    /// The decoded signature, followed by unused bytes.
    decoded: [u8; MOST_DECODED],
    length: usize,
    fields: Vec<u8>,
    body: Option<&'a [u8]>,
}

impl<'a> Claim<'a> {
    fn of(signed: &Signed<'a>) -> Result<Self, Failure> {
        let signature = signed
            .signature
            .filter(|signature| !signature.is_empty())
            .ok_or(Failure::Missing)?;
        let mut decoded = [0; MOST_DECODED];
        // Text that is not base64 or is too long decodes to nothing.
        let length = STANDARD
            .decode_slice(signature, &mut decoded)
            .unwrap_or_default();
        let algorithm = Algorithm::of_length(length);
        Ok(Self {
            algorithm,
            decoded,
            length,
            // A signature that cannot be right does not need sorted fields.
            fields: algorithm.map_or_else(Vec::new, |_| signed_fields(signed.content)),
            body: match signed.content {
                Content::Bytes(body) => Some(body),
                Content::Form(_) | Content::Query => None,
            },
        })
    }

    fn signs_url(&self, secret: &Secret, algorithm: Algorithm, url: SignedUrl<'_>) -> bool {
        let signature = &self.decoded[..self.length];
        secret.has_signed(algorithm, &url.pieces(), &self.fields, signature)
    }

    fn signs_body(&self, url: SignedUrl<'_>) -> bool {
        self.body.is_none_or(|body| {
            url.query_value("bodySHA256")
                .is_some_and(|hash| hash == body_sha256(body))
        })
    }
}

/// What the header `X-Twilio-Webhooks-Signature-Settings` asks for: `key=ID,algorithm=NAME`.
///
/// Spaces around names and values do not count, an empty value counts as absent, the first of a repeated name
/// counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Settings<'a> {
    key: Option<&'a str>,
    /// `None` when the header names an unknown algorithm.
    algorithm: Option<Algorithm>,
}

impl<'a> Settings<'a> {
    fn of(signed: &Signed<'a>) -> Self {
        let header = signed.settings;
        Self::parse(header.filter(|_| signed.signer == Signer::Twilio))
    }

    fn parse(header: Option<&'a str>) -> Self {
        let value_of = |wanted: &str| {
            header?
                .split(',')
                .filter_map(|part| part.split_once('='))
                .find(|(name, value)| name.trim() == wanted && !value.trim().is_empty())
                .map(|(_, value)| value.trim())
        };
        Self {
            key: value_of("key"),
            algorithm: value_of("algorithm")
                .map_or(Some(Algorithm::default()), Algorithm::from_name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://example.com/out-of-session?foo=1";
    pub(super) const ACCOUNT: &str = "AC00000000000000000000000000000001";
    pub(super) const OTHER_ACCOUNT: &str = "AC00000000000000000000000000000002";

    pub(super) fn form() -> Form {
        [("To", "+15005550006"), ("From", "+14155550100")]
            .into_iter()
            .collect()
    }

    fn one_token() -> Secrets {
        Secrets::parse("token").expect("a file with one token")
    }

    /// Whether a URL is accepted with a signature over another one, both with the same form.
    fn accepted(received: &str, signed: &str) -> bool {
        let form = form();
        let content = Content::Form(&form);
        let signature = sign(&Secret::new("token"), Algorithm::HmacSha1, signed, content);
        verify(&one_token(), &[received], &with(&signature, content)) == Ok(0)
    }

    fn with<'a>(signature: &'a str, content: Content<'a>) -> Signed<'a> {
        Signed {
            signer: Signer::Twilio,
            signature: Some(signature),
            settings: None,
            account_sid: "",
            content,
        }
    }

    #[test]
    fn failures_are_the_bodies_of_the_contract() {
        assert_eq!(Failure::Missing.to_string(), "signature missing");
        assert_eq!(Failure::Mismatch.to_string(), "signature does not match");
    }

    #[test]
    fn a_missing_and_an_empty_signature_are_missing() {
        let form = form();
        for signature in [None, Some("")] {
            let signed = Signed {
                signature,
                ..with("", Content::Form(&form))
            };
            assert_eq!(verify(&one_token(), &[URL], &signed), Err(Failure::Missing));
        }
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let form = form();
        let content = Content::Form(&form);
        for (algorithm, settings) in [
            (Algorithm::HmacSha1, None),
            (Algorithm::HmacSha256, Some("algorithm=HMAC_SHA256")),
        ] {
            let good = sign(&Secret::new("token"), algorithm, URL, content);
            let bytes = STANDARD.decode(&good).expect("our own base64");
            let verdict = |signature: &str| {
                let signed = Signed {
                    settings,
                    ..with(signature, content)
                };
                verify(&one_token(), &[URL], &signed)
            };
            assert_eq!(verdict(&good), Ok(0));
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(verdict(&STANDARD.encode(flipped)), Err(Failure::Mismatch));
            }
        }
    }

    #[test]
    fn what_is_no_signature_does_not_match() {
        let form = form();
        let content = Content::Form(&form);
        let good = sign(&Secret::new("token"), Algorithm::HmacSha1, URL, content);
        let unpadded = good.trim_end_matches('=');
        // The last base64 digit of 20 bytes has two unused bits, so another digit may decode to the same bytes.
        let (head, digit) = unpadded.split_at(unpadded.len() - 1);
        let next = char::from(digit.as_bytes()[0] + 1);
        for signature in [
            "foo",
            "not base64 at all",
            "=",
            unpadded,
            &format!("{good}="),
            &format!(" {good}"),
            &format!("{good}\n"),
            &format!("{good}, {good}"),
            &format!("{head}{next}="),
            &good[4..],
            &format!("AAAA{good}"),
            &"A".repeat(100_000),
        ] {
            assert_eq!(
                verify(&one_token(), &[URL], &with(signature, content)),
                Err(Failure::Mismatch),
                "{signature:.40}"
            );
        }
    }

    #[test]
    fn a_port_is_tried_both_ways() {
        for (received, signed) in [
            ("https://h/x", "https://h/x"),
            ("https://h/x", "https://h:443/x"),
            ("https://h:443/x", "https://h/x"),
            ("https://h:8443/x", "https://h:8443/x"),
            ("https://h:8443/x", "https://h/x"),
            ("http://h/x", "http://h:80/x"),
            ("http://h:8080?a=b:c", "http://h:8080?a=b:c"),
            ("http://h:8080?a=b:c", "http://h?a=b:c"),
            ("HTTPS://h/x", "HTTPS://h:443/x"),
            ("https://[2001:db8::1]:8443/x", "https://[2001:db8::1]/x"),
            (
                "https://[2001:db8::1]:8443/x",
                "https://[2001:db8::1]:8443/x",
            ),
            ("https://[2001:db8::1]/x", "https://[2001:db8::1]/x"),
            ("https://[2001:db8::1]/x", "https://[2001:db8::1]:443/x"),
        ] {
            assert!(accepted(received, signed), "{received} for {signed}");
        }
        for (received, signed) in [
            ("https://h:8443/x", "https://h:443/x"),
            ("https://h/x", "https://h:80/x"),
            ("https://h/x", "https://h:8443/x"),
            ("http://h/x", "http://h:443/x"),
            ("https://[2001:db8::1]:8443/x", "https://[2001/x"),
            ("https://[2001:db8::1]/x", "https://[2001:db8:/x"),
        ] {
            assert!(!accepted(received, signed), "{received} for {signed}");
        }
    }

    #[test]
    fn user_info_is_tried_both_ways_and_not_taken_for_a_port() {
        for (received, signed) in [
            ("https://user:pass@h:8443/x", "https://h/x"),
            ("https://user:pass@h:8443/x", "https://h:8443/x"),
            ("https://user:pass@h:8443/x", "https://user:pass@h/x"),
            ("https://user:pass@h:8443/x", "https://user:pass@h:8443/x"),
            ("https://a@b@h/x", "https://h/x"),
            ("https://h/x@y?z@", "https://h/x@y?z@"),
        ] {
            assert!(accepted(received, signed), "{received} for {signed}");
        }
        assert!(!accepted("https://h/x", "https://user@h/x"));
        assert!(!accepted("https://h/x@y", "https://y"));
    }

    #[test]
    fn a_url_is_taken_byte_for_byte() {
        for url in [
            "https://h/x?a=%2b&A=%2B+%20&flag&x=&&",
            "https://h/x?",
            "https://h//x/../y",
            "https://H.example/Espa\u{f1}a?a\u{f1}o=1",
            "https://h/x;v=1?a;b",
        ] {
            assert!(accepted(url, url), "{url}");
        }
        for (received, signed) in [
            ("https://h/x", "https://h/x/"),
            ("https://h/x/", "https://h/x"),
            ("https://h/x", "https://h/x?"),
            ("https://h/x?a=%2b", "https://h/x?a=%2B"),
            ("https://h/x?a=+", "https://h/x?a=%20"),
            ("https://H/x", "https://h/x"),
            ("http://h/x", "https://h/x"),
            ("HTTPS://h/x", "https://h/x"),
            ("https://h/x?a=1&b=2", "https://h/x?b=2&a=1"),
        ] {
            assert!(!accepted(received, signed), "{received} for {signed}");
        }
    }

    #[test]
    fn a_fragment_is_not_signed() {
        assert!(accepted("https://h/x?a=1#rc=2", "https://h/x?a=1"));
        assert!(accepted("https://h/x", "https://h/x#rc=2&ct=1000"));
        assert!(accepted("https://h#rc=2", "https://h"));
    }

    #[test]
    fn a_host_alone_is_the_same_with_a_slash() {
        for (received, signed) in [
            ("https://h", "https://h/"),
            ("https://h/", "https://h"),
            ("https://h?a=1", "https://h/?a=1"),
            ("https://h/?a=1", "https://h:443?a=1"),
        ] {
            assert!(accepted(received, signed), "{received} for {signed}");
        }
        assert!(!accepted("https://h", "https://h//"));
    }

    #[test]
    fn what_is_no_url_matches_nothing() {
        for url in ["", "h/x", "/x", "https:/h"] {
            assert!(!accepted(url, url), "{url}");
        }
    }

    #[test]
    fn the_url_that_matched_is_named() {
        let form = form();
        let content = Content::Form(&form);
        let signature = sign(&Secret::new("token"), Algorithm::HmacSha1, URL, content);
        let signed = with(&signature, content);
        let urls = ["https://a/x".to_owned(), URL.to_owned(), URL.to_owned()];
        assert_eq!(verify(&one_token(), &urls, &signed), Ok(1));
        assert_eq!(
            verify::<&str>(&one_token(), &[], &signed),
            Err(Failure::Mismatch)
        );
    }

    #[test]
    fn repeats_count_once_and_values_are_sorted_below_their_name() {
        let signature_of = |pairs: &[(&str, &str)]| {
            let form: Form = pairs.iter().copied().collect();
            sign(
                &Secret::new("token"),
                Algorithm::HmacSha1,
                URL,
                Content::Form(&form),
            )
        };
        let sorted = signature_of(&[("B", "1"), ("B", "2"), ("a", "")]);
        assert_eq!(signature_of(&[("a", ""), ("B", "2"), ("B", "1")]), sorted);
        assert_eq!(
            signature_of(&[("B", "2"), ("a", ""), ("B", "2"), ("B", "1"), ("a", "")]),
            sorted
        );
        assert_ne!(signature_of(&[("B", "1"), ("a", "")]), sorted);
        assert_ne!(signature_of(&[("B", "1"), ("B", "2")]), sorted);
    }

    #[test]
    fn fields_are_signed_by_the_bytes_of_name_then_value() {
        let long = "n".repeat(5000);
        for names in [
            &["b", "a", "c"][..],
            &["ba", "c", "b", "ac", "bac"],
            &["b", "a", "b", "", "c", "b"],
            &[],
            &[&long, "a", "nnnnnnnn", "nnnnnnn", "nnnnnnn\0"],
            &[
                "inboundParticipantProxyIdentifierSid",
                "inboundParticipantProxyIdentifier",
                "CallerZip",
                "CallerCity",
                "Caller",
                "\u{e9}",
                "\u{10ffff}",
            ],
        ] {
            for values in [
                ["2", "1", "3", "4", "5", "6", "7"],
                ["1", "2", "1", "2", "1", "2", "1"],
            ] {
                let mut pairs: Vec<(&str, &str)> = names.iter().copied().zip(values).collect();
                let form: Form = pairs.iter().copied().collect();
                pairs.sort_unstable();
                pairs.dedup();
                let expected: Vec<&str> = pairs
                    .iter()
                    .flat_map(|(name, value)| [*name, *value])
                    .collect();
                let signed = signed_fields(Content::Form(&form));
                assert_eq!(
                    String::from_utf8_lossy(&signed),
                    expected.concat(),
                    "{pairs:?}"
                );
            }
        }
    }

    #[test]
    fn text_is_signed_as_its_utf_8() {
        let form: Form = [("Body", "¿Qué? 👋🏽\r\n"), ("ToCity", "")]
            .into_iter()
            .collect();
        let content = Content::Form(&form);
        // Computed with Twilio's Python library, 9.13.0.
        let signature = "S1YB27g0HpXcXPyb9iHWDCIjCDA=";
        assert_eq!(
            verify(&one_token(), &[URL], &with(signature, content)),
            Ok(0)
        );
        // The same letter in another normal form is a different text.
        let decomposed: Form = [("Body", "¿Que\u{301}? 👋🏽\r\n"), ("ToCity", "")]
            .into_iter()
            .collect();
        assert_eq!(
            verify(
                &one_token(),
                &[URL],
                &with(signature, Content::Form(&decomposed))
            ),
            Err(Failure::Mismatch)
        );
    }

    #[test]
    fn every_token_is_tried() {
        let secrets = Secrets::parse("new\nold").expect("two tokens");
        let form = form();
        let content = Content::Form(&form);
        for (token, verdict) in [
            ("new", Ok(0)),
            ("old", Ok(0)),
            ("older", Err(Failure::Mismatch)),
        ] {
            let signature = sign(&Secret::new(token), Algorithm::HmacSha1, URL, content);
            assert_eq!(
                verify(&secrets, &[URL], &with(&signature, content)),
                verdict
            );
        }
    }

    #[test]
    fn without_secrets_nothing_matches() {
        let form = form();
        let content = Content::Form(&form);
        let signature = sign(&Secret::new(""), Algorithm::HmacSha1, URL, content);
        assert_eq!(
            verify(&Secrets::default(), &[URL], &with(&signature, content)),
            Err(Failure::Mismatch)
        );
    }

    #[test]
    fn a_sub_accounts_token_is_tried_for_its_account_only() {
        let secrets =
            Secrets::parse(&format!("main\n{ACCOUNT} sub\n{ACCOUNT} sub2")).expect("three secrets");
        let form = form();
        let content = Content::Form(&form);
        for (token, account_sid, verdict) in [
            ("sub", ACCOUNT, Ok(0)),
            ("sub2", ACCOUNT, Ok(0)),
            ("main", ACCOUNT, Ok(0)),
            ("main", "", Ok(0)),
            ("sub", OTHER_ACCOUNT, Err(Failure::Mismatch)),
            ("sub", "", Err(Failure::Mismatch)),
        ] {
            let signature = sign(&Secret::new(token), Algorithm::HmacSha1, URL, content);
            let signed = Signed {
                account_sid,
                ..with(&signature, content)
            };
            assert_eq!(
                verify(&secrets, &[URL], &signed),
                verdict,
                "{token} {account_sid}"
            );
        }
    }

    #[test]
    fn a_shared_key_is_tried_when_it_is_named_and_then_alone() {
        const ONE: &str = "key=webhooks_sharedkey_1";
        let secrets = Secrets::parse(
            "token\nwebhooks_sharedkey_1 first\nwebhooks_sharedkey_2 second\nwebhooks_sharedkey_2 renewed",
        )
        .expect("a token and three secrets of shared keys");
        let form = form();
        let content = Content::Form(&form);
        for (secret, algorithm, settings, matches) in [
            ("first", Algorithm::HmacSha1, ONE, true),
            (
                "first",
                Algorithm::HmacSha1,
                "key=webhooks_sharedkey_1,algorithm=HMAC_SHA1",
                true,
            ),
            (
                "first",
                Algorithm::HmacSha256,
                "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256",
                true,
            ),
            (
                "first",
                Algorithm::HmacSha256,
                " algorithm = hmac_sha256 , key = webhooks_sharedkey_1 ",
                true,
            ),
            (
                "renewed",
                Algorithm::HmacSha1,
                "key=webhooks_sharedkey_2",
                true,
            ),
            // An empty value counts as absent, and the first one that is not empty counts.
            (
                "first",
                Algorithm::HmacSha1,
                "key=,key=webhooks_sharedkey_1,key=x,algorithm=",
                true,
            ),
            ("token", Algorithm::HmacSha1, "", true),
            ("token", Algorithm::HmacSha1, "key=,algorithm= ", true),
            (
                "token",
                Algorithm::HmacSha256,
                "algorithm=HMAC_SHA256",
                true,
            ),
            // The header decides the algorithm; others are not tried.
            ("first", Algorithm::HmacSha256, ONE, false),
            (
                "first",
                Algorithm::HmacSha1,
                "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256",
                false,
            ),
            ("token", Algorithm::HmacSha1, "algorithm=HMAC_SHA256", false),
            // An unknown algorithm fails whatever the secret.
            (
                "first",
                Algorithm::HmacSha1,
                "key=webhooks_sharedkey_1,algorithm=HMAC_SHA512",
                false,
            ),
            ("token", Algorithm::HmacSha1, "algorithm=none", false),
            // Another key's secret, an auth token, or a key that is not named.
            ("second", Algorithm::HmacSha1, ONE, false),
            ("token", Algorithm::HmacSha1, ONE, false),
            (
                "token",
                Algorithm::HmacSha1,
                "key=webhooks_sharedkey_3",
                false,
            ),
            (
                "first",
                Algorithm::HmacSha1,
                "key=WEBHOOKS_SHAREDKEY_1",
                false,
            ),
            (
                "first",
                Algorithm::HmacSha1,
                "Key=webhooks_sharedkey_1",
                false,
            ),
            ("first", Algorithm::HmacSha1, "", false),
        ] {
            let signature = sign(&Secret::new(secret), algorithm, URL, content);
            let signed = Signed {
                settings: Some(settings),
                ..with(&signature, content)
            };
            assert_eq!(
                verify(&secrets, &[URL], &signed).is_ok(),
                matches,
                "{secret} {algorithm:?} {settings:?}"
            );
        }
    }

    #[test]
    fn a_body_that_is_no_form_is_bound_by_its_hash() {
        const BODY: &[u8] = b"[{\"id\":1}]";
        let hash = body_sha256(BODY);
        let verdict = |url: &str, body: &[u8]| {
            let content = Content::Bytes(body);
            let signature = sign(&Secret::new("token"), Algorithm::HmacSha1, url, content);
            verify(&one_token(), &[url], &with(&signature, content))
        };
        for query in [
            format!("bodySHA256={hash}"),
            format!("a=1&bodySHA256={hash}&b=2"),
            format!("bodySHA256={hash}&bodySHA256=x"),
        ] {
            assert_eq!(verdict(&format!("https://h/events?{query}"), BODY), Ok(0));
        }
        for query in [
            String::new(),
            "bodySHA256=".to_owned(),
            "bodySHA256".to_owned(),
            format!("bodySHA256={}", hash.to_ascii_uppercase()),
            format!("bodysha256={hash}"),
            format!("xbodySHA256={hash}"),
            format!("bodySHA256={}", &hash[1..]),
            format!("bodySHA256=x&bodySHA256={hash}"),
        ] {
            let url = format!("https://h/events?{query}");
            assert_eq!(verdict(&url, BODY), Err(Failure::Mismatch), "{query}");
        }
        let url = format!("https://h/events?bodySHA256={hash}");
        assert_eq!(verdict(&url, b"[{\"id\":2}]"), Err(Failure::Mismatch));
        assert_eq!(verdict("https://h/events", b""), Err(Failure::Mismatch));
    }

    #[test]
    fn the_fields_of_a_get_are_not_signed_twice() {
        let url = "https://h/x?To=%2B1";
        let signature = sign(
            &Secret::new("token"),
            Algorithm::HmacSha1,
            url,
            Content::Query,
        );
        let query = Form::parse(b"To=%2B1");
        for (content, verdict) in [
            (Content::Query, Ok(0)),
            (Content::Form(&query), Err(Failure::Mismatch)),
        ] {
            assert_eq!(
                verify(&one_token(), &[url], &with(&signature, content)),
                verdict
            );
        }
    }

    #[test]
    fn nothing_prints_a_secret() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "<redacted>");
        let secrets = Secrets::parse(&format!("hunter2\n{ACCOUNT} hunter3")).expect("two secrets");
        let shown = format!("{secrets:?}");
        assert!(shown.contains("<redacted>"), "{shown}");
        assert!(!shown.contains("hunter"), "{shown}");
    }
}
