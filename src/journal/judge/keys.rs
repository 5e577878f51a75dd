//! Directories by the masks of their keys, so that a masked number is looked up as fast as a whole one.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::truth::{Part, Truth};
use crate::table::directory::Directory;
use crate::table::{Condition, Subject, Test};
use crate::twilio::number::masked;

/// The directories of some conditions.
#[derive(Debug, Default)]
pub(super) struct Directories<'t> {
    /// By where they stand in memory.
    all: HashMap<usize, Keys<'t>>,
}

/// The keys of one directory.
#[derive(Debug)]
struct Keys<'t> {
    masks: HashSet<Box<str>>,
    /// Without their `*`, in order.
    prefixes: Vec<&'t str>,
}

impl<'t> Directories<'t> {
    pub(super) fn of(conditions: impl Iterator<Item = &'t Condition>) -> Self {
        let mut directories = Self::default();
        for condition in conditions {
            if let Subject::Column { binding, .. } = &condition.subject {
                directories.add(&binding.directory);
            }
            directories.add_those_of(&condition.test);
        }
        directories
    }

    fn add_those_of(&mut self, test: &'t Test) {
        match test {
            Test::In(directory) => self.add(directory),
            Test::AnyOf(tests) | Test::AllOf(tests) => {
                for test in tests {
                    self.add_those_of(test);
                }
            }
            Test::Not(test) => self.add_those_of(test),
            Test::Exactly(_)
            | Test::Like(_)
            | Test::Regex(_)
            | Test::Present(_)
            | Test::Withheld(_) => {}
        }
    }

    fn add(&mut self, directory: &'t Arc<Directory>) {
        self.all
            .entry(place(directory))
            .or_insert_with(|| Keys::of(directory));
    }

    /// Whether a directory has a row for a value.
    pub(super) fn has(&self, directory: &Arc<Directory>, part: Part<'_>) -> Truth {
        if directory.is_empty() {
            return Truth::No;
        }
        let start = match part {
            Part::Masked(mask) => mask.start,
            Part::Present | Part::Nothing => "",
        };
        if directory.has_all_from(start) {
            return Truth::Yes;
        }
        let (Part::Masked(mask), Some(keys)) = (part, self.all.get(&place(directory))) else {
            return Truth::Unknown;
        };
        if keys.masks.contains(mask.text) || keys.has_longer_prefix(start) {
            Truth::Unknown
        } else {
            Truth::No
        }
    }
}

impl<'t> Keys<'t> {
    fn of(directory: &'t Directory) -> Self {
        let mut keys = Self {
            masks: HashSet::new(),
            prefixes: Vec::new(),
        };
        for key in directory.keys() {
            if let Some(prefix) = key.strip_suffix('*') {
                keys.prefixes.push(prefix);
                continue;
            }
            let mask = masked(key);
            if !keys.masks.contains(&*mask) {
                keys.masks.insert(mask.into());
            }
        }
        keys.prefixes.sort_unstable();
        keys
    }

    /// Whether a prefix among the keys begins so.
    fn has_longer_prefix(&self, start: &str) -> bool {
        let from = self.prefixes.partition_point(|prefix| *prefix < start);
        self.prefixes
            .get(from)
            .is_some_and(|prefix| prefix.starts_with(start))
    }
}

fn place(directory: &Arc<Directory>) -> usize {
    Arc::as_ptr(directory).addr()
}
