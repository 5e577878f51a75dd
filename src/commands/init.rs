//! `init`: a first table, for your own number.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{Outcome, PROGRAM, output};

/// The table. A test runs `check` on it.
const TABLE: &str = include_str!("init/responses.toml");

/// What should not be committed to a repository with the table.
const IGNORED: &str = include_str!("init/gitignore");

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Write the table into this folder
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome> {
    let folder = &arguments.folder;
    fs::create_dir_all(folder)
        .with_context(|| format!("cannot create the folder {}", folder.display()))?;
    let is_here = folder == Path::new(".");
    let inside = |name: &str| {
        if is_here {
            name.into()
        } else {
            folder.join(name)
        }
    };
    let (table, ignored) = (inside("responses.toml"), inside(".gitignore"));
    if !is_written(&table, TABLE)? {
        bail!("{} already exists; it was not changed", table.display());
    }
    output::print(&format!("wrote {}", table.display()));
    if is_written(&ignored, IGNORED)? {
        output::print(&format!("wrote {}", ignored.display()));
    } else {
        let lines = IGNORED.lines().filter(|line| !line.starts_with('#'));
        output::print(&format!(
            "{} already exists: add {} to it",
            ignored.display(),
            lines.collect::<Vec<_>>().join(", ")
        ));
    }
    // Name the folder only when it is not the current one.
    let named = if is_here {
        String::new()
    } else {
        format!(" {}", quoted(&table))
    };
    output::print(&format!(
        "\nNext, check the table, start the service, and call it from another terminal as Twilio would:\n\n  \
           {PROGRAM} check{named}\n  \
           {PROGRAM} serve --allow-unsigned{named}\n  \
           {PROGRAM} send --url http://127.0.0.1:8080/webhook Called=+15005550006"
    ));
    Ok(Outcome::Yes)
}

/// Writes a file unless it exists; returns whether it was written.
fn is_written(path: &Path, text: &str) -> Result<bool> {
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error).with_context(|| format!("cannot write {}", path.display())),
    }
}

/// A path quoted for a shell's command line.
fn quoted(path: &Path) -> String {
    let shown = path.to_string_lossy();
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || "/._-".contains(character);
    if shown.chars().all(is_plain) {
        shown.into_owned()
    } else {
        format!("'{}'", shown.replace('\'', r"'\''"))
    }
}
