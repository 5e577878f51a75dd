//! The reloader's thread: waits for a reason, reads, compiles, swaps, keeps a copy, and frees what was replaced.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use rustix::process::setpriority_process;
use rustix::thread::gettid;
use tokio::sync::watch::Sender;
use tracing::{error, info, warn};

use super::compile::{self, Problem};
use super::first::First;
use super::last_good::LastGood;
use super::sources::{Sources, TableFiles};
use super::state::{Observer, Origin, ReloadOutcome, State};
use super::watch::{Change, QUIET, Settling, Watch};
use crate::language::Compiled;
use crate::service::live::{Access, CurrentLive, Live};
use crate::service::metrics::Metrics;
use crate::table::diagnostic::Severity;

/// How often the files are looked at, whatever events come: not every file system has events.
const LOOK: Duration = Duration::from_secs(5);

/// How often the reloader looks whether the last request has let go of what was replaced.
const FREE: Duration = Duration::from_millis(100);

/// How often files are read anew that change while they are read.
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

/// What a reload reads, and whom it tells.
pub struct Setup {
    /// The table.
    pub files: TableFiles,
    /// Reads the secrets again. Its error is a sentence without secrets.
    pub access: Box<dyn FnMut() -> Result<Access, String> + Send>,
    /// What else is read again.
    pub companions: Vec<Companion>,
    /// Counts reloads, and describes the table in use.
    pub metrics: Arc<Metrics>,
    /// Who else is told when a reload begins and ends, in this order.
    pub observers: Vec<Box<dyn Observer>>,
    /// Whether the log shows numbers unmasked.
    pub show_numbers: bool,
}

/// The state of the thread.
pub(super) struct Reloader {
    pub setup: Setup,
    pub live: CurrentLive,
    pub watch: Watch,
    /// What the table in use is made of.
    pub in_use: Sources,
    /// How many rows its directory files have.
    pub rows: BTreeMap<String, usize>,
    /// What the files were when they were last read, good or bad.
    pub attempted: Sources,
    /// What was replaced, until no request has it any more.
    pub retired: Vec<Arc<Live>>,
    pub state: Sender<State>,
    /// Whether somebody asks for a reload; gone when nobody can ask any more.
    pub is_asked: Weak<AtomicBool>,
    /// Changes of files; `None` only wakes the thread.
    pub wakes: Receiver<Option<Change>>,
}

/// Why the reloader goes to work.
#[derive(Debug, Clone, Copy)]
enum Trigger {
    /// Somebody asks for it.
    Asked,
    /// The files seem to have changed, and are quiet.
    Changed,
}

impl Reloader {
    /// Works until nobody can ask for reloads any more.
    pub(super) fn run(mut self, first: First) {
        let mut settling = self.follow();
        compile::log(&first.warnings, self.setup.show_numbers);
        match &first.problem {
            None => self.keep_copy(),
            Some(problem) => {
                problem.log(self.setup.show_numbers);
                self.log_degraded();
            }
        }
        if let Some(folder) = &self.setup.files.state_dir
            && LastGood::new(folder.clone()).is_open_to_others()
        {
            let folder = folder.display();
            warn!(
                "{folder}, the folder of the last good copy, is open to others: chmod 700 {folder}"
            );
        }
        // It holds the texts of the files.
        drop(first);
        // A large table takes a second of a processor, and requests go first. Where this is not allowed, they wait.
        let _ = setpriority_process(Some(gettid()), NICE);
        while let Some(trigger) = self.next(settling) {
            let must_look_again = match trigger {
                Trigger::Asked => self.reload(true),
                Trigger::Changed => self.have_changed() && self.reload(false),
            };
            settling = self.follow();
            if must_look_again {
                settling.note(Change::Unknown, Instant::now());
            }
        }
    }

