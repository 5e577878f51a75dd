//! What Event Streams is told of its events.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use hyper::StatusCode;
use tracing::error;

use crate::request::event::Event;
use crate::server::receive::Received;
use crate::server::webhook::Answered;

/// 400 for what is no array of events, which Twilio then need not send again.
pub(super) fn answer(received: &Received) -> Answered<'static> {
    match catch_unwind(AssertUnwindSafe(|| Event::read_all(&received.json))) {
        Ok(Ok(_)) => Answered::empty(StatusCode::NO_CONTENT),
        Ok(Err(_)) => Answered {
            media_type: Some("text/plain; charset=utf-8"),
            body: Bytes::from_static(b"the body must be an array of events"),
            ..Answered::empty(StatusCode::BAD_REQUEST)
        },
        Err(_) => {
            error!("events could not be read, Twilio is asked to send them again");
            Answered::empty(StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}
