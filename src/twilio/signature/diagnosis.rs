//! Why a signature did not match: which other URL, form or secret it was made with.
//!
//! For the log and for `verify`; what is found here never lets a request in. Nothing here shows a secret, a signature
//! that would have been right, or a value of a query or a form.

use std::fmt;

use crate::twilio::request::Form;
use crate::twilio::signature::diagnosis::candidates::{Candidate, Variants};
use crate::twilio::signature::diagnosis::query_encoding::QueryEncoding;
use crate::twilio::signature::public_url::PublicUrl;
use crate::twilio::signature::secrets::{Owner, Secrets};
use crate::twilio::signature::url::Url;
use crate::twilio::signature::{Algorithm, Claim, Content, Secret, Settings, Signed};

mod candidates;
pub mod query_encoding;

// A stranger can send what never matches as often as he likes, so the work is bounded: this many HMACs over at
// most this many bytes each.
const MOST_BYTES: usize = 16 * 1024;
const MOST_URLS: usize = 4;
const MOST_CANDIDATES: usize = 64;
const MOST_CHECKS: usize = 512;

/// Fields that one public project reports as added after signing; Twilio's own word is that all are signed.
const PERHAPS_UNSIGNED: [&str; 2] = ["CallToken", "StirVerstat"];

/// Finds out why [`crate::twilio::signature::verify`] refused these URLs.
///
/// `hosts` are other hosts, with a port or without, by which Twilio may know this service, such as that of an
/// `X-Forwarded-Host` that was not trusted. `received` is path and query as received, from which the path prefix in
/// the URLs is told; empty when it is not known.
///
/// Tries scheme, host, port, slash and query encoding in all combinations, those with the fewest differences first,
/// then each without `CallToken` and `StirVerstat`, then each with the secrets that do not apply. At most 64 URLs
/// and 512 HMACs, and none when URLs and body have over 16 KiB together. That can still take milliseconds, so who
/// answers strangers does not call this for every one of them.
#[must_use]
pub fn diagnose<U: AsRef<str>>(
    secrets: &Secrets,
    urls: &[U],
    signed: &Signed<'_>,
    hosts: &[&str],
    received: &str,
) -> Diagnosis {
    let settings = Settings::parse(signed.settings);
    Diagnosis {
        tried: urls
            .iter()
            .map(|url| {
                Url::parse(url.as_ref()).map_or_else(|| "what is no URL".to_owned(), Url::shown)
            })
            .collect(),
        secrets: secrets.applying(settings.key, signed.account_sid).count(),
        finding: find(secrets, urls, signed, hosts, received),
    }
}

/// Why a request was refused, fit for a log line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// The URLs that were tried, without user info and without the values of their queries.
    pub tried: Vec<String>,
    /// How many secrets were tried.
    pub secrets: usize,
    /// What was found.
    pub finding: Finding,
}

impl Diagnosis {
    /// What would have matched, when that was found.
    #[must_use]
    pub fn would_match(&self) -> Option<&WouldMatch> {
        match &self.finding {
            Finding::WouldMatch(found) => Some(found),
            _ => None,
        }
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secrets = if self.secrets == 1 {
            "secret"
        } else {
            "secrets"
        };
        write!(
            f,
            "tried {} with {} {secrets}: {}",
            self.tried.join(" and "),
            self.secrets,
            self.finding
        )
    }
}

/// What the search for a reason found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The signature is Twilio's, but over something else.
    WouldMatch(WouldMatch),
    /// The request has no signature.
    NoSignature,
    /// The signature is not 20 or 32 bytes in base64, so Twilio did not make it.
    NotASignature,
    /// There was no search, since URLs and body have over 16 KiB.
    TooLarge,
    /// Nothing would match, and the settings header names an algorithm that is new to us.
    UnknownAlgorithm,
    /// Nothing would match, and the settings header names a shared key that has no secret.
    UnknownSharedKey,
    /// Nothing would match, and no secret is for the request's account.
    NoSecretApplies,
    /// Nothing would match.
    Nothing,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WouldMatch(found) => return found.fmt(f),
            Self::NoSignature => "the request has no signature",
            Self::NotASignature => "the signature is not one that Twilio makes",
            Self::TooLarge => "the request is too large to look for the reason",
            Self::UnknownAlgorithm => "the settings header names an algorithm that is new to this version",
            Self::UnknownSharedKey => {
                "the settings header names a shared key without a secret; \
                 add a line `webhooks_sharedkey_… SECRET` to the auth token file"
            }
            Self::NoSecretApplies => {
                "no secret is for the request's account; add its auth token to the auth token file"
            }
            Self::Nothing => {
                "no other scheme, host, port, slash or query encoding would match; \
                 the token is another account's, the host is another, something on the way changes the request, \
                 or it is not Twilio's"
            }
        })
    }
}

