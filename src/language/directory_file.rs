//! The rows of a directory with the places of their cells, and the CSV file that may contain them: a first line with the
//! names of the columns, then a row a line.

use std::cell::RefCell;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use crate::table::diagnostic::{Check, Diagnostic, File};
use crate::table::directory::{AddError, Directory, Row, prefix};
use crate::table::problems::{DUPLICATE_NAME, Place, Problems, Value};
use crate::table::remedy::{Remedy, did_you_mean, listed};
use crate::twilio::parameters::Comparison;
use crate::twilio::spelling::nearest;

pub(super) static BAD_KEY: Check = Check::new(
    "bad-key",
    "A directory key that no lookup can find: it is empty, or has a `*` before its last character. Write a complete value, a
prefix and `*`, or `*` alone for all other values. A key of several columns is always complete: none of its cells has a
`*`.",
    r#"numbers = ["+1*500"]"#,
);

pub(super) static DUPLICATE_KEY: Check = Check::new(
    "duplicate-key",
    "A key that the directory already has. Only the first row would ever be found, so one of the two is a mistake. Remove
it.",
    r#"numbers = ["+15005550006", "+15005550006"]"#,
);

pub(super) static BAD_FILE: Check = Check::new(
    "bad-file",
    "A directory's CSV file does not exist, cannot be read, is not UTF-8, or does not separate its cells with commas. A
relative path starts at the table's folder, not at the folder in which the command runs. Correct the path, or save the
file as UTF-8 with commas.",
    r#"[directory.sellers]
file = "seller.csv"     # the file is sellers.csv"#,
);

pub(super) static BAD_ROW: Check = Check::new(
    "bad-row",
    "A row of a CSV file does not have the same number of cells as the first line. Write a comma for each empty cell, and
quotes around a cell that contains a comma.",
    "number,name,city
+15005550006,Ann, Jr.,NY",
);

pub(super) static UNKNOWN_COLUMN: Check = Check::absence(
    "unknown-column",
    "A column that the directory does not have, or a CSV file whose first line does not name the key column. The column names
are those in the first line, letter for letter.",
    r#"voice = [ { Say = "{{ sellers.Name }}" } ]     # the column is `name`"#,
);

/// The column that is the key when the table names no other.
pub(super) const NUMBER: &str = "number";

/// A longer first line, in bytes, holds no names of columns: the file is something else.
const LONGEST_FIRST_LINE: usize = 64 * 1024;

/// The most bytes of a cell: as many as a document has.
const LONGEST_CELL: usize = 64 * 1024;

/// No change is offered for the separators of a file that has more bytes.
const MOST_REWRITTEN: usize = 1 << 20;

/// The files that a table's directories name.
pub trait Files {
    /// The bytes of a file; a relative path is one from the table's folder.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    fn read(&self, path: &str) -> io::Result<Vec<u8>>;

    /// The beginning of a file: at least its first line, unless that is very long.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    fn head(&self, path: &str) -> io::Result<Vec<u8>> {
        self.read(path)
    }
}

/// No files: for tables whose directories have no files.
#[derive(Debug, Clone, Copy)]
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _path: &str) -> io::Result<Vec<u8>> {
        let kind = io::ErrorKind::Unsupported;
        Err(io::Error::new(kind, "there are no files here"))
    }
}

/// A directory and the places of its cells.
#[derive(Debug)]
pub(super) struct DirectoryFile {
    pub directory: Arc<Directory>,
    /// The dialled columns that callers may nevertheless hear or read.
    pub public: Vec<String>,
    pub places: Places,
    /// Copies of the directory with the key in other forms, by how the key's columns are compared.
    folded: RefCell<Vec<(Vec<Comparison>, Arc<Directory>)>>,
}

/// The places of a directory's cells.
#[derive(Debug)]
pub(super) enum Places {
    /// In the table: a place for each cell. An absent cell has the place of its row.
    Table {
        file: Arc<File>,
        cells: Vec<Range<usize>>,
        width: usize,
    },
    /// In a CSV file: the byte at which each record begins.
    Csv {
        file: Arc<File>,
        records: Vec<usize>,
    },
}

