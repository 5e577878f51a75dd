//! Reports to systemd, and takes the sockets that it hands over. Without systemd, all of this does nothing.
//!
//! Sources: `sd_notify(3)`, `sd_listen_fds(3)`, `systemd.service(5)` on `Type=notify-reload`.

use std::fmt::Display;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;
use std::{env, io, process};

use listenfd::ListenFd;
use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, warn};

use crate::service::listener::Listener;
use crate::service::responder::Pulse;

/// The name of a socket for health and metrics; all others are for webhooks.
const ADMIN: &str = "admin";

/// Reports that the service answers, and its status.
pub(crate) fn ready(status: &impl Display) {
    tell(&[NotifyState::Ready, NotifyState::Status(&status.to_string())]);
}

/// Reports that the service is ending, and asks for the time that it may need.
pub(crate) fn stopping(at_most: Duration) {
    let micros = u32::try_from(at_most.as_micros()).unwrap_or(u32::MAX);
    tell(&[
        NotifyState::Stopping,
        NotifyState::ExtendTimeoutUsec(micros),
        NotifyState::Status("ending: running requests are answered"),
    ]);
}

/// Reports that a reload begins. `systemctl reload` waits for the [`ready`] that follows.
pub(super) fn reloading() {
    // Both go into one message, or systemd does not know which reload it is.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => warn!(%error, "cannot notify systemd of a reload"),
    }
}

/// Keeps systemd's watchdog satisfied as long as the accept loop answers; returns at once when there is no watchdog.
///
/// A loop that pauses for lack of descriptors, or that has no place for another connection, does answer: the service is
/// busy, and killing it would only cut off the clients that it serves. A loop that hangs does not.
pub(crate) async fn watchdog(pulse: Arc<Pulse>) {
    let Some(patience) = sd_notify::watchdog_enabled().filter(|patience| !patience.is_zero())
    else {
        return;
    };
    // Twice as often as systemd's manual requires, so that one late notification does no harm.
    let mut turn = interval((patience / 4).max(Duration::from_millis(1)));
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turn.tick().await;
        if pulse.is_felt(patience / 2).await {
            tell(&[NotifyState::Watchdog]);
        } else {
            error!("the accept loop does not answer, so systemd's watchdog is not notified");
        }
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "cannot report the status to systemd");
    }
}

/// The sockets, each with its name, that systemd opened before us and keeps open after us, so that no connection is
/// refused during a restart.
#[derive(Debug, Default)]
pub(crate) struct Sockets(Vec<(String, OwnedFd)>);

impl Sockets {
    /// Takes the sockets that are meant for this process, possibly none.
    ///
    /// Must be called while the process has one thread, since it clears the variables that describe the sockets.
    pub(crate) fn take() -> io::Result<Self> {
        // Without LISTEN_PID, `ListenFd` would take whatever files LISTEN_FDS counts, even another process's.
        let is_ours = env::var("LISTEN_PID").is_ok_and(|pid| pid == process::id().to_string());
        if !is_ours {
            return Ok(Self::default());
        }
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut handed_over = ListenFd::from_env();
        let sockets = (0..handed_over.len()).map(|index| {
            let name = names.next().filter(|name| !name.is_empty());
            let name = name.unwrap_or("unknown").to_owned();
            match socket(&mut handed_over, index) {
                Ok(socket) => Ok((name, socket)),
                Err(reason) => Err(unusable(&name, &reason)),
            }
        });
        sockets.collect::<Result<_, _>>().map(Self)
    }

    /// The listeners for webhooks, and those for health and metrics. Must be called within a tokio runtime.
    pub(crate) fn listen(self) -> io::Result<(Vec<Listener>, Vec<Listener>)> {
        let (mut webhooks, mut admin) = (Vec::new(), Vec::new());
        for (name, socket) in self.0 {
            let listener = Listener::inherited(socket)
                .map_err(|error| unusable(&name, &format!("cannot be used: {error}")))?;
            let its = if name == ADMIN {
                &mut admin
            } else {
                &mut webhooks
            };
            its.push(listener);
        }
        Ok((webhooks, admin))
    }
}

fn unusable(name: &str, reason: &str) -> io::Error {
    io::Error::other(format!(
        "the socket \"{name}\" that was handed over {reason}"
    ))
}

/// A socket that listens, or why it cannot be used.
fn socket(handed_over: &mut ListenFd, index: usize) -> Result<OwnedFd, String> {
    let socket = if let Ok(Some(tcp)) = handed_over.take_tcp_listener(index) {
        OwnedFd::from(tcp)
    } else if let Ok(Some(unix)) = handed_over.take_unix_listener(index) {
        OwnedFd::from(unix)
    } else {
        let reason =
            "is not a stream socket: write ListenStream= for it, with an address or a path";
        return Err(reason.to_owned());
    };
    match listens(&socket) {
        Ok(true) => Ok(socket),
        Ok(false) => Err(
            "does not listen: take Accept=yes out of its unit, one process serves all connections"
                .to_owned(),
        ),
        Err(error) => Err(format!("cannot be used: {error}")),
    }
}

#[cfg(target_os = "linux")]
fn listens(socket: &OwnedFd) -> io::Result<bool> {
    socket2::SockRef::from(socket).is_listener()
}

/// Only sockets that systemd hands over can be wrong, and it runs only on Linux.
#[cfg(not(target_os = "linux"))]
fn listens(_socket: &OwnedFd) -> io::Result<bool> {
    Ok(true)
}
