//! Diagnostics as workflow commands, which GitHub shows at the lines of a change.
//!
//! Source: <https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions>; escaping:
//! <https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts>.

use std::path::Path;

use crate::table::diagnostic::Diagnostic;

/// One command: `::error file=responses.toml,line=3,…::message`.
pub(super) fn command(path: &Path, diagnostic: &Diagnostic) -> String {
    let (line, column) = diagnostic.file.position(diagnostic.span.start);
    let (end_line, end_column) = diagnostic.file.position(diagnostic.span.end);
    let path = property(&path.to_string_lossy());
    let (severity, code) = (diagnostic.severity.as_str(), diagnostic.check.code);
    let text = data(&format!(
        "{}\nhelp: {}",
        diagnostic.message,
        diagnostic.help_line()
    ));
    format!(
        "::{severity} file={path},line={line},endLine={end_line},col={column},endColumn={end_column},title={code}::{text}"
    )
}

/// Escapes the text after the second `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// Escapes the value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
