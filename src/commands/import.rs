//! `import`: TwiML that somebody already has as a route.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};

use super::{Outcome, output};
use crate::language::import::{MAX_BYTES, import};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The TwiML document; `-` is standard input
    #[arg(value_name = "FILE.xml")]
    file: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome> {
    let file = &arguments.file;
    let (bytes, shown) = if file.as_os_str() == "-" {
        let bytes = read(io::stdin()).context("cannot read standard input")?;
        (bytes, "standard input".to_owned())
    } else {
        let shown = file.display().to_string();
        let bytes = File::open(file)
            .and_then(read)
            .with_context(|| format!("cannot read the document {shown}"))?;
        (bytes, shown)
    };
    let text = String::from_utf8(bytes)
        .map_err(|_| anyhow!("the document {shown} is not UTF-8: save it as UTF-8"))?;
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let imported = import(&name, &text).map_err(|error| anyhow!("{shown}:{error}"))?;
    for note in &imported.notes {
        output::complain(&format!("{shown}:{note}"));
    }
    output::print(imported.toml.trim_end_matches('\n'));
    Ok(Outcome::from(imported.is_complete()))
}

/// Reads a document, but at most one byte more than it may have.
fn read(document: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    document
        .take(MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}
