//! The last good copy: a table that was in use with its directory files, in a folder of its own.
//!
//! A copy is written beside the old one and then put in its place by one rename, so that whoever dies in between leaves
//! the old one or the new one:
//!
//! ```text
//! STATE_DIR/last-good           a link to the folder of the copy
//! STATE_DIR/copy-1764072000-42  copy.json, responses.toml, 1-sellers.csv
//! ```

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;

use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::parts::{Part, Parts, hexadecimal};
use crate::language::Files;
use crate::service::table_file::{self, Beside};
use crate::table::diagnostic;

/// The link to the copy.
const LINK: &str = "last-good";

/// How the folder of a copy begins.
const COPY: &str = "copy-";

/// What the copy holds, in its folder.
const CONTENTS: &str = "copy.json";

/// The table in the copy.
const TABLE: &str = "responses.toml";

/// Held by whoever writes a copy.
const LOCK: &str = "lock";

/// What a copy holds.
#[derive(Debug, Serialize, Deserialize)]
struct Contents {
    /// When it was made.
    kept: Timestamp,
    /// The table's file that was copied.
    from: String,
    table: Copied,
    /// The directory files, by the path that the table has for them.
    directories: BTreeMap<String, Copied>,
}

/// A file of a copy.
#[derive(Debug, Serialize, Deserialize)]
struct Copied {
    /// Its name in the copy's folder.
    file: String,
    /// Its SHA-256 in hexadecimal digits.
    sha256: String,
}

/// The folder with the last good copy.
#[derive(Debug)]
pub(super) struct LastGood {
    folder: PathBuf,
}

/// A copy that can be read: the table's file, and those of its directories.
pub(super) struct Copy {
    pub kept: Timestamp,
    pub table: Arc<diagnostic::File>,
    directories: BTreeMap<String, PathBuf>,
}

impl Files for Copy {
    fn read(&self, written: &str) -> io::Result<Vec<u8>> {
        let path = self
            .directories
            .get(written)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "it is not in the copy"))?;
        fs::read(path)
    }
}

impl LastGood {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where the copy is, for a message.
    pub(super) fn place(&self) -> PathBuf {
        self.folder.join(LINK)
    }

    /// The copy and what it is made of; `None` when there is none.
    ///
    /// # Errors
    ///
    /// Why it cannot be used, for a sentence: it cannot be read, or a file is not as it was written.
    pub(super) fn load(&self) -> Result<Option<(Copy, Parts)>, String> {
        let link = self.place();
        if let Err(error) = fs::symlink_metadata(&link) {
            return match error.kind() {
                io::ErrorKind::NotFound => Ok(None),
                _ => Err(format!("cannot read {}: {error}", link.display())),
            };
        }
        // All from one folder, even if another process puts a new copy in its place now.
        let folder = fs::canonicalize(&link)
            .map_err(|error| format!("cannot read {}: {error}", link.display()))?;
        let contents = fs::read(folder.join(CONTENTS))
            .map_err(|error| format!("cannot read its {CONTENTS}: {error}"))?;
        let contents: Contents = serde_json::from_slice(&contents)
            .map_err(|error| format!("its {CONTENTS} cannot be understood: {error}"))?;
        let mut parts = Parts {
            table: contents.table.verified(&folder)?,
            directories: BTreeMap::new(),
        };
        let mut directories = BTreeMap::new();
        for (written, copied) in contents.directories {
            parts
                .directories
                .insert(written.clone(), copied.verified(&folder)?);
            directories.insert(written, folder.join(copied.file));
        }
        let table =
            table_file::read(&folder.join(TABLE)).map_err(|unreadable| unreadable.to_string())?;
        let copy = Copy {
            kept: contents.kept,
            table,
            directories,
        };
        Ok(Some((copy, parts)))
    }

