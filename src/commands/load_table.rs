//! Loads the table of a command, and prints its diagnostics on standard error.

use std::io::stderr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use annotate_snippets::Renderer;
use anyhow::{Error, Result, anyhow};

use super::output;
use crate::language::{self, Compiled};
use crate::service::reload::Finding;
use crate::service::table_file::{self, Beside};
use crate::table::diagnostic::{Diagnostic, Severity};

/// The table of a command whose positional arguments are something else.
#[derive(Debug, clap::Args)]
pub(super) struct TableOption {
    /// Read the table from this file
    #[arg(short, long, value_name = "FILE", default_value = "responses.toml")]
    pub table: PathBuf,
    #[command(flatten)]
    pub limit: DirectoryLimit,
}

/// The table of a command that takes no other positional arguments.
#[derive(Debug, clap::Args)]
pub(super) struct TableArgument {
    /// Read the table from this file, as with --table
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    pub option: TableOption,
}

impl TableArgument {
    /// The file given in either way.
    pub(super) fn path(&self) -> &Path {
        self.file.as_ref().unwrap_or(&self.option.table)
    }
}

/// How large the files of a table may be.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct DirectoryLimit {
    /// Refuse directory files larger than this
    #[arg(long, value_name = "SIZE", default_value = "128M", value_parser = size)]
    pub max_directory: u64,
}

/// Compiles the table in a file, and writes its warnings and the number of failed tests to standard error. A failed
/// test keeps an edit from going live, but does not keep a command from using the table.
///
/// # Errors
///
/// The file cannot be read, or the table has errors, which are written to standard error.
pub(super) fn load_table(path: &Path, limit: DirectoryLimit) -> Result<Compiled> {
    let file = table_file::read(path)?;
    let compiled = language::compile(&file, &Beside::table(path, limit.max_directory))
        .map_err(|diagnostics| show_errors(&file.name, &diagnostics))?;
    if !compiled.warnings.is_empty() {
        output::complain(&drawn(&compiled.warnings, &stderr()));
    }
    let failed = compiled.failed_tests.len();
    if failed > 0 {
        let fail = if failed == 1 { "fails" } else { "fail" };
        let tests = output::counted(failed as u64, "test");
        let line = format!("warning: {tests} of {} {fail}; `check` says why", file.name);
        output::complain(&output::shown(&line));
    }
    Ok(compiled)
}

/// Writes diagnostics to standard error and returns an error that says how many of them are errors.
pub(super) fn show_errors(name: &str, diagnostics: &[Diagnostic]) -> Error {
    output::complain(&drawn(diagnostics, &stderr()));
    let errors = count(diagnostics, Severity::Error);
    anyhow!("{name} has {}", output::counted(errors, "error"))
}

/// The number of diagnostics with this severity, including those that are not listed one by one.
pub(super) fn count(diagnostics: &[Diagnostic], severity: Severity) -> u64 {
    let severe = diagnostics.iter().filter(|one| one.severity == severity);
    severe.map(|diagnostic| 1 + diagnostic.more as u64).sum()
}

/// The most diagnostics that are drawn or printed.
pub(super) const MOST_PRINTED: usize = 1_000;

/// Diagnostics drawn for a terminal: of those that are alike a few. [`output`] strips the colours elsewhere. For a stream that
/// goes to systemd's journal, as the log has them: without lines of the file, and with numbers masked.
pub(super) fn drawn(diagnostics: &[Diagnostic], stream: &impl AsFd) -> String {
    if output::is_journal(stream) {
        let findings = Finding::all(diagnostics, false);
        let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
        return lines.join("\n");
    }
    let renderer = Renderer::styled();
    let shown = language::folded(diagnostics);
    let drawings = shown.iter().take(MOST_PRINTED);
    let mut drawings: Vec<String> = drawings
        .map(|shown| format!("{}\n", shown.draw(&renderer)))
        .collect();
    let left = shown
        .iter()
        .skip(MOST_PRINTED)
        .map(|shown| 1 + shown.more as u64)
        .sum();
    if left > 0 {
        drawings.push(format!(
            "and {}\n",
            output::counted(left, "more diagnostic")
        ));
    }
    drawings.join("\n")
}

/// A number of bytes, optionally followed by the letter of a power of 1024.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.char_indices().next_back() {
        Some((at, 'K' | 'k')) => (&text[..at], 1 << 10),
        Some((at, 'M' | 'm')) => (&text[..at], 1 << 20),
        Some((at, 'G' | 'g')) => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    // `parse` would also accept a sign.
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
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
