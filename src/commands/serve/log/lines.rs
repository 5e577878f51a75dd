//! Lines on their way to a stream that may be slow, full or closed: no request ever waits for it.
//!
//! A thread of its own writes them. When it does not keep up, lines are lost and counted.

use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use crate::service::metrics::{Counted, Metrics};

/// As many lines wait at most. Of about 200 bytes each, that is less than two megabytes.
const WAITING: usize = 8192;

/// As many bytes go into one write, or one line if it is longer.
const BATCH_BYTES: usize = 32 * 1024;

/// How long lines are gathered before they are written. Whoever logs in the meantime need not wake the thread, which
/// would cost a request more than its line does.
const GATHERING: Duration = Duration::from_millis(10);

/// How long the end of the process waits for the lines that are on their way.
const PATIENCE: Duration = Duration::from_secs(1);

/// The lines of the log of this process, for [`flush`].
static LOG: OnceLock<Sender<Message>> = OnceLock::new();

enum Message {
    /// One whole event, its line end included.
    Line(Vec<u8>),
    /// Everything before this is to be written, then this is dropped.
    Flush(SyncSender<()>),
}

/// Where events are written to: the queue to the thread.
#[derive(Clone)]
pub(super) struct Lines {
    /// Takes memory for what is in it, as a bounded one would not: that has its room from the start.
    queue: Sender<Message>,
    /// How many lines are in it.
    waiting: Arc<AtomicUsize>,
    metrics: Arc<Metrics>,
}

impl Lines {
    /// Starts the thread that writes to a stream.
    pub(super) fn start(
        stream: impl Write + Send + 'static,
        metrics: Arc<Metrics>,
    ) -> io::Result<Self> {
        let (queue, messages) = channel();
        let lines = Self {
            queue,
            waiting: Arc::default(),
            metrics,
        };
        let (waiting, counted) = (Arc::clone(&lines.waiting), Arc::clone(&lines.metrics));
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_all(stream, &messages, &waiting, &counted))?;
        LOG.get_or_init(|| lines.queue.clone());
        Ok(lines)
    }
}

/// Waits until every line that is on its way is written, but not for long.
pub(in crate::commands::serve) fn flush() {
    if let Some(queue) = LOG.get() {
        flush_queue(queue, PATIENCE);
    }
}

fn flush_queue(queue: &Sender<Message>, patience: Duration) {
    let (written, is_written) = sync_channel(0);
    if queue.send(Message::Flush(written)).is_ok() {
        // What is not written by then stays unwritten; nobody is left to be told.
        let _ = is_written.recv_timeout(patience);
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl Write for &Lines {
    /// Takes a whole event: `tracing-subscriber` writes each with one call.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let has_room = self.waiting.fetch_add(1, Ordering::Relaxed) < WAITING;
        let is_sent = has_room && self.queue.send(Message::Line(line.to_vec())).is_ok();
        if !is_sent {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.metrics.counter(Counted::LogLinesLost).inc();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes what comes, as many lines at once as there are, until nobody can send any more.
fn write_all(
    mut stream: impl Write,
    messages: &Receiver<Message>,
    waiting: &AtomicUsize,
    metrics: &Metrics,
) {
    let mut batch = Vec::with_capacity(BATCH_BYTES);
    while let Some(first) = messages.try_recv().ok().or_else(|| gathered(messages)) {
        let mut lines = 0;
        let mut flushes = Vec::new();
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Line(line) => {
                    waiting.fetch_sub(1, Ordering::Relaxed);
                    batch.extend_from_slice(&line);
                    lines += 1;
                }
                Message::Flush(written) => flushes.push(written),
            }
            next = if batch.len() < BATCH_BYTES {
                messages.try_recv().ok()
            } else {
                None
            };
        }
        // A stream that is closed may be opened by nobody, yet the service goes on.
        if stream
            .write_all(&batch)
            .and_then(|()| stream.flush())
            .is_err()
        {
            metrics.counter(Counted::LogLinesLost).inc_by(lines);
        }
        batch.clear();
        drop(flushes);
    }
}

/// Waits for a message, and a moment more for what comes behind it; `None` when nobody can send any more.
fn gathered(messages: &Receiver<Message>) -> Option<Message> {
    let first = messages.recv().ok()?;
    thread::sleep(GATHERING);
    Some(first)
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex};

    use super::*;

    /// A stream that takes nothing while it is closed.
    #[derive(Clone, Default)]
    struct Gate(Arc<Shared>);

    #[derive(Default)]
    struct Shared {
        taken: Mutex<Taken>,
        opened: Condvar,
    }

    #[derive(Default)]
    struct Taken {
        is_open: bool,
        bytes: Vec<u8>,
    }

    impl Gate {
        fn open(&self) {
            self.0.taken.lock().expect("no panic").is_open = true;
            self.0.opened.notify_all();
        }

        fn written(&self) -> String {
            let taken = self.0.taken.lock().expect("no panic").bytes.clone();
            String::from_utf8(taken).expect("text")
        }
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = self.0.taken.lock().expect("no panic");
            let mut taken = self
                .0
                .opened
                .wait_while(taken, |taken| !taken.is_open)
                .expect("no panic");
            taken.bytes.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lost(metrics: &Metrics) -> u64 {
        let text = metrics.text(crate::service::metrics::MetricsFormat::OpenMetrics);
        text.lines()
            .find_map(|line| line.strip_prefix("twiml_responder_log_lines_lost_total "))
            .and_then(|count| count.parse().ok())
            .expect("the counter")
    }

    #[test]
    fn a_stream_that_takes_nothing_costs_lines_and_no_time() {
        let (gate, metrics) = (Gate::default(), Arc::new(Metrics::new()));
        let lines = Lines::start(gate.clone(), Arc::clone(&metrics)).expect("a thread");
        let sent = WAITING * 2;
        for number in 0..sent {
            let line = format!("{number:05}\n");
            (&lines).write_all(line.as_bytes()).expect("it never fails");
        }
        gate.open();
        flush_queue(&lines.queue, Duration::from_secs(60));
        let written = gate.written().lines().count();
        assert_eq!(written as u64 + lost(&metrics), sent as u64);
        assert!(written >= WAITING, "{written}");
        assert!(lost(&metrics) > 0);
        assert!(gate.written().starts_with("00000\n00001\n"));
    }

    #[test]
    fn a_stream_that_is_closed_costs_lines_only() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let metrics = Arc::new(Metrics::new());
        let lines = Lines::start(Closed, Arc::clone(&metrics)).expect("a thread");
        for _ in 0..3 {
            (&lines).write_all(b"a line\n").expect("it never fails");
            flush_queue(&lines.queue, Duration::from_secs(60));
        }
        assert_eq!(lost(&metrics), 3);
    }
}
