//! The journal's writer: one line of JSON per answer, written on a separate thread, so that no answer waits for it.
//!
//! A request hands over what happened and continues. The thread formats the lines and writes them, one file per day.
//! When it cannot keep up or the disk is full, lines are lost and counted until there is room again. What a line holds
//! is decided in [`crate::journal::line`].
//!
//! Lines are handed to the operating system at once and survive a crash of the program. Events that a request waits for
//! are on the disk itself (`fdatasync`) before `Journal::keep` says so; the operating system writes other lines when it
//! sees fit, usually within half a minute.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use tracing::{error, info};

use crate::journal::latest::Latest;
use crate::journal::line::{self, Beyond, Line, Told};
use crate::service::journal_files::{DayFiles, JournalSettings};
use crate::service::metrics::{Metrics, PlainCounter};
use crate::twilio::request::event::Event;
use crate::twilio::signature::body_sha256;

// The most that may wait to be written.
const QUEUE_ITEMS: usize = 16 * 1024;
const QUEUE_BYTES: usize = 32 * 1024 * 1024;

/// How long a request waits for its events to be written. Twilio waits for five seconds.
///
/// Source: <https://www.twilio.com/docs/events/webhook-quickstart>.
const KEEP_LIMIT: Duration = Duration::from_secs(4);

/// How many bytes of lines are collected before writing.
const BATCH_BYTES: usize = 256 * 1024;

/// How many events are remembered; the oldest are forgotten first.
const MOST: usize = 100_000;

/// The type of the events that a sink's test sends. All of them have the account's SID as their id; the `test_id` in
/// their data tells them apart.
///
/// Source: <https://www.twilio.com/docs/events/event-types/eventstreams/test-event>.
const TEST_EVENT: &str = "com.twilio.eventstreams.test-event";

// Why a line is lost, or events are not kept.
const FULL: &str = "too many lines wait to be written";
const UNWRITTEN: &str = "the journal cannot be written";

/// Hands lines over to the writer. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Journal {
    queue: SyncSender<Item>,
    shared: Arc<Shared>,
}

/// What both ends of the queue share.
#[derive(Debug)]
struct Shared {
    metrics: Arc<Metrics>,
    /// Bytes of the items in the queue.
    waiting_bytes: AtomicUsize,
    /// Whether the log has reported lost lines, and not yet that lines are no longer lost.
    is_losing: AtomicBool,
    /// When a request last gave up on a slow disk.
    gave_up: Mutex<Option<Instant>>,
}

/// Something that waits to be written.
enum Item {
    Told(Box<Told>),
    /// With the sender that tells the waiting request whether they are on the disk.
    Events(Vec<Event>, Timestamp, oneshot::Sender<bool>),
}

impl Item {
    /// In bytes of memory.
    fn size(&self) -> usize {
        match self {
            Self::Told(told) => told.size(),
            Self::Events(events, ..) => events.iter().map(Event::size).sum(),
        }
    }
}

