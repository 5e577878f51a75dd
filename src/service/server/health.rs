//! Whether the service lives, and whether it is to be given requests.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response, StatusCode};

use crate::service::server::Service;

/// How long the accept loop may take to show that it turns.
const PATIENCE: Duration = Duration::from_secs(3);

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// `/livez`: whether the process is to be left alone, rather than started anew.
    Live,
    /// `/readyz`: whether it is to be given requests.
    Ready,
}

impl Question {
    /// The question that stands at a path.
    pub(super) fn at(path: &str) -> Option<Self> {
        match path {
            "/livez" => Some(Self::Live),
            "/readyz" => Some(Self::Ready),
            _ => None,
        }
    }

    /// The answer of the service as it is now.
    pub(super) async fn answer(self, service: &Service) -> Response<Full<Bytes>> {
        let is_ending = service.is_ending.load(Ordering::SeqCst);
        let (status, text) = match self {
            // While it ends, nothing new is accepted, which is no reason to start it anew.
            Self::Live if !is_ending && !service.pulse.is_felt(PATIENCE).await => {
                (StatusCode::SERVICE_UNAVAILABLE, "stuck")
            }
            Self::Ready if is_ending => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
            Self::Ready if service.metrics.is_degraded() => (StatusCode::OK, "degraded"),
            Self::Live | Self::Ready => (StatusCode::OK, "ok"),
        };
        plain(status, text)
    }
}

/// The answer to whoever may only look, in one line.
pub(super) fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(format!("{text}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Why a request is not one of whoever may only look; `None` when it is.
pub(super) fn wrong_method(method: &Method) -> Option<Response<Full<Bytes>>> {
    if [Method::GET, Method::HEAD].contains(method) {
        return None;
    }
    let mut response = plain(
        StatusCode::METHOD_NOT_ALLOWED,
        "only GET and HEAD are allowed",
    );
    let headers = response.headers_mut();
    headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Some(response)
}
