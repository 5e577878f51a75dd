//! What Event Streams is told of its events.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use tracing::{error, warn};

use crate::request::event::Event;
use crate::server::Server;
use crate::server::receive::Received;
use crate::server::webhook::Answered;

/// How long events may take to be kept. Twilio waits for five seconds.
///
/// Source: <https://www.twilio.com/docs/events/webhook-quickstart>.
const LIMIT: Duration = Duration::from_secs(4);

/// 204 when the journal has every event, 503 when it has not, so that Twilio sends them again. 400 for what is no array
/// of events, which would be none the next time either.
pub(super) async fn answer(server: &Server, received: &Received) -> Answered<'static> {
    let events = match catch_unwind(AssertUnwindSafe(|| Event::read_all(&received.json))) {
        Ok(Ok(events)) => events,
        Ok(Err(_)) => {
            return Answered {
                media_type: Some("text/plain; charset=utf-8"),
                body: Bytes::from_static(b"the body must be an array of events"),
                ..Answered::empty(StatusCode::BAD_REQUEST)
            };
        }
        Err(_) => {
            error!("events could not be read, Twilio is asked to send them again");
            return Answered::empty(StatusCode::SERVICE_UNAVAILABLE);
        }
    };
    // The path is there with a journal only.
    let (Some(journal), Ok(claim)) = (&server.service.journal, server.known_events.claim(events))
    else {
        return Answered::empty(StatusCode::SERVICE_UNAVAILABLE);
    };
    if !claim.events.is_empty() {
        let keeping = journal.keep(claim.events.clone(), received.now, LIMIT);
        if let Err(reason) = keeping.await {
            warn!(%reason, "events were not kept, Twilio is asked to send them again");
            return Answered::empty(StatusCode::SERVICE_UNAVAILABLE);
        }
        claim.kept();
    }
    Answered::empty(StatusCode::NO_CONTENT)
}
