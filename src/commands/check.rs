//! `check`: every diagnostic of a table.

mod fixes;

use std::path::PathBuf;

use anyhow::Result;
use jiff::Timestamp;

use super::load_table::{DirectoryLimit, MOST_PRINTED, count, drawn};
use super::output::{self, counted};
use super::{Format, Outcome};
use crate::language::{self, Compiled};
use crate::service::table_file::{self, Beside};
use crate::table::diagnostic::{Diagnostic, Severity};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The table
    #[arg(
        value_name = "FILE",
        default_value = "responses.toml",
        env = "TWIML_RESPONDER_CONFIG"
    )]
    file: PathBuf,
    /// Treat warnings as errors
    #[arg(long)]
    deny_warnings: bool,
    /// Mend what can be mended without doubt, in the table and in its CSV files
    #[arg(long)]
    fix: bool,
    /// Show which routes and conditions no test reaches
    #[arg(long)]
    coverage: bool,
    /// With --coverage: exit with 1 if tests reach less of the routes and conditions
    #[arg(
        long,
        value_name = "PERCENT",
        value_parser = clap::value_parser!(u8).range(..=100),
        requires = "coverage"
    )]
    fail_under: Option<u8>,
    /// Output format; json prints one object per line
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
    #[command(flatten)]
    limit: DirectoryLimit,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome> {
    let file = table_file::read(&arguments.file)?;
    let beside = Beside::table(&arguments.file, arguments.limit.max_directory);
    let (file, result, mended) = if arguments.fix {
        let mended = language::mend(&file, &beside);
        let changes = fixes::write(&arguments.file, &file.text, &mended)?;
        match arguments.format {
            Format::Human if !changes.is_empty() => output::print_coloured(&changes),
            Format::Human => {}
            Format::Json => output::complain(&changes),
        }
        (mended.table, mended.result, mended.count)
    } else {
        let result = language::compile(&file, &beside);
        (file, result, 0)
    };
    let (compiled, diagnostics) = match result {
        Ok(mut compiled) => {
            // A failed test is an error here like any other.
            let mut diagnostics = std::mem::take(&mut compiled.failed_tests);
            diagnostics.append(&mut compiled.warnings);
            diagnostics.append(&mut compiled.passed_days(Timestamp::now()));
            language::sort(&mut diagnostics, &file);
            (Some(compiled), diagnostics)
        }
        Err(diagnostics) => (None, diagnostics),
    };
    match arguments.format {
        Format::Json => {
            for diagnostic in diagnostics.iter().take(MOST_PRINTED) {
                output::print(&diagnostic.to_json());
            }
            let all = counted_all(&diagnostics);
            let left = all - diagnostics.len().min(MOST_PRINTED) as u64;
            if left > 0 {
                let left = counted(left, "more diagnostic");
                output::complain(&format!("and {left}, not printed"));
            }
        }
        Format::Human => {
            if !diagnostics.is_empty() {
                output::print_coloured(&drawn(&diagnostics));
            }
            output::print(&summary(
                &file.name,
                compiled.as_ref(),
                &diagnostics,
                mended,
            ));
        }
    }
    let is_good = if arguments.deny_warnings {
        diagnostics.is_empty()
    } else {
        count(&diagnostics, Severity::Error) == 0
    };
    let is_covered = compiled.is_none_or(|compiled| is_covered(arguments, &compiled));
    Ok(Outcome::from(is_good && is_covered))
}

/// Prints what no test reaches, if the arguments ask for it, and returns whether the tests reach enough.
fn is_covered(arguments: &Arguments, compiled: &Compiled) -> bool {
    if !arguments.coverage {
        return true;
    }
    let coverage = compiled.coverage();
    let percent = coverage.percent();
    if arguments.format == Format::Human {
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

/// What the table has, if it compiled, and how much is wrong with it.
fn summary(
    name: &str,
    compiled: Option<&Compiled>,
    diagnostics: &[Diagnostic],
    mended: usize,
) -> String {
    let mut counts = Vec::new();
    if let Some(compiled) = compiled {
        let table = &compiled.table;
        counts.extend([
            (table.routes().len() as u64, "route"),
            (table.intercepts.len() as u64, "intercept"),
            (compiled.tests() as u64, "test"),
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
    let mendable = diagnostics.iter().filter(|one| one.fix.is_some()).count();
    let end = match (mended, mendable) {
        (0, 0) => String::new(),
        (0, mendable) if mendable as u64 == counted_all(diagnostics) && mendable > 1 => {
            "; `check --fix` can mend all of them".to_owned()
        }
        (0, 1) if diagnostics.len() == 1 => "; `check --fix` can mend it".to_owned(),
        (0, mendable) => format!("; `check --fix` can mend {mendable} of them"),
        (mended, _) => format!("; {} mended", counted(mended as u64, "mistake")),
    };
    format!("{name}: {}{end}", counts.join(", "))
}

/// How many diagnostics there are, with those that are not listed one by one.
fn counted_all(diagnostics: &[Diagnostic]) -> u64 {
    let severities = [Severity::Error, Severity::Warning];
    severities
        .map(|severity| count(diagnostics, severity))
        .iter()
        .sum()
}
