//! One request, from its head to its answer, and the one event that the log has of it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode, Version};
use tokio::time::Instant;
use tracing::info;

use crate::journal::line::Told;
use crate::service::live::Live;
use crate::service::server::connection::Connection;
use crate::service::server::health::{Question, wrong_method};
use crate::service::server::listener::Peer;
use crate::service::server::path::webhook_at;
use crate::service::server::receive::{Received, header, receive};
use crate::service::server::refusal::Refusal;
use crate::service::server::{Server, Service, document, events, intercept};
use crate::twilio::number::masked;
use crate::twilio::request::{Request, Webhook};

static HOME_REGION: HeaderName = HeaderName::from_static("x-home-region");
static ROUTE: HeaderName = HeaderName::from_static("twiml-route");

/// What a request gets that is not refused.
pub(super) struct Answered<'t> {
    /// Which route or intercept it is from, or the word for none; `None` for a webhook that nothing decides on.
    pub route: Option<&'t str>,
    pub status: StatusCode,
    /// What the body is; `None` without one.
    pub media_type: Option<&'static str>,
    pub body: Bytes,
    /// Why the loop guard answers, when it does.
    pub guard: Option<&'static str>,
    /// The route whose reply could not be written, or the default's name after a panic.
    pub failed: Option<&'t str>,
}

