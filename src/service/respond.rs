//! One request, from its head to its response. Read this file from the top: each step follows the one before it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode, Version};
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::journal::line::{Told, may_be_own};
use crate::service::admin;
use crate::service::connection::Connection;
use crate::service::metrics::{Interaction, PlainCounter};
use crate::service::receive::{Received, header, receive};
use crate::service::refusal::Refusal;
use crate::service::responder::{Core, Responder, Snapshot, without_slash};
use crate::table::DEFAULT;
use crate::table::answer::{Answer, AnswerKind, Asked, default_answer, last_resort};
use crate::table::guard::GuardReason;
use crate::table::intercept::PASS;
use crate::twilio::channel::Channel;
use crate::twilio::number::{masked, with_numbers_masked};
use crate::twilio::request::event::Event;
use crate::twilio::request::{Request, Webhook};
use crate::twilio::signature::secrets::MIN_KEY;

/// Answers a request. Never fails: a request that gets no answer gets a refusal.
pub(super) async fn respond(
    responder: &Arc<Responder>,
    connection: &Connection,
    request: hyper::Request<Incoming>,
) -> Response<Full<Bytes>> {
    if responder.has_health_paths && admin::is_health(request.uri().path()) {
        return admin::respond(responder, connection, &request).await;
    }
    let begin = Instant::now();
    let snapshot = responder.snapshot();
    let (head, mut body) = request.into_parts();
    let webhook = webhook_at(head.uri.path(), &snapshot);
    let received = match webhook {
        Some(webhook) => receive(&snapshot, connection, webhook, &head, &mut body).await,
        None => Err(Refusal::Path),
    };
    let end;
    let mut response = match received {
        Ok(received) => {
            connection.is_being_answered();
            let answer = answer(&snapshot, &received).await;
            end = Instant::now();
            record(&snapshot, &head, received, &answer, micros(begin, end));
            // A GET may carry a body, which has no meaning and is not read.
            let is_read = head.method == Method::POST || body.is_end_stream();
            let stays = is_read
                && connection.answered(end)
                && !responder.is_ending.load(Ordering::Relaxed)
                && head.version >= Version::HTTP_11;
            answer.response(stays)
        }
        Err(refusal) => {
            responder.metrics.refusals.count(refusal);
            let response = refusal.response(webhook, responder.post_only);
            end = Instant::now();
            // These are already logged as a warning, which says more.
            let is_logged = matches!(
                refusal,
                Refusal::SignatureMissing | Refusal::SignatureMismatch | Refusal::NotLocal
            );
            if !is_logged {
                let path = (refusal == Refusal::Path).then(|| logged_path(&head, &snapshot));
                info!(
                    peer = %connection.peer,
                    refusal = <&str>::from(refusal),
                    path,
                    status = response.status().as_u16(),
                    microseconds = micros(begin, end),
                    trace_id = trace_id(&head),
                    "refused"
                );
            }
            response
        }
    };
    responder.metrics.ended(end.duration_since(begin));
    // hyper uses the response's version to decide whether an HTTP/1.0 connection stays open.
    *response.version_mut() = head.version;
    response
}

/// The webhook at a path, if there is one and it is enabled by the table, a journal or a key.
fn webhook_at(path: &str, snapshot: &Snapshot<'_>) -> Option<Webhook> {
    let path = without_slash(path);
    if snapshot.responder.out_of_session.0 == path {
        return Some(Webhook::OutOfSession);
    }
    let path = path.strip_prefix('/')?;
    let mut segments = path.splitn(2, '/');
    let (first, rest) = (segments.next()?, segments.next());
    let webhook = Webhook::from_name(first)?;
    let is_there = match (webhook, rest) {
        (Webhook::VoiceWebhooks, Some(key)) => snapshot.live.access.voice_webhooks.has(key),
        // The first has its own path, which was compared above; the second always has a key.
        (Webhook::OutOfSession | Webhook::VoiceWebhooks, _) => false,
        (_, None) => snapshot.responder.is_open(webhook, &snapshot.live),
        _ => false,
    };
    is_there.then_some(webhook)
}

/// The answer of the requested webhook.
async fn answer<'s>(snapshot: &'s Snapshot<'_>, received: &Received<'_>) -> HttpAnswer<'s> {
    match received.webhook {
        Webhook::OutOfSession | Webhook::Plain => document(snapshot, received),
        Webhook::Intercept => interception(snapshot, received),
        // Their senders only report something.
        Webhook::Callback | Webhook::VoiceWebhooks => HttpAnswer {
            status: StatusCode::NO_CONTENT,
            ..HttpAnswer::default()
        },
        Webhook::Events => events(snapshot, received).await,
    }
}

