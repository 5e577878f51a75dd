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

/// Why a request is refused; the variant's name is the label. hyper itself refuses what is not HTTP (400) and heads that
/// are too large (414, 431).
#[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub(crate) enum Refusal {
    /// There is no webhook at this path.
    Path,
    /// Neither GET nor POST.
    Method,
    /// No valid host, or more than one.
    Host,
    /// A `Transfer-Encoding` other than a single `chunked`.
    Coding,
    /// A POST that is not a form, or is compressed.
    NotAForm,
    /// A POST of events that is not JSON, or is compressed.
    NotJson,
    /// The body is over the limit.
    TooLarge,
    /// The body did not arrive in time.
    Slow,
    /// The body broke off, or is not HTTP.
    Incomplete,
    /// The request has no signature.
    SignatureMissing,
    /// The signature is not Twilio's.
    SignatureMismatch,
    /// Signatures are not checked, and the request did not come straight from this machine.
    NotLocal,
}

impl Refusal {
    /// The status at a webhook; `None` where there is no webhook. Proxy takes a 403 from the intercept as "block this
    /// interaction", which a wrong token must not do.
    pub(super) fn status(self, webhook: Option<Webhook>) -> StatusCode {
        match self {
            Self::Path => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Host | Self::Coding | Self::Incomplete => StatusCode::BAD_REQUEST,
            Self::NotAForm | Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            _ if webhook == Some(Webhook::Intercept) => StatusCode::BAD_REQUEST,
            Self::SignatureMissing | Self::SignatureMismatch | Self::NotLocal => {
                StatusCode::FORBIDDEN
            }
        }
    }

    fn text(self, webhook: Option<Webhook>) -> &'static str {
        match self {
            Self::Path => "not found",
            Self::Method if webhook == Some(Webhook::Events) => "only POST is allowed",
            Self::Method => "only GET and POST are allowed",
            Self::Host => "one Host header is needed",
            Self::Coding => "Transfer-Encoding must be chunked",
            Self::NotAForm => "the body must be application/x-www-form-urlencoded",
            Self::NotJson => {
                "the body must be application/json or application/cloudevents-batch+json"
            }
            Self::TooLarge => "the body is too large",
            Self::Slow => "the body did not come in time",
            Self::Incomplete => "the body is not complete",
            Self::SignatureMissing => Failure::Missing.as_str(),
            Self::SignatureMismatch => Failure::Mismatch.as_str(),
            Self::NotLocal => "only direct requests from this machine are answered",
        }
    }

    /// The response. It closes the connection, because the rest of the request is not read.
    pub(super) fn response(self, webhook: Option<Webhook>) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::from(self.text(webhook)));
        *response.status_mut() = self.status(webhook);
        let headers = response.headers_mut();
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        headers.insert(CONTENT_TYPE, plain);
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        if self == Self::Method {
            let is_events = webhook == Some(Webhook::Events);
            let allowed = if is_events { "POST" } else { "GET, POST" };
            headers.insert(ALLOW, HeaderValue::from_static(allowed));
        }
        response
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
