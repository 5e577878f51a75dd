//! Where a table names something, and where it refers to that name.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use super::meaning::{Meaning, NodeKind, walk};
use super::tree::{Table, Tree, Value};
use crate::language::directory_file::{Files, NUMBER, titles_of};
use crate::language::shape::{self, KeyKind, Named};
use crate::table::diagnostic::File;

/// A name in a table, or in a file that it names.
#[derive(Debug, Clone)]
pub(super) struct Mention {
    pub named: Named,
    /// The name; for a column, `DIRECTORY.COLUMN`.
    pub name: String,
    /// The file, when it is not the table's own.
    pub file: Option<Arc<File>>,
    /// The name's place.
    pub span: Range<usize>,
    /// The place of the whole thing with this name, when this is where it gets the name.
    pub whole: Option<Range<usize>>,
}

/// All names in a table, those of columns in CSV files included.
pub(super) fn mentions(text: &str, tree: &Tree, files: &dyn Files) -> Vec<Mention> {
    let mut found = Finding::default();
    // References to columns are only recognisable once the directories are known.
    walk(text, tree, None, &mut |node| {
        let of_table = &node.table.span;
        match (node.kind, node.meaning) {
            (NodeKind::Key(key, entry), Meaning::Kind(KeyKind::Sections(named, _), _)) => {
                found.add(*named, &key.name, &key.span, Some(&entry.span));
            }
            (NodeKind::Header(key), Meaning::Kind(KeyKind::Sections(named, _), _)) => {
                found.add(*named, &key.name, &key.span, Some(of_table));
            }
            (NodeKind::Value(Some(value)), Meaning::Kind(KeyKind::Name(named, _), _)) => {
                if let Some(place) = value.text() {
                    found.add(*named, &text[place.clone()], place, Some(of_table));
                }
            }
            (NodeKind::Table, Meaning::Section(section, name)) => {
                // Only directories have columns.
                let columns = columns(text, section, node.table, files);
                for (file, title, span) in columns {
                    found.column(name, &title, file, &span);
                }
            }
            (NodeKind::Key(key, _), Meaning::Row(directory)) => {
                found.column(directory, &key.name, None, &key.span);
            }
            _ => {}
        }
    });
    walk(text, tree, None, &mut |node| match node.kind {
        NodeKind::Key(key, _) if matches!(node.meaning, Meaning::Conditions) => {
            let start = key.span.start + usize::from(key.span.len() > key.name.len());
            found.dotted(&key.name, start);
        }
        NodeKind::Value(Some(value)) => {
            let (Some(place), meaning) = (value.text(), node.meaning) else {
                return;
            };
            let inner = &text[place.clone()];
            match (meaning.named(), meaning) {
                (Some((Named::Column, _)), Meaning::Kind(_, directory)) => {
                    found.add(Named::Column, &format!("{directory}.{inner}"), place, None);
                }
                (Some((named, words)), _) if !words.contains(&inner) => {
                    found.add(named, inner, place, None);
                }
                _ => {}
            }
            if meaning.takes_fields() {
                for word in words(inner).filter(|word| !word.is_filter) {
                    found.dotted(&inner[word.span.clone()], place.start + word.span.start);
                }
            }
            if let Some(step) = step(inner).filter(|_| meaning.is_url()) {
                let span = place.start + step.start..place.start + step.end;
                found.add(Named::Step, &inner[step], &span, None);
            }
        }
        _ => {}
    });
    found.mentions
}

#[derive(Default)]
struct Finding {
    mentions: Vec<Mention>,
    /// The columns that have been found.
    columns: BTreeSet<String>,
}

impl Finding {
    fn add(&mut self, named: Named, name: &str, span: &Range<usize>, whole: Option<&Range<usize>>) {
        self.mentions.push(Mention {
            named,
            name: name.to_owned(),
            file: None,
            span: span.clone(),
            whole: whole.cloned(),
        });
    }

    /// Notes `DIRECTORY.COLUMN`, which begins at a byte.
    fn dotted(&mut self, name: &str, start: usize) {
        if self.columns.contains(name) {
            self.add(Named::Column, name, &(start..start + name.len()), None);
        }
    }