impl Answered<'_> {
    /// An answer without a body.
    pub(super) fn empty(status: StatusCode) -> Self {
        Self {
            route: None,
            status,
            media_type: None,
            body: Bytes::new(),
            guard: None,
            failed: None,
        }
    }

    /// The answer as it is sent. Its headers take the room of the request's, which are done with.
    fn response(self, stays: bool, mut headers: HeaderMap) -> Response<Full<Bytes>> {
        headers.clear();
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = headers;
        let headers = response.headers_mut();
        if let Some(media_type) = self.media_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        }
        // A route's name always fits; if it did not, the caller would still want the document.
        if let Some(Ok(route)) = self.route.map(HeaderValue::from_str) {
            headers.insert(&ROUTE, route);
        }
        if !stays {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// Answers a request. Never fails: what gets no answer gets a refusal.
pub(super) async fn respond(
    server: &Server,
    connection: &Connection,
    peer: Peer,
    request: hyper::Request<Incoming>,
) -> Response<Full<Bytes>> {
    let begin = Instant::now();
    let (mut head, mut body) = request.into_parts();
    let service = &*server.service;
    if let Some(question) = Question::at(head.uri.path()).filter(|_| service.has_health_paths) {
        let mut response = match wrong_method(&head.method) {
            Some(response) => response,
            None => question.answer(service).await,
        };
        if !(body.is_end_stream() && connection.answered(Instant::now(), &server.crowded)) {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        *response.version_mut() = head.version;
        return response;
    }
    let webhook = webhook_at(head.uri.path(), service);
    let received = match webhook {
        Some(webhook) => receive(server, peer, webhook, &head, &mut body).await,
        None => Err(Refusal::Path),
    };
    let mut response = match received {
        Ok(received) => {
            let answered = answer(&received.live, server, &received).await;
            let end = Instant::now();
            let microseconds = microseconds_from(begin, end);
            // Not even a fault in the log may cost the answer.
            let _ = catch_unwind(AssertUnwindSafe(|| {
                log_answer(service, &head, &received, &answered, microseconds);
            }));
            if let Some(journal) = &service.journal
                && received.webhook != Webhook::Events
            {
                journal.record(Told {
                    time: received.now,
                    webhook: received.webhook,
                    body: received.body,
                    query: received.query,
                    route: answered.route.map(Into::into),
                    status: answered.status.as_u16(),
                    microseconds,
                    guard: answered.guard,
                    failed: answered.failed.map(Into::into),
                });
            }
            // A GET may carry a body, which means nothing and is not read.
            let is_read = head.method == Method::POST || body.is_end_stream();
            let stays = is_read
                && connection.answered(end, &server.crowded)
                && !service.is_ending.load(Ordering::Relaxed);
            let stays = stays && head.version >= Version::HTTP_11;
            answered.response(stays, std::mem::take(&mut head.headers))
        }
        Err(refusal) => {
            service.metrics.refused(refusal);
            log_refusal(refusal, webhook, peer, begin);
            refusal.response(webhook)
        }
    };
    // hyper takes the answer's version for whether HTTP/1.0 may keep the connection.
    *response.version_mut() = head.version;
    response
}

/// The answer of the webhook that was asked.
async fn answer<'t>(live: &'t Live, server: &Server, received: &Received<'_>) -> Answered<'t> {
    let service = &*server.service;
    match received.webhook {
        Webhook::OutOfSession | Webhook::Plain => document::answer(live, service, received),
        Webhook::Intercept => intercept::answer(&live.table, service, received),
        // Their senders only tell.
        Webhook::Callback | Webhook::VoiceWebhooks => Answered::empty(StatusCode::NO_CONTENT),
        Webhook::Events => events::answer(server, received).await,
    }
}

fn log_refusal(refusal: Refusal, webhook: Option<Webhook>, peer: Peer, begin: Instant) {
    // Of these there is a warning already, which says more.
    let is_logged = matches!(
        refusal,
        Refusal::SignatureMissing | Refusal::SignatureMismatch | Refusal::NotLocal
    );
    if !is_logged {
        info!(
            %peer,
            refusal = refusal.label(),
            status = refusal.status(webhook).as_u16(),
            microseconds = microseconds_from(begin, Instant::now()),
            "refused"
        );
    }
}

/// The one event of a request that was answered. Of what the client sent it has only what is named here.
fn log_answer(
    service: &Service,
    head: &Parts,
    received: &Received<'_>,
    answered: &Answered<'_>,
    microseconds: u64,
) {
    if !tracing::enabled!(tracing::Level::INFO) {
        return;
    }
    let request = Request::new(received.webhook, &received.body, &received.query);
    let number = |name| {
        let number = request.value(name);
        let is_told = received.webhook.wants_document() || !number.is_empty();
        is_told.then(|| {
            if service.show_numbers {
                number.chars().take(100).collect()
            } else {
                masked(&number)
            }
        })
    };
    info!(
        webhook = received.webhook.as_str(),
        channel = request.channel().as_str(),
        route = answered.route,
        status = answered.status.as_u16(),
        microseconds,
        sid = told_sid(&request),
        region = header(head, &HOME_REGION).filter(|region| is_region(region)),
        caller = number("Caller"),
        called = number("Called"),
        "answered"
    );
}

fn microseconds_from(begin: Instant, end: Instant) -> u64 {
    u64::try_from(end.duration_since(begin).as_micros()).unwrap_or(u64::MAX)
}

/// The SID of a request, if it is one: what is not may be anything.
pub(super) fn told_sid<'r>(request: &Request<'r>) -> Option<&'r str> {
    Some(request.sid()).filter(|sid| is_sid(sid))
}

/// Whether a text is a SID and nothing else: two letters and 32 hexadecimal digits.
fn is_sid(text: &str) -> bool {
    text.len() == 34
        && text.bytes().take(2).all(|byte| byte.is_ascii_uppercase())
        && text.bytes().skip(2).all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a text can be the name of a region, such as `us1`.
fn is_region(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_like_it_is_logged() {
        assert!(is_sid("CA00000000000000000000000000000abc"));
        for text in [
            "",
            "CA1",
            "+14155550100",
            "CA0000000000000000000000000000000g",
            "\u{e9}A0000000000000000000000000000000",
        ] {
            assert!(!is_sid(text), "{text}");
        }
        for region in ["us1", "ie1", "au-2"] {
            assert!(is_region(region), "{region}");
        }
        for text in ["", "us 1", "us1\"", "+1", &"a".repeat(33)] {
            assert!(!is_region(text), "{text}");
        }
    }
}