impl DirectoryFile {
    fn new(directory: Directory, places: Places) -> Self {
        Self {
            directory: Arc::new(directory),
            public: Vec::new(),
            places,
            folded: RefCell::default(),
        }
    }

    /// The path of the CSV file and how many rows it has; `None` when the rows are in the table.
    pub(super) fn rows(&self) -> Option<(String, usize)> {
        match &self.places {
            Places::Csv { file, .. } => Some((file.name.clone(), self.directory.len())),
            Places::Table { .. } => None,
        }
    }

    /// The directory with its key in the form in which values are compared. Built on first use.
    pub(super) fn compared(&self, comparisons: Vec<Comparison>) -> Arc<Directory> {
        if !comparisons.iter().any(|comparison| comparison.folds()) {
            return Arc::clone(&self.directory);
        }
        let mut folded = self.folded.borrow_mut();
        if let Some((_, directory)) = folded.iter().find(|(known, _)| *known == comparisons) {
            return Arc::clone(directory);
        }
        let directory = Arc::new(self.directory.folded(&comparisons));
        folded.push((comparisons, Arc::clone(&directory)));
        directory
    }

    /// Whether both are read from the same CSV file.
    pub(super) fn has_source_of(&self, other: &Self) -> bool {
        match (&self.places, &other.places) {
            (Places::Csv { file, .. }, Places::Csv { file: other, .. }) => file.name == other.name,
            _ => false,
        }
    }

    /// The place of a cell.
    pub(super) fn place(&self, row: Row, column: usize) -> (Arc<File>, Range<usize>) {
        let row = row as usize;
        let (file, place) = match &self.places {
            Places::Table { file, cells, width } => {
                (file, cells.get(row * width + column).cloned())
            }
            Places::Csv { file, records } => {
                let start = records.get(row);
                (file, start.map(|start| field(&file.text, *start, column)))
            }
        };
        (Arc::clone(file), place.unwrap_or_default())
    }
}

/// The bytes of one field, quotes included, in the record that begins at `start`; the whole record when it has too few
/// fields.
fn field(text: &str, start: usize, wanted: usize) -> Range<usize> {
    let (mut index, mut begin, mut is_quoted) = (0, start, false);
    for (at, byte) in text.bytes().enumerate().skip(start) {
        match byte {
            // A quote is special only at the beginning of a field and inside a quoted field.
            b'"' if is_quoted || at == begin => is_quoted = !is_quoted,
            b',' | b'\n' | b'\r' if !is_quoted => {
                if index == wanted {
                    return begin..at;
                }
                if byte != b',' {
                    return start..at;
                }
                (index, begin) = (index + 1, at + 1);
            }
            _ => {}
        }
    }
    let begin = if index == wanted { begin } else { start };
    begin..text.len()
}

/// The error for a column that is not in a directory.
pub(super) fn unknown_column<'p>(
    problems: &'p mut Problems,
    directory: &Directory,
    column: &str,
    place: impl Into<Place>,
) -> &'p mut Diagnostic {
    let columns: Vec<&str> = directory.columns().iter().map(String::as_str).collect();
    let otherwise = format!("it has {}", listed(&columns));
    let remedy = did_you_mean('`', column, columns, otherwise);
    let name = directory.name();
    let message = format!("directory \"{name}\" has no column `{column}`");
    problems.error(&UNKNOWN_COLUMN, place, message, remedy)
}

/// A directory whose rows are still being read.
pub(super) struct Rows {
    directory: Directory,
    /// The file that contains the rows.
    file: Arc<File>,
    /// Where each row begins.
    starts: Vec<usize>,
}

impl Rows {
    /// A directory without rows. `key` has the positions of the key columns.
    pub(super) fn new(name: &str, columns: Vec<String>, key: Vec<usize>, file: &Arc<File>) -> Self {
        Self {
            directory: Directory::new(name, columns, key),
            file: Arc::clone(file),
            starts: Vec::new(),
        }
    }

