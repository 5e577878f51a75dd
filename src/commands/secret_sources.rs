//! Where secrets come from: the environment, files, a systemd credential. Never from the command line itself.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, io};

use anyhow::{Context, Result};

use super::request_fields::MOST_BYTES;
use crate::service::table_file::{self, ReadFile};
use crate::twilio::signature::secrets::{PathKeys, Secrets};

/// The environment variable with an auth token.
pub(super) const TOKEN_VARIABLE: &str = "TWILIO_AUTH_TOKEN";

/// The name of the systemd credential.
const CREDENTIAL: &str = "twilio-auth-token";

/// The sources of the secrets that requests are signed with.
#[derive(Debug, clap::Args)]
pub(super) struct SecretSources {
    /// Read secrets from this file: TOKEN or AC… TOKEN per line
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    pub(super) auth_token_file: Vec<PathBuf>,
}

impl SecretSources {
    /// The secrets of all sources, possibly none.
    pub(super) fn read(&self, file: ReadFile<'_>) -> Result<Secrets> {
        let mut secrets = Secrets::default();
        if let Some(token) = env::var_os(TOKEN_VARIABLE).filter(|token| !token.is_empty()) {
            let token = token.to_str();
            let token = token.with_context(|| format!("{TOKEN_VARIABLE} is not UTF-8"))?;
            let added = secrets.add_token(token);
            added.with_context(|| format!("{TOKEN_VARIABLE} contains no auth token"))?;
        }
        let credential = env::var_os("CREDENTIALS_DIRECTORY")
            .map(|folder| Path::new(&folder).join(CREDENTIAL))
            .filter(|path| path.exists());
        for path in self.auth_token_file.iter().chain(&credential) {
            secrets.extend(read(file, "auth token file", path, Secrets::parse)?);
        }
        Ok(secrets)
    }
}

/// Where to find the keys in the path of the voice webhooks.
#[derive(Debug, clap::Args)]
pub(super) struct KeySources {
    /// Read keys of /voice-webhooks/KEY from this file, one per line
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    pub(super) voice_webhooks_key_file: Vec<PathBuf>,
}

impl KeySources {
    /// The keys of all files, possibly none.
    pub(super) fn read(&self, file: ReadFile<'_>) -> Result<PathKeys> {
        let mut keys = PathKeys::default();
        for path in &self.voice_webhooks_key_file {
            keys.extend(read(file, "key file", path, PathKeys::parse)?);
        }
        Ok(keys)
    }

    /// The first key of the first file; `None` without a file.
    pub(super) fn first(&self, file: ReadFile<'_>) -> Result<Option<String>> {
        let first = |text: &str| PathKeys::first(text).map(str::to_owned);
        let path = self.voice_webhooks_key_file.first();
        path.map(|path| read(file, "key file", path, first))
            .transpose()
    }
}

/// The bytes of a file of secrets, for a command that reads it once: it may be a pipe.
pub(super) fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    table_file::read_any(path, MOST_BYTES as u64)
}

/// Reads and parses a file as this kind of file.
fn read<T, E: Error + Send + Sync + 'static>(
    file: ReadFile<'_>,
    kind: &str,
    path: &Path,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T> {
    let shown = path.display();
    let bytes = file(path).with_context(|| format!("cannot read the {kind} {shown}"))?;
    let text = String::from_utf8(bytes).ok();
    let text = text.with_context(|| format!("the {kind} {shown} is not UTF-8"))?;
    parse(&text).with_context(|| format!("the {kind} {shown} cannot be used"))
}
