//! Why a signature did not match: the other URL or secret it was made with.
//!
//! For the log and for `verify`; no finding ever lets a request in. Nothing here reveals a secret, a correct signature,
//! or a value of a query or a form.

use crate::twilio::signature::public_url::PublicUrl;
use crate::twilio::signature::secrets::{SecretOwner, Secrets};
use crate::twilio::signature::signed_url::{SignedUrl, split_port};
use crate::twilio::signature::{Algorithm, Claim, Content, Secret, Settings, Signed, Signer};

// An attacker can keep sending requests that never match, so the work is bounded: a limited number of HMACs over at
// most this many bytes each.
const MOST_BYTES: usize = 16 * 1024;
const MOST_CANDIDATES: usize = 64;
const MOST_CHECKS: usize = 512;

/// What a request says about the URL that was requested. Anyone may have written it, so none of it is trusted.
#[derive(Debug, Clone, Default)]
pub struct Hints<'a> {
    /// Path and query as received, which tell the path prefix in the URLs; empty when they are not known.
    pub received: &'a str,
    /// Hosts, with a port or without, by which Twilio may know this service: `Host`, `X-Forwarded-Host`.
    pub hosts: Vec<&'a str>,
    /// `X-Forwarded-Port`.
    pub port: Option<&'a str>,
    /// `X-Forwarded-Prefix`: what a proxy has removed from the path.
    pub prefix: Option<&'a str>,
}

/// Why [`crate::twilio::signature::verify`] refused these URLs, for a log line: which URLs were tried (without user
/// info and without the values of their queries), with how many secrets, and what would have matched.
///
/// Tries all combinations of scheme, host, port, prefix and slash, those with the fewest differences first, then the
/// same with the secrets that do not apply. At most 64 URLs and 512 HMACs, and none when URLs and body exceed 16 KiB
/// together. This can still take milliseconds, so do not call it for every unverified request.
#[must_use]
pub fn diagnose<U: AsRef<str>>(
    secrets: &Secrets,
    urls: &[U],
    signed: &Signed<'_>,
    hints: &Hints<'_>,
) -> String {
    let settings = Settings::of(signed);
    let tried: Vec<String> = urls
        .iter()
        .map(|url| match SignedUrl::parse(url.as_ref()) {
            Some(url) => url.shown(),
            None => "something that is not a URL".to_owned(),
        })
        .collect();
    let applying = secrets.applying(signed.signer, settings.key, signed.account_sid);
    let number = applying.count();
    let plural = if number == 1 { "" } else { "s" };
    let found = find(secrets, urls, signed, hints).unwrap_or_else(str::to_owned);
    let tried = tried.join(" and ");
    format!("tried {tried} with {number} secret{plural}: {found}")
}

/// What the signature was made over, or why that is unknown.
fn find<U: AsRef<str>>(
    secrets: &Secrets,
    urls: &[U],
    signed: &Signed<'_>,
    hints: &Hints<'_>,
) -> Result<String, &'static str> {
    let claim = Claim::of(signed).map_err(|_| "the request has no signature")?;
    let algorithm = claim.algorithm.ok_or(match signed.signer {
        Signer::Twilio => "the signature does not have the form of Twilio's signatures",
        Signer::SignalWire => {
            "the signature is not that of a cXML webhook; \
             hexadecimal digits mean SWML or RELAY: set the number to a cXML webhook"
        }
    })?;
    let hinted = hints.hosts.iter().copied().chain(hints.prefix);
    let texts = urls.iter().map(AsRef::as_ref).chain(hinted);
    let url_bytes: usize = texts.map(str::len).sum();
    let content_bytes = match signed.content {
        Content::Form(form) => form.text_len(),
        Content::Query => 0,
        Content::Bytes(body) => body.len(),
    };
    if url_bytes + content_bytes > MOST_BYTES {
        return Err("the request is too large to search for the reason");
    }
    let tried = urls.iter().filter_map(|url| SignedUrl::parse(url.as_ref()));
    let mut candidates: Vec<_> = tried.flat_map(|url| candidates(url, hints)).collect();
    candidates.sort_by_key(|candidate| candidate.differences.len());
    candidates.truncate(MOST_CANDIDATES);

    let settings = Settings::of(signed);
    let signer = signed.signer;
    let (applying, others): (Vec<_>, Vec<_>) = secrets.entries().iter().partition(|(owner, _)| {
        settings.algorithm == Some(algorithm)
            && owner.applies(signer, settings.key, signed.account_sid)
    });
    let search = Search {
        claim: &claim,
        signer,
        algorithm,
        candidates: &candidates,
    };
    if let Some(found) = search.first(&applying, &others) {
        return Ok(found);
    }
    let mut secrets_tried = secrets.applying(signer, settings.key, signed.account_sid);
    Err(if settings.algorithm.is_none() {
        "the settings header names an algorithm that this version does not know"
    } else if secrets_tried.next().is_some() {
        "no other scheme, host, port, path prefix or slash would match; \
         the token belongs to another account, the host is different, something on the way changes the request, \
         or the request is not from Twilio"
    } else if signer == Signer::SignalWire {
        "SignalWire signed the request, but there is no SignalWire key; \
         add a line `signalwire KEY` to the auth token file"
    } else if settings.key.is_some() {
        "the settings header names a shared key without a secret; \
         add a line `webhooks_sharedkey_… SECRET` to the auth token file"
    } else {
        "there is no secret for the request's account; add its auth token to the auth token file"
    })
}

