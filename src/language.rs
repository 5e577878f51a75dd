//! `responses.toml` to [`Table`], or everything that is wrong with it at once.
//!
//! One function, [`compile`], serves the service, `check` and `explain`. It opens no file itself and keeps nothing:
//! texts in, table or diagnostics out.

mod attributes;
mod columns;
mod conditions;
mod coverage;
mod csv_file;
mod dead_routes;
mod defaults;
mod directories;
mod directory_file;
mod drawing;
pub mod import;
mod in_file_tests;
mod intercepts;
mod limits;
mod place;
mod replies;
mod routes;
mod rules;
mod schedules;
pub mod schema;
mod sessions;
mod shape;
mod steps;
mod syntax;
mod texts;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::{HashMap, HashSet};
use toml::de::DeTable;

use self::columns::ColumnUses;
use self::directory_file::{DirectoryFile, Places};
use self::routes::NamedReply;
use self::texts::StepReference;
use crate::table::diagnostic::{Code, Diagnostic, File, Severity};
use crate::table::guard::Limits;
use crate::table::intercept::Intercept;
use crate::table::problems::{self, Problems};
use crate::table::reply::Attribute;
use crate::table::schedule::Schedule;
use crate::table::{DefaultReplies, Route, Table};

pub use self::coverage::Coverage;
use self::in_file_tests::Ran;

/// The files beside a table: those that its directories name.
pub trait Files {
    /// The bytes of a file; a relative path is one from the table's folder.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    fn read(&self, path: &str) -> io::Result<Vec<u8>>;
}

/// No files: for tables whose directories stand in place.
#[derive(Debug, Clone, Copy)]
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _path: &str) -> io::Result<Vec<u8>> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "there are no files here",
        ))
    }
}

/// A table that may go live, and what was found about it.
#[derive(Debug)]
pub struct Compiled {
    /// The table.
    pub table: Table,
    /// What only looks wrong, sorted by place.
    pub warnings: Vec<Diagnostic>,
    /// The tests that did not get the answer they expect, sorted by place: they keep an edit from going live, but not
    /// a service from starting.
    pub failed_tests: Vec<Diagnostic>,
    /// How many rows each directory file has, by the path that the table has for it.
    pub rows: BTreeMap<String, usize>,
    tests: Vec<Ran>,
}

impl Compiled {
    /// How many tests the table has.
    #[must_use]
    pub fn tests(&self) -> usize {
        self.tests.len()
    }

    /// What the tests reach. Looks at every route for every test, which is why a table is compiled without it.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        coverage::coverage(&self.table, &self.tests)
    }
}

/// Puts diagnostics in the order in which they are shown: those of the table's own file first, each file by place.
pub fn sort(diagnostics: &mut [Diagnostic], table: &Arc<File>) {
    problems::sort(diagnostics, table);
}

/// Compiles a table.
///
/// # Errors
///
/// Every diagnostic of the file and of its directory files, warnings included, sorted by place, when at least one of
/// them is an error.
pub fn compile(file: &Arc<File>, files: &dyn Files) -> Result<Compiled, Vec<Diagnostic>> {
    if let Ok(sections) = DeTable::parse(&file.text) {
        return compile_sections(file, files, sections.get_ref(), Vec::new());
    }
    let (text, syntax_errors) = syntax::readable(file);
    let (sections, _) = DeTable::parse_recoverable(&text);
    compile_sections(file, files, sections.get_ref(), syntax_errors)
}

/// Compiles what can be read of a file.
fn compile_sections(
    file: &Arc<File>,
    files: &dyn Files,
    sections: &DeTable<'_>,
    syntax_errors: Vec<Diagnostic>,
) -> Result<Compiled, Vec<Diagnostic>> {
    let mut compiler = Compiler::new(file, files);
    let default = compiler.file(sections);
    let places = std::mem::take(&mut compiler.route_places);
    let (routes, limits) = (std::mem::take(&mut compiler.routes), compiler.limits);
    let (intercepts, intercept_places): (_, Vec<_>) =
        std::mem::take(&mut compiler.intercepts).into_iter().unzip();
    let table = default.map(|default| {
        let mut table = Table::new(routes, default, limits);
        table.intercepts = intercepts;
        table
    });
    // What could not be read would be missing from a proof, and the proof would be wrong.
    if let Some(table) = &table
        && syntax_errors.is_empty()
        && !compiler.problems.has_errors()
    {
        let files = compiler.directories.iter().filter_map(|(name, directory)| {
            let places = &directory.as_ref()?.places;
            matches!(places, Places::Csv { .. }).then_some(name.as_str())
        });
        let files: BTreeSet<&str> = files.collect();
        let places = (&places[..], &intercept_places[..]);
        dead_routes::check(table, places, &files, &mut compiler.problems);
    }
    let has_errors = !syntax_errors.is_empty() || compiler.problems.has_errors();
    let right = table.as_ref().filter(|_| !has_errors);
    let outcome = compiler.run_tests(sections, right);
    let directories = compiler.directories.values().flatten();
    let rows = directories.filter_map(DirectoryFile::rows).collect();
    let mut diagnostics = compiler.problems.into_sorted();
    if !syntax_errors.is_empty() {
        // What is said to be missing may stand in what could not be read.
        diagnostics.retain(|diagnostic| !diagnostic.code.is_absence());
        diagnostics.extend(syntax_errors);
        problems::sort(&mut diagnostics, file);
    }
    match table {
        Some(table)
            if diagnostics
                .iter()
                .all(|diagnostic| diagnostic.severity == Severity::Warning) =>
        {
            Ok(Compiled {
                table,
                warnings: diagnostics,
                failed_tests: outcome.failed,
                rows,
                tests: outcome.tests,
            })
        }
        _ => Err(diagnostics),
    }
}

