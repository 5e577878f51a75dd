//! Whether the accept loop still turns: it is asked, and answers only from within its own loop.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::timeout;

/// A question that the accept loop answers between two connections.
///
/// A loop that waits, pauses for want of descriptors or has no place for another connection answers; one that hangs or
/// is never given the processor does not.
#[derive(Debug, Default)]
pub struct Pulse {
    asked: AtomicU64,
    asks: Notify,
    /// How many questions are answered.
    answered: watch::Sender<u64>,
}

impl Pulse {
    /// Whether the accept loop answers within this time. When no service runs, it does not.
    pub async fn is_felt(&self, within: Duration) -> bool {
        let question = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut answers = self.answered.subscribe();
        self.asks.notify_one();
        let answered = answers.wait_for(|answered| *answered >= question);
        matches!(timeout(within, answered).await, Ok(Ok(_)))
    }

    /// Completes when somebody asks.
    pub(super) async fn asked(&self) {
        self.asks.notified().await;
    }

    /// Answers whoever has asked until now.
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