impl Journal {
    /// Starts a journal with its own thread. A failure to write costs lines but does not prevent the start. Written and
    /// lost lines are counted; events that were not kept are not counted, because they come again.
    ///
    /// The receiver gets nothing; it is disconnected when every [`Journal`] has been dropped and everything is written.
    ///
    /// # Errors
    ///
    /// The thread cannot be started.
    pub fn begin(
        settings: JournalSettings,
        metrics: Arc<Metrics>,
    ) -> io::Result<(Self, Receiver<()>)> {
        let (journal, items, mut writer) = Self::new(settings, metrics);
        let (running, ended) = sync_channel(0);
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || {
                writer.run(&items);
                drop(running);
            })?;
        Ok((journal, ended))
    }

    /// A journal, with the receiving end of its queue and its writer.
    fn new(settings: JournalSettings, metrics: Arc<Metrics>) -> (Self, Receiver<Item>, LineWriter) {
        let (queue, items) = sync_channel(QUEUE_ITEMS);
        let shared = Arc::new(Shared {
            metrics,
            waiting_bytes: AtomicUsize::new(0),
            is_losing: AtomicBool::new(false),
            gave_up: Mutex::new(None),
        });
        let writer = LineWriter {
            shared: Arc::clone(&shared),
            files: DayFiles {
                settings,
                current: None,
            },
            day: String::new(),
            bytes: Vec::new(),
            lines: 0,
            known: Latest::default(),
            events: 0,
            waiting: Vec::new(),
        };
        (Self { queue, shared }, items, writer)
    }

    /// Hands over what was answered. Never waits: when too much is already waiting to be written, the line is lost.
    pub fn record(&self, told: Told) {
        if self.send(Item::Told(Box::new(told))).is_err() {
            self.shared.lose(1, &FULL);
        }
    }

    /// Writes events, one per line, unless the journal has them already, and completes when they are on the disk. If
    /// the writer does not get to them within the limit, they are not written, and for as long again no request waits
    /// for events.
    ///
    /// Returns, for the log, why not all of them are on the disk. The sender should send them again.
    pub(super) async fn keep(
        &self,
        events: Vec<Event>,
        time: Timestamp,
    ) -> Result<(), &'static str> {
        const SLOW: &str = "the disk is too slow";
        // While a disk is stuck, not every request should hold a connection to find that out again.
        if self.shared.gave_up_lately() {
            return Err(SLOW);
        }
        let (kept, answer) = oneshot::channel();
        self.send(Item::Events(events, time, kept))?;
        match timeout(KEEP_LIMIT, answer).await {
            Ok(Ok(true)) => Ok(()),
            Ok(_) => Err(UNWRITTEN),
            Err(_) => {
                self.shared.give_up();
                Err(SLOW)
            }
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
    fn give_up(&self) {
        let mut gave_up = self.gave_up.lock().unwrap_or_else(PoisonError::into_inner);
        *gave_up = Some(Instant::now());
    }

    fn gave_up_lately(&self) -> bool {
        let gave_up = self.gave_up.lock().unwrap_or_else(PoisonError::into_inner);
        gave_up.is_some_and(|time| time.elapsed() < KEEP_LIMIT)
    }

    /// Counts lost lines, and logs the first one since something could be written.
    fn lose(&self, lines: usize, reason: &dyn fmt::Display) {
        let lost = self.metrics.counter(PlainCounter::JournalLinesLost);
        lost.inc_by(lines as u64);
        if !self.is_losing.swap(true, Ordering::Relaxed) {
            error!(%reason, "the journal cannot be written; answers go on, lines are lost and counted");
        }
    }
}

/// Makes the lines and writes them, on a separate thread. Lines of one day are written together.
struct LineWriter {
    shared: Arc<Shared>,
    files: DayFiles,
    day: String,
    bytes: Vec<u8>,
    lines: usize,
    /// The events that are on the disk or among the lines, so that each goes into the journal once: Twilio sends an
    /// event until it learns that it was taken, and sometimes once more. Takes at most 6 MB of memory.
    known: Latest<u128, MOST>,
    /// How many of the lines are events.
    events: usize,
    /// The requests that wait for these events to reach the disk.
    waiting: Vec<oneshot::Sender<bool>>,
}

impl LineWriter {
    /// Writes until every handle is dropped and nothing waits.
    fn run(&mut self, items: &Receiver<Item>) {
        while let Ok(first) = items.recv() {
            self.add(first);
            while self.bytes.len() < BATCH_BYTES
                && let Ok(item) = items.try_recv()
            {
                self.add(item);
            }
            self.write();
        }
    }

    fn add(&mut self, item: Item) {
        let waiting = &self.shared.waiting_bytes;
        waiting.fetch_sub(item.size(), Ordering::Relaxed);
        match item {
            Item::Told(told) => {
                self.add_line(|beyond| line::request(&told, beyond));
            }
            // The request has given up, so the events come again.
            Item::Events(_, _, request) if request.is_closed() => {}
            Item::Events(events, time, request) => {
                for event in &events {
                    let key = key(event);
                    if self.known.keys.contains(&key) {
                        continue;
                    }
                    if !self.add_line(|beyond| line::event(event, time, beyond)) {
                        // When this is dropped, the request learns that they are not kept.
                        return;
                    }
                    self.known.add(key);
                    self.events += 1;
                }
                self.waiting.push(request);
            }
        }
    }

