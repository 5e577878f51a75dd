//! The admin listener, from its start to its end after the last webhook is answered.

use std::slice;
use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::info;

use super::options::Listening;
use crate::service::limits::HttpLimits;
use crate::service::listener::Listener;
use crate::service::responder::Responder;
use crate::service::server::{self, Purpose};

/// The admin listener, when there is one. It stays through the drain, so that it can be watched.
pub(super) struct Admin(Option<(oneshot::Sender<()>, JoinHandle<usize>)>);

impl Admin {
    /// Listens on the sockets that were handed over, else on the address, if there is one, and says where.
    pub(super) async fn start(
        inherited: Vec<Listener>,
        listening: &Listening,
        service: &Arc<Responder>,
    ) -> Result<Self> {
        let listeners = match &listening.admin {
            _ if !inherited.is_empty() => inherited,
            Some(address) => {
                Listener::bind_all(slice::from_ref(address), listening.socket_mode).await?
            }
            None => return Ok(Self(None)),
        };
        for listener in &listeners {
            let address = listener
                .address()
                .context("cannot tell where the admin listener is")?;
            info!("health and metrics on {address}");
        }
        let (end, ends) = oneshot::channel();
        let ends = async {
            // It ends as well when nobody is left to end it.
            let _ = ends.await;
        };
        let task = tokio::spawn(server::run(
            Purpose::Admin,
            listeners,
            Arc::clone(service),
            HttpLimits::ADMIN,
            ends,
        ));
        Ok(Self(Some((end, task))))
    }

    /// Ends it. Its requests have a second to end.
    pub(super) async fn end(self) {
        if let Some((end, task)) = self.0 {
            // When its task is gone already, there is nothing to end.
            let _ = end.send(());
            let _ = task.await;
        }
    }
}
