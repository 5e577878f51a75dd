//! What systemd is told, and the sockets it hands over. Without systemd all of it does nothing.
//!
//! Sources: `sd_notify(3)`, `sd_listen_fds(3)`, `systemd.service(5)` on `Type=notify-reload`.

mod sockets;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, warn};

use crate::service::reload::{Observer, State};
use crate::service::responder::Pulse;

pub use self::sockets::{InheritError, Inherited, Sockets};

/// Says that the service answers, and with what table.
pub fn ready(state: &State) {
    tell(&[NotifyState::Ready, NotifyState::Status(&state.to_string())]);
}

/// Says that the service ends, and asks for as long as it may need.
pub fn stopping(at_most: Duration) {
    let micros = u32::try_from(at_most.as_micros()).unwrap_or(u32::MAX);
    tell(&[
        NotifyState::Stopping,
        NotifyState::ExtendTimeoutUsec(micros),
        NotifyState::Status("ending: running requests are answered"),
    ]);
}

/// Tells of each reload: `systemctl reload` waits for its end.
#[derive(Debug)]
pub struct Reloading {
    /// Whether the service ends: then there is nothing more to tell.
    is_ending: Arc<AtomicBool>,
}

impl Reloading {
    /// With the flag that is set when the service is about to end.
    #[must_use]
    pub fn new(is_ending: Arc<AtomicBool>) -> Self {
        Self { is_ending }
    }
}

impl Observer for Reloading {
    fn begins(&mut self) {
        if self.is_ending.load(Ordering::SeqCst) {
            return;
        }
        // Both in one message, or systemd does not know which reload it is.
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(error) => warn!(%error, "systemd cannot be told of a reload"),
        }
    }

    fn ends(&mut self, state: &State) {
        if !self.is_ending.load(Ordering::SeqCst) {
            ready(state);
        }
    }
}

/// Keeps systemd's watchdog content for as long as the accept loop answers; returns at once when there is none.
///
/// A loop that pauses because descriptors are short, or that has no place for another connection, does answer: the
/// service is busy, and to kill it would only cut off those whom it serves. A loop that hangs does not.
pub async fn watchdog(pulse: Arc<Pulse>) {
    let Some(patience) = sd_notify::watchdog_enabled().filter(|patience| !patience.is_zero())
    else {
        return;
    };
    // Twice as often as systemd's manual asks for, so that one that comes late is not the last.
    let mut turn = interval((patience / 4).max(Duration::from_millis(1)));
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turn.tick().await;
        if pulse.is_felt(patience / 2).await {
            tell(&[NotifyState::Watchdog]);
        } else {
            error!("the accept loop does not answer; systemd's watchdog is told nothing");
        }
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "systemd cannot be told how the service is");
    }
}
