//! `check`: every diagnostic of one or more tables, for people and for programs.

mod fixes;
mod github;
mod sarif;

use std::collections::BTreeMap;
use std::io::stdout;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use clap::ValueEnum;
use jiff::Timestamp;
use serde::Serialize;

use super::Outcome;
use super::load_table::{MOST_PRINTED, TableOption, count, drawn};
use super::output::{self, counted};
use crate::language::{self, Compiled};
use crate::service::table_file::{self, Beside, beside};
use crate::table::diagnostic::{Diagnostic, File, Severity};

#[derive(Debug, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
pub(super) struct Arguments {
    /// Check these tables instead of --table, or - for standard input
    #[arg(value_name = "FILE")]
    file: Vec<PathBuf>,
    #[command(flatten)]
    table: TableOption,
    /// Treat standard input as this file, and look for directory files in its folder
    #[arg(long, value_name = "FILE")]
    stdin_name: Option<PathBuf>,
    /// Treat warnings as errors
    #[arg(long)]
    deny_warnings: bool,
    /// Correct what is beyond doubt, in the tables and their CSV files
    #[arg(long)]
    fix: bool,
    /// Show which routes and conditions no test reaches
    #[arg(long)]
    coverage: bool,
    /// With --coverage, exit with 1 if the tests reach less than this
    #[arg(
        long,
        value_name = "PERCENT",
        value_parser = clap::value_parser!(u8).range(..=100),
        requires = "coverage"
    )]
    fail_under: Option<u8>,
    /// Print nothing but diagnostics
    #[arg(short, long)]
    quiet: bool,
    /// Print as human, json, github or sarif
    #[arg(long, value_enum, hide_possible_values = true, default_value = "human")]
    format: CheckFormat,
}

/// How diagnostics are printed. A comment on a variant would lengthen `--help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CheckFormat {
    Human,
    Json,
    Github,
    Sarif,
}

/// A table that was checked.
struct Checked {
    file: Arc<File>,
    /// The files that the table names are in the folder of this one.
    path: PathBuf,
    /// The table, when nothing keeps it from going live but perhaps a failed test.
    compiled: Option<Compiled>,
    /// Everything that is wrong with it, failed tests included, in the order of the file.
    diagnostics: Vec<Diagnostic>,
    /// How many mistakes have already been corrected.
    mended: usize,
}

impl Checked {
    /// Checks the table in a file, or on standard input for `-`.
    fn read(path: &Path, arguments: &Arguments) -> Result<Self> {
        let is_standard_input = path == Path::new("-");
        anyhow::ensure!(
            !(is_standard_input && arguments.fix),
            "--fix cannot write to standard input: name a file"
        );
        let (file, path) = if is_standard_input {
            let name = arguments.stdin_name.as_deref();
            let name = name.unwrap_or(Path::new("standard input"));
            (table_file::read_standard_input(name)?, name)
        } else {
            (table_file::read(path)?, path)
        };
        let files = Beside::table(path, arguments.table.limit.max_directory);
        let (file, result, mended) = if arguments.fix {
            let mended = language::mend(&file, &files);
            let changes = fixes::write(path, &file.text, &mended)?;
            match arguments.format {
                _ if changes.is_empty() => {}
                CheckFormat::Human => output::print_coloured(&changes),
                _ => output::complain(&changes),
            }
            (mended.table, mended.result, mended.count)
        } else {
            let result = language::compile(&file, &files);
            (file, result, 0)
        };
        let (compiled, diagnostics) = match result {
            Ok(mut compiled) => {
                // Here a failed test is an error like any other.
                let mut diagnostics = std::mem::take(&mut compiled.failed_tests);
                diagnostics.append(&mut compiled.warnings);
                diagnostics.append(&mut compiled.passed_days(Timestamp::now()));
                language::sort(&mut diagnostics, &file);
                (Some(compiled), diagnostics)
            }
            Err(diagnostics) => (None, diagnostics),
        };
        Ok(Self {
            file,
            path: path.to_owned(),
            compiled,
            diagnostics,
            mended,
        })
    }

