//! `check`: every diagnostic of a table.

use std::path::PathBuf;

use anyhow::Result;

use super::{Format, Outcome, output, table_file};
use crate::config;
use crate::diagnostic::{Diagnostic, Severity, Source};

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
    /// How to print; json is one object a line
    #[arg(
        long,
        value_enum,
        default_value = "human",
        env = "TWIML_RESPONDER_FORMAT"
    )]
    format: Format,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome> {
    let text = table_file::read(&arguments.file)?;
    let name = arguments.file.display().to_string();
    let source = Source {
        name: &name,
        text: &text,
    };
    let (routes, diagnostics) = match config::compile(&source) {
        Ok(compiled) => (Some(compiled.table.routes().len()), compiled.warnings),
        Err(diagnostics) => (None, diagnostics),
    };
    match arguments.format {
        Format::Json => {
            for diagnostic in &diagnostics {
                output::print(&diagnostic.to_json(&source));
            }
        }
        Format::Human => {
            if !diagnostics.is_empty() {
                output::print(&output::drawn(&diagnostics, &source));
            }
            output::print(&summary(&name, routes, &diagnostics));
        }
    }
    let is_denied = arguments.deny_warnings && !diagnostics.is_empty();
    Ok(Outcome::from(routes.is_some() && !is_denied))
}

fn summary(name: &str, routes: Option<usize>, diagnostics: &[Diagnostic]) -> String {
    let count = |severity| {
        diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == severity)
            .count()
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let problems = match (errors, warnings) {
        (0, 0) => "nothing wrong".to_owned(),
        (0, warnings) => output::counted(warnings, "warning"),
        (errors, 0) => output::counted(errors, "error"),
        (errors, warnings) => {
            format!(
                "{}, {}",
                output::counted(errors, "error"),
                output::counted(warnings, "warning")
            )
        }
    };
    match routes {
        Some(routes) => format!("{name}: {}, {problems}", output::counted(routes, "route")),
        None => format!("{name}: {problems}"),
    }
}
