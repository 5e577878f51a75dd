//! `serve`: table, secrets and sockets first, then the service until a signal ends it.
//!
//! Only puts the parts together: the options are in `serve/options.rs`, the parts in [`crate::service`].

mod log;
mod options;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;
use std::{env, process};

use anyhow::{Context, Result, anyhow};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tracing::{error, info, warn};

use super::load_table::show_errors;
use super::{COULD_NOT, Outcome};
use crate::service::connection::HttpLimits;
use crate::service::journal_files::JournalSettings;
use crate::service::journal_writer::Journal;
use crate::service::last_hour::MINUTE;
use crate::service::listen_address::{ListenAddress, SocketMode};
use crate::service::listener::{Decrypt, Listener};
use crate::service::live::{Access, Verification};
use crate::service::metrics::Metrics;
use crate::service::platform::hide_memory;
use crate::service::reload::{self, First, Part, Problem, PutInUse, Setup, TableFiles, Watched};
use crate::service::responder::Responder;
use crate::service::server::{self, Purpose};
use crate::service::systemd::{self, Sockets};
use crate::service::table_file::ReadFile;
use crate::table::Table;

use self::options::AccessOptions;
pub(super) use self::options::Arguments;

/// How long the end of the service waits for the last lines of the journal.
const LAST_LINES: Duration = Duration::from_secs(5);

pub(super) fn run(arguments: Arguments) -> Result<Outcome> {
    let outcome = if arguments.check {
        check(arguments)
    } else {
        serve(arguments)
    };
    log::flush();
    outcome
}

#[expect(
    clippy::too_many_lines,
    reason = "the parts of the service are put together in one place"
)]
fn serve(arguments: Arguments) -> Result<Outcome> {
    // First of all, while there is only one thread.
    let sockets = Sockets::take()?;
    // Before there is a secret, so that no core dump has one and no other program of the same user reads it from memory.
    let hidden = hide_memory();
    arguments.urls.check()?;
    let (secrets, access) = secrets(arguments.access)?;
    let unusual_tokens = match &access.verification {
        Verification::Signed(secrets) => Some(secrets.unusual()),
        Verification::AllowUnsigned => None,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the threads of the service")?;
    // Before anything takes long: until there is a listener for it, each of these would end the process.
    let (mut hangups, user_signals) = {
        let _entered = runtime.enter();
        let hangups = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
        let first = signal(SignalKind::user_defined1()).context("cannot listen for SIGUSR1")?;
        let second = signal(SignalKind::user_defined2()).context("cannot listen for SIGUSR2")?;
        (hangups, [("SIGUSR1", first), ("SIGUSR2", second)])
    };
    let files = TableFiles {
        table: arguments.table.file.path().to_owned(),
        max_directory: arguments.table.file.option.limit.max_directory,
        state_dir: arguments.table.state_dir.or_else(state_directory),
    };
    let (table, first) = first_table(&files)?;
    let routes = table.routes().len();
    let (listening, urls) = (arguments.listening, arguments.urls);
    let show_numbers = arguments.log.show_numbers;
    let mut service = Responder {
        out_of_session: urls.path,
        public_urls: urls.public_url,
        trusted_proxies: urls.trusted_proxy,
        show_numbers,
        has_health_paths: listening.health,
        ..Responder::new(Arc::new(table), access)
    };
    log::start(arguments.log.log, arguments.log.log_level, &service.metrics)?;
    log::log_panics();
    if let Some(tokens @ 1..) = unusual_tokens {
        warn!(
            tokens,
            "an auth token is not 32 hexadecimal digits, as Twilio's are: it may be cut or mistyped"
        );
    }
    if let Err(error) = hidden {
        warn!(%error, "a core dump of this process would contain its secrets");
    }
    let journal = arguments.journal.into_settings();
    let journal = journal.map(|settings| begin_journal(settings, &service.metrics));
    let (journal, closing) = journal.transpose()?.unzip();
    service.journal = journal;
    let limits = HttpLimits {
        max_connections: arguments.limits.max_connections,
        max_body_bytes: arguments.limits.max_body,
        ..HttpLimits::default()
    };
    let files_of_tls = listening.tls_cert.zip(listening.tls_key);
    let (tls, certificate) = tls(files_of_tls, &service.metrics)?.unzip();
    let setup = Setup {
        files,
        secrets,
        certificate,
        live: Arc::clone(&service.live),
        metrics: Arc::clone(&service.metrics),
        is_ending: Arc::clone(&service.is_ending),
        show_numbers,
    };
    let outcome = runtime.block_on(async {
        let terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        let interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
        let (webhooks, inherited_admin) = sockets.listen()?;
        let mode = listening.socket_mode;
        let mut webhooks = listeners(webhooks, &listening.listen, mode).await?;
        if let Some(tls) = tls {
            let plain = webhooks.into_iter();
            webhooks = plain
                .map(|listener| listener.with_tls(Arc::clone(&tls)))
                .collect();
        }
        log_addresses(&webhooks, routes);
        if unusual_tokens.is_none() {
            warn!("signatures are not checked: any process on this machine gets an answer");
        }
        let reloads = reload::start(setup, first)
            .context("cannot start the thread that reloads the table")?;
        service.state = Some(reloads.state.clone());
        let service = Arc::new(service);
        let admin = listeners(inherited_admin, listening.admin.as_slice(), mode).await?;
        let (end_admin, admin) = start_admin(admin, Arc::clone(&service))?;
        systemd::ready(&*reloads.state.borrow());
        tokio::spawn(systemd::watchdog(Arc::clone(&service.pulse)));
        tokio::spawn(async move {
            while hangups.recv().await.is_some() {
                reloads.ask();
            }
        });
        let is_ending = Arc::clone(&service.is_ending);
        for (name, mut signals) in user_signals {
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    info!("{name} changes nothing; SIGHUP asks for a reload");
                }
            });
        }
        let shutdown = async move {
            first_signal(terminate, interrupt).await;
            keep_accepting(&is_ending, arguments.limits.drain_delay, limits.drain).await;
        };
        let cut_off = server::run(Purpose::Webhooks, webhooks, service, limits, shutdown).await;
        // The admin listener stays until now, so that the drain can be watched.
        drop(end_admin);
        let _ = admin.await;
        info!(cut_off, "ended");
        Ok(Outcome::Yes)
    });
    let is_late =
        |closing: Receiver<()>| closing.recv_timeout(LAST_LINES) == Err(RecvTimeoutError::Timeout);
    if closing.is_some_and(is_late) {
        warn!("the disk is too slow: the last lines of the journal may be lost");
    }
    outcome
}

