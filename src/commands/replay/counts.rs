//! How many requests of a journal another table would answer the same or differently.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use serde::ser::Serializer;

use crate::commands::output::{counted, figure, shown};
use crate::journal::judge::{Choice, Doubt};
use crate::service::journal_reader::Entry;
use crate::twilio::parameters::{self, Privacy};

/// The most pairs of an old and a new route with counts of their own, which bounds memory.
const PAIRS_MAX: usize = 10_000;

/// The most of these pairs to show.
const PAIRS_SHOWN: usize = 20;

/// The counts. In JSON these are the last line of `--format json`.
#[derive(Default, Serialize)]
pub(super) struct Counts {
    pub same: u64,
    pub different: u64,
    /// Requests that are not certain to be either.
    cannot_tell: u64,
    /// The changes of route, the most frequent first.
    #[serde(serialize_with = "by_count")]
    changes: HashMap<(String, String), u64>,
    /// The reasons behind `cannot_tell`.
    reasons: Reasons,
    /// For each parameter, how many of `cannot_tell` lack its value, perhaps among others.
    missing: BTreeMap<String, u64>,
    /// Lines without a decision: callbacks, events, Voice Webhooks.
    pub without_decision: u64,
    /// Lines that do not belong to a journal.
    unreadable: u64,
    first_unreadable: Option<String>,
}

/// Why it is unknown what a request would get.
#[derive(Default, Serialize)]
struct Reasons {
    /// A value that decides is masked or left out.
    values: u64,
    /// The loop guard answered, by what came before.
    counting_guard: u64,
    /// A fault of the program answered.
    fault: u64,
}

impl Counts {
    pub(super) fn add_different(&mut self, was: Choice<'_>, now: Choice<'_>) {
        self.different += 1;
        let change = (was.to_string(), now.to_string());
        if self.changes.len() < PAIRS_MAX || self.changes.contains_key(&change) {
            *self.changes.entry(change).or_default() += 1;
        }
    }

    pub(super) fn add_doubt(&mut self, doubt: &Doubt<'_>) {
        self.cannot_tell += 1;
        match doubt {
            Doubt::Counted => self.reasons.counting_guard += 1,
            Doubt::Fault => self.reasons.fault += 1,
            Doubt::Values(names) => {
                self.reasons.values += 1;
                for name in names {
                    *self.missing.entry((*name).to_owned()).or_default() += 1;
                }
            }
        }
    }

    pub(super) fn add_unreadable(&mut self, entry: &Entry) {
        self.unreadable += 1;
        self.first_unreadable.get_or_insert_with(|| entry.place());
    }

    /// The counts for display.
    pub(super) fn text(&self) -> String {
        let total = format!(
            "{}: {} same, {} different, {} cannot tell",
            counted(self.same + self.different + self.cannot_tell, "request"),
            figure(self.same),
            figure(self.different),
            figure(self.cannot_tell),
        );
        // An empty line separates the counts from the differences above.
        let blank = if self.different > 0 { "\n" } else { "" };
        let missing = sorted(&self.missing).into_iter();
        let missing = missing.map(|(name, count)| format!("{} {}", shown(name), figure(*count)));
        let missing = missing.collect::<Vec<_>>().join(", ");
        let values = format!("values that decide are masked or left out: {missing}");
        let guard = "the loop guard answered, because of earlier requests";
        let fault = "a fault of the program answered";
        let doubts = vec![
            (self.reasons.values, values),
            (self.reasons.counting_guard, guard.to_owned()),
            (self.reasons.fault, fault.to_owned()),
        ];
        let first = shown(self.first_unreadable.as_deref().unwrap_or_default());
        let others = "callbacks, events and others without a decision";
        let others = vec![
            (self.without_decision, others.to_owned()),
            (self.unreadable, format!("unreadable, the first at {first}")),
        ];
        format!("{blank}{total}")
            + &part("different", self.rows_of_changes())
            + &part("cannot tell", doubts)
            + &self.cure()
            + &part("not replayed", others)
    }

    /// How the journal would keep the values that are missing.
    fn cure(&self) -> String {
        // The step is in a line unless it is not a plain word, which no option changes.
        let names = self.missing.keys().filter(|name| *name != "step");
        let (numbers, values): (Vec<_>, Vec<_>) =
            names.partition(|name| parameters::get(name).privacy == Privacy::Mask);
        let values: Vec<String> = values.into_iter().map(|name| shown(name)).collect();
        let mut options = Vec::new();
        if !values.is_empty() {
            options.push(format!("--journal-values {}", values.join(",")));
        }
        if !numbers.is_empty() {
            options.push("--journal-numbers full".to_owned());
        }
        if options.is_empty() {
            return String::new();
        }
        let options = options.join(" ");
        format!("\n  `serve {options}` would keep the missing values from now on")
    }

    fn rows_of_changes(&self) -> Vec<Row> {
        let changes = sorted(&self.changes).into_iter().take(PAIRS_SHOWN);
        let mut rows: Vec<Row> = changes
            .map(|((old, new), count)| (*count, format!("{} → {}", shown(old), shown(new))))
            .collect();
        let shown: u64 = rows.iter().map(|(count, _)| count).sum();
        rows.push((self.different - shown, "other changes".to_owned()));
        rows
    }
}

/// A count and its label.
type Row = (u64, String);

/// The rows with a nonzero count, below their heading; empty without such rows.
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

/// Names with their counts, the highest count first, then by name.
fn sorted<'c, K: Ord>(counts: impl IntoIterator<Item = (&'c K, &'c u64)>) -> Vec<(&'c K, &'c u64)> {
    let mut sorted: Vec<_> = counts.into_iter().collect();
    sorted.sort_by_key(|(name, count)| (Reverse(**count), *name));
    sorted
}

fn by_count<S: Serializer>(
    changes: &HashMap<(String, String), u64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Change<'c> {
        old: &'c str,
        new: &'c str,
        count: u64,
    }
    let changes = sorted(changes).into_iter();
    serializer.collect_seq(changes.map(|((old, new), &count)| Change { old, new, count }))
}
