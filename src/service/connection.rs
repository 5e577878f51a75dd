//! The open connections: the peer and the activity of each, as its own task and the accept loop see them.

use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tracing::{error, info, warn};

use crate::service::listener::Peer;

/// How long a new connection may be silent before it is closed to make room: its request is probably on its way.
const MAY_BE_SILENT: Duration = Duration::from_secs(1);

/// How much a listener takes, and how long its connections may wait. The default is that of the webhook listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpLimits {
    /// Open connections, at least one. When all are taken, the longest idle one is closed for the next.
    pub max_connections: usize,
    /// Bytes of a request's body.
    pub max_body_bytes: usize,
    /// From the first byte of a request to the end of its headers, and from a connection to its first byte.
    pub head: Duration,
    /// From the end of the headers to the end of the body.
    pub body: Duration,
    /// How long a client may read nothing of an answer.
    pub answer: Duration,
    /// From an answer to the next request.
    pub idle: Duration,
    /// From a refusal until the client closes its side; what it sends meanwhile is thrown away.
    pub linger: Duration,
    /// From the end of accepting to the end of the last running request.
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
    /// For the admin listener: few clients watch at a time, and what they send is short.
    #[must_use]
    pub fn admin() -> Self {
        Self {
            max_connections: 16,
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
    /// The head of a request is arriving.
    Head,
    /// A request is being read and answered, or was refused before its end.
    Request,
}

impl Activity {
    /// Since when no request is on its way; `None` while one is.
    pub(super) fn idle_since(self) -> Option<Instant> {
        match self {
            Self::Fresh(since) | Self::Idle(since) => Some(since),
            Self::Head | Self::Request => None,
        }
    }

    /// Whether the connection is so new that its first request is probably on its way.
    fn is_young(self) -> bool {
        matches!(self, Self::Fresh(since) if since.elapsed() < MAY_BE_SILENT)
    }
}

/// One connection, shared by its task, its stream and the accept loop. It has no locks.
pub(super) struct Connection {
    pub peer: Peer,
    pub limits: HttpLimits,
    /// Tells its task to close it: at once when it is idle, else after the running request.
    pub close: Notify,
    /// Whether another connection waits for a place, or the drain has begun: then this one may not stay idle.
    crowded: Arc<AtomicBool>,
    accepted: Instant,
    /// [`HEAD`], [`REQUEST`], [`FRESH`], or the microseconds from `accepted` to its last answer.
    activity: AtomicU64,
}

// No count of microseconds reaches these.
const HEAD: u64 = u64::MAX;
const REQUEST: u64 = u64::MAX - 1;
const FRESH: u64 = u64::MAX - 2;

impl Connection {
    pub(super) fn new(peer: Peer, limits: HttpLimits, crowded: &Arc<AtomicBool>) -> Self {
        Self {
            peer,
            limits,
            close: Notify::new(),
            crowded: Arc::clone(crowded),
            accepted: Instant::now(),
            activity: AtomicU64::new(FRESH),
        }
    }

    pub(super) fn activity(&self) -> Activity {
        match self.activity.load(Ordering::SeqCst) {
            HEAD => Activity::Head,
            REQUEST => Activity::Request,
            FRESH => Activity::Fresh(self.accepted),
            micros => Activity::Idle(self.accepted + Duration::from_micros(micros)),
        }
    }

    pub(super) fn head_begins(&self) {
        self.activity.store(HEAD, Ordering::SeqCst);
    }

    pub(super) fn head_complete(&self) {
        self.activity.store(REQUEST, Ordering::SeqCst);
    }

    /// A request was read to its end and answered at this time, so the connection is idle again. Returns whether it may
    /// stay open.
    ///
    /// The accept loop sets `crowded` before it looks for an idle connection, and this reads it after becoming idle, so
    /// one of the two closes the connection.
    pub(super) fn answered(&self, at: Instant) -> bool {
        let micros = u64::try_from((at - self.accepted).as_micros()).unwrap_or_default();
        self.activity.store(micros, Ordering::SeqCst);
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

    /// Starts the task that serves a connection to its end.
    pub(super) fn add(
        &mut self,
        connection: Arc<Connection>,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let id = self.tasks.spawn(task).id();
        self.connections.insert(id, connection);
        self.gauge.inc();
    }

    /// Completes when a connection has ended; never when there is none.
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

    pub(super) fn close_longest_idle(&self) {
        let idle = self.connections.values().filter_map(|connection| {
            let activity = connection.activity();
            let since = activity.idle_since().filter(|_| !activity.is_young())?;
            Some((since, connection))
        });
        if let Some((_, longest)) = idle.min_by_key(|&(since, _)| since) {
            longest.close.notify_one();
        }
    }

    /// Closes all connections: busy ones after their request, new ones after they had time to send theirs. The caller
    /// has set `crowded`, so no answer keeps its connection open. Returns how many were cut off because time was up.
    pub(super) async fn drain(mut self, limit: Duration) -> usize {
        info!(connections = self.len(), "draining");
        let _ = timeout(limit, async {
            self.close(|activity| !activity.is_young());
            let _ = timeout(MAY_BE_SILENT, self.all_finished()).await;
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

    fn close(&self, which: impl Fn(Activity) -> bool) {
        for connection in self.connections.values() {
            if which(connection.activity()) {
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
            assert_eq!(connection.activity(), Activity::Head);
            connection.head_complete();
            assert_eq!(connection.activity(), Activity::Request);
            assert_eq!(connection.answered(Instant::now()), !crowded);
            assert!(matches!(connection.activity(), Activity::Idle(_)));
        }
    }

    #[test]
    fn idleness_is_counted_from_its_beginning() {
        let before = Instant::now();
        let connection = connection(false);
        let Activity::Fresh(accepted) = connection.activity() else {
            panic!("not fresh");
        };
        let answered = accepted + Duration::from_micros(70);
        connection.answered(answered);
        assert!(before <= accepted);
        assert_eq!(connection.activity(), Activity::Idle(answered));
    }
}
