//! Where secrets come from: the environment, files, a systemd credential. Never an argument's value.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result, bail};

use crate::service::table_file::can_be_read_again;
use crate::twilio::signature::path_keys::{self, PathKeys};
use crate::twilio::signature::secrets::Secrets;

/// The environment variable with an auth token.
pub(super) const TOKEN_VARIABLE: &str = "TWILIO_AUTH_TOKEN";

/// The name of systemd's credential.
const CREDENTIAL: &str = "twilio-auth-token";

/// Where secrets are.
#[derive(Debug, clap::Args)]
pub(super) struct SecretSources {
    /// A file with a secret a line: TOKEN, or AC… TOKEN
    #[arg(
        long,
        value_name = "FILE",
        env = "TWIML_RESPONDER_AUTH_TOKEN_FILE",
        value_delimiter = ','
    )]
    pub(super) auth_token_file: Vec<PathBuf>,
}

impl SecretSources {
    /// All secrets there are; none is no error here.
    pub(super) fn read(&self) -> Result<Secrets> {
        let mut secrets = Secrets::default();
        if let Some(token) = env::var_os(TOKEN_VARIABLE).filter(|token| !token.is_empty()) {
            let Some(token) = token.to_str() else {
                bail!("{TOKEN_VARIABLE} is not UTF-8")
            };
            secrets
                .add_token(token)
                .with_context(|| format!("{TOKEN_VARIABLE} holds no auth token"))?;
        }
        for path in &self.auth_token_file {
            secrets.extend(read(path)?);
        }
        if let Some(folder) = env::var_os("CREDENTIALS_DIRECTORY") {
            let path = Path::new(&folder).join(CREDENTIAL);
            if path.exists() {
                secrets.extend(read(&path)?);
            }
        }
        Ok(secrets)
    }
}

/// Refuses what a service cannot read again with every reload: a pipe would keep it waiting.
pub(super) fn refuse_pipes(paths: &[PathBuf]) -> Result<()> {
    for path in paths {
        // What is missing, or cannot be read, is told when it is read.
        if fs::metadata(path).is_ok_and(|metadata| !can_be_read_again(&metadata)) {
            bail!(
                "{} is no file but a pipe, a socket or a device, and a service reads its secrets again with every \
                 reload: write them to a file",
                path.display()
            )
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Secrets> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("cannot read the auth token file {}", path.display()))?;
    Secrets::parse(&text)
        .with_context(|| format!("the auth token file {} cannot be used", path.display()))
}

/// The keys of the voice webhooks' path.
pub(super) fn read_keys(paths: &[PathBuf]) -> Result<PathKeys> {
    let mut keys = PathKeys::default();
    for path in paths {
        let own = PathKeys::parse(&read_key_file(path)?).with_context(|| unusable(path))?;
        keys.extend(own);
    }
    Ok(keys)
}

/// The first key of these files; `None` when there are no files.
pub(super) fn read_first_key(paths: &[PathBuf]) -> Result<Option<String>> {
    let Some(path) = paths.first() else {
        return Ok(None);
    };
    let text = read_key_file(path)?;
    let key = path_keys::first(&text).with_context(|| unusable(path))?;
    Ok(Some(key.to_owned()))
}

fn read_key_file(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read the key file {}", path.display()))
}

fn unusable(path: &Path) -> String {
    format!("the key file {} cannot be used", path.display())
}
