//! Problems of real users: each `cases/NAME.expected` says what the program must answer to the files next to it.
//!
//! A line is `KEY: VALUE`. `command` is a command line without the program's name, with double quotes around parts that
//! contain blanks. The lines up to the next `command` are about its output, standard output and standard error
//! together: `expected_exit`, `must` (a text in the output, with `|` between alternatives) and `must_not`; each may be
//! repeated. `case`, `kind` and `why` are for readers.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use support::{Folder, program, run, top};

/// A command and the requirements on its output.
#[derive(Default)]
struct Expectation {
    command: String,
    exit: Option<i32>,
    /// Each needs at least one of its alternatives.
    must: Vec<String>,
    must_not: Vec<String>,
}

fn folder() -> PathBuf {
    top().join("tests/cases")
}

/// The names of all files of the cases.
fn files() -> BTreeSet<String> {
    let entries = fs::read_dir(folder()).expect("the folder is there");
    let name = |entry: std::io::Result<fs::DirEntry>| {
        let name = entry.expect("an entry").file_name();
        name.into_string().expect("a name in UTF-8")
    };
    entries.map(name).collect()
}

/// The names of all cases.
fn cases() -> Vec<String> {
    let files = files();
    let names = files
        .iter()
        .filter_map(|file| file.strip_suffix(".expected"));
    names.map(str::to_owned).collect()
}

fn expectations(case: &str) -> Vec<Expectation> {
    let text = fs::read_to_string(folder().join(format!("{case}.expected")));
    let mut expectations: Vec<Expectation> = Vec::new();
    for line in text.expect("a text in UTF-8").lines() {
        let pair = line.split_once(": ");
        let (key, value) = pair.unwrap_or_else(|| panic!("{case}: `{line}` is not KEY: VALUE"));
        let value = value.to_owned();
        match key {
            "case" | "kind" | "why" => continue,
            "command" => {
                expectations.push(Expectation {
                    command: value,
                    ..Expectation::default()
                });
                continue;
            }
            _ => {}
        }
        let last = expectations.last_mut();
        let expectation = last.unwrap_or_else(|| panic!("{case}: `{key}` before any command"));
        match key {
            "expected_exit" => expectation.exit = Some(value.parse().expect("a number")),
            "must" => expectation.must.push(value),
            "must_not" => expectation.must_not.push(value),
            _ => panic!("{case}: there is no key `{key}`"),
        }
    }
    assert!(!expectations.is_empty(), "{case} has no command");
    expectations
}

/// The words of a command line; double quotes keep words together.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (position, part) in command.split('"').enumerate() {
        if position % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

#[test]
fn every_case_gets_what_its_user_needed() {
    let mut failures = Vec::new();
    for case in cases() {
        // The commands run on a copy, which they may change.
        let copy = Folder::new(&format!("case-{case}"));
        for file in files().iter().filter(|file| file.starts_with(&case)) {
            fs::copy(folder().join(file), copy.path().join(file)).expect("a copy of the case");
        }
        for expectation in expectations(&case) {
            let command = &expectation.command;
            let ran = run(program().args(words(command)).current_dir(copy.path()));
            let output = ran.stdout + &ran.stderr;
            let mut fail = |what: &str| failures.push(format!("{case}: {command}: {what}"));
            if expectation.exit.is_some_and(|exit| ran.code != Some(exit)) {
                fail(&format!("exit code {:?}\n{output}", ran.code));
            }
            for must in &expectation.must {
                if !must.split('|').any(|text| output.contains(text)) {
                    fail(&format!("must print `{must}`\n{output}"));
                }
            }
            for must_not in &expectation.must_not {
                if output.contains(must_not) {
                    fail(&format!("must not print `{must_not}`\n{output}"));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_file_belongs_to_a_case() {
    let cases = cases();
    let files = files();
    let stray: Vec<_> = files
        .iter()
        .filter(|file| !cases.iter().any(|case| file.starts_with(case.as_str())))
        .collect();
    assert!(stray.is_empty(), "{stray:?}");
}
