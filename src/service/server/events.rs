//! What Event Streams is told of its events.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use jiff::Timestamp;
use tracing::{error, warn};

use crate::service::journal::{Journal, NotKept};
use crate::service::server::Server;
use crate::service::server::known_events::KnownEvents;
use crate::service::server::receive::Received;
use crate::service::server::webhook::Answered;
use crate::twilio::request::event::Event;

/// How long events may take to be kept. Twilio waits for five seconds.
///
/// Source: <https://www.twilio.com/docs/events/webhook-quickstart>.
const LIMIT: Duration = Duration::from_secs(4);

/// 204 when the journal has every event, 503 when it has not, so that Twilio sends them again. 400 for what is no array
/// of events, which would be none the next time either.
pub(super) async fn answer(server: &Server, received: &Received<'_>) -> Answered<'static> {
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
    let is_kept = match &server.service.journal {
        Some(journal) => keep(journal, &server.known_events, events, received.now).await,
        None => false,
    };
    Answered::empty(if is_kept {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    })
}

/// Whether the journal has all of these events, those included that it had before.
async fn keep(
    journal: &Journal,
    known: &Arc<KnownEvents>,
    events: Vec<Event>,
    now: Timestamp,
) -> bool {
    let Ok((claim, events)) = known.claim(events) else {
        return false;
    };
    if events.is_empty() {
        return true;
    }
    let Err(reason) = journal.keep(events, now, LIMIT).await else {
        claim.kept();
        return true;
    };
    warn!(%reason, "events were not kept, Twilio is asked to send them again");
    if let NotKept::StillWriting(later) = reason {
        // Until that is known they are on their way, so that they are not written twice when they come again.
        tokio::spawn(async move {
            if later.is_kept().await {
                claim.kept();
            }
        });
    }
    false
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use tokio::time::Instant;

    use super::*;
    use crate::service::journal::SlowDisk;

    fn events() -> Vec<Event> {
        let event = Event {
            id: "EZ1".to_owned(),
            kind: "t".to_owned(),
            time: String::new(),
            data: Value::Null,
        };
        vec![event]
    }

    /// Twilio waits for five seconds. The clock of this test turns by itself while everybody waits.
    #[tokio::test(start_paused = true)]
    async fn a_slow_disk_is_not_waited_for_longer_than_twilio_does() {
        let (journal, disk) = SlowDisk::new();
        let known = Arc::default();
        let begin = Instant::now();
        assert!(!keep(&journal, &known, events(), Timestamp::UNIX_EPOCH).await);
        assert_eq!(begin.elapsed(), LIMIT);
        assert!(LIMIT < Duration::from_secs(5));
        assert!(
            disk.begin().is_none(),
            "nobody waits, so they are not written"
        );
        // They come again, and are on their way until the disk has taken them.
        let again = keep(&journal, &known, events(), Timestamp::UNIX_EPOCH);
        let writing = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            disk.begin().expect("somebody waits")
        };
        let (is_kept, writing) = tokio::join!(again, writing);
        assert!(!is_kept);
        assert_eq!(begin.elapsed(), 2 * LIMIT);
        assert!(!keep(&journal, &known, events(), Timestamp::UNIX_EPOCH).await);
        assert_eq!(begin.elapsed(), 2 * LIMIT, "nobody waits for those");
        assert!(disk.begin().is_none(), "they are not written twice");
        writing.end(true);
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(keep(&journal, &known, events(), Timestamp::UNIX_EPOCH).await);
        assert!(disk.begin().is_none());
    }

    /// Twilio sends them again and again while a disk hangs.
    #[tokio::test(start_paused = true)]
    async fn events_that_wait_have_an_end() {
        let (journal, _disk) = SlowDisk::new();
        let known = Arc::default();
        let large = |id: u32| {
            let mut events = events();
            events[0].id = format!("EZ{id}");
            events[0].data = serde_json::json!({ "text": "x".repeat(10_000_000) });
            events
        };
        let begin = Instant::now();
        for turn in 1..=3 {
            assert!(!keep(&journal, &known, large(turn), Timestamp::UNIX_EPOCH).await);
            assert_eq!(begin.elapsed(), turn * LIMIT);
        }
        assert!(!keep(&journal, &known, large(4), Timestamp::UNIX_EPOCH).await);
        assert_eq!(begin.elapsed(), 3 * LIMIT, "there is no room for it");
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_slow_disk_does_not_take_in_the_end_may_come_again() {
        let (journal, disk) = SlowDisk::new();
        let known = Arc::default();
        let first = keep(&journal, &known, events(), Timestamp::UNIX_EPOCH);
        let writing = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            disk.begin().expect("somebody waits")
        };
        let (is_kept, writing) = tokio::join!(first, writing);
        assert!(!is_kept);
        writing.end(false);
        tokio::time::sleep(Duration::from_millis(1)).await;
        let again = keep(&journal, &known, events(), Timestamp::UNIX_EPOCH);
        let writing = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            disk.begin().expect("they are to be written").end(true);
        };
        assert!(tokio::join!(again, writing).0);
    }
}
