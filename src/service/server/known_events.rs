//! Which events of Event Streams are known: those that the journal has kept lately, and those that are on their way.
//!
//! Twilio sends an event until it hears that it was taken, and sometimes once more.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::twilio::request::event::Event;
use crate::twilio::signature::body_sha256;

/// How many events are known at most; the oldest are forgotten.
const MOST: usize = 100_000;

/// The type of the events that a sink's test sends. They have the account's SID for their id, all of them, and what
/// tells one test from another is the `test_id` in their data.
///
/// Source: <https://www.twilio.com/docs/events/event-types/eventstreams/test-event>.
const TEST_EVENT: &str = "com.twilio.eventstreams.test-event";

/// What stands for an event: ids may be long, these are not.
type Key = u128;

/// The known events. Takes its memory with the first event, about 6 MB, and no more later.
#[derive(Default)]
pub(super) struct KnownEvents(Mutex<Window>);

#[derive(Default)]
struct Window {
    /// Those that somebody is having kept.
    claimed: HashSet<Key>,
    kept: HashSet<Key>,
    /// The same as `kept`, the oldest first.
    order: VecDeque<Key>,
}

/// Some of the events are on their way, from another request: nobody can say yet whether they will be kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OnTheirWay;

impl KnownEvents {
    /// Claims those of a batch that are not known, each once and in the order they came: until the claim is gone nobody
    /// else gets them.
    ///
    /// # Errors
    ///
    /// Another claim has some of them; then none is claimed.
    pub(super) fn claim(
        self: &Arc<Self>,
        events: Vec<Event>,
    ) -> Result<(Claim, Vec<Event>), OnTheirWay> {
        let (mut keys, mut mine) = (Vec::new(), HashSet::new());
        let mut window = self.window();
        let mut new = Vec::new();
        for event in events {
            let key = key(&event);
            if window.claimed.contains(&key) {
                return Err(OnTheirWay);
            }
            if !window.kept.contains(&key) && mine.insert(key) {
                keys.push(key);
                new.push(event);
            }
        }
        window.claimed.extend(mine);
        drop(window);
        let claim = Claim {
            known: Arc::clone(self),
            keys,
        };
        Ok((claim, new))
    }

    /// Nothing under this lock waits for anything.
    fn window(&self) -> MutexGuard<'_, Window> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Events that are to be kept. They are forgotten when it is dropped, so that they are taken when they come again.
pub(super) struct Claim {
    known: Arc<KnownEvents>,
    /// Those of the events, in their order.
    keys: Vec<Key>,
}

impl Claim {
    /// They are kept: from now on they are known.
    pub(super) fn kept(self) {
        let mut window = self.known.window();
        let Window { kept, order, .. } = &mut *window;
        if order.capacity() == 0 {
            order.reserve_exact(MOST);
            kept.reserve(MOST);
        }
        for key in &self.keys {
            if order.len() == MOST {
                let oldest = order.pop_front();
                oldest.map(|oldest| kept.remove(&oldest));
            }
            kept.insert(*key);
            order.push_back(*key);
        }
        // The end of the claim takes the lock again.
        drop(window);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut window = self.known.window();
        for key in &self.keys {
            window.claimed.remove(key);
        }
    }
}

fn key(event: &Event) -> Key {
    let test_id = match event.data.get("test_id") {
        Some(serde_json::Value::String(test_id)) if event.kind == TEST_EVENT => test_id,
        _ => "",
    };
    let hash = body_sha256(format!("{}:{}{test_id}", event.id.len(), event.id).as_bytes());
    Key::from_str_radix(&hash[..32], 16).expect("a hash is hexadecimal digits")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
        assert_eq!(known.claim(both.clone()).err(), Some(OnTheirWay));
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
}
