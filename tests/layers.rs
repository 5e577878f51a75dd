//! The core names no layer above it, touches nothing outside, and each outside crate has one home.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module of the core in reading order, with those of our own that it may use beside itself.
const CORE: [(&str, &[&str]); 16] = [
    ("types", &[]),
    ("request", &["types"]),
    ("signature", &["request", "types"]),
    ("directory", &[]),
    ("reply", &["directory", "request", "types"]),
    ("guard", &["request", "types"]),
    (
        "table",
        &["directory", "guard", "reply", "request", "types"],
    ),
    ("twiml", &["reply", "request", "types"]),
    (
        "answer",
        &["guard", "reply", "request", "table", "twiml", "types"],
    ),
    ("line", &["guard", "request", "types"]),
    (
        "judge",
        &[
            "directory",
            "guard",
            "line",
            "reply",
            "request",
            "table",
            "types",
        ],
    ),
    (
        "report",
        &[
            "directory",
            "guard",
            "line",
            "reply",
            "request",
            "table",
            "types",
        ],
    ),
    ("diagnostic", &[]),
    (
        "config",
        &[
            "answer",
            "diagnostic",
            "directory",
            "guard",
            "reply",
            "request",
            "table",
            "twiml",
            "types",
        ],
    ),
    (
        "import",
        &["config", "diagnostic", "reply", "table", "types"],
    ),
    ("schema", &["config", "guard", "reply", "table", "types"]),
];

/// What gives a clock, the outside or the shell's tools to whoever names it.
const FORBIDDEN: [&str; 11] = [
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "SystemTime",
    "Instant",
    "tokio",
    "hyper",
    "tracing",
    "anyhow",
    "clap",
];

/// Outside crates, with the modules of the core that may name them; and threads, which only compute there.
const HOMES: [(&str, &[&str]); 18] = [
    ("annotate_snippets", &["diagnostic"]),
    ("base64", &["signature"]),
    ("csv", &["config"]),
    ("hashbrown", &["config", "directory", "table"]),
    ("hmac", &["signature"]),
    (
        "jiff",
        &[
            "answer", "config", "guard", "judge", "line", "report", "table",
        ],
    ),
    ("memchr", &["request"]),
    ("quick_xml", &["import", "twiml"]),
    ("regex", &["config", "table"]),
    (
        "serde_json",
        &["diagnostic", "line", "reply", "request", "schema"],
    ),
    ("serde_urlencoded", &["request"]),
    ("sha1", &["signature"]),
    ("sha2", &["signature"]),
    ("smallvec", &["judge", "table"]),
    ("std::thread", &["config"]),
    ("strsim", &["diagnostic"]),
    ("toml", &["config"]),
    ("wide", &["request"]),
];

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The files of a module: `module.rs` and everything below the folder of that name.
fn files(module: &str) -> Vec<PathBuf> {
    let mut files = vec![sources().join(module).with_extension("rs")];
    let mut folders = vec![sources().join(module)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(folder) else {
            continue;
        };
        for entry in entries {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}

/// The code of a file: no comments, no strings, and nothing from its test module on.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let mut code = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |at| at + 2)
        } else if let Some(length) = string_length(rest) {
            length
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\") {
            // A quote as a character opens no string.
            3
        } else {
            code.push(first);
            first.len_utf8()
        };
        rest = &rest[skipped..];
    }
    code
}

/// How long the string is that a text begins with; `None` when it begins with none.
fn string_length(text: &str) -> Option<usize> {
    if let Some(raw) = text.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let inside = raw[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        let length = inside.find(&end).expect("a raw string ends");
        return Some(2 + hashes + length + end.len());
    }
    let inside = text.strip_prefix('"')?;
    let mut characters = inside.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => drop(characters.next()),
            '"' => return Some(at + 2),
            _ => {}
        }
    }
    panic!("a string ends: {text:.40}")
}

/// The paths and names in some code, `std::fs::File` for one.
fn paths(code: &str) -> impl Iterator<Item = &str> {
    code.split(|character: char| !character.is_alphanumeric() && !"_:".contains(character))
        .filter(|path| !path.is_empty())
}

