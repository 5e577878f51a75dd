//! Reload: a signal or a change of a file, a table compiled aside, one swap. And the last good copy, for a start on a
//! bad file.
//!
//! A thread of its own does all of it. No request waits for it, and none sees a mixture: table and secrets are swapped
//! in one step. What was replaced is freed by this thread as well, once the last request has let go of it. Whatever is
//! wrong with the new files, what is in use stays in use.

mod compile;
mod first;
mod last_good;
mod reloader;
mod sources;
mod state;
mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::{io, thread};

use jiff::Timestamp;

use self::reloader::Reloader;
use self::watch::{Change, Watch};
use crate::service::live::CurrentLive;

pub use self::compile::Problem;
pub use self::first::{First, first};
pub use self::reloader::{Companion, PutInUse, Setup};
pub use self::sources::TableFiles;
pub use self::state::{Observer, Origin, ReloadOutcome, State};

/// The stack of the reloader's thread: as large as that of a program's first thread, in which `check` compiles.
const STACK_BYTES: usize = 8 * 1024 * 1024;

/// How to ask for a reload, and to see how the last one went. The reloader ends when the last of these is gone.
#[derive(Debug, Clone)]
pub struct Reloads {
    /// A flag and not a message, so that it is never lost in a crowd of events.
    is_asked: Arc<AtomicBool>,
    wake: SyncSender<Option<Change>>,
    state: tokio::sync::watch::Receiver<State>,
}

impl Reloads {
    /// Asks for a reload, as SIGHUP does. Returns at once.
    pub fn ask(&self) {
        self.is_asked.store(true, Ordering::SeqCst);
        // If it is full, the reloader is awake or about to be.
        let _ = self.wake.try_send(None);
    }

    /// How things are now.
    #[must_use]
    pub fn state(&self) -> State {
        self.state.borrow().clone()
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
        hash: first.sources.hash(),
        origin: first.origin,
        last: match &first.problem {
            None => ReloadOutcome::Good,
            Some(problem) => ReloadOutcome::Failed {
                errors: problem.errors(),
            },
        },
        succeeded: match first.origin {
            Origin::File => now,
            Origin::LastGood { kept } => kept,
        },
    };
    let metrics = &setup.metrics;
    metrics.table_was_read(&state.hash, state.succeeded, state.is_degraded());
    let is_asked = Arc::new(AtomicBool::new(false));
    let (wake, wakes) = sync_channel(1024);
    let (publish, state) = tokio::sync::watch::channel(state);
    let reloader = Reloader {
        setup,
        live,
        watch: Watch::new(wake.clone()),
        in_use: first.sources.clone(),
        rows: first.rows.clone(),
        attempted: first.attempted.clone(),
        retired: Vec::new(),
        state: publish,
        is_asked: Arc::downgrade(&is_asked),
        wakes,
    };
    thread::Builder::new()
        .name("reload".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || reloader.run(first))?;
    Ok(Reloads {
        is_asked,
        wake,
        state,
    })
}
