//! A directory's CSV file: a first line with the names of the columns, then a row a line.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::Compiler;
use super::directories::{MOST_BAD_ROWS, NUMBER};
use super::directory_file::{DirectoryFile, Places, field};
use crate::table::diagnostic::{Code, File};
use crate::table::directory::Directory;
use crate::table::problems::{Value, listed};

/// A longer first line, in bytes, holds no names of columns: the file is something else.
const LONGEST_FIRST_LINE: usize = 64 * 1024;

/// The columns of a file: which field of a record each is.
struct Header {
    names: Vec<String>,
    key: usize,
}

impl Compiler<'_> {
    /// The directory in the file that a table names.
    pub(super) fn csv_file(
        &mut self,
        name: &str,
        key: &str,
        value: &Value<'_>,
    ) -> Option<DirectoryFile> {
        let path = self.problems.text(value, "the name of a file")?;
        let file = self.csv_text(path, value)?;
        let header = first_line(&file.text, 0);
        if header.len() > LONGEST_FIRST_LINE {
            let message = format!("the first line has {} bytes", header.len());
            let help = "write the names of the columns into it, parted by commas: number,name";
            self.problems
                .error_in(&file, Code::BadFile, 0..0, message, help);
            return None;
        }
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .from_reader(file.text.as_bytes());
        let names = reader.headers().ok()?.iter().map(str::to_owned).collect();
        let header = self.csv_header(&file, names, key)?;
        let others: Vec<usize> = (0..header.names.len())
            .filter(|field| *field != header.key)
            .collect();
        let columns = others
            .iter()
            .map(|field| header.names[*field].clone())
            .collect();
        let mut directory = Directory::new(name, columns);
        // Room for all rows at once: to make room again and again takes longer than to read them.
        let rows = file.text.matches('\n').count();
        directory.reserve(rows, file.text.len());
        let mut records = Vec::with_capacity(rows);
        let mut record = csv::StringRecord::new();
        while let Ok(true) = reader.read_record(&mut record) {
            let start = record.position().map_or(0, csv::Position::byte);
            let start = usize::try_from(start).unwrap_or_default();
            // The position is that of the end of the line before, or of blank lines.
            let rest = &file.text[start..];
            let start = start + rest.len() - rest.trim_start_matches(['\r', '\n']).len();
            let end = usize::try_from(reader.position().byte()).unwrap_or_default();
            // The parser takes an open quote and all up to the next one, or to the end of the file, for one cell.
            let runs_on = record.iter().any(|cell| cell.contains('\n'));
            if runs_on && file.text[start..end].matches('"').count() % 2 == 1 {
                let message = "a quote in this row is not closed";
                let help = "close it; a quote inside a quoted cell is written twice";
                self.problems.error_in(
                    &file,
                    Code::BadRow,
                    first_line(&file.text, start),
                    message,
                    help,
                );
                break;
            }
            if record.len() != header.names.len() {
                if self.problems.count_in(&file) >= MOST_BAD_ROWS {
                    continue;
                }
                let place = start..field(&file.text, start, record.len() - 1).end;
                let message = format!(
                    "this row has {} cells, the first line has {}",
                    record.len(),
                    header.names.len()
                );
                let help = "write a comma for each empty cell, and quotes around a cell that holds a comma";
                self.problems
                    .error_in(&file, Code::BadRow, place, message, help);
                continue;
            }
            let cells: Vec<&str> = others.iter().map(|field| &record[*field]).collect();
            self.add_row(
                &mut directory,
                &record[header.key],
                &cells,
                key == NUMBER,
                &file,
                || field(&file.text, start, header.key),
            );
            records.push(start);
        }
        directory.shrink_to_fit();
        let fields = std::iter::once(header.key).chain(others).collect();
        let places = Places::Csv {
            file,
            records,
            fields,
        };
        Some(DirectoryFile::new(directory, places))
    }

    fn csv_text(&mut self, path: &str, value: &Value<'_>) -> Option<Arc<File>> {
        let bytes = match self.files.read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                let message = format!("cannot read {path}: {error}");
                self.problems
                    .error(Code::BadFile, value.span(), message, remedy(error.kind()));
                return None;
            }
        };
        match String::from_utf8(bytes) {
            // A byte order mark is no part of the first column's name.
            Ok(text) => Some(File::new(
                path,
                text.strip_prefix('\u{feff}').unwrap_or(&text),
            )),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let file = File::new(path, String::from_utf8_lossy(error.as_bytes()));
                let place = at..at + char::REPLACEMENT_CHARACTER.len_utf8();
                let help = "save the file as UTF-8";
                self.problems
                    .error_in(&file, Code::BadFile, place, "this is no UTF-8", help);
                None
            }
        }
    }

    fn csv_header(&mut self, file: &Arc<File>, names: Vec<String>, key: &str) -> Option<Header> {
        let start = file.text.len() - file.text.trim_start_matches(['\r', '\n']).len();
        for (position, name) in names.iter().enumerate() {
            if names[..position].contains(name) {
                let message = format!("the column `{name}` is there twice");
                let help = "give each column a name of its own";
                let place = field(&file.text, start, position);
                self.problems
                    .error_in(file, Code::DuplicateName, place, message, help);
            }
        }
        let Some(key) = names.iter().position(|name| name == key) else {
            let message = format!("{} has no column `{key}`", file.name);
            let line = start..field(&file.text, start, names.len().saturating_sub(1)).end;
            let columns: Vec<&str> = names.iter().map(String::as_str).collect();
            let help = format!(
                "its first line names {}; name another key column: key = \"…\"",
                listed(&columns)
            );
            self.problems
                .error_in(file, Code::UnknownColumn, line, message, help);
            return None;
        };
        Some(Header { names, key })
    }
}

/// The bytes of the line that begins at a byte.
fn first_line(text: &str, start: usize) -> Range<usize> {
    start
        ..text[start..]
            .find(['\r', '\n'])
            .map_or(text.len(), |at| start + at)
}

/// What may be done about a file that cannot be read.
fn remedy(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::PermissionDenied => "let the user that runs the service read it",
        io::ErrorKind::IsADirectory => "name a file in that folder",
        io::ErrorKind::InvalidInput => "write the rows to a file, and name that",
        io::ErrorKind::FileTooLarge => {
            "raise --max-directory, or spread its rows over several directories"
        }
        io::ErrorKind::OutOfMemory => "give the service more memory, or the file fewer rows",
        _ => "a relative path is one from the folder of the table",
    }
}
