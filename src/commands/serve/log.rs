//! Where the events of the service go: to standard error, by way of a thread of its own.
//!
//! For people, as JSON, or as the journal of systemd wants it: with a priority, and without the time, which it knows.

mod fields;
mod journal;
mod lines;
mod time;

use std::io::{self, IsTerminal};
use std::sync::Arc;

use anyhow::{Context, Result};
use tracing::error;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use self::fields::Fields;
use self::journal::{Prioritised, is_journal};
use self::lines::Lines;
use self::time::Now;
use super::options::{LogFormat, Logging};
use crate::service::metrics::Metrics;

pub(super) use self::lines::flush;

/// Sends every event to standard error. What nobody takes in time is lost, and counted.
#[must_use = "the log ends with it"]
pub(super) fn start(options: &Logging, metrics: &Arc<Metrics>) -> Result<Flush> {
    let lines = Lines::start(io::stderr(), Arc::clone(metrics))
        .context("cannot start the thread that writes the log")?;
    let subscriber = tracing_subscriber::registry().with(options.log_level.0.clone());
    let events = fmt::layer()
        .with_writer(lines)
        .with_timer(Now)
        .with_target(false);
    match (options.log, is_journal(&io::stderr())) {
        (LogFormat::Human, false) => subscriber
            .with(
                events
                    .fmt_fields(Fields)
                    .with_ansi(io::stderr().is_terminal()),
            )
            .init(),
        (LogFormat::Human, true) => subscriber
            .with(
                events
                    .fmt_fields(Fields)
                    .with_ansi(false)
                    .with_level(false)
                    .without_time()
                    .map_event_format(Prioritised),
            )
            .init(),
        (LogFormat::Json, false) => subscriber.with(events.json().flatten_event(true)).init(),
        (LogFormat::Json, true) => subscriber
            .with(
                events
                    .json()
                    .flatten_event(true)
                    .without_time()
                    .map_event_format(Prioritised),
            )
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
