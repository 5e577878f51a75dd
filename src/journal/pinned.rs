//! Finds the numbers that a table is pinned to but that never came.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::journal::figures::{DISTINCT_MAX, Quiet};
use crate::journal::line::{self, Line};
use crate::table::Table;
use crate::table::condition::{Demand, Passing, Subject};
use crate::table::directory::prefix;
use crate::table::reply::Reply;
use crate::twilio::channel::Channel;
use crate::twilio::facts::Known;
use crate::twilio::number::masked;

/// The parameters with our own number in calls and texts to us.
pub(super) const OWN: [&str; 2] = ["Called", "To"];

/// The parameters in a line that hold one of our own numbers, if it is in full.
const PLACES: [&str; 7] = [
    "Called",
    "To",
    "Caller",
    "From",
    "Call.To",
    "inboundParticipantProxyIdentifier",
    "outboundParticipantProxyIdentifier",
];

/// The numbers that a table is pinned to, and which of them came: full numbers in conditions on `Called` or `To`,
/// inline or in a directory, and numbers that a session shows to people. Prefixes and patterns do not count.
#[derive(Debug, Default)]
pub(crate) struct Pinned {
    /// By number, whether a line has it.
    came: HashMap<Box<str>, bool>,
    /// Numbers of a kind that a line never holds in full.
    unkept: BTreeSet<String>,
    /// Masks of numbers that may be ours.
    masks: HashSet<Box<str>>,
    /// Whether there were too many masks to keep.
    has_more_masks: bool,
}

impl Pinned {
    /// The numbers in a table, none of which has come yet.
    pub(crate) fn of(table: &Table) -> Self {
        let mut pinned = Self::default();
        for route in table.routes() {
            let alternatives = &route.when.alternatives;
            for condition in alternatives.iter().flat_map(|either| &either.conditions) {
                if let Subject::Parameters(names) = &condition.subject
                    && let Some(place) = names.0.iter().position(|name| OWN.contains(&&**name))
                {
                    pinned.add_demand(&condition.demand, place);
                }
            }
            for channel in Channel::ALL {
                let Some(Reply::Session(session)) = route.reply(channel) else {
                    continue;
                };
                let proxy = session.participant_proxy_identifier.as_ref();
                if let Some(number) = proxy.and_then(|text| text.literal()) {
                    pinned.add(number);
                }
            }
        }
        pinned
    }

    /// Adds the numbers that a demand asks for in the value at this position among its subject's values.
    fn add_demand(&mut self, demand: &Demand, place: usize) {
        match demand {
            Demand::AnyOf(demands) | Demand::AllOf(demands) => {
                demands
                    .iter()
                    .for_each(|demand| self.add_demand(demand, place));
            }
            Demand::Not(_) => {}
            Demand::Is(kind) => match kind.passing() {
                Passing::Known(Known::Whole(number)) => self.add(&number),
                Passing::Known(_) => {}
                Passing::KeyOf(directory) => {
                    let whole = directory.keys().filter(|key| prefix(key).is_none());
                    whole.for_each(|key| self.add(key[place]));
                }
            },
        }
    }

    fn add(&mut self, number: &str) {
        if line::may_be_own(number) {
            self.came.entry(number.into()).or_default();
        } else if !number.is_empty() {
            self.unkept.insert(number.to_owned());
        }
    }

    /// Records the numbers in a line.
    pub(super) fn see(&mut self, line: &Line<'_>) {
        let places = PLACES.into_iter();
        let whole = places.filter_map(|name| line.parameters.get(name));
        for number in line.number.as_deref().into_iter().chain(whole) {
            if let Some(came) = self.came.get_mut(number) {
                *came = true;
            }
        }
        // When it is certain which number is ours, the masked ones belong to other people.
        if line.number.is_some() {
            return;
        }
        for mask in PLACES.into_iter().filter_map(|name| line.masked.get(name)) {
            if self.masks.contains(mask) {
                continue;
            }
            if self.masks.len() < DISTINCT_MAX && mask.len() <= 64 {
                self.masks.insert(mask.into());
            } else {
                self.has_more_masks = true;
            }
        }
    }

    /// The numbers that have not come.
    pub(super) fn quiet(self) -> Quiet {
        let pinned = self.came.len() + self.unkept.len();
        let missing = self.came.into_iter().filter(|(_, came)| !came);
        let missing: BTreeSet<String> = missing.map(|(number, _)| number.into()).collect();
        let (uncertain, never) = missing.into_iter().partition(|number| {
            self.has_more_masks || self.masks.contains(masked(number).as_str())
        });
        Quiet {
            pinned,
            never,
            uncertain,
            unkept: self.unkept.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The result for one number after a journal with this many masks and a line with one more.
    fn quiet(masks: usize, last: &str) -> Quiet {
        let mut pinned = Pinned::default();
        pinned.add("+15005550001");
        pinned
            .masks
            .extend((0..masks).map(|mask| mask.to_string().into()));
        let line = json!({
            "time": "2026-11-25T12:00:00Z", "webhook": "webhook", "channel": "voice", "route": "default",
            "status": 200, "microseconds": 1, "guard": null, "failed": null, "machine": false, "sid": null,
            "number": null, "withheld": false, "step": "", "event": null, "parameters": {},
            "masked": { "Called": last }, "left_out": [], "unnamed": 0
        })
        .to_string();
        pinned.see(&serde_json::from_str(&line).expect("a line"));
        pinned.quiet()
    }

    #[test]
    fn a_number_surely_never_came_only_while_all_masks_are_kept() {
        let most = DISTINCT_MAX;
        for (masks, last, is_sure) in [
            (most - 1, "x".repeat(64), true),
            (most, "x".to_owned(), false),
            (most, "1".to_owned(), true),
            (0, "x".repeat(65), false),
        ] {
            let quiet = quiet(masks, &last);
            let number = ["+15005550001".to_owned()];
            let (sure, unsure) = if is_sure {
                (quiet.never, quiet.uncertain)
            } else {
                (quiet.uncertain, quiet.never)
            };
            assert_eq!((&*sure, &*unsure), (&number[..], &[][..]), "{masks} {last}");
        }
    }
}