    /// Keeps the files of a table, unless the copy has them already; whether it had to.
    ///
    /// # Errors
    ///
    /// Why it cannot be kept, for a sentence; the old copy is as it was.
    pub(super) fn keep(&self, table: &Path, parts: &Parts, now: Timestamp) -> Result<bool, String> {
        let failed = |error: io::Error| {
            format!(
                "cannot keep a good copy in {}: {error}",
                self.folder.display()
            )
        };
        make_folder(&self.folder, true).map_err(failed)?;
        let lock = private(&self.folder.join(LOCK), false).map_err(failed)?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(format!(
                "cannot keep a good copy in {}: another process is writing one",
                self.folder.display()
            ));
        }
        if let Ok(Some((_, kept))) = self.load()
            && kept.agree(parts)
        {
            self.remove_all_but_the_copy();
            return Ok(false);
        }
        let name = format!(
            "{COPY}{}-{}-{}",
            now.as_second(),
            now.subsec_nanosecond(),
            process::id()
        );
        let folder = self.folder.join(&name);
        let written = write_copy(&folder, table, parts, now).and_then(|()| {
            let new_link = self.folder.join(format!("{name}.link"));
            symlink(&name, &new_link)?;
            fs::rename(&new_link, self.place())?;
            File::open(&self.folder)?.sync_all()
        });
        self.remove_all_but_the_copy();
        written.map(|()| true).map_err(failed)
    }

    /// Removes old copies, and what was left when a process ended while it was writing one.
    fn remove_all_but_the_copy(&self) {
        let Ok(current) = fs::read_link(self.place()) else {
            return;
        };
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let is_ours = name.to_string_lossy().starts_with(COPY);
            if is_ours && Path::new(&name) != current {
                // What cannot be removed now is tried again with the next copy.
                let path = entry.path();
                let _ = match entry.file_type() {
                    Ok(kind) if kind.is_dir() => fs::remove_dir_all(path),
                    _ => fs::remove_file(path),
                };
            }
        }
    }
}

impl Copied {
    /// What the file is, when it is as it was written.
    fn verified(&self, folder: &Path) -> Result<Part, String> {
        let part = Part::read(&folder.join(&self.file));
        match part.digest {
            Some(digest) if hexadecimal(&digest) == self.sha256 => Ok(part),
            Some(_) => Err(format!("its {} is not as it was written", self.file)),
            None => Err(format!("its {} cannot be read", self.file)),
        }
    }
}

/// Writes a whole copy into a new folder, and sees to it that it is on the disk.
fn write_copy(folder: &Path, table: &Path, parts: &Parts, now: Timestamp) -> io::Result<()> {
    make_folder(folder, false)?;
    let beside = Beside::table(table);
    let mut contents = Contents {
        kept: now,
        from: table.display().to_string(),
        table: copy(table, &parts.table, folder, TABLE.to_owned())?,
        directories: BTreeMap::new(),
    };
    for (number, (written, part)) in parts.directories.iter().enumerate() {
        let name = Path::new(written).file_name().unwrap_or_default();
        let name: String = name.to_string_lossy().chars().take(50).collect();
        // The number keeps apart files of one name in two folders.
        let file = format!("{}-{name}", number + 1);
        let copied = copy(&beside.path(written), part, folder, file)?;
        contents.directories.insert(written.clone(), copied);
    }
    let mut file = private(&folder.join(CONTENTS), true)?;
    serde_json::to_writer_pretty(&mut file, &contents)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    File::open(folder)?.sync_all()
}

/// Copies a file, if it still is what the table in use was made of.
fn copy(from: &Path, part: &Part, folder: &Path, name: String) -> io::Result<Copied> {
    let mut source = File::open(from)?;
    let mut file = private(&folder.join(&name), true)?;
    let mut sha = Sha256::new();
    let mut piece = vec![0; 256 * 1024];
    loop {
        match source.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => {
                sha.update(&piece[..length]);
                file.write_all(&piece[..length])?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    file.sync_all()?;
    let digest: super::parts::Digest = sha.finalize().into();
    if part.digest != Some(digest) {
        return Err(io::Error::other(format!(
            "{} has changed since it was read",
            from.display()
        )));
    }
    Ok(Copied {
        file: name,
        sha256: hexadecimal(&digest),
    })
}

fn make_folder(path: &Path, is_with_parents: bool) -> io::Result<()> {
    DirBuilder::new()
        .mode(0o700)
        .recursive(is_with_parents)
        .create(path)
}

/// A file that only we may read.
pub(super) fn private(path: &Path, is_new: bool) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .create_new(is_new)
        .truncate(false)
        .mode(0o600)
        .open(path)
}
