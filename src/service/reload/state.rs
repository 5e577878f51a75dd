//! How the table in use came to be, and how the last try to replace it went.

use std::fmt;

use jiff::Timestamp;

/// What monitoring, `/readyz` and systemd are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// How many routes the table in use has.
    pub routes: usize,
    /// What tells two tables apart: the first 16 hexadecimal digits of a SHA-256 of the table's file and its
    /// directory files.
    pub hash: String,
    /// Where the table in use came from.
    pub origin: Origin,
    /// How the last try to put a table in use went.
    pub last: ReloadOutcome,
    /// When a table was last put in use, or found to be as it is in use.
    pub succeeded: Timestamp,
}

/// Where a table came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The file that the operator edits.
    File,
    /// The last good copy, made then, because the file was bad when the service started.
    LastGood {
        /// When the copy was made.
        kept: Timestamp,
    },
}

/// How a try to put a table in use went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReloadOutcome {
    /// It is in use.
    Good,
    /// It is not: the file is missing, or something is wrong with it.
    Failed {
        /// How many errors were found.
        errors: usize,
    },
    /// It is not, until somebody asks for it: a directory file has lost more than half of its rows.
    Waiting {
        /// The file, as the table names it.
        file: String,
        /// How many rows it has in the table in use.
        before: usize,
        /// How many rows it has now.
        rows: usize,
    },
    /// It is not, until somebody asks for it: a directory file ends in the middle of a line, as it did not before.
    CutOff {
        /// The file, as the table names it.
        file: String,
    },
}

impl State {
    /// Whether a last good copy is in use because the file was bad when the service started.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        self.origin != Origin::File
    }
}

/// One line without numbers of anybody: `12 routes, table 3f2a…`, and what is not as it should be.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.routes == 1 { "route" } else { "routes" };
        write!(f, "{} {noun}, table {}", self.routes, self.hash)?;
        if let Origin::LastGood { kept } = self.origin {
            write!(f, "; degraded: the last good copy of {kept:.0} is in use")?;
        }
        match &self.last {
            ReloadOutcome::Good => Ok(()),
            ReloadOutcome::Failed { errors } => {
                let noun = if *errors == 1 { "error" } else { "errors" };
                write!(f, "; the last reload failed with {errors} {noun}")
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
