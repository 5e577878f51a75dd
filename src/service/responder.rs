//! What answers requests: the table and secrets in use, the settings, and what is kept between requests.

use std::fmt;
use std::panic::catch_unwind;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicI64};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use ipnet::IpNet;
use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::service::journal_writer::Journal;
use crate::service::last_hour::{Counts, LastHour};
use crate::service::live::{Access, CurrentLive, Live};
use crate::service::metrics::Metrics;
use crate::service::reload::State;
use crate::table::Table;
use crate::table::answer::{self, Answer, Asked};
use crate::table::guard::LoopGuard;
use crate::table::intercept::Intercept;
use crate::twilio::request::{Request, Webhook};
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
    /// Whether only POST is answered.
    pub post_only: bool,
    /// Whether logs show numbers unmasked.
    pub show_numbers: bool,
    /// Computes answers: [`answer::answer`], except in tests of failures.
    pub core: Core,
    /// Decides on interactions: [`Table::intercept`], except in such tests.
    pub intercept: for<'t> fn(&'t Table, &Request<'_>, Timestamp) -> Option<&'t Intercept>,
    /// What the loop guard remembers, across reloads.
    pub guard: LoopGuard,
    /// The clock for schedules and the loop guard.
    pub clock: fn() -> Timestamp,
    /// Records what was answered; `None` without a journal.
    pub journal: Option<Journal>,
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
    /// When the service began.
    pub started: Timestamp,
    /// How the table in use came to be, and what is wrong with the files on disk; `None` without reloads.
    pub state: Option<watch::Receiver<State>>,
    /// The answers of the last hour.
    pub hour: Mutex<LastHour>,
}

/// The signature of [`answer::answer`].
pub type Core = for<'t> fn(&'t Table, &LoopGuard, &Asked<'_>) -> Answer<'t>;

/// What one request is answered from: taken once, when its head has arrived, and passed on. Nothing further down reads
/// the clock or what is live again.
pub(super) struct Snapshot<'r> {
    pub responder: &'r Responder,
    pub live: arc_swap::Guard<Arc<Live>>,
    pub now: Timestamp,
}

impl Responder {
    /// A responder with the default settings: the usual paths, no public URL and no trusted proxy.
    #[must_use]
    pub fn new(table: Arc<Table>, access: impl Into<Access>) -> Self {
        let metrics = Arc::new(Metrics::default());
        let live = Live::new(table, Arc::new(access.into()), &metrics);
        Self {
            live: Arc::new(ArcSwap::from_pointee(live)),
            out_of_session: OutOfSessionPath("/out-of-session".to_owned()),
            public_urls: Vec::new(),
            trusted_proxies: Vec::new(),
            post_only: false,
            show_numbers: false,
            core: answer::answer,
            intercept: Table::intercept,
            guard: LoopGuard::new(),
            clock: Timestamp::now,
            journal: None,
            last_diagnosis: AtomicI64::new(0),
            metrics,
            has_health_paths: false,
            is_ending: Arc::default(),
            pulse: Arc::default(),
            started: Timestamp::now(),
            state: None,
            hour: Mutex::default(),
        }
    }

    /// Whether requests to a webhook are answered at all.
    pub(super) fn is_open(&self, webhook: Webhook, live: &Live) -> bool {
        match webhook {
            Webhook::OutOfSession | Webhook::Plain => true,
            Webhook::Intercept => !live.table.intercepts.is_empty(),
            // Without a journal, their reports would be lost.
            Webhook::Callback | Webhook::Events => self.journal.is_some(),
            Webhook::VoiceWebhooks => !live.access.voice_webhooks.is_empty(),
        }
    }

    /// The paths of the open webhooks, without keys.
    #[must_use]
    pub fn open_paths(&self) -> Vec<String> {
        let live = self.live.load();
        let open = Webhook::ALL
            .into_iter()
            .filter(|webhook| self.is_open(*webhook, &live));
        let path = |webhook| match webhook {
            Webhook::OutOfSession => self.out_of_session.0.clone(),
            Webhook::VoiceWebhooks => format!("/{}/KEY", webhook.as_str()),
            _ => format!("/{}", webhook.as_str()),
        };
        open.map(path).collect()
    }

