//! Directories: each key, either exact or a prefix ending in `*`, leads to a row of cells. A key is the cell of one
//! column, or the cells of several, which are always exact.
//!
//! A lookup costs the same for ten keys or a million, and a row takes little more memory than its text: all cells share
//! one buffer, and the table of exact keys holds only row numbers.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hash, Hasher};
use std::ops::Bound;
use std::sync::OnceLock;

use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use smallvec::SmallVec;

use crate::twilio::facts::Known;
use crate::twilio::number::masked;
use crate::twilio::parameters::Comparison;

/// The most columns that a key can have.
pub const MOST_KEY_COLUMNS: usize = 4;

/// The position of a row in its directory.
pub type Row = u32;

/// A row of a directory that a request has chosen.
pub type BoundRow<'t> = (&'t Directory, Row);

/// The values by which a row is looked up, one for each column of the key.
pub type Key<'a> = SmallVec<[&'a str; 2]>;

/// A named set of keys, each with a row of cells. A directory is equal only to itself.
#[derive(Debug)]
pub struct Directory {
    name: String,
    columns: Vec<String>,
    /// The columns whose cells form the key of a row.
    key: Vec<usize>,
    cells: Cells,
    hasher: DefaultHashBuilder,
    exact: HashTable<Row>,
    /// The prefixes without their `*`.
    prefixes: HashMap<Box<str>, Row>,
    /// The distinct lengths of the prefixes, longest first.
    prefix_lengths: Vec<usize>,
    everything: Option<Row>,
    /// Built when a partly known key is first looked up.
    masks: OnceLock<Masks>,
}

/// All cells, row by row.
#[derive(Debug, Default)]
struct Cells {
    text: String,
    /// Where each cell ends in `text`.
    ends: Vec<u32>,
    /// How many cells a row has.
    width: usize,
}

/// Finds keys of which only a part is known.
#[derive(Debug)]
struct Masks {
    /// The rows of exact keys, by the hash of the key with all its values masked.
    exact: HashMap<u64, Vec<Row>>,
    /// The prefixes in order.
    prefixes: BTreeSet<Box<str>>,
}

impl Cells {
    fn get(&self, row: Row, position: usize) -> &str {
        let at = row as usize * self.width + position;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start as usize..self.ends[at] as usize]
    }

    /// The cells of a row at these positions.
    fn at<'c>(&'c self, row: Row, positions: &'c [usize]) -> impl Iterator<Item = &'c str> {
        positions
            .iter()
            .map(move |position| self.get(row, *position))
    }
}

/// Why a row cannot be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddError {
    /// This row already has the key.
    Duplicate(Row),
    /// The directory holds 4 GiB of text, the most that can be addressed.
    Full,
}

impl Directory {
    /// A directory without rows. `key` lists the positions of the columns that form the key: at least one.
    #[must_use]
    pub fn new(name: impl Into<String>, columns: Vec<String>, key: Vec<usize>) -> Self {
        Self {
            name: name.into(),
            cells: Cells {
                width: columns.len(),
                ..Cells::default()
            },
            columns,
            key,
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

    /// The names of its columns.
    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The position of a column; `None` when there is none with that name.
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }

    /// The positions of the columns that form the key.
    pub(crate) fn key_columns(&self) -> &[usize] {
        &self.key
    }

    /// How many rows it has.
    pub(crate) fn len(&self) -> usize {
        self.cells.ends.len() / self.cells.width
    }

    /// Whether it has no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.cells.ends.is_empty()
    }

    /// A row's cell in a column; empty where the row has none.
    pub(crate) fn cell(&self, row: Row, column: usize) -> &str {
        self.cells.get(row, column)
    }

    /// All cells of a column, in row order.
    pub(crate) fn cells(&self, column: usize) -> impl Iterator<Item = (Row, &str)> {
        self.rows().map(move |row| (row, self.cell(row, column)))
    }