    /// Waits for something to do.
    fn next(&mut self, mut settling: Settling) -> Option<Trigger> {
        let mut look = Instant::now() + LOOK;
        loop {
            if self.is_asked.upgrade()?.swap(false, Ordering::SeqCst) {
                return Some(Trigger::Asked);
            }
            let now = Instant::now();
            if settling.due().is_some_and(|due| due <= now) {
                return Some(Trigger::Changed);
            }
            if look <= now {
                look = now + LOOK;
                if settling.due().is_none() && self.attempted.have_moved() {
                    settling.note(Change::Unknown, now);
                }
            }
            // Nobody can get hold of these anew, so the last request has let go of what is dropped.
            self.retired.retain(|live| Arc::strong_count(live) > 1);
            let free = (!self.retired.is_empty()).then(|| now + FREE);
            let next = [settling.due(), free].into_iter().flatten();
            let until = next.fold(look, Instant::min);
            let patience = until.saturating_duration_since(now);
            match self.wakes.recv_timeout(patience) {
                Ok(Some(change)) => settling.note(change, Instant::now()),
                Ok(None) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// Watches the files of the table in use and of the one that was tried last. Changes that may have been missed are
    /// looked for at once.
    fn follow(&mut self) -> Settling {
        let sources = self.in_use.0.iter().chain(&self.attempted.0);
        let has_new = self.watch.follow(sources.map(|source| &source.path));
        let mut settling = Settling::default();
        if has_new && self.attempted.have_moved() {
            settling.note(Change::Unknown, Instant::now());
        }
        settling
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

    /// One reload, from its announcement to its end. Returns whether the files changed all the while, so that they
    /// must be read once they are quiet.
    fn reload(&mut self, is_asked: bool) -> bool {
        let began = Instant::now();
        for observer in &mut self.setup.observers {
            observer.begins();
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
        let have_moved = sources.have_moved();
        // Whoever asks gets an answer in the end.
        let is_done = is_asked || !have_moved;
        if is_done {
            let outcome = self.put_in_use(sources, compiled, is_asked);
            self.conclude(outcome, began);
        }
        let state = self.state.borrow().clone();
        for observer in &mut self.setup.observers {
            observer.ends(&state);
        }
        if is_done && state.last == ReloadOutcome::Good {
            self.keep_copy();
        }
        have_moved
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
        let companions = self.setup.companions.iter_mut();
        let others: Vec<_> = companions
            .map(|companion| companion().inspect_err(&mut failed))
            .collect();
        let others: Result<Vec<PutInUse>, String> = others.into_iter().collect();
        let (Ok(compiled), Ok(access), Ok(others)) = (compiled, access, others) else {
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
            None => Arc::clone(&self.live.load().table),
        };
        let new = Arc::new(Live::new(table, access, &self.setup.metrics));
        // Freeing a large table takes its time, so no request must be the last to let go of it.
        self.retired.push(self.live.swap(new));
        for other in others {
            other();
        }
        for source in &mut sources.0 {
            source.may_be_half_written = false;
        }
        self.attempted = sources.clone();
        self.in_use = sources;
        ReloadOutcome::Good
    }

    /// Half of a CSV file is a CSV file: one that was written in place and has lost more than half of its rows waits
    /// until somebody asks for a reload, who knows that it is whole.
    fn half_written(
        &self,
        sources: &Sources,
        rows: &BTreeMap<String, usize>,
    ) -> Option<ReloadOutcome> {
        let mut suspects = sources.0.iter().filter(|file| file.may_be_half_written);
        suspects.find_map(|file| {
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
        let routes = self.live.load().table.routes().len();
        let hash = self.in_use.hash();
        let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let is_good = outcome == ReloadOutcome::Good;
        self.state.send_modify(|state| {
            if is_good {
                state.origin = Origin::File;
                state.succeeded = now;
                (state.routes, state.hash) = (routes, hash.clone());
            }
            state.last = outcome.clone();
        });
        let metrics = &self.setup.metrics;
        metrics.reloaded(is_good);
        if is_good {
            metrics.table_was_read(&hash, now, false);
        }
        match outcome {
            ReloadOutcome::Good => info!(routes, hash, milliseconds, "reloaded"),
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
        }
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
        let Some(state_dir) = &self.setup.files.state_dir else {
            return;
        };
        match LastGood::new(state_dir.clone()).keep(&self.in_use) {
            Ok(Some(folder)) => info!("a good copy is in {}", folder.display()),
            Ok(None) => {}
            Err(error) => error!(
                "cannot keep a good copy in {}: {error}",
                state_dir.display()
            ),
        }
    }
}
