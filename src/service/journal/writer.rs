//! The thread that makes the lines and writes them.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;

use tokio::sync::oneshot;
use tracing::info;

use super::files::Files;
use super::{Counts, Item};
use crate::journal::line::{self, Beyond, Line};

/// The most items that are written together.
const BATCH: usize = 256;

/// From how many bytes on what has been collected is written.
const BATCH_BYTES: usize = 256 * 1024;

pub(super) struct Writer {
    items: Receiver<Item>,
    counts: Arc<Counts>,
    files: Files,
    beyond: Beyond,
}

/// Lines of one day that are written together.
#[derive(Default)]
struct Batch {
    day: String,
    bytes: Vec<u8>,
    lines: usize,
    /// Those who wait until it is on the disk.
    waiting: Vec<oneshot::Sender<bool>>,
    /// How many of the lines are theirs.
    waited_for: usize,
}

impl Writer {
    pub(super) fn new(
        items: Receiver<Item>,
        counts: Arc<Counts>,
        files: Files,
        beyond: Beyond,
    ) -> Self {
        Self {
            items,
            counts,
            files,
            beyond,
        }
    }

    /// Writes until every handle is gone and nothing waits.
    pub(super) fn run(&mut self) {
        let mut batch = Batch::default();
        while let Ok(first) = self.items.recv() {
            let mut next = Some(first);
            let mut taken = 0;
            while let Some(item) = next {
                self.add(item, &mut batch);
                taken += 1;
                let is_full = taken == BATCH || batch.bytes.len() >= BATCH_BYTES;
                next = if is_full {
                    None
                } else {
                    self.items.try_recv().ok()
                };
            }
            self.write(&mut batch);
        }
    }

    fn add(&mut self, item: Item, batch: &mut Batch) {
        let size = item.size();
        self.counts.waiting_bytes.fetch_sub(size, Ordering::Relaxed);
        match item {
            Item::Told(told) => {
                self.add_line(batch, |beyond| line::request(&told, beyond));
            }
            Item::Events {
                events,
                time,
                kept,
                settled,
            } => {
                // Whoever has gone has been told to send them again.
                if kept.is_closed() || !settled.is_first() {
                    return;
                }
                let before = batch.lines;
                let mut is_whole = true;
                for event in &events {
                    is_whole &= self.add_line(batch, |beyond| line::event(event, time, beyond));
                }
                if is_whole {
                    batch.waited_for += batch.lines - before;
                    batch.waiting.push(kept);
                }
            }
        }
    }

    /// Adds a line to the batch, and writes the batch first when it is of another day.
    fn add_line<'a>(&mut self, batch: &mut Batch, line: impl FnOnce(&Beyond) -> Line<'a>) -> bool {
        // A line that cannot be made must not end the journal.
        let Ok(line) = catch_unwind(AssertUnwindSafe(|| line(&self.beyond))) else {
            self.counts.lose(1, &"a line cannot be made");
            return false;
        };
        let day = line.time.get(..10).unwrap_or_default();
        if batch.day != day {
            self.write(batch);
            day.clone_into(&mut batch.day);
        }
        line.write(&mut batch.bytes);
        batch.lines += 1;
        true
    }

    fn write(&mut self, batch: &mut Batch) {
        if batch.lines == 0 {
            return;
        }
        let mut result = self.files.write(&batch.day, &batch.bytes);
        if result.is_ok() && !batch.waiting.is_empty() {
            result = self.files.sync();
        }
        match &result {
            Ok(()) => {
                let metrics = &self.counts.metrics;
                metrics.journal_lines_written(batch.lines as u64);
                if self.counts.is_losing.swap(false, Ordering::Relaxed) {
                    let lost = self.counts.lost.load(Ordering::Relaxed);
                    info!(lost, "the journal is written again");
                }
            }
            Err(error) => self.fail(batch, error),
        }
        for kept in batch.waiting.drain(..) {
            // Whoever has gone sends the events again, and their ids tell that they are here already.
            let _ = kept.send(result.is_ok());
        }
        batch.bytes.clear();
        batch.lines = 0;
        batch.waited_for = 0;
    }

    fn fail(&self, batch: &Batch, reason: &dyn fmt::Display) {
        match batch.lines - batch.waited_for {
            0 => self.counts.fail(reason),
            lines => self.counts.lose(lines, reason),
        }
    }
}
