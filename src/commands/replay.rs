//! `replay`: what the requests of a journal would get from another table.

mod counts;
mod difference;

use std::path::PathBuf;

use anyhow::{Context, Result};
use indicatif::ProgressBar;

use self::counts::Counts;
use self::difference::Difference;
use super::load_table::load_table;
use super::recorded_lines::RecordedLines;
use super::{Format, Outcome, format, output};
use crate::journal::judge::{Verdict, judge};
use crate::journal::line::{Line, Recorded};
use crate::service::journal::read::Entry;
use crate::table::Table;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The folder of the journal
    #[arg(long, value_name = "DIR", env = "TWIML_RESPONDER_JOURNAL")]
    journal: PathBuf,
    /// The table that the requests are held against
    #[arg(
        long,
        value_name = "FILE",
        default_value = "responses.toml",
        env = "TWIML_RESPONDER_TABLE"
    )]
    table: PathBuf,
    /// How to print; json is an object for each request that differs, then one with the counts
    #[arg(
        long,
        value_enum,
        default_value = "human",
        env = "TWIML_RESPONDER_FORMAT"
    )]
    format: Format,
}

/// The most bytes of differences that are held back, so that not each of a million is written by itself.
const HELD_BYTES: usize = 32 * 1024;

pub(super) fn run(arguments: &Arguments) -> Result<Outcome> {
    let table = load_table(&arguments.table)?.table;
    let lines = RecordedLines::of(&arguments.journal)?;
    let mut replay = Replay {
        table: &table,
        counts: Counts::default(),
        format: arguments.format,
        held: String::new(),
        bar: lines.bar(),
    };
    for entry in lines {
        replay.take(&entry?);
    }
    replay.print_held();
    let counts = &replay.counts;
    match arguments.format {
        Format::Json => {
            let json = serde_json::to_string(counts).context("cannot write JSON")?;
            output::print(&format::json(&json));
        }
        Format::Human => output::print(&counts.text()),
    }
    Ok(Outcome::from(counts.different == 0))
}

struct Replay<'t> {
    table: &'t Table,
    counts: Counts,
    format: Format,
    /// Lines that wait to be written.
    held: String,
    bar: ProgressBar,
}

impl Replay<'_> {
    /// Counts a line of the journal, and prints it when it differs.
    fn take(&mut self, entry: &Entry) {
        let Ok((line, moment)) = Line::with_moment(&entry.text) else {
            self.counts.add_unreadable(entry);
            return;
        };
        let recorded = Recorded::of(&line);
        let verdict = recorded
            .as_ref()
            .and_then(|recorded| Some((recorded, judge(self.table, recorded, moment)?)));
        match verdict {
            None => self.counts.without_decision += 1,
            Some((_, Verdict::Same)) => self.counts.same += 1,
            Some((_, Verdict::CannotTell(doubt))) => self.counts.add_doubt(&doubt),
            Some((recorded, Verdict::Different { was, now })) => {
                self.counts.add_different(was, now);
                let difference = Difference::of(recorded, was, now);
                self.held += &match self.format {
                    Format::Json => difference.json(),
                    Format::Human => difference.text(),
                };
                self.held.push('\n');
                if self.held.len() >= HELD_BYTES {
                    self.print_held();
                }
            }
        }
    }

    fn print_held(&mut self) {
        if !self.held.is_empty() {
            self.bar
                .suspend(|| output::print(self.held.trim_end_matches('\n')));
            self.held.clear();
        }
    }
}
