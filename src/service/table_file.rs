//! Reading the file that holds the table, and the files of its directories.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{error, fmt, fs, io};

use crate::language::Files;
use crate::table::diagnostic::File;

/// Why there is no text of a table.
#[derive(Debug)]
pub enum Unreadable {
    /// The file cannot be read.
    File(PathBuf, io::Error),
    /// A byte of it is not UTF-8, in this line.
    Encoding(PathBuf, usize),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, error) => {
                write!(f, "cannot read the table {}: {error}", path.display())
            }
            Self::Encoding(path, line) => write!(
                f,
                "the table {} is not UTF-8 in line {line}: save it as UTF-8",
                path.display()
            ),
        }
    }
}

impl error::Error for Unreadable {}

/// A table's file.
///
/// # Errors
///
/// The file is missing or cannot be read, or it is not UTF-8.
pub fn read(path: &Path) -> Result<Arc<File>, Unreadable> {
    let bytes = fs::File::open(path)
        .and_then(|file| whole(&file))
        .map_err(|error| Unreadable::File(path.to_owned(), error))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let readable =
            String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
        let line = readable.matches('\n').count() + 1;
        Unreadable::Encoding(path.to_owned(), line)
    })?;
    Ok(File::new(path.display().to_string(), text))
}

/// The largest file that is read, in bytes: forty times the text of 100,000 routes.
const LARGEST: u64 = 1 << 30;

/// Whether it is no pipe, socket or device. Of a folder, reading says what is wrong with it.
#[must_use]
pub fn can_be_read_again(metadata: &fs::Metadata) -> bool {
    metadata.is_file() || metadata.is_dir()
}

/// Opens a file that can be read to its end, now and again. A pipe or a device may have none, or keep whoever reads it
/// waiting for ever.
///
/// # Errors
///
/// It is not there, is no regular file, or cannot be read.
pub fn open(path: &Path) -> io::Result<fs::File> {
    if can_be_read_again(&fs::metadata(path)?) {
        fs::File::open(path)
    } else {
        let reason = "it is no file but a pipe, a socket or a device";
        Err(io::Error::new(io::ErrorKind::InvalidInput, reason))
    }
}

/// How many bytes are read at once: while the system copies them, nobody else has the processor.
const PIECE: u64 = 64 << 10;

/// All of a file, unless it is too large.
fn whole(file: &fs::File) -> io::Result<Vec<u8>> {
    // Room for all of it, as far as it is known, and for a byte that says there is no more.
    let length = file.metadata()?.len().min(LARGEST) + 1;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(usize::try_from(length).unwrap_or_default())?;
    read_to_end(file, &mut bytes)?;
    Ok(bytes)
}

fn read_to_end(mut file: impl Read, bytes: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let read = file.by_ref().take(PIECE).read_to_end(bytes)?;
        if bytes.len() as u64 > LARGEST {
            let reason = "it is larger than 1 GiB";
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
        }
        // The end is not asked for again: a terminal would wait for another one.
        if (read as u64) < PIECE {
            return Ok(());
        }
    }
}

/// The files beside a table.
#[derive(Debug)]
pub struct Beside(PathBuf);

impl Beside {
    /// Those in the folder of this table.
    #[must_use]
    pub fn table(path: &Path) -> Self {
        Self(path.parent().unwrap_or(Path::new("")).to_owned())
    }

    /// Where a file is that a table names.
    #[must_use]
    pub fn path(&self, written: &str) -> PathBuf {
        self.0.join(written)
    }
}

impl Files for Beside {
    fn read(&self, written: &str) -> io::Result<Vec<u8>> {
        open(&self.path(written)).and_then(|file| whole(&file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes with one end behind them, as a terminal has it.
    struct Typed {
        left: usize,
        has_ended: bool,
    }

    impl Read for Typed {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            assert!(!self.has_ended, "asked for another end");
            let count = self.left.min(buffer.len());
            self.left -= count;
            self.has_ended = count == 0;
            Ok(count)
        }
    }

    #[test]
    fn a_file_is_read_to_its_end_and_no_further() {
        let piece = usize::try_from(PIECE).expect("a small number");
        for length in [0, 1, piece - 1, piece, piece + 1, 3 * piece] {
            let typed = Typed {
                left: length,
                has_ended: false,
            };
            let mut bytes = Vec::new();
            read_to_end(typed, &mut bytes).expect("it can be read");
            assert_eq!(bytes.len(), length);
        }
    }
}
