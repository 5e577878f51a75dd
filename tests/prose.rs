//! Words that a native speaker would not write there: what people read must not have them.

use std::fs;
use std::path::{Path, PathBuf};

/// What to avoid, and what to write instead. Each has hardly any other use.
const AVOIDED: [(&str, &str); 16] = [
    ("whoever", "anyone who, the caller"),
    ("nobody", "no one, or say who does not"),
    ("parted", "separated"),
    ("beside", "next to, in the same folder, in addition to"),
    ("surely", "certainly"),
    ("goes on", "continues"),
    ("is told", "learns, is notified"),
    ("are told", "learn, are notified"),
    ("be told", "be known, be reported"),
    ("for itself", "separately"),
    ("anew", "again"),
    ("as good as none", "counts as absent"),
    ("as many as there are", "all"),
    ("a line each", "one per line"),
    ("what is no", "anything that is not"),
    ("is no", "is not a"),
];

/// The words on a line that it should not have, with what to write instead.
fn faults(line: &str) -> Vec<(&'static str, &'static str)> {
    let is_apart = |character: Option<char>| character.is_none_or(|c| !c.is_alphanumeric());
    let line = line.to_lowercase();
    let has = |words: &str| {
        line.match_indices(words).any(|(at, _)| {
            let (before, after) = (&line[..at], &line[at + words.len()..]);
            // `there is no` is plain English.
            is_apart(before.chars().next_back())
                && is_apart(after.chars().next())
                && !(words == "is no" && before.ends_with("there "))
        })
    };
    let faults = AVOIDED.iter().filter(|(words, _)| has(words));
    faults.copied().collect()
}

/// The comment and the strings on a line of Rust, as far as a look at the line alone can tell.
fn prose(line: &str) -> String {
    let (code, comment) = line.split_once("//").unwrap_or((line, ""));
    let strings = code.split('"').skip(1).step_by(2);
    strings.chain([comment]).collect::<Vec<_>>().join(" | ")
}

/// Every file with one of these endings below a folder.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path, endings));
        } else if path
            .extension()
            .is_some_and(|ending| endings.iter().any(|one| ending == *one))
        {
            found.push(path);
        }
    }
    found
}

#[test]
fn what_people_read_is_plain_english() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = files(&top.join("src"), &["rs", "json", "toml", "roff"]);
    paths.extend(files(&top.join("docs"), &["md"]));
    paths.extend(files(&top.join("recipes"), &["toml", "sh"]));
    paths.extend(["README.md", "responses.toml"].map(|name| top.join(name)));
    let mut found: Vec<String> = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).expect("it can be read");
        let is_code = path.extension().is_some_and(|ending| ending == "rs");
        for (at, line) in text.lines().enumerate() {
            let read = if is_code {
                prose(line)
            } else {
                line.to_owned()
            };
            for (words, instead) in faults(&read) {
                let place = path.strip_prefix(top).expect("below the top").display();
                found.push(format!(
                    "{place}:{}: instead of \"{words}\": {instead}",
                    at + 1
                ));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_fault_is_found_as_a_word_only() {
    assert_eq!(faults("Nobody: is here")[0].0, "nobody");
    assert_eq!(faults("besides, there is no such word, imparted"), []);
    assert_eq!(prose("let a = \"b\"; // c"), "b |  c");
}
