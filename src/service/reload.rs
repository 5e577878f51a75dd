//! Reload: a signal or a changed file, a table compiled on the side, one swap. And the last good copy, for a start with
//! a bad file.
//!
//! All of this happens on a separate thread. No request waits for it, and none sees a mixture: table and secrets are
//! swapped in one step. Table, secrets and certificate are checked separately: what is good goes live, and where
//! something is bad, the previous version stays in use.
//!
//! Changes are detected by looking at the files, so every way to replace one is seen: a write in place, a rename, a
//! symbolic link or a folder that leads elsewhere, on any file system.

mod compile;
mod last_good;
mod sources;
mod state;
mod watched;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use std::{io, thread};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tracing::{error, info, warn};

use self::sources::{QUIET, QuietFiles, Sources, TRY_AGAIN};
use self::state::named;
use crate::language::Compiled;
use crate::service::live::{Access, CurrentLive, Live};
use crate::service::metrics::Metrics;
use crate::service::table_file::others_at;
use crate::service::{platform, systemd};
use crate::table::Table;

pub use self::compile::{Finding, First, Problem, first, is_good};
pub use self::sources::TableFiles;
pub use self::state::{Origin, Part, ReloadOutcome, State};
pub use self::watched::Watched;

/// The stack of the reloader's thread: as large as that of a program's main thread, on which `check` compiles.
const STACK_BYTES: usize = 8 * 1024 * 1024;

/// How often the reloader looks at the files, and checks whether the last request has released what was replaced.
const LOOK: Duration = Duration::from_millis(200);

/// How many times to read files that change while they are read.
const MOST_READINGS: usize = 5;

/// Puts in use something that was read.
pub type PutInUse = Box<dyn FnOnce() + Send>;

/// What a reload reads, and where it puts the result.
pub struct Setup {
    /// The table.
    pub files: TableFiles,
    /// The secrets.
    pub secrets: Watched<Access>,
    /// The certificate.
    pub certificate: Option<Watched<PutInUse>>,
    /// What requests are answered from.
    pub live: CurrentLive,
    /// Counts reloads, and describes the table in use.
    pub metrics: Arc<Metrics>,
    /// Whether the service is ending: then systemd is not notified of reloads.
    pub is_ending: Arc<AtomicBool>,
    /// Whether the log shows numbers unmasked.
    pub show_numbers: bool,
}

/// How to request a reload and see how the last one went. The reloader ends when the last of these is dropped.
#[derive(Debug, Clone)]
pub struct Reloads {
    asks: SyncSender<()>,
    /// The current state. Changes with every reload.
    pub state: watch::Receiver<State>,
}

impl Reloads {
    /// Requests a reload, as SIGHUP does. Returns at once.
    pub fn ask(&self) {
        // If it is full, a reload is about to begin.
        let _ = self.asks.try_send(());
    }
}

/// Starts the reloader of a service whose first table is live, keeps a copy of that table, and watches its files.
///
/// The receiver gets nothing; it is disconnected when the reloader has ended and has copied what it put in use last.
///
/// # Errors
///
/// The thread cannot be started.
pub fn start(setup: Setup, first: First) -> io::Result<(Reloads, Receiver<()>)> {
    let warnings = Finding::all(&first.warnings, setup.show_numbers);
    let problem = first.problem.as_ref();
    let problem = problem.map(|problem| problem.findings(setup.show_numbers));
    let findings = [warnings.clone(), problem.unwrap_or_default()].concat();
    let state = State {
        routes: setup.live.load().table.routes().len(),
        hash: first.sources.hash(),
        origin: first.origin,
        last: match &first.problem {
            None => ReloadOutcome::Good,
            Some(problem) => ReloadOutcome::Failed {
                errors: problem.errors(),
                parts: vec![Part::Table],
            },
        },
        succeeded: match first.origin {
            Origin::File => Timestamp::now(),
            Origin::LastGood { kept } => kept,
        },
        findings: findings.clone(),
    };
    let metrics = &setup.metrics;
    metrics.table_was_read(&state.hash, state.succeeded);
    metrics.degraded(state.is_degraded());
    let (ask, asks) = sync_channel(1);
    let (publish, published) = watch::channel(state.clone());
    let reloader = Reloader {
        setup,
        in_use: first.sources,
        rows: first.rows,
        quiet: QuietFiles::new(&first.attempted),
        attempted: first.attempted,
        table: state.last.clone(),
        warnings,
        findings,
        retired: Vec::new(),
        copy_again: None,
        state: publish,
        asks,
    };
    let (running, ended) = sync_channel(0);
    thread::Builder::new()
        .name("reload".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || {
            compile::log(&reloader.findings);
            reloader.run();
            drop(running);
        })?;
    let reloads = Reloads {
        asks: ask,
        state: published,
    };
    Ok((reloads, ended))
}