/// The secrets, and their files, which are watched.
fn secrets(access: AccessOptions) -> Result<(Watched<Access>, Access)> {
    let read = move |file: ReadFile<'_>| access.read(file).map_err(|error| format!("{error:#}"));
    Watched::first(Part::Secrets, read).map_err(anyhow::Error::msg)
}

/// Whether a reload would put everything in use. The log says what is wrong as it does after a reload: without lines of the
/// table, and with numbers masked.
fn check(arguments: Arguments) -> Result<Outcome> {
    let metrics = Arc::default();
    let show_numbers = arguments.log.show_numbers;
    log::start(arguments.log.log, arguments.log.log_level, &metrics)?;
    let files = TableFiles {
        table: arguments.table.file.path().to_owned(),
        max_directory: arguments.table.file.option.limit.max_directory,
        state_dir: None,
    };
    let urls = arguments.urls.check();
    let urls = urls.inspect_err(|error| error!("{error:#}"));
    let secrets = secrets(arguments.access).inspect_err(|error| error!("{error:#}"));
    let listening = arguments.listening;
    let certificate = tls(listening.tls_cert.zip(listening.tls_key), &metrics)
        .inspect_err(|error| error!("{error:#}"));
    let is_table_good = reload::is_good(&files, show_numbers);
    let is_good = is_table_good && urls.is_ok() && secrets.is_ok() && certificate.is_ok();
    if is_good {
        info!("everything is good");
    }
    Ok(Outcome::from(is_good))
}

/// The folder for the last good copy that systemd gives.
fn state_directory() -> Option<PathBuf> {
    let given = env::var_os("STATE_DIRECTORY").filter(|given| !given.is_empty())?;
    // systemd gives all folders of a unit, separated by colons.
    env::split_paths(&given).next()
}

/// The table, or its last good copy; without one, standard error says what is wrong. Warnings are for the service's log.
fn first_table(files: &TableFiles) -> Result<(Table, First)> {
    let shown = |problem| match problem {
        Problem::Diagnostics(name, diagnostics) => show_errors(&name, &diagnostics),
        Problem::Unusable(reason) => anyhow!(reason),
    };
    reload::first(files).map_err(|(problem, copy)| {
        let problem = shown(problem);
        match copy.map(shown) {
            Some(copy) => anyhow!("{problem}; the last good copy cannot be used either: {copy}"),
            None => problem,
        }
    })
}

