//! Each room uses only rooms below it, and the core does no I/O: checked in the `use` lines of each file.

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms from the bottom up; each may use itself and the rooms before it.
const ROOMS: [&str; 6] = [
    "twilio", "table", "language", "journal", "service", "commands",
];

/// How many of them, from the bottom up, belong to the core.
const CORE: usize = 4;

/// Modules that give a file access to the clock, the outside world or the shell's tools.
const FORBIDDEN: [&str; 10] = [
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::time",
    "anyhow",
    "clap",
    "hyper",
    "tokio",
    "tracing",
];

/// The rules that the `use` lines of this text break, one sentence each.
fn breaches(room: &str, text: &str) -> Vec<String> {
    let place = ROOMS.iter().position(|name| *name == room);
    let place = place.expect("one of the rooms");
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let mut breaches = Vec::new();
    for line in code.lines().map(str::trim_start) {
        let line = line.strip_prefix("pub ").unwrap_or(line);
        let Some(path) = line.strip_prefix("use ") else {
            continue;
        };
        let own = path.strip_prefix("crate::").unwrap_or_default();
        if own.starts_with('{') || (place < CORE && path.starts_with("std::{")) {
            breaches.push(format!("one `use` line a module, please: {path}"));
        }
        for above in &ROOMS[place + 1..] {
            if own == format!("{above};") || own.starts_with(&format!("{above}::")) {
                breaches.push(format!("{room} uses {above}, which is above it"));
            }
        }
        for outside in FORBIDDEN {
            let is_named = path.strip_prefix(outside);
            if place < CORE && is_named.is_some_and(|rest| rest.starts_with([':', ';', ' '])) {
                breaches.push(format!("{room} is core and uses {outside}"));
            }
        }
    }
    breaches
}

/// Every Rust file in a folder and its subfolders.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of sources");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        .collect()
}

#[test]
fn each_room_uses_only_rooms_below_it() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    for file in files(&sources) {
        let path = file.strip_prefix(&sources).expect("a file below src");
        let first = path.iter().next().expect("a name").to_string_lossy();
        let room = first.trim_end_matches(".rs");
        if matches!(room, "lib" | "main") {
            continue;
        }
        let text = fs::read_to_string(&file).expect("a source file in UTF-8");
        let breaches = breaches(room, &text).into_iter();
        all.extend(breaches.map(|breach| format!("{}: {breach}", path.display())));
    }
    assert!(all.is_empty(), "{all:#?}");
}

#[test]
fn every_breach_is_seen() {
    for (room, line, count) in [
        ("twilio", "use crate::table::Table;", 1),
        ("table", "use crate::language::compile;", 1),
        ("language", "use crate::journal;", 1),
        ("service", "pub use crate::commands::run;", 1),
        ("journal", "use crate::{service, table};", 1),
        ("language", "use std::{fmt, fs};", 1),
        ("language", "use std::fs::File;", 1),
        ("twilio", "use tokio::net::TcpStream;", 1),
        ("table", "    use std::time::Instant;", 1),
        ("commands", "use crate::service::live::Live;", 0),
        ("language", "use crate::table::Table;", 0),
        ("service", "use std::fs::File;", 0),
        ("table", "#[cfg(test)]\nuse std::fs;", 0),
    ] {
        assert_eq!(breaches(room, line).len(), count, "{room}: {line}");
    }
}
