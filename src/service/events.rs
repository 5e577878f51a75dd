//! Events of Event Streams: each goes into the journal once.
//!
//! Twilio sends an event until it hears that it was taken, and sometimes once more. The events that were kept lately and
//! those that are being written are therefore remembered.

use std::collections::{HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use jiff::Timestamp;
use tracing::{error, warn};

use crate::service::journal_writer::Journal;
use crate::twilio::request::event::Event;
use crate::twilio::signature::body_sha256;

/// How long events may take to be kept. Twilio waits for five seconds.
///
/// Source: <https://www.twilio.com/docs/events/webhook-quickstart>.
const LIMIT: Duration = Duration::from_secs(4);

/// Reads the body of a request and puts its events into the journal. Returns the status of the answer: 204 when the
/// journal has all of them, 503 when Twilio should send them again, 400 when the body is not an array of events, and
/// would not be one the next time either.
pub(super) async fn keep(
    json: &[u8],
    journal: Option<&Journal>,
    known: &Arc<KnownEvents>,
    now: Timestamp,
) -> StatusCode {
    let events = match catch_unwind(AssertUnwindSafe(|| Event::read_all(json))) {
        Ok(Ok(events)) => events,
        Ok(Err(_)) => return StatusCode::BAD_REQUEST,
        Err(_) => {
            error!("events could not be read, Twilio is asked to send them again");
            return StatusCode::SERVICE_UNAVAILABLE;
        }
    };
    match journal {
        Some(journal) if keep_new(journal, known, events, now).await => StatusCode::NO_CONTENT,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// Has the events written that are new. Returns whether the journal has all of them.
async fn keep_new(
    journal: &Journal,
    known: &Arc<KnownEvents>,
    events: Vec<Event>,
    now: Timestamp,
) -> bool {
    let Some((claim, events)) = known.claim(events) else {
        return false;
    };
    if events.is_empty() {
        return true;
    }
    let kept = journal.keep(events, now, LIMIT, move || claim.kept()).await;
    kept.inspect_err(|reason| {
        warn!(%reason, "events were not kept, Twilio is asked to send them again");
    })
    .is_ok()
}

/// How many kept events are remembered; the oldest are forgotten.
const MOST: usize = 100_000;

/// The type of the events that a sink's test sends. All of them have the account's SID as their id; the `test_id` in their
/// data tells one test from another.
///
/// Source: <https://www.twilio.com/docs/events/event-types/eventstreams/test-event>.
const TEST_EVENT: &str = "com.twilio.eventstreams.test-event";

/// The beginning of a hash of an event's id, which may be long.
type EventKey = u128;

/// The events that need not be kept again. They take 6 MB of memory at most.
#[derive(Debug, Default)]
pub struct KnownEvents(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    /// Those that are being written.
    claimed: HashSet<EventKey>,
    kept: HashSet<EventKey>,
    /// The same as `kept`, oldest first.
    order: VecDeque<EventKey>,
}

impl KnownEvents {
    /// Claims the unknown events of a batch, each once and in their order: until the claim is dropped, no other request
    /// gets them. `None` when another request has claimed some of them, so that it is not known yet whether they will be
    /// kept; then none is claimed.
    fn claim(self: &Arc<Self>, events: Vec<Event>) -> Option<(EventClaim, Vec<Event>)> {
        let keyed: Vec<_> = events.into_iter().map(|it| (key(&it), it)).collect();
        let mut window = self.window();
        let Window { claimed, kept, .. } = &mut *window;
        if keyed.iter().any(|(key, _)| claimed.contains(key)) {
            return None;
        }
        let (keys, new) = keyed
            .into_iter()
            .filter(|(key, _)| !kept.contains(key) && claimed.insert(*key))
            .unzip();
        let known = Arc::clone(self);
        Some((EventClaim { known, keys }, new))
    }

    /// Nothing under this lock waits for anything.
    fn window(&self) -> MutexGuard<'_, Window> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Events that are being written. Dropping the claim forgets them, so that they are taken when they come again.
struct EventClaim {
    known: Arc<KnownEvents>,
    /// Those of the events, in their order.
    keys: Vec<EventKey>,
}

impl EventClaim {
    /// The events are kept, and from now on known.
    fn kept(self) {
        let mut window = self.known.window();
        let Window { kept, order, .. } = &mut *window;
        for &key in &self.keys {
            if order.len() == MOST
                && let Some(oldest) = order.pop_front()
            {
                kept.remove(&oldest);
            }
            kept.insert(key);
            order.push_back(key);
        }
        // Dropping the claim takes the lock again.
        drop(window);
    }
}

impl Drop for EventClaim {
    fn drop(&mut self) {
        let mut window = self.known.window();
        for key in &self.keys {
            window.claimed.remove(key);
        }
    }
}

fn key(event: &Event) -> EventKey {
    let test_id = match event.data.get("test_id") {
        Some(serde_json::Value::String(test_id)) if event.kind == TEST_EVENT => test_id,
        _ => "",
    };
    let hash = body_sha256(format!("{}:{}{test_id}", event.id.len(), event.id).as_bytes());
    EventKey::from_str_radix(&hash[..32], 16).expect("a hash is hexadecimal digits")
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::time::Instant;

    use super::*;
    use crate::service::journal_writer::slow_disk::SlowDisk;

    fn event(id: &str) -> Event {
        Event {
            id: id.to_owned(),
            kind: "t".to_owned(),
            time: String::new(),
            data: json!({ "test_id": id }),
        }
    }

    fn test_event(test_id: &str) -> Event {
        Event {
            kind: TEST_EVENT.to_owned(),
            data: json!({ "test_id": test_id }),
            ..event("AC00000000000000000000000000000001")
        }
    }

    #[track_caller]
    fn new_ids(known: &Arc<KnownEvents>, events: Vec<Event>) -> Vec<String> {
        let (claim, events) = known.claim(events).expect("nobody else has them");
        let ids = events.iter().map(|event| event.id.clone()).collect();
        claim.kept();
        ids
    }

    #[test]
    fn an_event_is_new_once() {
        let known = Arc::<KnownEvents>::default();
        assert_eq!(
            new_ids(&known, vec![event("b"), event("a"), event("b")]),
            ["b", "a"]
        );
        assert_eq!(new_ids(&known, vec![event("a"), event("c")]), ["c"]);
        assert!(new_ids(&known, vec![event("b"), event("c")]).is_empty());
        assert!(new_ids(&known, Vec::new()).is_empty());
    }

    #[test]
    fn what_was_not_kept_comes_again() {
        let known = Arc::<KnownEvents>::default();
        drop(known.claim(vec![event("a")]).expect("it is free"));
        assert_eq!(new_ids(&known, vec![event("a")]), ["a"]);
    }

    #[test]
    fn what_somebody_else_has_claimed_is_on_its_way() {
        let known = Arc::<KnownEvents>::default();
        let (claim, _) = known.claim(vec![event("a")]).expect("it is free");
        let both = vec![event("b"), event("a")];
        assert!(known.claim(both.clone()).is_none());
        // The other event of that batch was not claimed.
        assert_eq!(new_ids(&known, vec![event("b")]), ["b"]);
        claim.kept();
        assert!(new_ids(&known, both).is_empty());
    }

    #[test]
    fn each_test_of_a_sink_is_an_event_of_its_own() {
        let known = Arc::<KnownEvents>::default();
        for (test, count) in [("1", 1), ("2", 1), ("1", 0)] {
            assert_eq!(new_ids(&known, vec![test_event(test)]).len(), count);
        }
    }

    #[test]
    fn the_oldest_are_forgotten_and_memory_stays() {
        let known = Arc::<KnownEvents>::default();
        let id = |number: usize| event(&number.to_string());
        new_ids(&known, (0..MOST).map(id).collect());
        // Known still, all of them; that it is asked makes none younger.
        assert!(new_ids(&known, vec![id(0), id(MOST - 1)]).is_empty());
        let room = known.window().order.capacity();
        new_ids(&known, (MOST..MOST + 10).map(id).collect());
        assert_eq!(new_ids(&known, vec![id(10)]).len(), 0);
        assert_eq!(new_ids(&known, vec![id(9)]).len(), 1);
        let window = known.window();
        assert_eq!((window.order.len(), window.kept.len()), (MOST, MOST));
        assert_eq!((window.order.capacity(), window.claimed.len()), (room, 0));
    }

    fn events() -> Vec<Event> {
        vec![event("EZ1")]
    }

    /// Twilio waits for five seconds. The clock of this test turns by itself while everybody waits.
    #[tokio::test(start_paused = true)]
    async fn a_slow_disk_is_not_waited_for_longer_than_twilio_does() {
        let (journal, disk) = SlowDisk::new();
        let known = Arc::default();
        let begin = Instant::now();
        assert!(!keep_new(&journal, &known, events(), Timestamp::UNIX_EPOCH).await);
        assert_eq!(begin.elapsed(), LIMIT);
        assert!(LIMIT < Duration::from_secs(5));
        assert!(
            disk.begin().is_none(),
            "nobody waits, so they are not written"
        );
        // They come again, and are on their way until the disk has taken them.
        let again = keep_new(&journal, &known, events(), Timestamp::UNIX_EPOCH);
        let writing = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            disk.begin().expect("somebody waits")
        };
        let (is_kept, writing) = tokio::join!(again, writing);
        assert!(!is_kept);
        assert_eq!(begin.elapsed(), 2 * LIMIT);
        assert!(!keep_new(&journal, &known, events(), Timestamp::UNIX_EPOCH).await);
        assert_eq!(begin.elapsed(), 2 * LIMIT, "nobody waits for those");
        assert!(disk.begin().is_none(), "they are not written twice");
        writing.end(true);
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(keep_new(&journal, &known, events(), Timestamp::UNIX_EPOCH).await);
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
            events[0].data = json!({ "text": "x".repeat(10_000_000) });
            events
        };
        let begin = Instant::now();
        for turn in 1..=3 {
            assert!(!keep_new(&journal, &known, large(turn), Timestamp::UNIX_EPOCH).await);
            assert_eq!(begin.elapsed(), turn * LIMIT);
        }
        assert!(!keep_new(&journal, &known, large(4), Timestamp::UNIX_EPOCH).await);
        assert_eq!(begin.elapsed(), 3 * LIMIT, "there is no room for it");
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_slow_disk_does_not_take_in_the_end_may_come_again() {
        let (journal, disk) = SlowDisk::new();
        let known = Arc::default();
        let first = keep_new(&journal, &known, events(), Timestamp::UNIX_EPOCH);
        let writing = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            disk.begin().expect("somebody waits")
        };
        let (is_kept, writing) = tokio::join!(first, writing);
        assert!(!is_kept);
        writing.end(false);
        tokio::time::sleep(Duration::from_millis(1)).await;
        let again = keep_new(&journal, &known, events(), Timestamp::UNIX_EPOCH);
        let writing = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            disk.begin().expect("they are to be written").end(true);
        };
        assert!(tokio::join!(again, writing).0);
    }
}
