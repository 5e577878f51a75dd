//! The open connections: the peer and activity of each, as its own task and the accept loop see them.

use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tracing::{error, warn};

use crate::service::listener::Peer;

/// How long a request may take to arrive before its connection is closed to make room for another, and how long to wait
/// for a request on a connection that sends nothing.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// How much a listener accepts, and how long its connections may wait. The default is for the webhook listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpLimits {
    /// The most open connections, at least one. When all are taken, the next connection replaces one whose request
    /// takes over a second to arrive, or else the longest idle one.
    pub max_connections: usize,
    /// The most bytes of a request's body.
    pub max_body_bytes: usize,
    /// From the first byte of a request to the end of its headers, and from a connection to its first byte.
    pub head: Duration,
    /// From the end of the headers to the end of the body.
    pub body: Duration,
    /// How long a client may go without reading any of an answer.
    pub answer: Duration,
    /// From an answer to the next request.
    pub idle: Duration,
    /// From a refusal until the client closes its side; what it sends meanwhile is discarded.
    pub linger: Duration,
    /// From when accepting stops to the end of the last running request.
    pub drain: Duration,
}

impl Default for HttpLimits {
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

impl HttpLimits {
    /// For the admin listener, whose clients send little. It has places to spare, so that health checks get one even
    /// when other clients hold theirs open.
    #[must_use]
    pub fn admin() -> Self {
        Self {
            max_connections: 1024,
            max_body_bytes: 0,
            linger: Duration::from_secs(1),
            drain: Duration::from_secs(1),
            ..Self::default()
        }
    }
}

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activity {
    /// It was accepted at this time and has sent nothing yet.
    Fresh(Instant),
    /// Its last request was answered at this time.
    Idle(Instant),
    /// The head of a request is arriving, since this time.
    Head(Instant),
    /// A request whose head began to arrive at this time is being read, or was refused.
    Body(Instant),
    /// A request is being answered.
    Answer,
}

impl Activity {
    /// Since when no request has been on its way; `None` while one is.
    pub(super) fn idle_since(self) -> Option<Instant> {
        match self {
            Self::Fresh(since) | Self::Idle(since) => Some(since),
            Self::Head(_) | Self::Body(_) | Self::Answer => None,
        }
    }

    /// Since when a request has been arriving that may be given up for others, because it has had its second. A request
    /// that is being answered is not given up.
    fn slow_since(self) -> Option<Instant> {
        match self {
            Self::Head(since) | Self::Body(since) => {
                Some(since).filter(|since| since.elapsed() >= ON_ITS_WAY)
            }
            Self::Fresh(_) | Self::Idle(_) | Self::Answer => None,
        }
    }

    /// Whether the connection is so new that its first request is probably on its way.
    fn is_young(self) -> bool {
        matches!(self, Self::Fresh(since) if since.elapsed() < ON_ITS_WAY)
    }
}

/// One connection, shared by its task, its stream and the accept loop. Has no locks.
pub(super) struct Connection {
    pub peer: Peer,
    pub limits: HttpLimits,
    /// Tells its task to close it: at once when idle, else after the running request.
    pub close: Notify,
    /// Tells its task to give up a request that is still arriving.
    give_up: Notify,
    /// Whether another connection waits for a place or the drain has begun: then this one may not stay idle.
    crowded: Arc<AtomicBool>,
    accepted: Instant,
    /// The microseconds from `accepted` to the start of the activity, times eight, plus the number of the activity.
    activity: AtomicU64,
}

/// The activities, as numbered in the last three bits.
const FRESH: u64 = 0;
const IDLE: u64 = 1;
const HEAD: u64 = 2;
const BODY: u64 = 3;
const ANSWER: u64 = 4;

impl Connection {
    pub(super) fn new(peer: Peer, limits: HttpLimits, crowded: &Arc<AtomicBool>) -> Self {
        Self {
            peer,
            limits,
            close: Notify::new(),
            give_up: Notify::new(),
            crowded: Arc::clone(crowded),
            accepted: Instant::now(),
            activity: AtomicU64::new(FRESH),
        }
    }

    pub(super) fn activity(&self) -> Activity {
        let activity = self.activity.load(Ordering::SeqCst);
        let since = self.accepted + Duration::from_micros(activity >> 3);
        match activity & 7 {
            IDLE => Activity::Idle(since),
            HEAD => Activity::Head(since),
            BODY => Activity::Body(since),
            ANSWER => Activity::Answer,
            _ => Activity::Fresh(since),
        }
    }

    fn begins(&self, activity: u64, at: Instant) {
        let micros = u64::try_from((at - self.accepted).as_micros()).unwrap_or_default();
        self.activity
            .store(micros << 3 | activity, Ordering::SeqCst);
    }

    pub(super) fn head_begins(&self) {
        self.begins(HEAD, Instant::now());
    }

    pub(super) fn head_complete(&self) {
        let since = match self.activity() {
            Activity::Head(since) => since,
            // It arrived together with the previous request.
            _ => Instant::now(),
        };
        self.begins(BODY, since);
    }

