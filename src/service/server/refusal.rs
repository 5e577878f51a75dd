//! A request that gets no document: its status, the one line it is told, and its word for logs and counters.
//!
//! No line says anything of the table, nor anything that the client sent.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use strum::VariantArray;

use crate::twilio::request::Webhook;
use crate::twilio::signature::Failure;

/// Why a request is refused. hyper itself refuses what is no HTTP (400) and heads that are too large (414, 431).
#[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray)]
pub(crate) enum Refusal {
    /// There is no webhook at this path.
    Path,
    /// Neither GET nor POST.
    Method,
    /// No host, or more than one, or what is none.
    Host,
    /// A `Transfer-Encoding` other than `chunked`, once.
    Coding,
    /// A POST that is no form, or a compressed one.
    NotAForm,
    /// A POST of events that is no JSON, or a compressed one.
    NotJson,
    /// The body is over the limit.
    TooLarge,
    /// The body did not come in time.
    Slow,
    /// The body broke off, or is no HTTP.
    Incomplete,
    /// The request has no signature.
    SignatureMissing,
    /// The signature is not Twilio's.
    SignatureMismatch,
    /// Signatures are not asked for, and the request did not come straight from this machine.
    NotLocal,
}

impl Refusal {
    /// The status, the label and the body.
    fn row(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Path => (StatusCode::NOT_FOUND, "path", "not found"),
            Self::Method => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method",
                "only GET and POST are allowed",
            ),
            Self::Host => (StatusCode::BAD_REQUEST, "host", "one Host header is needed"),
            Self::Coding => (
                StatusCode::BAD_REQUEST,
                "coding",
                "Transfer-Encoding must be chunked",
            ),
            Self::NotAForm => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not-a-form",
                "the body must be application/x-www-form-urlencoded",
            ),
            Self::NotJson => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not-json",
                "the body must be application/json or application/cloudevents-batch+json",
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                "the body is too large",
            ),
            Self::Slow => (
                StatusCode::REQUEST_TIMEOUT,
                "slow",
                "the body did not come in time",
            ),
            Self::Incomplete => (
                StatusCode::BAD_REQUEST,
                "incomplete",
                "the body is not complete",
            ),
            Self::SignatureMissing => (
                StatusCode::FORBIDDEN,
                "signature-missing",
                Failure::Missing.as_str(),
            ),
            Self::SignatureMismatch => (
                StatusCode::FORBIDDEN,
                "signature-mismatch",
                Failure::Mismatch.as_str(),
            ),
            Self::NotLocal => (
                StatusCode::FORBIDDEN,
                "not-local",
                "only direct requests from this machine are answered",
            ),
        }
    }

    /// The status at a webhook, `None` where there is none. To Proxy's intercept a 403 would block the interaction:
    /// a wrong token must not.
    pub(super) fn status(self, webhook: Option<Webhook>) -> StatusCode {
        match (self.row().0, webhook) {
            (StatusCode::FORBIDDEN, Some(Webhook::Intercept)) => StatusCode::BAD_REQUEST,
            (status, _) => status,
        }
    }

    /// Its word in logs and metrics.
    pub(super) fn label(self) -> &'static str {
        self.row().1
    }

    /// The answer, which closes the connection: what is left of the request is not read.
    pub(super) fn response(self, webhook: Option<Webhook>) -> Response<Full<Bytes>> {
        let (_, _, mut text) = self.row();
        let mut allowed = "GET, POST";
        if (self, webhook) == (Self::Method, Some(Webhook::Events)) {
            (allowed, text) = ("POST", "only POST is allowed");
        }
        let mut response = Response::new(Full::from(text));
        *response.status_mut() = self.status(webhook);
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        if self == Self::Method {
            headers.insert(ALLOW, HeaderValue::from_static(allowed));
        }
        response
    }
}

impl From<Refusal> for &'static str {
    fn from(refusal: Refusal) -> Self {
        refusal.label()
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Missing => Self::SignatureMissing,
            Failure::Mismatch => Self::SignatureMismatch,
        }
    }
}
