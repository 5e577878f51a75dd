//! The HTTP service: a function of listeners and of a future that ends it.
//!
//! Decides nothing about calls and texts; that is [`crate::table::answer`]. Every wait has a deadline, every buffer a limit, and
//! no request waits for another.

mod accept;
mod admin;
mod asked_url;
mod connection;
mod deadline_io;
mod document;
mod events;
mod health;
mod intercept;
mod known_events;
pub mod listener;
mod open_connections;
pub mod path;
pub mod pulse;
mod receive;
pub(crate) mod refusal;
#[cfg_attr(not(feature = "tls"), path = "server/no_tls.rs")]
pub mod tls;
mod webhook;

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use ipnet::IpNet;
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep};
use tracing::debug;

use self::accept::{Pause, accept, waiting};
use self::connection::Connection;
use self::deadline_io::DeadlineIo;
use self::known_events::KnownEvents;
use self::listener::{Accepted, Listener, Peer};
use self::open_connections::OpenConnections;
use self::path::OutOfSessionPath;
use self::pulse::Pulse;
use crate::service::journal::Journal;
use crate::service::live::{self, Access, CurrentLive, Live};
use crate::service::metrics::Metrics;
use crate::table::Table;
use crate::table::answer::{self, Answer, Asked};
use crate::table::guard::Guard;
use crate::twilio::signature::public_url::PublicUrl;

/// The most bytes of a request line and headers, and about the most that hyper holds of a body at a time.
const HEAD_MAX_BYTES: usize = 64 * 1024;

/// How often an idle connection is looked for while one waits for a place.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// What is answered, and to whom.
#[derive(Debug)]
pub struct Service {
    /// The table that answers, and who is answered. A request takes it once.
    pub live: CurrentLive,
    /// Where Proxy's webhook is.
    pub out_of_session: OutOfSessionPath,
    /// The URLs by which Twilio may know this service; none: what a request says it asked.
    pub public_urls: Vec<PublicUrl>,
    /// Peers beside this machine whose `X-Forwarded-Proto` and `X-Forwarded-Host` count.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether logs show numbers whole.
    pub show_numbers: bool,
    /// What answers a request: [`answer::answer`], but for tests of what happens when it breaks.
    pub core: Core,
    /// What the guards remember, whatever table is in use.
    pub guard: Guard,
    /// The clock that schedules and guards go by.
    pub clock: fn() -> Timestamp,
    /// Where it is written what was answered; `None` without a journal.
    pub journal: Option<Journal>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Whether `/livez` and `/readyz` are answered beside the webhooks.
    pub has_health_paths: bool,
    /// Set by whoever is about to end the service. From then on every answer closes its connection, so that clients
    /// and load balancers go elsewhere.
    pub is_ending: Arc<AtomicBool>,
    /// Tells whether the accept loop still turns.
    pub pulse: Arc<Pulse>,
}

/// The signature of [`answer::answer`].
pub type Core = for<'t> fn(&'t Table, &Guard, &Asked<'_>) -> Answer<'t>;

impl Service {
    /// A service with the usual paths, no public URL, and no proxy but on this machine.
    #[must_use]
    pub fn new(table: Arc<Table>, access: impl Into<Access>) -> Self {
        let metrics = Arc::new(Metrics::new());
        let live = Live::new(table, access.into(), &metrics);
        Self {
            live: live::current(live),
            out_of_session: OutOfSessionPath::default(),
            public_urls: Vec::new(),
            trusted_proxies: Vec::new(),
            show_numbers: false,
            core: answer::answer,
            guard: Guard::new(),
            clock: Timestamp::now,
            journal: None,
            metrics,
            has_health_paths: false,
            is_ending: Arc::default(),
            pulse: Arc::default(),
        }
    }
}

/// How much, how many and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once, at least one; when they are taken, the longest idle one is closed for the next.
    pub max_connections: usize,
    /// Bytes of a request's body.
    pub max_body_bytes: usize,
    /// From the first byte of a request to the end of its headers, and from a connection to its first byte.
    pub head: Duration,
    /// From the end of the headers to the end of the body.
    pub body: Duration,
    /// Without the client taking anything of an answer.
    pub answer: Duration,
    /// From an answer to the next request.
    pub idle: Duration,
    /// From a refusal to the client's end of the connection; what it still sends is thrown away.
    pub linger: Duration,
    /// From the end of accepting to the end of the last request that is running.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 4096,
            max_body_bytes: 256 * 1024,
            head: Duration::from_secs(10),
            body: Duration::from_secs(10),
            answer: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            linger: Duration::from_secs(2),
            drain: Duration::from_secs(10),
        }
    }
}

