//! `check`: every diagnostic of a table.

use std::path::PathBuf;

use anyhow::Result;

use super::table_file::DirectoryLimit;
use super::{Format, Outcome, output};
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
    /// Let warnings count as errors
    #[arg(long, env = "TWIML_RESPONDER_DENY_WARNINGS")]
    deny_warnings: bool,
    /// Show what no test reaches
    #[arg(long, env = "TWIML_RESPONDER_COVERAGE")]
    coverage: bool,
    /// With --coverage: exit with 1 when the tests reach less of routes and conditions
    #[arg(
        long,
        value_name = "PERCENT",
        value_parser = clap::value_parser!(u8).range(..=100),
        requires = "coverage",
        env = "TWIML_RESPONDER_FAIL_UNDER"
    )]
    fail_under: Option<u8>,
    /// How to print; json is one object a line
    #[arg(
        long,
        value_enum,
        default_value = "human",
        env = "TWIML_RESPONDER_FORMAT"
    )]
    format: Format,
    #[command(flatten)]
    limit: DirectoryLimit,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome> {
    let file = table_file::read(&arguments.file)?;
    let beside = Beside::table(&arguments.file, arguments.limit.max_directory);
    let (compiled, diagnostics) = match language::compile(&file, &beside) {
        Ok(mut compiled) => {
            // Here a failed test is an error like any other.
            let mut diagnostics = std::mem::take(&mut compiled.failed_tests);
            diagnostics.append(&mut compiled.warnings);
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
                output::print_coloured(&output::drawn(&diagnostics));
            }
            output::print(&summary(&file.name, compiled.as_ref(), &diagnostics));
        }
    }
    let has_errors = diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity == Severity::Error);
    let is_denied = arguments.deny_warnings && !diagnostics.is_empty();
    let is_covered = compiled.is_none_or(|compiled| is_covered(arguments, &compiled));
    Ok(Outcome::from(!has_errors && !is_denied && is_covered))
}

/// Prints what no test reaches, when that is asked for; whether enough is reached.
fn is_covered(arguments: &Arguments, compiled: &Compiled) -> bool {
    if !arguments.coverage {
        return true;
    }
    let coverage = compiled.coverage();
    let percent = coverage.percent();
    if arguments.format == Format::Human {
        for route in &coverage.routes {
            output::print(&format!("no test is answered by {route}"));
        }
        for intercept in &coverage.intercepts {
            output::print(&format!("no test is decided by {intercept}"));
        }
        for (route, condition) in &coverage.conditions {
            output::print(&format!("no test comes to {condition} of {route}"));
        }
        let tests = output::counted(coverage.tests, "test");
        output::print(&format!(
            "{tests}, {percent} % of routes and conditions reached"
        ));
    }
    arguments
        .fail_under
        .is_none_or(|least| percent >= usize::from(least))
}

fn summary(name: &str, compiled: Option<&Compiled>, diagnostics: &[Diagnostic]) -> String {
    let count = |severity| {
        diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == severity)
            .count()
    };
    let problems = match (count(Severity::Error), count(Severity::Warning)) {
        (0, 0) => "nothing wrong".to_owned(),
        (0, warnings) => output::counted(warnings, "warning"),
        (errors, 0) => output::counted(errors, "error"),
        (errors, warnings) => format!(
            "{}, {}",
            output::counted(errors, "error"),
            output::counted(warnings, "warning")
        ),
    };
    let Some(compiled) = compiled else {
        return format!("{name}: {problems}");
    };
    let (table, tests) = (&compiled.table, compiled.tests());
    let mut counts = vec![output::counted(table.routes().len(), "route")];
    if !table.intercepts.is_empty() {
        counts.push(output::counted(table.intercepts.len(), "intercept"));
    }
    if tests > 0 {
        counts.push(output::counted(tests, "test"));
    }
    format!("{name}: {}, {problems}", counts.join(", "))
}
