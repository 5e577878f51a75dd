//! `verify`: says whether a signature matches, and if not, why.

use std::path::PathBuf;

use anyhow::{Result, bail};

use super::request_fields::{read_bytes, read_form};
use super::secret_sources::{SecretSources, TOKEN_VARIABLE, read_file};
use super::{Outcome, output};
use crate::twilio::request::Form;
use crate::twilio::signature::diagnosis::{Hints, diagnose};
use crate::twilio::signature::{Content, Signed, Signer, verify};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Check the signature of this URL, as it was given to Twilio, with its query
    #[arg(long, value_name = "URL")]
    url: String,
    /// Read the posted urlencoded form from this file, or - for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "body")]
    form: Option<PathBuf>,
    /// Read the posted JSON body from this file, or - for standard input
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// Check this signature, from the header X-Twilio-Signature
    #[arg(long, value_name = "SIGNATURE")]
    signature: String,
    /// Check it as a signature from the header X-SignalWire-Signature
    #[arg(long)]
    signalwire: bool,
    /// Check it with these settings, from the header X-Twilio-Webhooks-Signature-Settings
    #[arg(long, value_name = "HEADER")]
    settings: Option<String>,
    #[command(flatten)]
    secrets: SecretSources,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome> {
    let secrets = arguments.secrets.read(&read_file)?;
    if secrets.is_empty() {
        bail!("there is no secret to verify with: set {TOKEN_VARIABLE} or --auth-token-file");
    }
    let url = arguments.url.as_str();
    if !url.contains("://") {
        bail!("{url:?} is not a URL: write the complete URL, with https://");
    }
    let form = arguments.form.as_deref().map(read_form).transpose()?;
    let body = arguments.body.as_deref();
    let body = body.map(read_bytes).transpose()?;
    let content = match (&form, &body) {
        (Some(form), _) => Content::Form(form),
        (None, Some(body)) => Content::Bytes(body),
        (None, None) => Content::Query,
    };
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let query = Form::parse(query.as_bytes());
    let mut forms = form.iter().chain([&query]);
    let account_sid = forms.find_map(|form| form.first("AccountSid"));
    let signed = Signed {
        signer: if arguments.signalwire {
            Signer::SignalWire
        } else {
            Signer::Twilio
        },
        signature: Some(&arguments.signature),
        settings: arguments.settings.as_deref(),
        account_sid: account_sid.unwrap_or_default(),
        content,
    };
    let Err(failure) = verify(&secrets, &[url], &signed) else {
        output::print("signature matches");
        return Ok(Outcome::Yes);
    };
    output::print(failure.as_str());
    output::print(&diagnose(&secrets, &[url], &signed, &Hints::default()));
    Ok(Outcome::No)
}