/// Whether a path is this word, begins with it or has it as one of its parts.
fn names(path: &str, word: &str) -> bool {
    let path = format!("::{path}::");
    path.contains(&format!("::{word}::"))
}

/// What stands in the braces of each `use crate::{…}` and `use std::{…}`, so that the paths can be put together.
fn grouped(code: &str, root: &str) -> Vec<String> {
    code.split(&format!("{root}::{{"))
        .skip(1)
        .flat_map(|after| {
            let group = after.split(';').next().unwrap_or_default();
            paths(group)
                .map(|path| format!("{root}::{path}"))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// What a module of the core breaks, one line a breach.
fn breaches(module: &str, may_use: &[&str], text: &str) -> BTreeSet<String> {
    let code = code(text);
    let mut named: Vec<String> = paths(&code).map(str::to_owned).collect();
    named.extend(grouped(&code, "crate"));
    named.extend(grouped(&code, "std"));
    let mut breaches = BTreeSet::new();
    for path in &named {
        for word in FORBIDDEN {
            if names(path, word) {
                breaches.insert(format!("{module} names {word}"));
            }
        }
        for (home, modules) in HOMES {
            let is_crate = path == home || path.starts_with(&format!("{home}::"));
            if is_crate && !modules.contains(&module) {
                breaches.insert(format!("{module} names {home}"));
            }
        }
        let Some(own) = path.strip_prefix("crate::") else {
            continue;
        };
        let own = own.split("::").next().unwrap_or_default();
        let is_group = own.is_empty();
        if !is_group && own != module && !may_use.contains(&own) {
            breaches.insert(format!("{module} uses {own}"));
        }
    }
    breaches
}

#[test]
fn the_core_keeps_its_layers() {
    let mut all = BTreeSet::new();
    for (module, may_use) in CORE {
        for file in files(module) {
            let text = fs::read_to_string(&file).expect("a source file in UTF-8");
            for breach in breaches(module, may_use, &text) {
                all.insert(format!("{}: {breach}", file.display()));
            }
        }
    }
    assert!(all.is_empty(), "{all:#?}");
}

#[test]
fn every_breach_is_seen() {
    for (module, text, breach) in [
        ("types", "use std::fs::File;", "types names std::fs"),
        ("types", "use std::{fmt, net};", "types names std::net"),
        (
            "types",
            "fn f() { std::env::var(\"X\"); }",
            "types names std::env",
        ),
        (
            "types",
            "use std::{fmt, thread};",
            "types names std::thread",
        ),
        ("table", "use std::time::Instant;", "table names Instant"),
        ("answer", "tracing::warn!(\"x\");", "answer names tracing"),
        ("table", "use toml::de::DeTable;", "table names toml"),
        ("config", "use quick_xml::Writer;", "config names quick_xml"),
        ("types", "use crate::request::Form;", "types uses request"),
        (
            "reply",
            "fn f(t: &crate::table::Table) {}",
            "reply uses table",
        ),
        (
            "twiml",
            "use crate::{reply::Reply, table};",
            "twiml uses table",
        ),
        ("config", "use crate::server;", "config uses server"),
    ] {
        let (_, may_use) = CORE
            .into_iter()
            .find(|(name, _)| *name == module)
            .expect("a module of the core");
        assert_eq!(
            breaches(module, may_use, text),
            BTreeSet::from([breach.to_owned()]),
            "{text}"
        );
    }
}

#[test]
fn comments_strings_and_tests_are_no_code() {
    let text = r##"
        // use std::fs;
        /* use std::net; */
        use crate::types::E164; // tokio
        const QUOTE: char = '"';
        const TEXT: &str = "std::env \" tokio";
        const RAW: &str = r#"hyper "quoted" tracing"#;
        #[cfg(test)]
        mod tests { use anyhow::Result; }
    "##;
    assert_eq!(breaches("request", &["types"], text), BTreeSet::new());
}
