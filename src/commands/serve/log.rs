//! Where the service's events go: to standard error, through a separate thread.
//!
//! For people, as JSON, or as systemd's journal expects: with a priority, and without the time, which it records
//! itself. No request ever waits for a slow, full or closed stream: when the thread cannot keep up, lines are lost and
//! counted.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use std::{fmt, panic, thread};

use anyhow::{Context, Result};
use tracing::{Event, Level, Subscriber, error};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::commands::{Format, output};
use crate::service::metrics::{Metrics, PlainCounter};
use crate::table::visible::is_tame;

/// The most lines that may wait. At about 200 bytes each, that is less than two megabytes.
const WAITING: u64 = 8192;

/// The most bytes of one write, unless a single line is longer.
const BATCH_BYTES: usize = 32 * 1024;

/// How long the thread gathers lines before it writes them. Lines that arrive meanwhile need not wake it, which would
/// cost a request more than the line itself.
const GATHERING: Duration = Duration::from_millis(10);

/// How long the end of the process waits for pending lines.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many lines of this process's log are waiting, for [`flush`].
static LOG: OnceLock<Arc<AtomicU64>> = OnceLock::new();

/// Sends every event to standard error, until [`flush`] at the end.
pub(super) fn start(format: Format, level: Targets, metrics: &Arc<Metrics>) -> Result<()> {
    let has_colours = output::complains_in_color();
    let style = match format {
        Format::Json => LineStyle::Json,
        Format::Human if has_colours => LineStyle::Coloured,
        Format::Human => LineStyle::Plain,
    };
    let queue = Queue::start(io::stderr(), style, Arc::clone(metrics))
        .context("cannot start the thread that writes the log")?;
    let subscriber = tracing_subscriber::registry().with(level);
    let events = tracing_subscriber::fmt::layer()
        .with_writer(queue)
        .with_target(false)
        .with_ansi(has_colours);
    match (format, output::is_journal(&io::stderr())) {
        (Format::Human, false) => subscriber.with(events).init(),
        (Format::Human, true) => {
            let events = events.with_level(false).without_time();
            subscriber.with(events.map_event_format(Prioritised)).init();
        }
        (Format::Json, false) => subscriber.with(events.json().flatten_event(true)).init(),
        (Format::Json, true) => {
            let events = events.json().flatten_event(true).without_time();
            subscriber.with(events.map_event_format(Prioritised)).init();
        }
    }
    Ok(())
}

/// Logs a panic like any other event. Its message is left out, because it may contain a number of the request.
pub(super) fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        error!(
            place,
            "a fault of the program; please report it with this place"
        );
    }));
}

/// Begins every event with its priority: `<3>` for an error.
///
/// Source: `sd-daemon(3)`, <https://www.freedesktop.org/software/systemd/man/latest/sd-daemon.html>.
struct Prioritised<F>(F);

impl<S, N, F> FormatEvent<S, N> for Prioritised<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        write!(writer, "<{priority}>")?;
        self.0.format_event(context, writer, event)
    }
}

/// The queue to the writing thread. Events are written to it.
#[derive(Clone)]
struct Queue {
    /// Has no bound of its own, since a bounded channel allocates all of its memory at once.
    lines: Sender<Vec<u8>>,
    /// How many lines are not written yet.
    waiting: Arc<AtomicU64>,
    style: LineStyle,
    metrics: Arc<Metrics>,
}

/// What a line of the log may contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineStyle {
    Plain,
    /// With our own colours: in the line's texts, `tracing-subscriber` has escaped them.
    Coloured,
    Json,
}

impl LineStyle {
    /// A line that only its own end terminates, and that affects no terminal.
    fn line(self, line: &[u8]) -> Vec<u8> {
        let text = String::from_utf8_lossy(line);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let may_stay = |c: char| is_tame(c) || (self == Self::Coloured && c == '\u{1b}');
        if text.chars().all(may_stay) {
            return line.to_vec();
        }
        let mut safe = String::with_capacity(line.len() + 32);
        for character in text.chars() {
            if may_stay(character) {
                safe.push(character);
            } else if self == Self::Json {
                // None of them is beyond the first 65,536 characters. Writing to a `String` cannot fail.
                let _ = write!(safe, "\\u{:04x}", u32::from(character));
            } else {
                safe.extend(character.escape_unicode());
            }
        }
        safe.push('\n');
        safe.into_bytes()
    }
}