/// Puts events into the journal: 204 when it has all of them, 503 when Twilio should send them again, and 400 when the
/// body is not an array of events, which sending it again would not change.
async fn events<'s>(snapshot: &Snapshot<'_>, received: &Received<'_>) -> HttpAnswer<'s> {
    let Ok(events) = Event::read_all(&received.json) else {
        return HttpAnswer {
            status: StatusCode::BAD_REQUEST,
            media_type: Some("text/plain; charset=utf-8"),
            body: Bytes::from_static(b"the body must be an array of events"),
            ..HttpAnswer::default()
        };
    };
    let kept = match &snapshot.responder.journal {
        Some(journal) => journal.keep(events, snapshot.now).await,
        None => Err("there is no journal"),
    };
    let status = match kept {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(reason) => {
            warn!(%reason, "events were not kept, Twilio is asked to send them again");
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    HttpAnswer {
        status,
        ..HttpAnswer::default()
    }
}

/// The document, or the new session, that answers a call or a text. Whatever fails, there is one.
fn document<'s>(snapshot: &'s Snapshot<'_>, received: &Received<'_>) -> HttpAnswer<'s> {
    let (responder, live) = (snapshot.responder, &snapshot.live);
    let begin = Instant::now();
    let attempt = |core: Core| {
        guarded(responder, || {
            let request = received.request();
            let asked = Asked {
                request: &request,
                url: &received.url,
                token: received.token,
                now: snapshot.now,
            };
            let answer = core(&live.table, &responder.guard, &asked);
            (answer, request.channel())
        })
    };
    let first = attempt(responder.core);
    let panicked = first.is_none();
    let (answer, channel) = first
        .or_else(|| {
            error!("the route's answer panicked, the default answers");
            attempt(|table, _, asked| default_answer(table, asked))
        })
        .unwrap_or_else(|| {
            error!("the default's answer panicked, too");
            let channel = catch_unwind(AssertUnwindSafe(|| received.request().channel()));
            let channel = channel.unwrap_or(Channel::Voice);
            (last_resort(&live.table, channel), channel)
        });
    let metrics = &responder.metrics;
    metrics.answered(&live.routes, channel, panicked, &answer, begin.elapsed());
    // Even a fault in the log must not cost the answer.
    let _ = catch_unwind(AssertUnwindSafe(|| log_what_is_special(&answer, received)));
    let failed = answer.failure.as_ref().map(|(route, _)| *route);
    HttpAnswer {
        route: Some(answer.route),
        status: StatusCode::OK,
        media_type: Some(match answer.kind {
            AnswerKind::Document => "application/xml; charset=utf-8",
            AnswerKind::Session => "application/json",
        }),
        body: answer.body,
        guard: answer.guarded.map(GuardReason::word),
        failed: failed.or(panicked.then_some(DEFAULT)),
    }
}

/// The result of a computation; `None` when it panics, which is counted. The panic's text may contain a number, so it
/// is not logged.
fn guarded<T>(responder: &Responder, compute: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(compute))
        .inspect_err(|_| {
            responder.metrics.counter(PlainCounter::Panics).inc();
        })
        .ok()
}

/// Whether an interaction of a Proxy session continues: 403 blocks it, and only an intercept may answer that. The
/// interaction continues when no intercept matches, and when a panic leaves that unknown.
///
/// Source: <https://www.twilio.com/docs/proxy/api/webhooks#interceptcallbackurl>: every status except 403 continues.
fn interception<'s>(snapshot: &'s Snapshot<'_>, received: &Received<'_>) -> HttpAnswer<'s> {
    let responder = snapshot.responder;
    let decided = guarded(responder, || {
        (responder.intercept)(&snapshot.live.table, &received.request(), snapshot.now)
    });
    let (interaction, status) = match decided {
        Some(Some(intercept)) if intercept.blocks => (Interaction::Block, StatusCode::FORBIDDEN),
        Some(_) => (Interaction::Pass, StatusCode::NO_CONTENT),
        None => {
            error!("an intercept panicked, the interaction continues");
            (Interaction::Panic, StatusCode::NO_CONTENT)
        }
    };
    responder.metrics.interactions.count(interaction);
    HttpAnswer {
        route: Some(decided.flatten().map_or(PASS, |intercept| &intercept.name)),
        status,
        failed: decided.is_none().then_some(DEFAULT),
        ..HttpAnswer::default()
    }
}

/// The answer to a request that is not refused.
#[derive(Default)]
struct HttpAnswer<'s> {
    /// The route or intercept that it comes from, or the word for none; `None` for a webhook that decides nothing.
    route: Option<&'s str>,
    status: StatusCode,
    /// The media type of the body; `None` without a body.
    media_type: Option<&'static str>,
    body: Bytes,
    /// Why the loop guard answers, if it does.
    guard: Option<&'static str>,
    /// The route whose reply could not be written, or the default's name after a panic.
    failed: Option<&'s str>,
}

