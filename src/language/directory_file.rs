//! A directory with the places of its cells, in the table or in a file beside it.

use std::cell::OnceCell;
use std::ops::Range;
use std::sync::Arc;

use crate::table::diagnostic::File;
use crate::table::directory::{Directory, Row};

/// A directory and where it stands.
#[derive(Debug)]
pub(super) struct DirectoryFile {
    pub directory: Arc<Directory>,
    /// The columns that may be told to callers although they are dialled.
    pub public: Vec<String>,
    pub places: Places,
    /// The directory as a parameter looks into it that is compared without regard to case.
    folded: OnceCell<Arc<Directory>>,
}

/// Where the cells of a directory stand.
#[derive(Debug)]
pub(super) enum Places {
    /// In the table: a place for each cell, the key first; an absent cell has that of its row.
    Table {
        file: Arc<File>,
        cells: Vec<Range<usize>>,
        width: usize,
    },
    /// In a CSV file: where each record begins, and which field of a record each column is.
    Csv {
        file: Arc<File>,
        records: Vec<usize>,
        fields: Vec<usize>,
    },
}

impl DirectoryFile {
    pub(super) fn new(directory: Directory, places: Places) -> Self {
        Self {
            directory: Arc::new(directory),
            public: Vec::new(),
            places,
            folded: OnceCell::new(),
        }
    }

    /// The path of the CSV file and how many rows it has; `None` when the rows stand in the table.
    pub(super) fn rows(&self) -> Option<(String, usize)> {
        match &self.places {
            Places::Csv { file, .. } => Some((file.name.clone(), self.directory.len())),
            Places::Table { .. } => None,
        }
    }

    /// The directory with its keys folded, made when it is first asked for.
    pub(super) fn folded(&self) -> &Arc<Directory> {
        self.folded
            .get_or_init(|| Arc::new(self.directory.folded()))
    }

    /// Where a cell stands; `position` 0 is the key.
    pub(super) fn place(&self, row: Row, position: usize) -> (Arc<File>, Range<usize>) {
        match &self.places {
            Places::Table { file, cells, width } => (
                Arc::clone(file),
                cells
                    .get(row as usize * width + position)
                    .cloned()
                    .unwrap_or(0..0),
            ),
            Places::Csv {
                file,
                records,
                fields,
            } => {
                let start = records.get(row as usize).copied().unwrap_or_default();
                (
                    Arc::clone(file),
                    field(
                        &file.text,
                        start,
                        fields.get(position).copied().unwrap_or_default(),
                    ),
                )
            }
        }
    }
}

/// The bytes of a field of the record that begins at a byte. A quoted field is given with its quotes.
pub(super) fn field(text: &str, start: usize, wanted: usize) -> Range<usize> {
    let (mut index, mut begin, mut is_quoted) = (0, start, false);
    for (at, byte) in text.bytes().enumerate().skip(start) {
        match byte {
            // A quote counts at the beginning of a field, and where such a field is open.
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
    if index == wanted {
        begin..text.len()
    } else {
        start..text.len()
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
