//! What is wrong with a table, in the log: without its lines, and with the numbers masked.

use tracing::{error, warn};

use crate::table::diagnostic::{Diagnostic, Severity};
use crate::twilio::types::with_numbers_masked;

/// The most diagnostics of one reload that are logged one by one.
const MOST: usize = 50;

/// Logs diagnostics, an event each; `show_numbers` leaves numbers as they are.
pub(super) fn log(diagnostics: &[Diagnostic], show_numbers: bool) {
    let shown = |text: &str| {
        if show_numbers {
            text.to_owned()
        } else {
            with_numbers_masked(text)
        }
    };
    // The errors first: they say why the table did not go live.
    let is = |severity| move |diagnostic: &&Diagnostic| diagnostic.severity == severity;
    let errors = diagnostics.iter().filter(is(Severity::Error));
    let warnings = diagnostics.iter().filter(is(Severity::Warning));
    for diagnostic in errors.chain(warnings).take(MOST) {
        let (line, column) = diagnostic.file.position(diagnostic.span.start);
        let code = diagnostic.check.code;
        let file = diagnostic.file.name.as_str();
        let help = shown(&diagnostic.help);
        let message = shown(&diagnostic.message);
        let error_number = diagnostic.error_number;
        match diagnostic.severity {
            Severity::Error => {
                error!(file, line, column, code, help, error_number, "{message}");
            }
            Severity::Warning => {
                warn!(file, line, column, code, help, error_number, "{message}");
            }
        }
    }
    let more = diagnostics.len().saturating_sub(MOST);
    if more > 0 {
        warn!(more, "more is wrong; `check` shows all of it");
    }
}

/// How many of them keep a table from going live.
pub(super) fn errors(diagnostics: &[Diagnostic]) -> usize {
    diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .count()
}