impl HttpAnswer<'_> {
    fn response(self, stays: bool) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if let Some(media_type) = self.media_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        }
        // A route's name always fits; if it did not, the caller would still need the document.
        if let Some(Ok(route)) = self.route.map(HeaderValue::from_str) {
            headers.insert("twiml-route", route);
        }
        if !stays {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// Writes a line for each answer to the log and the journal. Nothing that goes wrong here affects the caller.
fn record(
    snapshot: &Snapshot<'_>,
    head: &Parts,
    received: Received<'_>,
    answer: &HttpAnswer<'_>,
    microseconds: u64,
) {
    let show_numbers = snapshot.responder.show_numbers;
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let request = received.request();
        // Only where it is certain which of the two is ours: a status callback may come from either side.
        let own = match &*request.value("Direction") {
            _ if !received.webhook.wants_document() => "",
            "outbound-api" => "Caller",
            direction if direction.starts_with("outbound") => "",
            _ => "Called",
        };
        let number = |name| {
            let number = request.value(name);
            let is_logged = received.webhook.wants_document() || !number.is_empty();
            is_logged.then(|| {
                if show_numbers || (name == own && may_be_own(&number)) {
                    number.chars().take(100).collect()
                } else {
                    masked(&number)
                }
            })
        };
        // Nothing else from the client is logged.
        info!(
            webhook = received.webhook.as_str(),
            // Events concern many calls and texts, or none.
            channel = (received.webhook != Webhook::Events).then(|| request.channel().as_str()),
            route = answer.route,
            status = answer.status.as_u16(),
            microseconds,
            sid = logged_sid(&request),
            region = header(head, "x-home-region").filter(|region| is_region(region)),
            caller = number("Caller"),
            called = number("Called"),
            trace_id = trace_id(head),
            "answered"
        );
    }));
    if let Some(journal) = &snapshot.responder.journal
        && received.webhook != Webhook::Events
    {
        journal.record(Told {
            time: snapshot.now,
            webhook: received.webhook,
            body: received.body,
            query: received.query,
            route: answer.route.map(Into::into),
            status: answer.status.as_u16(),
            microseconds,
            guard: answer.guard,
            failed: answer.failed.map(Into::into),
        });
    }
}

/// Logs what an operator may want to look into, with the SID for finding the call or text in Twilio's console.
fn log_what_is_special(answer: &Answer<'_>, received: &Received<'_>) {
    let sid = || logged_sid(&received.request());
    if let Some((route, error)) = &answer.failure {
        error!(route, %error, sid = sid(), "the reply cannot be written, the default answers");
    }
    if let Some(verdict) = answer.guarded {
        info!(reason = %verdict, sid = sid(), "the guard answers");
    }
    if answer.cut_texts > 0 {
        let (route, texts) = (answer.route, answer.cut_texts);
        warn!(
            route,
            texts,
            sid = sid(),
            "texts over a limit of Twilio's were cut"
        );
    }
}

fn micros(begin: Instant, end: Instant) -> u64 {
    u64::try_from(end.duration_since(begin).as_micros()).unwrap_or(u64::MAX)
}

/// The SID of a request; `None` when it does not have the form of a SID, since it could then be anything.
fn logged_sid<'r>(request: &Request<'r>) -> Option<&'r str> {
    Some(request.sid()).filter(|sid| is_sid(sid))
}

/// A path without a webhook, shown so that an operator can find a mistake in a URL: cut, with numbers masked, and
/// without anything that may be a key.
fn logged_path(head: &Parts, snapshot: &Snapshot<'_>) -> String {
    const MOST: usize = 100;
    let keyed = Webhook::VoiceWebhooks.as_str();
    let mut before = "";
    let segments = head.uri.path().split('/').map(|segment| {
        let may_be_key = before == keyed || segment.len() >= MIN_KEY;
        before = segment;
        if may_be_key { "…" } else { segment }
    });
    let path: String = segments.collect::<Vec<_>>().join("/");
    let mut path = if snapshot.responder.show_numbers {
        path
    } else {
        with_numbers_masked(&path)
    };
    if let Some((cut, _)) = path.char_indices().nth(MOST) {
        path.truncate(cut);
        path.push('…');
    }
    path
}

/// Whether a text is two capital letters and 32 hexadecimal digits.
fn is_sid(text: &str) -> bool {
    let (kind, rest) = text.as_bytes().split_at(text.len().min(2));
    text.len() == 34
        && kind.iter().all(u8::is_ascii_uppercase)
        && rest.iter().all(u8::is_ascii_hexdigit)
}

