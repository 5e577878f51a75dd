//! The options of `serve`, in the order of `--help`.

use std::env;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use ipnet::IpNet;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

use crate::commands::Format;
use crate::commands::load_table::{TableArgument, size};
use crate::commands::secret_sources::{KeySources, SecretSources, TOKEN_VARIABLE};
use crate::journal::line::Beyond;
use crate::service::connection::HttpLimits;
use crate::service::journal_files::JournalSettings;
use crate::service::listen_address::{ListenAddress, SocketMode};
use crate::service::live::{Access, Verification};
use crate::service::reload::TableFiles;
use crate::service::responder::OutOfSessionPath;
use crate::service::table_file::ReadFile;
use crate::table::schedule::parse_seconds;
use crate::twilio::request::Webhook;
use crate::twilio::signature::public_url::PublicUrl;

#[derive(Debug, Args)]
#[command(
    term_width = 100,
    after_help = "--listen, --public-url, --trusted-proxy and the options for files of secrets and keys may be repeated."
)]
pub(in crate::commands) struct Arguments {
    /// Check the table, secrets and certificate, log what is wrong, and exit
    #[arg(long)]
    pub(super) check: bool,
    #[command(flatten)]
    pub(super) table: TableOptions,
    #[command(flatten)]
    pub(super) listening: ListenOptions,
    #[command(flatten)]
    pub(super) urls: UrlOptions,
    #[command(flatten)]
    pub(super) access: AccessOptions,
    #[command(flatten)]
    pub(super) limits: LimitOptions,
    #[command(flatten)]
    pub(super) journal: JournalOptions,
    #[command(flatten)]
    pub(super) log: LogOptions,
}

/// Which table answers.
#[derive(Debug, Args)]
#[command(next_help_heading = "Table")]
pub(super) struct TableOptions {
    #[command(flatten)]
    pub file: TableArgument,
    /// Keep a copy of the last good table in this folder
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
}

impl TableOptions {
    /// The files of the table, and where its last good copy is.
    pub(super) fn files(&self) -> TableFiles {
        TableFiles {
            table: self.file.path().to_owned(),
            max_directory: self.file.option.limit.max_directory,
            state_dir: self.state_dir.clone().or_else(state_directory),
            secrets: Vec::new(),
        }
    }
}

/// The folder for the last good copy that systemd gives.
fn state_directory() -> Option<PathBuf> {
    let given = env::var_os("STATE_DIRECTORY").filter(|given| !given.is_empty())?;
    // systemd gives all folders of a unit, separated by colons.
    env::split_paths(&given).next()
}

/// Where the service is reached.
#[derive(Debug, Args)]
#[command(next_help_heading = "Listening")]
pub(super) struct ListenOptions {
    /// Listen on this address, or on unix:PATH
    #[arg(
        short,
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8080",
        value_delimiter = ','
    )]
    pub listen: Vec<ListenAddress>,
    /// Give unix sockets these permissions
    #[arg(long, value_name = "OCTAL", default_value_t)]
    pub socket_mode: SocketMode,
    /// Speak TLS, with this certificate and its chain in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Speak TLS, with this private key of the certificate in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Serve /livez, /readyz, /metrics and, at /, a web page on this address
    #[arg(long, value_name = "ADDRESS")]
    pub admin: Option<ListenAddress>,
    /// Also answer /livez and /readyz on the webhook listeners
    #[arg(long)]
    pub health: bool,
}

/// By which URLs Twilio knows the service.
#[derive(Debug, Args)]
#[command(next_help_heading = "URLs")]
pub(super) struct UrlOptions {
    /// Answer Proxy's webhook at this path
    #[arg(long, value_name = "PATH", default_value = "/out-of-session")]
    pub path: OutOfSessionPath,
    /// Check signatures for this scheme, host and path prefix
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    pub public_url: Vec<PublicUrl>,
    /// Trust the X-Forwarded-* headers of this address or network
    #[arg(long, value_name = "CIDR", value_delimiter = ',', value_parser = network)]
    pub trusted_proxy: Vec<IpNet>,
    /// Refuse GET; use this if every URL, at Twilio and in the table, uses POST
    #[arg(long)]
    pub post_only: bool,
}

impl UrlOptions {
    /// Refuses a public URL that ends in the path of a webhook: that is what Twilio's console asks for, and no signature
    /// would ever match.
    pub(super) fn check(&self) -> Result<()> {
        let others = Webhook::ALL.into_iter();
        let others = others.filter(|webhook| *webhook != Webhook::OutOfSession);
        let others = others.map(|webhook| format!("/{}", webhook.as_str()));
        for path in others.chain([self.path.as_str().to_owned()]) {
            for url in &self.public_url {
                url.refuse_path(&path)?;
            }
        }
        Ok(())
    }
}

/// How much the service takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(super) struct LimitOptions {
    /// Refuse request bodies larger than this
    #[arg(long, value_name = "BYTES", default_value = "262144")]
    pub max_body: usize,
    /// Keep at most this many connections open at once
    #[arg(long, value_name = "N", default_value = "4096", value_parser = at_least_one)]
    pub max_connections: usize,
    /// Keep accepting connections for this long after SIGTERM
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    pub drain_delay: Duration,
}

