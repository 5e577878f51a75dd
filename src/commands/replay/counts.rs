//! How many requests of a journal another table would answer so and so.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use serde::ser::Serializer;

use crate::commands::format::{counted, figure, shown};
use crate::journal::judge::{Choice, Doubt};
use crate::service::journal_reader::Entry;

/// The most pairs of an old and a new route that are counted by themselves, so that memory has an end.
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
    /// How many of `cannot_tell` there are for want of this parameter's value, maybe among others.
    missing: BTreeMap<String, u64>,
    /// Lines that are of no decision: callbacks, events, Voice Webhooks.
    pub without_decision: u64,
    /// Lines that are none of a journal.
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
            match self.missing.get_mut(*name) {
                Some(count) => *count += 1,
                None => drop(self.missing.insert((*name).to_owned(), 1)),
            }
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
        // An empty line parts it from the requests above.
        let mut parts = vec![if self.different > 0 {
            format!("\n{total}")
        } else {
            total
        }];
        parts.extend(part("different", &self.rows_of_changes()));
        parts.extend(part("cannot tell", &self.rows_of_doubts()));
        parts.extend(part("not replayed", &self.rows_of_others()));
        parts.join("\n")
    }

    fn rows_of_changes(&self) -> Vec<Row> {
        let changes = sorted(&self.changes);
        let mut rows: Vec<Row> = changes
            .iter()
            .take(PAIRS_SHOWN)
            .map(|((old, new), count)| (**count, format!("{} → {}", shown(old), shown(new))))
            .collect();
        let others = self.different - rows.iter().map(|(count, _)| count).sum::<u64>();
        if others > 0 {
            rows.push((others, "other changes".to_owned()));
        }
        rows
    }

    fn rows_of_doubts(&self) -> Vec<Row> {
        let missing: Vec<String> = sorted(&self.missing)
            .into_iter()
            .map(|(name, count)| format!("{} {}", shown(name), figure(*count)))
            .collect();
        let missing = missing.join(", ");
        let Reasons {
            values,
            counting_guard,
            fault,
        } = self.reasons;
        let rows = [
            (
                values,
                format!("values that decide are masked or left out: {missing}"),
            ),
            (
                counting_guard,
                "the loop guard answered, by what came before".to_owned(),
            ),
            (fault, "a fault of the program answered".to_owned()),
        ];
        rows.into_iter().filter(|(count, _)| *count > 0).collect()
    }

    fn rows_of_others(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        if self.without_decision > 0 {
            let text = "callbacks, events and others without a decision";
            rows.push((self.without_decision, text.to_owned()));
        }
        if let Some(first) = &self.first_unreadable {
            let text = format!("unreadable, the first is {}", shown(first));
            rows.push((self.unreadable, text));
        }
        rows
    }
}

/// A count and what it is of.
type Row = (u64, String);

/// Rows below their heading; none without rows.
fn part(heading: &str, rows: &[Row]) -> Option<String> {
    let width = rows.iter().map(|(count, _)| figure(*count).len()).max()?;
    let mut text = format!("{heading}:");
    for (count, row) in rows {
        text.extend([format!("\n  {:>width$}  {row}", figure(*count))]);
    }
    Some(text)
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
