//! The lines of a journal for a command, with a progress bar on a terminal.

use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use indicatif::{ProgressBar, ProgressStyle};

use crate::service::journal_reader::{Entry, JournalLines};

/// How many lines there are from one step of the progress bar to the next.
const STEP: u64 = 1000;

/// The lines of a folder, in the order of their times.
pub(super) struct RecordedLines {
    folder: PathBuf,
    lines: JournalLines,
    bar: ProgressBar,
    read: u64,
    read_bytes: u64,
}

impl RecordedLines {
    /// Opens a folder, which must have a journal in it.
    pub(super) fn of(folder: &Path) -> Result<Self> {
        let lines = JournalLines::of(folder).with_context(|| reading(folder))?;
        let size_bytes = lines.size_bytes.ok_or_else(|| {
            anyhow!(
                "there is no journal in {}: its files are named as journal-2026-11-25.jsonl",
                folder.display()
            )
        })?;
        Ok(Self {
            folder: folder.to_owned(),
            lines,
            bar: bar(size_bytes),
            read: 0,
            read_bytes: 0,
        })
    }

    /// The bar, to be suspended while something else is printed.
    pub(super) fn bar(&self) -> ProgressBar {
        self.bar.clone()
    }
}

impl Iterator for RecordedLines {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.lines.next();
        let Some(Ok(entry)) = entry else {
            self.bar.finish_and_clear();
            return entry.map(|failed| failed.with_context(|| reading(&self.folder)));
        };
        self.read += 1;
        self.read_bytes += entry.text.len() as u64 + 1;
        if self.read.is_multiple_of(STEP) {
            self.bar.set_position(self.read_bytes);
        }
        Some(Ok(entry))
    }
}

fn reading(folder: &Path) -> String {
    format!("cannot read the journal {}", folder.display())
}

/// The progress of reading; hidden unless standard error is a terminal.
fn bar(size_bytes: u64) -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{wide_bar} {percent:>3} %, {eta} left");
    ProgressBar::new(size_bytes).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