impl LimitOptions {
    /// Those of the webhook listeners.
    pub(super) fn of_http(&self) -> HttpLimits {
        HttpLimits {
            max_connections: self.max_connections,
            max_body_bytes: self.max_body,
            ..HttpLimits::default()
        }
    }
}

/// What the service logs, and how.
#[derive(Debug, Args)]
#[command(next_help_heading = "Log")]
pub(super) struct LogOptions {
    /// Write the log as human or json
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        hide_possible_values = true,
        default_value = "human"
    )]
    pub log: Format,
    /// Log events up to this level, error to trace, or matching a filter
    #[arg(long, value_name = "LEVEL", default_value = "info", value_parser = log_filter)]
    pub log_level: Targets,
    /// Show numbers in the log unmasked
    #[arg(long)]
    pub show_numbers: bool,
}

/// Who gets answers.
#[derive(Debug, Args)]
#[command(next_help_heading = "Secrets")]
pub(super) struct AccessOptions {
    #[command(flatten)]
    secrets: SecretSources,
    /// Answer unsigned requests from this machine, to try things out
    #[arg(long)]
    allow_unsigned: bool,
    #[command(flatten)]
    keys: KeySources,
}

impl AccessOptions {
    /// The files that it reads.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let keys = &self.keys.voice_webhooks_key_file;
        [self.secrets.auth_token_file.as_slice(), keys].concat()
    }

    /// Reads the secrets and keys. The service does not run until the operator has decided whether signatures are checked.
    pub(super) fn read(&self, file: ReadFile<'_>) -> Result<Access> {
        let secrets = self.secrets.read(file)?;
        let verification = match (secrets.is_empty(), self.allow_unsigned) {
            (false, false) => Verification::Signed(secrets),
            (true, true) => Verification::AllowUnsigned,
            (false, true) => bail!(
                "--allow-unsigned together with an auth token: remove --allow-unsigned to check signatures, \
                 or unset {TOKEN_VARIABLE} and --auth-token-file to try things out"
            ),
            (true, false) => bail!(
                "there is no auth token to check signatures with: set {TOKEN_VARIABLE} or --auth-token-file, \
                 or try things out on this machine with --allow-unsigned"
            ),
        };
        Ok(Access {
            verification,
            voice_webhooks: self.keys.read(file)?,
        })
    }
}

/// What the journal stores, and where.
#[derive(Debug, Args)]
#[command(next_help_heading = "Journal")]
pub(super) struct JournalOptions {
    /// Keep a journal of all answers in this folder, or - to write it to standard output
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
    /// Also store the value of this parameter
    #[arg(long, value_name = "NAME", value_delimiter = ',', requires = "journal")]
    journal_values: Vec<String>,
    /// Store other people's numbers masked or full
    #[arg(
        long,
        value_enum,
        value_name = "FORM",
        hide_possible_values = true,
        default_value = "masked"
    )]
    journal_numbers: Numbers,
    /// Stop the file of a day at this size
    #[arg(long, value_name = "SIZE", default_value = "512M", value_parser = size)]
    journal_max_size: u64,
    /// Keep the files of this many days
    #[arg(long, value_name = "N", default_value = "31", value_parser = at_least_one)]
    journal_max_files: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Numbers {
    Masked,
    Full,
}

impl JournalOptions {
    /// `None` without a journal.
    pub(super) fn into_settings(self) -> Option<JournalSettings> {
        let names = self.journal_values.into_iter();
        let place = self.journal?;
        Some(JournalSettings {
            folder: (place != Path::new("-")).then_some(place),
            beyond: Beyond {
                values: names.filter(|name| !name.is_empty()).collect(),
                numbers: self.journal_numbers == Numbers::Full,
            },
            max_size_bytes: self.journal_max_size,
            max_files: self.journal_max_files,
        })
    }
}

/// A network, or the one address of a network that has no other.
fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    let network = text.parse().or_else(|_| address());
    network
        .map_err(|_| "write an address or a network, such as 192.0.2.7 or 192.0.2.0/24".to_owned())
}

fn log_filter(text: &str) -> Result<Targets, String> {
    // The filter would take a misspelt level for the name of a crate, and log next to nothing.
    let is_known = |part: &&str| part.contains('=') || part.parse::<LevelFilter>().is_ok();
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let filter = parts.join(",").parse().ok();
    filter
        .filter(|_| parts.iter().all(is_known))
        .ok_or_else(|| {
            "write error, warn, info, debug, trace or off, or a filter such as info,twiml_responder=debug"
                .to_owned()
        })
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_seconds(text)
        .map(|seconds| Duration::from_secs(seconds.into()))
        .ok_or_else(|| "write a number and its unit, such as 5s, 10m or 1h".to_owned())
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| "write a whole number, at least 1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_address_is_a_network_of_one() {
        for (text, shown) in [
            ("192.0.2.7", "192.0.2.7/32"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("10.0.0.0/8", "10.0.0.0/8"),
        ] {
            assert_eq!(network(text).map(|it| it.to_string()), Ok(shown.to_owned()));
        }
        for text in ["", "proxy", "192.0.2", "10.0.0.0/33"] {
            assert!(network(text).is_err(), "{text}");
        }
    }
}
