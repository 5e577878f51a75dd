//! The options of `serve`, in the order of `--help`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use ipnet::IpNet;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

use crate::commands::Format;
use crate::commands::load_table::{DirectoryLimit, size};
use crate::commands::secret_sources::{KeySources, SecretSources, TOKEN_VARIABLE};
use crate::journal::line::Beyond;
use crate::service::journal_files::JournalSettings;
use crate::service::listen_address::{ListenAddress, SocketMode};
use crate::service::live::{Access, Verification};
use crate::service::responder::OutOfSessionPath;
use crate::service::table_file::ReadFile;
use crate::table::schedule::parse_seconds;
use crate::twilio::signature::public_url::PublicUrl;

#[derive(Debug, Args)]
#[command(
    term_width = 100,
    after_help = "--listen, --public-url, --trusted-proxy and --auth-token-file may be repeated."
)]
pub(in crate::commands) struct Arguments {
    /// The table
    #[arg(long, value_name = "FILE", default_value = "responses.toml")]
    pub config: PathBuf,
    /// Where to keep the last good table
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    #[command(flatten)]
    pub limit: DirectoryLimit,
    /// Address or unix:PATH to listen on
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8080",
        value_delimiter = ','
    )]
    pub listen: Vec<ListenAddress>,
    /// Permissions of unix sockets
    #[arg(long, value_name = "OCTAL", default_value_t)]
    pub socket_mode: SocketMode,
    /// Certificate and its chain in PEM; enables TLS
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of the certificate in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Address for health, metrics and a page for people
    #[arg(long, value_name = "ADDRESS")]
    pub admin: Option<ListenAddress>,
    /// Answer /livez and /readyz next to the webhooks, too
    #[arg(long)]
    pub health: bool,
    /// Path of Proxy's webhook
    #[arg(long, value_name = "PATH", default_value = "/out-of-session")]
    pub path: OutOfSessionPath,
    /// Scheme, host and path prefix that Twilio knows
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    pub public_url: Vec<PublicUrl>,
    /// Network whose X-Forwarded-* headers are trusted
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub trusted_proxy: Vec<IpNet>,
    #[command(flatten)]
    pub(super) access: AccessOptions,
    /// Largest request body
    #[arg(long, value_name = "BYTES", default_value = "262144")]
    pub max_body: usize,
    /// Most connections open at once
    #[arg(long, value_name = "N", default_value = "4096", value_parser = at_least_one)]
    pub max_connections: usize,
    /// Keep accepting for this long after SIGTERM
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    pub drain_delay: Duration,
    #[command(flatten)]
    pub(super) journal: JournalOptions,
    /// Format of the log
    #[arg(
        long,
        value_enum,
        value_name = "human|json",
        hide_possible_values = true,
        default_value = "human"
    )]
    pub log: Format,
    /// Level from error to trace, or a filter
    #[arg(long, value_name = "LEVEL", default_value = "info", value_parser = log_filter)]
    pub log_level: Targets,
    /// Do not mask numbers in the log
    #[arg(long)]
    pub show_numbers: bool,
    /// Check table, secrets and certificate, log what is wrong, and exit
    #[arg(long)]
    pub check: bool,
}

/// Who gets answers.
#[derive(Debug, Args)]
pub(super) struct AccessOptions {
    #[command(flatten)]
    secrets: SecretSources,
    /// Answer unsigned requests, from this machine only
    #[arg(long)]
    allow_unsigned: bool,
    #[command(flatten)]
    keys: KeySources,
}

impl AccessOptions {
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
pub(super) struct JournalOptions {
    /// Folder to keep a journal of all answers in; - for standard output
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
    /// Parameter whose value is stored as well
    #[arg(long, value_name = "NAME", value_delimiter = ',', requires = "journal")]
    journal_values: Vec<String>,
    /// How to store other people's numbers
    #[arg(
        long,
        value_enum,
        value_name = "masked|full",
        hide_possible_values = true,
        default_value = "masked"
    )]
    journal_numbers: Numbers,
    /// Largest file of a day, such as 64M or 2G
    #[arg(long, value_name = "SIZE", default_value = "512M", value_parser = size)]
    journal_max_size: u64,
    /// How many days to keep files of
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
