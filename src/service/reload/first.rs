//! The table that the service begins with: that of the file, else the last good copy.

use std::collections::BTreeMap;

use super::compile::{Problem, compile};
use super::last_good::LastGood;
use super::sources::{Sources, TableFiles};
use super::state::Origin;
use crate::language::Compiled;
use crate::table::Table;
use crate::table::diagnostic::{Diagnostic, Severity};

/// Where the first table of a service came from.
#[derive(Debug)]
pub struct First {
    /// What is wrong with the file, when a copy is in use in its place.
    pub problem: Option<Problem>,
    /// Where the table came from.
    pub origin: Origin,
    /// What only looks wrong with the table, failed tests included: they keep no service from starting.
    pub(super) warnings: Vec<Diagnostic>,
    /// What the table is made of.
    pub(super) sources: Sources,
    /// The rows of its directory files.
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
    let unusable = |error| Problem::Unusable(format!("{}: {error}", state_dir.display()));
    let copy = LastGood::new(state_dir.clone()).current();
    let Some(copy) = copy.map_err(unusable)? else {
        return Ok(None);
    };
    let (sources, compiled) = compile(files, Some(&copy.folder));
    let origin = Origin::LastGood { kept: copy.kept };
    Ok(Some((origin, sources, compiled?)))
}
