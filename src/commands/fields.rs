//! A request's fields as they are given on the command line: `NAME=VALUE`, and a file with a form.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::twilio::request::Form;

/// The fields of a request.
#[derive(Debug, clap::Args)]
pub(super) struct Fields {
    /// The request's fields, named as Twilio names them: Called=+15005550006
    #[arg(value_name = "NAME=VALUE", value_parser = pair)]
    fields: Vec<(String, String)>,
    /// A file with a urlencoded form, - for standard input; NAME=VALUE wins
    #[arg(long, value_name = "FILE", env = "TWIML_RESPONDER_FORM")]
    form: Option<PathBuf>,
}

impl Fields {
    /// All fields: those of the form, replaced and followed by those that were given one by one.
    pub(super) fn form(&self) -> Result<Form> {
        let form = self.form.as_deref().map(read).transpose()?;
        let form = form.unwrap_or_default();
        let is_given = |name: &str| self.fields.iter().any(|(given, _)| given == name);
        let others = form.pairs().filter(|&(name, _)| !is_given(name));
        let given = self
            .fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        Ok(others.chain(given).collect())
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE, such as Called=+15005550006".to_owned()),
    }
}

/// The form in a file, or in standard input for `-`. A line feed at its end is not the form's.
pub(super) fn read(path: &Path) -> Result<Form> {
    let bytes = read_bytes(path)?;
    let form = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    Ok(Form::parse(form.strip_suffix(b"\r").unwrap_or(form)))
}

/// The bytes of a file, or of standard input for `-`.
pub(super) fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin()
            .read_to_end(&mut bytes)
            .context("cannot read standard input")?;
        return Ok(bytes);
    }
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
