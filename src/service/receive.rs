//! A request as it arrives: method, media type and limits first, then the signature.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::Method;
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_ENCODING, HeaderMap, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use tokio::time::timeout;
use tracing::warn;

use crate::service::asked_url::{candidates, header_from_elsewhere, hints, host, is_localhost};
use crate::service::connection::{Connection, HttpLimits};
use crate::service::listener::Peer;
use crate::service::live::Verification;
use crate::service::refusal::Refusal;
use crate::service::responder::Snapshot;
use crate::twilio::request::{Form, Request, Webhook};
use crate::twilio::signature::diagnosis::diagnose;
use crate::twilio::signature::secrets::Secrets;
use crate::twilio::signature::{self, Content, Failure, Signed, Signer};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
/// Source: the HTTP binding of `CloudEvents`, section 3.3,
/// <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>.
const EVENTS: &str = "application/cloudevents-batch+json";

/// A request to be answered.
pub(super) struct Received<'h> {
    pub webhook: Webhook,
    /// The fields of a form POST.
    pub body: Form,
    /// The body of an Event Streams sink, which is not a form.
    pub json: Bytes,
    pub query: Form,
    /// The URL that Twilio asked, without the query.
    pub url: String,
    /// Identical for a request and its retries; empty when there is none.
    pub token: &'h str,
}

impl Received<'_> {
    /// The request as the table sees it.
    pub(super) fn request(&self) -> Request<'_> {
        Request::new(self.webhook, &self.body, &self.query)
    }
}

/// Reads a request to this webhook, and determines whether it is to be answered.
pub(super) async fn receive<'h>(
    snapshot: &Snapshot<'_>,
    connection: &Connection,
    webhook: Webhook,
    head: &'h Parts,
    body: &mut Incoming,
) -> Result<Received<'h>, Refusal> {
    let is_events = webhook == Webhook::Events;
    let is_post = match head.method {
        Method::POST => true,
        Method::GET if !is_events && !snapshot.responder.post_only => false,
        _ => return Err(Refusal::Method),
    };
    if !has_plain_coding(&head.headers) {
        return Err(Refusal::Coding);
    }
    let (peer, limits) = (connection.peer, &connection.limits);
    let urls = candidates(snapshot.responder, peer, head)?;
    let mut form = Form::default();
    let mut json = Bytes::new();
    if is_events {
        json = read_body(head, body, limits, &[JSON, EVENTS], Refusal::NotJson).await?;
    } else if is_post {
        let bytes = read_body(head, body, limits, &[FORM], Refusal::NotAForm).await?;
        form = Form::parse(&bytes);
    }
    let query = Form::parse(head.uri.query().unwrap_or_default().as_bytes());
    let content = match (is_events, is_post) {
        (true, _) => Content::Bytes(&json),
        (false, true) => Content::Form(&form),
        (false, false) => Content::Query,
    };
    let mut url = match &snapshot.live.access.verification {
        // These are not signed: knowing the key in the path is enough.
        _ if webhook == Webhook::VoiceWebhooks => String::new(),
        Verification::Signed(secrets) => {
            let (signer, signature) = signature_of(head);
            let signed = Signed {
                signer,
                signature,
                settings: header(head, "x-twilio-webhooks-signature-settings"),
                account_sid: account_sid(&form, &query),
                content,
            };
            verify(snapshot, secrets, peer, head, urls, &signed)?
        }
        Verification::AllowUnsigned => allow_unsigned(peer, head, urls)?,
    };
    url.truncate(url.find('?').unwrap_or(url.len()));
    Ok(Received {
        webhook,
        body: form,
        json,
        query,
        url,
        token: header(head, "i-twilio-idempotency-token").unwrap_or_default(),
    })
}

/// The signature of a request, and who made it. If there is one of Twilio's, however empty, no other counts.
fn signature_of(head: &Parts) -> (Signer, Option<&str>) {
    const TWILIO: &str = "x-twilio-signature";
    let signalwire = header(head, "x-signalwire-signature");
    if signalwire.is_some() && !head.headers.contains_key(TWILIO) {
        return (Signer::SignalWire, signalwire);
    }
    (Signer::Twilio, header(head, TWILIO))
}

/// The account that a request names, which only selects among the secrets; empty when it names none. Proxy's intercepts
/// and callbacks use another parameter for it.
fn account_sid<'f>(form: &'f Form, query: &'f Form) -> &'f str {
    ["AccountSid", "interactionAccountSid"]
        .into_iter()
        .find_map(|name| form.first(name).or_else(|| query.first(name)))
        .unwrap_or_default()
}

/// Whether the body is chunked and nothing else, or has a length. hyper accepts any list that ends in `chunked`: a body
/// that is also compressed would be misread, and where `chunked` appears twice, a proxy may see a different end than we
/// do.
fn has_plain_coding(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(TRANSFER_ENCODING);
    let mut codings = codings.iter().map(|it| it.as_bytes().trim_ascii());
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    codings.next().is_none_or(is_chunked) && codings.next().is_none()
}

