//! `serve`: table, secrets and sockets first, then the service until it is told to end.
//!
//! Only puts the parts together: the options are in `serve/options.rs`.

mod admin;
mod first_table;
mod journal;
mod log;
mod options;
mod signals;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use tokio::time::sleep;
use tracing::{info, warn};

use self::admin::Admin;
use self::options::{LimitOptions, Listening, Signers};
use self::signals::{Endings, Hangups};
use super::secrets::TOKEN_VARIABLE;
use super::{Outcome, secrets};
use crate::service::live::{Access, Verification};
use crate::service::metrics::Metrics;
use crate::service::reload::{self, Companion, PutInUse, Setup};
use crate::service::server::listener::Listener;
use crate::service::server::tls::{Certificates, TlsFiles};
use crate::service::server::{self, Limits, Service};
use crate::service::systemd::{self, Sockets};

pub(super) use self::journal::size;
pub(super) use self::options::Arguments;

pub(super) fn run(arguments: Arguments) -> Result<Outcome> {
    // First of all, while there is one thread.
    let sockets = Sockets::take()?;
    // Before there is a secret: no core dump has one, and no other program of the same user reads it from memory.
    let hidden = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let first_access = access(&arguments.signers)?;
    let is_unsigned = matches!(first_access.verification, Verification::AllowUnsigned);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the threads of the service")?;
    // Before anything takes long: from here on SIGHUP ends nothing.
    let hangups = {
        let _entered = runtime.enter();
        Hangups::new().context("cannot listen for signals")?
    };
    let files = first_table::files(arguments.table);
    let (table, first) = first_table::read(&files)?;
    let routes = table.routes().len();
    let mut service = Service {
        out_of_session: arguments.twilio.path,
        public_urls: arguments.twilio.public_url,
        trusted_proxies: arguments.twilio.trusted_proxy,
        show_numbers: arguments.logging.show_numbers,
        has_health_paths: arguments.listening.health,
        ..Service::new(Arc::new(table), first_access)
    };
    let _flush = log::start(&arguments.logging, &service.metrics)?;
    log::log_panics();
    if let Err(error) = hidden {
        warn!(%error, "a core dump of this process would hold its secrets");
    }
    let (journal, closing) = arguments.journal.begin(&service.metrics)?.unzip();
    service.journal = journal;
    let limits = limits(&arguments.limits);
    let certificates = certificates(&arguments.listening, &service.metrics)?;
    let signers = arguments.signers;
    let setup = Setup {
        files,
        access: Box::new(move || access(&signers).map_err(|error| format!("{error:#}"))),
        metrics: Arc::clone(&service.metrics),
        companions: certificates
            .iter()
            .map(|certificates| companion(certificates, &service.metrics))
            .collect(),
        observers: vec![Box::new(systemd::Reloading::new(Arc::clone(
            &service.is_ending,
        )))],
        show_numbers: arguments.logging.show_numbers,
    };
    let outcome = runtime.block_on(async {
        let endings = Endings::new().context("cannot listen for signals")?;
        let inherited = sockets.listen()?;
        let mut listeners = listeners(inherited.webhooks, &arguments.listening).await?;
        if let Some(certificates) = &certificates {
            let secured = listeners
                .into_iter()
                .map(|listener| listener.with_tls(certificates));
            listeners = secured.collect();
        }
        log_addresses(&listeners, routes);
        if is_unsigned {
            warn!("signatures are not checked: whoever is on this machine gets answers");
        }
        let reloads = reload::start(setup, first, Arc::clone(&service.live))
            .context("cannot start the thread of reloads")?;
        let service = Arc::new(service);
        let admin = Admin::start(inherited.admin, &arguments.listening, &service).await?;
        systemd::ready(&reloads.state());
        tokio::spawn(systemd::watchdog(Arc::clone(&service.pulse)));
        tokio::spawn(hangups.ask(reloads));
        let shutdown = ending(
            endings,
            Arc::clone(&service.is_ending),
            arguments.limits.drain_delay,
            limits.drain,
        );
        let cut_off = server::run(listeners, service, limits, shutdown).await;
        admin.end().await;
        info!(cut_off, "ended");
        Ok(Outcome::Yes)
    });
    if let Some(closing) = closing {
        journal::end(closing);
    }
    outcome
}

fn limits(options: &LimitOptions) -> Limits {
    Limits {
        max_connections: options.max_connections,
        max_body_bytes: options.max_body,
        ..Limits::default()
    }
}

/// What to speak TLS with, when that is asked for.
fn certificates(listening: &Listening, metrics: &Metrics) -> Result<Option<Arc<Certificates>>> {
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

/// Reads the certificate again with every reload that is asked for.
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

/// The sockets that were handed over, else those of `--listen`.
async fn listeners(inherited: Vec<Listener>, listening: &Listening) -> Result<Vec<Listener>> {
    if inherited.is_empty() {
        Ok(Listener::bind_all(&listening.listen, listening.socket_mode).await?)
    } else {
        Ok(inherited)
    }
}

/// Says where it listens, since a port may be any free one.
fn log_addresses(listeners: &[Listener], routes: usize) {
    for listener in listeners {
        match listener.address() {
            Ok(address) => info!(routes, tls = listener.is_tls(), "listening on {address}"),
            Err(error) => warn!(routes, %error, "listening on a socket without an address"),
        }
    }
}

/// Completes when accepting is to end: so long after the first signal as load balancers need to see that it ends.
async fn ending(signals: Endings, is_ending: Arc<AtomicBool>, delay: Duration, drain: Duration) {
    signals.first().await;
    is_ending.store(true, Ordering::SeqCst);
    systemd::stopping(delay + drain + Duration::from_secs(5));
    if !delay.is_zero() {
        info!(
            seconds = delay.as_secs(),
            "ending, connections are still taken"
        );
        sleep(delay).await;
    }
}

/// All that is secret.
fn access(signers: &Signers) -> Result<Access> {
    secrets::refuse_pipes(&signers.secrets.auth_token_file)?;
    secrets::refuse_pipes(&signers.voice_webhooks_key_file)?;
    Ok(Access {
        verification: verification(signers)?,
        voice_webhooks: secrets::read_keys(&signers.voice_webhooks_key_file)?,
    })
}

/// Who is answered. There is no way to run without deciding it.
fn verification(signers: &Signers) -> Result<Verification> {
    let secrets = signers.secrets.read()?;
    match (secrets.is_empty(), signers.allow_unsigned) {
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