/// One difference between what was signed and what was tried.
#[derive(Clone)]
struct UrlDifference {
    what: String,
    /// `None` when another `--public-url` is the remedy.
    remedy: Option<&'static str>,
}

impl UrlDifference {
    fn new(what: impl Into<String>, remedy: impl Into<Option<&'static str>>) -> Self {
        Self {
            what: what.into(),
            remedy: remedy.into(),
        }
    }
}

/// The finding for a request signed with a secret of this owner, which is not tried for the request.
fn not_asked_for(owner: &SecretOwner, signer: Signer) -> UrlDifference {
    if signer == Signer::SignalWire {
        return UrlDifference::new(
            "the secret is one of Twilio's, which does not apply to X-SignalWire-Signature",
            "if it is a SignalWire signing key, write `signalwire KEY` in the auth token file",
        );
    }
    let secret = match owner {
        SecretOwner::SignalWire => {
            return UrlDifference::new(
                "the secret is a SignalWire key, which applies only to X-SignalWire-Signature",
                "if it is a Twilio auth token, remove `signalwire` from its line in the auth token file",
            );
        }
        SecretOwner::AnyAccount => "an auth token".to_owned(),
        SecretOwner::SharedKey(id) => format!("that of {id}"),
        SecretOwner::Account(sid) => {
            return UrlDifference::new(
                format!("the secret is the token of {sid}, not the request's account"),
                "the auth token file has it under the wrong account; without a SID, it is tried for all accounts",
            );
        }
    };
    UrlDifference::new(
        format!("the secret is {secret}, which the settings header does not name"),
        "check the key's id in the auth token file, \
         or find what drops X-Twilio-Webhooks-Signature-Settings on the way",
    )
}

/// What to look for, and where.
struct Search<'s> {
    claim: &'s Claim<'s>,
    signer: Signer,
    algorithm: Algorithm,
    candidates: &'s [Candidate<'s>],
}

impl Search<'_> {
    /// The finding of the first candidate that matches; secrets that do not apply to the request are tried last.
    fn first(
        &self,
        applying: &[&(SecretOwner, Secret)],
        others: &[&(SecretOwner, Secret)],
    ) -> Option<String> {
        let mut checks_left = MOST_CHECKS;
        for (secrets, are_others) in [(applying, false), (others, true)] {
            for candidate in self.candidates {
                let url = candidate.url();
                for reading in SignedUrl::parse(&url)?.readings() {
                    for (owner, secret) in secrets {
                        checks_left = checks_left.checked_sub(1)?;
                        if !self.claim.signs_url(secret, self.algorithm, reading) {
                            continue;
                        }
                        let mut differences = candidate.differences.clone();
                        differences.extend(are_others.then(|| not_asked_for(owner, self.signer)));
                        if !self.claim.signs_body(reading) {
                            differences.push(UrlDifference::new(
                                "bodySHA256 is missing or does not match the body",
                                "find what changes the body or the query on the way",
                            ));
                        }
                        // Without a difference it is a URL that was tried, so the signature was not the reason for the
                        // refusal.
                        if !differences.is_empty() {
                            return Some(candidate.would_match(reading, &differences));
                        }
                    }
                }
            }
        }
        None
    }
}

