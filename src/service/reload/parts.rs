//! What a table is made of: the content of its file and of its directory files, told apart by digests.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::attempt::Attempt;
use crate::language::Files;
use crate::service::table_file::{self, Beside};

/// A SHA-256.
pub(super) type Digest = [u8; 32];

/// The files of a table as they were read. Events are a hint; this decides whether anything has changed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Parts {
    pub table: Part,
    /// The directory files, by the path that the table has for them.
    pub directories: BTreeMap<String, Part>,
}

/// One file as it was read.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Part {
    /// `None` when it could not be read.
    #[serde(skip)]
    pub digest: Option<Digest>,
    /// The rows of a directory file, without its first line.
    #[serde(skip)]
    pub rows: usize,
    /// Which file it was, and when it was last written.
    stamp: Option<Stamp>,
}

/// What changes when a path leads to another file, or when the file is written: cheaper than reading it, and only a hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    written: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub(super) fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.size(),
            written: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

impl Part {
    /// What these bytes are; the stamp is that of their file before it was read.
    pub(super) fn new(bytes: &[u8], stamp: Option<Stamp>) -> Self {
        let mut rows = Rows::default();
        rows.count(bytes);
        Self {
            digest: Some(Sha256::digest(bytes).into()),
            rows: rows.without_header(),
            stamp,
        }
    }

    /// A file that has not been read, or cannot be.
    pub(super) fn unread(stamp: Option<Stamp>) -> Self {
        Self {
            stamp,
            ..Self::default()
        }
    }

    /// Reads a file piece by piece, and keeps nothing of it.
    pub(super) fn read(path: &Path) -> Self {
        let stamp = Stamp::of(path);
        digest_of(path).map_or(Self::unread(stamp), |(digest, rows)| Self {
            digest: Some(digest),
            rows,
            stamp,
        })
    }
}

fn digest_of(path: &Path) -> io::Result<(Digest, usize)> {
    let mut file = table_file::open(path)?;
    let (mut sha, mut rows) = (Sha256::new(), Rows::default());
    let mut piece = vec![0; 256 * 1024];
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok((sha.finalize().into(), rows.without_header())),
            Ok(length) => {
                sha.update(&piece[..length]);
                rows.count(&piece[..length]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

impl Parts {
    /// The same files as they are now.
    pub(super) fn read_again(&self, table: &Path) -> Self {
        let beside = Beside::table(table);
        let again = |written: &String| (written.clone(), Part::read(&beside.path(written)));
        Self {
            table: Part::read(table),
            directories: self.directories.keys().map(again).collect(),
        }
    }

    /// Whether all files have the same content as those.
    pub(super) fn agree(&self, other: &Self) -> bool {
        let digests = |parts: &Self| -> Vec<(String, Option<Digest>)> {
            let directories = parts.directories.iter();
            directories
                .map(|(written, part)| (written.clone(), part.digest))
                .collect()
        };
        self.table.digest == other.table.digest && digests(self) == digests(other)
    }

    /// Whether any file looks as if it had been written or replaced since it was read.
    pub(super) fn have_moved(&self, table: &Path) -> bool {
        let beside = Beside::table(table);
        let has_moved = |path: &Path, part: &Part| Stamp::of(path) != part.stamp;
        has_moved(table, &self.table)
            || self
                .directories
                .iter()
                .any(|(written, part)| has_moved(&beside.path(written), part))
    }

    /// Where the files are.
    pub(super) fn paths(&self, table: &Path) -> Vec<PathBuf> {
        let beside = Beside::table(table);
        let directories = self.directories.keys().map(|written| beside.path(written));
        std::iter::once(table.to_owned())
            .chain(directories)
            .collect()
    }

    /// What tells two tables apart, for people: 16 hexadecimal digits.
    pub(super) fn hash(&self) -> String {
        let mut sha = Sha256::new();
        sha.update(self.table.digest.unwrap_or_default());
        for (written, part) in &self.directories {
            sha.update(written.len().to_be_bytes());
            sha.update(written);
            sha.update(part.digest.unwrap_or_default());
        }
        let digest: Digest = sha.finalize().into();
        hexadecimal(&digest[..8])
    }

    /// The first directory file with less than half of the rows that it had, with both counts. A file that is half
    /// written may be valid all the same.
    pub(super) fn shrunk_since(&self, before: &Self) -> Option<(&str, usize, usize)> {
        self.directories.iter().find_map(|(written, part)| {
            let before = before.directories.get(written)?.rows;
            (part.rows * 2 < before).then_some((written.as_str(), before, part.rows))
        })
    }
}

/// Bytes as pairs of hexadecimal digits.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Counts the lines of a CSV file that hold anything; a line feed between quotes ends no row.
#[derive(Default)]
struct Rows {
    complete: usize,
    has_begun: bool,
    is_quoted: bool,
}

impl Rows {
    fn count(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' if !self.is_quoted => {
                    self.complete += usize::from(self.has_begun);
                    self.has_begun = false;
                }
                b'\r' => {}
                byte => {
                    self.has_begun = true;
                    self.is_quoted ^= *byte == b'"';
                }
            }
        }
    }

    fn without_header(&self) -> usize {
        (self.complete + usize::from(self.has_begun)).saturating_sub(1)
    }
}

/// The files beside a table, which remembers what was read.
pub(super) struct Recorder {
    beside: Beside,
    read: RefCell<BTreeMap<String, Part>>,
    attempt: Attempt,
}

impl Recorder {
    pub(super) fn new(table: &Path, attempt: Attempt) -> Self {
        Self {
            beside: Beside::table(table),
            read: RefCell::default(),
            attempt,
        }
    }

    /// What was read of each directory file.
    pub(super) fn into_directories(self) -> BTreeMap<String, Part> {
        self.read.into_inner()
    }
}

impl Files for Recorder {
    fn read(&self, written: &str) -> io::Result<Vec<u8>> {
        let stamp = Stamp::of(&self.beside.path(written));
        self.attempt.comes_to(written, stamp);
        let bytes = self.beside.read(written);
        let part = match &bytes {
            Ok(bytes) => Part::new(bytes, stamp),
            Err(_) => Part::unread(stamp),
        };
        self.read.borrow_mut().insert(written.to_owned(), part);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_as_csv_has_them() {
        for (text, rows) in [
            ("", 0),
            ("number", 0),
            ("number\n", 0),
            ("number\n+1\n", 1),
            ("number\n+1\n+2", 2),
            ("number\r\n+1\r\n\r\n\n+2\r\n", 2),
            ("number,name\n+1,\"a\nb\"\n+2,\"say \"\"x\"\"\"\n", 2),
        ] {
            assert_eq!(Part::new(text.as_bytes(), None).rows, rows, "{text:?}");
        }
    }

    #[test]
    fn a_file_has_shrunk_that_lost_more_than_half_of_its_rows() {
        let parts = |rows| Parts {
            directories: BTreeMap::from([(
                "a.csv".to_owned(),
                Part {
                    rows,
                    ..Part::default()
                },
            )]),
            ..Parts::default()
        };
        for (before, now, has_shrunk) in [
            (0, 0, false),
            (1, 1, false),
            (1, 0, true),
            (2, 1, false),
            (3, 2, false),
            (3, 1, true),
            (100, 50, false),
            (100, 49, true),
            (10, 20, false),
        ] {
            assert_eq!(
                parts(now).shrunk_since(&parts(before)).is_some(),
                has_shrunk,
                "{before} to {now}"
            );
        }
        assert_eq!(parts(0).shrunk_since(&Parts::default()), None);
    }
}
