//! The files that a table was made of, as they were read, and whether they have changed since.

use std::cell::RefCell;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use std::{fs, io};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};
use tracing::warn;

use crate::language::Files;
use crate::service::table_file::{self, MAX_TABLE, ReadFile};
use crate::table::diagnostic::File;

/// The most bytes of a file with secrets, a certificate or a key.
const MAX_SECRET: u64 = 1 << 20;

/// Where the files of a table are, and how large they may be.
#[derive(Debug, Clone)]
pub struct TableFiles {
    /// The table's file.
    pub table: PathBuf,
    /// The most bytes of a directory file.
    pub max_directory: u64,
    /// The folder of the last good copy; `None`: no copy is kept.
    pub state_dir: Option<PathBuf>,
    /// Files that hold secrets, which no directory may be read from.
    pub secrets: Vec<PathBuf>,
}

/// The table in a copy.
pub(super) const TABLE_IN_COPY: &str = "responses.toml";

/// The folder of the directory files in a copy.
pub(super) const DIRECTORIES_IN_COPY: &str = "directories";

/// What stays as it is in the name of a directory file in a copy.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'.')
    .remove(b'-')
    .remove(b'_')
    .remove(b' ');

/// One file as it was read.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// The path by which the table names a directory file; empty for every other file.
    pub written: String,
    pub path: PathBuf,
    most_bytes: u64,
    /// Its SHA-256; `None` when it could not be read.
    digest: Option<[u8; 32]>,
    stamp: Option<Stamp>,
    /// Whether its last line is not terminated.
    pub ends_in_a_line: bool,
    /// Whether it was written in place since a table with it went live, so that it may be half written.
    pub may_be_half_written: bool,
}

/// Changes when a path leads to another file or the file is written to. Cheaper than reading the file, and only a hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    file: Identity,
    bytes: u64,
    /// The time of the last change of content or attributes, in seconds and nanoseconds.
    changed: (i64, i64),
}

