//! Diagnostics as a SARIF log, the format in which code scanning accepts findings from any tool.
//!
//! Source: SARIF 2.1.0, <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use crate::commands::{PROGRAM, file_uri};
use crate::table::diagnostic::{Check, Diagnostic, File};

/// A log of one run with these diagnostics and the paths of their files.
pub(super) fn log<'d>(found: impl Iterator<Item = (PathBuf, &'d Diagnostic)>) -> Json {
    let mut rules = BTreeMap::new();
    let mut results = Vec::new();
    for (path, diagnostic) in found {
        rules.insert(diagnostic.check.code, rule(diagnostic.check));
        results.push(result(&path, diagnostic));
    }
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": PROGRAM,
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.into_values().collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn rule(check: &Check) -> Json {
    let manual = check.manual.replace('\n', " ");
    let first = manual.split_inclusive(". ").next().unwrap_or_default();
    json!({
        "id": check.code,
        "shortDescription": { "text": first.trim() },
        "fullDescription": { "text": manual },
        "help": { "text": format!("{manual}\n\nFor example:\n\n{}", check.example) },
    })
}

fn result(path: &Path, diagnostic: &Diagnostic) -> Json {
    let file = json!({ "uri": file_uri::of(path) });
    let text = format!("{}\nhelp: {}", diagnostic.message, diagnostic.help_line());
    let fixes = diagnostic.fix.iter().map(|fix| {
        json!({ "artifactChanges": [{
            "artifactLocation": file,
            "replacements": [{
                "deletedRegion": region(&diagnostic.file, fix.span.start, fix.span.end),
                "insertedContent": { "text": fix.text },
            }],
        }] })
    });
    json!({
        "ruleId": diagnostic.check.code,
        "level": diagnostic.severity.as_str(),
        "message": { "text": text },
        "locations": [{ "physicalLocation": {
            "artifactLocation": file,
            "region": region(&diagnostic.file, diagnostic.span.start, diagnostic.span.end),
        } }],
        "fixes": fixes.collect::<Vec<_>>(),
    })
}

/// A range of bytes in a file as lines and columns; the end is exclusive.
fn region(file: &File, start: usize, end: usize) -> Json {
    let (line, column) = file.position(start);
    let (end_line, end_column) = file.position(end);
    json!({ "startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column })
}