/// The trace to which a proxy or a load balancer assigns this request; `None` when it names none, or is malformed.
///
/// Source: <https://www.w3.org/TR/trace-context/#traceparent-header>.
fn trace_id(head: &Parts) -> Option<&str> {
    let mut parts = header(head, "traceparent")?.split('-');
    let mut hexadecimal = |digits: usize| {
        let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let part = parts.next()?;
        (part.len() == digits && part.bytes().all(is_digit)).then_some(part)
    };
    let (version, trace_id) = (hexadecimal(2)?, hexadecimal(32)?);
    let (_parent, _flags) = (hexadecimal(16)?, hexadecimal(2)?);
    let is_one = version != "ff" && trace_id.bytes().any(|byte| byte != b'0');
    is_one.then_some(trace_id)
}

/// Whether a text can be the name of a region, such as `us1`.
fn is_region(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    (1..=32).contains(&text.len()) && text.chars().all(is_part)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::service::live::{Access, Verification};
    use crate::table::guard::Limits;
    use crate::table::intercept::Intercept;
    use crate::table::when::When;
    use crate::table::{DefaultReplies, DefaultReply, Table};
    use crate::twilio::signature::secrets::PathKeys;

    const OUT_OF_SESSION: &str = "/out-of-session";

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

    fn table() -> Table {
        let default = DefaultReplies {
            voice: DefaultReply::silent(),
            message: DefaultReply::silent(),
        };
        Table::new(Vec::new(), Vec::new(), default, Limits::default())
    }

    fn responder_of(table: Table, path: &str) -> Responder {
        Responder {
            out_of_session: path.parse().expect(path),
            ..Responder::new(Arc::new(table), Verification::AllowUnsigned)
        }
    }

    fn responder(path: &str) -> Responder {
        responder_of(table(), path)
    }

    fn at(path: &str, responder: &Responder) -> Option<Webhook> {
        webhook_at(path, &responder.snapshot())
    }

    #[test]
    fn one_slash_at_the_end_is_the_same_path() {
        let default = responder(OUT_OF_SESSION);
        for (path, webhook) in [
            ("/out-of-session", Some(Webhook::OutOfSession)),
            ("/out-of-session/", Some(Webhook::OutOfSession)),
            ("/out-of-session//", None),
            ("/out-of-session/x", None),
            ("/Out-of-session", None),
            ("/out%2Dof-session", None),
            ("/webhook", Some(Webhook::Plain)),
            ("/webhook/", Some(Webhook::Plain)),
            ("/webhook/x", None),
            ("/", None),
            ("", None),
            ("*", None),
        ] {
            assert_eq!(at(path, &default), webhook, "{path:?}");
        }
        for (text, kept, path) in [
            ("/", "", "/"),
            ("/a/b/", "/a/b", "/a/b"),
            ("/%7Ex", "/%7Ex", "/%7Ex/"),
        ] {
            let other = responder(text);
            assert_eq!(other.out_of_session.0, kept);
            assert_eq!(at(path, &other), Some(Webhook::OutOfSession), "{text}");
            assert_eq!(at(OUT_OF_SESSION, &other), None, "{text}");
        }
    }

    #[test]
    fn a_webhook_is_there_when_something_asks_for_it() {
        let paths = ["/intercept", "/callback", "/events", "/voice-webhooks"];
        for path in paths {
            let nothing = at(path, &responder(OUT_OF_SESSION));
            assert_eq!(nothing, None, "{path}");
        }
        let mut intercepting = table();
        intercepting.intercepts.push(Intercept {
            name: "all".to_owned(),
            when: When::default(),
            blocks: true,
        });
        let intercepting = responder_of(intercepting, OUT_OF_SESSION);
        for (path, webhook) in [
            ("/intercept", Some(Webhook::Intercept)),
            ("/intercept/", Some(Webhook::Intercept)),
            ("/intercept/x", None),
        ] {
            assert_eq!(at(path, &intercepting), webhook, "{path}");
        }
        let key = "0123456789abcdef0123456789abcdef";
        let keyed = Responder {
            ..Responder::new(
                Arc::new(table()),
                Access {
                    verification: Verification::AllowUnsigned,
                    voice_webhooks: PathKeys::parse(key).expect("a key"),
                },
            )
        };
        for (path, webhook) in [
            (
                format!("/voice-webhooks/{key}"),
                Some(Webhook::VoiceWebhooks),
            ),
            (
                format!("/voice-webhooks/{key}/"),
                Some(Webhook::VoiceWebhooks),
            ),
            (format!("/voice-webhooks/{key}//"), None),
            (format!("/voice-webhooks//{key}"), None),
            (format!("/{key}"), None),
            ("/voice-webhooks".to_owned(), None),
            ("/voice-webhooks/".to_owned(), None),
        ] {
            assert_eq!(at(&path, &keyed), webhook, "{path}");
        }
    }
}
