//! The journal's writer: a line of JSON for every answer, written on a thread of its own, so that no answer waits for it.
//!
//! A request hands over what it was and continues. The thread makes the lines and writes them, one file for each day. When
//! it cannot keep up or the disk is full, lines are lost and counted until there is room again. What a line holds is
//! decided in [`crate::journal::line`].
//!
//! Lines are handed to the operating system at once and survive a crash of the program. Events that a request waits for
//! are on the disk itself (`fdatasync`) before [`Journal::keep`] says so; the operating system writes other lines when
//! it sees fit, usually within half a minute.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::{error, info};

use crate::journal::line::{self, Beyond, Line, Told};
use crate::service::journal_files::DayFiles;
use crate::service::metrics::{Counted, Metrics};
use crate::twilio::request::event::Event;

/// The most items that wait to be written.
const QUEUE: usize = 16 * 1024;

/// The most bytes of items that wait to be written.
const QUEUE_BYTES: usize = 32 * 1024 * 1024;

/// The most items that are written together.
const BATCH: usize = 256;

/// How many bytes of lines are collected before they are written.
const BATCH_BYTES: usize = 256 * 1024;

/// Why a line is lost, or events are not kept.
const FULL: &str = "too many lines wait to be written";
const UNWRITTEN: &str = "the journal cannot be written";

/// Where the journal is, what it holds and how much.
#[derive(Debug, Clone)]
pub struct JournalSettings {
    /// The folder of its files; created when it does not exist.
    pub folder: PathBuf,
    /// What lines hold beyond the rule.
    pub beyond: Beyond,
    /// The most bytes of a day's file; later lines of that day are lost.
    pub max_size_bytes: u64,
    /// The most files, at least one; the oldest are removed.
    pub max_files: usize,
}

/// Hands lines over to the writer. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Journal {
    queue: SyncSender<Item>,
    shared: Arc<Shared>,
}

/// What both ends of the queue know.
#[derive(Debug)]
struct Shared {
    metrics: Arc<Metrics>,
    /// Bytes of the items in the queue.
    waiting_bytes: AtomicUsize,
    /// Whether the log has said that lines are lost, and not yet that they no longer are.
    is_losing: AtomicBool,
}

/// What waits to be written.
enum Item {
    Told(Box<Told>),
    Events(Awaited),
}

/// Events that a request waits for.
struct Awaited {
    events: Vec<Event>,
    time: Timestamp,
    receipt: Receipt,
}

/// How a request learns what became of its events.
struct Receipt {
    /// Called when the events are on the disk, whether or not the request still waits; else dropped.
    on_disk: Box<dyn FnOnce() + Send>,
    kept: oneshot::Sender<bool>,
}

impl Receipt {
    fn settle(self, is_kept: bool) {
        if is_kept {
            (self.on_disk)();
        } else {
            drop(self.on_disk);
        }
        // If the request has given up, its sender sends the events again.
        let _ = self.kept.send(is_kept);
    }
}

/// The end of the journal: completes when every [`Journal`] has been dropped and everything is written.
#[derive(Debug)]
pub struct Closing(Receiver<()>);

impl Closing {
    /// Waits until every line is written, or until the time is up. Returns whether every line is written.
    ///
    /// Blocks the thread; every [`Journal`] has to be dropped first.
    #[must_use]
    pub fn wait(self, limit: Duration) -> bool {
        // Nothing is ever sent; the channel closes when the writer ends.
        self.0.recv_timeout(limit) != Err(RecvTimeoutError::Timeout)
    }
}

