//! The options of `serve`, a struct a section.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use ipnet::IpNet;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

use super::journal::JournalOptions;
use crate::commands::secrets::SecretSources;
use crate::commands::table_file::DirectoryLimit;
use crate::service::server::listener::{ListenAddress, SocketMode};
use crate::service::server::path::OutOfSessionPath;
use crate::twilio::signature::public_url::PublicUrl;
use crate::twilio::types::parse_seconds;

/// Every option. The order is that of `--help`.
#[derive(Debug, Args)]
#[command(
    term_width = 100,
    after_help = "--listen, --public-url, --trusted-proxy and --auth-token-file may be repeated."
)]
pub(in crate::commands) struct Arguments {
    #[command(flatten)]
    pub(super) table: TableOptions,
    #[command(flatten)]
    pub(super) listening: Listening,
    #[command(flatten)]
    pub(super) twilio: Twilio,
    #[command(flatten)]
    pub(super) signers: Signers,
    #[command(flatten)]
    pub(super) limits: LimitOptions,
    #[command(flatten)]
    pub(super) journal: JournalOptions,
    #[command(flatten)]
    pub(super) logging: Logging,
}

/// Where the table is.
#[derive(Debug, Args)]
pub(super) struct TableOptions {
    /// The table
    #[arg(
        long,
        value_name = "FILE",
        default_value = "responses.toml",
        env = "TWIML_RESPONDER_CONFIG"
    )]
    pub config: PathBuf,
    /// Where the last good table is kept
    #[arg(long, value_name = "DIR", env = "TWIML_RESPONDER_STATE_DIR")]
    pub state_dir: Option<PathBuf>,
    #[command(flatten)]
    pub limit: DirectoryLimit,
}

/// Where requests come in.
#[derive(Debug, Args)]
pub(super) struct Listening {
    /// Or unix:PATH
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8080",
        env = "TWIML_RESPONDER_LISTEN",
        value_delimiter = ','
    )]
    pub listen: Vec<ListenAddress>,
    /// Who may connect to unix sockets
    #[arg(
        long,
        value_name = "OCTAL",
        default_value_t,
        env = "TWIML_RESPONDER_SOCKET_MODE"
    )]
    pub socket_mode: SocketMode,
    /// Certificate and chain in PEM, for TLS
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_key",
        env = "TWIML_RESPONDER_TLS_CERT"
    )]
    pub tls_cert: Option<PathBuf>,
    /// Its private key in PEM
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_cert",
        env = "TWIML_RESPONDER_TLS_KEY"
    )]
    pub tls_key: Option<PathBuf>,
    /// Address of /livez, /readyz and /metrics
    #[arg(long, value_name = "ADDRESS", env = "TWIML_RESPONDER_ADMIN")]
    pub admin: Option<ListenAddress>,
    /// Answer /livez and /readyz beside the webhooks, too
    #[arg(long, env = "TWIML_RESPONDER_HEALTH")]
    pub health: bool,
}

/// How Twilio knows the service.
#[derive(Debug, Args)]
pub(super) struct Twilio {
    /// Proxy's webhook
    #[arg(
        long,
        value_name = "PATH",
        default_value = "/out-of-session",
        env = "TWIML_RESPONDER_PATH"
    )]
    pub path: OutOfSessionPath,
    /// Scheme, host and prefix by which Twilio knows it
    #[arg(
        long,
        value_name = "URL",
        env = "TWIML_RESPONDER_PUBLIC_URL",
        value_delimiter = ','
    )]
    pub public_url: Vec<PublicUrl>,
    /// A network whose X-Forwarded- headers count
    #[arg(
        long,
        value_name = "CIDR",
        env = "TWIML_RESPONDER_TRUSTED_PROXY",
        value_delimiter = ','
    )]
    pub trusted_proxy: Vec<IpNet>,
}

/// Who is answered.
#[derive(Debug, Args)]
pub(super) struct Signers {
    #[command(flatten)]
    pub secrets: SecretSources,
    /// Answer without signatures, on this machine only
    #[arg(long, env = "TWIML_RESPONDER_ALLOW_UNSIGNED")]
    pub allow_unsigned: bool,
    /// Files with keys of /voice-webhooks/KEY, one a line
    #[arg(
        long,
        value_name = "FILE",
        env = "TWIML_RESPONDER_VOICE_WEBHOOKS_KEY_FILE",
        value_delimiter = ','
    )]
    pub voice_webhooks_key_file: Vec<PathBuf>,
}

/// How much and how many.
#[derive(Debug, Args)]
pub(super) struct LimitOptions {
    /// The largest body that is read
    #[arg(
        long,
        value_name = "BYTES",
        default_value = "262144",
        env = "TWIML_RESPONDER_MAX_BODY"
    )]
    pub max_body: usize,
    /// Connections at once
    #[arg(
        long,
        value_name = "N",
        default_value = "4096",
        value_parser = at_least_one,
        env = "TWIML_RESPONDER_MAX_CONNECTIONS"
    )]
    pub max_connections: usize,
    /// Until new ones are refused
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "0s",
        value_parser = duration,
        env = "TWIML_RESPONDER_DRAIN_DELAY"
    )]
    pub drain_delay: Duration,
}

/// What is logged, and how.
#[derive(Debug, Args)]
pub(super) struct Logging {
    /// human or json
    #[arg(
        long,
        value_enum,
        hide_possible_values = true,
        default_value = "human",
        env = "TWIML_RESPONDER_LOG"
    )]
    pub log: LogFormat,
    /// error to trace, or a filter
    #[arg(
        long,
        value_name = "LEVEL",
        default_value = "info",
        env = "TWIML_RESPONDER_LOG_LEVEL"
    )]
    pub log_level: LogLevel,
    /// Log numbers unmasked
    #[arg(long, env = "TWIML_RESPONDER_SHOW_NUMBERS")]
    pub show_numbers: bool,
}

/// A form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    Human,
    Json,
}

/// What is logged, by level and by the crate that says it.
#[derive(Debug, Clone)]
pub(super) struct LogLevel(pub Targets);

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str =
            "write error, warn, info, debug, trace or off, or a filter such as info,notify=debug";
        // The filter would take a misspelt level for the name of a crate, and log next to nothing.
        let is_named = |part: &str| part.contains('=') || part.parse::<LevelFilter>().is_ok();
        let parts = text.split(',').map(str::trim);
        if !parts.clone().all(is_named) {
            return Err(WANTED.to_owned());
        }
        parts
            .collect::<Vec<_>>()
            .join(",")
            .parse()
            .map(Self)
            .map_err(|_| WANTED.to_owned())
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_seconds(text)
        .map(|seconds| Duration::from_secs(seconds.into()))
        .ok_or_else(|| "write a number and its unit, as in 5s, 10m or 1h".to_owned())
}

pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| "write a whole number, at least 1".to_owned())
}
