//! Health and metrics: all that the admin listener answers. Nothing of Twilio's comes here.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue,
};
use hyper::{Method, Request, Response, StatusCode};
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tracing::debug;

use crate::service::connection::Connection;
use crate::service::metrics::{Metrics, MetricsFormat};
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
    let mut response = match request.uri().path() {
        _ if !may_look => plain(
            StatusCode::METHOD_NOT_ALLOWED,
            "only GET and HEAD are allowed",
        ),
        LIVE => live(responder).await,
        READY => ready(responder),
        "/metrics" => metrics(Arc::clone(&responder.metrics), wanted(request.headers())).await,
        _ => plain(
            StatusCode::NOT_FOUND,
            "not found: there are /livez, /readyz and /metrics",
        ),
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if !may_look {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    let is_read = may_look && request.body().is_end_stream();
    if !(is_read && connection.answered(Instant::now())) {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    *response.version_mut() = request.version();
    debug!(peer = %connection.peer, status = response.status().as_u16(), "admin request answered");
    response
}

async fn live(responder: &Responder) -> Response<Full<Bytes>> {
    // A service that is ending accepts nothing more, which is no reason to restart it.
    if responder.is_ending.load(Ordering::SeqCst) || responder.pulse.is_felt(PATIENCE).await {
        plain(StatusCode::OK, "ok")
    } else {
        plain(StatusCode::SERVICE_UNAVAILABLE, "stuck")
    }
}

fn ready(responder: &Responder) -> Response<Full<Bytes>> {
    if responder.is_ending.load(Ordering::SeqCst) {
        plain(StatusCode::SERVICE_UNAVAILABLE, "draining")
    } else if responder.metrics.is_degraded() {
        plain(StatusCode::OK, "degraded")
    } else {
        plain(StatusCode::OK, "ok")
    }
}

/// Written on another thread: with very many routes it takes a moment.
async fn metrics(metrics: Arc<Metrics>, format: MetricsFormat) -> Response<Full<Bytes>> {
    let Ok(text) = spawn_blocking(move || metrics.text(format)).await else {
        return plain(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the metrics cannot be written, which is a fault of the program",
        );
    };
    let mut response = Response::new(Full::from(text));
    let media_type = HeaderValue::from_static(format.content_type());
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

/// One line of text.
fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(format!("{text}\n")));
    *response.status_mut() = status;
    let media_type = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

/// The format that `Accept` prefers: `OpenMetrics` unless plain text ranks higher.
fn wanted(headers: &HeaderMap) -> MetricsFormat {
    let weight = |wanted: &str| {
        headers
            .get_all(ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|range| {
                let mut parts = range.split(';').map(str::trim);
                if !parts.next()?.eq_ignore_ascii_case(wanted) {
                    return None;
                }
                let weight = parts.find_map(|part| part.strip_prefix("q="));
                weight.map_or(Some(1.0), |weight| weight.parse::<f32>().ok())
            })
            .fold(0.0, f32::max)
    };
    if weight("text/plain") > weight("application/openmetrics-text") {
        MetricsFormat::Prometheus
    } else {
        MetricsFormat::OpenMetrics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_what_is_wanted_most() {
        for (accept, format) in [
            ("*/*", MetricsFormat::OpenMetrics),
            ("", MetricsFormat::OpenMetrics),
            ("text/plain", MetricsFormat::Prometheus),
            ("TEXT/plain; version=0.0.4", MetricsFormat::Prometheus),
            ("text/plain;q=0", MetricsFormat::OpenMetrics),
            // Prometheus 2.42 and 3.
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                 text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                MetricsFormat::OpenMetrics,
            ),
            (
                "text/plain;version=0.0.4;q=0.6,application/openmetrics-text;q=0.5",
                MetricsFormat::Prometheus,
            ),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(wanted(&headers), format, "{accept}");
        }
        assert_eq!(wanted(&HeaderMap::new()), MetricsFormat::OpenMetrics);
    }
}
