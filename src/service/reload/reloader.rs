//! The reloader's thread: waits for a reason, reads, compiles, swaps, keeps a copy, and frees what was replaced.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use rustix::process::setpriority_process;
use rustix::thread::gettid;
use tokio::sync::watch::Sender;
use tracing::{error, info, warn};

use super::last_good::LastGood;
use super::parts::Parts;
use super::source::{ENDED, First, Problem, compile, with_tests};
use super::state::{Origin, Outcome, State};
use super::watch::{Change, QUIET, Settling, Watch};
use super::{PutInUse, Setup, Wake, Wishes, report};
use crate::language::{self, Compiled};
use crate::service::live::{Access, CurrentLive, Live};

/// How often the files are looked at, whatever events come: not every file system has events.
const LOOK: Duration = Duration::from_secs(5);

/// How often it is looked whether the last request has let go of what was replaced.
const FREE: Duration = Duration::from_millis(100);

/// The nice value of this thread: on a busy machine it still gets a tenth of a processor. On Linux each thread has a
/// nice value of its own, whatever POSIX says: `setpriority(2)`.
const NICE: i32 = 10;

/// How often files are read anew that change while they are read.
const MOST_READINGS: usize = 5;

/// The state of the thread.
pub(super) struct Reloader {
    setup: Setup,
    live: CurrentLive,
    last_good: Option<LastGood>,
    watch: Watch,
    /// What the table in use is made of.
    in_use: Parts,
    /// What the files were when they were last read, good or bad.
    attempted: Parts,
    /// What was replaced, until no request has it any more.
    retired: Vec<Arc<Live>>,
    state: Sender<State>,
    wishes: Arc<Wishes>,
    wakes: Receiver<Wake>,
}

/// Why the reloader goes to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trigger {
    /// Somebody asks for it.
    Asked,
    /// The files have changed, as it seems, and are quiet.
    Changed,
    /// Nobody wants reloads any more.
    End,
}

/// What one reading came to.
enum Reading {
    Done(Outcome),
    /// The files changed while they were read, so that it may be a mixture.
    Moved,
}

impl Reloader {
    pub(super) fn new(
        setup: Setup,
        live: CurrentLive,
        first: &First,
        state: Sender<State>,
        (wake, wakes): (SyncSender<Wake>, Receiver<Wake>),
        wishes: Arc<Wishes>,
    ) -> Self {
        Self {
            watch: Watch::new(wake),
            last_good: setup.state_dir.clone().map(LastGood::new),
            setup,
            live,
            in_use: first.parts.clone(),
            attempted: first.attempted.clone(),
            retired: Vec::new(),
            state,
            wishes,
            wakes,
        }
    }

    /// Works until nobody wants reloads any more.
    pub(super) fn run(mut self, first: First) {
        let mut settling = self.follow();
        report::log(&first.warnings, self.setup.show_numbers);
        match &first.problem {
            None => self.keep_copy(),
            Some(problem) => {
                self.log(problem);
                self.say_degraded();
            }
        }
        // It holds the texts of the files.
        drop(first);
        // A large table takes a second of a processor, and requests go first. Where this is not allowed, they wait.
        let _ = setpriority_process(Some(gettid()), NICE);
        loop {
            let must_look_again = match self.next(settling) {
                Trigger::Asked => self.reload(true),
                Trigger::Changed => self.have_changed() && self.reload(false),
                Trigger::End => return,
            };
            settling = self.follow();
            if must_look_again {
                settling.note(Change::Unknown, Instant::now());
            }
        }
    }

