//! Accepting connections from several listeners, with a pause when the system refuses to give one.

use std::future::{pending, poll_fn};
use std::io;
use std::iter;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tracing::error;

use crate::service::listener::{Accepted, Listener};

/// The next connection on any of the listeners, which take turns at being asked first.
pub(super) async fn accept(listeners: &[Listener], turn: &mut usize) -> io::Result<Accepted> {
    poll_fn(|cx| {
        for step in 0..listeners.len() {
            let index = (*turn + step) % listeners.len();
            if let Poll::Ready(accepted) = listeners[index].poll_accept(cx) {
                *turn = index + 1;
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    })
    .await
}

/// The connections that wait to be accepted, at most `most`, on sockets that no other process takes over after us.
pub(super) fn waiting(listeners: &[Listener], most: usize) -> Vec<Accepted> {
    listeners
        .iter()
        .filter(|listener| !listener.is_inherited)
        .flat_map(|listener| {
            iter::from_fn(|| match listener.accept_now() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
                // A client that has already gone leaves only an error.
                accepted => Some(accepted),
            })
            .take(most)
        })
        .flatten()
        .take(most)
        .collect()
}

/// The pause after the system has refused to give a connection: it is short of something, and asking again at once would
/// only keep it busy.
#[derive(Default)]
pub(super) struct Pause {
    /// The length of the last one; zero when a connection has come since.
    length: Duration,
    until: Option<Instant>,
    /// When the system refused last.
    refused: Option<Instant>,
}

impl Pause {
    const FIRST: Duration = Duration::from_millis(10);
    const LONGEST: Duration = Duration::from_secs(1);
    /// After this long without a refusal, the next one is logged again.
    const EPISODE: Duration = Duration::from_secs(10);

    pub(super) fn is_on(&self) -> bool {
        self.until.is_some()
    }

    /// Begins a pause, longer than the last one, unless the error only means that a client left before it was accepted.
    pub(super) fn begin_unless_gone(&mut self, error: &io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
        if matches!(
            error.kind(),
            ConnectionAborted | ConnectionRefused | ConnectionReset
        ) {
            return;
        }
        let is_new = self
            .refused
            .is_none_or(|refused| refused.elapsed() > Self::EPISODE);
        if is_new {
            error!(%error, "cannot accept connections, trying again");
        }
        self.refused = Some(Instant::now());
        self.length = (self.length * 2).clamp(Self::FIRST, Self::LONGEST);
        self.until = Some(Instant::now() + self.length);
    }

    /// Completes when the pause is over; never without one.
    pub(super) async fn over(&mut self) {
        match self.until {
            Some(until) => sleep_until(until).await,
            None => pending().await,
        }
        self.until = None;
    }

    /// A connection was accepted: the next pause is short again.
    pub(super) fn end(&mut self) {
        self.length = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pause_grows_until_a_connection_comes() {
        let mut pause = Pause::default();
        // EMFILE, "Too many open files".
        let error = io::Error::from_raw_os_error(24);
        for milliseconds in [10, 20, 40] {
            let begin = Instant::now();
            pause.begin_unless_gone(&error);
            assert!(pause.is_on());
            pause.over().await;
            assert!(!pause.is_on());
            assert!(begin.elapsed() >= Duration::from_millis(milliseconds));
        }
        for _ in 0..10 {
            pause.begin_unless_gone(&error);
        }
        assert_eq!(pause.length, Duration::from_secs(1));
        pause.end();
        pause.begin_unless_gone(&error);
        assert_eq!(pause.length, Duration::from_millis(10));
    }

    #[test]
    fn a_client_that_is_gone_is_no_reason_to_pause() {
        let mut pause = Pause::default();
        pause.begin_unless_gone(&io::ErrorKind::ConnectionAborted.into());
        assert!(!pause.is_on());
    }
}
