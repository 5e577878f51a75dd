//! Writing to the terminal: coloured only there, and nobody is hurt when the reader has gone.

use std::io::{self, Write};

use annotate_snippets::Renderer;

use crate::table::diagnostic::Diagnostic;

/// Writes a line of a result as it is, byte for byte. A closed pipe ends the output, not the program.
pub(super) fn print(text: &str) {
    write(io::stdout().lock(), text);
}

/// Writes a line of a result whose colours are for a terminal only.
pub(super) fn print_coloured(text: &str) {
    write(anstream::stdout().lock(), text);
}

/// Writes a line of anything that is no result.
pub(super) fn complain(text: &str) {
    write(anstream::stderr().lock(), text);
}

fn write(mut to: impl Write, text: &str) {
    // There is nobody left to tell when even this fails.
    let _: io::Result<()> = writeln!(to, "{text}").and_then(|()| to.flush());
}

/// Diagnostics as they are drawn on a terminal; whoever writes them takes the colours out elsewhere.
pub(super) fn drawn(diagnostics: &[Diagnostic]) -> String {
    let renderer = Renderer::styled();
    let drawings: Vec<String> = diagnostics
        .iter()
        .map(|diagnostic| format!("{}\n", diagnostic.draw(&renderer)))
        .collect();
    drawings.join("\n")
}

/// A count with its noun: `1 route`, `2 routes`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {noun}s")
    }
}