/// What the signature was made over, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WouldMatch {
    /// The URL that was signed, without the values of its query.
    pub url: String,
    /// In what it differs from all that was tried; at least one.
    pub differences: Vec<Difference>,
    /// What `--public-url` should be; `None` when that is not what is wrong.
    pub public_url: Option<String>,
}

impl fmt::Display for WouldMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} would match", self.url)?;
        for (index, difference) in self.differences.iter().enumerate() {
            let separator = if index == 0 { ", where" } else { " and" };
            write!(f, "{separator} {difference}")?;
        }
        if let Some(public_url) = &self.public_url {
            write!(f, "; set --public-url {public_url}")?;
        }
        self.differences
            .iter()
            .filter_map(Difference::remedy)
            .try_for_each(|remedy| write!(f, "; {remedy}"))
    }
}

/// One thing in which what was signed differs from what was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// The scheme is this one, `https` or `http`.
    Scheme(&'static str),
    /// The host is another.
    Host,
    /// The port is another.
    Port,
    /// The path has one more slash at its end.
    SlashMore,
    /// The path has one slash less at its end.
    SlashLess,
    /// The query is written in another way.
    Query(QueryEncoding),
    /// These fields of the form are not signed.
    Without(Vec<&'static str>),
    /// The URL carries no hash of the body, or that of another body.
    Body,
    /// The secret is the auth token of this account, which is not the request's.
    AccountToken(String),
    /// The secret is that of this shared key, and the settings header does not ask for it.
    SharedKey(String),
    /// The secret is an auth token, and the settings header asks for something else.
    Token,
}

impl Difference {
    /// What to do about it, unless `--public-url` is the answer.
    fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Scheme(_) | Self::Host | Self::Port => None,
            Self::SlashMore | Self::SlashLess => Some(
                "give Twilio the URL as it arrives here, or find what changes the slash on the way",
            ),
            Self::Query(_) => Some(
                "find what rewrites the query on the way, or give Twilio a URL that needs no escapes",
            ),
            Self::Without(_) => {
                Some("Twilio is not known to leave them out, please report this to twiml-responder")
            }
            Self::Body => Some("find what changes the body or the query on the way"),
            Self::AccountToken(_) => Some(
                "the auth token file has it at the wrong account; without a SID it is tried for all",
            ),
            Self::SharedKey(_) | Self::Token => Some(
                "check the key's id in the auth token file, \
                 or find what drops X-Twilio-Webhooks-Signature-Settings on the way",
            ),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme(scheme) => write!(f, "the scheme is {scheme}"),
            Self::Host => f.write_str("the host is another"),
            Self::Port => f.write_str("the port is another"),
            Self::SlashMore => f.write_str("the path ends with one more slash"),
            Self::SlashLess => f.write_str("the path ends with one slash less"),
            Self::Query(encoding) => encoding.fmt(f),
            Self::Without(names) => write!(f, "the form is without {}", names.join(" and ")),
            Self::Body => f.write_str("bodySHA256 is missing or that of another body"),
            Self::AccountToken(sid) => {
                write!(
                    f,
                    "the secret is the token of {sid}, not the request's account"
                )
            }
            Self::SharedKey(id) => {
                write!(
                    f,
                    "the secret is that of {id}, which the settings header does not ask for"
                )
            }
            Self::Token => f.write_str(
                "the secret is an auth token, which the settings header does not ask for",
            ),
        }
    }
}

