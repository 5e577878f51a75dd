//! `check --fix`: writes the changed files, and shows what has changed in them.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, chown};
use std::path::Path;

use anyhow::{Context, Result};
use similar::{ChangeTag, TextDiff};

use crate::language::Mended;
use crate::service::table_file;
use crate::table::visible::shown;

/// The most changed lines of a file that are shown.
const MOST_LINES: usize = 200;

/// Writes the corrections of a table, and returns the changes as text.
///
/// # Errors
///
/// A file cannot be written, or has changed since it was read; the files before it have been written.
pub(super) fn write(path: &Path, old_table: &str, mended: &Mended) -> Result<String> {
    let mut changes = String::new();
    for (name, new) in &mended.files {
        let path = table_file::beside(path, name);
        let old = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        replace(&path, &old, new)?;
        let [old, new] = [&old, new].map(|bytes| String::from_utf8_lossy(bytes));
        changes += &changed_lines(name, &old, &new);
    }
    let new = &mended.table.text;
    if new != old_table {
        replace(path, old_table.as_bytes(), new.as_bytes())?;
        changes.insert_str(0, &changed_lines(&mended.table.name, old_table, new));
    }
    Ok(changes)
}

/// Replaces the content of a file atomically, with the same owner and permissions, provided that the file still
/// contains `old`.
fn replace(path: &Path, old: &[u8], new: &[u8]) -> Result<()> {
    let shown = path.display();
    let write = || {
        // Follows a symbolic link instead of replacing it.
        let path = fs::canonicalize(path)?;
        let metadata = fs::metadata(&path)?;
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.unfinished", std::process::id()));
        let unfinished = path.with_file_name(name);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&unfinished)?;
        let written = file
            .write_all(new)
            .and_then(|()| keep_owner(&file, &unfinished, &metadata))
            .and_then(|()| file.sync_all())
            .and_then(|()| {
                if fs::read(&path)? != old {
                    return Err(io::Error::other("it has changed since it was read"));
                }
                fs::rename(&unfinished, &path)
            });
        written.inspect_err(|_| {
            // A leftover file does no harm.
            let _ = fs::remove_file(&unfinished);
        })
    };
    write().with_context(|| format!("cannot write {shown}"))
}

fn keep_owner(file: &File, path: &Path, of: &fs::Metadata) -> io::Result<()> {
    let made = file.metadata()?;
    if (made.uid(), made.gid()) != (of.uid(), of.gid()) {
        chown(path, Some(of.uid()), Some(of.gid()))?;
    }
    file.set_permissions(of.permissions())
}

/// The changed lines of a file, old and new, with their numbers.
fn changed_lines(name: &str, old: &str, new: &str) -> String {
    let diff = TextDiff::from_lines(old, new);
    let changes = diff.iter_all_changes();
    let changes = changes.filter_map(|change| {
        let (line, sign, colour) = match change.tag() {
            ChangeTag::Delete => (change.old_index()?, '-', "\x1b[31m"),
            ChangeTag::Insert => (change.new_index()?, '+', "\x1b[32m"),
            ChangeTag::Equal => return None,
        };
        let text = shown(
            &change
                .value()
                .trim_start_matches('\u{feff}')
                .trim_end_matches(['\r', '\n'])
                .replace('\t', "    "),
        );
        Some(format!("{:>5} {colour}{sign} {text}\x1b[0m\n", line + 1))
    });
    let changes: Vec<String> = changes.collect();
    let mut text = format!(
        "{}\n{}",
        shown(name),
        changes[..changes.len().min(MOST_LINES)].concat()
    );
    let left = changes.len().saturating_sub(MOST_LINES);
    if left > 0 {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "      and {left} more lines");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_has_changed_since_is_left_alone() {
        let name = format!("twiml-responder-fixes-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join("a.toml");
        fs::write(&path, "a = 2\n").expect("a file");
        let error = replace(&path, b"a = 1\n", b"a = 3\n").expect_err("it has changed");
        assert!(
            format!("{error:#}").ends_with(": it has changed since it was read"),
            "{error:#}"
        );
        replace(&path, b"a = 2\n", b"a = 3\n").expect("it has not");
        let left = fs::read_dir(&folder).expect("a folder").count();
        assert_eq!(
            (left, fs::read(&path).expect("the file")),
            (1, b"a = 3\n".to_vec())
        );
        fs::remove_dir_all(folder).expect("it is there");
    }

    #[test]
    fn only_changed_lines_are_shown() {
        let old = "a = 1\r\nb = 2\r\n\tc\u{1b} = 3\r\nd\r\n";
        let new = "a = 1\r\nb = 3\r\n\tc = 3\r\nd\r\n";
        assert_eq!(
            changed_lines("x.toml", old, new),
            "x.toml\n    \
             2 \x1b[31m- b = 2\x1b[0m\n    \
             3 \x1b[31m-     c\\u{1b} = 3\x1b[0m\n    \
             2 \x1b[32m+ b = 3\x1b[0m\n    \
             3 \x1b[32m+     c = 3\x1b[0m\n"
        );
        let many = "a\n".repeat(150);
        let text = changed_lines("x", &many, &many.replace('a', "b"));
        assert!(text.ends_with("      and 100 more lines\n"), "{text}");
    }
}