/// The state of the thread.
struct Reloader {
    setup: Setup,
    /// What the table in use was made from.
    in_use: Sources,
    /// How many rows its directory files have.
    rows: BTreeMap<String, usize>,
    /// The files as they were last read, good or bad.
    attempted: Sources,
    quiet: QuietFiles,
    /// How the last attempt to put the table in use went.
    table: ReloadOutcome,
    /// What merely looks wrong in the table in use.
    warnings: Vec<Finding>,
    /// What was found when the table was last read.
    findings: Vec<Finding>,
    /// What was replaced. It is freed here, once the last request has released it: freeing a large table takes time.
    retired: Vec<Arc<Live>>,
    /// When to retry a copy that the system refused.
    copy_again: Option<Instant>,
    state: watch::Sender<State>,
    asks: Receiver<()>,
}

/// Which parts a reload reads.
#[derive(Debug, Clone, Copy)]
struct Due {
    table: bool,
    secrets: bool,
    certificate: bool,
}

impl Due {
    const ALL: Self = Self {
        table: true,
        secrets: true,
        certificate: true,
    };

    fn any(self) -> bool {
        self.table || self.secrets || self.certificate
    }
}

impl Reloader {
    /// Runs until reloads can no longer be requested.
    fn run(mut self) {
        if self.state.borrow().origin == Origin::File {
            self.keep_copy();
        } else {
            self.log_last_good();
        }
        if let Some(folder) = &self.setup.files.state_dir
            && let Some(others) = others_at(folder, 0o077)
        {
            let folder = folder.display();
            warn!("{folder}, the folder of the last good copy, {others}");
        }
        // Compiling a large table takes a second of a processor. Requests go first, or wait where this is not allowed.
        platform::let_others_go_first();
        loop {
            let asked = self.asks.recv_timeout(LOOK);
            if asked == Err(RecvTimeoutError::Disconnected) {
                return;
            }
            // No new references to these can appear, so the last request has released what is dropped.
            self.retired.retain(|live| Arc::strong_count(live) > 1);
            if asked.is_ok() {
                self.reload(Due::ALL, true);
                continue;
            }
            let now = Instant::now();
            if self.copy_again.is_some_and(|due| due <= now) {
                self.keep_copy();
            }
            let certificate = self.setup.certificate.as_mut();
            let due = Due {
                certificate: certificate.is_some_and(|watched| watched.has_changed(now)),
                secrets: self.setup.secrets.has_changed(now),
                table: self.table_has_changed(now),
            };
            if due.any() {
                self.reload(due, false);
            }
        }
    }

    /// Whether the table's files differ from when they were last read, and are quiet.
    fn table_has_changed(&mut self, now: Instant) -> bool {
        if !self.quiet.look(&self.attempted, now) {
            return false;
        }
        let mut again = self.attempted.read_again(None);
        let has_changed = !again.agree(&self.attempted);
        if !has_changed {
            info!("a file of the table was written or replaced, and says the same: nothing to do");
            // They may still have been replaced.
            again.note_writing(&self.attempted, &self.in_use);
            self.attempted = again;
            self.quiet = QuietFiles::new(&self.attempted);
        }
        has_changed
    }

