//! Reload: a signal or a changed file, a table compiled aside, one swap. And the last good copy, for a start on a bad
//! file.
//!
//! A thread of its own does all of it. No request waits for it, and none sees a mixture: table and secrets are swapped
//! in one step. Whatever is wrong with the new files, what is in use stays in use.
//!
//! Changes are found by looking at the files, so every way to replace one is seen: a write in place, a rename, a
//! symbolic link or a folder that leads elsewhere, on any file system.

mod compile;
mod last_good;
mod sources;
mod state;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use std::{io, thread};

use jiff::{SignedDuration, Timestamp};
use rustix::process::setpriority_process;
use rustix::thread::gettid;
use tokio::sync::watch;
use tracing::{error, info, warn};

use self::sources::{QUIET, QuietFiles, Sources};
use crate::language::Compiled;
use crate::service::live::{Access, CurrentLive, Live};
use crate::service::metrics::Metrics;
use crate::service::systemd;
use crate::table::diagnostic::Severity;

pub use self::compile::{First, Problem, first};
pub use self::sources::TableFiles;
pub use self::state::{Origin, ReloadOutcome, State};

/// The stack of the reloader's thread: as large as that of a program's first thread, in which `check` compiles.
const STACK_BYTES: usize = 8 * 1024 * 1024;

/// How often the reloader looks at the files, and whether the last request has let go of what was replaced.
const LOOK: Duration = Duration::from_millis(200);

/// How often files that change while they are read are read again.
const MOST_READINGS: usize = 5;

/// The nice value of this thread: on a busy machine it still gets a tenth of a processor. On Linux each thread has a
/// nice value of its own, whatever POSIX says: `setpriority(2)`.
const NICE: i32 = 10;

/// Something else that a reload reads again, such as a certificate. It is called with every reload; what it returns is
/// called when everything that was read is good.
///
/// # Errors
///
/// Why it cannot be read, as a sentence without secrets: then nothing at all changes.
pub type Companion = Box<dyn FnMut() -> Result<PutInUse, String> + Send>;

/// Puts in use what a [`Companion`] has read.
pub type PutInUse = Box<dyn FnOnce() + Send>;

/// What a reload reads, and where it puts the result.
pub struct Setup {
    /// The table.
    pub files: TableFiles,
    /// Reads the secrets again. Its error is a sentence without secrets.
    pub access: Box<dyn FnMut() -> Result<Access, String> + Send>,
    /// What else is read again.
    pub companion: Option<Companion>,
    /// What requests are answered from.
    pub live: CurrentLive,
    /// Counts reloads, and describes the table in use.
    pub metrics: Arc<Metrics>,
    /// Whether the service ends: then systemd hears no more of reloads.
    pub is_ending: Arc<AtomicBool>,
    /// Whether the log shows numbers unmasked.
    pub show_numbers: bool,
}

/// How to ask for a reload, and to see how the last one went. The reloader ends when the last of these is gone.
#[derive(Debug, Clone)]
pub struct Reloads {
    asks: SyncSender<()>,
    /// How things are now. Changes with every reload.
    pub state: watch::Receiver<State>,
}

impl Reloads {
    /// Asks for a reload, as SIGHUP does. Returns at once.
    pub fn ask(&self) {
        // If it is full, a reload is about to begin.
        let _ = self.asks.try_send(());
    }
}

/// Starts the reloader of a service whose first table is live, keeps a copy of that table, and watches its files.
///
/// # Errors
///
/// The system gives no thread.
pub fn start(setup: Setup, first: First) -> io::Result<Reloads> {
    let state = State {
        routes: setup.live.load().table.routes().len(),
        hash: first.sources.hash(),
        origin: first.origin,
        last: match &first.problem {
            None => ReloadOutcome::Good,
            Some(problem) => ReloadOutcome::Failed {
                errors: problem.errors(),
            },
        },
        succeeded: match first.origin {
            Origin::File => Timestamp::now(),
            Origin::LastGood { kept } => kept,
        },
    };
    let metrics = &setup.metrics;
    metrics.table_was_read(&state.hash, state.succeeded, state.is_degraded());
    let (ask, asks) = sync_channel(1);
    let (publish, state) = watch::channel(state);
    let reloader = Reloader {
        setup,
        in_use: first.sources,
        rows: first.rows,
        attempted: first.attempted,
        retired: Vec::new(),
        state: publish,
        asks,
    };
    thread::Builder::new()
        .name("reload".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || {
            compile::log(&first.warnings, reloader.setup.show_numbers);
            if let Some(problem) = first.problem {
                problem.log(reloader.setup.show_numbers);
            }
            reloader.run();
        })?;
    Ok(Reloads { asks: ask, state })
}

