//! `verify`: is this signature right, and if not, why.

use std::path::PathBuf;

use anyhow::{Result, bail};

use super::secrets::TOKEN_VARIABLE;
use super::{Outcome, fields, output, secrets};
use crate::twilio::request::Form;
use crate::twilio::signature::diagnosis::{Hints, diagnose};
use crate::twilio::signature::{Content, Signed, verify};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The URL as Twilio was given it, with its query
    #[arg(long, value_name = "URL", env = "TWIML_RESPONDER_URL")]
    url: String,
    /// A file with the urlencoded form that was posted, or - for standard input; leave it out for a GET
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "body",
        env = "TWIML_RESPONDER_FORM"
    )]
    form: Option<PathBuf>,
    /// A file with the raw JSON body that was posted, or - for standard input
    #[arg(long, value_name = "FILE", env = "TWIML_RESPONDER_BODY")]
    body: Option<PathBuf>,
    /// The header X-Twilio-Signature
    #[arg(long, value_name = "SIGNATURE", env = "TWIML_RESPONDER_SIGNATURE")]
    signature: String,
    /// The header X-Twilio-Webhooks-Signature-Settings
    #[arg(long, value_name = "HEADER", env = "TWIML_RESPONDER_SETTINGS")]
    settings: Option<String>,
    #[command(flatten)]
    secrets: secrets::SecretSources,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome> {
    let secrets = arguments.secrets.read()?;
    if secrets.is_empty() {
        bail!("there is no secret to verify with: set {TOKEN_VARIABLE} or --auth-token-file");
    }
    if !arguments.url.contains("://") {
        bail!(
            "{:?} is no URL: write it whole, with https://",
            arguments.url
        );
    }
    let form = arguments.form.as_deref().map(fields::read).transpose()?;
    let body = arguments
        .body
        .as_deref()
        .map(fields::read_bytes)
        .transpose()?;
    let content = match (&form, &body) {
        (Some(form), _) => Content::Form(form),
        (None, Some(body)) => Content::Bytes(body),
        (None, None) => Content::Query,
    };
    let query = arguments
        .url
        .split_once('?')
        .map(|(_, query)| Form::parse(query.as_bytes()))
        .unwrap_or_default();
    let account_sid = form
        .as_ref()
        .and_then(|form| form.first("AccountSid"))
        .or_else(|| query.first("AccountSid"));
    let signed = Signed {
        signature: Some(&arguments.signature),
        settings: arguments.settings.as_deref(),
        account_sid: account_sid.unwrap_or_default(),
        content,
    };
    let urls = [arguments.url.as_str()];
    match verify(&secrets, &urls, &signed) {
        Ok(_) => {
            output::print("signature matches");
            Ok(Outcome::Yes)
        }
        Err(failure) => {
            output::print(failure.as_str());
            output::print(&diagnose(&secrets, &urls, &signed, &Hints::default()));
            Ok(Outcome::No)
        }
    }
}
