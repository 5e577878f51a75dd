//! Reads whole files: the table's, those of its directories, and those with secrets. Every file that the program reads
//! whole is read here, so that each has a limit.

use std::fs::{Metadata, OpenOptions};
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fs, io};

use rustix::fs::OFlags;
use rustix::process::geteuid;

use crate::language::Files;
use crate::table::diagnostic::File;

/// The most bytes of a table's file: people write tables.
pub(crate) const MAX_TABLE: u64 = 16 << 20;

/// How much of a file is read for its first line.
const HEAD: u64 = 128 << 10;

/// Reads the whole file at a path. The caller that provides this decides how, and may remember what was read.
pub type ReadFile<'r> = &'r dyn Fn(&Path) -> io::Result<Vec<u8>>;

/// Reads a table's file, which may be a pipe. An error is a whole sentence.
pub(crate) fn read(path: &Path) -> io::Result<Arc<File>> {
    decode(path, read_any(path, MAX_TABLE))
}

/// Reads standard input as a table's file of this name. An error is a whole sentence.
pub(crate) fn read_standard_input(name: &Path) -> io::Result<Arc<File>> {
    decode(name, read_to_end_of_input(MAX_TABLE))
}

/// Reads at most this many bytes of anything that somebody names at a terminal, such as a pipe.
pub(crate) fn read_any(path: &Path, most_bytes: u64) -> io::Result<Vec<u8>> {
    whole(&fs::File::open(path)?, most_bytes)
}

/// Reads at most this many bytes of standard input.
pub(crate) fn read_to_end_of_input(most_bytes: u64) -> io::Result<Vec<u8>> {
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    whole(&fs::File::from(input), most_bytes)
}

/// The table in what was read from a file. An error is a whole sentence.
pub(super) fn decode(path: &Path, bytes: io::Result<Vec<u8>>) -> io::Result<Arc<File>> {
    let name = path.display();
    let bytes = bytes.map_err(|error| {
        let remedy = match error.kind() {
            io::ErrorKind::FileTooLarge => "; move long lists into the CSV files of directories",
            _ => "",
        };
        io::Error::other(format!("cannot read the table {name}: {error}{remedy}"))
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let readable = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = readable.split(|byte| *byte == b'\n').count();
        io::Error::other(format!(
            "the table {name} is not UTF-8 in line {line}: save it as UTF-8"
        ))
    })?;
    Ok(File::new(name.to_string(), text))
}

/// Whether a file can be read to its end more than once: it is not a pipe, a socket or a device. Reading a folder gives
/// an error that says so.
pub(crate) fn can_be_read_again(metadata: &Metadata) -> bool {
    metadata.is_file() || metadata.is_dir()
}

/// Reads a regular file of at most this many bytes. A pipe or a device may have no end, or block its reader forever.
pub(super) fn read_regular(path: &Path, most_bytes: u64) -> io::Result<Vec<u8>> {
    whole(&open_regular(path)?, most_bytes)
}

fn open_regular(path: &Path) -> io::Result<fs::File> {
    if !can_be_read_again(&fs::metadata(path)?) {
        let reason = "it is a pipe, a socket or a device, not a file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    // Some files in /proc only look regular: do not wait for those either.
    OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
}

/// Refuses a directory's file that is one of these, or is where secrets are: diagnostics would reveal its content, and
/// the last good copy would contain it.
pub(super) fn refuse_secrets(path: &Path, secrets: &[PathBuf]) -> io::Result<()> {
    let path = fs::canonicalize(path)?;
    let is_within = |place: &Path| fs::canonicalize(place).is_ok_and(|it| path.starts_with(it));
    let credentials = env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let mut places = secrets.iter().chain(&credentials);
    if places.any(|place| is_within(place)) || is_within(Path::new("/proc")) {
        let reason = "secrets are kept there";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    Ok(())
}

/// Who else has these rights to a folder of ours, and what to do about it; `None` when no other user has any of them.
/// Root may do anything anyway.
pub(super) fn others_at(folder: &Path, rights: u32) -> Option<String> {
    let metadata = fs::metadata(folder).ok()?;
    let shown = folder.display();
    if ![0, geteuid().as_raw()].contains(&metadata.uid()) {
        let owner = metadata.uid();
        return Some(format!(
            "belongs to another user, {owner}: chown it to the one that runs the service"
        ));
    }
    (metadata.mode() & rights != 0).then(|| format!("is open to others: chmod 700 {shown}"))
}

fn whole(file: &fs::File, most_bytes: u64) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len().min(most_bytes);
    let mut bytes = Vec::new();
    // One byte more shows that there is more.
    bytes.try_reserve_exact(usize::try_from(length + 1).unwrap_or_default())?;
    file.take(most_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most_bytes {
        let reason = format!("it is larger than {most_bytes} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    Ok(bytes)
}

/// The path of a file that a table names.
pub(crate) fn beside(table: &Path, written: &str) -> PathBuf {
    table.parent().unwrap_or(Path::new("")).join(written)
}

/// The files that a table's directories name.
#[derive(Debug)]
pub(crate) struct Beside<'t> {
    table: &'t Path,
    max_directory: u64,
}

impl<'t> Beside<'t> {
    /// The files of this table's directories, each of at most this many bytes.
    pub(crate) fn table(table: &'t Path, max_directory: u64) -> Self {
        Self {
            table,
            max_directory,
        }
    }
}

impl Files for Beside<'_> {
    fn read(&self, written: &str) -> io::Result<Vec<u8>> {
        let path = beside(self.table, written);
        refuse_secrets(&path, &[])?;
        read_regular(&path, self.max_directory)
    }

    fn head(&self, written: &str) -> io::Result<Vec<u8>> {
        let path = beside(self.table, written);
        refuse_secrets(&path, &[])?;
        let file = open_regular(&path)?;
        let mut bytes = Vec::new();
        file.take(HEAD).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}
