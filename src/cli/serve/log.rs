//! Where the events of the service go.

use std::io::IsTerminal;

use tracing::error;

use super::options::LogFormat;

/// Sends every event to standard error.
pub(super) fn start(format: LogFormat) {
    let builder = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_target(false);
    match format {
        LogFormat::Human => builder.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
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
