//! Writing to the terminal. Colours appear only there, and a reader that has gone away is no error.

use std::io::{self, Write};

/// Writes a line of a result byte for byte. A closed pipe ends the output, not the program.
pub(super) fn print(text: &str) {
    write(io::stdout().lock(), text);
}

/// Writes a line of a result, with its colours if standard output is a terminal.
pub(super) fn print_coloured(text: &str) {
    write(anstream::stdout().lock(), text);
}

/// Writes a line to standard error, with its colours if that is a terminal.
pub(super) fn complain(text: &str) {
    write(anstream::stderr().lock(), text);
}

fn write(mut to: impl Write, text: &str) {
    // If even this fails, there is no one left to tell.
    let _: io::Result<()> = writeln!(to, "{text}").and_then(|()| to.flush());
}

/// A count with its noun: `1 route`, `2 routes`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}
