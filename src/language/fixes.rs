//! Applies the fixes of diagnostics to a table and its directory files.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::{Compiled, Files, compile};
use crate::table::diagnostic::{Diagnostic, File, Fix};

/// One mistake can hide another, so a table is read again after it was mended, at most so often.
const MOST_READINGS: usize = 50;

/// How a file in UTF-8 may begin; it is not part of [`File::text`] in a directory's file.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A table and its files after every correction that is beyond doubt.
#[derive(Debug)]
pub struct Mended {
    /// The table as it is now.
    pub table: Arc<File>,
    /// What the directory files hold now that were changed, by the path that the table has for them.
    pub files: BTreeMap<String, Vec<u8>>,
    /// How many mistakes were mended.
    pub count: usize,
    /// What the table is now, or what is still wrong with it.
    pub result: Result<Compiled, Vec<Diagnostic>>,
}

/// The files of a table's directories, with changes that are not yet written.
struct Changed<'f> {
    files: &'f dyn Files,
    changed: BTreeMap<String, Vec<u8>>,
}

impl Files for Changed<'_> {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        match self.changed.get(path) {
            Some(bytes) => Ok(bytes.clone()),
            None => self.files.read(path),
        }
    }
}

/// Compiles a table and corrects it until no diagnostic has a fix. Writes nothing.
pub fn mend(file: &Arc<File>, files: &dyn Files) -> Mended {
    let mut table = Arc::clone(file);
    let changed = BTreeMap::new();
    let mut files = Changed { files, changed };
    let mut count = 0;
    let mut result = compile(&table, &files);
    for _ in 0..MOST_READINGS {
        let diagnostics = match &result {
            Ok(compiled) => &compiled.warnings,
            Err(diagnostics) => diagnostics,
        };
        let with_fix = diagnostics.iter().filter(|one| one.fix.is_some());
        let to_change: BTreeMap<&str, &Arc<File>> = with_fix
            .map(|diagnostic| (&*diagnostic.file.name, &diagnostic.file))
            .collect();
        let mut new_table = None;
        for file in to_change.into_values() {
            let (text, fixes) = fixed(file, diagnostics);
            count += fixes;
            if **file == *table {
                new_table = Some(File::new(table.name.clone(), text));
                continue;
            }
            let old = files.read(&file.name).unwrap_or_default();
            let mark = if old.starts_with(BYTE_ORDER_MARK) {
                BYTE_ORDER_MARK
            } else {
                b""
            };
            let new = [mark, text.as_bytes()].concat();
            files.changed.insert(file.name.clone(), new);
        }
        let is_mended = new_table.is_none() && diagnostics.iter().all(|one| one.fix.is_none());
        table = new_table.unwrap_or(table);
        if is_mended {
            break;
        }
        result = compile(&table, &files);
    }
    Mended {
        table,
        files: files.changed,
        count,
        result,
    }
}

/// The text of a file after applying the fixes of its own diagnostics, and the number of fixes applied. Of overlapping
/// fixes, only the first is applied.
#[must_use]
pub fn fixed(file: &File, diagnostics: &[Diagnostic]) -> (String, usize) {
    let ours = diagnostics.iter().filter(|one| *one.file == *file);
    let mut fixes: Vec<&Fix> = ours.filter_map(|one| one.fix.as_ref()).collect();
    fixes.sort_by_key(|fix| (fix.span.start, fix.span.end));
    let mut text = String::with_capacity(file.text.len());
    let (mut end, mut count) = (0, 0);
    let mut last_start = None;
    for Fix { span, text: new } in fixes {
        let is_apart = span.start >= end && last_start != Some(span.start);
        let between = file.text.get(end..span.start);
        if let Some(between) = between.filter(|_| is_apart && span.end <= file.text.len()) {
            text += between;
            text += new;
            (end, last_start) = (span.end, Some(span.start));
            count += 1;
        }
    }
    text += &file.text[end..];
    (text, count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::syntax::TOML_SYNTAX;
    use crate::table::diagnostic::Severity;

    #[test]
    fn of_fixes_that_overlap_the_first_is_made() {
        let file = File::new("x", "one two three");
        let fix = |start: usize, end: usize, text: &str| Diagnostic {
            check: &TOML_SYNTAX,
            severity: Severity::Error,
            file: Arc::clone(&file),
            span: start..end,
            message: String::new(),
            help: String::new(),
            error_number: None,
            fix: Some(Fix {
                span: start..end,
                text: text.to_owned(),
            }),
            more: 0,
        };
        for (fixes, text, count) in [
            (&[] as &[_], "one two three", 0),
            (&[(4, 7, "2"), (0, 3, "1")], "1 2 three", 2),
            (&[(0, 7, "1"), (4, 7, "2")], "1 three", 1),
            (
                &[(3, 3, ","), (3, 3, ","), (7, 7, ",")],
                "one, two, three",
                2,
            ),
            (&[(0, 3, "1"), (3, 3, ",")], "1, two three", 2),
            (&[(13, 13, "!")], "one two three!", 1),
        ] {
            let fixes: Vec<_> = fixes
                .iter()
                .map(|(start, end, new)| fix(*start, *end, new))
                .collect();
            assert_eq!(fixed(&file, &fixes), (text.to_owned(), count));
        }
        let other = File::new("y", "one two three");
        assert_eq!(fixed(&other, &[fix(0, 3, "1")]).1, 0);
    }
}