    /// Adds the row that begins at a byte. Reports a key that cannot be looked up or that is already there. `place`
    /// returns the place of a column's cell.
    pub(super) fn add(
        &mut self,
        problems: &mut Problems,
        start: usize,
        cells: &[&str],
        place: impl Fn(usize) -> Range<usize>,
    ) {
        let added = self.directory.add(cells.iter().copied());
        self.starts.push(start);
        if let Some(column) = cells.iter().position(|cell| cell.len() > LONGEST_CELL) {
            let message = format!(
                "a cell of {} bytes, and one has at most {LONGEST_CELL}",
                cells[column].len()
            );
            let help = "shorten it; a quote that is not closed takes what follows into its cell";
            let place = (&self.file, place(column));
            problems.error(&BAD_ROW, place, message, help);
        }
        for column in self.directory.key_columns() {
            self.check_key(problems, cells[*column], || place(*column));
        }
        let key = self.directory.key_columns();
        let place = || place(key[0]);
        let file = &self.file;
        let (check, message, help) = match added {
            Ok(()) => return,
            Err(AddError::Duplicate(first)) => {
                let key = self.directory.key(first).join(", ");
                let line = |at: usize| file.position(at).0;
                let first = line(self.starts[first as usize]);
                let message = if first == line(start) {
                    format!("{key} is already in this directory")
                } else {
                    format!("{key} is already in this directory, in line {first}")
                };
                (&DUPLICATE_KEY, message, "remove one of the two")
            }
            Err(AddError::Full) => (
                &BAD_FILE,
                "a directory can hold at most 4 GiB of text".to_owned(),
                "split the directory",
            ),
        };
        problems.error(check, (file, place()), message, help);
    }

    fn check_key(&self, problems: &mut Problems, cell: &str, place: impl Fn() -> Range<usize>) {
        let is_alone = self.directory.key_columns().len() == 1;
        let mut bad_key = |message, help| {
            problems.error(&BAD_KEY, (&self.file, place()), message, help);
        };
        if cell.is_empty() {
            let help = if is_alone {
                "write a complete value, a prefix and `*`, or `*` for all other values"
            } else {
                "write a complete value"
            };
            bad_key("an empty key", help);
        } else if !is_alone && cell.contains('*') {
            let message = "a key of several columns cannot have a `*`";
            bad_key(message, "write one row for each complete value");
        } else if prefix(&[cell]).unwrap_or(cell).contains('*') {
            let help = "write a complete value, or a prefix and `*`";
            bad_key("`*` is allowed only at the end of a key", help);
        }
    }

    /// The directory, when its cells are in the table.
    pub(super) fn in_table(self, cells: Vec<Range<usize>>) -> DirectoryFile {
        let places = Places::Table {
            width: self.directory.columns().len(),
            file: self.file,
            cells,
        };
        DirectoryFile::new(self.directory, places)
    }
}

/// The directory in the CSV file that a table names.
pub(super) fn csv_file(
    problems: &mut Problems,
    files: &dyn Files,
    name: &str,
    key: &[&str],
    value: &Value<'_>,
) -> Option<DirectoryFile> {
    let path = problems.name(value, "the name of a file")?;
    let file = csv_text(problems, files, path, value)?;
    let (titles, key) = titles(problems, &file, key, value)?;
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .from_reader(file.text.as_bytes());
    let width = titles.len();
    let mut rows = Rows::new(name, titles, key, &file);
    // Allocates room for all rows at once: growing step by step would take longer than reading them.
    let count = file.text.matches('\n').count();
    rows.directory.reserve(count, file.text.len());
    rows.starts.reserve(count);
    let mut record = csv::StringRecord::new();
    while let Ok(true) = reader.read_record(&mut record) {
        let start = record.position().map_or(0, csv::Position::byte);
        let start = usize::try_from(start).unwrap_or_default();
        // The parser's position is the end of the previous line, before any blank lines.
        let rest = &file.text[start..];
        let start = start + rest.len() - rest.trim_start_matches(['\r', '\n']).len();
        let end = usize::try_from(reader.position().byte()).unwrap_or_default();
        // The parser reads an unclosed quote and everything up to the next quote or the end of the file as one cell.
        let runs_on = record.iter().any(|cell| cell.contains('\n'));
        if runs_on && file.text[start..end].matches('"').count() % 2 == 1 {
            let message = "a quote in this row is not closed";
            let help = "close it; to write a quote inside a quoted cell, double it";
            let line = first_line(&file.text, start);
            problems.error(&BAD_ROW, (&file, line), message, help);
            break;
        }
        // Spreadsheets write empty cells, and rows of only commas, where cells once had a border or a colour.
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        let found = record.len();
        if found < width || record.iter().skip(width).any(|cell| !cell.is_empty()) {
            let place = start..field(&file.text, start, found - 1).end;
            let cells = if found == 1 { "cell" } else { "cells" };
            let message = format!("this row has {found} {cells}, the first line has {width}");
            let help =
                "write a comma for each empty cell, and quotes around a cell that contains a comma";
            problems.error(&BAD_ROW, (&file, place), message, help);
            continue;
        }
        let cells: Vec<&str> = record.iter().take(width).collect();
        rows.add(problems, start, &cells, |column| {
            field(&file.text, start, column)
        });
    }
    let places = Places::Csv {
        file,
        records: rows.starts,
    };
    Some(DirectoryFile::new(rows.directory, places))
}