impl Journal {
    /// Starts a journal with a thread of its own. A folder that cannot be written costs lines, not the start.
    /// Written and lost lines are counted; events that were not kept are not counted, because they come again.
    ///
    /// # Errors
    ///
    /// The thread cannot be started.
    pub fn begin(options: JournalSettings, metrics: Arc<Metrics>) -> io::Result<(Self, Closing)> {
        let (journal, items) = Self::new(metrics);
        let (running, ended) = sync_channel(0);
        let mut writer = LineWriter {
            shared: Arc::clone(&journal.shared),
            files: DayFiles::new(options.folder, options.max_size_bytes, options.max_files),
            beyond: options.beyond,
            batch: Batch::default(),
        };
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || {
                writer.run(&items);
                drop(running);
            })?;
        Ok((journal, Closing(ended)))
    }

    fn new(metrics: Arc<Metrics>) -> (Self, Receiver<Item>) {
        let (queue, items) = sync_channel(QUEUE);
        let shared = Arc::new(Shared {
            metrics,
            waiting_bytes: AtomicUsize::new(0),
            is_losing: AtomicBool::new(false),
        });
        (Self { queue, shared }, items)
    }

    /// Hands over what was answered. Never waits: when too much waits to be written already, the line is lost.
    pub fn record(&self, told: Told) {
        if self.send(Item::Told(Box::new(told))).is_err() {
            self.shared.lose(1, &FULL);
        }
    }

    /// Has events written, a line each, and completes when they are on the disk. `on_disk` is called then; when the
    /// limit is over before the writer gets to the events, they are not written, and `on_disk` is dropped uncalled.
    ///
    /// # Errors
    ///
    /// Why the events are not on the disk, or not within the limit, for the log. Their sender should send them again.
    pub async fn keep(
        &self,
        events: Vec<Event>,
        time: Timestamp,
        limit: Duration,
        on_disk: impl FnOnce() + Send + 'static,
    ) -> Result<(), &'static str> {
        let (kept, answer) = oneshot::channel();
        let on_disk = Box::new(on_disk);
        self.send(Item::Events(Awaited {
            events,
            time,
            receipt: Receipt { on_disk, kept },
        }))?;
        match timeout(limit, answer).await {
            Ok(Ok(true)) => Ok(()),
            Ok(_) => Err(UNWRITTEN),
            Err(_) => Err("the disk is too slow"),
        }
    }

    fn send(&self, item: Item) -> Result<(), &'static str> {
        let size = item.size();
        let waiting = &self.shared.waiting_bytes;
        if waiting.fetch_add(size, Ordering::Relaxed) + size > QUEUE_BYTES {
            waiting.fetch_sub(size, Ordering::Relaxed);
            return Err(FULL);
        }
        self.queue.try_send(item).map_err(|error| {
            waiting.fetch_sub(size, Ordering::Relaxed);
            match error {
                TrySendError::Full(_) => FULL,
                TrySendError::Disconnected(_) => UNWRITTEN,
            }
        })
    }
}

impl Item {
    fn size(&self) -> usize {
        match self {
            Self::Told(told) => told.size(),
            Self::Events(Awaited { events, .. }) => events.iter().map(Event::size).sum(),
        }
    }
}

impl Shared {
    /// Counts lost lines.
    fn lose(&self, lines: usize, reason: &dyn fmt::Display) {
        self.metrics
            .counter(Counted::JournalLinesLost)
            .inc_by(lines as u64);
        self.log_failure(reason);
    }

    /// Logs that something cannot be written, once until it can be written again.
    fn log_failure(&self, reason: &dyn fmt::Display) {
        if !self.is_losing.swap(true, Ordering::Relaxed) {
            error!(%reason, "the journal cannot be written; answers go on, lines are lost and counted");
        }
    }
}

/// Makes the lines and writes them, in a thread of its own.
struct LineWriter {
    shared: Arc<Shared>,
    files: DayFiles,
    beyond: Beyond,
    batch: Batch,
}

/// Lines of one day that are written together.
#[derive(Default)]
struct Batch {
    day: String,
    bytes: Vec<u8>,
    lines: usize,
    /// Those who wait until their lines are on the disk.
    receipts: Vec<Receipt>,
    /// How many of the lines are theirs.
    waited_for: usize,
}

