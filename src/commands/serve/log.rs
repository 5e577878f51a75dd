//! Where the events of the service go: to standard error, through a thread of their own.
//!
//! For people, as JSON, or as systemd's journal wants it: with a priority, and without the time, which it records itself.

mod queue;

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::{env, fmt, panic};

use anyhow::{Context, Result};
use tracing::{Event, Level, Subscriber, error};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use self::queue::Queue;
use crate::commands::Format;
use crate::service::metrics::Metrics;

pub(super) use self::queue::flush;

/// Sends every event to standard error. Lines that standard error does not take in time are lost, and counted.
#[must_use = "the log is written out when this is dropped"]
pub(super) fn start(format: Format, level: Targets, metrics: &Arc<Metrics>) -> Result<Flush> {
    let queue = Queue::start(io::stderr(), Arc::clone(metrics))
        .context("cannot start the thread that writes the log")?;
    let subscriber = tracing_subscriber::registry().with(level);
    let events = tracing_subscriber::fmt::layer()
        .with_writer(queue)
        .with_target(false)
        .with_ansi(io::stderr().is_terminal());
    match (format, is_journal(&io::stderr())) {
        (Format::Human, false) => subscriber.with(events).init(),
        (Format::Human, true) => {
            let events = events.with_level(false).without_time();
            subscriber.with(events.map_event_format(Prioritised)).init();
        }
        (Format::Json, false) => subscriber.with(events.json().flatten_event(true)).init(),
        (Format::Json, true) => {
            let events = events.json().flatten_event(true).without_time();
            subscriber.with(events.map_event_format(Prioritised)).init();
        }
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

/// Logs a panic like any other event. Its message is left out, because it may contain a number of the request.
pub(super) fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        error!(
            place,
            "a fault of the program; please report it with this place"
        );
    }));
}

/// Whether a stream goes to systemd's journal, which announces the device and inode of its end in `JOURNAL_STREAM`.
///
/// Source: `systemd.exec(5)`, <https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html#%24JOURNAL_STREAM>.
fn is_journal(stream: &impl AsFd) -> bool {
    let Ok(announced) = env::var("JOURNAL_STREAM") else {
        return false;
    };
    let same = stream.as_fd().try_clone_to_owned();
    same.and_then(|same| File::from(same).metadata())
        .is_ok_and(|file| announced == format!("{}:{}", file.dev(), file.ino()))
}

/// Begins every event with its priority: `<3>` for an error.
///
/// Source: `sd-daemon(3)`, <https://www.freedesktop.org/software/systemd/man/latest/sd-daemon.html>.
struct Prioritised<F>(F);

impl<S, N, F> FormatEvent<S, N> for Prioritised<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        write!(writer, "<{priority}>")?;
        self.0.format_event(context, writer, event)
    }
}
