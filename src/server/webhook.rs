//! One request, from its head to its answer: path, method and limits, then the signature, then the document.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arc_swap::Guard;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
};
use hyper::http::request::Parts;
use hyper::{Method, Response, Version};
use tokio::time::{Instant, timeout};
use tracing::{error, info, warn};

use crate::answer::{Asked, Kind, default_answer, last_resort};
use crate::live::{Live, Verification};
use crate::request::{Form, Request, Webhook};
use crate::server::asked_url::{candidates, is_forwarded, named_hosts, path_and_query};
use crate::server::connection::Connection;
use crate::server::listener::Peer;
use crate::server::path::webhook_at;
use crate::server::refusal::Refusal;
use crate::server::{Core, Limits, Server, Service};
use crate::signature::diagnosis::diagnose;
use crate::signature::secrets::Secrets;
use crate::signature::{self, Content, Failure, Signed};
use crate::table::{DEFAULT, Table};
use crate::types::{Channel, masked};

const FORM: &str = "application/x-www-form-urlencoded";
static SIGNATURE: HeaderName = HeaderName::from_static("x-twilio-signature");
static SIGNATURE_SETTINGS: HeaderName =
    HeaderName::from_static("x-twilio-webhooks-signature-settings");
static IDEMPOTENCY_TOKEN: HeaderName = HeaderName::from_static("i-twilio-idempotency-token");
static HOME_REGION: HeaderName = HeaderName::from_static("x-home-region");
static ROUTE: HeaderName = HeaderName::from_static("twiml-route");

/// Answers a request. Never fails: what gets no document gets a refusal.
pub(super) async fn respond(
    server: &Server,
    connection: &Connection,
    peer: Peer,
    request: hyper::Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let begin = Instant::now();
    let (head, mut body) = request.into_parts();
    let mut response = match receive(server, peer, &head, &mut body).await {
        Ok(received) => {
            let (route, answer, kind) = compose(&received.live.table, &server.service, &received);
            // Not even a fault in the log may cost the answer.
            let _ = catch_unwind(AssertUnwindSafe(|| {
                log_answer(&server.service, &head, &received, route, begin);
            }));
            // A GET may carry a body, which means nothing and is not read.
            let is_read = head.method == Method::POST || body.is_end_stream();
            let stays = is_read && connection.answered(&server.crowded);
            document_response(
                route,
                answer,
                kind,
                stays && head.version >= Version::HTTP_11,
            )
        }
        Err(refusal) => {
            log_refusal(refusal, peer, begin);
            refusal.response()
        }
    };
    // hyper takes the answer's version for whether HTTP/1.0 may keep the connection.
    *response.version_mut() = head.version;
    Ok(response)
}

