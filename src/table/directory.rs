//! Directories: keys, exact or prefixes ending in `*`, each leading to a row of cells.
//!
//! Looking up a value costs the same whether there are ten keys or a million, and a row costs little more memory than
//! its text: all texts stand in one buffer, and the index holds row numbers only.

use std::hash::BuildHasher;
use std::sync::OnceLock;

use hashbrown::{DefaultHashBuilder, HashMap, HashSet, HashTable};

use crate::twilio::facts::Known;
use crate::twilio::types::masked;

/// The position of a row in its directory.
pub type Row = u32;

/// A row of a directory that a request has chosen.
pub type BoundRow<'t> = (&'t Directory, Row);

/// A named set of keys, each with a row of cells.
#[derive(Debug, Default)]
pub struct Directory {
    name: String,
    columns: Vec<String>,
    /// All cells, row after row, the key first.
    text: String,
    /// Where each cell ends in `text`.
    ends: Vec<u32>,
    hasher: DefaultHashBuilder,
    exact: HashTable<Row>,
    /// Prefixes without their `*`.
    prefixes: HashMap<Box<str>, Row>,
    /// The lengths that prefixes have, longest first.
    prefix_lengths: Vec<usize>,
    everything: Option<Row>,
    /// Its keys as they look when they are masked, made when a masked value is first looked up.
    masks: OnceLock<Masks>,
}

/// The keys of a directory, masked.
#[derive(Debug)]
struct Masks {
    exact: HashSet<Box<str>>,
    /// Prefixes without their `*`, in order.
    prefixes: Vec<Box<str>>,
}

/// Why a row cannot be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddError {
    /// The key is that of this row already.
    Duplicate(Row),
    /// The directory has 4 GiB of text, and no more can be addressed.
    Full,
}

impl Directory {
    /// A directory without rows; `columns` are those beside the key.
    #[must_use]
    pub fn new(name: impl Into<String>, columns: Vec<String>) -> Self {
        Self {
            name: name.into(),
            columns,
            ..Self::default()
        }
    }

    /// Its name in the table.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of the columns beside the key.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The position of a column; `None` when there is none of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }

    /// How many rows it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len() / self.width()
    }

    /// Whether it has no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How many cells a row has, the key included.
    fn width(&self) -> usize {
        self.columns.len() + 1
    }

    /// The text of a cell; `position` 0 is the key.
    fn text_at(&self, row: Row, position: usize) -> &str {
        cell_in(
            &self.text,
            &self.ends,
            row as usize * self.width() + position,
        )
    }

    /// The key of a row, a `*` at its end included.
    #[must_use]
    pub fn key(&self, row: Row) -> &str {
        self.text_at(row, 0)
    }

    /// A row's cell in a column; the empty text where the row has none.
    #[must_use]
    pub fn cell(&self, row: Row, column: usize) -> &str {
        self.text_at(row, column + 1)
    }

    /// All cells of a column, in the order of the rows.
    pub fn cells(&self, column: usize) -> impl Iterator<Item = (Row, &str)> {
        (0..)
            .take(self.len())
            .map(move |row| (row, self.cell(row, column)))
    }

    /// Adds a row under a key: a value, a prefix that ends in `*`, or `*` for everything else. Cells that are not
    /// given are empty.
    ///
    /// # Errors
    ///
    /// The key is there already (the row is added all the same, so that rows keep their numbers), or the directory
    /// is full.
    pub fn add<'c>(
        &mut self,
        key: &'c str,
        cells: impl IntoIterator<Item = &'c str>,
    ) -> Result<(), AddError> {
        let row = Row::try_from(self.len()).map_err(|_| AddError::Full)?;
        let before = (self.text.len(), self.ends.len());
        let given = std::iter::once(key).chain(cells);
        for cell in given.chain(std::iter::repeat("")).take(self.width()) {
            self.text.push_str(cell);
            let Ok(end) = u32::try_from(self.text.len()) else {
                self.text.truncate(before.0);
                self.ends.truncate(before.1);
                return Err(AddError::Full);
            };
            self.ends.push(end);
        }
        match self.index(key, row) {
            Some(first) => Err(AddError::Duplicate(first)),
            None => Ok(()),
        }
    }

    /// The row of a whole value, added when there is none; `None` when the directory is full.
    pub(crate) fn row_or_add(&mut self, key: &str) -> Option<Row> {
        if let Some(row) = self.row(key) {
            return Some(row);
        }
        let row = Row::try_from(self.len()).ok()?;
        self.add(key, []).ok()?;
        Some(row)
    }

    /// Makes room for so many more rows and bytes of text.
    pub(crate) fn reserve(&mut self, rows: usize, bytes: usize) {
        self.text.reserve(bytes);
        self.ends.reserve(rows * self.width());
        let (text, ends, width, hasher) = (&self.text, &self.ends, self.width(), &self.hasher);
        let rehash = |row: &Row| hasher.hash_one(key_in(text, ends, width, *row));
        self.exact.reserve(rows, rehash);
    }

    /// Gives back the memory that was kept for more rows.
    pub(crate) fn shrink_to_fit(&mut self) {
        let (text, ends, width, hasher) = (&self.text, &self.ends, self.width(), &self.hasher);
        let rehash = |row: &Row| hasher.hash_one(key_in(text, ends, width, *row));
        self.exact.shrink_to_fit(rehash);
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.prefixes.shrink_to_fit();
    }

    /// Makes a key lead to a row, unless it leads somewhere already.
    fn index(&mut self, key: &str, row: Row) -> Option<Row> {
        match key.strip_suffix('*') {
            Some("") => {
                let before = self.everything;
                self.everything = before.or(Some(row));
                before
            }
            Some(prefix) => {
                if let Some(before) = self.prefixes.get(prefix) {
                    return Some(*before);
                }
                if let Err(place) = self
                    .prefix_lengths
                    .binary_search_by(|length| prefix.len().cmp(length))
                {
                    self.prefix_lengths.insert(place, prefix.len());
                }
                self.prefixes.insert(prefix.into(), row);
                None
            }
            None => {
                let hash = self.hasher.hash_one(key);
                let before = self.exact.find(hash, |row| self.key(*row) == key).copied();
                if before.is_none() {
                    let (text, ends, width, hasher) =
                        (&self.text, &self.ends, self.width(), &self.hasher);
                    let rehash = |row: &Row| hasher.hash_one(key_in(text, ends, width, *row));
                    self.exact.insert_unique(hash, row, rehash);
                }
                before
            }
        }
    }

    /// The same with its keys in small letters and without outer blanks, for values that are compared so. Of keys that
    /// become the same the first stays.
    #[must_use]
    pub fn folded(&self) -> Self {
        let mut folded = Self::new(self.name.clone(), self.columns.clone());
        for row in (0..).take(self.len()) {
            let key = self.key(row).trim().to_lowercase();
            let cells: Vec<&str> = (0..self.columns.len())
                .map(|column| self.cell(row, column))
                .collect();
            // A key that is there already leads to its first row; this one stays, so that rows keep their numbers.
            let _ = folded.add(&key, cells);
        }
        folded
    }

    /// All keys, in the order of the rows, a `*` at the end included.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        (0..).take(self.len()).map(|row| self.key(row))
    }

    /// Whether it has a row for every value that begins so.
    #[must_use]
    pub(crate) fn has_all_from(&self, start: &str) -> bool {
        self.everything.is_some()
            || self
                .prefix_lengths
                .iter()
                .filter_map(|length| start.get(..*length))
                .any(|prefix| self.prefixes.contains_key(prefix))
    }

    /// Whether it has a row for a value; `None` when what is known of the value does not tell.
    pub(crate) fn has(&self, value: &Known<'_>) -> Option<bool> {
        let (start, mask) = match value {
            Known::Whole(value) => return Some(self.row(value).is_some()),
            Known::Ends(ends) => (ends.start, ends.mask),
            Known::Present | Known::Nothing => ("", None),
        };
        if self.is_empty() {
            return Some(false);
        }
        if self.has_all_from(start) {
            return Some(true);
        }
        let masks = self.masks.get_or_init(|| Masks::of(self));
        let may_have = masks.exact.contains(mask?) || masks.has_longer_prefix(start);
        if may_have { None } else { Some(false) }
    }

    /// The row for a value: that of the exact key, else of the longest prefix, else of `*`.
    #[must_use]
    pub fn row(&self, value: &str) -> Option<Row> {
        let hash = self.hasher.hash_one(value);
        if let Some(row) = self.exact.find(hash, |row| self.key(*row) == value) {
            return Some(*row);
        }
        self.prefix_lengths
            .iter()
            .filter_map(|length| value.get(..*length))
            .find_map(|prefix| self.prefixes.get(prefix).copied())
            .or(self.everything)
    }
}

