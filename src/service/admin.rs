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

// Whether the process should be left alone rather than restarted, and whether it should be given requests.
const LIVE: &str = "/livez";
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
    let (status, body): (u16, Bytes) = match request.uri().path() {
        _ if !may_look => (405, "only GET and HEAD are allowed\n".into()),
        LIVE => {
            // A service that is ending accepts nothing more, which is no reason to restart it.
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
            // Written on another thread: with very many routes it takes a moment.
            if let Ok(text) = spawn_blocking(move || metrics.text()).await {
                media_type = prometheus_text::CONTENT_TYPE;
                (200, text.into())
            } else {
                let text = "the metrics cannot be written, which is a fault of the program\n";
                (500, text.into())
            }
        }
        _ => {
            let text = "not found: there are /livez, /readyz and /metrics\n";
            (404, text.into())
        }
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = StatusCode::from_u16(status).expect("each of these is a status");
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
    debug!(peer = %connection.peer, status, "admin request answered");
    response
}
