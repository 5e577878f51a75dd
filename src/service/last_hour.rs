//! How many answers each route gave in the last hour: the differences between counts, minute by minute.
//!
//! Requests are not involved: the counters are read once a minute.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Counts by name.
pub type Counts = BTreeMap<Box<str>, u64>;

/// How often the counters have to be read.
pub const MINUTE: Duration = Duration::from_secs(60);

/// How many minutes an hour has.
const MINUTES: usize = 60;

/// The counts of the last hour. Uses memory only for routes that have answered in it.
#[derive(Debug, Default)]
pub struct LastHour {
    /// The counts at the last reading.
    seen: Counts,
    /// What was added in each minute before, the oldest first; names without additions are left out.
    minutes: VecDeque<Counts>,
}

impl LastHour {
    /// Notes that a minute is over, and what has been counted in total.
    pub fn minute_is_over(&mut self, now: Counts) {
        if self.minutes.len() == MINUTES {
            self.minutes.pop_front();
        }
        self.minutes.push_back(self.since(&now));
        self.seen = now;
    }

    /// What was added in the last hour, given the total counts now: over up to 61 minutes, or since the start.
    #[must_use]
    pub fn counts(&self, now: &Counts) -> Counts {
        let mut counts = self.since(now);
        for (name, count) in self.minutes.iter().flatten() {
            *counts.entry(name.clone()).or_default() += count;
        }
        counts
    }

    /// What was added since the last reading. A count that is lower than before has restarted.
    fn since(&self, now: &Counts) -> Counts {
        let differences = now.iter().map(|(name, count)| {
            let before = self.seen.get(name).copied().unwrap_or_default();
            (name.clone(), count.checked_sub(before).unwrap_or(*count))
        });
        differences.filter(|(_, count)| *count > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts<const N: usize>(counts: [(&str, u64); N]) -> Counts {
        let counts = counts.into_iter();
        counts.map(|(name, count)| (name.into(), count)).collect()
    }

    #[test]
    fn what_came_before_the_hour_is_forgotten() {
        let mut hour = LastHour::default();
        assert_eq!(hour.counts(&counts([("a", 5)])), counts([("a", 5)]));
        hour.minute_is_over(counts([("a", 5), ("b", 0)]));
        assert_eq!(
            hour.counts(&counts([("a", 7), ("b", 1)])),
            counts([("a", 7), ("b", 1)])
        );
        for minute in 0..MINUTES as u64 {
            let all = counts([("a", 5), ("b", minute)]);
            assert_eq!(hour.counts(&all).get("a"), Some(&5), "{minute}");
            hour.minute_is_over(all);
        }
        assert_eq!(
            hour.counts(&counts([("a", 5), ("b", 60)])),
            counts([("b", 60)])
        );
    }

    #[test]
    fn a_route_that_is_gone_and_comes_back_is_counted_anew() {
        let mut hour = LastHour::default();
        hour.minute_is_over(counts([("a", 9)]));
        hour.minute_is_over(counts([("b", 1)]));
        assert_eq!(
            hour.counts(&counts([("a", 2), ("b", 1)])),
            counts([("a", 11), ("b", 1)])
        );
        hour.minute_is_over(counts([("a", 2), ("b", 1)]));
        // The count is lower than before, without a reading in between.
        assert_eq!(
            hour.counts(&counts([("a", 1), ("b", 1)])),
            counts([("a", 12), ("b", 1)])
        );
    }
}
