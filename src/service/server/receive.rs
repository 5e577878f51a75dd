//! A request as it arrives: method, media type and limits first, then the signature.

use std::panic::catch_unwind;
use std::sync::Arc;

use arc_swap::Guard;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::Method;
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use jiff::Timestamp;
use tokio::select;
use tokio::time::sleep;
use tracing::warn;

use crate::service::live::{Live, Verification};
use crate::service::server::asked_url::{Urls, candidates, hints, is_forwarded};
use crate::service::server::listener::Peer;
use crate::service::server::refusal::Refusal;
use crate::service::server::{Limits, Server};
use crate::twilio::request::{Form, Webhook};
use crate::twilio::signature::diagnosis::diagnose;
use crate::twilio::signature::secrets::Secrets;
use crate::twilio::signature::{self, Content, Failure, Signed};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
/// Source: the HTTP binding of `CloudEvents`, section 3.3,
/// <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>.
const EVENTS: &str = "application/cloudevents-batch+json";

static SIGNATURE: HeaderName = HeaderName::from_static("x-twilio-signature");
static SIGNATURE_SETTINGS: HeaderName =
    HeaderName::from_static("x-twilio-webhooks-signature-settings");
static IDEMPOTENCY_TOKEN: HeaderName = HeaderName::from_static("i-twilio-idempotency-token");

/// A request that is to be answered.
pub(super) struct Received<'h> {
    /// What is live for this request to its end. Taken when it is whole: a slow client does not keep an old table.
    pub live: Guard<Arc<Live>>,
    pub webhook: Webhook,
    /// The fields of a form POST.
    pub body: Form,
    /// The body of an Event Streams sink, which is no form.
    pub json: Bytes,
    pub query: Form,
    /// What Twilio asked, without the query.
    pub url: String,
    /// The same for a request and its retries; empty when there is none.
    pub token: &'h str,
    /// The moment that everything about the request goes by.
    pub now: Timestamp,
}

/// Reads a request to this webhook, and finds out whether it is to be answered.
pub(super) async fn receive<'h>(
    server: &Server,
    peer: Peer,
    webhook: Webhook,
    head: &'h Parts,
    body: &mut Incoming,
) -> Result<Received<'h>, Refusal> {
    let service = &*server.service;
    let is_post = match head.method {
        Method::POST => true,
        Method::GET if webhook != Webhook::Events => false,
        _ => return Err(Refusal::Method),
    };
    if !has_plain_coding(&head.headers) {
        return Err(Refusal::Coding);
    }
    let urls = candidates(service, peer, head)?;
    let mut form = Form::default();
    let mut json = Bytes::new();
    if is_post {
        if !has_media_type(&head.headers, media_types(webhook)) {
            return Err(if webhook == Webhook::Events {
                Refusal::NotJson
            } else {
                Refusal::NotAForm
            });
        }
        let bytes = read_body(body, &server.limits).await?;
        if webhook == Webhook::Events {
            json = bytes;
        } else {
            form = Form::parse(&bytes);
        }
    }
    let query = Form::parse(head.uri.query().unwrap_or_default().as_bytes());
    let content = match (webhook, is_post) {
        (Webhook::Events, _) => Content::Bytes(&json),
        (_, true) => Content::Form(&form),
        (_, false) => Content::Query,
    };
    let live = service.live.load();
    let mut url = match &live.verification {
        // Nobody signs these: whoever knows the key in the path may send them.
        _ if webhook == Webhook::VoiceWebhooks => String::new(),
        Verification::Signed(secrets) => {
            let signed = Signed {
                signature: header(head, &SIGNATURE),
                settings: header(head, &SIGNATURE_SETTINGS),
                account_sid: account_sid(&form, &query),
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
        body: form,
        json,
        query,
        url,
        token: header(head, &IDEMPOTENCY_TOKEN).unwrap_or_default(),
        // A broken clock is no reason to answer nothing.
        now: catch_unwind(service.clock).unwrap_or_else(|_| Timestamp::now()),
    })
}

/// The account that a request says it is of, which only chooses among its secrets; empty when it says nothing. Proxy's
/// intercepts and callbacks name it after the interaction.
fn account_sid<'f>(form: &'f Form, query: &'f Form) -> &'f str {
    ["AccountSid", "interactionAccountSid"]
        .into_iter()
        .find_map(|name| form.first(name).or_else(|| query.first(name)))
        .unwrap_or_default()
}

/// What the body of a POST to a webhook may be.
fn media_types(webhook: Webhook) -> &'static [&'static str] {
    match webhook {
        Webhook::Events => &[JSON, EVENTS],
        _ => &[FORM],
    }
}

/// Whether the body is chunked and nothing else, or has a length. hyper takes any list that ends in `chunked`: a body that
/// is compressed below it would be misread, and a proxy may see another end than we do where it is named twice.
fn has_plain_coding(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let is_chunked = codings.next().is_none_or(|coding| {
        coding
            .as_bytes()
            .trim_ascii()
            .eq_ignore_ascii_case(b"chunked")
    });
    is_chunked && codings.next().is_none()
}

/// Whether the body is one of these and not compressed, as far as the headers say.
fn has_media_type(headers: &HeaderMap, wanted: &[&str]) -> bool {
    let media_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default()
        .trim();
    let is_plain = headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity"));
    is_plain
        && wanted
            .iter()
            .any(|wanted| media_type.eq_ignore_ascii_case(wanted))
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
    select! {
        biased;
        body = reading => body,
        // The time begins when the body is first waited for, which it most often need not be.
        () = async { sleep(limits.body).await } => Err(Refusal::Slow),
    }
}

/// The URL over which Twilio signed the request.
fn verify(
    server: &Server,
    secrets: &Secrets,
    peer: Peer,
    head: &Parts,
    mut urls: Urls,
    signed: &Signed<'_>,
) -> Result<String, Refusal> {
    match signature::verify(secrets, &urls, signed) {
        Ok(index) => Ok(urls.swap_remove(index)),
        Err(failure) => {
            if failure == Failure::Missing || server.may_diagnose() {
                let diagnosis = diagnose(secrets, &urls, signed, &hints(head));
                warn!(%peer, %diagnosis, "{failure}");
            } else {
                warn!(%peer, "{failure}; the reason is looked for once a second");
            }
            Err(failure.into())
        }
    }
}

/// The first URL, when somebody on this machine asks on his own account.
fn allow_unsigned(peer: Peer, head: &Parts, mut urls: Urls) -> Result<String, Refusal> {
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

pub(super) fn header<'h>(head: &'h Parts, name: &HeaderName) -> Option<&'h str> {
    head.headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsigned_requests_of_other_machines_are_refused() {
        let (head, ()) = hyper::Request::new(()).into_parts();
        let url = "http://example.com/webhook";
        let allowed = |peer| allow_unsigned(peer, &head, Urls::from_iter([url.to_owned()]));
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
}
