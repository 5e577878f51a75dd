//! Watches the folders of a table's files, and waits until they are quiet.
//!
//! Folders, not files: an editor that renames a new file into place, a file that is deleted and written anew, and a
//! symbolic link that is pointed elsewhere are all changes of a folder. What an event says is only a hint.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{self, Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use tracing::warn;

/// How long the files must be quiet before they are read.
pub(super) const QUIET: Duration = Duration::from_millis(200);

/// The same while a file is open that has been written to.
const QUIET_WHILE_OPEN: Duration = Duration::from_secs(2);

/// After how long the log says that the files are never quiet.
const TOO_LONG: Duration = Duration::from_secs(30);

/// The most names on the way to a file; Linux follows at most 40 links.
const MOST_STEPS: usize = 100;

/// What happened to a file that matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// It was written to and is still open.
    Written(PathBuf),
    /// It was closed, removed, renamed or made.
    Settled(PathBuf),
    /// Something happened that is no longer known.
    Unknown,
}

/// The folders that are watched.
pub(super) struct Watch {
    /// `None` where the system gives none.
    watcher: Option<RecommendedWatcher>,
    folders: BTreeSet<PathBuf>,
    /// The files and links in them that matter.
    names: Arc<ArcSwap<HashSet<PathBuf>>>,
    /// The folders that cannot be watched, each said once.
    unwatched: BTreeSet<PathBuf>,
}

impl Watch {
    /// Watches nothing yet; changes will be sent to `wake`.
    pub(super) fn new(wake: SyncSender<Option<Change>>) -> Self {
        let names: Arc<ArcSwap<HashSet<PathBuf>>> = Arc::default();
        let wanted = Arc::clone(&names);
        let send = move |event: notify::Result<Event>| {
            for change in changes(event, &wanted.load()) {
                // When it is full, something has changed anyway.
                let _ = wake.try_send(Some(change));
            }
        };
        let watcher = notify::recommended_watcher(send)
            .inspect_err(|error| {
                warn!(%error, "changes of files are not seen at once, but within seconds and by SIGHUP");
            })
            .ok();
        Self {
            watcher,
            folders: BTreeSet::new(),
            names,
            unwatched: BTreeSet::new(),
        }
    }

    /// Watches these files from now on, and no others. Whether a folder is new among those that are watched: a change
    /// in it may have come before.
    pub(super) fn follow<'p>(&mut self, files: impl IntoIterator<Item = &'p PathBuf>) -> bool {
        let mut names = HashSet::new();
        for file in files {
            names.extend(steps(file));
        }
        let mut folders: BTreeSet<PathBuf> = names
            .iter()
            .filter_map(|name| name.parent().map(Path::to_owned))
            .collect();
        // A folder can be replaced as a whole, which is a change of the folder that it is in.
        for folder in folders.clone() {
            if let Some(above) = folder.parent() {
                folders.insert(above.to_owned());
                names.insert(folder);
            }
        }
        // The names come first, so that no event of a new folder is ignored.
        self.names.store(Arc::new(names));
        let Some(watcher) = &mut self.watcher else {
            return false;
        };
        for old in self.folders.difference(&folders) {
            // It may be gone.
            let _ = watcher.unwatch(old);
        }
        let mut watched = BTreeSet::new();
        for folder in folders {
            // Those that are watched already are watched anew: another folder may be at the path now.
            match watcher.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.unwatched.remove(&folder);
                    watched.insert(folder);
                }
                Err(error) if folder.is_dir() && self.unwatched.insert(folder.clone()) => {
                    let (error, folder) = (error.kind, folder.display());
                    warn!(
                        ?error,
                        "changes in {folder} are not seen at once, but within seconds and by SIGHUP"
                    );
                }
                Err(_) => {}
            }
        }
        let has_new = !watched.is_subset(&self.folders);
        self.folders = watched;
        has_new
    }
}

/// What an event says of the names that matter.
fn changes(event: notify::Result<Event>, names: &HashSet<PathBuf>) -> Vec<Change> {
    let Ok(event) = event else {
        return vec![Change::Unknown];
    };
    if event.need_rescan() {
        return vec![Change::Unknown];
    }
    let change = match event.kind {
        // Reading is no change; it would never end, because what changes is read.
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Change::Settled,
        EventKind::Access(_) => return Vec::new(),
        EventKind::Modify(ModifyKind::Data(_)) => Change::Written,
        _ => Change::Settled,
    };
    let paths = event.paths.into_iter();
    paths
        .filter(|path| names.contains(path))
        .map(change)
        .collect()
}

