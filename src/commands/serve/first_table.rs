//! The table that the service begins with.

use std::env;

use anyhow::{Error, Result, anyhow};

use super::options::TableOptions;
use crate::commands::load_table::show_errors;
use crate::service::reload::{self, First, Problem, TableFiles};
use crate::table::Table;

/// The table. When it is bad, the last good copy; without one, what is wrong is written to standard error. What only
/// looks wrong is for the log of the service.
pub(super) fn read(files: &TableFiles) -> Result<(Table, First)> {
    reload::first(files).map_err(|(problem, copy)| {
        let problem = shown(problem);
        match copy.map(shown) {
            Some(copy) => anyhow!("{problem}; the last good copy cannot be used either: {copy}"),
            None => problem,
        }
    })
}

/// Where the files are. The folder for the last good copy is that of the option, else the one that systemd gives.
pub(super) fn files(options: TableOptions) -> TableFiles {
    TableFiles {
        table: options.config,
        max_directory: options.limit.max_directory,
        state_dir: options.state_dir.or_else(|| {
            let given = env::var_os("STATE_DIRECTORY").filter(|given| !given.is_empty())?;
            // systemd gives all folders of a unit, separated by colons.
            env::split_paths(&given).next()
        }),
    }
}

fn shown(problem: Problem) -> Error {
    match problem {
        Problem::Diagnostics(name, diagnostics) => show_errors(&name, &diagnostics),
        Problem::Unusable(reason) => anyhow!(reason),
    }
}
