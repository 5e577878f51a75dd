//! What one connection is doing: told by its own task, looked at by the accept loop. No locks.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activity {
    /// Nothing yet, since it came then.
    Fresh(Instant),
    /// Nothing, since its last request was answered then.
    Idle(Instant),
    /// The head of a request is arriving.
    Head,
    /// A request is read and answered, or was refused before its end.
    Request,
}

/// One connection, as its task, its stream and the accept loop share it.
pub(super) struct Connection {
    /// What [`Connection::activity`] counts from.
    epoch: Instant,
    /// [`HEAD`], [`REQUEST`], or the microseconds from the epoch to then, for a fresh one with [`FRESH`] added.
    activity: AtomicU64,
    close: Notify,
}

const HEAD: u64 = u64::MAX;
const REQUEST: u64 = u64::MAX - 1;
/// A bit that no count of microseconds reaches.
const FRESH: u64 = 1 << 62;

impl Connection {
    pub(super) fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            activity: AtomicU64::new(micros_between(epoch, Instant::now()) | FRESH),
            close: Notify::new(),
        }
    }

    pub(super) fn activity(&self) -> Activity {
        match self.activity.load(Ordering::SeqCst) {
            HEAD => Activity::Head,
            REQUEST => Activity::Request,
            since if since & FRESH == 0 => Activity::Idle(self.moment(since)),
            since => Activity::Fresh(self.moment(since ^ FRESH)),
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

    /// A request is read to its end and was answered then: the connection is idle again. Returns whether it may stay open.
    ///
    /// `crowded` is whether somebody waits for a place. The accept loop sets it before it looks for an idle connection,
    /// and here it is read after this one has become idle, so one of the two closes it.
    pub(super) fn answered(&self, then: Instant, crowded: &AtomicBool) -> bool {
        let since = micros_between(self.epoch, then);
        self.activity.store(since, Ordering::SeqCst);
        !crowded.load(Ordering::SeqCst)
    }

    /// Asks its task to close it: at once when it is idle, else after the request that is running.
    pub(super) fn close(&self) {
        self.close.notify_one();
    }

    /// Completes when somebody has called [`Connection::close`].
    pub(super) async fn closing(&self) {
        self.close.notified().await;
    }

    fn moment(&self, micros: u64) -> Instant {
        self.epoch + Duration::from_micros(micros)
    }
}

/// Less than [`FRESH`] for the next hundred thousand years.
fn micros_between(epoch: Instant, then: Instant) -> u64 {
    u64::try_from(then.duration_since(epoch).as_micros()).unwrap_or(FRESH - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_stays_unless_somebody_waits() {
        let connection = Connection::new(Instant::now());
        assert!(matches!(connection.activity(), Activity::Fresh(_)));
        connection.head_begins();
        assert_eq!(connection.activity(), Activity::Head);
        connection.head_complete();
        assert_eq!(connection.activity(), Activity::Request);
        for crowded in [false, true] {
            let stays = connection.answered(Instant::now(), &AtomicBool::new(crowded));
            assert_eq!(stays, !crowded);
            assert!(matches!(connection.activity(), Activity::Idle(_)));
        }
    }

    #[test]
    fn idleness_is_counted_from_its_beginning() {
        let before = Instant::now();
        let connection = Connection::new(before);
        let Activity::Fresh(came) = connection.activity() else {
            panic!("not fresh");
        };
        connection.answered(Instant::now(), &AtomicBool::new(false));
        let Activity::Idle(answered) = connection.activity() else {
            panic!("not idle");
        };
        assert!(before <= came && came <= answered && answered <= Instant::now());
    }
}
