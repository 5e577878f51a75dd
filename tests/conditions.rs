//! docs/conditions.md contains the paragraph that each kind of condition provides.

use std::fmt::Write as _;
use std::fs;

use twiml_responder::table::condition;

#[test]
fn the_manual_has_the_paragraph_of_each_kind() {
    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/conditions.md");
    let page = fs::read_to_string(PAGE).expect("the page");
    let (before, _) = page.split_once("\n## ").unwrap_or((page.trim_end(), ""));
    let mut wanted = format!("{}\n", before.trim_end());
    for (key, paragraph) in condition::manual() {
        write!(wanted, "\n## `{key}`\n\n{paragraph}\n").expect("a string takes it");
    }
    if std::env::var_os("UPDATE").is_some() {
        fs::write(PAGE, &wanted).expect("the page can be written");
        return;
    }
    assert_eq!(
        page, wanted,
        "write it anew: UPDATE=1 cargo test --test conditions"
    );
}
