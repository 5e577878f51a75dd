//! Directories: keys, exact or prefixes ending in `*`, each leading to a row of cells.
//!
//! Looking up a value costs the same whether there are ten keys or a million, and a row costs little more memory than
//! its text: all cells are in one buffer, and the table of exact keys holds row numbers only.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hash, Hasher};
use std::ops::Bound;
use std::sync::OnceLock;

use hashbrown::{DefaultHashBuilder, HashMap, HashSet, HashTable};

use crate::twilio::facts::Known;
use crate::twilio::number::masked;
use crate::twilio::parameters::Comparison;

/// The position of a row in its directory.
pub type Row = u32;

/// A row of a directory that a request has chosen.
pub type BoundRow<'t> = (&'t Directory, Row);

/// A named set of keys, each with a row of cells. Equal to itself only.
#[derive(Debug)]
pub struct Directory {
    name: String,
    columns: Vec<String>,
    cells: Cells,
    hasher: DefaultHashBuilder,
    exact: HashTable<Row>,
    /// Prefixes without their `*`.
    prefixes: HashMap<Box<str>, Row>,
    /// The lengths that prefixes have, longest first.
    prefix_lengths: Vec<usize>,
    everything: Option<Row>,
    /// Its exact keys as they look when they are masked, and its prefixes in order; made when a masked value is first
    /// looked up.
    masks: OnceLock<(HashSet<String>, BTreeSet<Box<str>>)>,
}

/// All cells, row after row, the key first.
#[derive(Debug, Default)]
struct Cells {
    text: String,
    /// Where each cell ends in `text`.
    ends: Vec<u32>,
    /// How many cells a row has.
    width: usize,
}

impl Cells {
    fn get(&self, row: Row, position: usize) -> &str {
        let at = row as usize * self.width + position;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start as usize..self.ends[at] as usize]
    }
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
            cells: Cells {
                width: columns.len() + 1,
                ..Cells::default()
            },
            columns,
            hasher: DefaultHashBuilder::default(),
            exact: HashTable::new(),
            prefixes: HashMap::new(),
            prefix_lengths: Vec::new(),
            everything: None,
            masks: OnceLock::new(),
        }
    }

    /// Its name in the table.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The names of the columns beside the key.
    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The position of a column; `None` when there is none of that name.
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }

    /// How many rows it has.
    pub(crate) fn len(&self) -> usize {
        self.cells.ends.len() / self.cells.width
    }

    /// Whether it has no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.cells.ends.is_empty()
    }

    /// The key of a row, a `*` at its end included.
    pub(crate) fn key(&self, row: Row) -> &str {
        self.cells.get(row, 0)
    }

    /// A row's cell in a column; the empty text where the row has none.
    pub(crate) fn cell(&self, row: Row, column: usize) -> &str {
        self.cells.get(row, column + 1)
    }

    /// All cells of a column, in the order of the rows.
    pub(crate) fn cells(&self, column: usize) -> impl Iterator<Item = (Row, &str)> {
        (0..)
            .take(self.len())
            .map(move |row| (row, self.cell(row, column)))
    }

    /// All keys, in the order of the rows, a `*` at the end included.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        (0..).take(self.len()).map(|row| self.key(row))
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
        let Cells { text, ends, width } = &mut self.cells;
        let before = (text.len(), ends.len());
        let given = std::iter::once(key).chain(cells);
        for cell in given.chain(std::iter::repeat("")).take(*width) {
            text.push_str(cell);
            let Ok(end) = u32::try_from(text.len()) else {
                text.truncate(before.0);
                ends.truncate(before.1);
                return Err(AddError::Full);
            };
            ends.push(end);
        }
        match self.index(key, row) {
            Some(first) => Err(AddError::Duplicate(first)),
            None => Ok(()),
        }
    }

    /// Makes room for so many more rows and bytes of text.
    pub(crate) fn reserve(&mut self, rows: usize, bytes: usize) {
        self.cells.text.reserve_exact(bytes);
        self.cells.ends.reserve_exact(rows * self.cells.width);
        let rehash = |row: &Row| self.hasher.hash_one(self.cells.get(*row, 0));
        self.exact.reserve(rows, rehash);
    }

    /// Makes a key lead to a row, unless it leads somewhere already: the row that it leads to.
    fn index(&mut self, key: &str, row: Row) -> Option<Row> {
        let before = match key.strip_suffix('*') {
            Some("") => self.everything,
            Some(prefix) => self.prefixes.get(prefix).copied(),
            None => self.exact_row(key),
        };
        if before.is_some() {
            return before;
        }
        match key.strip_suffix('*') {
            Some("") => self.everything = Some(row),
            Some(prefix) => {
                self.prefixes.insert(prefix.into(), row);
                if !self.prefix_lengths.contains(&prefix.len()) {
                    self.prefix_lengths.push(prefix.len());
                    self.prefix_lengths.sort_unstable_by(|a, b| b.cmp(a));
                }
            }
            None => {
                let rehash = |row: &Row| self.hasher.hash_one(self.cells.get(*row, 0));
                self.exact
                    .insert_unique(self.hasher.hash_one(key), row, rehash);
            }
        }
        None
    }

    /// The same with its keys in the form in which values are compared. Of keys that become the same the first stays.
    pub(crate) fn folded(&self, comparison: Comparison) -> Self {
        let mut folded = Self::new(self.name.clone(), self.columns.clone());
        for (row, key) in (0..).zip(self.keys()) {
            let cells = (0..self.columns.len()).map(|column| self.cell(row, column));
            // A key that is there already leads to its first row; this one stays, so that rows keep their numbers.
            let _ = folded.add(&comparison.folded(key), cells.collect::<Vec<_>>());
        }
        folded
    }

    /// Whether it has a row for every value that begins so.
    #[must_use]
    pub(crate) fn has_all_from(&self, start: &str) -> bool {
        self.everything.is_some() || self.prefix_row(start).is_some()
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
        let (exact, prefixes) = self.masks.get_or_init(|| {
            let exact = self.keys().filter(|key| !key.ends_with('*')).map(masked);
            (exact.collect(), self.prefixes.keys().cloned().collect())
        });
        let from_start = (Bound::Included(start), Bound::Unbounded);
        let longer_prefix = prefixes.range::<str, _>(from_start).next();
        let may_have =
            exact.contains(mask?) || longer_prefix.is_some_and(|prefix| prefix.starts_with(start));
        if may_have { None } else { Some(false) }
    }

    /// The row for a value: that of the exact key, else of the longest prefix, else of `*`.
    pub(crate) fn row(&self, value: &str) -> Option<Row> {
        self.exact_row(value)
            .or_else(|| self.prefix_row(value))
            .or(self.everything)
    }

    fn exact_row(&self, value: &str) -> Option<Row> {
        let hash = self.hasher.hash_one(value);
        let row = self.exact.find(hash, |row| self.key(*row) == value);
        row.copied()
    }

    fn prefix_row(&self, value: &str) -> Option<Row> {
        self.prefix_lengths
            .iter()
            .filter_map(|length| value.get(..*length))
            .find_map(|prefix| self.prefixes.get(prefix).copied())
    }
}

impl PartialEq for Directory {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Directory {}

impl Hash for Directory {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
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