fn begin_journal(
    settings: JournalSettings,
    metrics: &Arc<Metrics>,
) -> Result<(Journal, Receiver<()>)> {
    if settings.beyond.numbers {
        warn!("the journal stores other people's numbers unmasked");
    }
    Journal::begin(settings, Arc::clone(metrics))
        .context("cannot start the thread that writes the journal")
}

/// TLS, if the options ask for it, and its certificate.
type Tls = Option<(Arc<dyn Decrypt>, Watched<PutInUse>)>;

#[cfg(feature = "tls")]
fn tls(files: Option<(PathBuf, PathBuf)>, metrics: &Arc<Metrics>) -> Result<Tls> {
    use crate::service::tls::{Certificates, TlsFiles};
    use jiff::Timestamp;

    let Some((certificate, key)) = files else {
        return Ok(None);
    };
    let files = TlsFiles { certificate, key };
    let read = move |file: ReadFile<'_>| files.read(Timestamp::now(), file);
    let first = Watched::first(Part::Certificate, read).map_err(anyhow::Error::msg)?;
    let (watched, first) = first;
    let certificates = Arc::new(Certificates::new(first));
    metrics.certificate_expires(certificates.expires());
    let (tls, metrics) = (Arc::clone(&certificates), Arc::clone(metrics));
    let watched = watched.map(move |fresh| {
        let (certificates, metrics) = (Arc::clone(&certificates), Arc::clone(&metrics));
        Box::new(move || {
            certificates.put(fresh);
            metrics.certificate_expires(certificates.expires());
        }) as PutInUse
    });
    Ok(Some((tls, watched)))
}

#[cfg(not(feature = "tls"))]
fn tls(files: Option<(PathBuf, PathBuf)>, _metrics: &Arc<Metrics>) -> Result<Tls> {
    anyhow::ensure!(
        files.is_none(),
        "this program was built without TLS: build it with the feature `tls`, or let a reverse proxy take the TLS"
    );
    Ok(None)
}

/// The sockets that systemd has handed over, else sockets at these addresses.
async fn listeners(
    inherited: Vec<Listener>,
    addresses: &[ListenAddress],
    mode: SocketMode,
) -> Result<Vec<Listener>> {
    if inherited.is_empty() {
        Ok(Listener::bind_all(addresses, mode).await?)
    } else {
        Ok(inherited)
    }
}

/// Answers on the admin listeners until the sender is dropped.
fn start_admin(
    listeners: Vec<Listener>,
    service: Arc<Responder>,
) -> Result<(oneshot::Sender<()>, JoinHandle<usize>)> {
    for listener in &listeners {
        let address = listener
            .address()
            .context("cannot find out the address of the admin listener")?;
        info!("health and metrics on {address}");
    }
    if !listeners.is_empty() {
        tokio::spawn(count_minutes(Arc::clone(&service)));
    }
    let (end, is_ended) = oneshot::channel();
    let is_ended = async {
        let _ = is_ended.await;
    };
    let limits = HttpLimits::admin();
    let running = server::run(Purpose::Admin, listeners, service, limits, is_ended);
    Ok((end, tokio::spawn(running)))
}

/// Lets the page tell the answers of the last hour.
async fn count_minutes(service: Arc<Responder>) {
    loop {
        sleep(MINUTE).await;
        service.minute_is_over();
    }
}

/// Logs where the service listens: the operator may have left the choice of a port to the system.
fn log_addresses(listeners: &[Listener], routes: usize) {
    for listener in listeners {
        match listener.address() {
            Ok(address) => info!(routes, tls = listener.is_tls(), "listening on {address}"),
            Err(error) => warn!(routes, %error, "listening on a socket without an address"),
        }
    }
}

/// Completes at the first SIGTERM or SIGINT, after which running requests may finish. The second ends the process.
async fn first_signal(mut terminate: Signal, mut interrupt: Signal) {
    let mut next = async move || {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    next().await;
    tokio::spawn(async move {
        next().await;
        warn!("ended at once by a second signal");
        log::flush();
        process::exit(COULD_NOT.into());
    });
}

/// Tells health checks and systemd that the service is ending, and waits until load balancers have had time to see it.
async fn keep_accepting(is_ending: &AtomicBool, delay: Duration, drain: Duration) {
    is_ending.store(true, Ordering::SeqCst);
    systemd::stopping(delay + drain + Duration::from_secs(5));
    if !delay.is_zero() {
        let seconds = delay.as_secs();
        info!(seconds, "ending, still accepting connections");
        sleep(delay).await;
    }
}
