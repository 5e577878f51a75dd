//! `import`: TwiML that somebody already has as a route.

use std::fs;
use std::io::{self, Read};
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};

use super::{Outcome, output};
use crate::language::import::import;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The TwiML document; `-` is standard input
    #[arg(value_name = "FILE.xml")]
    file: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome> {
    let file = &arguments.file;
    let (bytes, name, shown) = if file.as_os_str() == "-" {
        let mut bytes = Vec::new();
        io::stdin()
            .read_to_end(&mut bytes)
            .context("cannot read standard input")?;
        (bytes, String::new(), "standard input".to_owned())
    } else {
        let shown = file.display().to_string();
        let bytes = fs::read(file).with_context(|| format!("cannot read the document {shown}"))?;
        let name = file
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned());
        (bytes, name.unwrap_or_default(), shown)
    };
    let text = String::from_utf8(bytes)
        .map_err(|_| anyhow!("the document {shown} is not UTF-8: save it as UTF-8"))?;
    let imported = import(&name, &text).map_err(|error| anyhow!("{shown}:{error}"))?;
    for note in &imported.notes {
        output::complain(&format!("{shown}:{note}"));
    }
    output::print(imported.toml.trim_end_matches('\n'));
    Ok(Outcome::from(imported.is_complete()))
}
