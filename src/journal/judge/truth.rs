//! Yes, no, and what cannot be told; and what a test says to a value of which only a part is known.

use super::keys::Directories;
use super::mask::Mask;
use crate::table::Test;
use crate::table::pattern::Pattern;

/// Whether something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Truth {
    /// It surely does not.
    No,
    /// It may or may not.
    Unknown,
    /// It surely does.
    Yes,
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

impl Truth {
    /// Whether both hold; the other is not asked when this does not.
    pub(super) fn and(self, other: impl FnOnce() -> Self) -> Self {
        match self {
            Self::No => Self::No,
            _ => self.min(other()),
        }
    }

    /// Whether all hold; yes of none.
    pub(super) fn all<T>(
        items: impl IntoIterator<Item = T>,
        mut holds: impl FnMut(T) -> Self,
    ) -> Self {
        let mut all = Self::Yes;
        for item in items {
            all = all.min(holds(item));
            if all == Self::No {
                break;
            }
        }
        all
    }

    /// Whether at least one holds; no of none.
    pub(super) fn any<T>(
        items: impl IntoIterator<Item = T>,
        mut holds: impl FnMut(T) -> Self,
    ) -> Self {
        let mut any = Self::No;
        for item in items {
            any = any.max(holds(item));
            if any == Self::Yes {
                break;
            }
        }
        any
    }

    fn not(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
            Self::Yes => Self::No,
        }
    }
}

/// What is known of a value that is not there whole.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part<'a> {
    /// Its mask; it is not empty.
    Masked(Mask<'a>),
    /// It is not empty.
    Present,
    /// Nothing.
    Nothing,
}

/// What is known of a value that is not there whole, and of whose number it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hidden<'a> {
    pub part: Part<'a>,
    /// Whether it is a withheld caller's; `None` when that is not known.
    pub withheld: Option<bool>,
}

impl Hidden<'_> {
    /// Whether a test passes, for any value that this may be.
    pub(super) fn passes(&self, test: &Test, directories: &Directories<'_>) -> Truth {
        match test {
            Test::Exactly(text) => match self.part {
                Part::Masked(mask) if !mask.is_of(text) => Truth::No,
                Part::Present if text.is_empty() => Truth::No,
                _ => Truth::Unknown,
            },
            Test::Like(pattern) => self.is_like(pattern),
            Test::AnyOf(tests) => Truth::any(tests, |test| self.passes(test, directories)),
            Test::AllOf(tests) => Truth::all(tests, |test| self.passes(test, directories)),
            Test::In(directory) => directories.has(directory, self.part),
            Test::Regex(_) => Truth::Unknown,
            Test::Present(wanted) => match self.part {
                Part::Masked(_) | Part::Present => Truth::from(*wanted),
                Part::Nothing => Truth::Unknown,
            },
            Test::Withheld(wanted) => match (self.withheld, self.part) {
                (Some(withheld), _) => Truth::from(withheld == *wanted),
                (None, Part::Masked(mask)) if !mask.may_be_withheld() => Truth::from(!wanted),
                (None, _) => Truth::Unknown,
            },
            Test::Not(test) => self.passes(test, directories).not(),
        }
    }

    fn is_like(&self, pattern: &Pattern) -> Truth {
        if pattern.is_everything() {
            return Truth::Yes;
        }
        let Part::Masked(mask) = self.part else {
            return Truth::Unknown;
        };
        // What is shown of start and end does not overlap, so both may be taken from it.
        let ends = mask
            .begins_with(pattern.start())
            .and(|| mask.ends_with(pattern.end()));
        match ends {
            Truth::Yes if pattern.has_middle() => Truth::Unknown,
            ends => ends,
        }
    }
}