    /// Reads the counters, which has to happen once a minute for [`Responder::hour`].
    pub fn minute_is_over(&self) {
        let mut hour = self.hour.lock().unwrap_or_else(PoisonError::into_inner);
        hour.minute_is_over(self.metrics.answers());
    }

    /// The answers since the start and in the last hour, by the route that answered.
    pub(super) fn answers(&self) -> (Counts, Counts) {
        let all = self.metrics.answers();
        let hour = self.hour.lock().unwrap_or_else(PoisonError::into_inner);
        let last = hour.counts(&all);
        (all, last)
    }

    /// Table, secrets and time as they are now.
    pub(super) fn snapshot(&self) -> Snapshot<'_> {
        Snapshot {
            responder: self,
            live: self.live.load(),
            // Even if the clock fails, the caller gets an answer.
            now: catch_unwind(self.clock).unwrap_or_else(|_| Timestamp::now()),
        }
    }
}

/// Shows whether the accept loop still runs: it answers questions between two connections.
///
/// A loop that waits, pauses for lack of descriptors, or has no place for another connection still answers; one that
/// hangs or never gets the processor does not.
#[derive(Debug, Default)]
pub struct Pulse {
    pub(super) asks: Notify,
    pub(super) answers: Notify,
}

impl Pulse {
    /// Whether the accept loop answers within this time. It does not when no server is running.
    pub async fn is_felt(&self, within: Duration) -> bool {
        let answer = self.answers.notified();
        self.asks.notify_one();
        timeout(within, answer).await.is_ok()
    }
}

/// The path of Proxy's out-of-session webhook as it arrives here, without any prefix that a reverse proxy strips.
///
/// Compared byte for byte, escapes included; one trailing slash is ignored and not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutOfSessionPath(pub(super) String);

impl OutOfSessionPath {
    /// The path; empty for `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OutOfSessionPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "/" } else { &self.0 })
    }
}

impl FromStr for OutOfSessionPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let segments = text.strip_prefix('/').ok_or("a path begins with `/`")?;
        // Everything else has to be percent-encoded, or belongs to a query.
        let stands_for_itself = |c: char| c.is_ascii_graphic() && !"?#\"<>\\^`{|}".contains(c);
        if let Some(found) = text.chars().find(|&c| !stands_for_itself(c)) {
            return Err(format!("a path has no {found:?}"));
        }
        let first = segments.split('/').next().unwrap_or_default();
        let other = Webhook::from_name(first).filter(|it| *it != Webhook::OutOfSession);
        if other.is_some() || ["livez", "readyz", "metrics", "health"].contains(&first) {
            return Err("this path has another use, choose one that begins otherwise".to_owned());
        }
        Ok(Self(without_slash(text).to_owned()))
    }
}

/// A path without its trailing slash, if any.
pub(super) fn without_slash(path: &str) -> &str {
    path.strip_suffix('/').unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_a_turning_loop_is_felt() {
        let pulse = Pulse::default();
        let patience = Duration::from_secs(1);
        assert!(!pulse.is_felt(patience).await);
        let turning = async {
            loop {
                pulse.asks.notified().await;
                pulse.answers.notify_waiters();
            }
        };
        tokio::select! {
            () = turning => {}
            felt = async { (pulse.is_felt(patience).await, pulse.is_felt(patience).await) } => {
                assert_eq!(felt, (true, true));
            }
        }
        assert!(!pulse.is_felt(patience).await);
    }

    #[test]
    fn a_path_says_what_is_wrong() {
        for (text, message) in [
            ("", "a path begins with `/`"),
            ("out-of-session", "a path begins with `/`"),
            ("/a b", "a path has no ' '"),
            ("/a?b=1", "a path has no '?'"),
            ("/\u{e9}", "a path has no '\u{e9}'"),
            (
                "/webhook",
                "this path has another use, choose one that begins otherwise",
            ),
            (
                "/events/x",
                "this path has another use, choose one that begins otherwise",
            ),
        ] {
            let error = text.parse::<OutOfSessionPath>().expect_err(text);
            assert_eq!(error, message, "{text}");
        }
    }
}
