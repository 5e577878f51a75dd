//! The request that a command line describes: `NAME=VALUE`, a file with a form, and the webhook.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use jiff::Timestamp;

use super::output;
use crate::language::never_sent;
use crate::service::table_file;
use crate::table::schedule::parse_moment;
use crate::twilio::parameters::{NameProblem, check_name};
use crate::twilio::request::{Form, Webhook};

/// The fields of a request.
#[derive(Debug, clap::Args)]
pub(super) struct RequestFields {
    /// Give the request these fields, under Twilio's names: Called=+15005550006
    #[arg(value_name = "NAME=VALUE", value_parser = pair)]
    fields: Vec<(String, String)>,
    /// Read more fields from this urlencoded form, or - for standard input
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

/// Warns of each field that Twilio spells in another letter case or never sends with this value, and with a table also of
/// each that looks misspelt and is none of the operator's own.
pub(super) fn warn_of_fields(form: &Form, own: Option<&BTreeSet<String>>) {
    let is_other = |name: &str| own.is_none_or(|own| !own.contains(name));
    for (name, value) in form.pairs().filter(|(name, _)| is_other(name)) {
        let problem = match check_name(name) {
            Some(NameProblem::Case(known)) => {
                format!("Twilio spells `{name}` as `{known}`, and letter case matters")
            }
            Some(NameProblem::Unknown(Some(near))) if own.is_some() => {
                format!("`{name}` is not a known parameter; did you mean `{near}`?")
            }
            Some(NameProblem::Unknown(_)) => continue,
            None => match never_sent(name, value) {
                Some(problem) => problem,
                None => continue,
            },
        };
        output::complain(&format!("warning: {}", output::shown(&problem)));
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE, such as Called=+15005550006".to_owned()),
    }
}

/// Parses the moment given to an option.
pub(super) fn moment(text: &str) -> Result<Timestamp, String> {
    parse_moment(text).ok_or_else(|| {
        "add a time zone or an offset: 2026-12-24T12:00[America/New_York]".to_owned()
    })
}

/// The parser of an option that takes one of these webhooks.
pub(super) fn webhook_parser<const N: usize>(
    webhooks: [Webhook; N],
) -> impl TypedValueParser<Value = Webhook> {
    PossibleValuesParser::new(webhooks.map(Webhook::as_str))
        .map(|name| Webhook::from_name(&name).expect("it is one of the names above"))
}

/// The form in a file, or on standard input for `-`. Trailing blanks and line ends are ignored.
pub(super) fn read_form(path: &Path) -> Result<Form> {
    let bytes = read_bytes(path)?;
    let form = bytes.trim_ascii_end();
    if form.contains(&b'\n') {
        bail!(
            "{} has several lines, but a form is a single one: join its fields with `&`, as in To=%2B15005550006&Body=Hi",
            path.display()
        );
    }
    Ok(Form::parse(form))
}

/// The most bytes of a form, a body or an answer: several times what the service takes or gives.
pub(super) const MOST_BYTES: usize = 1 << 20;

/// The bytes of a file, or of standard input for `-`, at most [`MOST_BYTES`].
pub(super) fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    let (read, shown) = if path == Path::new("-") {
        let read = table_file::read_to_end_of_input(MOST_BYTES as u64);
        (read, "standard input".to_owned())
    } else {
        let read = table_file::read_any(path, MOST_BYTES as u64);
        (read, path.display().to_string())
    };
    read.with_context(|| format!("cannot read {shown}"))
}
