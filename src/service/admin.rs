//! Health and metrics: all that the admin listener answers. Nothing of Twilio's comes here.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use prometheus_client::encoding::prometheus_text;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tracing::debug;

use crate::service::connection::Connection;
use crate::service::responder::Responder;

/// Whether the process should be left alone rather than restarted.
const LIVE: &str = "/livez";

/// Whether the service should be given requests.
const READY: &str = "/readyz";

/// How long the accept loop may take to show that it runs.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether a path is answered on the webhook listeners as well, with `--health`.
pub(super) fn is_health(path: &str) -> bool {
    [LIVE, READY].contains(&path)
}

/// Answers a request for health or metrics.
pub(super) async fn respond(
    responder: &Responder,
    connection: &Connection,
    request: &Request<Incoming>,
) -> Response<Full<Bytes>> {
    let may_look = [Method::GET, Method::HEAD].contains(request.method());
    let is_ending = responder.is_ending.load(Ordering::SeqCst);
    let mut media_type = "text/plain; charset=utf-8";
    let (status, body) = match request.uri().path() {
        _ if !may_look => (
            StatusCode::METHOD_NOT_ALLOWED,
            Bytes::from("only GET and HEAD are allowed\n"),
        ),
        LIVE => {
            // A service that is ending accepts nothing more, which is no reason to restart it.
            if is_ending || responder.pulse.is_felt(PATIENCE).await {
                (StatusCode::OK, Bytes::from("ok\n"))
            } else {
                (StatusCode::SERVICE_UNAVAILABLE, Bytes::from("stuck\n"))
            }
        }
        READY if is_ending => (StatusCode::SERVICE_UNAVAILABLE, Bytes::from("draining\n")),
        READY if responder.metrics.degraded.get() != 0 => {
            (StatusCode::OK, Bytes::from("degraded\n"))
        }
        READY => (StatusCode::OK, Bytes::from("ok\n")),
        "/metrics" => {
            let metrics = Arc::clone(&responder.metrics);
            // Written on another thread: with very many routes it takes a moment.
            match spawn_blocking(move || metrics.text()).await {
                Ok(text) => {
                    media_type = prometheus_text::CONTENT_TYPE;
                    (StatusCode::OK, Bytes::from(text))
                }
                Err(_) => (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    Bytes::from("the metrics cannot be written, which is a fault of the program\n"),
                ),
            }
        }
        _ => (
            StatusCode::NOT_FOUND,
            Bytes::from("not found: there are /livez, /readyz and /metrics\n"),
        ),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    *response.version_mut() = request.version();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if !may_look {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    let is_read = may_look && request.body().is_end_stream();
    if !(is_read && connection.answered(Instant::now())) {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    debug!(peer = %connection.peer, status = status.as_u16(), "admin request answered");
    response
}
