//! Work that requests do not wait for: its thread has the processor only while nobody else wants it.
//!
//! A nice value alone is not enough: since 6.6 Linux lets what runs go on for a part of its slice or to the next tick of the
//! clock, whoever wakes, and on a machine with one processor a request waits for up to four milliseconds. What has the policy
//! `SCHED_IDLE` makes room at once (`sched(7)`). Where nobody is ever idle it would get next to nothing, so after a while it
//! has its ordinary policy again.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rustix::process::setpriority_process;
use rustix::thread::{Pid, gettid};
use thread_priority::{
    NormalThreadSchedulePolicy, ThreadId, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

/// A nice value that gives way to requests, and on a machine that has no rest still gets a tenth of a processor. On
/// Linux each thread has its own, whatever POSIX says: `setpriority(2)`.
const NICE: i32 = 10;

/// How long one piece of work leaves the processor to everybody else.
const PATIENCE: Duration = Duration::from_secs(2);

/// How a thread gives way to requests.
#[derive(Debug)]
pub(super) struct Idle {
    /// Whether the system allows more than a nice value, as far as that was asked.
    is_allowed: Option<bool>,
    patience: Duration,
}

/// A thread of this process that has not ended.
#[derive(Clone, Copy)]
struct Worker {
    native: ThreadId,
    system: Pid,
}

impl Idle {
    /// This thread gives way from now on.
    pub(super) fn on_this_thread() -> Self {
        // Where even that is not allowed, requests wait their turn.
        let _ = setpriority_process(Some(gettid()), NICE);
        Self {
            is_allowed: None,
            patience: PATIENCE,
        }
    }

    /// Does a piece of work of this thread.
    pub(super) fn during<T>(&mut self, work: impl FnOnce() -> T) -> T {
        if !*self.is_allowed.get_or_insert_with(can_come_back) {
            return work();
        }
        let worker = Worker::this();
        thread::scope(|scope| {
            let (end, has_ended) = channel::<()>();
            let patience = self.patience;
            let hurry = move || {
                if has_ended.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
                    worker.go_on();
                }
            };
            // It has the policy of the thread that starts it, so it comes before that changes.
            let hurries = thread::Builder::new()
                .name("hurry".to_owned())
                .spawn_scoped(scope, hurry)
                .is_ok();
            if hurries {
                worker.make_room();
            }
            let result = work();
            drop(end);
            worker.go_on();
            result
        })
    }
}

impl Worker {
    fn this() -> Self {
        Self {
            native: thread_native_id(),
            system: gettid(),
        }
    }

    /// Gives the processor to whoever wants it. Whether the system does so.
    fn make_room(self) -> bool {
        self.take(NormalThreadSchedulePolicy::Idle)
    }

    /// Takes its share again. Whether the system allows it.
    fn go_on(self) -> bool {
        self.take(NormalThreadSchedulePolicy::Other)
    }

    fn take(self, policy: NormalThreadSchedulePolicy) -> bool {
        let policy = ThreadSchedulePolicy::Normal(policy);
        // The library sets the nice value of the thread that calls it as well, whichever thread is meant.
        set_thread_priority_and_policy(self.native, ThreadPriority::Min, policy).is_ok()
            && setpriority_process(Some(self.system), NICE).is_ok()
    }
}

/// Whether a thread that has made room can take its share again: it needs `CAP_SYS_NICE` or `RLIMIT_NICE`. A thread that
/// cannot stays where it is, so that one is tried which ends thereafter.
fn can_come_back() -> bool {
    let tried = thread::Builder::new().spawn(|| {
        let worker = Worker::this();
        worker.make_room() && worker.go_on() && worker.make_room()
    });
    tried.is_ok_and(|tried| tried.join().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use rustix::process::getpriority_process;
    use thread_priority::thread_schedule_policy;

    use super::*;

    const IDLE: ThreadSchedulePolicy =
        ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    const OTHER: ThreadSchedulePolicy =
        ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other);

    fn policy() -> ThreadSchedulePolicy {
        thread_schedule_policy().expect("a policy that the library knows")
    }

    fn nice() -> i32 {
        getpriority_process(Some(gettid())).expect("this thread")
    }

    /// The policy in a piece of work, as far as the system that tests allows.
    fn idle_if_allowed() -> ThreadSchedulePolicy {
        if can_come_back() { IDLE } else { OTHER }
    }

    #[test]
    fn work_has_the_policy_idle_and_only_the_work() {
        let mut idle = Idle::on_this_thread();
        assert_eq!((policy(), nice()), (OTHER, NICE));
        for _ in 0..2 {
            assert_eq!(idle.during(policy), idle_if_allowed());
            assert_eq!((policy(), nice()), (OTHER, NICE));
        }
    }

    #[test]
    fn work_that_takes_long_has_a_nice_value_in_the_end() {
        let mut idle = Idle {
            patience: Duration::from_millis(20),
            ..Idle::on_this_thread()
        };
        let (first, last) = idle.during(|| {
            let first = policy();
            let deadline = Instant::now() + Duration::from_secs(60);
            while policy() == IDLE && Instant::now() < deadline {
                thread::yield_now();
            }
            (first, (policy(), nice()))
        });
        assert_eq!(first, idle_if_allowed());
        assert_eq!(last, (OTHER, NICE));
    }

    #[test]
    fn without_the_right_to_come_back_a_thread_does_not_go() {
        let mut idle = Idle {
            is_allowed: Some(false),
            patience: PATIENCE,
        };
        assert_eq!(idle.during(policy), OTHER);
    }
}
