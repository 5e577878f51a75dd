//! Shows whether the accept loop still runs: it answers questions, and only from within its own loop.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::timeout;

/// A question that the accept loop answers between two connections.
///
/// A loop that waits, pauses because descriptors are short, or has no place for another connection still answers; one
/// that hangs or never gets the processor does not.
#[derive(Debug, Default)]
pub struct Pulse {
    asked: AtomicU64,
    asks: Notify,
    /// How many questions have been answered.
    answered: watch::Sender<u64>,
}

impl Pulse {
    /// Whether the accept loop answers within this time. Without a running server it does not.
    pub async fn is_felt(&self, within: Duration) -> bool {
        let question = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut answers = self.answered.subscribe();
        self.asks.notify_one();
        let answered = answers.wait_for(|answered| *answered >= question);
        matches!(timeout(within, answered).await, Ok(Ok(_)))
    }

    /// Completes when there is a question.
    pub(super) async fn asked(&self) {
        self.asks.notified().await;
    }

    /// Answers all questions so far.
    pub(super) fn answer(&self) {
        let asked = self.asked.load(Ordering::SeqCst);
        self.answered.send_replace(asked);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_a_turning_loop_is_felt() {
        let pulse = Pulse::default();
        let patience = Duration::from_secs(1);
        assert!(!pulse.is_felt(patience).await);
        let turning = async {
            loop {
                pulse.asked().await;
                pulse.answer();
            }
        };
        tokio::select! {
            () = turning => {}
            felt = async { (pulse.is_felt(patience).await, pulse.is_felt(patience).await) } => {
                assert_eq!(felt, (true, true));
            }
        }
        assert!(!pulse.is_felt(patience).await);
    }
}
