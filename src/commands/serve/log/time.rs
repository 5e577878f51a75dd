//! The time of an event: `2026-11-25T08:15:30.123456Z`.

use std::fmt;

use jiff::Timestamp;
use jiff::fmt::StdFmtWrite;
use jiff::fmt::temporal::DateTimePrinter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

/// The clock of the system in UTC, to the microsecond. `tracing-subscriber` has one like it, which takes several times as long.
pub(super) struct Now;

const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(6));

impl FormatTime for Now {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        PRINTER
            .print_timestamp(&Timestamp::now(), StdFmtWrite(writer))
            .map_err(|_| fmt::Error)
    }
}