impl LineWriter {
    /// Writes until every handle is dropped and nothing waits.
    fn run(&mut self, items: &Receiver<Item>) {
        while let Ok(first) = items.recv() {
            self.add(first);
            for item in items.try_iter().take(BATCH - 1) {
                self.add(item);
                if self.batch.bytes.len() >= BATCH_BYTES {
                    break;
                }
            }
            self.write();
        }
    }

    fn add(&mut self, item: Item) {
        let size = item.size();
        self.shared.waiting_bytes.fetch_sub(size, Ordering::Relaxed);
        match item {
            Item::Told(told) => {
                self.add_line(|beyond| line::request(&told, beyond));
            }
            Item::Events(Awaited {
                events,
                time,
                receipt,
            }) => {
                // The request has given up, so the events come again.
                if receipt.kept.is_closed() {
                    return;
                }
                let mut lines = 0;
                for event in &events {
                    lines += usize::from(self.add_line(|beyond| line::event(event, time, beyond)));
                }
                if lines == events.len() {
                    self.batch.waited_for += lines;
                    self.batch.receipts.push(receipt);
                }
            }
        }
    }

    /// Adds a line to the batch, and writes the batch first when it is of another day. Returns whether it was added.
    fn add_line<'a>(&mut self, line: impl FnOnce(&Beyond) -> Line<'a>) -> bool {
        // A line that cannot be made must not end the journal.
        let Ok(line) = catch_unwind(AssertUnwindSafe(|| line(&self.beyond))) else {
            self.shared.lose(1, &"a line cannot be made");
            return false;
        };
        let day = line.time.get(..10).unwrap_or_default();
        if self.batch.day != day {
            self.write();
            day.clone_into(&mut self.batch.day);
        }
        line.write(&mut self.batch.bytes);
        self.batch.lines += 1;
        true
    }

    /// Writes the batch and empties it.
    fn write(&mut self) {
        let batch = &mut self.batch;
        if batch.lines == 0 {
            return;
        }
        let mut result = self.files.write(&batch.day, &batch.bytes);
        if result.is_ok() && !batch.receipts.is_empty() {
            result = self.files.sync();
        }
        let metrics = &self.shared.metrics;
        match &result {
            Ok(()) => {
                metrics
                    .counter(Counted::JournalLines)
                    .inc_by(batch.lines as u64);
                if self.shared.is_losing.swap(false, Ordering::Relaxed) {
                    let lost = metrics.counter(Counted::JournalLinesLost).get();
                    info!(lost, "the journal is written again");
                }
            }
            Err(error) => match batch.lines - batch.waited_for {
                0 => self.shared.log_failure(error),
                lines => self.shared.lose(lines, error),
            },
        }
        for receipt in batch.receipts.drain(..) {
            receipt.settle(result.is_ok());
        }
        batch.bytes.clear();
        batch.lines = 0;
        batch.waited_for = 0;
    }
}

#[cfg(test)]
pub(crate) mod slow_disk {
    use super::*;

    /// A disk that takes what the test lets it take: it stands in for the journal's thread.
    pub(crate) struct SlowDisk(Receiver<Item>);

    /// Events that are being written.
    pub(crate) struct Writing(Receipt);

    impl SlowDisk {
        pub(crate) fn new() -> (Journal, Self) {
            let (journal, items) = Journal::new(Arc::default());
            (journal, Self(items))
        }

        /// Begins to write the next events that a request waits for, as the thread does; `None` when there are none.
        pub(crate) fn begin(&self) -> Option<Writing> {
            self.0.try_iter().find_map(|item| match item {
                Item::Events(awaited) if !awaited.receipt.kept.is_closed() => {
                    Some(Writing(awaited.receipt))
                }
                _ => None,
            })
        }
    }

    impl Writing {
        pub(crate) fn end(self, is_kept: bool) {
            self.0.settle(is_kept);
        }
    }
}