/// The name of a column and where it stands.
pub(super) type Title = (String, Range<usize>);

/// The names in the first line of a CSV file. `None` for a file that cannot be read or does not name the
/// key: that may be any file.
pub(super) fn titles_of(
    files: &dyn Files,
    path: &str,
    key: &[&str],
) -> Option<(Arc<File>, Vec<Title>)> {
    let mut bytes = files.head(path).ok()?;
    let length = bytes.iter().position(|byte| b"\r\n".contains(byte));
    bytes.truncate(length.unwrap_or(bytes.len()).min(LONGEST_FIRST_LINE));
    let text = String::from_utf8(bytes).ok()?;
    let file = File::new(path, text.trim_start_matches('\u{feff}'));
    let titles = cells(&file.text, b',');
    if !key
        .iter()
        .all(|key| titles.iter().any(|title| title == key))
    {
        return None;
    }
    let titles = titles.into_iter().enumerate();
    let titles = titles.map(|(index, title)| (title, field(&file.text, 0, index)));
    let titles = titles.collect();
    Some((file, titles))
}

fn csv_text(
    problems: &mut Problems,
    files: &dyn Files,
    path: &str,
    value: &Value<'_>,
) -> Option<Arc<File>> {
    let bytes = match files.read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let message = format!("cannot read {path}: {error}");
            return problems.refuse(&BAD_FILE, value.span(), message, remedy(error.kind()));
        }
    };
    let utf8 = "save it as UTF-8, which Excel calls \"CSV UTF-8 (Comma delimited)\"";
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        let message = format!("{path} is UTF-16, not UTF-8");
        return problems.refuse(&BAD_FILE, value.span(), message, utf8);
    }
    match String::from_utf8(bytes) {
        Ok(text) => {
            // A byte order mark is not part of the first column's name.
            let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
            Some(File::new(path, text))
        }
        Err(error) => {
            let (before, rest) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
            let line = before.split(|byte| *byte == b'\n').count();
            let message = format!(
                "{path} is not UTF-8: line {line} has the byte 0x{:02X}, as in Windows-1252",
                rest[0]
            );
            problems.refuse(&BAD_FILE, value.span(), message, utf8)
        }
    }
}

