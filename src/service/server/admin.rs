//! The admin listener: health and metrics, for whoever watches the service. Nothing of Twilio's comes here.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::header::{ACCEPT, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Request, Response, StatusCode};
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tracing::debug;

use crate::service::metrics::{Format, Metrics};
use crate::service::server::connection::Connection;
use crate::service::server::health::{Question, plain, wrong_method};
use crate::service::server::listener::Peer;
use crate::service::server::{Limits, Server, Service};

/// Few watch at a time, and what they send is short.
pub(super) const LIMITS: Limits = Limits {
    max_connections: 16,
    max_body_bytes: 0,
    head: Duration::from_secs(10),
    body: Duration::from_secs(10),
    answer: Duration::from_secs(10),
    idle: Duration::from_secs(75),
    linger: Duration::from_secs(1),
    drain: Duration::from_secs(1),
};

/// Answers a request on the admin listener.
pub(super) async fn respond(
    server: &Server,
    connection: &Connection,
    peer: Peer,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let mut response = answer(&server.service, &request).await;
    let stays =
        request.body().is_end_stream() && connection.answered(Instant::now(), &server.crowded);
    if !stays {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    *response.version_mut() = request.version();
    debug!(%peer, status = response.status().as_u16(), "admin request answered");
    response
}

async fn answer(service: &Service, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    if let Some(response) = wrong_method(request.method()) {
        return response;
    }
    let path = request.uri().path();
    if let Some(question) = Question::at(path) {
        return question.answer(service).await;
    }
    if path == "/metrics" {
        return metrics(Arc::clone(&service.metrics), wanted(request.headers())).await;
    }
    plain(
        StatusCode::NOT_FOUND,
        "not found: there are /livez, /readyz and /metrics",
    )
}

/// The metrics, written aside: in a table of very many routes that takes a moment.
async fn metrics(metrics: Arc<Metrics>, format: Format) -> Response<Full<Bytes>> {
    let Ok(text) = spawn_blocking(move || metrics.text(format)).await else {
        return plain(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the metrics cannot be written, which is a fault of the program",
        );
    };
    let mut response = Response::new(Full::from(text));
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static(format.content_type()),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The format that `Accept` wants most: `OpenMetrics` unless plain text is wanted more.
fn wanted(headers: &HeaderMap) -> Format {
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
        Format::Prometheus
    } else {
        Format::OpenMetrics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_what_is_wanted_most() {
        for (accept, format) in [
            ("*/*", Format::OpenMetrics),
            ("", Format::OpenMetrics),
            ("text/plain", Format::Prometheus),
            ("TEXT/plain; version=0.0.4", Format::Prometheus),
            ("text/plain;q=0", Format::OpenMetrics),
            // Prometheus 2.42 and 3.
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                 text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Format::OpenMetrics,
            ),
            (
                "text/plain;version=0.0.4;q=0.6,application/openmetrics-text;q=0.5",
                Format::Prometheus,
            ),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(wanted(&headers), format, "{accept}");
        }
        assert_eq!(wanted(&HeaderMap::new()), Format::OpenMetrics);
    }
}
