//! The documents that an editor has open, and what is wrong with them.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::protocol::Change;
use crate::commands::file_uri;
use crate::language::editor::Draft;
use crate::language::{self, Compiled, Files};
use crate::service::table_file::{Beside, MAX_TABLE, beside};
use crate::table::diagnostic::{Diagnostic, File};

/// The most documents that are kept.
const MOST: usize = 256;

/// The documents by URI.
#[derive(Debug, Default)]
pub(super) struct Documents(BTreeMap<String, Document>);

#[derive(Debug)]
pub(super) struct Document {
    pub file: Arc<File>,
    /// Where it is, or would be.
    pub path: PathBuf,
    pub version: Option<i64>,
    /// What the last compilation found; `None` after a change, and for a document that is not a table.
    pub checked: Option<Checked>,
}

/// What a table is, and what is wrong with it.
#[derive(Debug)]
pub(super) struct Checked {
    pub compiled: Option<Compiled>,
    pub diagnostics: Vec<Diagnostic>,
}

/// The files of a table's folder; those open in the editor, as they are there.
pub(super) struct AsOpen<'d> {
    documents: &'d Documents,
    table: &'d Path,
    on_disk: Beside<'d>,
}

impl AsOpen<'_> {
    fn open(&self, written: &str) -> Option<Vec<u8>> {
        let uri = self.documents.uri(&beside(self.table, written))?;
        Some(self.documents.0[uri].file.text.clone().into_bytes())
    }
}

impl Files for AsOpen<'_> {
    fn read(&self, written: &str) -> io::Result<Vec<u8>> {
        let open = self.open(written);
        open.map_or_else(|| self.on_disk.read(written), Ok)
    }

    fn head(&self, written: &str) -> io::Result<Vec<u8>> {
        let open = self.open(written);
        open.map_or_else(|| self.on_disk.head(written), Ok)
    }
}

impl Document {
    /// Whether it is a table; directory files are open only for their text.
    fn is_table(&self) -> bool {
        self.path.extension().is_none_or(|ending| ending != "csv")
    }

    pub(super) fn draft(&self) -> Draft {
        Draft::new(&self.file)
    }
}

impl Documents {
    /// Keeps a document with this text; returns whether there is room for it.
    pub(super) fn open(&mut self, uri: &str, version: Option<i64>, text: String) -> bool {
        let is_known = self.0.contains_key(uri);
        if text.len() as u64 > MAX_TABLE || (self.0.len() >= MOST && !is_known) {
            self.0.remove(uri);
            return false;
        }
        let path = file_uri::path(uri).unwrap_or_else(|| uri.into());
        let document = Document {
            file: File::new(path.display().to_string(), text),
            path,
            version,
            checked: None,
        };
        if !document.is_table() {
            self.forget();
        }
        self.0.insert(uri.to_owned(), document);
        true
    }

    /// Changes a document, one change after the other.
    pub(super) fn change(&mut self, uri: &str, version: Option<i64>, changes: Vec<Change>) -> bool {
        let Some(document) = self.0.get(uri) else {
            return true;
        };
        let mut file = Arc::clone(&document.file);
        for Change { range, text } in changes {
            let new = match range {
                None => text,
                Some(range) => {
                    let (start, end) = (range.start.byte(&file), range.end.byte(&file));
                    let old = &file.text;
                    [&old[..start], &text, &old[end.max(start)..]].concat()
                }
            };
            file = File::new(file.name.clone(), new);
        }
        let text = Arc::try_unwrap(file).map_or_else(|file| file.text.clone(), |file| file.text);
        self.open(uri, version, text)
    }

    pub(super) fn close(&mut self, uri: &str) {
        self.0.remove(uri);
        self.forget();
    }

    /// Marks every table to be compiled again, because a file that it names may have changed.
    pub(super) fn forget(&mut self) {
        self.0
            .values_mut()
            .for_each(|document| document.checked = None);
    }

    pub(super) fn get(&self, uri: &str) -> Option<&Document> {
        self.0.get(uri)
    }

    /// All of them with their URIs.
    pub(super) fn all(&self) -> impl Iterator<Item = (&String, &Document)> {
        self.0.iter()
    }

    /// The URI under which the editor has a file open.
    fn uri(&self, path: &Path) -> Option<&String> {
        let mut all = self.0.iter();
        all.find(|(_, document)| document.path == path)
            .map(|(uri, _)| uri)
    }

    /// The files in the folder of a document.
    pub(super) fn files<'d>(&'d self, document: &'d Document, max_directory: u64) -> AsOpen<'d> {
        AsOpen {
            documents: self,
            table: &document.path,
            on_disk: Beside::table(&document.path, max_directory),
        }
    }

    /// Compiles the tables that have changed; returns their URIs.
    pub(super) fn check(&mut self, max_directory: u64) -> Vec<String> {
        let is_due = |document: &Document| document.checked.is_none() && document.is_table();
        let due = self.0.iter().filter(|(_, document)| is_due(document));
        let due: Vec<String> = due.map(|(uri, _)| uri.clone()).collect();
        for uri in &due {
            let document = &self.0[uri];
            let result = language::compile(&document.file, &self.files(document, max_directory));
            let checked = match result {
                Ok(compiled) => {
                    let mut diagnostics = compiled.failed_tests.clone();
                    diagnostics.extend(compiled.warnings.iter().cloned());
                    diagnostics.extend(compiled.passed_days(Timestamp::now()));
                    language::sort(&mut diagnostics, &document.file);
                    let compiled = Some(compiled);
                    Checked {
                        compiled,
                        diagnostics,
                    }
                }
                Err(diagnostics) => Checked {
                    compiled: None,
                    diagnostics,
                },
            };
            if let Some(document) = self.0.get_mut(uri) {
                document.checked = Some(checked);
            }
        }
        due
    }

    /// The URI of a file that contains a table's diagnostics or names.
    pub(super) fn uri_of(&self, table: (&str, &Document), file: &File) -> String {
        let (uri, document) = table;
        if *file.name == *document.file.name {
            return uri.to_owned();
        }
        let path = beside(&document.path, &file.name);
        let open = self.uri(&path).cloned();
        open.unwrap_or_else(|| file_uri::of(&path))
    }
}
