//! Reload: a signal or a change of a file, a table compiled aside, one swap. And the last good copy, for a start on a
//! bad file.
//!
//! A thread of its own does all of it. No request waits for it, and none sees a mixture: table and secrets are swapped
//! in one step. What is replaced is freed here as well, once the last request has let go of it. Whatever is wrong with
//! the new files, what is in use stays in use.

mod attempt;
mod last_good;
mod parts;
mod reloader;
mod report;
mod source;
mod state;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::{io, thread};

use jiff::Timestamp;

use self::reloader::Reloader;
use self::watch::Change;
use crate::service::live::{Access, CurrentLive};
use crate::service::metrics::Metrics;

pub use self::source::{ENDED, First, NoCopy, NoTable, Problem, first};
pub use self::state::{Observer, Origin, Outcome, State};

/// The stack of the reloader's thread: as large as that of a program's first thread, in which `check` compiles.
const STACK_BYTES: usize = 8 * 1024 * 1024;

/// Something else that a reload reads again, such as a certificate. What it gives puts it in use, and is called once
/// everything has been read and is good.
///
/// # Errors
///
/// Why it cannot be read, for a sentence without secrets: then nothing at all changes.
pub type Companion = Box<dyn FnMut() -> Result<PutInUse, String> + Send>;

/// Puts in use what a [`Companion`] has read.
pub type PutInUse = Box<dyn FnOnce() + Send>;

/// What a reload reads, and who is told.
pub struct Setup {
    /// The table's file.
    pub table: PathBuf,
    /// Where the last good copy is kept; `None`: nowhere.
    pub state_dir: Option<PathBuf>,
    /// Reads the secrets again. Its error is for a sentence, without secrets.
    pub access: Box<dyn FnMut() -> Result<Access, String> + Send>,
    /// What else is read again.
    pub companions: Vec<Companion>,
    /// What counts reloads, and tells of the table in use.
    pub metrics: Arc<Metrics>,
    /// Who else is told when a reload begins and ends, in this order.
    pub observers: Vec<Box<dyn Observer>>,
    /// Whether the log shows numbers whole.
    pub show_numbers: bool,
}

/// What wakes the reloader.
#[derive(Debug)]
enum Wake {
    Changed(Change),
    /// Somebody has set a wish.
    Wished,
}

/// How to ask for a reload, and to see how the last one went. The reloader ends when the last of these is gone.
#[derive(Debug, Clone)]
pub struct Reloads {
    line: Arc<Line>,
    state: tokio::sync::watch::Receiver<State>,
}

/// The line to the reloader.
#[derive(Debug)]
struct Line {
    wishes: Arc<Wishes>,
    wake: SyncSender<Wake>,
}

/// What is wished for: a flag, so that it is never lost in a crowd of events.
#[derive(Debug, Default)]
struct Wishes {
    reload: AtomicBool,
    end: AtomicBool,
}

impl Reloads {
    /// Asks for a reload, as SIGHUP does. Returns at once.
    pub fn ask(&self) {
        self.line.wishes.reload.store(true, Ordering::SeqCst);
        self.line.wake();
    }

    /// How things are now.
    #[must_use]
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// How things are, now and whenever it changes.
    #[must_use]
    pub fn watch(&self) -> tokio::sync::watch::Receiver<State> {
        self.state.clone()
    }
}

impl Line {
    fn wake(&self) {
        // When it is full, the reloader is awake or about to be.
        let _ = self.wake.try_send(Wake::Wished);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.wishes.end.store(true, Ordering::SeqCst);
        self.wake();
    }
}

/// Starts the reloader of a service whose first table is live, keeps a copy of that table, and watches its files.
///
/// # Errors
///
/// The system gives no thread.
pub fn start(setup: Setup, first: First, live: CurrentLive) -> io::Result<Reloads> {
    let now = Timestamp::now();
    let state = State {
        routes: live.load().table.routes().len(),
        hash: first.parts.hash(),
        origin: first.origin,
        last: match &first.problem {
            None => Outcome::Good,
            Some(problem) => Outcome::Failed {
                errors: problem.errors(),
            },
        },
        tried: now,
        succeeded: match first.origin {
            Origin::File => now,
            Origin::LastGood { kept } => kept,
        },
        copy_failure: None,
    };
    setup.metrics.table_was_read(&state.hash, state.succeeded);
    setup.metrics.degraded(state.is_degraded());
    let (wake, wakes) = sync_channel(1024);
    let wishes = Arc::<Wishes>::default();
    let (publish, state) = tokio::sync::watch::channel(state);
    let reloader = Reloader::new(
        setup,
        live,
        &first,
        publish,
        (wake.clone(), wakes),
        Arc::clone(&wishes),
    );
    thread::Builder::new()
        .name("reload".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || reloader.run(first))?;
    Ok(Reloads {
        line: Arc::new(Line { wishes, wake }),
        state,
    })
}
