//! `serve`: table, secrets and sockets first, then the service until a signal ends it.
//!
//! Only puts the parts together: the options are in `serve/options.rs`, the parts in [`crate::service`].

mod first_table;
mod log;
mod options;

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tracing::{info, warn};

use self::options::{LimitOptions, ListenOptions};
use super::{COULD_NOT, Outcome};
use crate::service::connection::HttpLimits;
use crate::service::journal_files::JournalSettings;
use crate::service::journal_writer::Journal;
use crate::service::listen_address::{ListenAddress, SocketMode};
use crate::service::listener::Listener;
use crate::service::live::Verification;
use crate::service::metrics::Metrics;
use crate::service::reload::{self, Companion, PutInUse, Setup};
use crate::service::responder::Responder;
use crate::service::server::{self, Purpose};
use crate::service::systemd::{self, Sockets};
use crate::service::tls::{Certificates, TlsFiles};

pub(super) use self::options::{Arguments, size};

/// How long the end of the service waits for the last lines of the journal.
const LAST_LINES: Duration = Duration::from_secs(5);

pub(super) fn run(arguments: Arguments) -> Result<Outcome> {
    // First of all, while there is only one thread.
    let sockets = Sockets::take()?;
    // Before there is a secret, so that no core dump has one and no other program of the same user reads it from memory.
    let hidden = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let access = arguments.access.read()?;
    let is_unsigned = matches!(access.verification, Verification::AllowUnsigned);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the threads of the service")?;
    // Before anything takes long: until there is a listener for it, SIGHUP would end the process.
    let mut hangups = {
        let _entered = runtime.enter();
        signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?
    };
    let files = first_table::files(arguments.table);
    let (table, first) = first_table::read(&files)?;
    let routes = table.routes().len();
    let mut service = Responder {
        out_of_session: arguments.urls.path,
        public_urls: arguments.urls.public_url,
        trusted_proxies: arguments.urls.trusted_proxy,
        show_numbers: arguments.log.show_numbers,
        has_health_paths: arguments.listening.health,
        ..Responder::new(Arc::new(table), access)
    };
    let _flush = log::start(&arguments.log, &service.metrics)?;
    log::log_panics();
    if let Err(error) = hidden {
        warn!(%error, "a core dump of this process would contain its secrets");
    }
    let journal = arguments.journal.into_service();
    let journal = journal.map(|options| begin_journal(options, &service.metrics));
    let (journal, closing) = journal.transpose()?.unzip();
    service.journal = journal;
    let limits = limits(&arguments.limits);
    let certificates = certificates(&arguments.listening, &service.metrics)?;
    let access = arguments.access;
    let setup = Setup {
        files,
        access: Box::new(move || access.read().map_err(|error| format!("{error:#}"))),
        metrics: Arc::clone(&service.metrics),
        companions: certificates
            .iter()
            .map(|certificates| companion(certificates, &service.metrics))
            .collect(),
        observers: vec![Box::new(systemd::Reloading::new(Arc::clone(
            &service.is_ending,
        )))],
        show_numbers: arguments.log.show_numbers,
    };
    let outcome = runtime.block_on(async {
        let terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        let interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
        let inherited = sockets.listen()?;
        let ListenOptions {
            listen,
            socket_mode,
            admin,
            ..
        } = arguments.listening;
        let mut webhooks = listeners(inherited.webhooks, &listen, socket_mode).await?;
        if let Some(certificates) = &certificates {
            let secured = webhooks
                .into_iter()
                .map(|listener| listener.with_tls(certificates));
            webhooks = secured.collect();
        }
        log_addresses(&webhooks, routes);
        if is_unsigned {
            warn!("signatures are not checked: any process on this machine gets an answer");
        }
        let reloads = reload::start(setup, first, Arc::clone(&service.live))
            .context("cannot start the thread that reloads the table")?;
        let service = Arc::new(service);
        let admin = listeners(inherited.admin, admin.as_slice(), socket_mode).await?;
        let (end_admin, admin) = start_admin(admin, Arc::clone(&service))?;
        systemd::ready(&reloads.state());
        tokio::spawn(systemd::watchdog(Arc::clone(&service.pulse)));
        tokio::spawn(async move {
            while hangups.recv().await.is_some() {
                reloads.ask();
            }
        });
        let is_ending = Arc::clone(&service.is_ending);
        let delay = arguments.limits.drain_delay;
        let shutdown = async move {
            first_signal(terminate, interrupt).await;
            keep_accepting(&is_ending, delay, limits.drain).await;
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

fn begin_journal(
    options: JournalSettings,
    metrics: &Arc<Metrics>,
) -> Result<(Journal, Receiver<()>)> {
    if options.beyond.numbers {
        warn!("the journal stores other people's numbers unmasked");
    }
    Journal::begin(options, Arc::clone(metrics))
        .context("cannot start the thread that writes the journal")
}

fn limits(options: &LimitOptions) -> HttpLimits {
    HttpLimits {
        max_connections: options.max_connections,
        max_body_bytes: options.max_body,
        ..HttpLimits::default()
    }
}

/// The certificate and key, if the options name them.
fn certificates(listening: &ListenOptions, metrics: &Metrics) -> Result<Option<Arc<Certificates>>> {
    let (Some(certificate), Some(key)) = (&listening.tls_cert, &listening.tls_key) else {
        return Ok(None);
    };
    let files = TlsFiles {
        certificate: certificate.clone(),
        key: key.clone(),
    };
    let certificates = Certificates::read(files, Timestamp::now())?;
    metrics.certificate_expires(certificates.expires());
    Ok(Some(Arc::new(certificates)))
}

/// Reads the certificate again with every reload that somebody asks for.
fn companion(certificates: &Arc<Certificates>, metrics: &Arc<Metrics>) -> Companion {
    let certificates = Arc::clone(certificates);
    let metrics = Arc::clone(metrics);
    Box::new(move || {
        let fresh = certificates
            .read_again(Timestamp::now())
            .map_err(|error| error.to_string())?;
        let certificates = Arc::clone(&certificates);
        let metrics = Arc::clone(&metrics);
        Ok(Box::new(move || {
            certificates.put(fresh);
            metrics.certificate_expires(certificates.expires());
        }) as PutInUse)
    })
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

/// Starts to answer on the admin listeners, if there are any, until the sender is dropped.
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
    let (end, is_ended) = oneshot::channel();
    let is_ended = async {
        let _ = is_ended.await;
    };
    let task = tokio::spawn(server::run(
        Purpose::Admin,
        listeners,
        service,
        HttpLimits::admin(),
        is_ended,
    ));
    Ok((end, task))
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
    either(&mut terminate, &mut interrupt).await;
    tokio::spawn(async move {
        either(&mut terminate, &mut interrupt).await;
        warn!("ended at once by a second signal");
        log::flush();
        process::exit(COULD_NOT.into());
    });
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
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
