//! How many requests of a journal another table would answer alike, or differently.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use serde::ser::Serializer;

use crate::commands::format::{counted, figure, shown};
use crate::journal::judge::{Choice, Doubt};
use crate::service::journal_reader::Entry;

/// The most pairs of an old and a new route that have a count of their own, which bounds memory.
const PAIRS_MAX: usize = 10_000;

/// The most of them that people are shown.
const PAIRS_SHOWN: usize = 20;

/// The counts. As JSON the last line of `--format json`.
#[derive(Debug, Default, Serialize)]
pub(super) struct Counts {
    /// Requests whose route stays.
    pub same: u64,
    /// Requests whose route would be another.
    pub different: u64,
    /// Requests that are neither for certain.
    cannot_tell: u64,
    /// The changes of route, the most frequent first.
    #[serde(serialize_with = "by_count")]
    changes: HashMap<(String, String), u64>,
    /// How many of `cannot_tell` there are for each reason.
    reasons: Reasons,
    /// How many of `cannot_tell` lack the value of this parameter, perhaps among others.
    missing: BTreeMap<String, u64>,
    /// Lines without a decision: callbacks, events, Voice Webhooks.
    pub without_decision: u64,
    /// Lines that are not a journal's.
    unreadable: u64,
    /// Where the first of them is.
    first_unreadable: Option<String>,
}

/// Why it cannot be told what a request would get.
#[derive(Debug, Default, Serialize)]
struct Reasons {
    /// A value that decides is masked or left out.
    values: u64,
    /// The loop guard answered, by what came before.
    counting_guard: u64,
    /// A fault of the program answered.
    fault: u64,
}

/// One change of route, as JSON.
#[derive(Serialize)]
struct Change<'c> {
    old: &'c str,
    new: &'c str,
    count: u64,
}

impl Counts {
    pub(super) fn add_different(&mut self, was: Choice<'_>, now: Choice<'_>) {
        self.different += 1;
        let change = (was.to_string(), now.to_string());
        if let Some(count) = self.changes.get_mut(&change) {
            *count += 1;
        } else if self.changes.len() < PAIRS_MAX {
            self.changes.insert(change, 1);
        }
    }

    pub(super) fn add_doubt(&mut self, doubt: &Doubt<'_>) {
        self.cannot_tell += 1;
        let names = match doubt {
            Doubt::Counted => {
                self.reasons.counting_guard += 1;
                return;
            }
            Doubt::Fault => {
                self.reasons.fault += 1;
                return;
            }
            Doubt::Values(names) => names,
        };
        self.reasons.values += 1;
        for name in names {
            *self.missing.entry((*name).to_owned()).or_default() += 1;
        }
    }

    pub(super) fn add_unreadable(&mut self, entry: &Entry) {
        self.unreadable += 1;
        self.first_unreadable.get_or_insert_with(|| entry.place());
    }

    /// What people read.
    pub(super) fn text(&self) -> String {
        let requests = self.same + self.different + self.cannot_tell;
        let total = format!(
            "{}: {} same, {} different, {} cannot tell",
            counted(requests, "request"),
            figure(self.same),
            figure(self.different),
            figure(self.cannot_tell),
        );
        // An empty line separates it from the requests above.
        let total = match self.different {
            0 => total,
            _ => format!("\n{total}"),
        };
        let missing: Vec<String> = sorted(&self.missing)
            .into_iter()
            .map(|(name, count)| format!("{} {}", shown(name), figure(*count)))
            .collect();
        let missing = missing.join(", ");
        let reasons = &self.reasons;
        let doubts = vec![
            (
                reasons.values,
                format!("values that decide are masked or left out: {missing}"),
            ),
            (
                reasons.counting_guard,
                "the loop guard answered, by what came before".to_owned(),
            ),
            (reasons.fault, "a fault of the program answered".to_owned()),
        ];
        let first_unreadable = self.first_unreadable.as_deref().unwrap_or_default();
        let others = vec![
            (
                self.without_decision,
                "callbacks, events and others without a decision".to_owned(),
            ),
            (
                self.unreadable,
                format!("unreadable, the first is {}", shown(first_unreadable)),
            ),
        ];
        total
            + &part("different", self.rows_of_changes())
            + &part("cannot tell", doubts)
            + &part("not replayed", others)
    }

    fn rows_of_changes(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = sorted(&self.changes)
            .into_iter()
            .take(PAIRS_SHOWN)
            .map(|((old, new), count)| (*count, format!("{} → {}", shown(old), shown(new))))
            .collect();
        let shown: u64 = rows.iter().map(|(count, _)| count).sum();
        rows.push((self.different - shown, "other changes".to_owned()));
        rows
    }
}

/// A count and what it is of.
type Row = (u64, String);

/// The rows with a count below their heading; nothing without any.
fn part(heading: &str, mut rows: Vec<Row>) -> String {
    rows.retain(|(count, _)| *count > 0);
    let Some(width) = rows.iter().map(|(count, _)| figure(*count).len()).max() else {
        return String::new();
    };
    let rows = rows
        .iter()
        .map(|(count, row)| format!("\n  {:>width$}  {row}", figure(*count)));
    format!("\n{heading}:") + &rows.collect::<Vec<_>>().concat()
}

/// Names with their counts, the highest first, then by name.
fn sorted<'c, K: Ord>(counts: impl IntoIterator<Item = (&'c K, &'c u64)>) -> Vec<(&'c K, &'c u64)> {
    let mut sorted: Vec<_> = counts.into_iter().collect();
    sorted.sort_by_key(|(name, count)| (Reverse(**count), *name));
    sorted
}

fn by_count<S: Serializer>(
    changes: &HashMap<(String, String), u64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(
        sorted(changes)
            .into_iter()
            .map(|((old, new), count)| Change {
                old,
                new,
                count: *count,
            }),
    )
}
