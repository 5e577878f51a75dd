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
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
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

// Why a line is lost, or events are not kept.
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
    Events(Vec<Event>, Timestamp, Receipt),
}

impl Item {
    /// About how much memory it takes, in bytes.
    fn size(&self) -> usize {
        match self {
            Self::Told(told) => told.size(),
            Self::Events(events, ..) => events.iter().map(Event::size).sum(),
        }
    }
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

impl Journal {
    /// Starts a journal with a thread of its own. A folder that cannot be written costs lines, not the start.
    /// Written and lost lines are counted; events that were not kept are not counted, because they come again.
    ///
    /// The receiver gets nothing; it is disconnected when every [`Journal`] has been dropped and everything is written.
    ///
    /// # Errors
    ///
    /// The thread cannot be started.
    pub fn begin(
        options: JournalSettings,
        metrics: Arc<Metrics>,
    ) -> io::Result<(Self, Receiver<()>)> {
        let (journal, items) = Self::new(metrics);
        let (running, ended) = sync_channel(0);
        let mut writer = LineWriter {
            shared: Arc::clone(&journal.shared),
            files: DayFiles::new(options.folder, options.max_size_bytes, options.max_files),
            beyond: options.beyond,
            day: String::new(),
            bytes: Vec::new(),
            lines: 0,
            receipts: Vec::new(),
            waited_for: 0,
        };
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || {
                writer.run(&items);
                drop(running);
            })?;
        Ok((journal, ended))
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
        self.send(Item::Events(events, time, Receipt { on_disk, kept }))?;
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

impl Shared {
    /// Counts lost lines, and logs the first since something could be written.
    fn lose(&self, lines: usize, reason: &dyn fmt::Display) {
        let lost = self.metrics.counter(Counted::JournalLinesLost);
        lost.inc_by(lines as u64);
        if !self.is_losing.swap(true, Ordering::Relaxed) {
            error!(%reason, "the journal cannot be written; answers go on, lines are lost and counted");
        }
    }
}

/// Makes the lines and writes them, in a thread of its own. Lines of one day are written together.
struct LineWriter {
    shared: Arc<Shared>,
    files: DayFiles,
    beyond: Beyond,
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
                if self.bytes.len() >= BATCH_BYTES {
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
            // The request has given up, so the events come again.
            Item::Events(_, _, receipt) if receipt.kept.is_closed() => {}
            Item::Events(events, time, receipt) => {
                let mut lines = 0;
                for event in &events {
                    lines += usize::from(self.add_line(|beyond| line::event(event, time, beyond)));
                }
                if lines == events.len() {
                    self.waited_for += lines;
                    self.receipts.push(receipt);
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
        if self.day != day {
            self.write();
            day.clone_into(&mut self.day);
        }
        line.write(&mut self.bytes);
        self.lines += 1;
        true
    }

    /// Writes the batch and empties it.
    fn write(&mut self) {
        if self.lines == 0 {
            return;
        }
        let mut result = self.files.write(&self.day, &self.bytes);
        if result.is_ok() && !self.receipts.is_empty() {
            result = self.files.sync();
        }
        let metrics = &self.shared.metrics;
        match &result {
            Ok(()) => {
                let written = metrics.counter(Counted::JournalLines);
                written.inc_by(self.lines as u64);
                if self.shared.is_losing.swap(false, Ordering::Relaxed) {
                    let lost = metrics.counter(Counted::JournalLinesLost).get();
                    info!(lost, "the journal is written again");
                }
            }
            Err(error) => self.shared.lose(self.lines - self.waited_for, error),
        }
        for receipt in self.receipts.drain(..) {
            receipt.settle(result.is_ok());
        }
        self.bytes.clear();
        self.lines = 0;
        self.waited_for = 0;
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
                Item::Events(_, _, receipt) if !receipt.kept.is_closed() => Some(Writing(receipt)),
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
