//! `recipes/`: complete tables to start from. Each compiles without diagnostics, its tests pass, and they reach all of
//! it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use twiml_responder::language::{Files, compile};
use twiml_responder::table::diagnostic::File;

/// The warnings that a recipe cannot avoid, as its text explains.
const WARNED: [(&str, &str); 1] = [("missed-call.toml", "deprecated")];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes")
}

/// The names of the files in the folder with this ending.
fn names(end: &str) -> Vec<String> {
    let entries = fs::read_dir(folder()).expect("the folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let names = names.map(|name| name.into_string().expect("a name in UTF-8"));
    let mut names: Vec<String> = names.filter(|name| name.ends_with(end)).collect();
    names.sort_unstable();
    names
}

struct Beside;

impl Files for Beside {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        fs::read(folder().join(path))
    }
}

#[test]
fn every_recipe_is_right_and_tested_to_the_last_condition() {
    let recipes = names(".toml");
    assert!(recipes.len() >= 12, "{recipes:?}");
    for name in recipes {
        let text = fs::read_to_string(folder().join(&name)).expect("it can be read");
        assert!(text.starts_with("# "), "{name} says what it is for");
        let compiled = compile(&File::new(&name, &*text), &Beside)
            .unwrap_or_else(|diagnostics| panic!("{name}: {diagnostics:#?}"));
        assert_eq!(compiled.failed_tests, [], "{name}");
        let codes = compiled.warnings.iter().map(|warning| warning.check.code);
        let wanted = WARNED.iter().filter(|(recipe, _)| *recipe == name);
        assert!(
            codes.eq(wanted.map(|(_, code)| *code)),
            "{name}: {:#?}",
            compiled.warnings
        );
        let coverage = compiled.coverage();
        assert_eq!(coverage.percent(), 100, "{name}: {coverage:#?}");
    }
}

#[test]
fn every_recipe_is_named_where_people_look_for_it() {
    let readme = fs::read_to_string(folder().join("../README.md")).expect("README.md");
    for name in names(".toml") {
        assert!(readme.contains(&format!("(recipes/{name})")), "{name}");
    }
    let tables: Vec<String> = names(".toml")
        .iter()
        .map(|name| fs::read_to_string(folder().join(name)).expect("it can be read"))
        .collect();
    for name in names(".csv") {
        let is_used = tables
            .iter()
            .any(|table| table.contains(&format!("file = \"{name}\"")));
        assert!(is_used, "{name}");
    }
}