/// Serves until `shutdown` completes, then drains: closes the listeners and idle connections, and lets every request
/// that has begun end, for at most [`Limits::drain`]. Connections that wait to be accepted still get their answer; those
/// of an inherited socket are left to whoever goes on with it. Returns how many connections were cut off in the end.
///
/// Must be called within a tokio runtime with I/O and time.
pub async fn run(
    listeners: Vec<Listener>,
    service: Arc<Service>,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> usize {
    run_for(Purpose::Webhooks, listeners, service, limits, shutdown).await
}

/// Serves health and metrics of a service until `shutdown` completes: on a listener of their own, with limits of their
/// own, so that nothing that happens here touches a webhook.
///
/// Must be called within a tokio runtime with I/O and time.
pub async fn run_admin(
    listeners: Vec<Listener>,
    service: Arc<Service>,
    shutdown: impl Future<Output = ()>,
) {
    run_for(Purpose::Admin, listeners, service, admin::LIMITS, shutdown).await;
}

async fn run_for(
    purpose: Purpose,
    listeners: Vec<Listener>,
    service: Arc<Service>,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> usize {
    let server = Arc::new(Server::new(purpose, service, limits));
    let mut open = OpenConnections::default();
    // Accepted, and waiting for a place.
    let mut next: Option<Accepted> = None;
    let mut pause = Pause::default();
    let mut turn = 0;
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            // The end comes first, then what makes room for the next connection.
            biased;
            () = &mut shutdown => break,
            () = open.one_finished() => {}
            () = server.service.pulse.asked(), if purpose == Purpose::Webhooks => server.service.pulse.answer(),
            () = pause.over() => {}
            () = sleep(LOOK_AGAIN), if next.is_some() => {}
            accepted = accept(&listeners, &mut turn), if next.is_none() && !pause.is_on() => match accepted {
                Ok(accepted) => {
                    pause.end();
                    next = Some(accepted);
                }
                Err(error) => {
                    pause.begin_unless_gone(&error);
                    if pause.is_on() && purpose == Purpose::Webhooks {
                        server.service.metrics.accept_failed();
                    }
                }
            },
        }
        if open.len() < limits.max_connections.max(1) {
            if let Some(accepted) = next.take() {
                server.crowded.store(false, Ordering::SeqCst);
                open.serve(&server, accepted);
            }
        } else if next.is_some() {
            server.crowded.store(true, Ordering::SeqCst);
            open.close_longest_idle();
        }
    }
    server.crowded.store(true, Ordering::SeqCst);
    let places = limits.max_connections.max(1).saturating_sub(open.len());
    let waiting = waiting(&listeners, places);
    for accepted in next.into_iter().chain(waiting).take(places) {
        open.serve(&server, accepted);
    }
    drop(listeners);
    open.drain(limits.drain).await
}

/// What listeners are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Twilio's requests. Only their connections are counted.
    Webhooks,
    /// Health and metrics.
    Admin,
}

/// What all connections share.
struct Server {
    purpose: Purpose,
    service: Arc<Service>,
    limits: Limits,
    http: http1::Builder,
    /// When the server began; the connections count from it.
    epoch: Instant,
    /// Whether a connection waits for a place, or the drain has begun: none may stay idle.
    crowded: AtomicBool,
    /// The events that need not be kept again.
    known_events: Arc<KnownEvents>,
    /// The second, counted from the epoch, in which a signature was last looked into.
    diagnosed: AtomicU64,
}

impl Server {
    fn new(purpose: Purpose, service: Arc<Service>, limits: Limits) -> Self {
        let mut http = http1::Builder::new();
        // The deadlines are those of DeadlineIo. A client that has sent its request may close its side of the
        // connection and still hears the answer.
        http.header_read_timeout(None)
            .half_close(true)
            .max_header_size(HEAD_MAX_BYTES)
            .max_buf_size(HEAD_MAX_BYTES);
        Self {
            purpose,
            service,
            limits,
            http,
            epoch: Instant::now(),
            crowded: AtomicBool::new(false),
            known_events: Arc::default(),
            diagnosed: AtomicU64::new(0),
        }
    }

    /// Whether a signature may be looked into now: once a second, since a stranger can send wrong ones without end.
    fn may_diagnose(&self) -> bool {
        let second = self.epoch.elapsed().as_secs() + 1;
        self.diagnosed.swap(second, Ordering::Relaxed) != second
    }

    /// Serves one connection to its end.
    async fn serve<S>(&self, stream: S, peer: Peer, connection: &Connection)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin,
    {
        let io = TokioIo::new(DeadlineIo::new(stream, connection, self.limits));
        let respond = service_fn(async |request| {
            connection.head_complete();
            Ok::<_, Infallible>(match self.purpose {
                Purpose::Webhooks => webhook::respond(self, connection, peer, request).await,
                Purpose::Admin => admin::respond(self, connection, peer, request).await,
            })
        });
        let mut http = pin!(self.http.serve_connection(io, respond));
        let ended = tokio::select! {
            // A request that has already come is seen first, and is answered before the end.
            biased;
            ended = &mut http => ended,
            () = connection.closing() => {
                http.as_mut().graceful_shutdown();
                http.await
            }
        };
        if let Err(error) = ended {
            if self.purpose == Purpose::Webhooks {
                self.service.metrics.connection_broken();
            }
            debug!(%peer, %error, "connection broken off");
        }
    }
}
