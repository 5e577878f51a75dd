//! A request that gets no document: its status, the one line of text in the answer, and its label in logs and metrics.
//!
//! The text says nothing about the table and repeats nothing that the client sent.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use strum::{IntoStaticStr, VariantArray};

use crate::twilio::request::Webhook;
use crate::twilio::signature::Failure;

/// Why a request is refused; the variant's name is the label. hyper itself refuses anything that is not HTTP (400) and
/// heads that are too large (414, 431).
#[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub(crate) enum Refusal {
    /// There is no webhook at this path.
    Path,
    Method,
    /// No valid host, or more than one.
    Host,
    /// A `Transfer-Encoding` other than a single `chunked`.
    Coding,
    /// A POST that is not a form, or is compressed.
    NotAForm,
    /// A POST of events that is not JSON, or is compressed.
    NotJson,
    TooLarge,
    /// The body did not arrive in time.
    Slow,
    /// The body broke off, or is not HTTP.
    Incomplete,
    SignatureMissing,
    SignatureMismatch,
    /// Signatures are not checked, and the request did not come straight from this machine.
    NotLocal,
}

impl Refusal {
    /// The status and the text at a webhook; `None` where there is no webhook.
    fn status_and_text(
        self,
        webhook: Option<Webhook>,
        takes_get: bool,
    ) -> (StatusCode, &'static str) {
        // Proxy takes a 403 from the intercept as "block this interaction", which a wrong token must not cause.
        let not_allowed = match webhook {
            Some(Webhook::Intercept) => StatusCode::BAD_REQUEST,
            _ => StatusCode::FORBIDDEN,
        };
        let methods = if takes_get {
            "only GET and POST are allowed"
        } else {
            "only POST is allowed"
        };
        let json = "the body must be application/json or application/cloudevents-batch+json";
        let form = "the body must be application/x-www-form-urlencoded";
        let local = "only direct requests from this machine are answered";
        match self {
            Self::Path => (StatusCode::NOT_FOUND, "not found"),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, methods),
            Self::Host => (StatusCode::BAD_REQUEST, "one Host header is needed"),
            Self::Coding => (StatusCode::BAD_REQUEST, "Transfer-Encoding must be chunked"),
            Self::NotAForm => (StatusCode::UNSUPPORTED_MEDIA_TYPE, form),
            Self::NotJson => (StatusCode::UNSUPPORTED_MEDIA_TYPE, json),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"),
            Self::Slow => (StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
            Self::Incomplete => (StatusCode::BAD_REQUEST, "the body is not complete"),
            Self::SignatureMissing => (not_allowed, Failure::Missing.as_str()),
            Self::SignatureMismatch => (not_allowed, Failure::Mismatch.as_str()),
            Self::NotLocal => (not_allowed, local),
        }
    }

    /// The response. It closes the connection, because the rest of the request is not read.
    pub(super) fn response(
        self,
        webhook: Option<Webhook>,
        post_only: bool,
    ) -> Response<Full<Bytes>> {
        let takes_get = !post_only && webhook != Some(Webhook::Events);
        let (status, text) = self.status_and_text(webhook, takes_get);
        let mut response = Response::new(Full::from(text));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        headers.insert(CONTENT_TYPE, plain);
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        if self == Self::Method {
            let allowed = if takes_get { "GET, POST" } else { "POST" };
            headers.insert(ALLOW, HeaderValue::from_static(allowed));
        }
        response
    }
}