    /// Waits for something to do.
    fn next(&mut self, mut settling: Settling) -> Trigger {
        let mut look = Instant::now() + LOOK;
        loop {
            if self.wishes.end.load(Ordering::SeqCst) {
                return Trigger::End;
            }
            if self.wishes.reload.swap(false, Ordering::SeqCst) {
                return Trigger::Asked;
            }
            let now = Instant::now();
            if settling.due().is_some_and(|due| due <= now) {
                return Trigger::Changed;
            }
            if look <= now {
                look = now + LOOK;
                if settling.due().is_none() && self.attempted.have_moved(&self.setup.table) {
                    settling.note(Change::Unknown, now);
                }
            }
            self.free();
            let free = (!self.retired.is_empty()).then(|| now + FREE);
            let next = [settling.due(), free].into_iter().flatten();
            let until = next.fold(look, Instant::min);
            match self
                .wakes
                .recv_timeout(until.saturating_duration_since(now))
            {
                Ok(Wake::Changed(change)) => settling.note(change, Instant::now()),
                Ok(Wake::Wished) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Trigger::End,
            }
        }
    }

    /// Frees what was replaced and no request has any more: nobody can get hold of it anew.
    fn free(&mut self) {
        self.retired.retain(|live| Arc::strong_count(live) > 1);
    }

    /// Watches the files of the table in use, and of the one that was tried last. What may have come unseen is looked
    /// for at once.
    fn follow(&mut self) -> Settling {
        let mut files = self.in_use.paths(&self.setup.table);
        files.extend(self.attempted.paths(&self.setup.table));
        let has_new = self.watch.follow(&files);
        let mut settling = Settling::default();
        if has_new && self.attempted.have_moved(&self.setup.table) {
            settling.note(Change::Unknown, Instant::now());
        }
        settling
    }

    /// Whether the files say anything else than when they were last read.
    fn have_changed(&mut self) -> bool {
        let now = self.attempted.read_again(&self.setup.table);
        let have_changed = !now.agree(&self.attempted);
        if !have_changed {
            info!("a file of the table was written or replaced, and says the same: nothing to do");
            // They may have been replaced all the same.
            self.attempted = now;
        }
        have_changed
    }

    /// One reload, from its announcement to its end. Returns whether the files changed all the while, so that they
    /// are to be read once they are quiet.
    fn reload(&mut self, is_asked: bool) -> bool {
        let began = Instant::now();
        for observer in &mut self.setup.observers {
            observer.begins();
        }
        let mut readings = 1;
        let outcome = loop {
            // Whoever asks gets an answer in the end.
            let takes_it_as_it_is = is_asked && readings >= MOST_READINGS;
            match self.read(is_asked, takes_it_as_it_is) {
                Reading::Done(outcome) => break Some(outcome),
                Reading::Moved if readings >= MOST_READINGS => break None,
                Reading::Moved => thread::sleep(QUIET),
            }
            readings += 1;
        };
        let is_moved = outcome.is_none();
        if let Some(outcome) = outcome {
            self.conclude(outcome, began);
        }
        let state = self.state.borrow().clone();
        for observer in &mut self.setup.observers {
            observer.ends(&state);
        }
        if !is_moved && state.last == Outcome::Good {
            self.keep_copy();
        }
        is_moved
    }

    /// Reads everything once, and puts it in use when all of it is good.
    fn read(&mut self, is_asked: bool, takes_it_as_it_is: bool) -> Reading {
        let table = &self.setup.table;
        let again = self.in_use.read_again(table);
        // What is in use need not be compiled anew: an edit that was taken back, or new secrets.
        let (parts, compiled) = if again.agree(&self.in_use) {
            (again, Ok(None))
        } else {
            let state_dir = self.setup.state_dir.as_deref();
            let (parts, compiled) = compile(table, state_dir, language::compile);
            (parts, compiled.and_then(with_tests).map(Some))
        };
        if !takes_it_as_it_is && parts.have_moved(table) {
            return Reading::Moved;
        }
        self.attempted = parts.clone();
        let mut errors = 0;
        let compiled = compiled
            .map_err(|problem| {
                self.log(&problem);
                errors += problem.errors();
            })
            .unwrap_or_default();
        let access = (self.setup.access)()
            .map_err(|reason| {
                error!("{reason}");
                errors += 1;
            })
            .ok();
        let mut others: Vec<PutInUse> = Vec::new();
        for companion in &mut self.setup.companions {
            match companion() {
                Ok(other) => others.push(other),
                Err(reason) => {
                    error!("{reason}");
                    errors += 1;
                }
            }
        }
        let Some(access) = access.filter(|_| errors == 0) else {
            return Reading::Done(Outcome::Failed { errors });
        };
        // Half of a CSV file is a CSV file. Whoever asks for a reload knows that it is whole.
        if !is_asked && let Some((file, before, rows)) = parts.shrunk_since(&self.in_use) {
            let file = file.to_owned();
            return Reading::Done(Outcome::Waiting { file, before, rows });
        }
        self.put_in_use(compiled, access);
        for other in others {
            other();
        }
        self.in_use = parts;
        Reading::Done(Outcome::Good)
    }

