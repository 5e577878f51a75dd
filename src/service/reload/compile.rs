//! From the files to a table, or to the reason why it cannot go live. At the start, the last good copy serves as well.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use tracing::{error, warn};

use super::last_good;
use super::sources::{Recorder, Sources, TableFiles};
use super::state::Origin;
use crate::language::{self, Compiled};
use crate::table::Table;
use crate::table::diagnostic::{Diagnostic, Severity};
use crate::table::visible::shown;
use crate::twilio::number::with_numbers_masked;

/// The most diagnostics of one reload that are logged individually.
const MOST_LOGGED: usize = 50;

/// Why a table cannot go live.
#[derive(Debug)]
pub enum Problem {
    /// What is wrong with the table of this name, warnings included.
    Diagnostics(String, Vec<Diagnostic>),
    /// Why there is no table, as a sentence: its file cannot be read, or the program fails on it.
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

    /// What is wrong; `show_numbers` leaves numbers unmasked.
    pub(super) fn findings(&self, show_numbers: bool) -> Vec<Finding> {
        match self {
            Self::Diagnostics(_, diagnostics) => Finding::all(diagnostics, show_numbers),
            Self::Unusable(reason) => vec![Finding::problem(reason)],
        }
    }
}

/// Reads and compiles a table, or its copy in a folder. The files that were read are returned in any case.
pub(super) fn compile(
    files: &TableFiles,
    copy: Option<&Path>,
) -> (Sources, Result<Compiled, Problem>) {
    let recorder = Recorder::new(files, copy);
    let result = match recorder.table() {
        Err(unreadable) => Err(Problem::Unusable(unreadable.to_string())),
        // Whatever a table does to the compiler, it must not end reloads for good.
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

/// The table as a reload takes it: if its tests fail, it does not go live.
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
            log(&Finding::all(&compiled.warnings, show_numbers));
            true
        }
        Err(problem) => {
            log(&problem.findings(show_numbers));
            false
        }
    }
}

/// Something that is wrong, or looks wrong, with the files on disk: for the log and for people who look from elsewhere.
/// Contains no line of a file, and numbers are masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether it keeps what is on disk from going live.
    pub is_error: bool,
    /// The file, the line and the column; `None` if it does not concern a place.
    pub place: Option<(String, usize, usize)>,
    /// The code of the check, empty without one.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do; may be empty.
    pub help: String,
    /// How many more like it there are that are not listed.
    pub more: Option<usize>,
    error_number: Option<u32>,
}

impl Finding {
    /// Diagnostics, errors first, since they say why a table did not go live; `show_numbers` leaves numbers unmasked.
    pub(crate) fn all(diagnostics: &[Diagnostic], show_numbers: bool) -> Vec<Self> {
        let shown = |text: &str| {
            if show_numbers {
                text.to_owned()
            } else {
                with_numbers_masked(text)
            }
        };
        let is_error = |diagnostic: &&Diagnostic| diagnostic.severity == Severity::Error;
        let (errors, warnings): (Vec<_>, Vec<_>) = diagnostics.iter().partition(is_error);
        let folded = language::folded(errors.into_iter().chain(warnings));
        let findings = folded.iter().take(MOST_LOGGED);
        let mut findings: Vec<Self> = findings
            .map(|one| {
                let diagnostic = one.diagnostic;
                let (line, column) = diagnostic.file.position(diagnostic.span.start);
                Self {
                    is_error: is_error(&diagnostic),
                    more: (one.more > 0).then_some(one.more),
                    place: Some((diagnostic.file.name.clone(), line, column)),
                    code: diagnostic.check.code,
                    message: shown(&diagnostic.message),
                    help: shown(&diagnostic.help),
                    error_number: diagnostic.error_number,
                }
            })
            .collect();
        let more = folded.len().saturating_sub(MOST_LOGGED);
        if more > 0 {
            let message = format!("{more} more are wrong; `check` shows all of them");
            findings.push(Self {
                is_error: false,
                ..Self::problem(&message)
            });
        }
        findings
    }

    /// An error known only as this sentence.
    pub(super) fn problem(message: &str) -> Self {
        Self {
            is_error: true,
            place: None,
            code: "",
            message: message.to_owned(),
            help: String::new(),
            more: None,
            error_number: None,
        }
    }

    /// Logs an event.
    fn log(&self) {
        let Self {
            code,
            message,
            help,
            more,
            error_number,
            ..
        } = self;
        match (&self.place, self.is_error) {
            (Some((file, line, column)), true) => {
                error!(
                    file,
                    line, column, code, help, error_number, more, "{message}"
                );
            }
            (Some((file, line, column)), false) => {
                warn!(
                    file,
                    line, column, code, help, error_number, more, "{message}"
                );
            }
            (None, true) => error!("{message}"),
            (None, false) => warn!("{message}"),
        }
    }
}

/// On one line.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((file, line, column)) = &self.place {
            write!(f, "{}:{line}:{column}: ", shown(file))?;
        }
        f.write_str(if self.is_error { "error" } else { "warning" })?;
        if !self.code.is_empty() {
            write!(f, "[{}]", self.code)?;
        }
        write!(f, ": {}", self.message)?;
        if !self.help.is_empty() {
            write!(f, "; {}", self.help)?;
        }
        self.more
            .map_or(Ok(()), |more| write!(f, "; and {more} more like it"))
    }
}

/// Logs findings, one event each.
pub(super) fn log(findings: &[Finding]) {
    findings.iter().for_each(Finding::log);
}

/// What is known about the first table of a service.
#[derive(Debug)]
pub struct First {
    /// What is wrong with the file, when a copy is in use instead.
    pub(super) problem: Option<Problem>,
    pub(super) origin: Origin,
    /// What merely looks wrong with the table, failed tests included: it does not keep a service from starting.
    pub(super) warnings: Vec<Diagnostic>,
    pub(super) sources: Sources,
    /// How many rows its directory files have.
    pub(super) rows: BTreeMap<String, usize>,
    /// The operator's files, good or bad.
    pub(super) attempted: Sources,
}

/// The table of a file, or else that of the last good copy.
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