/// The state of the thread.
struct Reloader {
    setup: Setup,
    /// What the table in use is made of.
    in_use: Sources,
    /// How many rows its directory files have.
    rows: BTreeMap<String, usize>,
    /// What the files were when they were last read, good or bad.
    attempted: Sources,
    /// What was replaced. It is freed here, once the last request has let go of it, since freeing a large table takes
    /// its time.
    retired: Vec<Arc<Live>>,
    state: watch::Sender<State>,
    asks: Receiver<()>,
}

impl Reloader {
    /// Works until nobody can ask for reloads any more.
    fn run(mut self) {
        if self.state.borrow().is_degraded() {
            self.log_degraded();
        } else {
            self.keep_copy();
        }
        if let Some(folder) = &self.setup.files.state_dir
            && last_good::is_open_to_others(folder)
        {
            let folder = folder.display();
            warn!(
                "{folder}, the folder of the last good copy, is open to others: chmod 700 {folder}"
            );
        }
        // A large table takes a second of a processor, and requests go first. Where this is not allowed, they wait.
        let _ = setpriority_process(Some(gettid()), NICE);
        let mut quiet = QuietFiles::new(&self.attempted);
        loop {
            let asked = self.asks.recv_timeout(LOOK);
            if asked == Err(RecvTimeoutError::Disconnected) {
                return;
            }
            let is_asked = asked.is_ok();
            // Nobody can get hold of these anew, so the last request has let go of what is dropped.
            self.retired.retain(|live| Arc::strong_count(live) > 1);
            let is_due = quiet.look(&self.attempted, Instant::now());
            if is_asked || is_due && self.have_changed() {
                self.reload(is_asked);
            }
            if is_asked || is_due {
                quiet = QuietFiles::new(&self.attempted);
            }
        }
    }

    /// Whether the files say anything else than when they were last read.
    fn have_changed(&mut self) -> bool {
        let mut now = self.attempted.read_again(None);
        let have_changed = !now.agree(&self.attempted);
        if !have_changed {
            info!("a file of the table was written or replaced, and says the same: nothing to do");
            // They may have been replaced all the same.
            now.note_writing(&self.attempted, &self.in_use);
            self.attempted = now;
        }
        have_changed
    }

    /// One reload, from its announcement to its end.
    fn reload(&mut self, is_asked: bool) {
        let began = Instant::now();
        let is_ending = |setup: &Setup| setup.is_ending.load(Ordering::SeqCst);
        if !is_ending(&self.setup) {
            systemd::reloading();
        }
        let (mut sources, mut compiled) = self.read();
        for _ in 1..MOST_READINGS {
            // It may be a mixture.
            if !sources.have_moved() {
                break;
            }
            thread::sleep(QUIET);
            (sources, compiled) = self.read();
        }
        // Whoever asks gets an answer in the end; a file that is written to without end is read when it is quiet.
        let is_done = is_asked || !sources.may_be_torn();
        if is_done {
            let outcome = self.put_in_use(sources, compiled, is_asked);
            self.conclude(outcome, began);
        }
        let state = self.state.borrow().clone();
        if !is_ending(&self.setup) {
            systemd::ready(&state);
        }
        if is_done && state.last == ReloadOutcome::Good {
            self.keep_copy();
        }
    }

    /// Reads and compiles the table; without a new one when the files are those in use: after an edit that was taken
    /// back, or when only the secrets are new.
    fn read(&self) -> (Sources, Result<Option<Compiled>, Problem>) {
        let again = self.in_use.read_again(None);
        if again.agree(&self.in_use) {
            return (again, Ok(None));
        }
        let (sources, compiled) = compile::compile(&self.setup.files, None);
        let compiled = compiled.and_then(|mut compiled| {
            // A table whose tests fail does not go live.
            if compiled.failed_tests.is_empty() {
                return Ok(Some(compiled));
            }
            for failed in &mut compiled.failed_tests {
                failed.severity = Severity::Error;
            }
            let name = self.setup.files.table.display().to_string();
            Err(Problem::Diagnostics(name, compiled.failed_tests))
        });
        (sources, compiled)
    }