    /// The swap: from here on requests take the new table and the new secrets.
    fn put_in_use(&mut self, compiled: Option<Compiled>, access: Access) {
        let table = match compiled {
            Some(compiled) => {
                report::log(&compiled.warnings, self.setup.show_numbers);
                Arc::new(compiled.table)
            }
            None => Arc::clone(&self.live.load().table),
        };
        let new = Arc::new(Live::new(table, access, &self.setup.metrics));
        // Whoever lets go of it last frees it, which takes its time with a large table. That must be nobody with a
        // request to answer.
        self.retired.push(self.live.swap(new));
    }

    /// Logs and publishes how a reload went.
    fn conclude(&mut self, outcome: Outcome, began: Instant) {
        let now = Timestamp::now();
        let routes = self.live.load().table.routes().len();
        let hash = self.in_use.hash();
        let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.state.send_modify(|state| {
            if outcome == Outcome::Good {
                state.origin = Origin::File;
                state.succeeded = now;
                (state.routes, state.hash) = (routes, hash.clone());
            }
            state.tried = now;
            state.last = outcome.clone();
        });
        let metrics = &self.setup.metrics;
        metrics.reloaded(outcome == Outcome::Good);
        if outcome == Outcome::Good {
            metrics.table_was_read(&hash, now);
            metrics.degraded(false);
        }
        match outcome {
            Outcome::Good => info!(routes, hash, milliseconds, "reloaded"),
            Outcome::Failed { errors } => {
                error!(
                    errors,
                    hash, "the reload failed, what was in use stays in use"
                );
                self.say_degraded();
            }
            Outcome::Waiting { file, before, rows } => warn!(
                file,
                before,
                rows,
                hash,
                "a directory file has lost more than half of its rows: what was in use stays in use until SIGHUP"
            ),
        }
    }

    fn log(&self, problem: &Problem) {
        match problem {
            Problem::Diagnostics(diagnostics) => {
                report::log(diagnostics, self.setup.show_numbers);
            }
            Problem::Unreadable(unreadable) => error!("{unreadable}"),
            Problem::Ended => error!("{ENDED}"),
            Problem::Fault => {
                error!("a fault of the program: it cannot compile this table; please report it");
            }
        }
    }

    /// Says how old the table is, when it is a copy.
    fn say_degraded(&self) {
        let Origin::LastGood { kept } = self.state.borrow().origin else {
            return;
        };
        let age = Timestamp::now().duration_since(kept);
        let age = SignedDuration::from_secs(age.as_secs().max(0));
        error!(
            kept = format!("{kept:.0}"),
            age = format!("{age:#}"),
            "degraded: the last good copy of the table answers, since {} is bad",
            self.setup.table.display()
        );
    }

    /// Keeps a copy of what is in use.
    fn keep_copy(&mut self) {
        let Some(last_good) = &self.last_good else {
            return;
        };
        let table = &self.setup.table;
        let failure = match last_good.keep(table, &self.in_use, Timestamp::now()) {
            Ok(is_new) => {
                if is_new {
                    info!("a good copy is in {}", last_good.place().display());
                }
                None
            }
            Err(reason) => {
                error!("{reason}");
                Some(reason)
            }
        };
        self.state.send_if_modified(|state| {
            std::mem::replace(&mut state.copy_failure, failure.clone()) != failure
        });
    }
}
