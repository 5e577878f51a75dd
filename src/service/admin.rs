//! Everything that the admin listener answers: health, metrics and the page for people. Twilio does not use it.

mod page;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderValue,
};
use hyper::http::uri::Authority;
use hyper::{Method, Request, Response, StatusCode};
use prometheus_client::encoding::prometheus_text;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tracing::debug;

use crate::service::asked_url::is_localhost;
use crate::service::connection::Connection;
use crate::service::responder::Responder;

// Whether to leave the process running rather than restart it, and whether to send it requests.
const LIVE: &str = "/livez";
const READY: &str = "/readyz";

/// How long the accept loop may take to show that it is running.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether `--health` makes the webhook listeners answer this path too.
pub(super) fn is_health(path: &str) -> bool {
    [LIVE, READY].contains(&path)
}

/// The most bytes of the page's query; its form sends less.
const QUERY_MAX_BYTES: usize = 8 * 1024;

/// Headers that keep the page out of reach of other pages, whatever it shows.
const GUARDS: [(&str, &str); 5] = [
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Answers a request for health, for metrics or for the page.
pub(super) async fn respond(
    responder: &Arc<Responder>,
    connection: &Connection,
    request: &Request<Incoming>,
) -> Response<Full<Bytes>> {
    connection.is_being_answered();
    let may_look = [Method::GET, Method::HEAD].contains(request.method());
    let is_ending = responder.is_ending.load(Ordering::SeqCst);
    let mut media_type = "text/plain; charset=utf-8";
    let (status, body): (u16, Bytes) = match request.uri().path() {
        _ if !may_look => (405, "only GET and HEAD are allowed\n".into()),
        LIVE => {
            // A service that is ending accepts nothing more; that does not call for a restart.
            if is_ending || responder.pulse.is_felt(PATIENCE).await {
                (200, "ok\n".into())
            } else {
                (503, "stuck\n".into())
            }
        }
        READY if is_ending => (503, "draining\n".into()),
        READY if responder.metrics.degraded.get() != 0 => (200, "degraded\n".into()),
        READY => (200, "ok\n".into()),
        "/metrics" => {
            let metrics = Arc::clone(&responder.metrics);
            // On another thread: with very many routes, writing takes a moment.
            if let Ok(text) = spawn_blocking(move || metrics.text()).await {
                media_type = prometheus_text::CONTENT_TYPE;
                (200, text.into())
            } else {
                let text = "the metrics cannot be written, which is a fault of the program\n";
                (500, text.into())
            }
        }
        "/" if !is_of_this_machine(request) => {
            let text = "this page is shown under an IP address or localhost only, so that no other page can read it\n";
            (421, text.into())
        }
        "/" => {
            let query = request.uri().query().unwrap_or_default().to_owned();
            let responder = Arc::clone(responder);
            if query.len() > QUERY_MAX_BYTES {
                (414, "the query is too long\n".into())
            } else if let Ok(page) =
                // On another thread, so that no webhook waits for the page.
                spawn_blocking(move || page::page(&responder, &query)).await
            {
                media_type = "text/html; charset=utf-8";
                (200, page.into())
            } else {
                let text = "the page cannot be written, which is a fault of the program\n";
                (500, text.into())
            }
        }
        _ => {
            let text = "not found: there are /, /livez, /readyz and /metrics\n";
            (404, text.into())
        }
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = StatusCode::from_u16(status).expect("each of these is a status");
    *response.version_mut() = request.version();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if media_type.starts_with("text/html") {
        let policy = HeaderValue::try_from(page::policy());
        headers.insert(CONTENT_SECURITY_POLICY, policy.expect("it is ASCII"));
        for (name, value) in GUARDS {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    if !may_look {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    let is_read = may_look && request.body().is_end_stream();
    if !(is_read && connection.answered(Instant::now())) {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    debug!(peer = %connection.peer, status, "admin request answered");
    response
}

/// Whether the page is requested under an IP address or as `localhost`. No other page can claim either as its own name:
/// if a page elsewhere makes its name resolve to this machine (DNS rebinding), its requests still use that name.
fn is_of_this_machine<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let is_known = |host: &str| is_localhost(host, |_| true);
    // A whole URL in the request line also names a host.
    let named = request.uri().authority().map(Authority::as_str);
    let (host, more) = (hosts.next(), hosts.next());
    host.and_then(|host| host.to_str().ok())
        .is_some_and(is_known)
        && more.is_none()
        && named.is_none_or(is_known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_asked_for_the_page() {
        for (hosts, is_known) in [
            (&["127.0.0.1:9480"][..], true),
            (&["127.0.0.1"], true),
            (&["[::1]:9480"], true),
            (&["192.0.2.7"], true),
            (&["localhost:9480"], true),
            (&["LocalHost"], true),
            (&["a.localhost"], true),
            (&[], false),
            (&[""], false),
            (&["example.com"], false),
            (&["example.com:9480"], false),
            (&["127.0.0.1.example.com"], false),
            (&["localhost.example.com"], false),
            (&["evil-localhost"], false),
            (&["user@127.0.0.1"], false),
            (&["127.0.0.1", "example.com"], false),
            (&["127.0.0.1", "127.0.0.1"], false),
            (&["2130706433"], false),
            (&["0x7f.1"], false),
            (&["127.1"], false),
        ] {
            let mut request = Request::builder().uri("/");
            for host in hosts {
                request = request.header(HOST, *host);
            }
            let request = request.body(()).expect("a request");
            assert_eq!(is_of_this_machine(&request), is_known, "{hosts:?}");
        }
        for (url, is_known) in [("http://example.com/", false), ("http://[::1]:9480/", true)] {
            let request = Request::builder().uri(url).header(HOST, "127.0.0.1");
            let request = request.body(()).expect("a request");
            assert_eq!(is_of_this_machine(&request), is_known, "{url}");
        }
    }
}
