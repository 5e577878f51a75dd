//! Reading the file that holds the table.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::output;
use crate::config::{self, Compiled};
use crate::diagnostic::{Severity, Source};

/// The text of a file.
pub(super) fn read(path: &Path) -> Result<String> {
    let bytes =
        fs::read(path).with_context(|| format!("cannot read the table {}", path.display()))?;
    String::from_utf8(bytes).map_err(|error| {
        let readable =
            String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
        let line = readable.matches('\n').count() + 1;
        anyhow::anyhow!(
            "the table {} is not UTF-8 in line {line}: save it as UTF-8",
            path.display()
        )
    })
}

/// The table of a file, with its warnings written to standard error. With errors they are written there too,
/// and it cannot be done.
pub(super) fn compile(path: &Path) -> Result<Compiled> {
    let text = read(path)?;
    let name = path.display().to_string();
    let source = Source {
        name: &name,
        text: &text,
    };
    match config::compile(&source) {
        Ok(compiled) => {
            if !compiled.warnings.is_empty() {
                output::complain(&output::drawn(&compiled.warnings, &source));
            }
            Ok(compiled)
        }
        Err(diagnostics) => {
            output::complain(&output::drawn(&diagnostics, &source));
            let errors = diagnostics
                .iter()
                .filter(|diagnostic| diagnostic.severity == Severity::Error)
                .count();
            bail!("{name} has {}", output::counted(errors, "error"))
        }
    }
}