    /// Where the file of a diagnostic is: the table itself, or a file in its folder.
    fn path_of(&self, diagnostic: &Diagnostic) -> PathBuf {
        if Arc::ptr_eq(&diagnostic.file, &self.file) {
            self.path.clone()
        } else {
            beside(&self.path, &diagnostic.file.name)
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome> {
    let table = [arguments.table.table.clone()];
    let paths = if arguments.file.is_empty() {
        &table[..]
    } else {
        &arguments.file
    };
    let checked = paths.iter().map(|path| Checked::read(path, arguments));
    let checked: Vec<Checked> = checked.collect::<Result<_>>()?;
    let found = || {
        let tables = checked.iter();
        let all =
            tables.flat_map(|table| table.diagnostics.iter().map(move |found| (table, found)));
        all.take(MOST_PRINTED)
    };
    match arguments.format {
        CheckFormat::Human => {}
        CheckFormat::Json => {
            found().for_each(|(_, diagnostic)| output::print(&diagnostic.to_json()));
            let summary = BTreeMap::from([("summary", Summary::of(&checked))]);
            output::print(&output::json(&summary));
        }
        CheckFormat::Github => {
            for (table, diagnostic) in found() {
                output::print(&github::command(&table.path_of(diagnostic), diagnostic));
            }
        }
        CheckFormat::Sarif => {
            let found = found().map(|(table, found)| (table.path_of(found), found));
            output::print(&output::json(&sarif::log(found)));
        }
    }
    let all: u64 = checked
        .iter()
        .map(|table| counted_all(&table.diagnostics))
        .sum();
    let left = all - found().count() as u64;
    if arguments.format != CheckFormat::Human && left > 0 {
        let left = counted(left, "more diagnostic");
        output::complain(&format!("and {left}, not printed"));
    }
    let mut outcome = Outcome::Yes;
    for table in &checked {
        if arguments.format == CheckFormat::Human {
            print(table, arguments.quiet);
        }
        let is_good = if arguments.deny_warnings {
            table.diagnostics.is_empty()
        } else {
            count(&table.diagnostics, Severity::Error) == 0
        };
        let compiled = table.compiled.as_ref();
        let is_covered = compiled.is_none_or(|compiled| is_covered(arguments, compiled));
        if !is_good || !is_covered {
            outcome = Outcome::No;
        }
    }
    Ok(outcome)
}

/// Prints the diagnostics of a table and a summary.
fn print(table: &Checked, is_quiet: bool) {
    if !table.diagnostics.is_empty() {
        output::print_coloured(&drawn(&table.diagnostics, &stdout()));
    }
    if !is_quiet {
        output::print(&summary(table));
    }
}

/// The last line of `--format json`: the totals over all tables.
#[derive(Default, Serialize)]
struct Summary {
    files: usize,
    routes: usize,
    intercepts: usize,
    tests: usize,
    errors: u64,
    warnings: u64,
}

impl Summary {
    fn of(checked: &[Checked]) -> Self {
        let mut summary = Self {
            files: checked.len(),
            ..Self::default()
        };
        for table in checked {
            summary.errors += count(&table.diagnostics, Severity::Error);
            summary.warnings += count(&table.diagnostics, Severity::Warning);
            if let Some(compiled) = &table.compiled {
                summary.routes += compiled.table.routes().len();
                summary.intercepts += compiled.table.intercepts.len();
                summary.tests += compiled.tests().len();
            }
        }
        summary
    }
}

/// Prints what the tests do not reach, if `--coverage` is set, and returns whether they reach enough.
fn is_covered(arguments: &Arguments, compiled: &Compiled) -> bool {
    if !arguments.coverage {
        return true;
    }
    let coverage = compiled.coverage();
    let percent = coverage.percent();
    if arguments.format == CheckFormat::Human && !arguments.quiet {
        let print = |line: String| output::print(&line);
        for route in &coverage.routes {
            print(format!("no test is answered by {route}"));
        }
        for intercept in &coverage.intercepts {
            print(format!("no test is decided by {intercept}"));
        }
        for (route, condition) in &coverage.conditions {
            print(format!("no test reaches {condition} of {route}"));
        }
        let tests = counted(coverage.tests as u64, "test");
        print(format!(
            "{tests}, {percent} % of routes and conditions reached"
        ));
    }
    let least = arguments.fail_under;
    least.is_none_or(|least| percent >= usize::from(least))
}

/// The contents of the table, if it compiled, and the number of diagnostics.
fn summary(checked: &Checked) -> String {
    let diagnostics = &*checked.diagnostics;
    let mut counts = Vec::new();
    if let Some(compiled) = &checked.compiled {
        let table = &compiled.table;
        counts.extend([
            (table.routes().len() as u64, "route"),
            (table.intercepts.len() as u64, "intercept"),
            (compiled.tests().len() as u64, "test"),
        ]);
    }
    counts.extend([
        (count(diagnostics, Severity::Error), "error"),
        (count(diagnostics, Severity::Warning), "warning"),
    ]);
    counts.retain(|(count, noun)| *count > 0 || *noun == "route");
    let counts = counts.iter();
    let mut counts: Vec<String> = counts.map(|(count, noun)| counted(*count, noun)).collect();
    if diagnostics.is_empty() {
        counts.push("nothing wrong".to_owned());
    }
    let all = counted_all(diagnostics);
    let mendable = diagnostics.iter().filter(|one| one.fix.is_some()).count() as u64;
    let end = match (checked.mended, mendable) {
        (0, 0) => String::new(),
        (0, 1) if all == 1 => "; `check --fix` can fix it".to_owned(),
        (0, mendable) if mendable == all => "; `check --fix` can fix all of them".to_owned(),
        (0, mendable) => format!("; `check --fix` can fix {mendable} of them"),
        (mended, _) => format!("; {} mended", counted(mended as u64, "mistake")),
    };
    format!("{}: {}{end}", checked.file.name, counts.join(", "))
}

/// The number of diagnostics, including those that are not listed one by one.
fn counted_all(diagnostics: &[Diagnostic]) -> u64 {
    let severities = [Severity::Error, Severity::Warning];
    let counts = severities.map(|severity| count(diagnostics, severity));
    counts.iter().sum()
}
