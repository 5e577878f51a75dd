//! `report`: what a journal tells, in the terminal, as JSON, and as a page for a browser.

mod file;
mod page;
mod section;
mod terminal;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jiff::tz::TimeZone;

use super::load_table::load_table;
use super::recorded_lines::RecordedLines;
use super::{Format, Outcome, format, output};
use crate::journal::report::{Counter, Figures, Pinned};

/// The table that is looked for when none is given.
const TABLE: &str = "responses.toml";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The folder of the journal
    #[arg(long, value_name = "DIR", env = "TWIML_RESPONDER_JOURNAL")]
    journal: PathBuf,
    /// Tell which numbers of this table never came [default: responses.toml, if there]
    #[arg(long, value_name = "FILE", env = "TWIML_RESPONDER_TABLE")]
    table: Option<PathBuf>,
    /// Write a page for a browser, too
    #[arg(long, value_name = "FILE", env = "TWIML_RESPONDER_HTML")]
    html: Option<PathBuf>,
    /// The zone of hours and weekdays, as in Europe/Berlin
    #[arg(
        long,
        value_name = "ZONE",
        default_value = "UTC",
        value_parser = zone,
        env = "TWIML_RESPONDER_TIMEZONE"
    )]
    timezone: TimeZone,
    /// How to print
    #[arg(
        long,
        value_enum,
        default_value = "human",
        env = "TWIML_RESPONDER_FORMAT"
    )]
    format: Format,
}

fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| "write an IANA name, as America/New_York".to_owned())
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome> {
    let pinned = pinned(arguments.table.as_deref())?;
    let counter = Counter::new(arguments.timezone.clone(), pinned);
    let figures = count(counter, &arguments.journal)?;
    if let Some(path) = &arguments.html {
        let page = page::page(&figures, &arguments.timezone).context("cannot make the page")?;
        file::write(path, &page)
            .with_context(|| format!("cannot write the page {}", path.display()))?;
    }
    match arguments.format {
        Format::Json => {
            let json = serde_json::to_string(&figures).context("cannot write JSON")?;
            output::print(&format::json(&json));
        }
        Format::Human => output::print_coloured(&terminal::text(&figures, &arguments.timezone)),
    }
    Ok(Outcome::Yes)
}

/// The numbers of the table that is given, or of that of this folder. A table with errors has none, which is said.
fn pinned(given: Option<&Path>) -> Result<Option<Pinned>> {
    let path = given.unwrap_or(Path::new(TABLE));
    if given.is_none() && !path.exists() {
        return Ok(None);
    }
    match load_table(path) {
        Ok(compiled) => Ok(Some(Pinned::of(&compiled.table))),
        Err(error) if given.is_some() => Err(error),
        Err(error) => {
            output::complain(&format!(
                "warning: {error:#}, so numbers that never came are not told"
            ));
            Ok(None)
        }
    }
}

/// Counts all lines of a folder. Those that cannot be read are told on standard error.
fn count(mut counter: Counter, journal: &Path) -> Result<Figures> {
    let mut first_unreadable = None;
    for entry in RecordedLines::of(journal)? {
        let entry = entry?;
        if counter.add(&entry.text).is_err() && first_unreadable.is_none() {
            first_unreadable = Some(entry.place());
        }
    }
    let figures = counter.figures();
    if let Some(place) = first_unreadable {
        let lines = format::counted(figures.unreadable, "line");
        output::complain(&format!(
            "warning: {lines} could not be read, the first at {place}"
        ));
    }
    Ok(figures)
}
