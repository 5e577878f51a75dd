//! From the files to a table, or to what keeps it from going live. At the start, the last good copy serves as well.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use tracing::{error, warn};

use super::last_good;
use super::sources::{Recorder, Sources, TableFiles};
use super::state::Origin;
use crate::language::{self, Compiled};
use crate::table::Table;
use crate::table::diagnostic::{Diagnostic, Severity};
use crate::twilio::number::with_numbers_masked;

/// The most diagnostics of one reload that are logged one by one.
const MOST_LOGGED: usize = 50;

/// Why a table cannot go live.
#[derive(Debug)]
pub enum Problem {
    /// What is wrong with the table of this name, warnings included.
    Diagnostics(String, Vec<Diagnostic>),
    /// Why there is no table, as a sentence: its file cannot be read, or the program breaks on it.
    Unusable(String),
}

impl Problem {
    /// How many errors there are.
    pub(super) fn errors(&self) -> usize {
        match self {
            Self::Diagnostics(_, diagnostics) => diagnostics
                .iter()
                .filter(|diagnostic| diagnostic.severity == Severity::Error)
                .map(|diagnostic| 1 + diagnostic.more)
                .sum(),
            Self::Unusable(_) => 1,
        }
    }

    /// Logs an event for each diagnostic.
    pub(super) fn log(&self, show_numbers: bool) {
        match self {
            Self::Diagnostics(_, diagnostics) => log(diagnostics, show_numbers),
            Self::Unusable(reason) => error!("{reason}"),
        }
    }
}

/// Reads and compiles a table, or the copy of it in a folder. The files that were read are known in any case.
pub(super) fn compile(
    files: &TableFiles,
    copy: Option<&Path>,
) -> (Sources, Result<Compiled, Problem>) {
    let recorder = Recorder::new(files, copy);
    let result = match recorder.table() {
        Err(unreadable) => Err(Problem::Unusable(unreadable.to_string())),
        // Whatever a table does to the compiler, it must not end the reloads for good.
        Ok(file) => match catch_unwind(AssertUnwindSafe(|| language::compile(&file, &recorder))) {
            Ok(result) => result.map_err(|found| Problem::Diagnostics(file.name.clone(), found)),
            Err(_) => Err(Problem::Unusable(format!(
                "a fault of the program: it cannot compile {}; please report it",
                file.name
            ))),
        },
    };
    (recorder.into_sources(), result)
}

/// The table as a reload takes it: one whose tests fail does not go live.
pub(super) fn compile_tested(files: &TableFiles) -> (Sources, Result<Compiled, Problem>) {
    let (sources, compiled) = compile(files, None);
    let tested = compiled.and_then(|mut compiled| {
        if compiled.failed_tests.is_empty() {
            return Ok(compiled);
        }
        for failed in &mut compiled.failed_tests {
            failed.severity = Severity::Error;
        }
        let name = files.table.display().to_string();
        Err(Problem::Diagnostics(name, compiled.failed_tests))
    });
    (sources, tested)
}

/// Whether a reload would put this table in use. Logs what is wrong with it, as a reload does.
#[must_use]
pub fn is_good(files: &TableFiles, show_numbers: bool) -> bool {
    match compile_tested(files).1 {
        Ok(compiled) => {
            log(&compiled.warnings, show_numbers);
            true
        }
        Err(problem) => {
            problem.log(show_numbers);
            false
        }
    }
}

/// Logs diagnostics, an event each, without the lines of the file; `show_numbers` leaves numbers unmasked.
pub(super) fn log(diagnostics: &[Diagnostic], show_numbers: bool) {
    let shown = |text: &str| {
        if show_numbers {
            text.to_owned()
        } else {
            with_numbers_masked(text)
        }
    };
    // The errors first: they say why the table did not go live.
    let (errors, warnings): (Vec<_>, Vec<_>) = diagnostics
        .iter()
        .partition(|diagnostic| diagnostic.severity == Severity::Error);
    let folded = language::folded(errors.into_iter().chain(warnings));
    for one in folded.iter().take(MOST_LOGGED) {
        let diagnostic = one.diagnostic;
        let (line, column) = diagnostic.file.position(diagnostic.span.start);
        let code = diagnostic.check.code;
        let file = diagnostic.file.name.as_str();
        let help = shown(&diagnostic.help);
        let message = shown(&diagnostic.message);
        let error_number = diagnostic.error_number;
        let more = (one.more > 0).then_some(one.more);
        match diagnostic.severity {
            Severity::Error => {
                error!(
                    file,
                    line, column, code, help, error_number, more, "{message}"
                );
            }
            Severity::Warning => {
                warn!(
                    file,
                    line, column, code, help, error_number, more, "{message}"
                );
            }
        }
    }
    let more = folded.len().saturating_sub(MOST_LOGGED);
    if more > 0 {
        warn!(more, "more is wrong; `check` shows all of it");
    }
}

/// What is known of the first table of a service.
#[derive(Debug)]
pub struct First {
    /// What is wrong with the file, when a copy is in use in its place.
    pub(super) problem: Option<Problem>,
    pub(super) origin: Origin,
    /// What only looks wrong with the table, failed tests included: they keep no service from starting.
    pub(super) warnings: Vec<Diagnostic>,
    pub(super) sources: Sources,
    /// How many rows its directory files have.
    pub(super) rows: BTreeMap<String, usize>,
    /// What the operator's files are, good or bad.
    pub(super) attempted: Sources,
}

/// The table of a file, else that of the last good copy.
///
/// # Errors
///
/// What is wrong with the file, and with the copy if there is one.
pub fn first(files: &TableFiles) -> Result<(Table, First), (Problem, Option<Problem>)> {
    let (attempted, result) = compile(files, None);
    let (origin, problem, sources, compiled) = match result {
        Ok(compiled) => (Origin::File, None, attempted.clone(), compiled),
        Err(problem) => match from_copy(files) {
            Ok(Some((origin, sources, compiled))) => (origin, Some(problem), sources, compiled),
            Ok(None) => return Err((problem, None)),
            Err(copy) => return Err((problem, Some(copy))),
        },
    };
    let mut warnings = compiled.warnings;
    warnings.extend(compiled.failed_tests.into_iter().map(|failed| Diagnostic {
        severity: Severity::Warning,
        ..failed
    }));
    let first = First {
        problem,
        origin,
        warnings,
        sources,
        rows: compiled.rows,
        attempted,
    };
    Ok((compiled.table, first))
}

/// The table of the last good copy; `None` when there is no copy.
fn from_copy(files: &TableFiles) -> Result<Option<(Origin, Sources, Compiled)>, Problem> {
    let Some(state_dir) = &files.state_dir else {
        return Ok(None);
    };
    let copy = last_good::current(state_dir)
        .map_err(|error| Problem::Unusable(format!("{}: {error}", state_dir.display())))?;
    let Some((folder, kept)) = copy else {
        return Ok(None);
    };
    let (sources, compiled) = compile(files, Some(&folder));
    Ok(Some((Origin::LastGood { kept }, sources, compiled?)))
}
