//! `serve`: table, secrets and sockets first, then the service until it is told to end.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use ipnet::IpNet;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};

use super::secrets::TOKEN_VARIABLE;
use super::{Outcome, secrets, table_file};
use crate::server::listener::{ListenAddress, Listener};
use crate::server::path::OutOfSessionPath;
use crate::server::{self, Limits, Service, Verification};
use crate::signature::public_url::PublicUrl;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The table
    #[arg(
        long,
        value_name = "FILE",
        default_value = "responses.toml",
        env = "TWIML_RESPONDER_CONFIG"
    )]
    config: PathBuf,
    /// Where to listen: an address with its port, or a socket as unix:PATH; may be repeated
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8080",
        env = "TWIML_RESPONDER_LISTEN",
        value_delimiter = ','
    )]
    listen: Vec<ListenAddress>,
    /// The path of Proxy's out-of-session webhook
    #[arg(
        long,
        value_name = "PATH",
        default_value = "/out-of-session",
        env = "TWIML_RESPONDER_PATH"
    )]
    path: OutOfSessionPath,
    /// Scheme, host and path prefix by which Twilio knows the service; may be repeated
    #[arg(
        long,
        value_name = "URL",
        env = "TWIML_RESPONDER_PUBLIC_URL",
        value_delimiter = ','
    )]
    public_url: Vec<PublicUrl>,
    /// A network whose X-Forwarded-Proto and -Host count; may be repeated
    #[arg(
        long,
        value_name = "CIDR",
        env = "TWIML_RESPONDER_TRUSTED_PROXY",
        value_delimiter = ','
    )]
    trusted_proxy: Vec<IpNet>,
    #[command(flatten)]
    secrets: secrets::SecretSources,
    /// Answer without signatures, on this machine only
    #[arg(long, env = "TWIML_RESPONDER_ALLOW_UNSIGNED")]
    allow_unsigned: bool,
    /// The largest body that is read
    #[arg(
        long,
        value_name = "BYTES",
        default_value = "262144",
        env = "TWIML_RESPONDER_MAX_BODY"
    )]
    max_body: usize,
    /// How many connections are open at once
    #[arg(
        long,
        value_name = "N",
        default_value = "4096",
        value_parser = at_least_one,
        env = "TWIML_RESPONDER_MAX_CONNECTIONS"
    )]
    max_connections: usize,
    /// How to log
    #[arg(long, value_enum, default_value = "human", env = "TWIML_RESPONDER_LOG")]
    log: LogFormat,
    /// Log numbers unmasked
    #[arg(long, env = "TWIML_RESPONDER_SHOW_NUMBERS")]
    show_numbers: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    Human,
    Json,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| "write a whole number, at least 1".to_owned())
}

pub(super) fn run(arguments: Arguments) -> Result<Outcome> {
    let verification = verification(&arguments)?;
    let table = table_file::compile(&arguments.config)?.table;
    start_log(arguments.log);
    log_panics();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the threads of the service")?;
    let is_unsigned = matches!(verification, Verification::AllowUnsigned);
    let routes = table.routes().len();
    let service = Service {
        out_of_session: arguments.path,
        public_urls: arguments.public_url,
        trusted_proxies: arguments.trusted_proxy,
        show_numbers: arguments.show_numbers,
        ..Service::new(Arc::new(table), verification)
    };
    let limits = Limits {
        max_connections: arguments.max_connections,
        max_body_bytes: arguments.max_body,
        ..Limits::default()
    };
    runtime.block_on(async {
        let signals = Signals::new().context("cannot listen for signals")?;
        let mut listeners = Vec::with_capacity(arguments.listen.len());
        for address in &arguments.listen {
            let listener = Listener::bind(address).await?;
            let address = listener
                .address()
                .with_context(|| format!("cannot tell the port of {address}"))?;
            info!(routes, "listening on {address}");
            listeners.push(listener);
        }
        if is_unsigned {
            warn!("signatures are not checked: whoever is on this machine gets answers");
        }
        let cut_off = server::run(listeners, Arc::new(service), limits, signals.first()).await;
        info!(cut_off, "ended");
        Ok(Outcome::Yes)
    })
}

/// Who is answered. There is no way to run without deciding it.
fn verification(arguments: &Arguments) -> Result<Verification> {
    let secrets = arguments.secrets.read()?;
    match (secrets.is_empty(), arguments.allow_unsigned) {
        (false, false) => Ok(Verification::Signed(secrets)),
        (true, true) => Ok(Verification::AllowUnsigned),
        (false, true) => bail!(
            "--allow-unsigned together with an auth token: take --allow-unsigned out to check signatures, \
             or unset {TOKEN_VARIABLE} and --auth-token-file to try things out"
        ),
        (true, false) => bail!(
            "there is no auth token to check signatures with: set {TOKEN_VARIABLE} or --auth-token-file, \
             or try things out on this machine with --allow-unsigned"
        ),
    }
}

fn start_log(format: LogFormat) {
    let builder = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_target(false);
    match format {
        LogFormat::Human => builder.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}

/// A panic is an event like any other. Its text is left out: it may hold a number of the request.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        error!(
            place,
            "a fault of the program; please report it with this place"
        );
    }));
}

/// The signals that end the service: the first lets running requests finish, the second does not.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Completes at the first signal; the second ends the process.
    async fn first(mut self) {
        self.next().await;
        tokio::spawn(async move {
            self.next().await;
            warn!("ended at once by a second signal");
            std::process::exit(1);
        });
    }
}
