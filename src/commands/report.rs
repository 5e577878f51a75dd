//! `report`: the statistics of a journal, in the terminal, as JSON, and as a page for a browser.

mod charts;
mod page;
mod sheet;
mod terminal;

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context, Result};
use jiff::tz::TimeZone;

use super::load_table::{DirectoryLimit, load_table};
use super::recorded_lines::recorded_lines;
use super::{Format, Outcome, output};
use crate::journal::counter::Counter;
use crate::journal::figures::Figures;
use crate::table::Table;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Read the requests from the journal in this folder
    #[arg(long, value_name = "DIR")]
    journal: PathBuf,
    /// Take names and numbers from this table [default: responses.toml, if it exists]
    #[arg(short, long, value_name = "FILE")]
    table: Option<PathBuf>,
    /// Take names and numbers from this table, as with --table
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Also write the report to this file, as a web page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Count hours and weekdays in this time zone, such as Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = zone)]
    timezone: TimeZone,
    /// Print as human or json
    #[arg(long, value_enum, hide_possible_values = true, default_value = "human")]
    format: Format,
    #[command(flatten)]
    limit: DirectoryLimit,
}

fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| "write an IANA name, such as America/New_York".to_owned())
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome> {
    let path = arguments.file.as_ref().or(arguments.table.as_ref());
    let table = table(path.map(PathBuf::as_path), arguments.limit)?;
    let counter = Counter::new(arguments.timezone.clone(), table.as_ref());
    let figures = count(counter, &arguments.journal)?;
    if let Some(path) = &arguments.html {
        let page = page::page(&figures, &arguments.timezone);
        write(path, page.as_bytes())
            .with_context(|| format!("cannot write the page {}", path.display()))?;
    }
    match arguments.format {
        Format::Json => output::print(&output::json(&figures)),
        Format::Human => output::print_coloured(&terminal::text(&figures, &arguments.timezone)),
    }
    Ok(Outcome::Yes)
}

/// The given table, or else the one in the current folder; `None`, with a warning, when that one has errors.
fn table(given: Option<&Path>, limit: DirectoryLimit) -> Result<Option<Table>> {
    let path = given.unwrap_or(Path::new("responses.toml"));
    if given.is_none() && !path.exists() {
        return Ok(None);
    }
    match load_table(path, limit) {
        Ok(compiled) => Ok(Some(compiled.table)),
        Err(error) if given.is_some() => Err(error),
        Err(error) => {
            let warning = format!("warning: {error:#}, so the report does without it");
            output::complain(&output::shown(&warning));
            Ok(None)
        }
    }
}

/// Counts all lines of a folder, and reports on standard error how many cannot be read.
fn count(mut counter: Counter<'_>, journal: &Path) -> Result<Figures> {
    let mut first_unreadable = None;
    let (progress, entries) = recorded_lines(journal)?;
    for entry in entries {
        let entry = entry?;
        if counter.add(&entry.text).is_err() {
            first_unreadable.get_or_insert_with(|| entry.place());
        }
    }
    progress.finish_and_clear();
    let figures = counter.figures();
    if let Some(place) = first_unreadable {
        let lines = output::counted(figures.unreadable, "line");
        let warning = format!("warning: {lines} could not be read, the first at {place}");
        output::complain(&warning);
    }
    Ok(figures)
}

/// Writes a new file in the same folder, readable only by its owner, and then renames it, so that readers see the old file
/// or the new one. A link stays, and the file it leads to is replaced. After an error nothing has changed.
fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let place = match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => fs::canonicalize(path)?,
        Ok(_) => return Err(io::Error::other("it already exists and is not a file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        Err(error) => return Err(error),
    };
    let name = place.file_name();
    let name = name.ok_or_else(|| io::Error::other("it has no file name"))?;
    let beside = place.with_file_name(format!(".{}.{}", name.display(), process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)
        .and_then(|mut file| {
            file.write_all(text)?;
            file.sync_all()?;
            fs::rename(&beside, &place)
        });
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&beside);
    }
    written
}