    /// One reload, from its announcement to its end.
    fn reload(&mut self, mut due: Due, is_asked: bool) {
        let began = Instant::now();
        let is_ending = |setup: &Setup| setup.is_ending.load(Ordering::SeqCst);
        if !is_ending(&self.setup) {
            systemd::reloading();
        }
        let read = due.table.then(|| self.read_whole());
        if read.is_some() {
            self.quiet = QuietFiles::new(&self.attempted);
        }
        // An explicit request always gets an answer; otherwise, a file that keeps being written is read once quiet.
        let read = read.filter(|(sources, _)| is_asked || !sources.may_be_torn());
        due.table = read.is_some();
        let table = read.and_then(|(sources, compiled)| self.table(sources, compiled, is_asked));
        let access = due.secrets.then(|| self.setup.secrets.read()).flatten();
        let certificate = self.setup.certificate.as_mut();
        let certificate = certificate.filter(|_| due.certificate);
        let certificate = certificate.and_then(Watched::read);
        let mut live = Vec::new();
        live.extend(table.is_some().then_some(Part::Table));
        live.extend(access.is_some().then_some(Part::Secrets));
        live.extend(certificate.is_some().then_some(Part::Certificate));
        if table.is_some() || access.is_some() {
            let before = self.setup.live.load();
            let table = table.unwrap_or_else(|| Arc::clone(&before.table));
            let access = access.map_or_else(|| Arc::clone(&before.access), Arc::new);
            let new = Live::new(table, access, &self.setup.metrics);
            self.retired.push(self.setup.live.swap(Arc::new(new)));
        }
        if let Some(put_in_use) = certificate {
            put_in_use();
        }
        if due.any() {
            self.conclude(due, &live, began);
        }
        let state = self.state.borrow().clone();
        if !is_ending(&self.setup) {
            systemd::ready(&state);
        }
        if live.contains(&Part::Table) {
            self.keep_copy();
        }
    }

    /// The table that goes live; `None`: the one in use stays in use.
    fn table(
        &mut self,
        mut sources: Sources,
        compiled: Result<Option<Compiled>, Problem>,
        is_asked: bool,
    ) -> Option<Arc<Table>> {
        sources.note_writing(&self.attempted, &self.in_use);
        self.quiet = QuietFiles::new(&sources);
        self.attempted = sources.clone();
        let compiled = match compiled {
            Ok(compiled) => compiled,
            Err(problem) => {
                self.findings = problem.findings(self.setup.show_numbers);
                compile::log(&self.findings);
                self.table = ReloadOutcome::Failed {
                    errors: problem.errors(),
                    parts: vec![Part::Table],
                };
                return None;
            }
        };
        let rows = compiled.as_ref().map_or(&self.rows, |new| &new.rows);
        if !is_asked && let Some(waiting) = self.half_written(&sources, rows) {
            self.table = waiting;
            return None;
        }
        let table = match compiled {
            Some(compiled) => {
                self.warnings = Finding::all(&compiled.warnings, self.setup.show_numbers);
                compile::log(&self.warnings);
                self.rows = compiled.rows;
                Arc::new(compiled.table)
            }
            None => Arc::clone(&self.setup.live.load().table),
        };
        self.findings.clone_from(&self.warnings);
        for source in &mut sources.0 {
            source.may_be_half_written = false;
        }
        self.attempted = sources.clone();
        self.in_use = sources;
        self.table = ReloadOutcome::Good;
        Some(table)
    }

    /// Reads the table, and reads it again if its files change meanwhile, since the result may have been a mixture.
    fn read_whole(&mut self) -> (Sources, Result<Option<Compiled>, Problem>) {
        let mut read = self.read();
        for _ in 1..MOST_READINGS {
            if !read.0.have_moved() {
                break;
            }
            thread::sleep(QUIET);
            read = self.read();
        }
        read
    }

    /// Reads and compiles the table; no new table when the files match those in use, as after an edit was undone.
    fn read(&self) -> (Sources, Result<Option<Compiled>, Problem>) {
        let again = self.in_use.read_again(None);
        if again.agree(&self.in_use) {
            return (again, Ok(None));
        }
        let (sources, compiled) = compile::compile_tested(&self.setup.files);
        (sources, compiled.map(Some))
    }