fn document_response(route: &str, body: Bytes, kind: Kind, stays: bool) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static(match kind {
            Kind::Document => "application/xml; charset=utf-8",
            Kind::Session => "application/json",
        }),
    );
    // A route's name always fits; if it did not, the caller would still want the document.
    if let Ok(route) = HeaderValue::from_str(route) {
        headers.insert(&ROUTE, route);
    }
    if !stays {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// A request that is to be answered.
struct Received {
    /// What is live for this request to its end. Taken when it is whole: a slow client does not keep an old table.
    live: Guard<Arc<Live>>,
    webhook: Webhook,
    body: Form,
    query: Form,
    /// What Twilio asked, without the query.
    url: String,
    /// The same for a request and its retries; empty when there is none.
    token: String,
}

/// Reads a request, and finds out whether it is to be answered.
async fn receive(
    server: &Server,
    peer: Peer,
    head: &Parts,
    body: &mut Incoming,
) -> Result<Received, Refusal> {
    let service = &*server.service;
    let webhook = webhook_at(head.uri.path(), &service.out_of_session).ok_or(Refusal::Path)?;
    let is_post = match head.method {
        Method::POST => true,
        Method::GET => false,
        _ => return Err(Refusal::Method),
    };
    let urls = candidates(service, peer, head)?;
    let body = if is_post {
        if !is_form(&head.headers) {
            return Err(Refusal::NotAForm);
        }
        Form::parse(&read_body(body, &server.limits).await?)
    } else {
        Form::default()
    };
    let query = Form::parse(head.uri.query().unwrap_or_default().as_bytes());
    let content = if is_post {
        Content::Form(&body)
    } else {
        Content::Query
    };
    let live = service.live.load();
    let mut url = match &live.verification {
        Verification::Signed(secrets) => {
            let signed = Signed {
                signature: header(head, &SIGNATURE),
                settings: header(head, &SIGNATURE_SETTINGS),
                account_sid: body
                    .first("AccountSid")
                    .or_else(|| query.first("AccountSid"))
                    .unwrap_or_default(),
                content,
            };
            verify(server, secrets, peer, head, urls, &signed)?
        }
        Verification::AllowUnsigned => allow_unsigned(peer, head, urls)?,
    };
    url.truncate(url.find('?').unwrap_or(url.len()));
    Ok(Received {
        live,
        webhook,
        body,
        query,
        url,
        token: header(head, &IDEMPOTENCY_TOKEN)
            .unwrap_or_default()
            .to_owned(),
    })
}

/// Whether the body is an uncompressed form, as far as the headers say.
fn is_form(headers: &HeaderMap) -> bool {
    let media_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    let is_plain = headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity"));
    media_type.trim().eq_ignore_ascii_case(FORM) && is_plain
}

/// The whole body, unless it is over the limit or too slow: then its rest is not read.
async fn read_body(body: &mut Incoming, limits: &Limits) -> Result<Bytes, Refusal> {
    let most = limits.max_body_bytes;
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > most {
        return Err(Refusal::TooLarge);
    }
    let reading = async {
        // Most bodies come in one piece, which is then not copied.
        let mut whole = Bytes::new();
        let mut pieces = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(piece) = frame.map_err(|_| Refusal::Incomplete)?.into_data() else {
                continue;
            };
            if whole.len() + pieces.len() + piece.len() > most {
                return Err(Refusal::TooLarge);
            }
            if whole.is_empty() && pieces.is_empty() {
                whole = piece;
            } else {
                pieces.extend_from_slice(&std::mem::take(&mut whole));
                pieces.extend_from_slice(&piece);
            }
        }
        Ok(if pieces.is_empty() {
            whole
        } else {
            pieces.freeze()
        })
    };
    timeout(limits.body, reading)
        .await
        .unwrap_or(Err(Refusal::Slow))
}

/// The URL over which Twilio signed the request.
fn verify(
    server: &Server,
    secrets: &Secrets,
    peer: Peer,
    head: &Parts,
    mut urls: Vec<String>,
    signed: &Signed<'_>,
) -> Result<String, Refusal> {
    match signature::verify(secrets, &urls, signed) {
        Ok(index) => Ok(urls.swap_remove(index)),
        Err(failure) => {
            if failure == Failure::Missing || server.may_diagnose() {
                let received = path_and_query(head);
                let diagnosis = diagnose(secrets, &urls, signed, &named_hosts(head), received);
                warn!(%peer, %diagnosis, "{failure}");
            } else {
                warn!(%peer, "{failure}; the reason is looked for once a second");
            }
            Err(failure.into())
        }
    }
}

/// The first URL, when somebody on this machine asks on his own account.
fn allow_unsigned(peer: Peer, head: &Parts, mut urls: Vec<String>) -> Result<String, Refusal> {
    let reason = if !peer.is_local() {
        "it comes from another machine"
    } else if is_forwarded(&head.headers) {
        "it has a Forwarded or X-Forwarded header"
    } else {
        return Ok(urls.swap_remove(0));
    };
    warn!(%peer, reason, "request refused: without signatures only direct requests from this machine are answered");
    Err(Refusal::NotLocal)
}