    /// The key of a row, including a final `*`.
    pub(crate) fn key(&self, row: Row) -> Key<'_> {
        self.cells.at(row, &self.key).collect()
    }

    /// All keys, in row order, each including a final `*`.
    pub(crate) fn keys(&self) -> impl Iterator<Item = Key<'_>> {
        self.rows().map(|row| self.key(row))
    }

    fn rows(&self) -> impl Iterator<Item = Row> + use<> {
        (0..).take(self.len())
    }

    /// Adds a row. A key of one column is a value, a prefix that ends in `*`, or `*` for everything else; a key of
    /// several columns is exact. Missing cells are empty.
    ///
    /// # Errors
    ///
    /// The key already exists (the row is added all the same, so rows keep their numbers), or the directory is full.
    pub fn add<'c>(&mut self, cells: impl IntoIterator<Item = &'c str>) -> Result<(), AddError> {
        let row = Row::try_from(self.len()).map_err(|_| AddError::Full)?;
        let Cells { text, ends, width } = &mut self.cells;
        let before = (text.len(), ends.len());
        let cells = cells.into_iter().chain(std::iter::repeat(""));
        for cell in cells.take(*width) {
            text.push_str(cell);
            let Ok(end) = u32::try_from(text.len()) else {
                text.truncate(before.0);
                ends.truncate(before.1);
                return Err(AddError::Full);
            };
            ends.push(end);
        }
        match self.index(row) {
            Some(first) => Err(AddError::Duplicate(first)),
            None => Ok(()),
        }
    }

    /// Makes room for this many more rows and bytes of text.
    pub(crate) fn reserve(&mut self, rows: usize, bytes: usize) {
        self.cells.text.reserve_exact(bytes);
        self.cells.ends.reserve_exact(rows * self.cells.width);
        let hash_of = |row: &Row| hash(&self.hasher, self.cells.at(*row, &self.key));
        self.exact.reserve(rows, hash_of);
    }

    /// Makes the key of a row lead to it. If the key already leads to another row, changes nothing and returns that
    /// row.
    fn index(&mut self, row: Row) -> Option<Row> {
        let key: Key<'_> = self.cells.at(row, &self.key).collect();
        let prefix = prefix(&key);
        let before = match prefix {
            Some("") => self.everything,
            Some(prefix) => self.prefixes.get(prefix).copied(),
            None => self.exact_row(&key),
        };
        if before.is_some() {
            return before;
        }
        match prefix {
            Some("") => self.everything = Some(row),
            Some(prefix) => {
                self.prefixes.insert(prefix.into(), row);
                if !self.prefix_lengths.contains(&prefix.len()) {
                    self.prefix_lengths.push(prefix.len());
                    self.prefix_lengths.sort_unstable_by(|a, b| b.cmp(a));
                }
            }
            None => {
                let hash_of = |row: &Row| hash(&self.hasher, self.cells.at(*row, &self.key));
                self.exact.insert_unique(hash_of(&row), row, hash_of);
            }
        }
        None
    }

    /// The same directory with each column of the key in the form in which its values are compared. Of keys that become
    /// equal the first stays.
    pub(crate) fn folded(&self, comparisons: &[Comparison]) -> Self {
        let width = self.columns.len();
        let key = (width..width + self.key.len()).collect();
        let mut folded = Self::new(self.name.clone(), self.columns.clone(), key);
        folded.cells.width += self.key.len();
        for row in self.rows() {
            let key = self.key(row);
            let key = key.iter().zip(comparisons);
            let key: Vec<_> = key.map(|(cell, form)| form.folded(cell)).collect();
            let cells = (0..width).map(|column| self.cell(row, column));
            // A duplicate key leads to its first row; the row stays all the same, so rows keep their numbers.
            let _ = folded.add(cells.chain(key.iter().map(|cell| &**cell)));
        }
        folded
    }

    /// Whether it has a row for every value with this beginning.
    #[must_use]
    pub(crate) fn has_all_from(&self, start: &str) -> bool {
        self.everything.is_some() || self.prefix_row(start).is_some()
    }

    /// Whether it has a row for a key; `None` when too little is known of the key.
    pub(crate) fn has(&self, key: &[Known<'_>]) -> Option<bool> {
        if let Some(key) = whole(key) {
            return Some(self.row(&key).is_some());
        }
        if self.is_empty() {
            return Some(false);
        }
        let start = match key {
            [Known::Ends(ends)] => ends.start,
            _ => "",
        };
        if self.has_all_from(start) {
            return Some(true);
        }
        let masks = self.masks.get_or_init(|| self.masks());
        let from_start = (Bound::Included(start), Bound::Unbounded);
        let longer_prefix = masks.prefixes.range::<str, _>(from_start).next();
        if longer_prefix.is_some_and(|prefix| prefix.starts_with(start)) {
            return None;
        }
        let mask: Vec<Cow<'_, str>> = key.iter().map(mask).collect::<Option<_>>()?;
        let alike = masks
            .exact
            .get(&hash(&self.hasher, mask.iter().map(|mask| &**mask)));
        let fits = |row: &&Row| {
            let mut cells = self.cells.at(**row, &self.key).zip(key);
            cells.all(|(cell, known)| known.may_be(cell))
        };
        let may_have = alike.into_iter().flatten().find(fits).is_some();
        if may_have { None } else { Some(false) }
    }

    fn masks(&self) -> Masks {
        let mut exact: HashMap<u64, Vec<Row>> = HashMap::new();
        for (row, key) in (0..).zip(self.keys()) {
            if prefix(&key).is_none() {
                let mask: Vec<String> = key.iter().map(|value| masked(value)).collect();
                let hash = hash(&self.hasher, mask.iter().map(String::as_str));
                exact.entry(hash).or_default().push(row);
            }
        }
        Masks {
            exact,
            prefixes: self.prefixes.keys().cloned().collect(),
        }
    }

    /// The row of a key: that of the exact key, else of the longest prefix, else of `*`.
    pub(crate) fn row(&self, key: &[&str]) -> Option<Row> {
        let row = self.exact_row(key);
        match key {
            [value] => row.or_else(|| self.prefix_row(value)).or(self.everything),
            _ => row,
        }
    }

    fn exact_row(&self, key: &[&str]) -> Option<Row> {
        let is_it = |row: &Row| self.cells.at(*row, &self.key).eq(key.iter().copied());
        let hash = hash(&self.hasher, key.iter().copied());
        self.exact.find(hash, is_it).copied()
    }

    fn prefix_row(&self, value: &str) -> Option<Row> {
        self.prefix_lengths
            .iter()
            .filter_map(|length| value.get(..*length))
            .find_map(|prefix| self.prefixes.get(prefix).copied())
    }
}

