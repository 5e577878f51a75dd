//! docs/dependencies.md has a reason for every library in Cargo.toml, and for no others.

use std::collections::BTreeSet;

use toml::Table;

const MANIFEST: &str = include_str!("../Cargo.toml");
const PAGE: &str = include_str!("../docs/dependencies.md");

fn asked_for(section: &str) -> BTreeSet<&'static str> {
    let manifest: Table = MANIFEST.parse().expect("Cargo.toml is TOML");
    let linux = &manifest["target"]["cfg(target_os = \"linux\")"];
    let sections = [manifest.get(section), linux.get(section)];
    let names = sections
        .into_iter()
        .flatten()
        .flat_map(|section| section.as_table().expect("a section").keys());
    // Borrowed from the text, so that they live long enough.
    names
        .map(|name| MANIFEST.split(['\n', ' ']).find(|word| word == name))
        .map(|name| name.expect("the name is in the file"))
        .collect()
}

#[test]
fn each_library_of_the_program_has_a_row_with_a_reason() {
    let rows: Vec<&str> = PAGE
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    let told: BTreeSet<&str> = rows.iter().copied().collect();
    assert_eq!(rows.len(), told.len(), "a library has two rows");
    assert_eq!(told, asked_for("dependencies"));
}

#[test]
fn each_library_of_the_tests_is_named() {
    let (_, last) = PAGE
        .split_once("Only tests and benchmarks use ")
        .expect("their sentence");
    let own = asked_for("dependencies");
    for name in asked_for("dev-dependencies").difference(&own) {
        assert!(last.contains(&format!("`{name}`")), "{name}");
    }
}
