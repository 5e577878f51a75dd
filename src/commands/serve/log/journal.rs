//! The log as the journal of systemd reads it from a service's standard error.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Says which device and inode the stream to the journal has: with it a service knows whether its output goes there.
///
/// Source: `systemd.exec(5)`, <https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html#%24JOURNAL_STREAM>.
const VARIABLE: &str = "JOURNAL_STREAM";

/// Whether this stream goes to the journal.
pub(super) fn is_journal(stream: &impl AsFd) -> bool {
    let Ok(announced) = std::env::var(VARIABLE) else {
        return false;
    };
    device_and_inode(stream).is_ok_and(|(device, inode)| announced == format!("{device}:{inode}"))
}

fn device_and_inode(stream: &impl AsFd) -> io::Result<(u64, u64)> {
    let file = File::from(stream.as_fd().try_clone_to_owned()?).metadata()?;
    Ok((file.dev(), file.ino()))
}

/// Begins every event with its priority: `<3>` for an error.
///
/// Source: `sd-daemon(3)`, <https://www.freedesktop.org/software/systemd/man/latest/sd-daemon.html>.
pub(super) struct Prioritised<F>(pub F);

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
