//! `schema`: the JSON Schema of a table, for editors.

use anyhow::{Context, Result};

use super::{Outcome, output};
use crate::language::schema::schema;

pub(super) fn run() -> Result<Outcome> {
    let text = serde_json::to_string_pretty(&schema()).context("cannot write JSON")?;
    output::print(&text);
    Ok(Outcome::Yes)
}