fn hash<'k>(hasher: &DefaultHashBuilder, key: impl Iterator<Item = &'k str>) -> u64 {
    let mut state = hasher.build_hasher();
    key.for_each(|value| value.hash(&mut state));
    state.finish()
}

/// The common beginning of the values that a key matches, when it ends in `*`. Keys of several columns are exact.
pub(crate) fn prefix<'k>(key: &[&'k str]) -> Option<&'k str> {
    match key {
        [value] => value.strip_suffix('*'),
        _ => None,
    }
}

/// The values of a key; `None` when one of them is not fully known.
pub(crate) fn whole<'a>(key: &'a [Known<'_>]) -> Option<Key<'a>> {
    let value = |known: &'a Known<'_>| match known {
        Known::Whole(value) => Some(&**value),
        _ => None,
    };
    key.iter().map(value).collect()
}

/// A value in masked form; `None` when that is not known.
fn mask<'a>(known: &'a Known<'_>) -> Option<Cow<'a, str>> {
    match known {
        Known::Whole(value) => Some(Cow::Owned(masked(value))),
        Known::Ends(ends) => ends.mask.map(Cow::Borrowed),
        Known::Present | Known::Nothing => None,
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
    use smallvec::smallvec;

    use super::*;

    fn directory(columns: &[&str], key: &[usize]) -> Directory {
        let columns = columns.iter().map(|column| (*column).to_owned());
        Directory::new("d", columns.collect(), key.to_vec())
    }

    #[test]
    fn the_exact_key_wins_then_the_longest_prefix_then_the_star() {
        let mut directory = directory(&["number"], &[0]);
        for key in ["+14155550100", "+1415*", "+1415555*", "+44*"] {
            assert_eq!(directory.add([key]), Ok(()), "{key}");
        }
        assert_eq!(directory.row(&["+14155550100"]), Some(0));
        assert_eq!(directory.row(&["+14155550101"]), Some(2));
        assert_eq!(directory.row(&["+14159"]), Some(1));
        assert_eq!(directory.row(&["+44"]), Some(3));
        assert_eq!(directory.row(&["+4"]), None);
        assert_eq!(directory.row(&[""]), None);
        assert_eq!(directory.add(["*"]), Ok(()));
        assert_eq!(directory.row(&["+4"]), Some(4));
        assert_eq!(directory.row(&[""]), Some(4));
        assert_eq!(directory.len(), 5);
    }

    #[test]
    fn a_key_of_several_columns_is_found_whole_or_not_at_all() {
        let mut directory = directory(&["other", "number", "party"], &[1, 2]);
        assert_eq!(directory.add(["+3", "+1", "+2"]), Ok(()));
        assert_eq!(directory.add(["+4", "+12", ""]), Ok(()));
        assert_eq!(directory.add(["+5", "+1*", "*"]), Ok(()));
        assert_eq!(
            directory.add(["+6", "+1", "+2"]),
            Err(AddError::Duplicate(0))
        );
        for (key, row) in [
            (&["+1", "+2"][..], Some(0)),
            (&["+12", ""], Some(1)),
            // Their `*` is literal.
            (&["+1*", "*"], Some(2)),
            (&["+13", "x"], None),
            (&["+2", "+1"], None),
            (&["+1", "+21"], None),
            (&["+1", ""], None),
            (&["", "+1+2"], None),
            (&["+1"], None),
            (&["+1", "+2", ""], None),
        ] {
            assert_eq!(directory.row(key), row, "{key:?}");
        }
        assert_eq!(directory.key(1).as_slice(), ["+12", ""]);
        assert!(!directory.has_all_from(""));
    }

    #[test]
    fn of_a_key_that_is_known_in_part_it_tells_what_is_certain() {
        let mut directory = directory(&["number", "party"], &[0, 1]);
        assert_eq!(
            directory.has(&[Known::Nothing, Known::Nothing]),
            Some(false)
        );
        assert_eq!(directory.add(["+14155550100", "+12125550111"]), Ok(()));
        let whole = |text| Known::Whole(Cow::Borrowed(text));
        let of_mask = Known::of_mask;
        for (number, party, has) in [
            (whole("+14155550100"), whole("+12125550111"), Some(true)),
            (whole("+14155550100"), of_mask("+121•••••11"), None),
            (of_mask("+141•••••00"), of_mask("+121•••••11"), None),
            (whole("+14155550100"), Known::Present, None),
            (Known::Nothing, whole("+12125550111"), None),
            // Another number with the same mask.
            (whole("+14155550200"), of_mask("+121•••••11"), Some(false)),
            (whole("+14155550100"), of_mask("+121•••••12"), Some(false)),
            (of_mask("+131•••••00"), of_mask("+121•••••11"), Some(false)),
        ] {
            assert_eq!(directory.has(&[number, party]), has);
        }
    }

    #[test]
    fn a_folded_directory_is_looked_up_by_what_it_was_folded_to() {
        let mut directory = directory(&["word", "number"], &[1, 0]);
        assert_eq!(directory.add([" Lost", "A"]), Ok(()));
        assert_eq!(directory.add(["lost", "A"]), Ok(()));
        let folded = directory.folded(&[Comparison::Exact, Comparison::Typed]);
        assert_eq!(folded.row(&["A", "lost"]), Some(0));
        assert_eq!(folded.row(&["a", "lost"]), None);
        assert_eq!(folded.cell(0, 0), " Lost");
        assert_eq!(folded.key(0), Key::from_slice(&["A", "lost"]));
        assert_eq!(folded.len(), 2);
    }

    #[test]
    fn a_key_that_is_there_already_names_its_row_and_leads_there_still() {
        let mut directory = directory(&["number", "name"], &[0]);
        for (row, key) in ["+1", "+1*", "*"].into_iter().enumerate() {
            assert_eq!(directory.add([key, "first"]), Ok(()));
            let first = Row::try_from(2 * row).expect("a small number");
            let again = directory.add([key, "second"]);
            assert_eq!(again, Err(AddError::Duplicate(first)));
        }
        let row = directory.row(&["+1"]).expect("it is there");
        assert_eq!(directory.cell(row, 1), "first");
        assert_eq!(directory.len(), 6);
    }

    #[test]
    fn rows_have_cells_and_missing_ones_are_empty() {
        let mut directory = directory(&["number", "name", "phone"], &[0]);
        assert_eq!(directory.add(["+1", "Ann", "+2"]), Ok(()));
        assert_eq!(directory.add(["+3", "Bob"]), Ok(()));
        assert_eq!(directory.add(["+4"]), Ok(()));
        let phone = directory.column("phone").expect("a column");
        let cells: Vec<_> = directory.cells(phone).map(|(_, cell)| cell).collect();
        assert_eq!(cells, ["+2", "", ""]);
        assert_eq!(directory.key(1).as_slice(), ["+3"]);
        assert_eq!(directory.column("number"), Some(0));
        assert_eq!(directory.column("Number"), None);
    }

    #[test]
    fn a_directory_knows_what_it_has_all_of() {
        let mut directory = directory(&["number"], &[0]);
        for key in ["+1415", "+44"] {
            assert_eq!(directory.add([key]), Ok(()));
        }
        assert!(!directory.has_all_from("+44"));
        assert_eq!(directory.add(["+44*"]), Ok(()));
        assert!(directory.has_all_from("+44"));
        assert!(directory.has_all_from("+4420") && !directory.has_all_from("+4"));
        let wanted: [Key<'_>; 3] = [smallvec!["+1415"], smallvec!["+44"], smallvec!["+44*"]];
        assert!(directory.keys().eq(wanted));
        assert_eq!(directory.add(["*"]), Ok(()));
        assert!(directory.has_all_from(""));
    }

    #[test]
    fn a_hundred_thousand_keys_are_all_found() {
        // With further columns: their cells are not taken for keys when the index grows.
        for key in [&[1][..], &[1, 0]] {
            let mut directory = directory(&["name", "number"], key);
            let number = |number: u32| format!("+1415{number:07}");
            let find = |directory: &Directory, number: &str| {
                let whole: &[&str] = &[number, "Ann"];
                directory.row(&whole[..key.len()])
            };
            for row in 0..100_000 {
                assert_eq!(directory.add(["Ann", &number(row)]), Ok(()));
            }
            for row in 0..100_000 {
                assert_eq!(find(&directory, &number(row)), Some(row));
            }
            assert_eq!(find(&directory, &number(100_000)), None);
        }
    }
}
