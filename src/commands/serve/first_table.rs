//! The table that the service begins with.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Error, Result, anyhow};

use super::options::TableOptions;
use crate::commands::load_table::show_errors;
use crate::service::reload::{self, ENDED, First, NoCopy, Problem};
use crate::table::Table;

/// The table. When it is bad, the last good copy; without one, what is wrong is written to standard error. What only
/// looks wrong is for the log of the service.
pub(super) fn read(options: &TableOptions, state_dir: Option<&Path>) -> Result<(Table, First)> {
    reload::first(&options.config, state_dir).map_err(|none| {
        let problem = shown(&options.config, none.problem);
        let copy = none.copy.map(|copy| match copy {
            NoCopy::Unusable(reason) => reason,
            NoCopy::Diagnostics(name, diagnostics) => {
                let errors = show_errors(&name, &diagnostics);
                format!("the last good copy cannot be used either: {errors}")
            }
        });
        match copy {
            Some(copy) => anyhow!("{problem}; {copy}"),
            None => problem,
        }
    })
}

/// The folder for the last good copy: the option, else the one that systemd gives.
pub(super) fn state_dir(options: &TableOptions) -> Option<PathBuf> {
    options.state_dir.clone().or_else(|| {
        let given = env::var_os("STATE_DIRECTORY").filter(|given| !given.is_empty())?;
        // systemd gives all of a unit's folders, parted by colons.
        env::split_paths(&given).next()
    })
}

fn shown(config: &Path, problem: Problem) -> Error {
    match problem {
        Problem::Diagnostics(diagnostics) => {
            show_errors(&config.display().to_string(), &diagnostics)
        }
        Problem::Unreadable(unreadable) => Error::new(unreadable),
        Problem::Ended => anyhow!("{ENDED}"),
        Problem::Fault => anyhow!(
            "a fault of the program: it cannot compile {}",
            config.display()
        ),
    }
}
