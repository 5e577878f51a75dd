//! Directories: keys, exact or prefixes ending in `*`, each leading to one row.
//!
//! Looking up a value costs the same whether there are ten keys or a million.

use std::collections::HashMap;

/// The position of a row in its directory.
pub type Row = usize;

/// A named set of keys.
#[derive(Debug, Default)]
pub struct Directory {
    name: String,
    exact: HashMap<Box<str>, Row>,
    /// Prefixes without their `*`.
    prefixes: HashMap<Box<str>, Row>,
    /// The lengths that prefixes have, longest first.
    prefix_lengths: Vec<usize>,
    everything: Option<Row>,
    rows: usize,
}

impl Directory {
    /// A directory without rows.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// Its name in the table.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many rows it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether it has no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Adds a row under a key: a value, a prefix that ends in `*`, or `*` for everything else.
    ///
    /// # Errors
    ///
    /// The key is there already; its row.
    pub fn add(&mut self, key: &str) -> Result<(), Row> {
        let row = self.rows;
        let before = match key.strip_suffix('*') {
            Some("") => self.everything.replace(row),
            Some(prefix) => {
                let place = self
                    .prefix_lengths
                    .binary_search_by(|length| prefix.len().cmp(length));
                if let Err(place) = place {
                    self.prefix_lengths.insert(place, prefix.len());
                }
                self.prefixes.insert(prefix.into(), row)
            }
            None => self.exact.insert(key.into(), row),
        };
        self.rows += 1;
        before.map_or(Ok(()), Err)
    }

    /// The row for a value: that of the exact key, else of the longest prefix, else of `*`.
    #[must_use]
    pub fn row(&self, value: &str) -> Option<Row> {
        if let Some(row) = self.exact.get(value) {
            return Some(*row);
        }
        self.prefix_lengths
            .iter()
            .filter_map(|length| value.get(..*length))
            .find_map(|prefix| self.prefixes.get(prefix).copied())
            .or(self.everything)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exact_key_wins_then_the_longest_prefix_then_the_star() {
        let mut directory = Directory::new("rides");
        for key in ["+14155550100", "+1415*", "+1415555*", "+44*"] {
            assert_eq!(directory.add(key), Ok(()), "{key}");
        }
        assert_eq!(directory.row("+14155550100"), Some(0));
        assert_eq!(directory.row("+14155550101"), Some(2));
        assert_eq!(directory.row("+14159"), Some(1));
        assert_eq!(directory.row("+44"), Some(3));
        assert_eq!(directory.row("+4"), None);
        assert_eq!(directory.row(""), None);
        assert_eq!(directory.add("*"), Ok(()));
        assert_eq!(directory.row("+4"), Some(4));
        assert_eq!(directory.row(""), Some(4));
        assert_eq!(directory.len(), 5);
    }

    #[test]
    fn a_key_that_is_there_already_names_its_row() {
        let mut directory = Directory::new("rides");
        assert_eq!(directory.add("+1"), Ok(()));
        assert_eq!(directory.add("+1"), Err(0));
        assert_eq!(directory.add("+1*"), Ok(()));
        assert_eq!(directory.add("+1*"), Err(2));
    }
}