/// The whole body, if its media type is one of these and it is not compressed. If the body is over the limit or too
/// slow, the rest is not read.
async fn read_body(
    head: &Parts,
    body: &mut Incoming,
    limits: &HttpLimits,
    media_types: &[&str],
    otherwise: Refusal,
) -> Result<Bytes, Refusal> {
    let media_type = header(head, "content-type").and_then(|value| value.split(';').next());
    let media_type = media_type.unwrap_or_default().trim();
    let mut encodings = head.headers.get_all(CONTENT_ENCODING).iter();
    let is_plain = encodings.all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity"));
    let mut media_types = media_types.iter();
    if !is_plain || !media_types.any(|wanted| media_type.eq_ignore_ascii_case(wanted)) {
        return Err(otherwise);
    }
    let most = limits.max_body_bytes;
    if body.size_hint().lower() > most as u64 {
        return Err(Refusal::TooLarge);
    }
    match timeout(limits.body, Limited::new(body, most).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::TooLarge),
        Ok(Err(_)) => Err(Refusal::Incomplete),
        Err(_) => Err(Refusal::Slow),
    }
}

/// The URL over which Twilio signed the request.
fn verify(
    snapshot: &Snapshot<'_>,
    secrets: &Secrets,
    peer: Peer,
    head: &Parts,
    mut urls: Vec<String>,
    signed: &Signed<'_>,
) -> Result<String, Refusal> {
    let failure = match signature::verify(secrets, &urls, signed) {
        Ok(index) => return Ok(urls.swap_remove(index)),
        Err(failure) => failure,
    };
    // A wrong signature is explained at most once a second, because a stranger can send any number of them.
    let second = snapshot.now.as_second();
    let last = &snapshot.responder.last_diagnosis;
    if failure == Failure::Missing || last.swap(second, Ordering::Relaxed) != second {
        let diagnosis = diagnose(secrets, &urls, signed, &hints(head));
        warn!(%peer, %diagnosis, "{failure}");
    } else {
        warn!(%peer, "{failure}; the reason is looked for once a second");
    }
    Err(match failure {
        Failure::Missing => Refusal::SignatureMissing,
        Failure::Mismatch => Refusal::SignatureMismatch,
    })
}

/// The first URL, if the request comes from a process on this machine and nothing says that it was forwarded.
fn allow_unsigned(peer: Peer, head: &Parts, mut urls: Vec<String>) -> Result<String, Refusal> {
    let is_ours = |host| is_localhost(host, |address| address.is_loopback());
    let reason = if !peer.is_local() {
        "it comes from another machine".to_owned()
    } else if let Some(name) = header_from_elsewhere(&head.headers) {
        format!("it has the header {name}, so it comes from elsewhere")
    } else if !host(head)?.is_some_and(is_ours) {
        "its Host is not localhost, so it comes from elsewhere".to_owned()
    } else {
        return Ok(urls.swap_remove(0));
    };
    warn!(%peer, reason, "request refused: without signatures only direct requests from this machine are answered");
    Err(Refusal::NotLocal)
}

/// The value of a header; its name must be given in lower case.
pub(super) fn header<'h>(head: &'h Parts, name: &str) -> Option<&'h str> {
    head.headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsigned_requests_of_other_machines_are_refused() {
        let head_of = |host: &str, more: &[&'static str]| {
            let mut request = hyper::Request::get("/webhook").header("Host", host);
            for name in more {
                request = request.header(*name, "");
            }
            request.body(()).expect("a request").into_parts().0
        };
        let url = "http://localhost/webhook";
        let allowed = |peer, head: &Parts| allow_unsigned(peer, head, vec![url.to_owned()]);
        let direct = head_of("localhost:8080", &[]);
        for (address, is_allowed) in [
            ("127.0.0.1", true),
            ("::1", true),
            ("10.0.0.1", false),
            ("203.0.113.9", false),
            ("fe80::1", false),
        ] {
            let peer = Peer::Tcp(address.parse().expect(address));
            assert_eq!(allowed(peer, &direct).is_ok(), is_allowed, "{address}");
        }
        assert_eq!(allowed(Peer::Unix, &direct).as_deref(), Ok(url));
        for (host, is_allowed) in [
            ("LOCALHOST", true),
            ("table.localhost:80", true),
            ("127.0.0.1:8080", true),
            ("[::1]:8080", true),
            ("192.0.2.7", false),
            ("example.com", false),
            ("localhost.example.com", false),
            ("user@localhost", false),
            ("", false),
        ] {
            let head = head_of(host, &[]);
            assert_eq!(allowed(Peer::Unix, &head).is_ok(), is_allowed, "{host}");
        }
        for name in [
            "Origin",
            "Via",
            "X-Real-IP",
            "CF-Connecting-IP",
            "X-Forwarded-For",
            "X-Forwarded-Proto",
            "Forwarded",
            "X-Twilio-Signature",
        ] {
            let head = head_of("localhost", &[name]);
            assert_eq!(allowed(Peer::Unix, &head), Err(Refusal::NotLocal), "{name}");
        }
    }
}