/// Every name on the way to a file, links included, each as the real folder that it is in and the name in it: a change
/// of any of these may make the path lead to another file. The way ends where something is missing.
fn steps(file: &Path) -> Vec<PathBuf> {
    let mut steps = Vec::new();
    let mut ways = vec![path::absolute(file).unwrap_or_else(|_| file.to_owned())];
    while let Some(way) = ways.pop().filter(|_| steps.len() < MOST_STEPS) {
        for part in way.ancestors() {
            let (Some(folder), Some(name)) = (part.parent(), part.file_name()) else {
                continue;
            };
            let Ok(folder) = folder.canonicalize() else {
                continue;
            };
            let step = folder.join(name);
            let target = fs::read_link(&step);
            if target.is_ok() || part == way || !step.exists() {
                steps.push(step);
            }
            ways.extend(target.map(|target| folder.join(target)));
        }
    }
    steps
}

/// Waits until nothing has changed for a moment.
#[derive(Debug, Default)]
pub(super) struct Settling {
    since: Option<Instant>,
    /// When the files have been quiet.
    due: Option<Instant>,
    /// The files that somebody is writing.
    open: HashSet<PathBuf>,
    is_told: bool,
}

impl Settling {
    /// A change has come.
    pub(super) fn note(&mut self, change: Change, now: Instant) {
        match change {
            Change::Written(path) => {
                self.open.insert(path);
            }
            Change::Settled(path) => {
                self.open.remove(&path);
            }
            Change::Unknown => {}
        }
        let quiet = if self.open.is_empty() {
            QUIET
        } else {
            QUIET_WHILE_OPEN
        };
        self.due = Some(now + quiet);
        let since = *self.since.get_or_insert(now);
        if !self.is_told && now.saturating_duration_since(since) >= TOO_LONG {
            self.is_told = true;
            warn!(
                "the table or a file of its directories is written to without end; SIGHUP reads it as it is"
            );
        }
    }

    /// When the files will have been quiet; `None` when nothing has changed.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{DataChange, Flag};

    fn event(kind: EventKind, path: &str) -> Event {
        Event::new(kind).add_path(PathBuf::from(path))
    }

    #[test]
    fn only_changes_of_names_that_matter_count() {
        let names = HashSet::from([PathBuf::from("/a/t.toml")]);
        let data = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        let close = |mode| EventKind::Access(AccessKind::Close(mode));
        let path = || PathBuf::from("/a/t.toml");
        for (event, expected) in [
            (event(data, "/a/t.toml"), vec![Change::Written(path())]),
            (event(data, "/a/t.toml~"), vec![]),
            (
                event(close(AccessMode::Write), "/a/t.toml"),
                vec![Change::Settled(path())],
            ),
            (event(close(AccessMode::Read), "/a/t.toml"), vec![]),
            (
                event(
                    EventKind::Access(AccessKind::Open(AccessMode::Any)),
                    "/a/t.toml",
                ),
                vec![],
            ),
            (
                Event::new(EventKind::Other).set_flag(Flag::Rescan),
                vec![Change::Unknown],
            ),
        ] {
            assert_eq!(changes(Ok(event), &names), expected);
        }
    }

    #[test]
    fn a_file_that_is_still_open_is_waited_for_longer() {
        let begin = Instant::now();
        let path = || PathBuf::from("/a");
        let mut settling = Settling::default();
        assert_eq!(settling.due(), None);
        settling.note(Change::Written(path()), begin);
        assert_eq!(settling.due(), Some(begin + QUIET_WHILE_OPEN));
        settling.note(Change::Settled(path()), begin);
        assert_eq!(settling.due(), Some(begin + QUIET));
        let later = begin + Duration::from_secs(5);
        settling.note(Change::Unknown, later);
        assert_eq!(settling.due(), Some(later + QUIET));
    }

    #[test]
    fn the_way_to_a_file_has_every_link_and_ends_where_something_is_missing() {
        let top = std::env::temp_dir()
            .canonicalize()
            .expect("a folder")
            .join(format!("twiml-responder-steps-{}", std::process::id()));
        let _ = fs::remove_dir_all(&top);
        fs::create_dir_all(top.join("..1")).expect("a folder");
        fs::write(top.join("..1/t.toml"), "").expect("a file");
        let link = std::os::unix::fs::symlink::<&str, PathBuf>;
        link("..1", top.join("..data")).expect("a link");
        link("..data/t.toml", top.join("t.toml")).expect("a link");
        link("loop", top.join("loop")).expect("a link");
        let names = |file: &str| -> Vec<String> {
            let steps = steps(&top.join(file));
            let below = steps.iter().filter_map(|step| step.strip_prefix(&top).ok());
            let mut names: Vec<_> = below.map(|step| step.display().to_string()).collect();
            names.sort();
            names
        };
        assert_eq!(names("t.toml"), ["..1", "..1/t.toml", "..data", "t.toml"]);
        assert_eq!(names("x/../t.toml"), ["x"]);
        assert_eq!(names("..1/../..1/t.toml"), ["..1/t.toml"]);
        assert_eq!(names("gone/t.toml"), ["gone"]);
        assert!(names("loop").len() >= MOST_STEPS);
        fs::remove_dir_all(&top).expect("it goes");
    }
}
