//! The connections that are open: how many, which may go, and how all end.

use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{error, info, warn};

use crate::service::server::connection::{Activity, Connection};
use crate::service::server::listener::{Accepted, Peer};
use crate::service::server::tls::handshake;
use crate::service::server::{Purpose, Server};

/// How long a connection that has just come may be silent before it is closed for another: its request is likely on
/// the way.
const MAY_BE_SILENT: Duration = Duration::from_secs(1);

/// The connections that are open, each with its task.
#[derive(Default)]
pub(super) struct OpenConnections {
    tasks: JoinSet<()>,
    connections: HashMap<tokio::task::Id, Arc<Connection>>,
}

impl OpenConnections {
    pub(super) fn len(&self) -> usize {
        self.connections.len()
    }

    pub(super) fn serve(&mut self, server: &Arc<Server>, accepted: Accepted) {
        let connection = Arc::new(Connection::new(server.epoch));
        let (server, its) = (Arc::clone(server), Arc::clone(&connection));
        let counted =
            (server.purpose == Purpose::Webhooks).then(|| server.service.metrics.connection());
        let task = match accepted {
            Accepted::Tcp(stream, address) => self.tasks.spawn(async move {
                let _counted = counted;
                server.serve(stream, Peer::Tcp(address), &its).await;
            }),
            Accepted::Tls(stream, address, acceptor) => self.tasks.spawn(async move {
                let _counted = counted;
                let (peer, within) = (Peer::Tls(address), server.limits.head);
                if let Some(stream) = handshake(acceptor, stream, within, peer, &its).await {
                    server.serve(stream, peer, &its).await;
                }
            }),
            Accepted::Unix(stream) => self.tasks.spawn(async move {
                let _counted = counted;
                server.serve(stream, Peer::Unix, &its).await;
            }),
        };
        self.connections.insert(task.id(), connection);
    }

    /// Completes when a connection has come to its end; never when there is none.
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
                activity if is_young(activity) => None,
                Activity::Idle(since) | Activity::Fresh(since) => Some((since, connection)),
                Activity::Head | Activity::Request => None,
            });
        if let Some((_, longest)) = idle.min_by_key(|&(since, _)| since) {
            longest.close();
        }
    }

    /// Closes all, those with a running request after it and those that have just come after theirs. No answer may
    /// keep its connection any more. Returns how many were cut off because time was up.
    pub(super) async fn drain(mut self, limit: Duration) -> usize {
        info!(connections = self.len(), "draining");
        let _ = timeout(limit, async {
            self.close(|activity| !is_young(activity));
            // By then whoever has just come has sent his request, or is silent.
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

/// Whether a connection has just come, so that its request is likely on the way.
fn is_young(activity: Activity) -> bool {
    matches!(activity, Activity::Fresh(since) if since.elapsed() < MAY_BE_SILENT)
}
