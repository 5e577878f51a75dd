//! `[directory.NAME]`: numbers or rows in place, or a CSV file beside the table.

use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::directory_file::{DirectoryFile, Places};
use super::{Compiler, shape};
use crate::table::diagnostic::{Code, File};
use crate::table::directory::{AddError, Directory};
use crate::table::problems::{Key, Value, entries, listed};

/// The most mistakes that are reported in the rows of one file beside the table: whoever has more of them has one mistake.
pub(super) const MOST_BAD_ROWS: usize = 20;

/// The column that is the key when nobody names another.
pub(super) const NUMBER: &str = "number";

impl Compiler<'_> {
    pub(super) fn lower_directories(&mut self, section: &Value<'_>) {
        let Some(tables) = self.problems.table(section, "a table of directories") else {
            return;
        };
        for (key, value) in entries(tables) {
            let name = key.get_ref().as_ref();
            let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
            if name.is_empty() || !name.bytes().all(is_word) {
                let message = format!("\"{name}\" cannot be a directory's name");
                let help = "a name has only letters, digits, - and _, so that its columns can be written as NAME.column";
                self.problems
                    .error(Code::BadName, key.span(), message, help);
            }
            let directory = self.directory(name, key, value);
            self.directories.insert(name.to_owned(), directory);
        }
    }

    fn directory(
        &mut self,
        name: &str,
        place: &Key<'_>,
        value: &Value<'_>,
    ) -> Option<DirectoryFile> {
        let table = self.problems.table(value, "a directory")?;
        let section = format!("[directory.{name}]");
        self.problems
            .unknown_keys(table, &section, &shape::DIRECTORY.keys());
        let sources: Vec<&str> = ["numbers", "rows", "file"]
            .into_iter()
            .filter(|key| table.contains_key(*key))
            .collect();
        let [source] = sources.as_slice() else {
            let (message, help) = if sources.is_empty() {
                let help =
                    "write numbers = [\"+15005550006\"], rows = [ { … } ] or file = \"NAME.csv\"";
                (
                    format!("{section} has neither numbers nor rows nor a file"),
                    help.to_owned(),
                )
            } else {
                (
                    format!("{section} has {}", listed(&sources)),
                    "keep one of them".to_owned(),
                )
            };
            self.problems
                .error(Code::MissingKey, place.span(), message, help);
            return None;
        };
        let key = match table.get("key") {
            Some(key) => self.problems.text(key, "the name of a column")?.to_owned(),
            None => NUMBER.to_owned(),
        };
        let source_value = table.get(*source)?;
        let mut directory = match *source {
            "numbers" => self.numbers(name, source_value),
            "rows" => self.rows(name, &key, source_value),
            _ => self.csv_file(name, &key, source_value),
        }?;
        directory.public = self.public(table, &directory.directory);
        Some(directory)
    }

    fn public(&mut self, table: &DeTable<'_>, directory: &Directory) -> Vec<String> {
        let Some(value) = table.get("public") else {
            return Vec::new();
        };
        let help = "write public = [\"phone\"]";
        let Some(array) = self.problems.array(value, "an array of columns", help) else {
            return Vec::new();
        };
        let mut public = Vec::new();
        for item in array {
            let Some(column) = self.problems.text(item, "the name of a column") else {
                continue;
            };
            if directory.column(column).is_none() {
                self.unknown_column(directory, column, &item.span());
            }
            public.push(column.to_owned());
        }
        public
    }

    fn numbers(&mut self, name: &str, value: &Value<'_>) -> Option<DirectoryFile> {
        let help = "write numbers = [\"+15005550006\", \"+1415*\"]";
        let numbers = self.problems.array(value, "an array of numbers", help)?;
        let mut directory = Directory::new(name, Vec::new());
        let mut cells = Vec::new();
        for item in numbers {
            if let Some(key) = self
                .problems
                .text(item, "a number or a prefix ending in `*`")
            {
                let (file, span) = (Arc::clone(self.problems.file()), item.span());
                self.add_row(&mut directory, key, &[], true, &file, || span.clone());
                cells.push(item.span());
            }
        }
        Some(self.in_table(directory, cells))
    }

    fn in_table(&self, directory: Directory, cells: Vec<Range<usize>>) -> DirectoryFile {
        let width = directory.columns().len() + 1;
        let places = Places::Table {
            file: Arc::clone(self.problems.file()),
            cells,
            width,
        };
        DirectoryFile::new(directory, places)
    }

    fn rows(&mut self, name: &str, key: &str, value: &Value<'_>) -> Option<DirectoryFile> {
        let help = format!("write rows = [ {{ {key} = \"…\", name = \"…\" }} ]");
        let rows = self.problems.array(value, "an array of rows", &help)?;
        let tables: Vec<_> = rows
            .iter()
            .filter_map(|row| Some((self.problems.table(row, "a row")?, row.span())))
            .collect();
        let mut columns: Vec<String> = Vec::new();
        for (table, _) in &tables {
            for (column, _) in entries(table) {
                let column = column.get_ref().as_ref();
                if column != key && columns.iter().all(|known| known != column) {
                    columns.push(column.to_owned());
                }
            }
        }
        let mut directory = Directory::new(name, columns.clone());
        let mut places = Vec::new();
        for (table, row) in tables {
            let Some(key_value) = table.get(key) else {
                let help =
                    format!("write {key} = \"…\" in it, or name another key column: key = \"…\"");
                self.problems.error(
                    Code::MissingKey,
                    row,
                    format!("this row has no `{key}`"),
                    help,
                );
                continue;
            };
            let Some(key_text) = self.problems.text(key_value, "a text") else {
                continue;
            };
            let mut cells = Vec::with_capacity(columns.len());
            places.push(key_value.span());
            for column in &columns {
                let cell = table.get(column.as_str());
                places.push(cell.map_or(row.clone(), Value::span));
                cells.push(
                    cell.and_then(|cell| self.problems.text(cell, "a text"))
                        .unwrap_or_default(),
                );
            }
            let file = Arc::clone(self.problems.file());
            self.add_row(
                &mut directory,
                key_text,
                &cells,
                key == NUMBER,
                &file,
                || key_value.span(),
            );
        }
        Some(self.in_table(directory, places))
    }

    /// Adds a row, and reports a key that cannot be looked up or is there already.
    pub(super) fn add_row(
        &mut self,
        directory: &mut Directory,
        key: &str,
        cells: &[&str],
        is_number: bool,
        file: &Arc<File>,
        place: impl Fn() -> Range<usize>,
    ) {
        if self.problems.count_in(file) >= MOST_BAD_ROWS {
            // The row is added all the same, so that rows keep their numbers.
            let _ = directory.add(key, cells.iter().copied());
            return;
        }
        if key.is_empty() {
            let help =
                "write a whole value, the beginning of values and `*`, or `*` for all others";
            self.problems
                .error_in(file, Code::BadKey, place(), "an empty key", help);
        } else if key.strip_suffix('*').unwrap_or(key).contains('*') {
            let help = "write a whole value, or the beginning of values and `*`";
            self.problems.error_in(
                file,
                Code::BadKey,
                place(),
                "a `*` stands only at the end of a key",
                help,
            );
        } else if is_number {
            self.check_number_in(file, key, &place);
        }
        match directory.add(key, cells.iter().copied()) {
            Ok(()) => {}
            Err(AddError::Duplicate(first)) => {
                let message = format!("{key} is in this directory already, in row {}", first + 1);
                self.problems.error_in(
                    file,
                    Code::DuplicateKey,
                    place(),
                    message,
                    "take one of the two out",
                );
            }
            Err(AddError::Full) => {
                let help = "part the directory in several";
                self.problems.error_in(
                    file,
                    Code::BadFile,
                    place(),
                    "a directory holds 4 GiB of text",
                    help,
                );
            }
        }
    }

    /// What nothing refers to is probably misspelt where it should be referred to.
    pub(super) fn check_unused(&mut self, file: &DeTable<'_>) {
        let unused = |section: &str, used: &dyn Fn(&str) -> bool| -> Vec<(String, Range<usize>)> {
            let Some(DeValue::Table(table)) = file.get(section).map(Value::get_ref) else {
                return Vec::new();
            };
            entries(table)
                .into_iter()
                .filter(|(key, _)| !used(key.get_ref()))
                .map(|(key, _)| (key.get_ref().to_string(), key.span()))
                .collect()
        };
        let directories = unused("directory", &|name| self.used_directories.contains(name));
        let schedules = unused("schedule", &|name| self.used_schedules.contains(name));
        let replies = unused("reply", &|name| {
            self.replies.get(name).is_none_or(|reply| reply.is_used)
        });
        for (name, span) in directories {
            let message = format!("no condition looks into \"{name}\"");
            let help = format!(
                "write when = {{ Called = {{ in = \"{name}\" }} }}, or take the section out"
            );
            self.problems.warn(Code::Unused, span, message, help);
        }
        for (name, span) in schedules {
            let message = format!("no route is open by \"{name}\"");
            let help = format!("write during = \"{name}\" in a route, or take the section out");
            self.problems.warn(Code::Unused, span, message, help);
        }
        for (name, span) in replies {
            let message = format!("no route has reply = \"{name}\"");
            self.problems.warn(
                Code::Unused,
                span,
                message,
                "take the section out, or use it",
            );
        }
    }
}
