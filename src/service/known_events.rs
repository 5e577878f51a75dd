//! The events of Event Streams that the journal has, so that each goes into it once.
//!
//! Twilio sends an event until it hears that it was taken, and sometimes once more.

use std::collections::{HashSet, VecDeque};

use crate::twilio::request::event::Event;
use crate::twilio::signature::body_sha256;

/// How many events are remembered; the oldest are forgotten.
const MOST: usize = 100_000;

/// The type of the events that a sink's test sends. All of them have the account's SID as their id; the `test_id` in their
/// data tells one test from another.
///
/// Source: <https://www.twilio.com/docs/events/event-types/eventstreams/test-event>.
const TEST_EVENT: &str = "com.twilio.eventstreams.test-event";

/// The beginning of a hash of an event's id, which may be long.
pub(super) type EventKey = u128;

/// Takes 6 MB of memory at most.
#[derive(Default)]
pub(super) struct KnownEvents {
    keys: HashSet<EventKey>,
    /// The same, oldest first.
    order: VecDeque<EventKey>,
}

impl KnownEvents {
    pub(super) fn has(&self, key: EventKey) -> bool {
        self.keys.contains(&key)
    }

    /// Adds an event that is not known yet.
    pub(super) fn add(&mut self, key: EventKey) {
        if self.order.len() == MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.keys.remove(&oldest);
        }
        self.keys.insert(key);
        self.order.push_back(key);
    }

    /// Forgets those that were added last, so that they are taken when they come again.
    pub(super) fn forget_last(&mut self, count: usize) {
        let kept = self.order.len().saturating_sub(count);
        for key in self.order.drain(kept..) {
            self.keys.remove(&key);
        }
    }
}

pub(super) fn key(event: &Event) -> EventKey {
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

    use super::*;

    fn test_event(test_id: &str) -> Event {
        Event {
            id: "AC00000000000000000000000000000001".to_owned(),
            kind: TEST_EVENT.to_owned(),
            time: String::new(),
            data: json!({ "test_id": test_id }),
        }
    }

    #[test]
    fn each_test_of_a_sink_is_an_event_of_its_own() {
        assert_ne!(key(&test_event("1")), key(&test_event("2")));
        assert_eq!(key(&test_event("1")), key(&test_event("1")));
        let other = |test_id| Event {
            kind: "t".to_owned(),
            ..test_event(test_id)
        };
        assert_eq!(key(&other("1")), key(&other("2")));
    }

    #[test]
    fn what_was_not_kept_comes_again() {
        let mut known = KnownEvents::default();
        (1..=5).for_each(|key| known.add(key));
        known.forget_last(2);
        assert!(known.has(3) && !known.has(4) && !known.has(5));
        known.forget_last(9);
        assert!(!known.has(1));
    }

    #[test]
    fn the_oldest_are_forgotten_and_memory_stays() {
        let mut known = KnownEvents::default();
        let most = MOST as EventKey;
        (0..most).for_each(|key| known.add(key));
        assert!(known.has(0) && known.has(most - 1));
        let room = known.order.capacity();
        (most..most + 10).for_each(|key| known.add(key));
        assert!(known.has(10) && !known.has(9));
        assert_eq!((known.order.len(), known.keys.len()), (MOST, MOST));
        assert_eq!(known.order.capacity(), room);
    }
}
