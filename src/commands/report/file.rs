//! A page written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process;

/// Writes a file beside its place, for its owner alone, and then moves it there: whoever looks meanwhile sees the old one
/// or the new one. A link stays, and what it leads to is replaced.
///
/// # Errors
///
/// There is something else than a file, or it cannot be written; then nothing has changed.
pub(super) fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let place = match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => fs::canonicalize(path)?,
        Ok(_) => return Err(io::Error::other("it is there already and no file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        Err(error) => return Err(error),
    };
    let beside = beside(&place)?;
    let written = write_new(&beside, text).and_then(|()| fs::rename(&beside, &place));
    if written.is_err() {
        // The first error says more than another.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// A name in the same folder that nobody else has.
fn beside(place: &Path) -> io::Result<PathBuf> {
    let name = place
        .file_name()
        .ok_or_else(|| io::Error::other("it has no file name"))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}", process::id()));
    Ok(place.with_file_name(hidden))
}

fn write_new(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file: File = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text)?;
    file.sync_all()
}
