//! Reads the lines of a journal for a command, with a progress bar on a terminal.

use std::io::{IsTerminal, stderr};
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use indicatif::{ProgressBar, ProgressStyle};

use crate::service::journal_reader::{Entry, JournalLines};

/// The lines of a folder in order of time, and the progress of reading them. An error when there is no journal.
pub(super) fn recorded_lines(
    folder: &Path,
) -> Result<(ProgressBar, impl Iterator<Item = Result<Entry>>)> {
    let reading = || format!("cannot read the journal {}", folder.display());
    let lines = JournalLines::of(folder).with_context(reading)?;
    let size_bytes = lines.size_bytes.ok_or_else(|| {
        anyhow!(
            "there is no journal in {}: its files have names such as journal-2026-11-25.jsonl",
            folder.display()
        )
    })?;
    let bar = if stderr().is_terminal() {
        let style = ProgressStyle::with_template("{wide_bar} {percent:>3} %, {eta} left");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::new(size_bytes).with_style(style)
    } else {
        ProgressBar::hidden()
    };
    let progress = bar.clone();
    let entries = lines.map(move |entry| {
        let entry = entry.with_context(reading)?;
        bar.inc(entry.text.len() as u64 + 1);
        Ok(entry)
    });
    Ok((progress, entries))
}
