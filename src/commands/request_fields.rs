//! The request that a command line describes: `NAME=VALUE`, a file with a form, and the webhook.

use std::fs::File;
use std::io::{Read, stdin};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use jiff::Timestamp;

use crate::table::schedule::parse_moment;
use crate::twilio::request::{Form, Webhook};

/// The fields of a request.
#[derive(Debug, clap::Args)]
pub(super) struct RequestFields {
    /// Fields of the request, under Twilio's names: Called=+15005550006
    #[arg(value_name = "NAME=VALUE", value_parser = pair)]
    fields: Vec<(String, String)>,
    /// File with a urlencoded form, or - for standard input; NAME=VALUE wins
    #[arg(long, value_name = "FILE")]
    form: Option<PathBuf>,
}

impl RequestFields {
    /// The fields of the form that were not given one by one, followed by those that were.
    pub(super) fn form(&self) -> Result<Form> {
        let form = match &self.form {
            Some(path) => read_form(path)?,
            None => Form::default(),
        };
        let is_given = |name: &str| self.fields.iter().any(|(given, _)| given == name);
        let others = form.pairs().filter(|&(name, _)| !is_given(name));
        let given = self.fields.iter();
        let given = given.map(|(name, value)| (name.as_str(), value.as_str()));
        Ok(others.chain(given).collect())
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE, such as Called=+15005550006".to_owned()),
    }
}

/// The moment that an option names.
pub(super) fn moment(text: &str) -> Result<Timestamp, String> {
    parse_moment(text).ok_or_else(|| {
        "write it with its zone or offset: 2026-12-24T12:00[America/New_York]".to_owned()
    })
}

/// The parser of an option that names one of these webhooks.
pub(super) fn webhook_parser<const N: usize>(
    webhooks: [Webhook; N],
) -> impl TypedValueParser<Value = Webhook> {
    PossibleValuesParser::new(webhooks.map(Webhook::as_str))
        .map(|name| Webhook::from_name(&name).expect("it is one of the names above"))
}

/// The form in a file, or on standard input for `-`. A line end after it does not belong to it.
pub(super) fn read_form(path: &Path) -> Result<Form> {
    let bytes = read_bytes(path, u64::MAX)?;
    let form = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    Ok(Form::parse(form.strip_suffix(b"\r").unwrap_or(form)))
}

/// The bytes of a file, or of standard input for `-`, and no more than so many.
pub(super) fn read_bytes(path: &Path, most: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let (read, shown) = if path == Path::new("-") {
        let read = stdin().take(most).read_to_end(&mut bytes);
        (read, "standard input".to_owned())
    } else {
        let file = File::open(path);
        let read = file.and_then(|file| file.take(most).read_to_end(&mut bytes));
        (read, path.display().to_string())
    };
    read.with_context(|| format!("cannot read {shown}"))?;
    Ok(bytes)
}