/// A URL that may have been signed instead of one that was tried. That one is among them, with no difference.
struct Candidate<'a> {
    tried: SignedUrl<'a>,
    scheme: &'a str,
    host: String,
    port: String,
    /// The part of `--public-url` after host and port.
    prefix: String,
    /// Path and query after the prefix.
    rest: String,
    differences: Vec<UrlDifference>,
}

impl Candidate<'_> {
    fn url(&self) -> String {
        let [host, port] = [&*self.host, &*self.port];
        let user_info = self.tried.user_info;
        [self.scheme, user_info, host, port, &self.prefix, &self.rest].concat()
    }

    /// The finding and the remedy when this reading of the URL was signed.
    fn would_match(&self, signed: SignedUrl<'_>, differences: &[UrlDifference]) -> String {
        let what: Vec<&str> = differences.iter().map(|other| &*other.what).collect();
        let what = what.join(" and ");
        let mut parts = vec![format!("{} would match: {what}", signed.shown())];
        if let Some(public_url) = self.public_url(signed) {
            let is_local = ["localhost", "127.0.0.1", "[::1]"].contains(&signed.host);
            parts.push(
                if is_local && !self.tried.host.eq_ignore_ascii_case(signed.host) {
                    "it was signed for this machine: give `send` the --public-url of the service"
                        .to_owned()
                } else {
                    format!("set --public-url {public_url}")
                },
            );
        }
        let remedies = differences.iter().filter_map(|other| other.remedy);
        parts.extend(remedies.map(str::to_owned));
        parts.join("; ")
    }

    /// The `--public-url` with which this candidate would be tried; `None` when the URL is not the problem.
    fn public_url(&self, signed: SignedUrl<'_>) -> Option<PublicUrl> {
        let mut differences = self.differences.iter();
        differences.find(|other| other.remedy.is_none())?;
        // Twilio drops the port for a call, but not for a text. The port that was tried stays, unless it belongs to
        // another scheme.
        let port = if !signed.port.is_empty() && signed.port != signed.default_port() {
            signed.port
        } else if self.scheme == self.tried.scheme {
            &self.port
        } else {
            ""
        };
        let url = [signed.scheme, signed.host, port, &self.prefix].concat();
        url.parse().ok()
    }
}

/// One piece of a URL and its difference from the piece that was tried.
type Variant<T> = (T, Option<UrlDifference>);

/// All combinations of ways in which the URL may differ.
fn candidates<'a>(tried: SignedUrl<'a>, hints: &Hints<'_>) -> Vec<Candidate<'a>> {
    let asked = [tried.path, tried.query].concat();
    let known = Some(hints.received).filter(|received| !received.is_empty());
    let cut = known.and_then(|received| Some((asked.strip_suffix(received)?, received)));
    let prefixes = match cut {
        Some((prefix, received)) => prefixes(prefix, received, hints.prefix),
        None => vec![(String::new(), None)],
    };
    let rests = rests(cut.map_or(&asked, |(_, received)| received));
    let mut schemes = vec![(tried.scheme, None)];
    add(&mut schemes, "https://", "the scheme is https");
    add(&mut schemes, "http://", "the scheme is http");
    let mut candidates = Vec::new();
    for (scheme, other_scheme) in schemes {
        for ((host, port), other_address) in addresses(tried, hints) {
            for (prefix, other_prefix) in &prefixes {
                for (rest, other_slash) in &rests {
                    let differences = [&other_scheme, &other_address, other_prefix, other_slash];
                    candidates.push(Candidate {
                        tried,
                        scheme,
                        host: host.clone(),
                        port: port.clone(),
                        prefix: prefix.clone(),
                        rest: rest.clone(),
                        differences: differences.into_iter().flatten().cloned().collect(),
                    });
                }
            }
        }
    }
    candidates
}

