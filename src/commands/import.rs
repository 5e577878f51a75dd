//! `import`: turns an existing TwiML document into a route.

use std::path::PathBuf;

use anyhow::{Result, anyhow};

use super::request_fields::read_bytes;
use super::{Outcome, output};
use crate::language::import::import;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Read the TwiML document from this file, or - for standard input
    #[arg(value_name = "FILE.xml")]
    file: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome> {
    let file = &arguments.file;
    let bytes = read_bytes(file)?;
    let shown = match file.to_string_lossy() {
        name if name == "-" => "standard input".into(),
        name => name,
    };
    let text = String::from_utf8(bytes)
        .map_err(|_| anyhow!("the document {shown} is not UTF-8: save it as UTF-8"))?;
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let imported = import(&name, &text).map_err(|error| anyhow!("{shown}:{error}"))?;
    for note in &imported.notes {
        output::complain(&output::shown(&format!("{shown}:{note}")));
    }
    output::print(imported.toml.trim_end_matches('\n'));
    Ok(Outcome::from(imported.is_complete()))
}
