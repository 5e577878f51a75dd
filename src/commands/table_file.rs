//! A table for a command, with what was found about it on standard error.

use std::path::Path;

use anyhow::{Error, Result, anyhow};

use super::output;
use super::serve::size;
use crate::language::{self, Compiled};
use crate::service::table_file::{self, Beside};
use crate::table::diagnostic::{Diagnostic, Severity};

/// How large the files of a table may be.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct DirectoryLimit {
    /// The largest file of a directory
    #[arg(
        long,
        value_name = "SIZE",
        default_value = "128M",
        value_parser = size,
        env = "TWIML_RESPONDER_MAX_DIRECTORY"
    )]
    pub max_directory: u64,
}

/// The table of a file, with its warnings and failed tests written to standard error. With errors they are written
/// there too, and it cannot be done.
pub(super) fn compile(path: &Path, limit: DirectoryLimit) -> Result<Compiled> {
    let file = table_file::read(path)?;
    match language::compile(&file, &Beside::table(path, limit.max_directory)) {
        Ok(mut compiled) => {
            show_warnings(&mut compiled);
            Ok(compiled)
        }
        Err(diagnostics) => Err(show_errors(&file.name, &diagnostics)),
    }
}

/// Writes warnings and failed tests to standard error. A failed test keeps an edit from going live; what runs on the
/// table runs all the same.
fn show_warnings(compiled: &mut Compiled) {
    for failed in &mut compiled.failed_tests {
        failed.severity = Severity::Warning;
    }
    for diagnostics in [&compiled.warnings, &compiled.failed_tests] {
        if !diagnostics.is_empty() {
            output::complain(&output::drawn(diagnostics));
        }
    }
}

/// Writes what is wrong to standard error; the error says how much it is.
pub(super) fn show_errors(name: &str, diagnostics: &[Diagnostic]) -> Error {
    output::complain(&output::drawn(diagnostics));
    let errors = diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .count();
    anyhow!("{name} has {}", output::counted(errors, "error"))
}