impl Queue {
    /// Starts the thread that writes to a stream.
    fn start(
        stream: impl Write + Send + 'static,
        style: LineStyle,
        metrics: Arc<Metrics>,
    ) -> io::Result<Self> {
        let (lines, received) = channel();
        let waiting = Arc::<AtomicU64>::default();
        LOG.get_or_init(|| Arc::clone(&waiting));
        let queue = Self {
            lines,
            waiting,
            style,
            metrics,
        };
        let (waiting, metrics) = (Arc::clone(&queue.waiting), Arc::clone(&queue.metrics));
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_all(stream, &received, &waiting, &metrics))?;
        Ok(queue)
    }
}

/// Waits until every pending line is written, but not for long.
pub(super) fn flush() {
    if let Some(waiting) = LOG.get() {
        wait(waiting, PATIENCE);
    }
}

/// Waits until no line is pending, but no longer than this.
fn wait(waiting: &AtomicU64, patience: Duration) {
    let deadline = Instant::now() + patience;
    while waiting.load(Ordering::Acquire) > 0 && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(1));
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl Write for &Queue {
    /// Takes a whole event: `tracing-subscriber` writes each with one call.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let has_room = self.waiting.fetch_add(1, Ordering::Relaxed) < WAITING;
        let is_sent = has_room && self.lines.send(self.style.line(line)).is_ok();
        if !is_sent {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.metrics.counter(PlainCounter::LogLinesLost).inc();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes lines, several at once if they are waiting, until no sender is left.
fn write_all(
    mut stream: impl Write,
    lines: &Receiver<Vec<u8>>,
    waiting: &AtomicU64,
    metrics: &Metrics,
) {
    let gathered = || {
        let first = lines.recv().ok()?;
        thread::sleep(GATHERING);
        Some(first)
    };
    while let Some(mut batch) = lines.try_recv().ok().or_else(gathered) {
        let mut count = 1;
        while batch.len() < BATCH_BYTES
            && let Ok(line) = lines.try_recv()
        {
            batch.extend_from_slice(&line);
            count += 1;
        }
        // The service keeps running even if its log is closed.
        let written = stream.write_all(&batch).and_then(|()| stream.flush());
        if written.is_err() {
            metrics.counter(PlainCounter::LogLinesLost).inc_by(count);
        }
        waiting.fetch_sub(count, Ordering::Release);
    }
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
        let text = metrics.text();
        text.lines()
            .find_map(|line| line.strip_prefix("twiml_responder_log_lines_lost_total "))
            .and_then(|count| count.parse().ok())
            .expect("the counter")
    }

    #[test]
    fn a_line_stays_one_and_affects_no_terminal() {
        let text = "+141\u{2022}\u{2022} z\u{301} \u{1b}[31m\u{9b}\u{202e}\r\nnext\u{2028}\n";
        let plain =
            "+141\u{2022}\u{2022} z\u{301} \\u{1b}[31m\\u{9b}\\u{202e}\\u{d}\\u{a}next\\u{2028}\n";
        let lines = [LineStyle::Plain, LineStyle::Coloured, LineStyle::Json]
            .map(|style| String::from_utf8(style.line(text.as_bytes())).expect("text"));
        assert_eq!(lines[0], plain);
        assert_eq!(lines[1], plain.replace("\\u{1b}", "\u{1b}"));
        let json = "\\u001b[31m\\u009b\\u202e\\u000d\\u000anext\\u2028\n";
        assert!(lines[2].ends_with(json), "{}", lines[2]);
    }

    #[test]
    fn a_stream_that_takes_nothing_costs_lines_and_no_time() {
        let (gate, metrics) = (Gate::default(), Arc::new(Metrics::default()));
        let queue = Queue::start(gate.clone(), LineStyle::Plain, Arc::clone(&metrics));
        let queue = queue.expect("a thread");
        let sent = WAITING * 2;
        for number in 0..sent {
            let line = format!("{number:05}\n");
            (&queue).write_all(line.as_bytes()).expect("it never fails");
        }
        gate.open();
        wait(&queue.waiting, Duration::from_secs(60));
        let written = gate.written().lines().count();
        assert_eq!(written as u64 + lost(&metrics), sent);
        assert!(written as u64 >= WAITING, "{written}");
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
        let metrics = Arc::new(Metrics::default());
        let queue = Queue::start(Closed, LineStyle::Plain, Arc::clone(&metrics));
        let queue = queue.expect("a thread");
        for _ in 0..3 {
            (&queue).write_all(b"a line\n").expect("it never fails");
            wait(&queue.waiting, Duration::from_secs(60));
        }
        assert_eq!(lost(&metrics), 3);
    }
}
