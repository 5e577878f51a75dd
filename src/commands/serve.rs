//! `serve`: table, secrets and sockets first, then the service until a signal ends it.
//!
//! Only puts the parts together: the options are in `serve/options.rs`, the parts in [`crate::service`].

mod log;
mod options;

use std::env;
use std::path::PathBuf;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use tokio::runtime::Runtime;
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
use crate::twilio::signature::public_url::PublicUrl;

use self::options::AccessOptions;
pub(super) use self::options::Arguments;

/// How long shutdown waits for the last lines of the journal and for the last good copy.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// How long shutdown waits for a page that somebody has requested.
const LAST_TASKS: Duration = Duration::from_secs(1);

/// The environment variable that sets the number of tokio's threads.
const WORKER_THREADS: &str = "TOKIO_WORKER_THREADS";

pub(super) fn run(arguments: Arguments) -> Result<Outcome> {
    let outcome = if arguments.check {
        check(arguments)
    } else {
        serve(arguments)
    };
    log::flush();
    outcome
}

fn serve(arguments: Arguments) -> Result<Outcome> {
    // This comes first, while there is only one thread.
    let sockets = Sockets::take()?;
    // Before there are secrets, so that none ends up in a core dump or is read from memory by the same user's other
    // programs.
    let hidden = hide_memory();
    arguments.urls.check()?;
    let files = files(&arguments);
    let (secrets, access) = secrets(arguments.access)?;
    let (unusual_tokens, described) = match &access.verification {
        Verification::Signed(secrets) => (Some(secrets.unusual()), secrets.described()),
        Verification::AllowUnsigned => (None, "none".to_owned()),
    };
    let runtime = runtime()?;
    let mut signals = {
        let _entered = runtime.enter();
        Signals::listen()?
    };
    let (table, first) = first_table(&files)?;
    let routes = table.routes().len();
    let (listening, urls) = (arguments.listening, arguments.urls);
    let show_numbers = arguments.log.show_numbers;
    let mut service = Responder {
        out_of_session: urls.path,
        public_urls: urls.public_url,
        trusted_proxies: urls.trusted_proxy,
        post_only: urls.post_only,
        show_numbers,
        has_health_paths: listening.health,
        ..Responder::new(Arc::new(table), access)
    };
    log::start(arguments.log.log, arguments.log.log_level, &service.metrics)?;
    log::log_panics();
    if let Some(tokens @ 1..) = unusual_tokens {
        let what = "an auth token is not 32 hexadecimal digits, as Twilio's are";
        warn!(tokens, "{what}: it may be cut or mistyped");
    }
    if let Err(error) = hidden {
        warn!(%error, "a core dump of this process would contain its secrets");
    }
    let journal = arguments.journal.into_settings();
    let journal = journal.map(|settings| begin_journal(settings, &service.metrics));
    let (journal, closing) = journal.transpose()?.unzip();
    service.journal = journal;
    let limits = arguments.limits.of_http();
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
    let mut reloading = None;
    let outcome = runtime.block_on(async {
        // From here on, there is something to end.
        signals.at_start.abort();
        let (webhooks, inherited_admin) = sockets.listen()?;
        let mode = listening.socket_mode;
        let webhooks = listeners(webhooks, &listening.listen, mode).await?;
        let webhooks = encrypted(webhooks, tls.as_ref());
        log_start(&service, &setup.files, routes, &described);
        log_addresses(&webhooks);
        if unusual_tokens.is_none() {
            warn!("signatures are not checked: any process on this machine gets an answer");
        }
        let (reloads, ended) = reload::start(setup, first)
            .context("cannot start the thread that reloads the table")?;
        reloading = Some(ended);
        service.state = Some(reloads.state.clone());
        let service = Arc::new(service);
        let admin = listeners(inherited_admin, listening.admin.as_slice(), mode).await?;
        let (end_admin, admin) = start_admin(admin, Arc::clone(&service))?;
        systemd::ready(&*reloads.state.borrow());
        tokio::spawn(systemd::watchdog(Arc::clone(&service.pulse)));
        tokio::spawn(async move {
            while signals.hangups.recv().await.is_some() {
                reloads.ask();
            }
        });
        let is_ending = Arc::clone(&service.is_ending);
        let shutdown = async move {
            first_signal(signals.ends).await;
            keep_accepting(&is_ending, arguments.limits.drain_delay, limits.drain).await;
        };
        let cut_off = server::run(Purpose::Webhooks, webhooks, service, limits, shutdown).await;
        // The admin listener stays until now, so that the drain can be observed.
        drop(end_admin);
        let _ = admin.await;
        info!(cut_off, "ended");
        Ok(Outcome::Yes)
    });
    // Whatever still runs there requests reloads and writes to the journal.
    runtime.shutdown_timeout(LAST_TASKS);
    let is_late =
        |ended: Receiver<()>| ended.recv_timeout(LAST_WRITES) == Err(RecvTimeoutError::Timeout);
    if closing.is_some_and(is_late) {
        warn!("the disk is too slow: the last lines of the journal may be lost");
    }
    if reloading.is_some_and(is_late) {
        warn!("a reload takes too long: the last good copy may be an older one");
    }
    outcome
}