fn find<U: AsRef<str>>(
    secrets: &Secrets,
    urls: &[U],
    signed: &Signed<'_>,
    hosts: &[&str],
    received: &str,
) -> Finding {
    let Ok(claim) = Claim::of(signed) else {
        return Finding::NoSignature;
    };
    let Some(algorithm) = Algorithm::of_length(claim.length) else {
        return Finding::NotASignature;
    };
    let url_bytes: usize = urls.iter().map(|url| url.as_ref().len()).sum();
    if url_bytes + bytes_of(signed.content) > MOST_BYTES {
        return Finding::TooLarge;
    }

    let variants: Vec<Variants<'_>> = urls
        .iter()
        .filter_map(|url| Url::parse(url.as_ref()))
        .take(MOST_URLS)
        .map(|url| Variants::of(url, hosts))
        .collect();
    let mut candidates: Vec<Candidate<'_>> =
        variants.iter().flat_map(Variants::candidates).collect();
    candidates.sort_by_key(|candidate| candidate.differences.len());
    candidates.truncate(MOST_CANDIDATES);

    let settings = Settings::parse(signed.settings);
    let (applying, others): (Vec<_>, Vec<_>) = secrets.entries().iter().partition(|(owner, _)| {
        settings.algorithm == Some(algorithm) && owner.applies(settings.key, signed.account_sid)
    });
    let mut search = Search {
        candidates: &candidates,
        algorithm,
        received,
        checks_left: MOST_CHECKS,
    };
    search
        .run(&claim, &applying, |_| None)
        .or_else(|| {
            let (form, names) = without_perhaps_unsigned(signed.content)?;
            let content = Content::Form(&form);
            let claim = Claim::of(&Signed { content, ..*signed }).ok()?;
            search.run(&claim, &applying, |_| {
                Some(Difference::Without(names.clone()))
            })
        })
        .or_else(|| {
            search.run(&claim, &others, |owner| {
                Some(match owner {
                    Owner::AnyAccount => Difference::Token,
                    Owner::Account(sid) => Difference::AccountToken(sid.clone()),
                    Owner::SharedKey(id) => Difference::SharedKey(id.clone()),
                })
            })
        })
        .map_or_else(
            || nothing_found(secrets, &settings, signed),
            Finding::WouldMatch,
        )
}

fn nothing_found(secrets: &Secrets, settings: &Settings<'_>, signed: &Signed<'_>) -> Finding {
    let mut applying = secrets.applying(settings.key, signed.account_sid);
    if settings.algorithm.is_none() {
        Finding::UnknownAlgorithm
    } else if applying.next().is_some() {
        Finding::Nothing
    } else if settings.key.is_some() {
        Finding::UnknownSharedKey
    } else {
        Finding::NoSecretApplies
    }
}

fn bytes_of(content: Content<'_>) -> usize {
    match content {
        Content::Form(form) => form
            .pairs()
            .map(|(name, value)| name.len() + value.len())
            .sum(),
        Content::Query => 0,
        Content::Bytes(body) => body.len(),
    }
}

/// The form without [`PERHAPS_UNSIGNED`], and which of them it had; `None` when it had none.
fn without_perhaps_unsigned(content: Content<'_>) -> Option<(Form, Vec<&'static str>)> {
    let Content::Form(form) = content else {
        return None;
    };
    let names: Vec<&str> = PERHAPS_UNSIGNED
        .into_iter()
        .filter(|name| form.first(name).is_some())
        .collect();
    if names.is_empty() {
        return None;
    }
    let kept = form
        .pairs()
        .filter(|(name, _)| !names.contains(name))
        .collect();
    Some((kept, names))
}

struct Search<'a> {
    candidates: &'a [Candidate<'a>],
    algorithm: Algorithm,
    received: &'a str,
    checks_left: usize,
}

