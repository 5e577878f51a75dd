//! Remembers the latest of many keys, to recognize a key that comes again.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;

/// At most `MOST` keys; the oldest are forgotten.
#[derive(Debug, Default)]
pub(crate) struct Latest<K, const MOST: usize> {
    pub keys: HashSet<K>,
    /// The same keys, oldest first.
    pub order: VecDeque<K>,
}

impl<K: Copy + Eq + Hash, const MOST: usize> Latest<K, MOST> {
    /// Adds a key. Returns whether it is new.
    pub(crate) fn add(&mut self, key: K) -> bool {
        if !self.keys.insert(key) {
            return false;
        }
        if self.order.len() == MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.keys.remove(&oldest);
        }
        self.order.push_back(key);
        true
    }

    /// Forgets the last `count` keys added, which makes them new when they come again.
    pub(crate) fn forget_last(&mut self, count: usize) {
        let kept = self.order.len().saturating_sub(count);
        for key in self.order.drain(kept..) {
            self.keys.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_keys_are_known() {
        const MOST: usize = 65_536;
        let mut latest = Latest::<usize, MOST>::default();
        assert!(latest.add(MOST));
        assert!(!latest.add(MOST));
        for key in 0..MOST {
            assert!(latest.add(key));
        }
        assert_eq!(latest.keys.len(), MOST);
        assert!(latest.add(MOST), "it is too long ago");
    }
}
