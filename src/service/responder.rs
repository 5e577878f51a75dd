//! What answers requests: the table and secrets in use, the settings, and what is remembered from one request to the next.

use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64};

use arc_swap::ArcSwap;
use ipnet::IpNet;
use jiff::Timestamp;

use crate::service::events::KnownEvents;
use crate::service::journal_writer::Journal;
use crate::service::live::{Access, CurrentLive, Live};
use crate::service::metrics::Metrics;
use crate::service::path::OutOfSessionPath;
use crate::service::pulse::Pulse;
use crate::table::Table;
use crate::table::answer::{self, Answer, Asked};
use crate::table::guard::LoopGuard;
use crate::table::intercept::Intercept;
use crate::twilio::request::Request;
use crate::twilio::signature::public_url::PublicUrl;

/// Everything that answers requests, shared by all listeners and connections.
#[derive(Debug)]
pub struct Responder {
    /// The table and the secrets in use; a reload replaces them.
    pub live: CurrentLive,
    /// The path of Proxy's out-of-session webhook.
    pub out_of_session: OutOfSessionPath,
    /// The URLs by which Twilio may know this service. Empty: the URL is taken from the request.
    pub public_urls: Vec<PublicUrl>,
    /// Other machines whose `X-Forwarded-Proto` and `X-Forwarded-Host` headers count.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether logs show numbers unmasked.
    pub show_numbers: bool,
    /// Computes answers: [`answer::answer`], except in tests of what happens when it fails.
    pub core: Core,
    /// Decides on interactions: [`Table::intercept`], except in such tests.
    pub intercept: InterceptCore,
    /// What the loop guard remembers, across reloads.
    pub guard: LoopGuard,
    /// The clock for schedules and the loop guard.
    pub clock: fn() -> Timestamp,
    /// Records what was answered; `None` without a journal.
    pub journal: Option<Journal>,
    /// The events that need not be kept again.
    pub known_events: Arc<KnownEvents>,
    /// The second, in Unix time, in which a wrong signature was last explained in the log.
    pub last_diagnosis: AtomicI64,
    /// The counters and gauges of `/metrics`.
    pub metrics: Arc<Metrics>,
    /// Whether `/livez` and `/readyz` are answered on the webhook listeners as well.
    pub has_health_paths: bool,
    /// Set when the service is about to end. From then on every answer closes its connection, so that clients and
    /// load balancers go elsewhere.
    pub is_ending: Arc<AtomicBool>,
    /// Shows whether the accept loop still runs.
    pub pulse: Arc<Pulse>,
}

/// The signature of [`answer::answer`].
pub type Core = for<'t> fn(&'t Table, &LoopGuard, &Asked<'_>) -> Answer<'t>;

/// The signature of [`Table::intercept`].
pub type InterceptCore = for<'t> fn(&'t Table, &Request<'_>, Timestamp) -> Option<&'t Intercept>;

/// What one request is answered from: taken once, when its head has arrived, and handed on. Nothing further down looks
/// at the clock or at what is live again.
pub(super) struct Snapshot<'r> {
    pub responder: &'r Responder,
    pub live: arc_swap::Guard<Arc<Live>>,
    pub now: Timestamp,
}

impl Responder {
    /// A responder with the default settings: the usual paths, no public URL and no trusted proxy.
    #[must_use]
    pub fn new(table: Arc<Table>, access: impl Into<Access>) -> Self {
        let metrics = Arc::new(Metrics::new());
        let live = Live::new(table, access.into(), &metrics);
        Self {
            live: Arc::new(ArcSwap::from_pointee(live)),
            out_of_session: OutOfSessionPath::default(),
            public_urls: Vec::new(),
            trusted_proxies: Vec::new(),
            show_numbers: false,
            core: answer::answer,
            intercept: Table::intercept,
            guard: LoopGuard::new(),
            clock: Timestamp::now,
            journal: None,
            known_events: Arc::default(),
            last_diagnosis: AtomicI64::new(0),
            metrics,
            has_health_paths: false,
            is_ending: Arc::default(),
            pulse: Arc::default(),
        }
    }

    /// Table, secrets and time as they are now.
    pub(super) fn snapshot(&self) -> Snapshot<'_> {
        Snapshot {
            responder: self,
            live: self.live.load(),
            // A broken clock is no reason to leave a caller without an answer.
            now: catch_unwind(self.clock).unwrap_or_else(|_| Timestamp::now()),
        }
    }
}