/// The threads of the service. tokio ends the process if it cannot use the value of [`WORKER_THREADS`].
fn runtime() -> Result<Runtime> {
    if let Some(given) = env::var_os(WORKER_THREADS) {
        let number = given.to_str().and_then(|text| text.parse().ok());
        ensure!(
            number.is_some_and(|number| (1..=1024).contains(&number)),
            "{WORKER_THREADS} must be a whole number from 1 to 1024: correct it, or unset it for a thread for each processor"
        );
    }
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the threads of the service")
}

/// The files of the table, and those that none of its directories may read.
fn files(arguments: &Arguments) -> TableFiles {
    let mut secrets = arguments.access.files();
    secrets.extend(arguments.listening.tls_key.clone());
    TableFiles {
        secrets,
        ..arguments.table.files()
    }
}

/// Signals from the system to the service.
struct Signals {
    hangups: Signal,
    ends: Ends,
    /// Ends the process at once while it is still reading its files.
    at_start: JoinHandle<()>,
}

impl Signals {
    /// Must be called before anything slow: until a signal has a listener, it would end the process.
    fn listen() -> Result<Self> {
        ignore("SIGUSR1", SignalKind::user_defined1())?;
        ignore("SIGUSR2", SignalKind::user_defined2())?;
        // A file that may not grow any more costs lines of the log or the journal, but must not end the service.
        let too_large = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
        drop(signal(too_large).context("cannot listen for SIGXFSZ")?);
        let mut ends = Ends::new()?;
        Ok(Self {
            hangups: signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?,
            ends: Ends::new()?,
            at_start: tokio::spawn(async move {
                ends.next().await;
                log::flush();
                process::exit(0);
            }),
        })
    }
}

/// Keeps a signal from ending the process: from now on it is only logged.
fn ignore(name: &'static str, kind: SignalKind) -> Result<()> {
    let mut signals = signal(kind).with_context(|| format!("cannot listen for {name}"))?;
    tokio::spawn(async move {
        while signals.recv().await.is_some() {
            info!("{name} changes nothing; SIGHUP asks for a reload");
        }
    });
    Ok(())
}

/// The secrets, and their files, which are watched.
fn secrets(access: AccessOptions) -> Result<(Watched<Access>, Access)> {
    let read = move |file: ReadFile<'_>| access.read(file).map_err(|error| format!("{error:#}"));
    Watched::first(Part::Secrets, read).map_err(anyhow::Error::msg)
}

/// Whether a reload would put everything in use. The log says what is wrong as it does after a reload: without lines of
/// the table, and with numbers masked.
fn check(arguments: Arguments) -> Result<Outcome> {
    let files = TableFiles {
        state_dir: None,
        ..files(&arguments)
    };
    let metrics = Arc::default();
    let show_numbers = arguments.log.show_numbers;
    log::start(arguments.log.log, arguments.log.log_level, &metrics)?;
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

/// The table, or its last good copy; without either, standard error says what is wrong. Warnings go to the log.
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

/// The sockets that systemd has handed over, or else sockets at these addresses.
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

/// The listeners, with TLS if it is enabled.
fn encrypted(listeners: Vec<Listener>, tls: Option<&Arc<dyn Decrypt>>) -> Vec<Listener> {
    let with_tls = |listener: Listener| match tls {
        Some(tls) => listener.with_tls(Arc::clone(tls)),
        None => listener,
    };
    listeners.into_iter().map(with_tls).collect()
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

/// Counts each minute, so that the page can show the answers of the last hour.
async fn count_minutes(service: Arc<Responder>) {
    loop {
        sleep(MINUTE).await;
        service.minute_is_over();
    }
}

/// The first line of the log: what is about to be served.
fn log_start(service: &Responder, files: &TableFiles, routes: usize, secrets: &str) {
    let urls: Vec<&str> = service.public_urls.iter().map(PublicUrl::as_str).collect();
    info!(
        table = %files.table.display(),
        routes,
        webhooks = service.open_paths().join(" "),
        public_url = (!urls.is_empty()).then(|| urls.join(" ")),
        secrets,
        concat!("twiml-responder ", env!("CARGO_PKG_VERSION"), " starts")
    );
    if routes == 0 {
        warn!("the table has no routes: [default] answers every request");
    }
}

/// Logs where the service listens: the operator may have left the port to the system.
fn log_addresses(listeners: &[Listener]) {
    for listener in listeners {
        match listener.address() {
            Ok(address) => info!(tls = listener.is_tls(), "listening on {address}"),
            Err(error) => warn!(%error, "listening on a socket without an address"),
        }
    }
}

/// The signals that end the service.
struct Ends {
    terminate: Signal,
    interrupt: Signal,
}

impl Ends {
    /// Those that arrive from now on.
    fn new() -> Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Completes at the first SIGTERM or SIGINT, after which running requests may finish. The second ends the process.
async fn first_signal(mut ends: Ends) {
    ends.next().await;
    tokio::spawn(async move {
        ends.next().await;
        warn!("ended at once by a second signal");
        log::flush();
        process::exit(COULD_NOT.into());
    });
}

/// Notifies health checks and systemd that the service is ending, and gives load balancers time to notice.
async fn keep_accepting(is_ending: &AtomicBool, delay: Duration, drain: Duration) {
    is_ending.store(true, Ordering::SeqCst);
    systemd::stopping(delay + drain + Duration::from_secs(5));
    if !delay.is_zero() {
        let seconds = delay.as_secs();
        info!(seconds, "ending, still accepting connections");
        sleep(delay).await;
    }
}
