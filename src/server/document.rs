//! What a caller or a sender gets. Whatever breaks, there is something.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use hyper::StatusCode;
use tracing::{error, info, warn};

use crate::answer::{Asked, Kind, default_answer, last_resort};
use crate::request::Request;
use crate::server::receive::Received;
use crate::server::webhook::Answered;
use crate::server::{Core, Service};
use crate::table::{DEFAULT, Table};
use crate::types::Channel;

/// The document, or the new session, that answers a request.
pub(super) fn answer<'t>(table: &'t Table, service: &Service, received: &Received) -> Answered<'t> {
    let (route, body, kind) = compose(table, service, received);
    Answered {
        route: Some(route),
        status: StatusCode::OK,
        media_type: Some(match kind {
            Kind::Document => "application/xml; charset=utf-8",
            Kind::Session => "application/json",
        }),
        body,
    }
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
