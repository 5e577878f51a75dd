//! The options of the journal, and its begin and end.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use tracing::warn;

use super::options::at_least_one;
use crate::journal::line::Beyond;
use crate::service::journal::{Closing, Journal, Options};
use crate::service::metrics::Metrics;

/// How long the end waits for what is still to be written.
const LAST_LINES: Duration = Duration::from_secs(5);

/// What is kept of requests, and where.
#[derive(Debug, Args)]
pub(super) struct JournalOptions {
    /// Folder for a line of every answer
    #[arg(long, value_name = "DIR", env = "TWIML_RESPONDER_JOURNAL")]
    pub journal: Option<PathBuf>,
    /// A parameter whose value it keeps, too
    #[arg(
        long,
        value_name = "NAME",
        env = "TWIML_RESPONDER_JOURNAL_VALUES",
        value_delimiter = ',',
        requires = "journal"
    )]
    pub journal_values: Vec<String>,
    /// Of others: masked or full
    #[arg(
        long,
        value_enum,
        value_name = "HOW",
        hide_possible_values = true,
        default_value = "masked",
        env = "TWIML_RESPONDER_JOURNAL_NUMBERS"
    )]
    pub journal_numbers: Numbers,
    /// Of a day: bytes, or with K, M or G
    #[arg(
        long,
        value_name = "SIZE",
        default_value = "512M",
        value_parser = size,
        env = "TWIML_RESPONDER_JOURNAL_MAX_SIZE"
    )]
    pub journal_max_size: u64,
    /// Days that have a file
    #[arg(
        long,
        value_name = "N",
        default_value = "31",
        value_parser = at_least_one,
        env = "TWIML_RESPONDER_JOURNAL_MAX_FILES"
    )]
    pub journal_max_files: usize,
}

/// How numbers are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Numbers {
    Masked,
    Full,
}

impl JournalOptions {
    /// Begins the journal, when one is asked for.
    pub(super) fn begin(self, metrics: &Arc<Metrics>) -> Result<Option<(Journal, Closing)>> {
        let Some(folder) = self.journal else {
            return Ok(None);
        };
        let beyond = Beyond {
            values: self
                .journal_values
                .into_iter()
                .filter(|name| !name.is_empty())
                .collect::<HashSet<_>>(),
            numbers: self.journal_numbers == Numbers::Full,
        };
        if beyond.numbers {
            warn!("the journal keeps other people's numbers whole");
        }
        let options = Options {
            folder,
            beyond,
            max_size_bytes: self.journal_max_size,
            max_files: self.journal_max_files,
        };
        Journal::begin(options, Arc::clone(metrics))
            .map(Some)
            .context("cannot start the thread of the journal")
    }
}

/// Waits until the last lines are written, as long as can be expected of a disk.
pub(super) fn end(closing: Closing) {
    if !closing.wait(LAST_LINES) {
        warn!("the disk is too slow, the journal's last lines may be lost");
    }
}

/// A size as people write it: bytes, or with the letter of a power of 1024.
pub(in crate::commands) fn size(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.char_indices().next_back() {
        Some((at, 'K' | 'k')) => (&text[..at], 1 << 10),
        Some((at, 'M' | 'm')) => (&text[..at], 1 << 20),
        Some((at, 'G' | 'g')) => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits
        .parse::<u64>()
        .ok()
        .filter(|_| is_number)
        .and_then(|number| number.checked_mul(unit))
        .filter(|&size| size > 0)
        .ok_or_else(|| "write a size such as 500000, 64M or 2G".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_and_its_unit() {
        for (text, bytes) in [
            ("1", 1),
            ("64K", 65_536),
            ("2m", 2_097_152),
            ("1G", 1 << 30),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "0",
            "M",
            "-1",
            "+1",
            "1 M",
            "1T",
            "1.5G",
            "99999999999G",
            "٣",
        ] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
