//! How the table in use came to be, and how the last attempt to replace it went.

use std::fmt;

use jiff::Timestamp;
use strum::Display;

use super::compile::Finding;

/// What is reported to monitoring, `/readyz` and systemd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// How many routes the table in use has.
    pub routes: usize,
    /// Tells two tables apart: the first 16 hexadecimal digits of a SHA-256 of the table's and its directories' files.
    pub hash: String,
    /// Where the table in use came from.
    pub origin: Origin,
    /// Whether all that is on disk is in use.
    pub last: ReloadOutcome,
    /// When a table was last put in use, or found to match the one in use.
    pub succeeded: Timestamp,
    /// What is wrong, or looks wrong, with the files on disk.
    pub findings: Vec<Finding>,
}

/// Where a table came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The file that the operator edits.
    File,
    /// The last good copy, made at that time, because the file was bad when the service started.
    LastGood {
        /// When the copy was made.
        kept: Timestamp,
    },
}

/// What is read from files, each part separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display)]
#[strum(serialize_all = "lowercase")]
pub enum Part {
    /// The table with its directory files.
    Table,
    /// Auth tokens, shared keys, and the keys of the voice webhooks.
    Secrets,
    /// The certificate and its key.
    Certificate,
}

/// How an attempt to put the files on disk in use went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReloadOutcome {
    /// It is in use.
    Good,
    /// Some of it is not: a file is missing, or something is wrong with it.
    Failed {
        /// How many errors there are.
        errors: usize,
        /// What stays as it was.
        parts: Vec<Part>,
    },
    /// The table on disk waits for an explicit reload: a directory file lost more than half of its rows.
    Waiting {
        /// The file, as the table names it.
        file: String,
        /// How many rows it has in the table in use.
        before: usize,
        /// How many rows it has now.
        rows: usize,
    },
    /// The table on disk waits for an explicit reload: a directory file now ends in the middle of a line.
    CutOff {
        /// The file, as the table names it.
        file: String,
    },
}

impl State {
    /// Whether anything on disk is not in use, because it is bad or needs an explicit reload.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        self.origin != Origin::File || self.last != ReloadOutcome::Good
    }
}

/// The names of parts: `table, secrets`.
pub(super) fn named(parts: &[Part]) -> String {
    let names: Vec<String> = parts.iter().map(ToString::to_string).collect();
    names.join(", ")
}

/// One line without phone numbers: `12 routes, table 3f2a…`, and what is not as it should be.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.routes == 1 { "route" } else { "routes" };
        write!(f, "{} {noun}, table {}", self.routes, self.hash)?;
        if let Origin::LastGood { kept } = self.origin {
            write!(f, "; degraded: the last good copy of {kept:.0} is in use")?;
        }
        match &self.last {
            ReloadOutcome::Good => Ok(()),
            ReloadOutcome::Failed { errors, parts } => {
                let noun = if *errors == 1 { "error" } else { "errors" };
                let parts = named(parts);
                write!(f, "; the last reload failed with {errors} {noun} ({parts})")
            }
            ReloadOutcome::Waiting { file, before, rows } => {
                write!(
                    f,
                    "; {file} went from {before} to {rows} rows and waits for SIGHUP"
                )
            }
            ReloadOutcome::CutOff { file } => {
                write!(
                    f,
                    "; {file} ends in the middle of a line and waits for SIGHUP"
                )
            }
        }
    }
}