/// The possible hosts, each with its port.
fn addresses(tried: SignedUrl<'_>, hints: &Hints<'_>) -> Vec<Variant<(String, String)>> {
    let mut addresses = vec![
        // Without a port the default port is tried.
        tried.host.to_owned(),
        tried.host.to_ascii_lowercase() + tried.port,
    ];
    addresses.extend(hints.hosts.iter().map(ToString::to_string));
    if let Some(port) = hints.port {
        let hosts = addresses.iter().map(|address| split_port(address).0);
        let with_port: Vec<_> = hosts.map(|host| format!("{host}:{port}")).collect();
        addresses.extend(with_port);
    }
    // A header may contain anything; skip what is not a host and port.
    addresses.retain(|address| {
        !address.contains(['/', '@']) && format!("https://{address}").parse::<PublicUrl>().is_ok()
    });
    let mut variants = vec![((tried.host.to_owned(), tried.port.to_owned()), None)];
    for address in &addresses {
        let (host, port) = split_port(address);
        let part = if host == tried.host { "port" } else { "host" };
        let variant = (host.to_owned(), port.to_owned());
        add(&mut variants, variant, &format!("the {part} is different"));
    }
    variants
}

/// What may precede the path as received.
fn prefixes(tried: &str, received: &str, hinted: Option<&str>) -> Vec<Variant<String>> {
    let mut prefixes = vec![(tried.to_owned(), None)];
    let path = received.split('?').next().unwrap_or_default();
    if let Some(single) = tried.strip_suffix(path) {
        add(&mut prefixes, single.to_owned(), "the path is not doubled");
    }
    add(&mut prefixes, String::new(), "the path prefix is different");
    if let Some(prefix) = hinted
        && prefix.starts_with('/')
        && !prefix.contains(['?', '#'])
    {
        let prefix = prefix.trim_end_matches('/').to_owned();
        add(&mut prefixes, prefix, "the path prefix is different");
    }
    prefixes
}

/// Path and query with a slash added to or removed from the end of the path.
fn rests(tried: &str) -> Vec<Variant<String>> {
    let (path, query) = tried.split_at(tried.find('?').unwrap_or(tried.len()));
    let (other, change) = match path.strip_suffix('/') {
        Some(without) => ([without, query].concat(), "one slash fewer"),
        None => ([path, "/", query].concat(), "one more slash"),
    };
    let what = format!("the path ends with {change}");
    let remedy =
        "give Twilio the URL as it arrives here, or find what changes the slash on the way";
    vec![
        (tried.to_owned(), None),
        (other, Some(UrlDifference::new(what, remedy))),
    ]
}

