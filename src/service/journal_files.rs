//! The files of the journal: one per day, limited in number and size, containing only whole lines. Or standard output,
//! which something else collects.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use tracing::warn;

use crate::journal::line::Beyond;
use crate::service::table_file::others_at;

/// Where the journal is, what it holds and how large it may become.
#[derive(Debug, Clone)]
pub struct JournalSettings {
    /// The folder of its files, created when it does not exist; `None`: standard output.
    pub folder: Option<PathBuf>,
    /// What lines hold beyond the rule.
    pub beyond: Beyond,
    /// The most bytes of a day's file; further lines of that day are lost.
    pub max_size_bytes: u64,
    /// The most files, at least one; the oldest are removed.
    pub max_files: usize,
}

/// The files of a folder, and the one being written.
pub(super) struct DayFiles {
    pub settings: JournalSettings,
    /// `None` until something is written, and after a failure.
    pub current: Option<Current>,
}

/// The file being written.
pub(super) struct Current {
    path: PathBuf,
    file: File,
    /// Where its last whole line ends.
    length: u64,
}

impl DayFiles {
    /// Writes whole lines to the file of a day. If that fails, none of them is written.
    pub(super) fn write(&mut self, day: &str, lines: &[u8]) -> io::Result<()> {
        let Some(folder) = self.settings.folder.clone() else {
            let mut output = io::stdout().lock();
            return output.write_all(lines).and_then(|()| output.flush());
        };
        let most = self.settings.max_size_bytes;
        let current = self.file_of(day, &folder)?;
        let end = current.length + lines.len() as u64;
        if end > most {
            let path = current.path.display();
            let reason = format!("{path} has the {most} bytes that it may have");
            return Err(io::Error::other(reason));
        }
        if let Err(error) = current.file.write_all(lines) {
            let error = about(&current.path, &error);
            // Half a line would break the file for every reader.
            if current.file.set_len(current.length).is_err() {
                self.current = None;
            }
            return Err(error);
        }
        current.length = end;
        Ok(())
    }

    /// Returns once what was written is on the disk. For standard output, that cannot be known.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        // Unless this succeeds, it is unknown what is on the disk; the file is opened and checked again.
        if let Some(current) = self.current.take() {
            let synced = current.file.sync_data();
            synced.map_err(|error| about(&current.path, &error))?;
            self.current = Some(current);
        }
        Ok(())
    }

    fn file_of(&mut self, day: &str, folder: &Path) -> io::Result<&mut Current> {
        let path = folder.join(format!("journal-{day}.jsonl"));
        // A file that was removed is started again.
        let current = self.current.take();
        let current = current.filter(|current| current.path == path && path.exists());
        let current = if let Some(current) = current {
            current
        } else {
            let opened = open(&path, folder);
            let (file, length) = opened.map_err(|error| about(&path, &error))?;
            remove_oldest(folder, self.settings.max_files, &path);
            Current { path, file, length }
        };
        Ok(self.current.insert(current))
    }
}

/// Opens a file and finds where its last whole line ends.
fn open(path: &Path, folder: &Path) -> io::Result<(File, u64)> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        // A link placed here would send the lines elsewhere.
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
        .map_err(|error| match fs::symlink_metadata(path) {
            Ok(found) if found.is_symlink() => io::Error::other("it is a link"),
            _ => error,
        })?;
    if let Some(others) = others_at(folder, 0o007) {
        let folder = folder.display();
        warn!("{folder}, the folder of the journal, {others}");
    }
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    // On a file system without locks, the operator must make sure that only one service runs.
    if let Err(Errno::WOULDBLOCK) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
        return Err(io::Error::other("another service writes it already"));
    }
    let whole = end_of_last_line(&file, metadata.len())?;
    if whole < metadata.len() {
        let bytes = metadata.len() - whole;
        warn!(path = %path.display(), bytes, "the journal ends in a torn line, which is taken out");
        file.set_len(whole)?;
    }
    if whole == 0 {
        // A new file is only safe once its folder is.
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
    Ok((file, whole))
}

/// Removes the oldest files when there are too many, but never the one that is about to be written.
fn remove_oldest(folder: &Path, max_files: usize, current: &Path) {
    let mut files = journal_files(folder).unwrap_or_default();
    let extra = files.len().saturating_sub(max_files.max(1));
    files.retain(|file| file != current);
    for path in files.iter().take(extra) {
        if let Err(error) = fs::remove_file(path) {
            warn!(path = %path.display(), %error, "an old file of the journal cannot be removed");
        }
    }
}

/// The files of a journal in a folder, oldest first. Files of other names are ignored.
pub(super) fn journal_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_str().and_then(|name| name.strip_prefix("journal-"));
        let day = name.and_then(|name| name.strip_suffix(".jsonl"));
        if day.is_some_and(|day| day.len() == 10 && day.parse::<Date>().is_ok()) {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// Where the last whole line of a file of this length ends; 0 when there is none.
fn end_of_last_line(file: &File, length: u64) -> io::Result<u64> {
    const PIECE: u64 = 64 * 1024;
    let mut end = length;
    let mut piece = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(PIECE);
        piece.resize(usize::try_from(end - start).unwrap_or_default(), 0);
        file.read_exact_at(&mut piece, start)?;
        if let Some(at) = piece.iter().rposition(|&byte| byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

pub(super) fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
