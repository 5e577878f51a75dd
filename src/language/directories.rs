//! `[directory.NAME]`: numbers or rows in the table, or a CSV file in its folder.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::directory_file::{
    BAD_KEY, DirectoryFile, Files, NUMBER, Rows, UNKNOWN_COLUMN, csv_file, unknown_column,
};
use crate::table::directory::MOST_KEY_COLUMNS;
use crate::table::problems::{
    BAD_NAME, DUPLICATE_NAME, Key, MISSING_KEY, Problems, Value, entries,
};
use crate::table::remedy::{Remedy, listed};
use crate::twilio::spelling::nearest;

/// The directories by name; `None` for a directory that could not be read at all.
pub(super) fn directories(
    problems: &mut Problems,
    section: Option<&Value<'_>>,
    files: &dyn Files,
) -> BTreeMap<String, Option<DirectoryFile>> {
    let mut directories = BTreeMap::new();
    for (key, value) in problems.entries(section, "a table of directories") {
        let name = key.get_ref().as_ref();
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_word) {
            let message = format!("\"{name}\" cannot be a directory's name");
            let help = "use only letters, digits, - and _, so that its columns can be written as NAME.column";
            problems.error(&BAD_NAME, key.span(), message, help);
        }
        let directory = directory(problems, key, value, files);
        directories.insert(name.to_owned(), directory);
    }
    directories
}

fn directory(
    problems: &mut Problems,
    header: &Key<'_>,
    value: &Value<'_>,
    files: &dyn Files,
) -> Option<DirectoryFile> {
    let table = problems.table(value, "a directory")?;
    let name = header.get_ref().as_ref();
    let section = format!("[directory.{name}]");
    let mut sources = vec!["numbers", "rows", "file"];
    sources.retain(|key| table.contains_key(*key));
    let [source] = *sources else {
        let (message, help) = if sources.is_empty() {
            (
                format!("{section} has neither numbers nor rows nor a file"),
                "write numbers = [\"+15005550006\"], rows = [ { … } ] or file = \"NAME.csv\"",
            )
        } else {
            let message = format!("{section} has {}", listed(&sources));
            (message, "keep only one of them")
        };
        return problems.refuse(&MISSING_KEY, header.span(), message, help);
    };
    let key = match table.get("key") {
        Some(key) => key_columns(problems, key)?,
        None => vec![NUMBER],
    };
    let value = &table[source];
    let mut directory = match source {
        "numbers" if key.len() > 1 => {
            let help = "write rows = [ { … } ] or file = \"NAME.csv\" for several columns";
            let message =
                format!("{section} has one column, `number`, so its key cannot have several");
            problems.refuse(&BAD_KEY, table["key"].span(), message, help)
        }
        "numbers" => numbers(problems, name, value),
        "rows" => rows(problems, name, &key, value),
        _ => csv_file(problems, files, name, &key, value),
    }?;
    if let Some(value) = table.get("public") {
        let help = "write public = [\"phone\"]";
        let columns = problems.array(value, "an array of columns", help, DeValue::is_str);
        for item in columns.unwrap_or_default() {
            if let Some(column) = problems.name(item, "the name of a column") {
                if directory.directory.column(column).is_none() {
                    unknown_column(problems, &directory.directory, column, item.span());
                }
                directory.public.push(column.to_owned());
            }
        }
    }
    Some(directory)
}

/// The columns in `key`: a name, or an array of names.
fn key_columns<'v>(problems: &mut Problems, value: &'v Value<'_>) -> Option<Vec<&'v str>> {
    let Some(array) = value.get_ref().as_array() else {
        return Some(vec![problems.text(value, "the name of a column")?]);
    };
    let mut columns = Vec::new();
    for item in array {
        let column = problems.text(item, "the name of a column")?;
        if columns.contains(&column) {
            let message = format!("the key names the column `{column}` twice");
            let help = "name each column once";
            return problems.refuse(&DUPLICATE_NAME, item.span(), message, help);
        }
        columns.push(column);
    }
    if !(1..=MOST_KEY_COLUMNS).contains(&columns.len()) {
        let message = format!(
            "expected 1 to {MOST_KEY_COLUMNS} columns, found {}",
            columns.len()
        );
        let help = "write key = \"number\" or key = [\"number\", \"party\"]";
        return problems.refuse(&BAD_KEY, value.span(), message, help);
    }
    Some(columns)
}

