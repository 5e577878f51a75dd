//! The last good copy: the files of the table that was last good, in one folder.
//!
//! A copy is written to the side and put in place by one rename, so a process that dies leaves the old copy or the new
//! one. The copy with the highest number counts:
//!
//! ```text
//! STATE_DIR/last-good-42  responses.toml, directories/sellers.csv
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use rustix::process::geteuid;

use super::sources::{DIRECTORIES_IN_COPY, Sources, TABLE_IN_COPY};

/// The prefix of a copy's folder; its number follows.
const COPY: &str = "last-good-";

/// The folder of a copy being written.
const UNFINISHED: &str = "unfinished";

/// The folder of the copy and when it was made; `None` when there is none. A copy is an error if any part of it belongs
/// to another user or is writable by everyone, since they may have written anything into it.
pub(super) fn current(state_dir: &Path) -> io::Result<Option<(PathBuf, Timestamp)>> {
    let Some(number) = last_number(state_dir)? else {
        return Ok(None);
    };
    let folder = copy(state_dir, number);
    if !is_ours(&folder)? {
        return Err(io::Error::other(
            "a part of it belongs to another user, can be written by everybody, or is a link",
        ));
    }
    let written = fs::metadata(folder.join(TABLE_IN_COPY))?.modified()?;
    let kept = Timestamp::try_from(written).map_err(io::Error::other)?;
    Ok(Some((folder, kept)))
}

/// Keeps a copy of these files, unless there is one already, and returns the folder of a new copy. After an error the
/// old copy is still there.
pub(super) fn keep(state_dir: &Path, sources: &Sources) -> io::Result<Option<PathBuf>> {
    make_folder(state_dir)?;
    let folder = File::open(state_dir)?;
    flock(&folder, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| io::Error::other("another process is writing one"))?;
    let last = last_number(state_dir)?.unwrap_or_default();
    remove_all_but(state_dir, last);
    if let Ok(Some((copy, _))) = current(state_dir)
        && sources.read_again(Some(&copy)).agree(sources)
    {
        return Ok(None);
    }
    let unfinished = state_dir.join(UNFINISHED);
    let new = copy(state_dir, last + 1);
    write_copy(&unfinished, sources)
        .and_then(|()| fs::rename(&unfinished, &new))
        .and_then(|()| folder.sync_all())
        .inspect_err(|_| remove_all_but(state_dir, last))?;
    remove_all_but(state_dir, last + 1);
    Ok(Some(new))
}

fn copy(state_dir: &Path, number: u64) -> PathBuf {
    state_dir.join(format!("{COPY}{number}"))
}

fn last_number(state_dir: &Path) -> io::Result<Option<u64>> {
    let entries = match fs::read_dir(state_dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries?,
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names
        .filter_map(|name| name.strip_prefix(COPY)?.parse().ok())
        .max())
}

/// Removes every other copy, and anything left by a process that ended while writing one.
fn remove_all_but(state_dir: &Path, number: u64) {
    for entry in fs::read_dir(state_dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_copy = name == UNFINISHED || name.to_string_lossy().starts_with(COPY);
        if is_copy && entry.path() != copy(state_dir, number) {
            // Anything that cannot be removed now is tried again with the next copy.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether a file or folder, and everything in it, belongs to the user of this process and is not writable by everyone.
/// A link may lead anywhere.
fn is_ours(path: &Path) -> io::Result<bool> {
    let metadata = fs::symlink_metadata(path)?;
    let is_everybodys = metadata.mode() & 0o002 != 0;
    if metadata.uid() != geteuid().as_raw() || metadata.is_symlink() || is_everybodys {
        return Ok(false);
    }
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            if !is_ours(&entry?.path())? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Writes a whole copy into a new folder, through to the disk.
fn write_copy(folder: &Path, sources: &Sources) -> io::Result<()> {
    let directories = folder.join(DIRECTORIES_IN_COPY);
    // Fails if somebody has put a link there.
    DirBuilder::new().mode(0o700).create(folder)?;
    make_folder(&directories)?;
    for source in &sources.0 {
        let bytes = source.clone().read(None)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(source.path_in_copy(folder))?;
        file.write_all(&bytes)?;
        file.sync_all()?;
    }
    if !sources.read_again(Some(folder)).agree(sources) {
        return Err(io::Error::other("a file has changed since it was read"));
    }
    File::open(directories)?.sync_all()?;
    File::open(folder)?.sync_all()
}

/// Creates a folder and its parents, for our user alone.
fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).recursive(true).create(path)
}
