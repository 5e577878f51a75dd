//! The open connections: the peer and the activity of each, as its own task and the accept loop see them.

use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tracing::{error, info, warn};

use crate::service::limits::HttpLimits;
use crate::service::listener::Peer;

/// How long a new connection may be silent before it is closed to make room: its request is probably on its way.
const MAY_BE_SILENT: Duration = Duration::from_secs(1);

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
    /// Whether the connection is so new that its first request is probably on its way.
    fn is_young(self) -> bool {
        matches!(self, Self::Fresh(since) if since.elapsed() < MAY_BE_SILENT)
    }
}

/// One connection, shared by its task, its stream and the accept loop. It has no locks.
pub(super) struct Connection {
    /// Who is at the other end.
    pub peer: Peer,
    /// The limits of the listener.
    pub limits: HttpLimits,
    /// Whether another connection waits for a place, or the drain has begun: then this one may not stay idle.
    crowded: Arc<AtomicBool>,
    /// When it was accepted.
    accepted: Instant,
    /// [`HEAD`], [`REQUEST`], [`FRESH`], or the microseconds from `accepted` to its last answer.
    activity: AtomicU64,
    close: Notify,
}

// No count of microseconds reaches these.
const HEAD: u64 = u64::MAX;
const REQUEST: u64 = u64::MAX - 1;
const FRESH: u64 = u64::MAX - 2;

impl Connection {
    /// A connection that has just been accepted.
    pub(super) fn new(peer: Peer, limits: HttpLimits, crowded: &Arc<AtomicBool>) -> Self {
        Self {
            peer,
            limits,
            crowded: Arc::clone(crowded),
            accepted: Instant::now(),
            activity: AtomicU64::new(FRESH),
            close: Notify::new(),
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

    /// The first byte of a request is here.
    pub(super) fn head_begins(&self) {
        self.activity.store(HEAD, Ordering::SeqCst);
    }

    /// The head of a request is complete.
    pub(super) fn head_complete(&self) {
        self.activity.store(REQUEST, Ordering::SeqCst);
    }

    /// A request was read to its end and answered at this time, so the connection is idle again. Returns whether it may
    /// stay open.
    ///
    /// The accept loop sets `crowded` before it looks for an idle connection, and this reads it after becoming idle, so
    /// one of the two closes the connection.
    pub(super) fn answered(&self, at: Instant) -> bool {
        let micros = at.duration_since(self.accepted).as_micros();
        let micros = u64::try_from(micros).unwrap_or_default();
        self.activity.store(micros, Ordering::SeqCst);
        !self.crowded.load(Ordering::SeqCst)
    }

    /// Asks its task to close it: at once when it is idle, else after the running request.
    pub(super) fn close(&self) {
        self.close.notify_one();
    }

    /// Completes after [`Connection::close`].
    pub(super) async fn closing(&self) {
        self.close.notified().await;
    }
}

/// All open connections, each with its task.
#[derive(Default)]
pub(super) struct OpenConnections {
    tasks: JoinSet<()>,
    connections: HashMap<tokio::task::Id, Arc<Connection>>,
}

impl OpenConnections {
    pub(super) fn len(&self) -> usize {
        self.connections.len()
    }

    /// Starts the task that serves a connection to its end.
    pub(super) fn add<F>(&mut self, connection: Arc<Connection>, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let id = self.tasks.spawn(task).id();
        self.connections.insert(id, connection);
    }

    /// Completes when a connection has ended; never when there is none.
    pub(super) async fn one_finished(&mut self) {
        let id = match self.tasks.join_next_with_id().await {
            None => return pending().await,
            Some(Ok((id, ()))) => id,
            Some(Err(failed)) => {
                if failed.is_panic() {
                    error!("a connection's task panicked");
                }
                failed.id()
            }
        };
        self.connections.remove(&id);
    }

    pub(super) fn close_longest_idle(&self) {
        let idle = self
            .connections
            .values()
            .filter_map(|connection| match connection.activity() {
                activity if activity.is_young() => None,
                Activity::Idle(since) | Activity::Fresh(since) => Some((since, connection)),
                Activity::Head | Activity::Request => None,
            });
        if let Some((_, longest)) = idle.min_by_key(|&(since, _)| since) {
            longest.close();
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
        self.connections.len()
    }

    fn close(&self, which: impl Fn(Activity) -> bool) {
        for connection in self.connections.values() {
            if which(connection.activity()) {
                connection.close();
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
