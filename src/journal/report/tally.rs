//! Counts by name, however many names there are.

use std::collections::HashMap;

use super::{DISTINCT_MAX, OTHERS};

/// The most bytes of a name. The service writes none that long.
const NAME_MAX: usize = 256;

/// A count for each name. When there are too many names, the later ones share the count of [`OTHERS`].
#[derive(Debug)]
pub(super) struct Tally<T>(HashMap<Box<str>, T>);

impl<T> Default for Tally<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: Default> Tally<T> {
    /// The count of a name.
    pub(super) fn of(&mut self, name: &str) -> &mut T {
        let name = cut(name);
        let has_room = self.0.len() < DISTINCT_MAX || self.0.contains_key(name);
        let name = if has_room { name } else { OTHERS };
        if !self.0.contains_key(name) {
            self.0.insert(name.into(), T::default());
        }
        self.0.get_mut(name).expect("it is there now")
    }

    /// All counts: those with the largest weight first, those that weigh the same by name, and [`OTHERS`] at the end.
    pub(super) fn into_sorted(self, weight: impl Fn(&T) -> u64) -> Vec<(String, T)> {
        let mut all: Vec<(String, T)> = self
            .0
            .into_iter()
            .map(|(name, count)| (name.into(), count))
            .collect();
        all.sort_by(|(one, of_one), (other, of_other)| {
            (one == OTHERS)
                .cmp(&(other == OTHERS))
                .then_with(|| weight(of_other).cmp(&weight(of_one)))
                .then_with(|| one.cmp(other))
        });
        all
    }
}

/// The beginning of a name, as long as it may be.
fn cut(name: &str) -> &str {
    let mut end = name.len().min(NAME_MAX);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_limit_share_a_count() {
        let mut tally = Tally::<u64>::default();
        for number in 0..DISTINCT_MAX + 7 {
            *tally.of(&number.to_string()) += 1;
        }
        *tally.of("0") += 1;
        let sorted = tally.into_sorted(|count| *count);
        assert_eq!(sorted.len(), DISTINCT_MAX + 1);
        assert_eq!(sorted[0], ("0".to_owned(), 2));
        assert_eq!(sorted[DISTINCT_MAX], (OTHERS.to_owned(), 7));
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        let mut tally = Tally::<u64>::default();
        *tally.of(&"\u{e9}".repeat(1000)) += 1;
        *tally.of(&format!("x{}", "\u{e9}".repeat(1000))) += 1;
        let sorted = tally.into_sorted(|count| *count);
        let lengths: Vec<usize> = sorted.iter().map(|(name, _)| name.len()).collect();
        assert_eq!(lengths, [255, 256]);
    }
}
