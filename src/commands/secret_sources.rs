//! Where secrets come from: the environment, files, a systemd credential. Never from the value of an argument.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result, bail};

use crate::service::table_file::can_be_read_again;
use crate::twilio::signature::secrets::{PathKeys, Secrets};

/// The environment variable with an auth token.
pub(super) const TOKEN_VARIABLE: &str = "TWILIO_AUTH_TOKEN";

/// The name of the systemd credential.
const CREDENTIAL: &str = "twilio-auth-token";

/// Where the secrets are that requests are signed with.
#[derive(Debug, clap::Args)]
pub(super) struct SecretSources {
    /// Read secrets from this file: TOKEN or AC… TOKEN per line
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    pub(super) auth_token_file: Vec<PathBuf>,
}

impl SecretSources {
    /// The secrets of all sources, possibly none.
    pub(super) fn read(&self) -> Result<Secrets> {
        let mut secrets = Secrets::default();
        if let Some(token) = env::var_os(TOKEN_VARIABLE).filter(|token| !token.is_empty()) {
            let token = token.to_str();
            let token = token.with_context(|| format!("{TOKEN_VARIABLE} is not UTF-8"))?;
            let added = secrets.add_token(token);
            added.with_context(|| format!("{TOKEN_VARIABLE} holds no auth token"))?;
        }
        let credential = env::var_os("CREDENTIALS_DIRECTORY")
            .map(|folder| Path::new(&folder).join(CREDENTIAL))
            .filter(|path| path.exists());
        for path in self.auth_token_file.iter().chain(&credential) {
            secrets.extend(read("auth token file", path, Secrets::parse)?);
        }
        Ok(secrets)
    }
}

/// Where the keys are that stand in the path of the voice webhooks.
#[derive(Debug, clap::Args)]
pub(super) struct KeySources {
    /// Read keys of /voice-webhooks/KEY from this file, one per line
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    pub(super) voice_webhooks_key_file: Vec<PathBuf>,
}

impl KeySources {
    /// The keys of all files, possibly none.
    pub(super) fn read(&self) -> Result<PathKeys> {
        let mut keys = PathKeys::default();
        for path in &self.voice_webhooks_key_file {
            keys.extend(read("key file", path, PathKeys::parse)?);
        }
        Ok(keys)
    }

    /// The first key of the first file; `None` without a file.
    pub(super) fn first(&self) -> Result<Option<String>> {
        let first = |text: &str| PathKeys::first(text).map(str::to_owned);
        let path = self.voice_webhooks_key_file.first();
        path.map(|path| read("key file", path, first)).transpose()
    }
}

/// What a file holds, read as this kind of file.
fn read<T, E: Error + Send + Sync + 'static>(
    kind: &str,
    path: &Path,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T> {
    let shown = path.display();
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read the {kind} {shown}"))?;
    parse(&text).with_context(|| format!("the {kind} {shown} cannot be used"))
}

/// Refuses files that a service cannot read again with every reload: a pipe would keep it waiting.
pub(super) fn refuse_pipes(paths: &[PathBuf]) -> Result<()> {
    for path in paths {
        // A file that is missing or cannot be read is reported when it is read.
        if fs::metadata(path).is_ok_and(|metadata| !can_be_read_again(&metadata)) {
            bail!(
                "{} is a pipe, a socket or a device, and a service reads its secrets again with every reload: \
                 write them to a file",
                path.display()
            )
        }
    }
    Ok(())
}
