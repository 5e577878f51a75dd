//! What a caller or a sender gets. Whatever breaks, there is something.

use std::panic::{AssertUnwindSafe, catch_unwind};

use hyper::StatusCode;
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::service::live::Live;
use crate::service::metrics::Outcome;
use crate::service::server::receive::Received;
use crate::service::server::webhook::{Answered, told_sid};
use crate::service::server::{Core, Service};
use crate::table::DEFAULT;
use crate::table::answer::{Answer, Asked, Kind, default_answer, last_resort};
use crate::table::guard::GuardReason;
use crate::twilio::channel::Channel;
use crate::twilio::request::Request;

/// The document, or the new session, that answers a request.
pub(super) fn answer<'t>(
    live: &'t Live,
    service: &Service,
    received: &Received<'_>,
) -> Answered<'t> {
    let (answer, panicked) = compose(live, service, received);
    let failed = match &answer.failure {
        Some((route, _)) => Some(*route),
        None => panicked.then_some(DEFAULT),
    };
    Answered {
        route: Some(answer.route),
        status: StatusCode::OK,
        media_type: Some(match answer.kind {
            Kind::Document => "application/xml; charset=utf-8",
            Kind::Session => "application/json",
        }),
        body: answer.body,
        guard: answer.guarded.map(GuardReason::word),
        failed,
    }
}

/// What is answered, counted and told, and whether something panicked. Whatever breaks, there is an answer.
fn compose<'t>(live: &'t Live, service: &Service, received: &Received<'_>) -> (Answer<'t>, bool) {
    let begin = Instant::now();
    // The panic's own text may hold a number, so it is not logged.
    let caught = |core: Core| {
        catch_unwind(AssertUnwindSafe(|| {
            let request = Request::new(received.webhook, &received.body, &received.query);
            let asked = Asked {
                request: &request,
                url: &received.url,
                token: received.token,
                now: received.now,
            };
            (core(&live.table, &service.guard, &asked), request.channel())
        }))
        .inspect_err(|_| service.metrics.panicked())
    };
    let sound = caught(service.core);
    let panicked = sound.is_err();
    let (answer, channel) = sound
        .or_else(|_| {
            error!("the route's answer panicked, the default answers");
            caught(|table, _, asked| default_answer(table, asked))
        })
        .unwrap_or_else(|_| {
            error!("the default's answer panicked, too");
            let channel = catch_unwind(AssertUnwindSafe(|| {
                Request::new(received.webhook, &received.body, &received.query).channel()
            }));
            let channel = channel.unwrap_or(Channel::Voice);
            (last_resort(&live.table, channel), channel)
        });
    let outcome = if panicked {
        Outcome::Panic
    } else {
        Outcome::of(&answer)
    };
    service
        .metrics
        .answered(&live.routes, channel, outcome, &answer, begin.elapsed());
    // Not even a fault in the log may cost the answer.
    let _ = catch_unwind(AssertUnwindSafe(|| log_what_is_special(&answer, received)));
    (answer, panicked)
}

/// What an operator may want to look into, with the SID by which Twilio's console finds the call or text.
fn log_what_is_special(answer: &Answer<'_>, received: &Received<'_>) {
    if answer.failure.is_none() && answer.guarded.is_none() && answer.cut_texts == 0 {
        return;
    }
    let request = Request::new(received.webhook, &received.body, &received.query);
    let sid = told_sid(&request);
    if let Some((route, error)) = &answer.failure {
        error!(route, %error, sid, "the reply cannot be written, the default answers");
    }
    if let Some(verdict) = answer.guarded {
        info!(reason = %verdict, sid, "the guard answers");
    }
    if answer.cut_texts > 0 {
        warn!(
            route = answer.route,
            texts = answer.cut_texts,
            sid,
            "texts over a limit of Twilio's were cut"
        );
    }
}
