//! From the files to a table, at the start of the service and at every reload.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use super::attempt::{self, Attempt};
use super::last_good::LastGood;
use super::parts::{Part, Parts, Recorder, Stamp};
use super::report;
use super::state::Origin;
use crate::language::{self, Compiled, Files};
use crate::service::table_file::{self, Unreadable};
use crate::table::Table;
use crate::table::diagnostic::{Diagnostic, File, Severity};

/// What an operator is told of [`Problem::Ended`].
pub const ENDED: &str = "the program has died more than once while it compiled these files, most likely for want of memory: \
    they are passed over until they change or a reload is asked for";

/// Why a table cannot go live.
#[derive(Debug)]
pub enum Problem {
    /// Its file cannot be read.
    Unreadable(Unreadable),
    /// What is wrong with it, warnings included.
    Diagnostics(Vec<Diagnostic>),
    /// The program broke on it.
    Fault,
    /// The program has ended while it compiled these files, more than once.
    Ended,
}

impl Problem {
    /// How many errors there are.
    pub(super) fn errors(&self) -> usize {
        match self {
            Self::Diagnostics(diagnostics) => report::errors(diagnostics),
            Self::Unreadable(_) | Self::Fault | Self::Ended => 1,
        }
    }
}

/// [`language::compile`], or the same in another manner.
pub(super) type Compile = fn(&Arc<File>, &dyn Files) -> Result<Compiled, Vec<Diagnostic>>;

/// Reads and compiles a table; what it is made of is known in any case, as far as it was read. A try that ends the
/// program is known in `state_dir`.
pub(super) fn compile(
    path: &Path,
    state_dir: Option<&Path>,
    compile: Compile,
) -> (Parts, Result<Compiled, Problem>) {
    let stamp = Stamp::of(path);
    // A pipe would keep the reloads waiting for ever.
    let read = table_file::open(path)
        .map_err(|error| Unreadable::File(path.to_owned(), error))
        .and_then(|_| table_file::read(path));
    let file = match read {
        Ok(file) => file,
        Err(unreadable) => {
            let parts = Parts {
                table: Part::read(path),
                ..Parts::default()
            };
            return (parts, Err(Problem::Unreadable(unreadable)));
        }
    };
    let recorder = Recorder::new(path, Attempt::begin(state_dir, path));
    // Whatever a table does to the compiler, it must not end the reloads for good.
    let compiled = catch_unwind(AssertUnwindSafe(|| compile(&file, &recorder)));
    let parts = Parts {
        table: Part::new(file.text.as_bytes(), stamp),
        directories: recorder.into_directories(),
    };
    let result = match compiled {
        Ok(result) => result.map_err(Problem::Diagnostics),
        Err(_) => Err(Problem::Fault),
    };
    (parts, result)
}

/// A table whose tests fail is no table to go live with.
pub(super) fn with_tests(compiled: Compiled) -> Result<Compiled, Problem> {
    if compiled.failed_tests.is_empty() {
        return Ok(compiled);
    }
    let mut diagnostics = compiled.failed_tests;
    for failed in &mut diagnostics {
        failed.severity = Severity::Error;
    }
    Err(Problem::Diagnostics(diagnostics))
}

/// Where the first table of a service came from.
#[derive(Debug)]
pub struct First {
    /// What is wrong with the file, when a copy is in use in its place.
    pub problem: Option<Problem>,
    /// Where the table came from.
    pub origin: Origin,
    /// What only looks wrong with the table, its failed tests among it: they keep no service from starting.
    pub(super) warnings: Vec<Diagnostic>,
    pub(super) parts: Parts,
    /// What the file is made of, good or bad.
    pub(super) attempted: Parts,
}

/// Why there is no first table.
#[derive(Debug)]
pub struct NoTable {
    /// What is wrong with the file.
    pub problem: Problem,
    /// What is wrong with the last good copy, when there is one.
    pub copy: Option<NoCopy>,
}

/// What is wrong with a last good copy.
#[derive(Debug)]
pub enum NoCopy {
    /// It cannot be read, or is not as it was written: where it is, and why.
    Unusable(String),
    /// What this version of the program finds wrong with its table, by its name.
    Diagnostics(String, Vec<Diagnostic>),
}

/// The table of a file, else that of the last good copy in `state_dir`.
///
/// # Errors
///
/// What is wrong with both.
pub fn first(path: &Path, state_dir: Option<&Path>) -> Result<(Table, First), NoTable> {
    if let Some(state_dir) = state_dir
        && let Some(attempted) = attempt::passed_over(state_dir, path)
        && let Ok(Some(copy)) = copy(state_dir)
    {
        return Ok(from_copy(copy, Problem::Ended, attempted));
    }
    let (parts, result) = compile(path, state_dir, language::compile);
    let problem = match result {
        Ok(compiled) => {
            let first = First {
                problem: None,
                origin: Origin::File,
                warnings: warnings(compiled.warnings, compiled.failed_tests),
                attempted: parts.clone(),
                parts,
            };
            return Ok((compiled.table, first));
        }
        Err(problem) => problem,
    };
    let Some(state_dir) = state_dir else {
        return Err(NoTable {
            problem,
            copy: None,
        });
    };
    match copy(state_dir) {
        Ok(Some(copy)) => Ok(from_copy(copy, problem, parts)),
        Ok(None) => Err(NoTable {
            problem,
            copy: None,
        }),
        Err(copy) => Err(NoTable {
            problem,
            copy: Some(copy),
        }),
    }
}

/// Warnings and failed tests as one list, in which a failed test is a warning.
fn warnings(mut warnings: Vec<Diagnostic>, failed_tests: Vec<Diagnostic>) -> Vec<Diagnostic> {
    warnings.extend(failed_tests.into_iter().map(|failed| Diagnostic {
        severity: Severity::Warning,
        ..failed
    }));
    warnings
}

/// A copy's table, when it was kept, and what it is made of.
type CompiledCopy = (Compiled, Timestamp, Parts);

fn from_copy(
    (compiled, kept, parts): CompiledCopy,
    problem: Problem,
    attempted: Parts,
) -> (Table, First) {
    let first = First {
        problem: Some(problem),
        origin: Origin::LastGood { kept },
        warnings: warnings(compiled.warnings, compiled.failed_tests),
        parts,
        attempted,
    };
    (compiled.table, first)
}

fn copy(state_dir: &Path) -> Result<Option<CompiledCopy>, NoCopy> {
    let last_good = LastGood::new(state_dir.to_owned());
    let unusable = |reason: String| {
        let place = last_good.place();
        NoCopy::Unusable(format!(
            "the last good copy {} cannot be used: {reason}",
            place.display()
        ))
    };
    let Some((copy, parts)) = last_good.load().map_err(unusable)? else {
        return Ok(None);
    };
    let compiled = catch_unwind(AssertUnwindSafe(|| language::compile(&copy.table, &copy)));
    match compiled {
        Ok(Ok(compiled)) => Ok(Some((compiled, copy.kept, parts))),
        Ok(Err(diagnostics)) => Err(NoCopy::Diagnostics(
            Arc::clone(&copy.table).name.clone(),
            diagnostics,
        )),
        Err(_) => Err(unusable("the program breaks on it".to_owned())),
    }
}
