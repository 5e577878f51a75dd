//! The URL that Twilio requested, as far as a server can tell: the signature covers it.
//!
//! Path and query are taken byte for byte as received. A proxy's headers count only if the peer is trusted.

use std::net::IpAddr;

use hyper::Version;
use hyper::header::{HOST, HeaderMap, HeaderName};
use hyper::http::request::Parts;
use hyper::http::uri::{Authority, PathAndQuery};

use crate::service::listener::Peer;
use crate::service::refusal::Refusal;
use crate::service::responder::Responder;
use crate::twilio::signature::diagnosis::Hints;

/// The full URLs over which Twilio may have signed a request: at least one, and usually no more.
///
/// These are the public URLs, if there are any. Otherwise the scheme is the listener's, and the host comes from the
/// request line or else from `Host`; a trusted proxy may name both.
pub(super) fn candidates(
    responder: &Responder,
    peer: Peer,
    head: &Parts,
) -> Result<Vec<String>, Refusal> {
    let host = host(head)?;
    let path_and_query = path_and_query(head);
    if !responder.public_urls.is_empty() {
        let urls = responder.public_urls.iter();
        return Ok(urls.map(|url| url.join(path_and_query)).collect());
    }
    let forwarded = |name| first_value(head, name).filter(|_| is_trusted(responder, peer));
    let scheme = match forwarded("x-forwarded-proto") {
        Some(scheme) if scheme.eq_ignore_ascii_case("https") => "https",
        Some(scheme) if scheme.eq_ignore_ascii_case("http") => "http",
        _ if matches!(peer, Peer::Tls(_)) => "https",
        _ => "http",
    };
    let host = forwarded("x-forwarded-host")
        .filter(|host| is_host(host))
        .or(host)
        .filter(|host| is_host(host))
        .ok_or(Refusal::Host)?;
    Ok(vec![[scheme, "://", host, path_and_query].concat()])
}

/// Path and query as received, without a fragment, which no client may send.
fn path_and_query(head: &Parts) -> &str {
    let path_and_query = head.uri.path_and_query();
    path_and_query.map_or("/", PathAndQuery::as_str)
}

/// What a request says about the URL that was requested, no matter who wrote it: for finding out why its signature does
/// not match.
pub(super) fn hints(head: &Parts) -> Hints<'_> {
    let hosts = [
        host(head).ok().flatten(),
        first_value(head, "x-forwarded-host"),
    ];
    let hosts = hosts.into_iter().flatten();
    Hints {
        received: path_and_query(head),
        hosts: hosts.filter(|host| is_host(host)).collect(),
        port: first_value(head, "x-forwarded-port"),
        prefix: first_value(head, "x-forwarded-prefix"),
    }
}

/// A header that only requests from elsewhere have: set by a proxy, by a page in a browser or by Twilio itself.
pub(super) fn header_from_elsewhere(headers: &HeaderMap) -> Option<&str> {
    const NAMES: [&str; 7] = [
        "cf-connecting-ip",
        "forwarded",
        "origin",
        "via",
        "x-real-ip",
        "x-signalwire-signature",
        "x-twilio-signature",
    ];
    let mut names = headers.keys().map(HeaderName::as_str);
    names.find(|name| NAMES.contains(name) || name.starts_with("x-forwarded-"))
}

/// Whether a host, with or without a port, is `localhost` or below it, or an address that `will_do` accepts. No page
/// elsewhere can use either as its own name.
pub(super) fn is_localhost(host: &str, will_do: impl Fn(IpAddr) -> bool) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse::<IpAddr>().map(|it| it.to_canonical());
    let name = name.to_ascii_lowercase();
    !authority.as_str().contains('@')
        && (address.is_ok_and(will_do) || name == "localhost" || name.ends_with(".localhost"))
}

