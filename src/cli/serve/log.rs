//! Where the events of the service go: to standard error, by way of a thread of its own.
//!
//! For people, as JSON, or as the journal of systemd wants it: with a priority, and without the time, which it knows.

mod journal;
mod lines;

use std::io::{self, IsTerminal};
use std::sync::Arc;

use anyhow::{Context, Result};
use tracing::error;

use self::journal::{Prioritised, is_journal};
use self::lines::Lines;
use super::options::{LogFormat, Logging};
use crate::metrics::Metrics;

pub(super) use self::lines::flush;

/// Sends every event to standard error. What nobody takes in time is lost, and counted.
#[must_use = "the log ends with it"]
pub(super) fn start(options: &Logging, metrics: &Arc<Metrics>) -> Result<Flush> {
    let lines = Lines::start(io::stderr(), Arc::clone(metrics))
        .context("cannot start the thread that writes the log")?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(options.log_level.filter())
        .with_writer(lines)
        .with_target(false);
    match (options.log, is_journal(&io::stderr())) {
        (LogFormat::Human, false) => builder.with_ansi(io::stderr().is_terminal()).init(),
        (LogFormat::Human, true) => builder
            .with_ansi(false)
            .with_level(false)
            .without_time()
            .map_event_format(Prioritised)
            .init(),
        (LogFormat::Json, false) => builder.json().flatten_event(true).init(),
        (LogFormat::Json, true) => builder
            .json()
            .flatten_event(true)
            .without_time()
            .map_event_format(Prioritised)
            .init(),
    }
    Ok(Flush)
}

/// Waits, when dropped, until the log is written.
pub(super) struct Flush;

impl Drop for Flush {
    fn drop(&mut self) {
        flush();
    }
}

/// A panic is an event like any other. Its text is left out: it may hold a number of the request.
pub(super) fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        error!(
            place,
            "a fault of the program; please report it with this place"
        );
    }));
}