    /// The request gets its answer, even if other connections wait for a place.
    pub(super) fn is_being_answered(&self) {
        self.begins(ANSWER, self.accepted);
    }

    /// Completes when the arriving request is to be given up.
    pub(super) async fn given_up(&self) {
        loop {
            self.give_up.notified().await;
            // It may have arrived meanwhile.
            if self.activity().slow_since().is_some() {
                return;
            }
        }
    }

    /// A request was read to its end and answered at this time, so the connection is idle again. Returns whether it may
    /// stay open.
    ///
    /// The accept loop sets `crowded` before it looks for an idle connection, and this reads it after becoming idle, so
    /// one of the two closes the connection.
    pub(super) fn answered(&self, at: Instant) -> bool {
        self.begins(IDLE, at);
        !self.crowded.load(Ordering::SeqCst)
    }
}

/// All open connections, each with its task.
#[derive(Default)]
pub(super) struct OpenConnections {
    tasks: JoinSet<()>,
    connections: HashMap<tokio::task::Id, Arc<Connection>>,
    /// Shows how many there are.
    gauge: Gauge,
}

impl OpenConnections {
    pub(super) fn shown_by(gauge: Gauge) -> Self {
        Self {
            gauge,
            ..Self::default()
        }
    }

    pub(super) fn len(&self) -> usize {
        self.connections.len()
    }

    /// Starts the task that serves a connection until it ends.
    pub(super) fn add(
        &mut self,
        connection: Arc<Connection>,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let id = self.tasks.spawn(task).id();
        self.connections.insert(id, connection);
        self.gauge.inc();
    }

    /// Completes when a connection has ended; never completes when there are none.
    pub(super) async fn one_finished(&mut self) {
        let id = match self.tasks.join_next_with_id().await {
            None => return pending().await,
            Some(Ok((id, ()))) => id,
            Some(Err(failed)) => {
                error!("a connection's task panicked");
                failed.id()
            }
        };
        self.connections.remove(&id);
        self.gauge.dec();
    }

    /// Ends one connection to make room for one that waits: the one whose request has been arriving longest, else the
    /// longest idle one.
    pub(super) fn make_room(&self) {
        let oldest = |since: &dyn Fn(Activity) -> Option<Instant>| {
            let all = self.connections.values();
            let known = all.filter_map(|one| Some((since(one.activity())?, one)));
            known.min_by_key(|&(since, _)| since).map(|(_, one)| one)
        };
        if let Some(slowest) = oldest(&Activity::slow_since) {
            slowest.give_up.notify_one();
        } else if let Some(longest) =
            oldest(&|activity| activity.idle_since().filter(|_| !activity.is_young()))
        {
            longest.close.notify_one();
        }
    }

    /// Closes all connections: busy ones after their request, and new or just answered ones after they have had time to
    /// send a request, which may be on its way. The caller has set `crowded`, so no answer keeps its connection open.
    /// Returns how many were cut off because time ran out.
    pub(super) async fn drain(mut self, limit: Duration) -> usize {
        let _ = timeout(limit, async {
            self.close(|since| since.is_none_or(|since| since.elapsed() >= ON_ITS_WAY));
            let _ = timeout(ON_ITS_WAY, self.all_finished()).await;
            self.close(|_| true);
            self.all_finished().await;
        })
        .await;
        if self.len() > 0 {
            warn!(connections = self.len(), "cut off, the drain took too long");
        }
        self.tasks.shutdown().await;
        self.gauge.set(0);
        self.len()
    }

    /// Closes the connections for which this holds, given when each became idle; `None` for a busy one.
    fn close(&self, which: impl Fn(Option<Instant>) -> bool) {
        for connection in self.connections.values() {
            if which(connection.activity().idle_since()) {
                connection.close.notify_one();
            }
        }
    }

    async fn all_finished(&mut self) {
        while !self.connections.is_empty() {
            self.one_finished().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(crowded: bool) -> Connection {
        let crowded = Arc::new(AtomicBool::new(crowded));
        Connection::new(Peer::Unix, HttpLimits::default(), &crowded)
    }

    #[test]
    fn a_connection_stays_unless_somebody_waits() {
        for crowded in [false, true] {
            let connection = connection(crowded);
            assert!(matches!(connection.activity(), Activity::Fresh(_)));
            connection.head_begins();
            let Activity::Head(since) = connection.activity() else {
                panic!("no head");
            };
            connection.head_complete();
            assert_eq!(connection.activity(), Activity::Body(since));
            connection.is_being_answered();
            assert_eq!(connection.activity(), Activity::Answer);
            assert_eq!(connection.answered(Instant::now()), !crowded);
            assert!(matches!(connection.activity(), Activity::Idle(_)));
        }
    }

    #[test]
    fn times_are_kept_to_the_microsecond() {
        let connection = connection(false);
        let Activity::Fresh(accepted) = connection.activity() else {
            panic!("not fresh");
        };
        let later = accepted + Duration::from_micros(70);
        connection.answered(later);
        assert_eq!(connection.activity(), Activity::Idle(later));
        connection.begins(HEAD, later);
        assert_eq!(connection.activity(), Activity::Head(later));
    }
}