    /// Half of a CSV file is still a CSV file. If a file was written in place and has lost more than half of its rows,
    /// or the end of its last line, it waits for an explicit reload from somebody who knows that it is whole.
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

    /// The outcome as it stands: what is bad, no matter when it was read.
    fn outcome(&self) -> ReloadOutcome {
        let (mut errors, mut parts) = match &self.table {
            ReloadOutcome::Failed { errors, parts } => (*errors, parts.clone()),
            ReloadOutcome::Good | ReloadOutcome::Waiting { .. } | ReloadOutcome::CutOff { .. } => {
                (0, Vec::new())
            }
        };
        let certificate = self.setup.certificate.as_ref();
        for (part, is_bad) in [
            (Part::Secrets, self.setup.secrets.problem.is_some()),
            (
                Part::Certificate,
                certificate.is_some_and(|watched| watched.problem.is_some()),
            ),
        ] {
            if is_bad {
                errors += 1;
                parts.push(part);
            }
        }
        if parts.is_empty() {
            self.table.clone()
        } else {
            ReloadOutcome::Failed { errors, parts }
        }
    }

    /// Logs and publishes how a reload went, and what is still bad.
    fn conclude(&mut self, due: Due, live: &[Part], began: Instant) {
        let now = Timestamp::now();
        let routes = self.setup.live.load().table.routes().len();
        let hash = self.in_use.hash();
        let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let outcome = self.outcome();
        let is_table_live = live.contains(&Part::Table);
        let live = named(live);
        match &outcome {
            ReloadOutcome::Good => info!(routes, hash, milliseconds, live, "reloaded"),
            ReloadOutcome::Failed { errors, parts } => {
                self.log_still_bad(due);
                let bad = named(parts);
                error!(
                    errors,
                    hash, bad, live, "the reload failed; what is bad on disk is not used"
                );
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
        let metrics = &self.setup.metrics;
        if is_table_live {
            metrics.table_was_read(&hash, now);
        }
        metrics.reloaded(outcome == ReloadOutcome::Good);
        let certificate = self.setup.certificate.as_ref();
        let certificate = certificate.and_then(|watched| watched.problem.as_deref());
        let others = [self.setup.secrets.problem.as_deref(), certificate];
        let others = others.into_iter().flatten().map(Finding::problem);
        let findings = self.findings.iter().cloned().chain(others).collect();
        self.state.send_modify(|state| {
            if is_table_live {
                state.origin = Origin::File;
                state.succeeded = now;
                (state.routes, state.hash) = (routes, hash);
            }
            state.last = outcome;
            state.findings = findings;
            metrics.degraded(state.is_degraded());
        });
        self.log_last_good();
    }

    /// Logs again what is still bad, of the parts that this reload has not read.
    fn log_still_bad(&self, due: Due) {
        if let ReloadOutcome::Failed { errors, .. } = &self.table
            && !due.table
        {
            let table = self.setup.files.table.display();
            error!(errors, "{table} is still bad");
        }
        if let Some(problem) = &self.setup.secrets.problem
            && !due.secrets
        {
            error!("still bad: {problem}");
        }
        let certificate = self.setup.certificate.as_ref();
        if let Some(problem) = certificate.and_then(|watched| watched.problem.as_ref())
            && !due.certificate
        {
            error!("still bad: {problem}");
        }
    }

    /// Logs how old the table is, if it is a copy.
    fn log_last_good(&self) {
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
    fn keep_copy(&mut self) {
        let Some(folder) = &self.setup.files.state_dir else {
            return;
        };
        match last_good::keep(folder, &self.in_use) {
            Ok(copy) => {
                self.copy_again = None;
                if let Some(copy) = copy {
                    info!("a good copy is in {}", copy.display());
                }
            }
            Err(error) => {
                if self.copy_again.take().is_none() {
                    error!("cannot keep a good copy in {}: {error}", folder.display());
                }
                // Errors of the system, such as a full disk, may pass.
                let may_pass = error.raw_os_error().is_some();
                self.copy_again = may_pass.then(|| Instant::now() + TRY_AGAIN);
            }
        }
    }
}
