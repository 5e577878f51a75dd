//! The journal: what was answered, a JSON object a line, written beside the answers and never in their way.
//!
//! A request hands over what it was and goes on. One thread of the journal's own makes the lines and writes them, a
//! file a day. When it cannot keep up or the disk cannot take more, lines are lost and counted; when there is room
//! again it goes on. What a line holds is decided in [`crate::journal::line`].
//!
//! Lines are handed to the operating system at once and are safe from a crash of the program. Events that somebody
//! waits for are on the disk itself (`fdatasync`) before [`Journal::keep`] says so; other lines get there when the
//! operating system sees fit, usually within half a minute.

mod files;
pub mod read;
mod writer;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;
use tracing::error;

use self::files::Files;
use self::writer::Writer;
use crate::journal::line::{Beyond, Told};
use crate::service::metrics::Metrics;
use crate::twilio::request::event::Event;

/// The most requests that wait to be written.
const QUEUE: usize = 16 * 1024;

/// The most bytes of requests that wait to be written.
const QUEUE_BYTES: usize = 32 * 1024 * 1024;

/// Where the journal is, what it holds and how much.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of its files; made when it is not there.
    pub folder: PathBuf,
    /// What lines hold beyond the rule.
    pub beyond: Beyond,
    /// The most bytes of a day's file; what comes later that day is lost.
    pub max_size_bytes: u64,
    /// The most files, at least one; the oldest go.
    pub max_files: usize,
}

/// The end of the journal at which lines are handed over. Cheap to clone.
#[derive(Clone)]
pub struct Journal {
    queue: SyncSender<Item>,
    counts: Arc<Counts>,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

/// What becomes of lines.
#[derive(Debug)]
struct Counts {
    metrics: Arc<Metrics>,
    /// How many lines were lost since the start.
    lost: AtomicU64,
    /// Bytes of requests in the queue.
    waiting_bytes: AtomicUsize,
    /// Whether the log has been told that lines are lost, and not yet that they no longer are.
    is_losing: AtomicBool,
}

impl Counts {
    /// Counts lost lines. The log hears of the first of an episode.
    fn lose(&self, lines: usize, reason: &dyn fmt::Display) {
        let lines = lines as u64;
        self.lost.fetch_add(lines, Ordering::Relaxed);
        self.metrics.journal_lines_lost(lines);
        self.fail(reason);
    }

    /// Tells the log that something cannot be written, once an episode.
    fn fail(&self, reason: &dyn fmt::Display) {
        if !self.is_losing.swap(true, Ordering::Relaxed) {
            error!(%reason, "the journal cannot be written; answers go on, lines are lost and counted");
        }
    }
}

/// What waits to be written.
enum Item {
    Told(Box<Told>),
    Events {
        events: Vec<Event>,
        time: Timestamp,
        kept: oneshot::Sender<bool>,
        settled: Arc<Settled>,
    },
}

/// What becomes of events that take too long: whoever is first, the writer that begins with them or the one that waits
/// for them and gives up, settles it.
#[derive(Debug, Default)]
struct Settled(AtomicBool);

impl Settled {
    /// Whether this is the first.
    fn is_first(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }
}

impl Item {
    fn size(&self) -> usize {
        match self {
            Self::Told(told) => told.size(),
            Self::Events { events, .. } => events.iter().map(Event::size).sum(),
        }
    }
}

/// Why events may not be taken for kept.
#[derive(Debug)]
pub enum NotKept {
    /// Too many lines wait to be written.
    Full,
    /// They could not be written.
    Unwritten,
    /// It took too long, and they will not be written.
    Slow,
    /// It takes too long, but they are being written: what becomes of them is known later.
    StillWriting(Later),
}

/// What becomes of events that are being written.
#[derive(Debug)]
pub struct Later(oneshot::Receiver<bool>);

impl Later {
    /// Completes when it is known whether they are on the disk.
    pub async fn is_kept(self) -> bool {
        self.0.await.unwrap_or(false)
    }
}

impl fmt::Display for NotKept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "too many lines wait to be written",
            Self::Unwritten => "the journal cannot be written",
            Self::Slow | Self::StillWriting(_) => "the disk is too slow",
        })
    }
}

impl std::error::Error for NotKept {}

/// The end of the journal: completes when everything is written and all handles are gone.
#[derive(Debug)]
pub struct Closing(Receiver<()>);

