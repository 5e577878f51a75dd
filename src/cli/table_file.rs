//! Reading the file that holds the table, and the files of its directories.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};

use super::output;
use crate::config::{self, Compiled, Files};
use crate::diagnostic::{File, Severity};

/// A table's file.
pub(super) fn read(path: &Path) -> Result<Arc<File>> {
    let bytes =
        fs::read(path).with_context(|| format!("cannot read the table {}", path.display()))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let readable =
            String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
        let line = readable.matches('\n').count() + 1;
        anyhow::anyhow!(
            "the table {} is not UTF-8 in line {line}: save it as UTF-8",
            path.display()
        )
    })?;
    Ok(File::new(path.display().to_string(), text))
}

/// The files beside a table.
pub(super) struct Beside(PathBuf);

impl Beside {
    /// Those in the folder of this table.
    pub(super) fn table(path: &Path) -> Self {
        Self(path.parent().unwrap_or(Path::new("")).to_owned())
    }
}

impl Files for Beside {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        fs::read(self.0.join(path)).map_err(|error| error.to_string())
    }
}

/// The table of a file, with its warnings and failed tests written to standard error. With errors they are written
/// there too, and it cannot be done.
pub(super) fn compile(path: &Path) -> Result<Compiled> {
    let file = read(path)?;
    match config::compile(&file, &Beside::table(path)) {
        Ok(mut compiled) => {
            // A failed test keeps an edit from going live; what runs on the table runs all the same.
            for failed in &mut compiled.failed_tests {
                failed.severity = Severity::Warning;
            }
            for diagnostics in [&compiled.warnings, &compiled.failed_tests] {
                if !diagnostics.is_empty() {
                    output::complain(&output::drawn(diagnostics));
                }
            }
            Ok(compiled)
        }
        Err(diagnostics) => {
            output::complain(&output::drawn(&diagnostics));
            let errors = diagnostics
                .iter()
                .filter(|diagnostic| diagnostic.severity == Severity::Error)
                .count();
            bail!("{} has {}", file.name, output::counted(errors, "error"))
        }
    }
}