/// The column names in the first line, and the positions of the key columns. A file without the key columns may be any
/// file, even a secret, so none of its contents are shown.
fn titles(
    problems: &mut Problems,
    file: &Arc<File>,
    key: &[&str],
    value: &Value<'_>,
) -> Option<(Vec<String>, Vec<usize>)> {
    let name = &file.name;
    let start = file.text.len() - file.text.trim_start_matches(['\r', '\n']).len();
    let line = first_line(&file.text, start);
    if line.len() > LONGEST_FIRST_LINE {
        let message = format!("the first line of {name} has {} bytes", line.len());
        let help = "write the names of the columns there, separated by commas: number,name";
        return problems.refuse(&BAD_FILE, value.span(), message, help);
    }
    let titles = cells(&file.text[line.clone()], b',');
    let has_key = |titles: &[String]| {
        key.iter()
            .all(|key| titles.iter().any(|title| title == key))
    };
    if !has_key(&titles) {
        let separators = [
            (b';', "semicolons"),
            (b'\t', "tabs"),
            (b'|', "vertical bars"),
        ];
        let header = &file.text[line.clone()];
        let mut others = separators.iter();
        let other = others.find(|(separator, _)| has_key(&cells(header, *separator)));
        if let Some((separator, noun)) = other {
            let message = format!("the cells of {name} are separated by {noun}, not commas");
            let help = "separate them with commas";
            let error = problems.error(&BAD_FILE, (file, line), message, help);
            if let Some(text) = with_commas(&file.text, *separator) {
                error.fix(0..file.text.len(), text);
            }
            return None;
        }
    }
    let mut fields = Vec::with_capacity(key.len());
    for key in key {
        if let Some(position) = titles.iter().position(|title| title == key) {
            fields.push(position);
            continue;
        }
        let message = format!("{name} has no column `{key}`");
        if let Some(near) = nearest(key, titles.iter().map(String::as_str)) {
            let place = titles.iter().position(|title| title == near);
            let place = field(&file.text, start, place.unwrap_or_default());
            let help =
                format!("write `{key}` for `{near}`, or name another key column: key = \"…\"");
            let remedy = Remedy::word(help, *key);
            return problems.refuse(&UNKNOWN_COLUMN, (file, place), message, remedy);
        }
        let help = format!(
            "name the columns in its first line, such as {key},name, or name another key column: key = \"…\""
        );
        return problems.refuse(&UNKNOWN_COLUMN, value.span(), message, help);
    }
    for (position, title) in titles.iter().enumerate() {
        if !title.is_empty() && titles[..position].contains(title) {
            let message = format!("the column `{title}` occurs twice");
            let help = "give each column a unique name";
            let place = field(&file.text, start, position);
            problems.error(&DUPLICATE_NAME, (file, place), message, help);
        }
    }
    Some((titles, fields))
}

/// The trimmed cells of a line.
fn cells(line: &str, separator: u8) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator)
        .has_headers(false)
        .trim(csv::Trim::All)
        .from_reader(line.as_bytes());
    let record = reader.records().next().and_then(Result::ok);
    record
        .unwrap_or_default()
        .iter()
        .map(str::to_owned)
        .collect()
}

/// Rewrites a file whose cells have another separator so that they are separated by commas.
fn with_commas(text: &str, separator: u8) -> Option<String> {
    if text.len() > MOST_REWRITTEN {
        return None;
    }
    let is_windows = text.contains("\r\n");
    let mut writer = csv::WriterBuilder::new()
        .flexible(true)
        .terminator(if is_windows {
            csv::Terminator::CRLF
        } else {
            csv::Terminator::Any(b'\n')
        })
        .from_writer(Vec::new());
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator)
        .flexible(true)
        .has_headers(false)
        .from_reader(text.as_bytes());
    for record in reader.records() {
        writer.write_record(&record.ok()?).ok()?;
    }
    String::from_utf8(writer.into_inner().ok()?).ok()
}

/// The range of the line that begins at `start`.
fn first_line(text: &str, start: usize) -> Range<usize> {
    let length = text[start..].find(['\r', '\n']);
    start..length.map_or(text.len(), |length| start + length)
}

/// What to do about a file that cannot be read.
fn remedy(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::PermissionDenied => "let the user that runs the service read it",
        io::ErrorKind::IsADirectory => "name a file in that folder",
        io::ErrorKind::InvalidInput => "write the rows to a regular file, and name that file",
        io::ErrorKind::FileTooLarge => {
            "raise --max-directory, or spread its rows over several directories"
        }
        io::ErrorKind::OutOfMemory => "give the service more memory, or the file fewer rows",
        _ => "relative paths start at the table's folder",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_a_record_is_found_between_its_commas() {
        let text = "number,name\n+1,\"a, \"\"b\"\"\"\n+2,c";
        let second = text.find("+1").expect("a row");
        let third = text.find("+2").expect("a row");
        assert_eq!(&text[field(text, 0, 1)], "name");
        assert_eq!(&text[field(text, second, 0)], "+1");
        assert_eq!(&text[field(text, second, 1)], "\"a, \"\"b\"\"\"");
        assert_eq!(&text[field(text, third, 1)], "c");
        assert_eq!(&text[field(text, third, 5)], "+2,c");
    }
}