/// The name of the route that answers, and what it answers. Whatever breaks, there is something.
fn compose<'t>(table: &'t Table, service: &Service, received: &Received) -> (&'t str, Bytes, Kind) {
    // The panic's own text may hold a number, so it is not logged.
    let caught = |core: Core| {
        catch_unwind(AssertUnwindSafe(|| {
            let asked = Asked {
                request: &Request::new(received.webhook, &received.body, &received.query),
                url: &received.url,
                token: &received.token,
                now: (service.clock)(),
            };
            core(table, &service.guard, &asked)
        }))
    };
    let answer = caught(service.core).or_else(|_| {
        error!("the route's answer panicked, the default answers");
        caught(|table, _, asked| default_answer(table, asked))
    });
    let Ok(answer) = answer else {
        error!("the default's answer panicked, too");
        let channel = catch_unwind(AssertUnwindSafe(|| {
            Request::new(received.webhook, &received.body, &received.query).channel()
        }));
        let document = last_resort(table, channel.unwrap_or(Channel::Voice));
        return (DEFAULT, document, Kind::Document);
    };
    if let Some((route, error)) = answer.failure {
        error!(route, %error, "the reply cannot be written, the default answers");
    }
    if let Some(verdict) = answer.guarded {
        info!(reason = %verdict, "the guard answers");
    }
    if answer.cut_texts > 0 {
        warn!(
            route = answer.route,
            texts = answer.cut_texts,
            "texts over a limit of Twilio's were cut"
        );
    }
    (answer.route, answer.body, answer.kind)
}

fn log_refusal(refusal: Refusal, peer: Peer, begin: Instant) {
    // Of these there is a warning already, which says more.
    let is_logged = matches!(
        refusal,
        Refusal::SignatureMissing | Refusal::SignatureMismatch | Refusal::NotLocal
    );
    if !is_logged {
        info!(
            %peer,
            refusal = refusal.label(),
            status = refusal.status().as_u16(),
            microseconds = microseconds_since(begin),
            "refused"
        );
    }
}

/// The one event of a request that was answered. Of what the client sent it has only what is named here.
fn log_answer(service: &Service, head: &Parts, received: &Received, route: &str, begin: Instant) {
    if !tracing::enabled!(tracing::Level::INFO) {
        return;
    }
    let request = Request::new(received.webhook, &received.body, &received.query);
    let number = |name| {
        let number = request.value(name);
        if service.show_numbers {
            number.chars().take(100).collect()
        } else {
            masked(&number)
        }
    };
    info!(
        webhook = received.webhook.as_str(),
        channel = request.channel().as_str(),
        route,
        status = 200,
        microseconds = microseconds_since(begin),
        sid = Some(request.sid()).filter(|sid| is_sid(sid)),
        region = header(head, &HOME_REGION).filter(|region| is_region(region)),
        caller = number("Caller"),
        called = number("Called"),
        "answered"
    );
}

fn microseconds_since(begin: Instant) -> u64 {
    u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX)
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

fn header<'h>(head: &'h Parts, name: &HeaderName) -> Option<&'h str> {
    head.headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsigned_requests_of_other_machines_are_refused() {
        let (head, ()) = hyper::Request::new(()).into_parts();
        let url = "http://example.com/webhook";
        let allowed = |peer| allow_unsigned(peer, &head, vec![url.to_owned()]);
        for address in ["127.0.0.1", "::1"] {
            let peer = Peer::Tcp(address.parse().expect(address));
            assert_eq!(allowed(peer).as_deref(), Ok(url), "{address}");
        }
        assert_eq!(allowed(Peer::Unix).as_deref(), Ok(url));
        for address in ["10.0.0.1", "203.0.113.9", "fe80::1"] {
            let peer = Peer::Tcp(address.parse().expect(address));
            assert_eq!(allowed(peer), Err(Refusal::NotLocal), "{address}");
        }
    }

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