    /// Adds a line to the batch, after writing the batch if it is of another day. Returns whether the line was added.
    fn add_line<'a>(&mut self, line: impl FnOnce(&Beyond) -> Line<'a>) -> bool {
        // A line that cannot be made must not end the journal.
        let Ok(line) = catch_unwind(AssertUnwindSafe(|| line(&self.files.settings.beyond))) else {
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

    /// Writes the lines and notifies the requests that wait.
    fn write(&mut self) {
        let result = self.write_lines();
        if result.is_err() {
            self.known.forget_last(self.events);
        }
        for request in self.waiting.drain(..) {
            // If the request has given up, its sender sends the events again.
            let _ = request.send(result.is_ok());
        }
        self.bytes.clear();
        self.lines = 0;
        self.events = 0;
    }

    fn write_lines(&mut self) -> io::Result<()> {
        if self.lines == 0 {
            return Ok(());
        }
        let mut result = self.files.write(&self.day, &self.bytes);
        if self.events > 0 {
            result = result.and_then(|()| self.files.sync());
        }
        let metrics = &self.shared.metrics;
        match &result {
            Ok(()) => {
                let written = metrics.counter(PlainCounter::JournalLines);
                written.inc_by(self.lines as u64);
                if self.shared.is_losing.swap(false, Ordering::Relaxed) {
                    let lost = metrics.counter(PlainCounter::JournalLinesLost).get();
                    info!(lost, "the journal is written again");
                }
            }
            Err(error) => self.shared.lose(self.lines - self.events, error),
        }
        result
    }
}

/// The first part of a hash of an event's id, which may be long.
fn key(event: &Event) -> u128 {
    let test_id = match event.data.get("test_id") {
        Some(serde_json::Value::String(test_id)) if event.kind == TEST_EVENT => test_id,
        _ => "",
    };
    let hash = body_sha256(format!("{}:{}{test_id}", event.id.len(), event.id).as_bytes());
    u128::from_str_radix(&hash[..32], 16).expect("a hash is hexadecimal digits")
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use serde_json::json;
    use tokio::time::sleep;

    use super::*;

    /// A journal whose thread the test replaces.
    fn journal(folder: &Path) -> (Journal, Receiver<Item>, LineWriter) {
        Journal::new(settings(folder), Arc::default())
    }

    fn settings(folder: &Path) -> JournalSettings {
        JournalSettings {
            folder: Some(folder.to_owned()),
            beyond: Beyond::default(),
            max_size_bytes: u64::MAX,
            max_files: 1,
        }
    }

    /// A folder of this test, removed at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("twiml-journal-{name}-{}", std::process::id());
            Self(std::env::temp_dir().join(name))
        }

        /// How many lines the journal has.
        fn lines(&self) -> usize {
            let path = self.0.join("journal-1970-01-01.jsonl");
            std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn events(ids: &[&str]) -> Vec<Event> {
        let event = |id: &&str| Event {
            id: (*id).to_owned(),
            kind: "t".to_owned(),
            time: String::new(),
            data: json!({ "test_id": id }),
        };
        ids.iter().map(event).collect()
    }

    async fn is_kept(journal: &Journal, ids: &[&str]) -> bool {
        let kept = journal.keep(events(ids), Timestamp::UNIX_EPOCH).await;
        kept.is_ok()
    }

    /// Does what the thread does with everything that waits.
    fn add_all(writer: &mut LineWriter, items: &Receiver<Item>) {
        for item in items.try_iter() {
            writer.add(item);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_is_written_once() {
        let folder = Folder::new("once");
        let (journal, items, mut writer) = journal(&folder.0);
        for (ids, lines) in [
            (&["b", "a", "b"][..], 2),
            (&["a", "c"], 3),
            (&["b", "c"], 3),
            (&[], 3),
        ] {
            let write = async {
                sleep(Duration::from_secs(1)).await;
                add_all(&mut writer, &items);
                writer.write();
            };
            let (is_kept, ()) = tokio::join!(is_kept(&journal, ids), write);
            assert!(is_kept, "{ids:?}");
            assert_eq!(folder.lines(), lines, "{ids:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_that_two_requests_bring_at_once_is_written_once() {
        let folder = Folder::new("twice");
        let (journal, items, mut writer) = journal(&folder.0);
        let write = async {
            sleep(Duration::from_secs(1)).await;
            add_all(&mut writer, &items);
            writer.write();
        };
        let (first, second) = (is_kept(&journal, &["a"]), is_kept(&journal, &["b", "a"]));
        assert_eq!(tokio::join!(first, second, write), (true, true, ()));
        assert_eq!(folder.lines(), 2);
    }

    /// Twilio waits for five seconds. The test's clock advances by itself while everything waits.
    #[tokio::test(start_paused = true)]
    async fn a_slow_disk_is_not_waited_for_longer_than_twilio_does() {
        let folder = Folder::new("slow");
        let (journal, items, mut writer) = journal(&folder.0);
        let begin = Instant::now();
        assert!(!is_kept(&journal, &["a"]).await);
        assert_eq!(begin.elapsed(), KEEP_LIMIT);
        assert!(KEEP_LIMIT < Duration::from_secs(5));
        add_all(&mut writer, &items);
        assert_eq!(writer.lines, 0, "no request waits, so they are not written");
        assert!(!is_kept(&journal, &["a"]).await);
        assert_eq!(
            begin.elapsed(),
            KEEP_LIMIT,
            "no request waits again so soon"
        );
        sleep(KEEP_LIMIT).await;
        // They come again, and the disk takes them only after the request has given up.
        let add = async {
            sleep(Duration::from_secs(1)).await;
            add_all(&mut writer, &items);
        };
        let (kept, ()) = tokio::join!(is_kept(&journal, &["a"]), add);
        assert!(!kept);
        assert_eq!(begin.elapsed(), 3 * KEEP_LIMIT);
        sleep(KEEP_LIMIT).await;
        writer.write();
        assert_eq!(folder.lines(), 1);
        // They come once more, and are known.
        let write = async {
            sleep(Duration::from_secs(1)).await;
            add_all(&mut writer, &items);
            writer.write();
        };
        let (kept, ()) = tokio::join!(is_kept(&journal, &["a"]), write);
        assert!(kept);
        assert_eq!(folder.lines(), 1, "they are not written twice");
    }

    /// Twilio sends them again and again while a disk hangs.
    #[tokio::test(start_paused = true)]
    async fn events_that_wait_have_an_end() {
        let (journal, _items, _) = journal(Path::new("/dev/null"));
        let large = |id: u32| {
            let mut events = events(&[&format!("EZ{id}")]);
            events[0].data = json!({ "text": "x".repeat(10_000_000) });
            journal.keep(events, Timestamp::UNIX_EPOCH)
        };
        for turn in 1..=3 {
            let begin = Instant::now();
            assert!(large(turn).await.is_err());
            assert_eq!(begin.elapsed(), KEEP_LIMIT);
            sleep(KEEP_LIMIT).await;
        }
        let begin = Instant::now();
        assert_eq!(large(4).await, Err(FULL));
        assert_eq!(begin.elapsed(), Duration::ZERO, "there is no room for it");
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_disk_does_not_take_may_come_again() {
        let folder = Folder::new("again");
        // No folder can be created there.
        let (journal, items, mut writer) = journal(Path::new("/dev/null/journal"));
        for is_good in [false, true] {
            let write = async {
                sleep(Duration::from_secs(1)).await;
                add_all(&mut writer, &items);
                writer.write();
            };
            let (is_kept, ()) = tokio::join!(is_kept(&journal, &["a"]), write);
            assert_eq!(is_kept, is_good);
            writer.files.settings = settings(&folder.0);
        }
        assert_eq!(folder.lines(), 1);
    }

    fn test_event(test_id: &str) -> Event {
        Event {
            id: "AC00000000000000000000000000000001".to_owned(),
            kind: TEST_EVENT.to_owned(),
            time: String::new(),
            data: json!({ "test_id": test_id }),
        }
    }

    #[test]
    fn each_test_of_a_sink_is_an_event_of_its_own() {
        assert_ne!(key(&test_event("1")), key(&test_event("2")));
        assert_eq!(key(&test_event("1")), key(&test_event("1")));
        let other = |test_id| Event {
            kind: "t".to_owned(),
            ..test_event(test_id)
        };
        assert_eq!(key(&other("1")), key(&other("2")));
    }

    #[test]
    fn what_was_not_kept_comes_again() {
        let mut known = Latest::<u128, MOST>::default();
        (1..=5).for_each(|key| assert!(known.add(key)));
        known.forget_last(2);
        assert!(known.keys.contains(&3) && !known.keys.contains(&4) && !known.keys.contains(&5));
        known.forget_last(9);
        assert!(!known.keys.contains(&1));
    }

    #[test]
    fn the_oldest_are_forgotten_and_memory_stays() {
        let mut known = Latest::<u128, MOST>::default();
        let most = MOST as u128;
        (0..most).for_each(|key| assert!(known.add(key)));
        assert!(known.keys.contains(&0) && known.keys.contains(&(most - 1)));
        let room = known.order.capacity();
        (most..most + 10).for_each(|key| assert!(known.add(key)));
        assert!(known.keys.contains(&10) && !known.keys.contains(&9));
        assert_eq!((known.order.len(), known.keys.len()), (MOST, MOST));
        assert_eq!(known.order.capacity(), room);
    }
}