impl Search<'_> {
    /// The first candidate that matches; `also` is what differs beside the URL when it was this owner's secret.
    fn run(
        &mut self,
        claim: &Claim<'_>,
        secrets: &[&(Owner, Secret)],
        also: impl Fn(&Owner) -> Option<Difference>,
    ) -> Option<WouldMatch> {
        for candidate in self.candidates {
            for reading in candidate.url.readings() {
                for (owner, secret) in secrets {
                    self.checks_left = self.checks_left.checked_sub(1)?;
                    if !claim.signs_url(secret, self.algorithm, reading) {
                        continue;
                    }
                    let mut differences = candidate.differences.clone();
                    differences.extend(also(owner));
                    if !claim.body_fits(reading) {
                        differences.push(Difference::Body);
                    }
                    // Without a difference it is what was tried, and the request was not refused for its signature.
                    if !differences.is_empty() {
                        return Some(WouldMatch {
                            url: reading.shown(),
                            public_url: self.public_url(candidate, reading),
                            differences,
                        });
                    }
                }
            }
        }
        None
    }

    /// What `--public-url` must be for this candidate to be tried; `None` when it is not scheme, host or port.
    fn public_url(&self, candidate: &Candidate<'_>, signed: Url<'_>) -> Option<String> {
        let differs = |wanted: fn(&Difference) -> bool| candidate.differences.iter().any(wanted);
        let other_scheme = differs(|difference| matches!(difference, Difference::Scheme(_)));
        if !other_scheme && !differs(|other| matches!(other, Difference::Host | Difference::Port)) {
            return None;
        }
        // Twilio drops the port of a call, but not of a text: the port that was tried stays, unless it belongs to
        // another scheme.
        let port = if !signed.port.is_empty() && signed.port != signed.default_port() {
            signed.port
        } else if other_scheme {
            ""
        } else {
            candidate.url.port
        };
        let tried = [candidate.tried.path, candidate.tried.query].concat();
        let prefix = tried
            .strip_suffix(self.received)
            .filter(|_| !self.received.is_empty())
            .unwrap_or_default();
        [signed.scheme, signed.host, port, prefix]
            .concat()
            .parse::<PublicUrl>()
            .ok()
            .map(|url| url.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twilio::signature::{sign, verify};

    const ACCOUNT: &str = "AC00000000000000000000000000000001";
    const OTHER_ACCOUNT: &str = "AC00000000000000000000000000000002";

    fn form() -> Form {
        [("To", "+15005550006"), ("From", "+14155550100")]
            .into_iter()
            .collect()
    }

    fn signed<'a>(signature: &'a str, content: Content<'a>) -> Signed<'a> {
        Signed {
            signature: Some(signature),
            settings: None,
            account_sid: ACCOUNT,
            content,
        }
    }

    /// The log line for a request that came as `tried` and was signed, with the same form, as another URL.
    fn line(tried: &str, hosts: &[&str], received: &str, signed_url: &str) -> String {
        let form = form();
        let content = Content::Form(&form);
        let secrets = Secrets::parse("token").expect("a token");
        let signature = sign(
            &Secret::new("token"),
            Algorithm::HmacSha1,
            signed_url,
            content,
        );
        let request = signed(&signature, content);
        assert!(verify(&secrets, &[tried], &request).is_err(), "{tried}");
        let line = diagnose(&secrets, &[tried], &request, hosts, received).to_string();
        assert!(!line.contains(&signature), "{line}");
        line
    }

    #[test]
    fn another_scheme_is_found() {
        assert_eq!(
            line(
                "http://h/x?To=%2B1",
                &[],
                "/x?To=%2B1",
                "https://h/x?To=%2B1"
            ),
            "tried http://h/x?To=… with 1 secret: https://h/x?To=… would match, where the scheme is https; \
             set --public-url https://h"
        );
        assert_eq!(
            line("http://h:8080/x", &[], "/x", "https://h:443/x"),
            "tried http://h:8080/x with 1 secret: https://h:443/x would match, \
             where the scheme is https and the port is another; set --public-url https://h"
        );
    }

    #[test]
    fn the_port_of_another_scheme_is_not_proposed() {
        assert_eq!(
            line("http://h:8080/x", &[], "/x", "https://h/x"),
            "tried http://h:8080/x with 1 secret: https://h/x would match, where the scheme is https; \
             set --public-url https://h"
        );
        assert_eq!(
            line("http://h:8080/x", &[], "/x", "https://h:8080/x"),
            "tried http://h:8080/x with 1 secret: https://h:8080/x would match, where the scheme is https; \
             set --public-url https://h:8080"
        );
    }

    #[test]
    fn another_host_is_found_among_those_given() {
        let hosts = ["bad host", "u@evil", "tunnel.example:8443", "h"];
        assert_eq!(
            line("https://h/p/x", &hosts, "/x", "https://tunnel.example/p/x"),
            "tried https://h/p/x with 1 secret: https://tunnel.example/p/x would match, \
             where the host is another; set --public-url https://tunnel.example:8443/p"
        );
        assert_eq!(
            line("https://H/x", &[], "/x", "https://h/x"),
            "tried https://H/x with 1 secret: https://h/x would match, \
             where the host is another; set --public-url https://h"
        );
    }

    #[test]
    fn what_is_no_host_and_port_is_no_host() {
        for host in ["bad host", "u@evil", "evil/p", "h:0"] {
            let found = line("https://h/x", &[host], "/x", &format!("https://{host}/x"));
            assert!(found.contains("no other scheme, host"), "{found}");
        }
    }

    #[test]
    fn another_port_is_found() {
        assert_eq!(
            line("https://h:8443/x", &[], "/x", "https://h:443/x"),
            "tried https://h:8443/x with 1 secret: https://h:443/x would match, \
             where the port is another; set --public-url https://h"
        );
        assert_eq!(
            line("https://h/x", &["h:8443"], "/x", "https://h:8443/x"),
            "tried https://h/x with 1 secret: https://h:8443/x would match, \
             where the port is another; set --public-url https://h:8443"
        );
    }

    #[test]
    fn a_slash_is_found() {
        assert_eq!(
            line("https://h/x?a=1", &[], "/x?a=1", "https://h/x/?a=1"),
            "tried https://h/x?a=… with 1 secret: https://h/x/?a=… would match, \
             where the path ends with one more slash; \
             give Twilio the URL as it arrives here, or find what changes the slash on the way"
        );
        assert_eq!(
            line("https://h/x/", &[], "/x/", "https://h/x"),
            "tried https://h/x/ with 1 secret: https://h/x would match, \
             where the path ends with one slash less; \
             give Twilio the URL as it arrives here, or find what changes the slash on the way"
        );
    }

    #[test]
    fn another_query_encoding_is_found() {
        for (tried, signed_url, found) in [
            ("It's", "It%27s", "the query has %27 for '"),
            ("It%27s", "It's", "the query has ' for %27"),
            ("a%20b", "a+b", "the query has + for %20"),
            ("a+b", "a%20b", "the query has %20 for +"),
            ("%2b", "%2B", "the query's escapes are in upper case"),
            ("%2B", "%2b", "the query's escapes are in lower case"),
            ("<'>", "%3C%27%3E", "the query is escaped as a browser does"),
            (
                "%C3%A9",
                "é",
                "the query's letters beyond ASCII are not escaped",
            ),
        ] {
            assert_eq!(
                line(
                    &format!("https://h/x?a={tried}"),
                    &[],
                    "",
                    &format!("https://h/x?a={signed_url}")
                ),
                format!(
                    "tried https://h/x?a=… with 1 secret: https://h/x?a=… would match, where {found}; \
                     find what rewrites the query on the way, or give Twilio a URL that needs no escapes"
                )
            );
        }
    }

    #[test]
    fn differences_are_found_together() {
        assert_eq!(
            line(
                "http://inner:8080/p/x?a=It's",
                &["h"],
                "/x?a=It's",
                "https://h/p/x/?a=It%27s"
            ),
            "tried http://inner:8080/p/x?a=… with 1 secret: https://h/p/x/?a=… would match, \
             where the scheme is https and the host is another and the path ends with one more slash and \
             the query has %27 for '; set --public-url https://h/p; \
             give Twilio the URL as it arrives here, or find what changes the slash on the way; \
             find what rewrites the query on the way, or give Twilio a URL that needs no escapes"
        );
    }

    #[test]
    fn fields_that_were_perhaps_not_signed_are_found() {
        let sent: Form = [("CallToken", "%7B"), ("To", "+1"), ("StirVerstat", "A")]
            .into_iter()
            .collect();
        let form: Form = [("To", "+1")].into_iter().collect();
        let signature = sign(
            &Secret::new("token"),
            Algorithm::HmacSha1,
            "https://h/x",
            Content::Form(&form),
        );
        let secrets = Secrets::parse("token").expect("a token");
        let request = signed(&signature, Content::Form(&sent));
        assert_eq!(
            diagnose(&secrets, &["http://h/x"], &request, &[], "/x").to_string(),
            "tried http://h/x with 1 secret: https://h/x would match, \
             where the scheme is https and the form is without CallToken and StirVerstat; \
             set --public-url https://h; \
             Twilio is not known to leave them out, please report this to twiml-responder"
        );
    }

    /// The finding for a request whose URL is right.
    fn finding(file: &str, secret: &str, settings: Option<&str>, algorithm: Algorithm) -> String {
        let form = form();
        let content = Content::Form(&form);
        let signature = sign(&Secret::new(secret), algorithm, "https://h/x", content);
        let secrets = Secrets::parse(file).expect(file);
        let request = Signed {
            settings,
            ..signed(&signature, content)
        };
        assert!(verify(&secrets, &["https://h/x"], &request).is_err());
        diagnose(&secrets, &["https://h/x"], &request, &[], "/x").to_string()
    }

    #[test]
    fn the_secret_of_another_line_is_found() {
        let file = format!("main\n{OTHER_ACCOUNT} sub\nwebhooks_sharedkey_1 key");
        let sha1 = Algorithm::HmacSha1;
        let sha256 = Algorithm::HmacSha256;
        assert_eq!(
            finding(&file, "sub", None, sha1),
            format!(
                "tried https://h/x with 1 secret: https://h/x would match, \
                 where the secret is the token of {OTHER_ACCOUNT}, not the request's account; \
                 the auth token file has it at the wrong account; without a SID it is tried for all"
            )
        );
        for settings in [None, Some("key=webhooks_sharedkey_2")] {
            assert!(
                finding(&file, "key", settings, sha256).ends_with(
                    "https://h/x would match, \
                     where the secret is that of webhooks_sharedkey_1, which the settings header does not ask for; \
                     check the key's id in the auth token file, \
                     or find what drops X-Twilio-Webhooks-Signature-Settings on the way"
                ),
                "{settings:?}"
            );
        }
        assert!(
            finding(&file, "main", Some("key=webhooks_sharedkey_1"), sha1).contains(
                "the secret is an auth token, which the settings header does not ask for"
            )
        );
    }

    #[test]
    fn a_secret_that_is_not_there_is_said_to_be() {
        let key = "webhooks_sharedkey_1 key";
        assert_eq!(
            finding(key, "other", None, Algorithm::HmacSha1),
            "tried https://h/x with 0 secrets: no secret is for the request's account; \
             add its auth token to the auth token file"
        );
        assert_eq!(
            finding(key, "other", Some("key=x"), Algorithm::HmacSha1),
            "tried https://h/x with 0 secrets: the settings header names a shared key without a secret; \
             add a line `webhooks_sharedkey_… SECRET` to the auth token file"
        );
        assert_eq!(
            finding("token", "other", Some("algorithm=x"), Algorithm::HmacSha1),
            "tried https://h/x with 1 secret: the settings header names an algorithm that is new to this version"
        );
        assert_eq!(
            finding("one\ntwo", "other", None, Algorithm::HmacSha1),
            "tried https://h/x with 2 secrets: no other scheme, host, port, slash or query encoding would match; \
             the token is another account's, the host is another, something on the way changes the request, \
             or it is not Twilio's"
        );
    }

    #[test]
    fn another_body_is_found() {
        let url = format!(
            "https://h/events?bodySHA256={}",
            crate::twilio::signature::body_sha256(b"[1]")
        );
        let secrets = Secrets::parse("token").expect("a token");
        for url in [url.as_str(), "https://h/events"] {
            let content = Content::Bytes(b"[1] ");
            let signature = sign(&Secret::new("token"), Algorithm::HmacSha1, url, content);
            let diagnosis = diagnose(&secrets, &[url], &signed(&signature, content), &[], "");
            let found = diagnosis.would_match().expect("the signature is right");
            assert_eq!(found.differences, [Difference::Body]);
            assert_eq!(found.public_url, None);
            assert!(
                found.to_string().ends_with(
                    " would match, where bodySHA256 is missing or that of another body; \
                     find what changes the body or the query on the way"
                ),
                "{found}"
            );
        }
    }

    #[test]
    fn what_is_no_signature_is_not_searched_for() {
        let form = form();
        let secrets = Secrets::parse("token").expect("a token");
        let request = signed("foo", Content::Form(&form));
        assert_eq!(
            diagnose(&secrets, &["/x"], &request, &[], "").to_string(),
            "tried what is no URL with 1 secret: the signature is not one that Twilio makes"
        );
        let request = Signed {
            signature: None,
            ..request
        };
        assert_eq!(
            diagnose(&secrets, &["https://h/x"], &request, &[], "").to_string(),
            "tried https://h/x with 1 secret: the request has no signature"
        );
    }

    #[test]
    fn what_is_large_is_not_searched_for() {
        let secrets = Secrets::parse("token").expect("a token");
        for (bytes, finding) in [
            (MOST_BYTES - "Bodyhttp://h/x".len(), None),
            (MOST_BYTES, Some(Finding::TooLarge)),
        ] {
            let form: Form = [("Body", "x".repeat(bytes))].into_iter().collect();
            let content = Content::Form(&form);
            let signature = sign(
                &Secret::new("token"),
                Algorithm::HmacSha1,
                "https://h/x",
                content,
            );
            let request = signed(&signature, content);
            let diagnosis = diagnose(&secrets, &["http://h/x"], &request, &[], "");
            assert_eq!(diagnosis.would_match().is_none(), finding.is_some());
            if let Some(finding) = finding {
                assert_eq!(diagnosis.finding, finding);
            }
        }
    }

    #[test]
    fn what_differs_least_is_looked_at_first() {
        let form = form();
        let content = Content::Form(&form);
        let signature = sign(
            &Secret::new("token"),
            Algorithm::HmacSha1,
            "https://d/x?a='%2b+%20",
            content,
        );
        let secrets = Secrets::parse("token").expect("a token");
        let urls = ["a", "b", "c", "d"].map(|host| format!("http://{host}/x?a='%2b+%20"));
        let diagnosis = diagnose(&secrets, &urls, &signed(&signature, content), &[], "");
        assert_eq!(
            diagnosis.would_match().map(|found| &found.differences[..]),
            Some(&[Difference::Scheme("https")][..])
        );
    }

    #[test]
    fn what_was_not_refused_has_no_difference() {
        let form = form();
        let content = Content::Form(&form);
        let secret = Secret::new("token");
        let signature = sign(&secret, Algorithm::HmacSha1, "https://h/x", content);
        let secrets = Secrets::parse("token").expect("a token");
        let request = signed(&signature, content);
        let diagnosis = diagnose(&secrets, &["https://h/x"], &request, &[], "");
        assert_eq!(diagnosis.finding, Finding::Nothing);
    }

    #[test]
    fn the_search_ends() {
        let form = form();
        let content = Content::Form(&form);
        let signature = sign(
            &Secret::new("none"),
            Algorithm::HmacSha1,
            "https://h/",
            content,
        );
        let secrets = Secrets::parse(&"token\n".repeat(1_000)).expect("many tokens");
        let urls: Vec<String> = (0..100)
            .map(|number| format!("https://H{number}:1/x?a='%2b+%20%C3%A9"))
            .collect();
        let request = signed(&signature, content);
        let diagnosis = diagnose(&secrets, &urls, &request, &["a", "b", "c", "d", "e"], "");
        assert_eq!(diagnosis.finding, Finding::Nothing);
    }
}