fn numbers(problems: &mut Problems, name: &str, value: &Value<'_>) -> Option<DirectoryFile> {
    let help = "write numbers = [\"+15005550006\", \"+1415*\"]";
    let numbers = problems.array(value, "an array of numbers", help, DeValue::is_str)?;
    let mut rows = Rows::new(name, vec![NUMBER.to_owned()], vec![0], problems.file());
    let mut cells = Vec::new();
    for item in numbers {
        if let Some(key) = problems.text(item, "a number or a prefix ending in `*`") {
            rows.add(problems, item.span().start, &[key], |_| item.span());
            cells.push(item.span());
        }
    }
    Some(rows.in_table(cells))
}

fn rows(
    problems: &mut Problems,
    name: &str,
    key: &[&str],
    value: &Value<'_>,
) -> Option<DirectoryFile> {
    let cells: Vec<String> = key.iter().map(|key| format!("{key} = \"…\"")).collect();
    let help = format!("write rows = [ {{ {}, name = \"…\" }} ]", cells.join(", "));
    let array = problems.array(value, "an array of rows", &help, DeValue::is_table)?;
    let array = array.iter();
    let tables = array.filter_map(|row| Some((problems.table(row, "a row")?, row.span())));
    let tables: Vec<_> = tables.collect();
    let mut columns: Vec<String> = key.iter().map(|key| (*key).to_owned()).collect();
    for (column, _) in tables.iter().flat_map(|(table, _)| entries(table)) {
        let column = column.get_ref().as_ref();
        if columns.iter().all(|known| known != column) {
            columns.push(column.to_owned());
        }
    }
    check_misspelt_columns(problems, &tables, &columns);
    let positions = (0..key.len()).collect();
    let mut rows = Rows::new(name, columns.clone(), positions, problems.file());
    let mut places = Vec::new();
    for (table, row) in tables {
        let count = problems.count();
        for key in key {
            let help =
                format!("write {key} = \"…\" in it, or name another key column: key = \"…\"");
            let cell = problems.required(table, key, "this row", row.clone(), &help);
            cell.and_then(|cell| problems.text(cell, "a string"));
        }
        if problems.errors_since(count) > 0 {
            continue;
        }
        let first = places.len();
        let mut cells = Vec::with_capacity(columns.len());
        for column in &columns {
            let cell = table.get(column.as_str());
            places.push(cell.map_or(row.clone(), Value::span));
            let text = cell.and_then(|cell| problems.text(cell, "a string"));
            cells.push(text.unwrap_or_default());
        }
        rows.add(problems, row.start, &cells, |column| {
            places[first + column].clone()
        });
    }
    Some(rows.in_table(places))
}

/// Reports a column that only one row has, when that row lacks one of nearly the same name.
fn check_misspelt_columns(
    problems: &mut Problems,
    rows: &[(&DeTable<'_>, Range<usize>)],
    columns: &[String],
) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (column, _) in rows.iter().flat_map(|(row, _)| entries(row)) {
        *counts.entry(column.get_ref()).or_default() += 1;
    }
    for (row, _) in rows {
        for (column, _) in entries(row) {
            let name = column.get_ref().as_ref();
            if counts[name] > 1 || rows.len() < 3 {
                continue;
            }
            let lacking = columns.iter().map(String::as_str);
            let is_usual = |known: &str| counts.get(known).is_some_and(|count| *count > 1);
            let lacking = lacking.filter(|known| !row.contains_key(*known) && is_usual(known));
            if let Some(near) = nearest(name, lacking) {
                let message = format!("no other row has the column `{name}`");
                let help = format!("did you mean `{near}`?");
                let remedy = Remedy::source(help, near);
                problems.warn(&UNKNOWN_COLUMN, column.span(), message, remedy);
            }
        }
    }
}
