//! What is read from files in addition to the table, each part separately: the secrets and a certificate.

use std::fmt;
use std::thread;
use std::time::Instant;

use tracing::{error, info};

use super::MOST_READINGS;
use super::sources::{QUIET, QuietFiles, Sources, recorded};
use super::state::Part;
use crate::service::table_file::ReadFile;

/// Reads files and makes something of them. An error is a sentence without secrets.
type Reader<T> = Box<dyn FnMut(ReadFile<'_>) -> Result<T, String> + Send>;

/// Something that is read from files, and read again when they change.
pub struct Watched<T> {
    part: Part,
    reader: Reader<T>,
    /// The files as they were last read, good or bad.
    files: Sources,
    quiet: QuietFiles,
    /// Why the files, as they were last read, cannot be used.
    pub(super) problem: Option<String>,
}

impl<T: 'static> Watched<T> {
    /// Reads it for the first time, and remembers which files that involved.
    ///
    /// # Errors
    ///
    /// Those of the reader.
    pub fn first(
        part: Part,
        mut reader: impl FnMut(ReadFile<'_>) -> Result<T, String> + Send + 'static,
    ) -> Result<(Self, T), String> {
        let (files, result) = recorded(&mut reader);
        let watched = Self {
            part,
            reader: Box::new(reader),
            quiet: QuietFiles::new(&files),
            files,
            problem: None,
        };
        Ok((watched, result?))
    }

    /// Reads the same files, and makes something else of them.
    #[must_use]
    pub fn map<U>(mut self, mut change: impl FnMut(T) -> U + Send + 'static) -> Watched<U> {
        Watched {
            part: self.part,
            reader: Box::new(move |read| (self.reader)(read).map(&mut change)),
            files: self.files,
            quiet: self.quiet,
            problem: self.problem,
        }
    }

    /// Whether its files differ from when they were last read, and are quiet.
    pub(super) fn has_changed(&mut self, now: Instant) -> bool {
        if !self.quiet.look(&self.files, now) {
            return false;
        }
        let again = self.files.read_again(None);
        let has_changed = !again.agree(&self.files);
        if !has_changed {
            info!(
                "a file of the {} was written or replaced, and says the same: nothing to do",
                self.part
            );
        }
        self.files = again;
        self.quiet = QuietFiles::new(&self.files);
        has_changed
    }

    /// Reads it again and logs what is wrong.
    pub(super) fn read(&mut self) -> Option<T> {
        let (mut files, mut result) = recorded(&mut self.reader);
        for _ in 1..MOST_READINGS {
            // It may be a mixture.
            if !files.have_moved() {
                break;
            }
            thread::sleep(QUIET);
            (files, result) = recorded(&mut self.reader);
        }
        self.quiet = QuietFiles::new(&files);
        self.files = files;
        let result = result.inspect_err(|reason| error!("{reason}"));
        self.problem = result.as_ref().err().cloned();
        result.ok()
    }
}

impl<T> fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watched").field(&self.part).finish()
    }
}
