//! `responses.toml` to [`Table`], or everything that is wrong with it at once.
//!
//! One function, [`compile`], serves the service, `check` and `explain`. It reads no file and keeps nothing:
//! text in, table or diagnostics out.

mod conditions;
mod defaults;
mod directories;
mod parameters;
mod problems;
mod replies;
mod routes;
mod rules;
mod texts;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use toml::de::DeTable;

use self::problems::Problems;
use self::routes::NamedReply;
use self::texts::StepReference;
use crate::diagnostic::{Code, Diagnostic, Severity, Source};
use crate::reply::Attribute;
use crate::table::directory::Directory;
use crate::table::{DefaultReplies, Table};

/// The keys of the file.
const FILE_KEYS: [&str; 6] = [
    "default",
    "defaults",
    "directory",
    "parameters",
    "reply",
    "route",
];

/// The keys of a `[[route]]`.
const ROUTE_KEYS: [&str; 7] = [
    "message", "name", "private", "reply", "step", "voice", "when",
];

/// A table that may go live, and what looks wrong in it.
#[derive(Debug)]
pub struct Compiled {
    /// The table.
    pub table: Table,
    /// What only looks wrong, sorted by place.
    pub warnings: Vec<Diagnostic>,
}

/// Compiles a table.
///
/// # Errors
///
/// Every diagnostic of the file, warnings included, sorted by place, when at least one of them is an error.
pub fn compile(source: &Source<'_>) -> Result<Compiled, Vec<Diagnostic>> {
    let (file, syntax_errors) = DeTable::parse_recoverable(source.text);
    let mut compiler = Compiler::new(*source);
    let default = compiler.file(file.get_ref());
    let mut diagnostics = compiler.problems.into_sorted();
    if !syntax_errors.is_empty() {
        diagnostics = with_syntax_errors(diagnostics, &syntax_errors, source);
    }
    match default {
        Some(default)
            if diagnostics
                .iter()
                .all(|diagnostic| diagnostic.severity == Severity::Warning) =>
        {
            Ok(Compiled {
                table: Table::new(compiler.routes, default),
                warnings: diagnostics,
            })
        }
        _ => Err(diagnostics),
    }
}

/// Puts the syntax errors among the other diagnostics, and takes out those that may only be their echo: what is
/// said to be missing may stand in a line that could not be read.
fn with_syntax_errors(
    diagnostics: Vec<Diagnostic>,
    errors: &[toml::de::Error],
    source: &Source<'_>,
) -> Vec<Diagnostic> {
    let line_of = |span: &Range<usize>| source.position(span.start).0;
    let syntax: Vec<Diagnostic> = errors
        .iter()
        .map(|error| Diagnostic {
            code: Code::TomlSyntax,
            severity: Severity::Error,
            span: error.span().unwrap_or(0..0),
            message: error.message().replace('\n', ", "),
            help: "see https://toml.io/en/v1.0.0 for how TOML is written".to_owned(),
            error_number: None,
        })
        .collect();
    let broken_lines: BTreeSet<usize> = syntax
        .iter()
        .map(|diagnostic| line_of(&diagnostic.span))
        .collect();
    let is_echo = |diagnostic: &Diagnostic| {
        diagnostic.code.is_absence() || broken_lines.contains(&line_of(&diagnostic.span))
    };
    let mut all: Vec<Diagnostic> = diagnostics
        .into_iter()
        .filter(|diagnostic| !is_echo(diagnostic))
        .collect();
    all.extend(syntax);
    all.sort_by_key(|diagnostic| (diagnostic.span.start, diagnostic.span.end));
    all
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
                | Self::UnknownDirectory
                | Self::UnknownReply
                | Self::UnknownStep
                | Self::UnreachedStep
                | Self::Unused
                | Self::UnknownParameter
        )
    }
}

/// What is known while a file is read from top to bottom.
struct Compiler<'s> {
    source: Source<'s>,
    problems: Problems,
    /// The query fields of our own, from `parameters`.
    own_parameters: BTreeSet<String>,
    /// The directories; `None` for one with an error in it.
    directories: BTreeMap<String, Option<Arc<Directory>>>,
    used_directories: BTreeSet<String>,
    /// The attributes of `[defaults.X]` by element.
    defaults: BTreeMap<&'static str, Vec<Attribute>>,
    replies: BTreeMap<String, NamedReply>,
    /// Where the named reply that is being read dials the other party's real number.
    private_reply: Option<Range<usize>>,
    /// The URLs that have a step in their query.
    steps: Vec<StepReference>,
    /// The steps that routes answer, with their places.
    step_routes: Vec<(String, Range<usize>)>,
    routes: Vec<crate::table::Route>,
}

impl<'s> Compiler<'s> {
    fn new(source: Source<'s>) -> Self {
        Self {
            source,
            problems: Problems::default(),
            own_parameters: BTreeSet::new(),
            directories: BTreeMap::new(),
            used_directories: BTreeSet::new(),
            defaults: BTreeMap::new(),
            replies: BTreeMap::new(),
            private_reply: None,
            steps: Vec::new(),
            step_routes: Vec::new(),
            routes: Vec::new(),
        }
    }

    /// Reads the whole file: what others refer to first.
    fn file(&mut self, file: &DeTable<'_>) -> Option<DefaultReplies> {
        self.problems.unknown_keys(file, "the file", &FILE_KEYS);
        if let Some(value) = file.get("parameters") {
            self.lower_parameters(value);
        }
        if let Some(value) = file.get("directory") {
            self.lower_directories(value);
        }
        if let Some(value) = file.get("defaults") {
            self.lower_defaults(value);
        }
        if let Some(value) = file.get("reply") {
            self.lower_replies(value);
        }
        if let Some(value) = file.get("route") {
            self.lower_routes(value);
        }
        self.check_steps();
        self.check_unused(file);
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