impl Code {
    /// Whether it says that something is missing.
    fn is_absence(self) -> bool {
        matches!(
            self,
            Self::MissingDefault
                | Self::MissingKey
                | Self::SilentDefault
                | Self::SilentRoute
                | Self::UnboundDirectory
                | Self::UnknownColumn
                | Self::UnknownDirectory
                | Self::UnknownParameter
                | Self::UnknownReply
                | Self::UnknownSchedule
                | Self::UnknownStep
                | Self::UnreachedStep
                | Self::Unused
        )
    }
}

/// What is known while a file is read from top to bottom.
struct Compiler<'s> {
    source: &'s File,
    files: &'s dyn Files,
    problems: Problems,
    /// The query fields of our own, from `parameters`.
    own_parameters: BTreeSet<String>,
    /// The names of the parameters that conditions are on.
    parameter_names: BTreeSet<Arc<str>>,
    /// The attributes of `[extra]` by element.
    extra: BTreeMap<String, Vec<String>>,
    /// The directories; `None` for one that could not be read at all.
    directories: BTreeMap<String, Option<DirectoryFile>>,
    used_directories: BTreeSet<String>,
    /// What the columns of directories are used for.
    columns: ColumnUses,
    /// The schedules; `None` for one with an error in it.
    schedules: BTreeMap<String, Option<Arc<Schedule>>>,
    used_schedules: BTreeSet<String>,
    /// The attributes of `[defaults.X]` by element.
    defaults: BTreeMap<&'static str, Vec<Attribute>>,
    replies: BTreeMap<String, NamedReply>,
    /// The documents that are ready, each once.
    documents: HashSet<Bytes>,
    /// Where the reply that is being read dials the other party's real number.
    private_reply: Option<Range<usize>>,
    /// The directories whose columns the reply that is being read uses, with the first place of each.
    reply_directories: BTreeMap<String, Range<usize>>,
    /// The URLs that have a step in their query.
    steps: Vec<StepReference>,
    /// The steps that routes answer, with their places.
    step_routes: Vec<(String, Range<usize>)>,
    /// The sections that the file does not have.
    misspelt_sections: Vec<String>,
    /// The step of the route that is being read, empty without one; `None` outside of routes.
    step: Option<String>,
    /// Whether the route that is being read answers a step.
    in_step: bool,
    /// Whether a URL leads to a step that only a request knows.
    leads_anywhere: bool,
    routes: Vec<Route>,
    /// Where the name of each route stands, that of the first of a name.
    route_names: HashMap<String, usize>,
    /// Where the names of the routes stand, in the same order.
    route_places: Vec<Range<usize>>,
    /// Where the name of each intercept stands, that of the first of a name.
    intercept_names: HashMap<String, usize>,
    /// The intercepts, with the places of their names.
    intercepts: Vec<(Intercept, Range<usize>)>,
    limits: Limits,
}

/// What reads one section of the file.
type Reader<'s> = fn(&mut Compiler<'s>, &problems::Value<'_>);

impl<'s> Compiler<'s> {
    fn new(file: &'s Arc<File>, files: &'s dyn Files) -> Self {
        Self {
            source: file,
            files,
            problems: Problems::new(file),
            own_parameters: BTreeSet::new(),
            parameter_names: BTreeSet::new(),
            extra: BTreeMap::new(),
            directories: BTreeMap::new(),
            used_directories: BTreeSet::new(),
            columns: ColumnUses::default(),
            schedules: BTreeMap::new(),
            used_schedules: BTreeSet::new(),
            defaults: BTreeMap::new(),
            replies: BTreeMap::new(),
            documents: HashSet::new(),
            private_reply: None,
            reply_directories: BTreeMap::new(),
            steps: Vec::new(),
            step_routes: Vec::new(),
            misspelt_sections: Vec::new(),
            step: None,
            in_step: false,
            leads_anywhere: false,
            routes: Vec::new(),
            route_names: HashMap::new(),
            route_places: Vec::new(),
            intercept_names: HashMap::new(),
            intercepts: Vec::new(),
            limits: Limits::default(),
        }
    }

    /// Reads the whole file: what others refer to first.
    fn file(&mut self, file: &DeTable<'_>) -> Option<DefaultReplies> {
        self.problems
            .unknown_keys(file, "the file", &shape::FILE.keys());
        let misspelt = file
            .keys()
            .map(|key| key.get_ref().as_ref())
            .filter(|key| !shape::FILE.has(key));
        self.misspelt_sections = misspelt.map(str::to_owned).collect();
        let sections: [(&str, Reader<'s>); 8] = [
            ("parameters", Self::lower_parameters),
            ("extra", Self::lower_extra),
            ("loop_guard", Self::lower_limits),
            ("schedule", Self::lower_schedules),
            ("directory", Self::lower_directories),
            ("defaults", Self::lower_defaults),
            ("reply", Self::lower_replies),
            ("route", Self::lower_routes),
        ];
        for (key, read) in sections {
            if let Some(value) = file.get(key) {
                read(self, value);
            }
        }
        if let Some(intercepts) = file.get("intercept") {
            self.lower_intercepts(intercepts);
        }
        self.check_steps();
        self.check_columns();
        if self.misspelt_sections.is_empty() {
            // A section that could not be read may have used what nobody else does.
            self.check_unused(file);
        }
        self.lower_default(file.get("default"))
    }

    fn lower_parameters(&mut self, value: &problems::Value<'_>) {
        let help = "write parameters = [\"campaign\"]";
        let Some(array) = self.problems.array(value, "an array of names", help) else {
            return;
        };
        for item in array {
            let name = self.problems.text(item, "the name of a query field");
            self.own_parameters.extend(name.map(str::to_owned));
        }
    }
}
