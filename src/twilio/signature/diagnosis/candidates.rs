//! The other URLs that Twilio may have signed in place of one that was tried.

use std::borrow::Cow;

use crate::twilio::signature::diagnosis::Difference;
use crate::twilio::signature::diagnosis::query_encoding::QueryEncoding;
use crate::twilio::signature::public_url::PublicUrl;
use crate::twilio::signature::url::{Url, split_port};

const MOST_HOSTS: usize = 4;

/// A URL that may have been signed. The one that was tried is among them, with no difference.
pub(super) struct Candidate<'a> {
    pub(super) tried: Url<'a>,
    pub(super) url: Url<'a>,
    pub(super) differences: Vec<Difference>,
}

/// The ways in which one URL may have been different, each of which goes with each of the others.
pub(super) struct Variants<'a> {
    url: Url<'a>,
    schemes: Vec<(&'a str, Option<Difference>)>,
    /// Host and port.
    addresses: Vec<(Cow<'a, str>, &'a str, Option<Difference>)>,
    paths: Vec<(Cow<'a, str>, Option<Difference>)>,
    queries: Vec<(Cow<'a, str>, Option<Difference>)>,
}

impl<'a> Variants<'a> {
    pub(super) fn of(url: Url<'a>, hosts: &[&'a str]) -> Self {
        Self {
            url,
            schemes: schemes(url.scheme),
            addresses: addresses(url, hosts),
            paths: paths(url.path),
            queries: queries(url.query),
        }
    }

    pub(super) fn candidates(&self) -> Vec<Candidate<'_>> {
        let mut candidates = Vec::new();
        for (scheme, scheme_differs) in &self.schemes {
            for (host, port, address_differs) in &self.addresses {
                for (path, path_differs) in &self.paths {
                    for (query, query_differs) in &self.queries {
                        candidates.push(Candidate {
                            tried: self.url,
                            url: Url {
                                scheme,
                                host,
                                port,
                                path,
                                query,
                                ..self.url
                            },
                            differences: [
                                scheme_differs,
                                address_differs,
                                path_differs,
                                query_differs,
                            ]
                            .into_iter()
                            .flatten()
                            .cloned()
                            .collect(),
                        });
                    }
                }
            }
        }
        candidates
    }
}

fn schemes(scheme: &str) -> Vec<(&str, Option<Difference>)> {
    let mut schemes = vec![(scheme, None)];
    for (other, word) in [("https://", "https"), ("http://", "http")] {
        if other != scheme {
            schemes.push((other, Some(Difference::Scheme(word))));
        }
    }
    schemes
}

fn addresses<'a>(
    url: Url<'a>,
    hosts: &[&'a str],
) -> Vec<(Cow<'a, str>, &'a str, Option<Difference>)> {
    let mut addresses = vec![(Cow::Borrowed(url.host), url.port, None)];
    if !url.port.is_empty() {
        // Without a port the default one is tried.
        addresses.push((Cow::Borrowed(url.host), "", Some(Difference::Port)));
    }
    let lower = url.host.to_ascii_lowercase();
    if lower != url.host {
        addresses.push((Cow::Owned(lower), url.port, Some(Difference::Host)));
    }
    for address in hosts.iter().take(MOST_HOSTS) {
        // It may come from a header, and so hold anything; what is no host and port is not tried.
        if format!("https://{address}").parse::<PublicUrl>().is_err()
            || address.contains(['/', '@'])
        {
            continue;
        }
        let (host, port) = split_port(address);
        let is_known = addresses
            .iter()
            .any(|(known_host, known_port, _)| known_host == host && *known_port == port);
        if !is_known {
            let difference = if host == url.host {
                Difference::Port
            } else {
                Difference::Host
            };
            addresses.push((Cow::Borrowed(host), port, Some(difference)));
        }
    }
    addresses
}

fn paths(path: &str) -> Vec<(Cow<'_, str>, Option<Difference>)> {
    let mut paths = vec![(Cow::Borrowed(path), None)];
    // Those of a host alone are tried anyway: they are readings of it.
    match path.strip_suffix('/') {
        Some(without) => paths.push((Cow::Borrowed(without), Some(Difference::SlashLess))),
        None => paths.push((Cow::Owned(format!("{path}/")), Some(Difference::SlashMore))),
    }
    paths
}

fn queries(query: &str) -> Vec<(Cow<'_, str>, Option<Difference>)> {
    let mut queries = vec![(Cow::Borrowed(query), None)];
    for encoding in QueryEncoding::ALL {
        let written = encoding.apply(query);
        if queries.iter().all(|(known, _)| *known != written) {
            queries.push((Cow::Owned(written), Some(Difference::Query(encoding))));
        }
    }
    queries
}
