//! Reads a journal back, one line at a time, however long it is.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::vec;

use crate::journal::line::Line;
use crate::service::journal_files::{about, journal_files};

/// How many lines are held back and sorted: answers do not end in the order in which they began.
const WINDOW: usize = 1024;

/// The most bytes of a line. The service never writes one that long; the rest of a longer line is skipped.
const LINE_MAX: u64 = 1024 * 1024;

/// How much of an overlong line is kept: enough to see that it does not belong to a journal.
const KEPT: usize = 100;

/// A line as it is in its file, with its place. [`Line::parse`] checks whether it belongs to a journal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The file.
    pub path: Arc<Path>,
    /// Its line number, from 1.
    pub number: u64,
    /// The line, without its line feed; never empty.
    pub text: Vec<u8>,
}

impl Entry {
    /// Its place, for messages: `journal/journal-2026-11-25.jsonl:7`.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}:{}", self.path.display(), self.number)
    }
}

/// The lines of a folder, in the order of their times.
///
/// A line more than a thousand lines away from its place in time stays late. A last line that is still being written is
/// left out.
#[derive(Debug)]
pub struct JournalLines {
    files: vec::IntoIter<PathBuf>,
    current: Option<Open>,
    /// How many bytes the files had at the start; `None` when the folder has no journal files.
    pub size_bytes: Option<u64>,
    /// By time, then by place.
    waiting: BinaryHeap<Reverse<(String, Entry)>>,
    /// The time of the last line read, for lines that have none.
    time: String,
}

#[derive(Debug)]
struct Open {
    path: Arc<Path>,
    file: BufReader<File>,
    number: u64,
}

impl JournalLines {
    /// Starts with the oldest file of a folder. Files with other names are ignored.
    ///
    /// # Errors
    ///
    /// The folder cannot be read.
    pub fn of(folder: &Path) -> io::Result<Self> {
        let files = journal_files(folder).map_err(|error| about(folder, &error))?;
        let size = |file| fs::metadata(file).map_or(0, |metadata| metadata.len());
        Ok(Self {
            size_bytes: (!files.is_empty()).then(|| files.iter().map(size).sum()),
            files: files.into_iter(),
            current: None,
            waiting: BinaryHeap::new(),
            time: String::new(),
        })
    }

    /// The next line as it is in the files; `None` at the end of the last file.
    fn read(&mut self) -> io::Result<Option<Entry>> {
        loop {
            if let Some(mut open) = self.current.take() {
                let entry = open.read().map_err(|error| about(&open.path, &error))?;
                if entry.is_some() {
                    self.current = Some(open);
                    return Ok(entry);
                }
            }
            let Some(path) = self.files.next() else {
                return Ok(None);
            };
            self.current = match File::open(&path) {
                Ok(file) => Some(Open {
                    path: path.into(),
                    file: BufReader::with_capacity(256 * 1024, file),
                    number: 0,
                }),
                // The service has removed it in the meantime.
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(about(&path, &error)),
            };
        }
    }
}

impl Open {
    /// `None` at its end, or when its last line is still being written.
    fn read(&mut self) -> io::Result<Option<Entry>> {
        loop {
            let mut text = Vec::new();
            (&mut self.file)
                .take(LINE_MAX)
                .read_until(b'\n', &mut text)?;
            self.number += 1;
            let number = self.number;
            let is_whole = text.pop_if(|last| *last == b'\n').is_some();
            if !is_whole && text.len() as u64 == LINE_MAX {
                self.file.skip_until(b'\n')?;
                text.truncate(KEPT);
                text.shrink_to_fit();
            } else if !is_whole && Line::parse(&text).is_err() {
                return Ok(None);
            }
            if !text.trim_ascii().is_empty() {
                let path = Arc::clone(&self.path);
                return Ok(Some(Entry { path, number, text }));
            }
        }
    }
}

impl Iterator for JournalLines {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.waiting.len() < WINDOW {
            match self.read() {
                Ok(Some(entry)) => {
                    if let Some(time) = time_of(&entry.text) {
                        self.time = time;
                    }
                    self.waiting.push(Reverse((self.time.clone(), entry)));
                }
                Ok(None) => break,
                Err(error) => return Some(Err(error)),
            }
        }
        self.waiting.pop().map(|Reverse((_, entry))| Ok(entry))
    }
}

/// The time of a line, as a text that sorts by time; `None` when the line does not belong to a journal.
fn time_of(text: &[u8]) -> Option<String> {
    // The service writes the time first, so it is found without parsing the line.
    if let Some(after) = text.strip_prefix(br#"{"time":""#) {
        let end = after.iter().position(|&byte| byte == b'"')?;
        return String::from_utf8(after[..end].to_vec()).ok();
    }
    Line::parse(text).ok().map(|line| line.time.into_owned())
}
