//! The signals of the service.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::warn;

use super::log;
use crate::service::reload::Reloads;

/// The signals that end the service: the first lets running requests finish, the second does not.
pub(super) struct Endings {
    terminate: Signal,
    interrupt: Signal,
}

impl Endings {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Completes at the first signal; the second ends the process.
    pub(super) async fn first(mut self) {
        self.next().await;
        tokio::spawn(async move {
            self.next().await;
            warn!("ended at once by a second signal");
            log::flush();
            std::process::exit(1);
        });
    }
}

/// SIGHUP, which asks for a reload. Before anybody listens to it, it would end the process.
pub(super) struct Hangups(Signal);

impl Hangups {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self(signal(SignalKind::hangup())?))
    }

    /// Asks for a reload at each signal.
    pub(super) async fn ask(mut self, reloads: Reloads) {
        while self.0.recv().await.is_some() {
            reloads.ask();
        }
    }
}
