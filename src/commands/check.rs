//! `check`: every diagnostic of a table.

use std::path::PathBuf;

use anyhow::Result;
use jiff::Timestamp;

use super::load_table::{DirectoryLimit, count, drawn};
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
    let (compiled, diagnostics) = match language::compile(&file, &beside) {
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
            for diagnostic in &diagnostics {
                output::print(&diagnostic.to_json());
            }
        }
        Format::Human => {
            if !diagnostics.is_empty() {
                output::print_coloured(&drawn(&diagnostics));
            }
            output::print(&summary(&file.name, compiled.as_ref(), &diagnostics));
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
fn summary(name: &str, compiled: Option<&Compiled>, diagnostics: &[Diagnostic]) -> String {
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
    format!("{name}: {}", counts.join(", "))
}
