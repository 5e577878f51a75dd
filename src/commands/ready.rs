//! `ready`: asks a running service whether it is ready for requests, for use in containers and scripts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::HOST;
use hyper::{Request, Uri};

use super::http_client::{Peer, exchange};
use super::{Outcome, output};
use crate::service::listen_address::ListenAddress;

/// Enough time for a service that has nothing to look up.
const DEADLINE: Duration = Duration::from_secs(5);

/// The default path of the URL.
const READY: &str = "/readyz";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Ask this URL [default: /readyz at --admin]
    #[arg(long, value_name = "URL")]
    url: Option<Uri>,
    /// Ask the listener at this address: the --admin of serve
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9480")]
    admin: ListenAddress,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome> {
    let (peer, host, path) = match &arguments.url {
        Some(url) => from_url(url)?,
        None => from_address(&arguments.admin),
    };
    let request = Request::get(path).header(HOST, host);
    let request = request.body(Full::new(Bytes::new()));
    let request = request.context("cannot build the request")?;
    let answer = exchange(&peer, request, DEADLINE, "")?;
    output::print(String::from_utf8_lossy(answer.body()).trim_end());
    Ok(Outcome::from(answer.status().is_success()))
}

/// The service to connect to, the `Host` header, and the path, from a URL.
fn from_url(url: &Uri) -> Result<(Peer, String, String)> {
    let (Some("http"), Some(authority)) = (url.scheme_str(), url.authority()) else {
        bail!(
            "{url} is not an http:// URL: `ready` connects to the service itself, not to the proxy in front of it"
        );
    };
    let path = match url.path() {
        "/" => READY,
        path => path,
    };
    let port = authority.port_u16().unwrap_or(80);
    let peer = Peer::Tcp(format!("{}:{port}", authority.host()));
    Ok((peer, authority.to_string(), path.to_owned()))
}

/// The same, from an address on which the service listens. An address that stands for all interfaces is reached through
/// the loopback.
fn from_address(admin: &ListenAddress) -> (Peer, String, String) {
    let (peer, host) = match admin {
        ListenAddress::Unix(path) => (Peer::Unix(path.clone()), "localhost".to_owned()),
        ListenAddress::Tcp(address) => {
            let mut address = *address;
            if address.ip().is_unspecified() {
                address.set_ip(match address.ip() {
                    IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                    IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
                });
            }
            (Peer::Tcp(address.to_string()), address.to_string())
        }
    };
    (peer, host, READY.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_is_asked_where_it_listens() {
        let at = |admin: &str| from_address(&admin.parse().expect("an address")).0;
        let tcp = |address: &str| Peer::Tcp(address.to_owned());
        assert_eq!(at("0.0.0.0:9480"), tcp("127.0.0.1:9480"));
        assert_eq!(at("[::]:9480"), tcp("[::1]:9480"));
        assert_eq!(at("192.0.2.7:1"), tcp("192.0.2.7:1"));
        assert_eq!(at("unix:/run/a.sock"), Peer::Unix("/run/a.sock".into()));
    }

    #[test]
    fn a_url_without_a_path_means_readyz() {
        let path = |url: &str| {
            let url = url.parse().expect("a URL");
            from_url(&url).map(|(_, _, path)| path).ok()
        };
        assert_eq!(path("http://127.0.0.1:8080").as_deref(), Some("/readyz"));
        assert_eq!(path("http://a/livez").as_deref(), Some("/livez"));
        assert_eq!(path("https://a/"), None);
    }
}