impl Masks {
    fn of(directory: &Directory) -> Self {
        let keys = directory.keys().filter(|key| !key.ends_with('*'));
        let prefixes = directory.prefixes.keys().cloned();
        let mut masks = Self {
            exact: keys.map(|key| masked(key).into()).collect(),
            prefixes: prefixes.collect(),
        };
        masks.prefixes.sort_unstable();
        masks
    }

    /// Whether a prefix among the keys begins so.
    fn has_longer_prefix(&self, start: &str) -> bool {
        let from = self.prefixes.partition_point(|prefix| **prefix < *start);
        let next = self.prefixes.get(from);
        next.is_some_and(|prefix| prefix.starts_with(start))
    }
}

/// The cell at a place among all cells.
fn cell_in<'d>(text: &'d str, ends: &[u32], at: usize) -> &'d str {
    let start = at.checked_sub(1).map_or(0, |before| ends[before]);
    &text[start as usize..ends[at] as usize]
}

/// The key of a row that has so many cells.
fn key_in<'d>(text: &'d str, ends: &[u32], width: usize, row: Row) -> &'d str {
    cell_in(text, ends, row as usize * width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exact_key_wins_then_the_longest_prefix_then_the_star() {
        let mut directory = Directory::new("rides", Vec::new());
        for key in ["+14155550100", "+1415*", "+1415555*", "+44*"] {
            assert_eq!(directory.add(key, []), Ok(()), "{key}");
        }
        assert_eq!(directory.row("+14155550100"), Some(0));
        assert_eq!(directory.row("+14155550101"), Some(2));
        assert_eq!(directory.row("+14159"), Some(1));
        assert_eq!(directory.row("+44"), Some(3));
        assert_eq!(directory.row("+4"), None);
        assert_eq!(directory.row(""), None);
        assert_eq!(directory.add("*", []), Ok(()));
        assert_eq!(directory.row("+4"), Some(4));
        assert_eq!(directory.row(""), Some(4));
        assert_eq!(directory.len(), 5);
    }

    #[test]
    fn a_key_that_is_there_already_names_its_row_and_leads_there_still() {
        let mut directory = Directory::new("rides", vec!["name".into()]);
        for (row, key) in ["+1", "+1*", "*"].into_iter().enumerate() {
            assert_eq!(directory.add(key, ["first"]), Ok(()));
            let first = Row::try_from(2 * row).expect("a small number");
            assert_eq!(
                directory.add(key, ["second"]),
                Err(AddError::Duplicate(first))
            );
        }
        assert_eq!(
            directory.row("+1").map(|row| directory.cell(row, 0)),
            Some("first")
        );
        assert_eq!(directory.len(), 6);
    }

    #[test]
    fn rows_have_cells_and_missing_ones_are_empty() {
        let mut directory = Directory::new("sellers", vec!["name".into(), "phone".into()]);
        assert_eq!(directory.add("+1", ["Ann", "+2"]), Ok(()));
        assert_eq!(directory.add("+3", ["Bob"]), Ok(()));
        assert_eq!(directory.add("+4", []), Ok(()));
        let phone = directory.column("phone").expect("a column");
        assert_eq!(
            directory
                .cells(phone)
                .map(|(_, cell)| cell)
                .collect::<Vec<_>>(),
            ["+2", "", ""]
        );
        assert_eq!(directory.key(1), "+3");
        assert_eq!(directory.column("number"), None);
    }

    #[test]
    fn a_directory_knows_what_it_has_all_of() {
        let mut directory = Directory::new("rides", Vec::new());
        for key in ["+1415", "+44"] {
            assert_eq!(directory.add(key, []), Ok(()));
        }
        assert!(!directory.has_all_from("+44"));
        assert_eq!(directory.add("+44*", []), Ok(()));
        assert!(directory.has_all_from("+44"));
        assert!(directory.has_all_from("+4420") && !directory.has_all_from("+4"));
        let keys: Vec<_> = directory.keys().collect();
        assert_eq!(keys, ["+1415", "+44", "+44*"]);
        assert_eq!(directory.add("*", []), Ok(()));
        assert!(directory.has_all_from(""));
    }

    #[test]
    fn a_hundred_thousand_keys_are_all_found() {
        // With a column beside the key: its cells are not taken for keys when the index grows.
        let mut directory = Directory::new("rides", vec!["name".to_owned()]);
        let key = |number: u32| format!("+1415{number:07}");
        for number in 0..100_000 {
            assert_eq!(directory.add(&key(number), ["Ann"]), Ok(()));
        }
        for number in 0..100_000 {
            assert_eq!(directory.row(&key(number)), Some(number));
        }
        assert_eq!(directory.row(&key(100_000)), None);
    }
}