/// Identifies the file. A file renamed into the place of another may have the number of an earlier one, but it was
/// created later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    inode: (u64, u64),
    /// When it was created; `None` where the file system does not record that.
    made: Option<SystemTime>,
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self {
            file: Identity {
                inode: (metadata.dev(), metadata.ino()),
                made: metadata.created().ok(),
            },
            bytes: metadata.size(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

impl Source {
    fn new(written: String, path: PathBuf, most_bytes: u64) -> Self {
        Self {
            written,
            path,
            most_bytes,
            digest: None,
            stamp: None,
            ends_in_a_line: false,
            may_be_half_written: false,
        }
    }

    /// Where the file is in the folder of a copy.
    pub(super) fn path_in_copy(&self, copy: &Path) -> PathBuf {
        if self.written.is_empty() {
            return copy.join(TABLE_IN_COPY);
        }
        let name = utf8_percent_encode(&self.written, PLAIN).to_string();
        copy.join(DIRECTORIES_IN_COPY).join(name)
    }

    /// Reads the operator's file, or the one in a copy.
    pub(super) fn read(&mut self, copy: Option<&Path>) -> io::Result<Vec<u8>> {
        self.stamp = Stamp::of(&self.path);
        let path = copy.map_or_else(|| self.path.clone(), |copy| self.path_in_copy(copy));
        let bytes = table_file::read_regular(&path, self.most_bytes);
        let digest = bytes.as_ref().map(|bytes| Sha256::digest(bytes).into());
        self.digest = digest.ok();
        let last = bytes.as_ref().ok().and_then(|bytes| bytes.last());
        self.ends_in_a_line = last.is_some_and(|byte| !b"\r\n".contains(byte));
        bytes
    }
}

/// How long files that have been replaced must be quiet before they are read.
pub(super) const QUIET: Duration = Duration::from_millis(200);

/// How long a file that is written in place must be quiet, since its writer may only have paused.
const QUIET_IN_PLACE: Duration = Duration::from_secs(1);

/// After how long to read files that are replaced again and again and never quiet: each of them is whole.
const REPLACED_LONG: Duration = Duration::from_secs(1);

/// After how long the log reports a file that is never quiet.
const TOO_LONG: Duration = Duration::from_secs(30);

/// How often to retry a file that could not be read. The cause may be a disk or a lack of descriptors, which leaves no
/// trace on the file when it passes.
pub(super) const TRY_AGAIN: Duration = Duration::from_secs(3);

/// Waits until changed files are quiet, or unreadable ones become readable.
pub(super) struct QuietFiles {
    last: Vec<Option<Stamp>>,
    /// When they were first seen to have changed.
    since: Option<Instant>,
    /// When they will have been quiet.
    due: Option<Instant>,
    /// Whether they have only been replaced since then, and none was written in place.
    are_whole: bool,
    /// When to retry those that could not be read.
    try_again: Option<Instant>,
    is_told: bool,
}

impl QuietFiles {
    pub(super) fn new(read: &Sources) -> Self {
        Self {
            last: read.0.iter().map(|source| source.stamp).collect(),
            since: None,
            due: None,
            are_whole: true,
            try_again: None,
            is_told: false,
        }
    }

    /// Looks at the files. Returns whether they have changed since they were read and are quiet, or are readable now
    /// and were not before.
    pub(super) fn look(&mut self, read: &Sources, now: Instant) -> bool {
        let files = read.0.iter();
        let stamps: Vec<_> = files.map(|source| Stamp::of(&source.path)).collect();
        if stamps == self.last {
            return match self.due {
                Some(due) => due <= now,
                None => self.can_be_read(read, now),
            };
        }
        // A file that has just appeared may still be growing.
        let is_whole = |(old, new): (&Option<Stamp>, &Option<Stamp>)| match (old, new) {
            (Some(old), Some(new)) => old == new || old.file != new.file,
            _ => false,
        };
        let are_whole = self.last.iter().zip(&stamps).all(is_whole);
        let quiet = if are_whole { QUIET } else { QUIET_IN_PLACE };
        self.are_whole &= are_whole;
        self.last = stamps;
        self.due = Some(now + quiet);
        let since = *self.since.get_or_insert(now);
        if self.are_whole && now.saturating_duration_since(since) >= REPLACED_LONG {
            return true;
        }
        if !self.is_told && now.saturating_duration_since(since) >= TOO_LONG {
            self.is_told = true;
            warn!("a file is written to without end; SIGHUP reads it as it is");
        }
        false
    }

    /// Whether a file that could not be read can be read now. Tries every [`TRY_AGAIN`].
    fn can_be_read(&mut self, read: &Sources, now: Instant) -> bool {
        let mut unread = read.0.iter().filter(|source| source.digest.is_none());
        if *self.try_again.get_or_insert(now + TRY_AGAIN) > now {
            return false;
        }
        self.try_again = Some(now + TRY_AGAIN);
        unread.any(|source| source.clone().read(None).is_ok())
    }
}

/// Files as they were read; of a table, its own file first.
#[derive(Debug, Clone, Default)]
pub(super) struct Sources(pub Vec<Source>);

impl Sources {
    /// Reads a file, or the one in a copy, and remembers it.
    fn read(&mut self, mut source: Source, copy: Option<&Path>) -> io::Result<Vec<u8>> {
        let bytes = source.read(copy);
        // Several directories may name one file.
        self.0
            .retain(|other| other.written != source.written || other.path != source.path);
        self.0.push(source);
        bytes
    }

    /// The same files as they are now, or as they are in a copy.
    pub(super) fn read_again(&self, copy: Option<&Path>) -> Self {
        let mut again = self.clone();
        for source in &mut again.0 {
            let _ = source.read(copy);
        }
        again
    }

    /// Whether these are the same files with the same content.
    pub(super) fn agree(&self, other: &Self) -> bool {
        let content = |source: &Source| (source.written.clone(), source.digest);
        self.0.iter().map(content).eq(other.0.iter().map(content))
    }

    /// Whether any file looks as if it was written or replaced since it was read.
    pub(super) fn have_moved(&self) -> bool {
        self.0
            .iter()
            .any(|source| Stamp::of(&source.path) != source.stamp)
    }

    /// Whether any file may have been read while it was being written: it differs from when its reading began, and no
    /// other file has taken its place.
    pub(super) fn may_be_torn(&self) -> bool {
        self.0
            .iter()
            .any(|source| match (source.stamp, Stamp::of(&source.path)) {
                (Some(read), Some(now)) => read != now && read.file == now.file,
                (read, now) => read != now,
            })
    }

    /// Tells two tables apart, for people: 16 hexadecimal digits.
    pub(super) fn hash(&self) -> String {
        let mut sha = Sha256::new();
        for source in &self.0 {
            sha.update(source.digest.unwrap_or_default());
        }
        let digest = sha.finalize();
        let first = digest.first_chunk().copied().unwrap_or_default();
        format!("{:016x}", u64::from_be_bytes(first))
    }

    /// Notes which files were written in place since they were last read, or since they went live. A rename, in
    /// contrast, puts another file in place.
    pub(super) fn note_writing(&mut self, attempted: &Self, in_use: &Self) {
        for source in &mut self.0 {
            let mut earlier = attempted.0.iter().chain(&in_use.0);
            let Some(before) = earlier.find(|before| before.path == source.path) else {
                continue;
            };
            let file = |stamp: Option<Stamp>| stamp.map(|stamp| stamp.file);
            let is_same_file = before.stamp.is_none() || file(before.stamp) == file(source.stamp);
            let is_written = before.digest != source.digest || before.may_be_half_written;
            source.may_be_half_written = is_same_file && is_written;
        }
    }
}

/// Returns the result of a reader of files, and the files as it read them.
pub(super) fn recorded<T>(reader: impl FnOnce(ReadFile<'_>) -> T) -> (Sources, T) {
    let sources = RefCell::<Sources>::default();
    let returned = reader(&|path| {
        let source = Source::new(String::new(), path.to_owned(), MAX_SECRET);
        sources.borrow_mut().read(source, None)
    });
    (sources.into_inner(), returned)
}

/// Reads the files of a table and remembers what it has read.
pub(super) struct Recorder<'f> {
    files: &'f TableFiles,
    /// The folder of the copy that is read instead of the operator's files.
    copy: Option<&'f Path>,
    read: RefCell<Sources>,
}

impl<'f> Recorder<'f> {
    pub(super) fn new(files: &'f TableFiles, copy: Option<&'f Path>) -> Self {
        Self {
            files,
            copy,
            read: RefCell::default(),
        }
    }

    /// Reads the table's file.
    pub(super) fn table(&self) -> io::Result<Arc<File>> {
        let path = &self.files.table;
        let bytes = self.record(String::new(), path.clone(), MAX_TABLE);
        match self.copy {
            None => table_file::decode(path, bytes),
            Some(copy) => table_file::decode(&copy.join(TABLE_IN_COPY), bytes),
        }
    }

    fn record(&self, written: String, path: PathBuf, most_bytes: u64) -> io::Result<Vec<u8>> {
        let source = Source::new(written, path, most_bytes);
        self.read.borrow_mut().read(source, self.copy)
    }

    pub(super) fn into_sources(self) -> Sources {
        self.read.into_inner()
    }
}

impl Files for Recorder<'_> {
    fn read(&self, written: &str) -> io::Result<Vec<u8>> {
        let path = table_file::beside(&self.files.table, written);
        let bytes = self.record(written.to_owned(), path.clone(), self.files.max_directory)?;
        if self.copy.is_none() {
            table_file::refuse_secrets(&path, &self.files.secrets)?;
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_written_in_place_is_waited_for_longer() {
        let folder = std::env::temp_dir().join(format!("twiml-quiet-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join("t.toml");
        fs::write(&path, "one").expect("a file");
        let files = TableFiles {
            table: path.clone(),
            max_directory: 0,
            state_dir: None,
            secrets: Vec::new(),
        };
        let recorder = Recorder::new(&files, None);
        recorder.table().expect("it is read");
        let read = recorder.into_sources();
        let begin = Instant::now();
        let mut quiet = QuietFiles::new(&read);
        assert!(!quiet.look(&read, begin + TOO_LONG));
        fs::write(folder.join("new"), "two").expect("a file");
        fs::rename(folder.join("new"), &path).expect("a rename");
        assert!(!quiet.look(&read, begin));
        assert!(quiet.look(&read, begin + QUIET));
        // Another change restarts the wait.
        fs::write(&path, "three").expect("it is written");
        assert!(!quiet.look(&read, begin + QUIET));
        assert!(!quiet.look(&read, begin + QUIET_IN_PLACE));
        assert!(quiet.look(&read, begin + QUIET + QUIET_IN_PLACE));
        fs::remove_file(&path).expect("it goes");
        assert!(!quiet.look(&read, begin + QUIET_IN_PLACE * 2));
        assert!(quiet.look(&read, begin + QUIET_IN_PLACE * 3));
        fs::remove_dir_all(&folder).expect("it goes");
    }
}