impl Closing {
    /// Waits until every line is written, or until this time is over. Returns whether it is.
    ///
    /// Blocks the thread; every [`Journal`] has to be dropped first.
    #[must_use]
    pub fn wait(self, limit: Duration) -> bool {
        // The writer sends nothing; the channel closes when it has ended.
        !matches!(
            self.0.recv_timeout(limit),
            Err(std::sync::mpsc::RecvTimeoutError::Timeout)
        )
    }
}

impl Journal {
    /// Begins a journal with a thread of its own. A folder that cannot be written costs lines, not the start.
    /// Lines that are written and lost are counted; events that were not kept are not: they come again.
    ///
    /// # Errors
    ///
    /// The thread cannot be started.
    pub fn begin(options: Options, metrics: Arc<Metrics>) -> io::Result<(Self, Closing)> {
        let (queue, items) = sync_channel(QUEUE);
        let (running, ended) = sync_channel(0);
        let counts = Arc::new(Counts {
            metrics,
            lost: AtomicU64::new(0),
            waiting_bytes: AtomicUsize::new(0),
            is_losing: AtomicBool::new(false),
        });
        let files = Files::new(options.folder, options.max_size_bytes, options.max_files);
        let mut writer = Writer::new(items, Arc::clone(&counts), files, options.beyond);
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || {
                writer.run();
                drop(running);
            })?;
        Ok((Self { queue, counts }, Closing(ended)))
    }

    /// Hands over what was answered. Never waits: when too much waits to be written already, the line is lost.
    pub fn record(&self, told: Told) {
        if self.send(Item::Told(Box::new(told))).is_err() {
            self.counts.lose(1, &NotKept::Full);
        }
    }

    /// Has events written, a line each, and completes when they are on the disk.
    ///
    /// # Errors
    ///
    /// They are not there, or not within this time: whoever sent them should send them again.
    pub async fn keep(
        &self,
        events: Vec<Event>,
        time: Timestamp,
        limit: Duration,
    ) -> Result<(), NotKept> {
        let (kept, mut answer) = oneshot::channel();
        let settled = Arc::new(Settled::default());
        self.send(Item::Events {
            events,
            time,
            kept,
            settled: Arc::clone(&settled),
        })?;
        match tokio::time::timeout(limit, &mut answer).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false) | Err(_)) => Err(NotKept::Unwritten),
            Err(_) if settled.is_first() => Err(NotKept::Slow),
            Err(_) => Err(NotKept::StillWriting(Later(answer))),
        }
    }

    fn send(&self, item: Item) -> Result<(), NotKept> {
        let size = item.size();
        let waiting = &self.counts.waiting_bytes;
        if waiting.fetch_add(size, Ordering::Relaxed) + size > QUEUE_BYTES {
            waiting.fetch_sub(size, Ordering::Relaxed);
            return Err(NotKept::Full);
        }
        self.queue.try_send(item).map_err(|error| {
            waiting.fetch_sub(size, Ordering::Relaxed);
            match error {
                TrySendError::Full(_) => NotKept::Full,
                TrySendError::Disconnected(_) => NotKept::Unwritten,
            }
        })
    }
}

/// A disk that takes what the test lets it take: the other end of a journal, in the place of its thread.
#[cfg(test)]
pub(crate) struct SlowDisk(Receiver<Item>);

/// Events that are being written.
#[cfg(test)]
pub(crate) struct Writing(oneshot::Sender<bool>);

#[cfg(test)]
impl SlowDisk {
    pub(crate) fn new() -> (Journal, Self) {
        let (queue, items) = sync_channel(QUEUE);
        let counts = Arc::new(Counts {
            metrics: Arc::new(Metrics::new()),
            lost: AtomicU64::new(0),
            waiting_bytes: AtomicUsize::new(0),
            is_losing: AtomicBool::new(false),
        });
        (Journal { queue, counts }, Self(items))
    }

    /// Begins with the next events that somebody waits for, as the thread does; `None` when there are none.
    pub(crate) fn begin(&self) -> Option<Writing> {
        while let Ok(item) = self.0.try_recv() {
            if let Item::Events { kept, settled, .. } = item
                && !kept.is_closed()
                && settled.is_first()
            {
                return Some(Writing(kept));
            }
        }
        None
    }
}

#[cfg(test)]
impl Writing {
    pub(crate) fn end(self, is_kept: bool) {
        let _ = self.0.send(is_kept);
    }
}