/// Adds a variant that is new, as a difference that another `--public-url` would correct.
fn add<T: PartialEq>(variants: &mut Vec<Variant<T>>, variant: T, what: &str) {
    if variants.iter().all(|(known, _)| *known != variant) {
        variants.push((variant, Some(UrlDifference::new(what, None))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twilio::request::Form;
    use crate::twilio::signature::tests::{ACCOUNT, OTHER_ACCOUNT, form};
    use crate::twilio::signature::{sign, verify};

    fn signed<'a>(signature: &'a str, content: Content<'a>) -> Signed<'a> {
        Signed {
            signer: Signer::Twilio,
            signature: Some(signature),
            settings: None,
            account_sid: ACCOUNT,
            content,
        }
    }

    /// The log line for a request that arrived as `tried` but was signed, with the same form, as another URL.
    fn line(tried: &str, hosts: &[&str], received: &str, signed_url: &str) -> String {
        let hosts = hosts.to_vec();
        let hints = Hints {
            received,
            hosts,
            ..Hints::default()
        };
        hinted(tried, &hints, signed_url)
    }

    fn hinted(tried: &str, hints: &Hints<'_>, signed_url: &str) -> String {
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
        let line = diagnose(&secrets, &[tried], &request, hints);
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
            "tried http://h/x?To=… with 1 secret: https://h/x?To=… would match: the scheme is https; \
             set --public-url https://h"
        );
        assert_eq!(
            line("http://h:8080/x", &[], "/x", "https://h:443/x"),
            "tried http://h:8080/x with 1 secret: https://h:443/x would match: \
             the scheme is https and the port is different; set --public-url https://h"
        );
    }

    #[test]
    fn the_port_of_another_scheme_is_not_proposed() {
        assert_eq!(
            line("http://h:8080/x", &[], "/x", "https://h/x"),
            "tried http://h:8080/x with 1 secret: https://h/x would match: the scheme is https; \
             set --public-url https://h"
        );
        assert_eq!(
            line("http://h:8080/x", &[], "/x", "https://h:8080/x"),
            "tried http://h:8080/x with 1 secret: https://h:8080/x would match: the scheme is https; \
             set --public-url https://h:8080"
        );
    }

    #[test]
    fn another_host_is_found_among_those_given() {
        let hosts = ["bad host", "u@evil", "tunnel.example:8443", "h"];
        assert_eq!(
            line("https://h/p/x", &hosts, "/x", "https://tunnel.example/p/x"),
            "tried https://h/p/x with 1 secret: https://tunnel.example/p/x would match: \
             the host is different; set --public-url https://tunnel.example:8443/p"
        );
        assert_eq!(
            line("https://H/x", &[], "/x", "https://h/x"),
            "tried https://H/x with 1 secret: https://h/x would match: \
             the host is different; set --public-url https://h"
        );
    }

    #[test]
    fn what_is_no_host_and_port_is_no_host() {
        for host in ["bad host", "u@evil", "evil/p", "h:0"] {
            let found = line("https://h/x", &[host], "/x", &format!("https://{host}/x"));
            assert!(found.contains("no other scheme, host"), "{found}");
        }
        for port in ["", "0", "1/p", "x", "80 "] {
            let hints = Hints {
                port: Some(port),
                ..Hints::default()
            };
            let found = hinted("https://h/x", &hints, &format!("https://h:{port}/x/y"));
            assert!(found.contains("no other scheme, host"), "{found}");
        }
    }

    #[test]
    fn the_port_that_a_proxy_names_is_found() {
        let hints = Hints {
            received: "/x",
            hosts: vec!["outside:1"],
            port: Some("8443"),
            ..Hints::default()
        };
        for (signed_url, what, public_url) in [
            ("https://inside:8443/x", "port", "https://inside:8443"),
            ("https://outside:8443/x", "host", "https://outside:8443"),
        ] {
            assert_eq!(
                hinted("https://inside/x", &hints, signed_url),
                format!(
                    "tried https://inside/x with 1 secret: {signed_url} would match: the {what} is different; \
                     set --public-url {public_url}"
                )
            );
        }
    }

    #[test]
    fn another_path_prefix_is_found() {
        let hints = |received, prefix| Hints {
            received,
            prefix,
            ..Hints::default()
        };
        for (tried, hints, signed_url, public_url) in [
            (
                "http://h/x",
                hints("/x", Some("/twilio/")),
                "https://h/twilio/x",
                "https://h/twilio",
            ),
            (
                "http://h/old/x?a=1",
                hints("/x?a=1", Some("/new")),
                "https://h/new/x?a=1",
                "https://h/new",
            ),
            (
                "http://h/old/x",
                hints("/x", None),
                "https://h/x",
                "https://h",
            ),
        ] {
            let found = hinted(tried, &hints, signed_url);
            let expected = format!(
                "would match: the scheme is https and the path prefix is different; set --public-url {public_url}"
            );
            assert!(found.ends_with(&expected), "{found}");
        }
        for (prefix, signed_url) in [
            ("new", "https://h/new/x"),
            ("/a?b", "https://h/a?b/x"),
            ("/a b", ""),
        ] {
            let found = hinted("https://h/x", &hints("/x", Some(prefix)), signed_url);
            assert!(found.contains("no other scheme, host"), "{found}");
        }
    }

    #[test]
    fn a_doubled_path_is_found() {
        for (tried, signed_url, public_url) in [
            ("https://h/x/x?a=1", "https://h/x?a=1", "https://h"),
            (
                "https://h/twilio/x/x?a=1",
                "https://h/twilio/x?a=1",
                "https://h/twilio",
            ),
        ] {
            let found = line(tried, &[], "/x?a=1", signed_url);
            let expected =
                format!("would match: the path is not doubled; set --public-url {public_url}");
            assert!(found.ends_with(&expected), "{found}");
        }
    }

    #[test]
    fn another_port_is_found() {
        assert_eq!(
            line("https://h:8443/x", &[], "/x", "https://h:443/x"),
            "tried https://h:8443/x with 1 secret: https://h:443/x would match: \
             the port is different; set --public-url https://h"
        );
        assert_eq!(
            line("https://h/x", &["h:8443"], "/x", "https://h:8443/x"),
            "tried https://h/x with 1 secret: https://h:8443/x would match: \
             the port is different; set --public-url https://h:8443"
        );
    }

    #[test]
    fn a_slash_is_found() {
        assert_eq!(
            line("https://h/x?a=1", &[], "/x?a=1", "https://h/x/?a=1"),
            "tried https://h/x?a=… with 1 secret: https://h/x/?a=… would match: \
             the path ends with one more slash; \
             give Twilio the URL as it arrives here, or find what changes the slash on the way"
        );
        assert_eq!(
            line("https://h/x/", &[], "/x/", "https://h/x"),
            "tried https://h/x/ with 1 secret: https://h/x would match: \
             the path ends with one slash fewer; \
             give Twilio the URL as it arrives here, or find what changes the slash on the way"
        );
    }

    #[test]
    fn differences_are_found_together() {
        assert_eq!(
            line(
                "http://inner:8080/p/x?a=1",
                &["h"],
                "/x?a=1",
                "https://h/p/x/?a=1"
            ),
            "tried http://inner:8080/p/x?a=… with 1 secret: https://h/p/x/?a=… would match: \
             the scheme is https and the host is different and the path ends with one more slash; \
             set --public-url https://h/p; \
             give Twilio the URL as it arrives here, or find what changes the slash on the way"
        );
    }

    /// The finding for a request with the right URL.
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
        diagnose(&secrets, &["https://h/x"], &request, &Hints::default())
    }

    #[test]
    fn the_secret_of_another_line_is_found() {
        let file = format!("main\n{OTHER_ACCOUNT} sub\nwebhooks_sharedkey_1 key");
        let sha1 = Algorithm::HmacSha1;
        let sha256 = Algorithm::HmacSha256;
        assert_eq!(
            finding(&file, "sub", None, sha1),
            format!(
                "tried https://h/x with 1 secret: https://h/x would match: \
                 the secret is the token of {OTHER_ACCOUNT}, not the request's account; \
                 the auth token file has it under the wrong account; without a SID, it is tried for all accounts"
            )
        );
        for settings in [None, Some("key=webhooks_sharedkey_2")] {
            assert!(
                finding(&file, "key", settings, sha256).ends_with(
                    "https://h/x would match: \
                     the secret is that of webhooks_sharedkey_1, which the settings header does not name; \
                     check the key's id in the auth token file, \
                     or find what drops X-Twilio-Webhooks-Signature-Settings on the way"
                ),
                "{settings:?}"
            );
        }
        assert!(
            finding(&file, "main", Some("key=webhooks_sharedkey_1"), sha1)
                .contains("the secret is an auth token, which the settings header does not name")
        );
    }

    #[test]
    fn a_secret_of_the_other_provider_is_found() {
        let form = form();
        let content = Content::Form(&form);
        let found = |file: &str, signer, secret: &str| {
            let secret = Secret::new(secret);
            let signature = sign(&secret, Algorithm::HmacSha1, "https://h/x", content);
            let secrets = Secrets::parse(file).expect(file);
            let request = Signed {
                signer,
                // Only Twilio sends this header.
                settings: Some("key=x").filter(|_| signer == Signer::SignalWire),
                ..signed(&signature, content)
            };
            assert!(verify(&secrets, &["https://h/x"], &request).is_err());
            diagnose(&secrets, &["https://h/x"], &request, &Hints::default())
        };
        for (file, signer, secret, finding) in [
            (
                "one\nsignalwire two",
                Signer::Twilio,
                "two",
                "tried https://h/x with 1 secret: https://h/x would match: \
                 the secret is a SignalWire key, which applies only to X-SignalWire-Signature; \
                 if it is a Twilio auth token, remove `signalwire` from its line in the auth token file",
            ),
            (
                "one\nsignalwire two",
                Signer::SignalWire,
                "one",
                "tried https://h/x with 1 secret: https://h/x would match: \
                 the secret is one of Twilio's, which does not apply to X-SignalWire-Signature; \
                 if it is a SignalWire signing key, write `signalwire KEY` in the auth token file",
            ),
            (
                "one",
                Signer::SignalWire,
                "two",
                "tried https://h/x with 0 secrets: SignalWire signed the request, but there is no SignalWire key; \
                 add a line `signalwire KEY` to the auth token file",
            ),
        ] {
            assert_eq!(found(file, signer, secret), finding);
        }
        let hexadecimal = "3a1b".repeat(10);
        let request = Signed {
            signer: Signer::SignalWire,
            ..signed(&hexadecimal, content)
        };
        let secrets = Secrets::parse("signalwire key").expect("a key");
        let line = diagnose(&secrets, &["https://h/x"], &request, &Hints::default());
        assert!(
            line.ends_with("mean SWML or RELAY: set the number to a cXML webhook"),
            "{line}"
        );
    }

    #[test]
    fn a_secret_that_is_not_there_is_said_to_be() {
        let key = "webhooks_sharedkey_1 key";
        assert_eq!(
            finding(key, "other", None, Algorithm::HmacSha1),
            "tried https://h/x with 0 secrets: there is no secret for the request's account; \
             add its auth token to the auth token file"
        );
        assert_eq!(
            finding(key, "other", Some("key=x"), Algorithm::HmacSha1),
            "tried https://h/x with 0 secrets: the settings header names a shared key without a secret; \
             add a line `webhooks_sharedkey_… SECRET` to the auth token file"
        );
        assert_eq!(
            finding("token", "other", Some("algorithm=x"), Algorithm::HmacSha1),
            "tried https://h/x with 1 secret: the settings header names an algorithm that this version does not know"
        );
        assert_eq!(
            finding("one\ntwo", "other", None, Algorithm::HmacSha1),
            "tried https://h/x with 2 secrets: no other scheme, host, port, path prefix or slash would match; \
             the token belongs to another account, the host is different, something on the way changes the request, \
             or the request is not from Twilio"
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
            let found = diagnose(
                &secrets,
                &[url],
                &signed(&signature, content),
                &Hints::default(),
            );
            assert!(
                found.ends_with(
                    " would match: bodySHA256 is missing or does not match the body; \
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
            diagnose(&secrets, &["/x"], &request, &Hints::default()),
            "tried something that is not a URL with 1 secret: the signature does not have the form of Twilio's signatures"
        );
        let request = Signed {
            signature: None,
            ..request
        };
        assert_eq!(
            diagnose(&secrets, &["https://h/x"], &request, &Hints::default()),
            "tried https://h/x with 1 secret: the request has no signature"
        );
    }

    #[test]
    fn what_is_large_is_not_searched_for() {
        let secrets = Secrets::parse("token").expect("a token");
        for (bytes, finding) in [
            (
                MOST_BYTES - "Bodyhttp://h/x".len(),
                "https://h/x would match: ",
            ),
            (
                MOST_BYTES,
                "the request is too large to search for the reason",
            ),
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
            let line = diagnose(&secrets, &["http://h/x"], &request, &Hints::default());
            assert!(line.contains(finding), "{line}");
        }
    }

    #[test]
    fn what_differs_least_is_looked_at_first() {
        let form = form();
        let content = Content::Form(&form);
        let signature = sign(
            &Secret::new("token"),
            Algorithm::HmacSha1,
            "https://d/x/y",
            content,
        );
        let secrets = Secrets::parse("token").expect("a token");
        let urls = ["a", "b", "c", "d"].map(|host| format!("http://{host}/x/y"));
        let request = signed(&signature, content);
        let line = diagnose(&secrets, &urls, &request, &Hints::default());
        let found = "https://d/x/y would match: the scheme is https; set --public-url https://d";
        assert!(line.ends_with(found), "{line}");
    }

    #[test]
    fn what_was_not_refused_has_no_difference() {
        let form = form();
        let content = Content::Form(&form);
        let secret = Secret::new("token");
        let signature = sign(&secret, Algorithm::HmacSha1, "https://h/x", content);
        let secrets = Secrets::parse("token").expect("a token");
        let request = signed(&signature, content);
        let line = diagnose(&secrets, &["https://h/x"], &request, &Hints::default());
        assert!(line.contains("secret: no other scheme"), "{line}");
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
            .map(|number| format!("https://H{number}:1/x/y%C3%A9"))
            .collect();
        let request = signed(&signature, content);
        let hints = Hints {
            received: "/y",
            hosts: vec!["a", "b", "c", "d", "e"],
            port: Some("2"),
            prefix: Some("/z"),
        };
        let line = diagnose(&secrets, &urls, &request, &hints);
        assert!(line.contains("secrets: no other scheme"), "{line}");
    }
}
