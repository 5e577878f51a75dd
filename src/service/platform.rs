//! What only Linux offers a service. Elsewhere, as on a laptop used to write tables, each of these does nothing.

#[cfg(target_os = "linux")]
pub(crate) use self::linux::{hide_memory, let_others_go_first};
#[cfg(not(target_os = "linux"))]
pub(crate) use self::other::{hide_memory, let_others_go_first};

#[cfg(target_os = "linux")]
mod linux {
    use std::io;

    use rustix::process::{DumpableBehavior, set_dumpable_behavior, setpriority_process};
    use rustix::thread::gettid;

    /// The nice value of a thread that lets others go first: on a busy machine, it still gets a tenth of a processor.
    const NICE: i32 = 10;

    /// Keeps secrets out of core dumps, and away from other programs of the same user.
    pub(crate) fn hide_memory() -> io::Result<()> {
        Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
    }

    /// Lets every other thread go before this one, where that is allowed. Despite POSIX, each thread has its own nice
    /// value: `setpriority(2)`.
    pub(crate) fn let_others_go_first() {
        let _ = setpriority_process(Some(gettid()), NICE);
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use std::io;

    #[expect(clippy::unnecessary_wraps, reason = "it can fail on Linux")]
    pub(crate) fn hide_memory() -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn let_others_go_first() {}
}
