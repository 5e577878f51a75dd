//! Whether an interaction of a Proxy session goes on: 403 blocks it, and nothing else may ever answer that.

use std::panic::{AssertUnwindSafe, catch_unwind};

use hyper::StatusCode;
use tracing::error;

use crate::service::metrics::Interaction;
use crate::service::server::Service;
use crate::service::server::receive::Received;
use crate::service::server::webhook::Answered;
use crate::table::intercept::PASS;
use crate::table::{DEFAULT, Table};
use crate::twilio::request::Request;

/// What the first intercept that fits says; the interaction goes on when none does, and when that cannot be found out.
///
/// Source: <https://www.twilio.com/docs/proxy/api/webhooks#interceptcallbackurl>: 403 blocks, every other status goes on.
pub(super) fn answer<'t>(
    table: &'t Table,
    service: &Service,
    received: &Received<'_>,
) -> Answered<'t> {
    let decided = catch_unwind(AssertUnwindSafe(|| {
        let request = Request::new(received.webhook, &received.body, &received.query);
        table.intercept(&request, (service.clock)())
    }));
    let (intercept, interaction) = match decided {
        Ok(Some(intercept)) if intercept.blocks => (Some(intercept), Interaction::Block),
        Ok(intercept) => (intercept, Interaction::Pass),
        Err(_) => {
            // The panic's own text may hold a number, so it is not logged.
            error!("an intercept panicked, the interaction goes on");
            service.metrics.panicked();
            (None, Interaction::Panic)
        }
    };
    service.metrics.intercepted(interaction);
    Answered {
        route: Some(intercept.map_or(PASS, |intercept| &intercept.name)),
        failed: (interaction == Interaction::Panic).then_some(DEFAULT),
        ..Answered::empty(if interaction == Interaction::Block {
            StatusCode::FORBIDDEN
        } else {
            StatusCode::NO_CONTENT
        })
    }
}