    /// Reads the secrets and everything else as well, and when all of it is good, swaps table and secrets in one step.
    fn put_in_use(
        &mut self,
        mut sources: Sources,
        compiled: Result<Option<Compiled>, Problem>,
        is_asked: bool,
    ) -> ReloadOutcome {
        sources.note_writing(&self.attempted, &self.in_use);
        self.attempted = sources.clone();
        let mut errors = 0;
        let compiled = compiled.inspect_err(|problem| {
            problem.log(self.setup.show_numbers);
            errors += problem.errors();
        });
        let mut failed = |reason: &String| {
            error!("{reason}");
            errors += 1;
        };
        let access = (self.setup.access)().inspect_err(&mut failed);
        let companion = self.setup.companion.as_mut().map(|read| read());
        let companion = companion.transpose().inspect_err(failed);
        let (Ok(compiled), Ok(access), Ok(companion)) = (compiled, access, companion) else {
            return ReloadOutcome::Failed { errors };
        };
        let rows = compiled.as_ref().map_or(&self.rows, |new| &new.rows);
        if !is_asked && let Some(waiting) = self.half_written(&sources, rows) {
            return waiting;
        }
        let table = match compiled {
            Some(compiled) => {
                compile::log(&compiled.warnings, self.setup.show_numbers);
                self.rows = compiled.rows;
                Arc::new(compiled.table)
            }
            None => Arc::clone(&self.setup.live.load().table),
        };
        let new = Arc::new(Live::new(table, access, &self.setup.metrics));
        self.retired.push(self.setup.live.swap(new));
        if let Some(put_in_use) = companion {
            put_in_use();
        }
        for source in &mut sources.0 {
            source.may_be_half_written = false;
        }
        self.attempted = sources.clone();
        self.in_use = sources;
        ReloadOutcome::Good
    }

    /// Half of a CSV file is a CSV file: one that was written in place and has lost more than half of its rows, or the end of
    /// its last line, waits until somebody asks for a reload, who knows that it is whole.
    fn half_written(
        &self,
        sources: &Sources,
        rows: &BTreeMap<String, usize>,
    ) -> Option<ReloadOutcome> {
        let mut suspects = sources.0.iter().filter(|file| file.may_be_half_written);
        suspects.find_map(|file| {
            let mut in_use = self.in_use.0.iter().filter(|one| one.path == file.path);
            if file.ends_in_a_line
                && in_use.any(|before| !before.ends_in_a_line)
                && !file.written.is_empty()
            {
                return Some(ReloadOutcome::CutOff {
                    file: file.written.clone(),
                });
            }
            let (before, rows) = (*self.rows.get(&file.written)?, *rows.get(&file.written)?);
            (rows * 2 < before).then(|| ReloadOutcome::Waiting {
                file: file.written.clone(),
                before,
                rows,
            })
        })
    }

    /// Logs and publishes how a reload went.
    fn conclude(&mut self, outcome: ReloadOutcome, began: Instant) {
        let now = Timestamp::now();
        let routes = self.setup.live.load().table.routes().len();
        let hash = self.in_use.hash();
        let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let metrics = &self.setup.metrics;
        metrics.reloaded(outcome == ReloadOutcome::Good);
        match &outcome {
            ReloadOutcome::Good => {
                metrics.table_was_read(&hash, now, false);
                info!(routes, hash, milliseconds, "reloaded");
            }
            ReloadOutcome::Failed { errors } => {
                error!(
                    errors,
                    hash, "the reload failed, what was in use stays in use"
                );
                self.log_degraded();
            }
            ReloadOutcome::Waiting { file, before, rows } => warn!(
                file,
                before,
                rows,
                hash,
                "a directory file has lost more than half of its rows: what was in use stays in use until SIGHUP"
            ),
            ReloadOutcome::CutOff { file } => warn!(
                file,
                hash,
                "a directory file ends in the middle of a line: what was in use stays in use until the line has its end, or until SIGHUP"
            ),
        }
        self.state.send_modify(|state| {
            if outcome == ReloadOutcome::Good {
                state.origin = Origin::File;
                state.succeeded = now;
                (state.routes, state.hash) = (routes, hash);
            }
            state.last = outcome;
        });
    }

    /// Says how old the table is, when it is a copy.
    fn log_degraded(&self) {
        let Origin::LastGood { kept } = self.state.borrow().origin else {
            return;
        };
        let age = Timestamp::now().duration_since(kept).as_secs().max(0);
        let age = SignedDuration::from_secs(age);
        error!(
            kept = format!("{kept:.0}"),
            age = format!("{age:#}"),
            "degraded: the last good copy of the table answers, since {} is bad",
            self.setup.files.table.display()
        );
    }

    /// Keeps a copy of what is in use.
    fn keep_copy(&self) {
        let Some(folder) = &self.setup.files.state_dir else {
            return;
        };
        match last_good::keep(folder, &self.in_use) {
            Ok(Some(copy)) => info!("a good copy is in {}", copy.display()),
            Ok(None) => {}
            Err(error) => error!("cannot keep a good copy in {}: {error}", folder.display()),
        }
    }
}