/// The requested host, with its port. By RFC 9112, section 3.2.2, a request line with a whole URL wins over `Host`.
pub(super) fn host(head: &Parts) -> Result<Option<&str>, Refusal> {
    let mut hosts = head.headers.get_all(HOST).iter();
    let first = hosts.next();
    let is_needed = head.version >= Version::HTTP_11;
    if hosts.next().is_some() || (first.is_none() && is_needed) {
        return Err(Refusal::Host);
    }
    let named = head.uri.authority().map(Authority::as_str);
    Ok(named.or_else(|| first?.to_str().ok()))
}

fn is_trusted(responder: &Responder, peer: Peer) -> bool {
    let is_proxy = |address| {
        responder
            .trusted_proxies
            .iter()
            .any(|proxy| proxy.contains(&address))
    };
    peer.is_local() || matches!(peer, Peer::Tcp(address) | Peer::Tls(address) if is_proxy(address))
}

/// The first value of a header that each proxy on the way appends to: what the outermost proxy saw.
fn first_value<'h>(head: &'h Parts, name: &str) -> Option<&'h str> {
    let values = head.headers.get(name)?.to_str().ok()?;
    Some(values.split(',').next().unwrap_or_default().trim())
}

/// Whether a text can be the host and port of a URL: nothing in it could pass for a path, a query or user info.
fn is_host(text: &str) -> bool {
    // A name of 253 characters, a colon and five digits.
    const LONGEST: usize = 259;
    (1..=LONGEST).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::live::Verification;
    use crate::table::guard::Limits;
    use crate::table::{DefaultReplies, DefaultReply, Table};
    use std::sync::Arc;

    fn responder() -> Responder {
        let default = DefaultReplies {
            voice: DefaultReply::silent(),
            message: DefaultReply::silent(),
        };
        let table = Arc::new(Table::new(
            Vec::new(),
            Vec::new(),
            default,
            Limits::default(),
        ));
        Responder {
            trusted_proxies: vec!["10.1.0.0/16".parse().expect("a network")],
            ..Responder::new(table, Verification::AllowUnsigned)
        }
    }

    #[test]
    fn only_a_trusted_peer_may_name_scheme_and_host() {
        let request = hyper::Request::get("/webhook?a=%2b")
            .header("Host", "inside:8080")
            .header("X-Forwarded-Host", "example.com, inside")
            .header("X-Forwarded-Proto", "https")
            .header("X-Forwarded-Port", "8443")
            .header("X-Forwarded-Prefix", "/twilio, /inside")
            .body(())
            .expect("a request");
        let (head, ()) = request.into_parts();
        let address = |text: &str| Peer::Tcp(text.parse().expect("an address"));
        let outside = "https://example.com/webhook?a=%2b";
        let inside = "http://inside:8080/webhook?a=%2b";
        for (peer, url) in [
            (Peer::Unix, outside),
            (address("127.0.0.1"), outside),
            (address("::1"), outside),
            (address("10.1.2.3"), outside),
            (address("10.2.0.1"), inside),
            (address("203.0.113.9"), inside),
            (address("2001:db8::1"), inside),
        ] {
            assert_eq!(
                candidates(&responder(), peer, &head),
                Ok(vec![url.to_owned()]),
                "{peer}"
            );
        }
        let hints = hints(&head);
        assert_eq!(hints.received, "/webhook?a=%2b");
        assert_eq!(hints.hosts, ["inside:8080", "example.com"]);
        assert_eq!((hints.port, hints.prefix), (Some("8443"), Some("/twilio")));
    }

    #[test]
    fn a_host_has_nothing_of_a_path() {
        for host in [
            "example.com",
            "example.com:8443",
            "[::1]:80",
            "a_b",
            "10.0.0.1",
        ] {
            assert!(is_host(host), "{host}");
        }
        let long = "a".repeat(260);
        for text in [
            "", "a/b", "a?b", "u@h", "a b", "a#b", "a\\b", "\u{e9}", &long,
        ] {
            assert!(!is_host(text), "{text}");
        }
    }
}