    /// Notes the name of a column, which it gets at its first place.
    fn column(
        &mut self,
        directory: &str,
        name: &str,
        file: Option<Arc<File>>,
        span: &Range<usize>,
    ) {
        let name = format!("{directory}.{name}");
        let is_new = self.columns.insert(name.clone());
        self.add(Named::Column, &name, span, is_new.then_some(span));
        if let Some(mention) = self.mentions.last_mut() {
            mention.file = file;
        }
    }
}

/// A column with its place, and the file when that is not the table's own.
type Column = (Option<Arc<File>>, String, Range<usize>);

/// The columns of a directory that does not name them in its rows; none for any other section.
fn columns(text: &str, section: &shape::Section, table: &Table, files: &dyn Files) -> Vec<Column> {
    let text = |value: &Value| value.text().map(|place| &text[place.clone()]);
    if !std::ptr::eq(section, &raw const shape::DIRECTORY) {
        return Vec::new();
    }
    if let Some(numbers) = table.get("numbers") {
        return vec![(None, NUMBER.to_owned(), numbers.span.clone())];
    }
    let key = table.get("key").map_or(&[][..], |key| key.items());
    let mut key: Vec<&str> = key.iter().filter_map(text).collect();
    if key.is_empty() {
        key.push(NUMBER);
    }
    let file = table.get("file").and_then(text);
    let titles = file
        .and_then(|path| titles_of(files, path, &key))
        .into_iter();
    let columns = titles.flat_map(|(file, titles)| {
        let titles = titles.into_iter();
        titles.map(move |(title, span)| (Some(Arc::clone(&file)), title, span))
    });
    columns.collect()
}

/// A word between `{{` and `}}`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub span: Range<usize>,
    /// Whether it is where a filter belongs.
    pub is_filter: bool,
}

/// The words between each `{{` and its `}}`, which may be missing.
pub(super) fn words(text: &str) -> impl Iterator<Item = Word> {
    let fields = text.match_indices("{{").map(|(at, _)| at + 2);
    fields.flat_map(move |start| {
        let field = &text[start..];
        let field = &field[..field.find("}}").unwrap_or(field.len())];
        let mut words = Vec::new();
        let mut is_quoted = false;
        let mut last = ' ';
        for (at, character) in field.char_indices() {
            let is_word = !character.is_whitespace() && !"{}|()\"\\".contains(character);
            match words.last_mut() {
                Some(Word { span, .. }) if is_word && !is_quoted && span.end == start + at => {
                    span.end += character.len_utf8();
                }
                _ if is_word && !is_quoted => words.push(Word {
                    span: start + at..start + at + character.len_utf8(),
                    is_filter: last == '|',
                }),
                _ => is_quoted ^= character == '"',
            }
            if !character.is_whitespace() {
                last = character;
            }
        }
        words
    })
}

/// The place of the step in a URL's query.
pub(super) fn step(url: &str) -> Option<Range<usize>> {
    let query = url.find('?')?;
    let mut marks = url[query..]
        .match_indices("step=")
        .map(|(at, _)| query + at);
    let at = marks.find(|at| url[..*at].ends_with(['?', '&']))? + "step=".len();
    let length = url[at..].find(['&', '#']).unwrap_or(url.len() - at);
    Some(at..at + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_templates_are_found_in_unfinished_ones_too() {
        let found = |text: &str| {
            let words = words(text);
            let words = words.map(|word| {
                format!(
                    "{}{}",
                    if word.is_filter { "|" } else { "" },
                    &text[word.span]
                )
            });
            words.collect::<Vec<_>>().join(" ")
        };
        for (text, wanted) in [
            (
                "Hi {{ a.b | default(\"c d\") | spell }}, {{é",
                "a.b |default |spell é",
            ),
            ("{{ default(Other) }} plain", "default Other"),
            ("{{ a | ", "a"),
            ("{ a }", ""),
        ] {
            assert_eq!(found(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_step_is_a_field_of_the_query() {
        for (url, wanted) in [
            ("?step=lost", Some("lost")),
            ("/webhook?a=1&step=lost#x", Some("lost")),
            ("?step=", Some("")),
            ("?laststep=x", None),
            ("step=x", None),
        ] {
            assert_eq!(step(url).map(|span| &url[span]), wanted, "{url}");
        }
    }
}
