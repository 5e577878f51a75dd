//! Turns `responses.toml` into a [`Table`], or reports everything that is wrong with it at once.
//!
//! One function, [`compile`], serves the service, `check` and `explain`. It opens no files and keeps no state: text in,
//! table or diagnostics out.

mod attributes;
mod checks;
mod conditions;
mod coverage;
mod dead_routes;
mod dialling;
mod directories;
mod directory_file;
mod documents;
mod drawing;
pub mod editor;
mod element_remedies;
mod elements;
mod extra;
mod fixes;
pub mod import;
mod menus;
mod names;
mod pairs;
mod routes;
mod rules;
mod schedules;
pub mod schema;
mod sessions;
mod settings;
mod shape;
mod stray_markup;
mod syntax;
mod table_tests;
mod texts;
mod urls;
mod values;
mod whole;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use toml::de::DeTable;

use self::directory_file::Places;
use self::names::{Names, Uses, first_places};
use self::schedules::Passing;
use crate::table::diagnostic::{Diagnostic, File};
use crate::table::guard::Limits;
use crate::table::intercept::Intercept;
use crate::table::problems::{self, Problems};
use crate::table::{DefaultReplies, Route, Table};
use crate::twilio::parameters;

pub use self::checks::CHECKS;
pub use self::coverage::Coverage;
pub use self::directory_file::{Files, NoFiles};
pub use self::drawing::{Shown, folded};
pub use self::fixes::{Mended, fixed, mend};
pub use self::table_tests::RanTest;
pub use self::values::never_sent;

/// A table that may go live, and what was found while compiling it.
#[derive(Debug)]
pub struct Compiled {
    /// The table.
    pub table: Table,
    /// The warnings, sorted by place.
    pub warnings: Vec<Diagnostic>,
    /// The tests that did not get the answer they expect, sorted by place. They keep an edit from going live, but do
    /// not keep the service from starting.
    pub failed_tests: Vec<Diagnostic>,
    /// The number of rows in each directory file, by its path as written in the table.
    pub rows: BTreeMap<String, usize>,
    /// The query fields that the operator added.
    pub own_parameters: BTreeSet<String>,
    tests: Vec<RanTest>,
    passing: Vec<Passing>,
}

impl Compiled {
    /// Its tests, in file order.
    #[must_use]
    pub fn tests(&self) -> &[RanTest] {
        &self.tests
    }

    /// Warnings about the days of schedules that have passed more than a month before this moment, in no order: last week's
    /// holiday is not a mistake. The table is compiled without a clock, so that it is the same at every hour.
    #[must_use]
    pub fn passed_days(&self, now: Timestamp) -> Vec<Diagnostic> {
        const MONTH: SignedDuration = SignedDuration::from_hours(31 * 24);
        let passed = self.passing.iter();
        let passed = passed.filter(|passing| now.duration_since(passing.end) >= MONTH);
        passed.map(|passing| passing.warning.clone()).collect()
    }

    /// What the tests reach. Compiling a table leaves this out because it checks every route against every test.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        coverage::coverage(&self.table, &self.tests)
    }
}

/// Sorts diagnostics into display order: those in the table's own file first, then by file and place.
pub fn sort(diagnostics: &mut [Diagnostic], table: &Arc<File>) {
    problems::sort(diagnostics, table);
}

/// Compiles a table.
///
/// # Errors
///
/// If the file or any of its directory files has an error: all their diagnostics, warnings included, sorted by place.
pub fn compile(file: &Arc<File>, files: &dyn Files) -> Result<Compiled, Vec<Diagnostic>> {
    // The shape: TOML with the place of every value, syntax errors, and unknown keys.
    let (mut tree, errors) = DeTable::parse_recoverable(syntax::readable(file));
    let repaired = (!errors.is_empty()).then(|| syntax::repaired(file));
    if let Some(repaired) = &repaired {
        tree = DeTable::parse_recoverable(&repaired.file.text).0;
    }
    let mut problems = Problems::new(repaired.as_ref().map_or(file, |repaired| &repaired.file));
    shape::FILE.correct(&mut problems, tree.get_mut(), shape::THE_FILE);
    let table_file = file;
    let file = tree.get_ref();

    // The meaning: each value goes through the parser of its type, starting with what others refer to.
    let mut uses = Uses::default();
    let names = names(&mut problems, &mut uses, file, files);
    let limits = settings::limits(&mut problems, file.get("loop_guard"));
    let routes = routes::routes(&names, &mut problems, &mut uses, file.get("route"));
    let intercepts = routes::intercepts(&names, &mut problems, &mut uses, file.get("intercept"));
    let default = routes::default_replies(&names, &mut problems, file.get("default"));

    // The table as a whole.
    whole::check(&names, &mut problems, file, &uses);
    let rules = (limits, whole::waiting_steps(&uses));
    let table = if repaired.is_none() {
        table(&names, &mut problems, routes, intercepts, default, rules)
    } else {
        None
    };
    if let Some(table) = &table {
        menus::check(&names, table, &uses, &mut problems);
    }

    // The tests in the file.
    let (failed_tests, tests) = table_tests::run_tests(&names, &mut problems, file, table.as_ref());
    match table {
        Some(table) if !problems.has_errors() => Ok(Compiled {
            table,
            warnings: problems.into_sorted(),
            failed_tests,
            rows: names.rows(),
            own_parameters: names.own_parameters,
            tests,
            passing: names.passing,
        }),
        _ => {
            let mut found = problems.into_sorted();
            if let Some(repaired) = repaired {
                repaired.restore(&mut found);
                problems::sort(&mut found, table_file);
            }
            Err(found)
        }
    }
}

/// Everything that the parts of the file refer to by name.
fn names(problems: &mut Problems, uses: &mut Uses, file: &DeTable<'_>, files: &dyn Files) -> Names {
    let mut names = Names {
        routes: first_places(file.get("route")),
        intercepts: first_places(file.get("intercept")),
        parameters: parameters::all().map(Arc::from).collect(),
        ..Names::default()
    };
    names.own_parameters = settings::parameters(problems, file.get("parameters"));
    names.extra = extra::extra(problems, file.get("extra"));
    (names.schedules, names.passing) = schedules::schedules(problems, file.get("schedule"));
    names.directories = directories::directories(problems, file.get("directory"), files);
    // From here on, texts refer to directories and elements to defaults.
    names.defaults = attributes::defaults(&names, problems, uses, file.get("defaults"));
    names.replies = routes::named_replies(&names, problems, uses, file.get("reply"));
    names
}

/// The table, or `None` when it has errors.
fn table(
    names: &Names,
    problems: &mut Problems,
    routes: Vec<(Route, Range<usize>)>,
    intercepts: Vec<(Intercept, Range<usize>)>,
    default: Option<DefaultReplies>,
    (limits, waiting_steps): (Limits, BTreeSet<Box<str>>),
) -> Option<Table> {
    if problems.has_errors() {
        // Parts that could not be read would be missing from the proof that a route never answers.
        return None;
    }
    let (routes, places): (_, Vec<_>) = routes.into_iter().unzip();
    let (intercepts, intercept_places): (_, Vec<_>) = intercepts.into_iter().unzip();
    let mut table = Table::new(routes, intercepts, default?, limits);
    table.waiting_steps = waiting_steps;
    let files = names.directories.iter().filter_map(|(name, directory)| {
        let places = &directory.as_ref()?.places;
        matches!(places, Places::Csv { .. }).then_some(name.as_str())
    });
    let files = files.collect();
    dead_routes::check(&table, (&places, &intercept_places), &files, problems);
    Some(table).filter(|_| !problems.has_errors())
}
