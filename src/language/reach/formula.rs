//! What a route asks of one parameter, with every `not` moved down to the tests that are no combination of others.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use regex::Regex;

use super::proof::Effort;
use crate::table::directory::{Directory, Row};
use crate::table::pattern::Pattern;
use crate::table::{Condition, Subject, Test};
use crate::twilio::number::is_withheld;

/// Directories with more rows are never looked at row by row.
const MOST_ROWS: usize = 10_000;

/// What a value must be.
#[derive(Debug, Clone)]
pub(super) enum Formula<'t> {
    /// The atom holds (`true`) or does not.
    Is(Atom<'t>, bool),
    /// At least one of these holds.
    Any(Rc<[Formula<'t>]>),
    /// All of these hold.
    All(Rc<[Formula<'t>]>),
}

/// A test of one value that is no combination of others.
#[derive(Debug, Clone)]
pub(super) enum Atom<'t> {
    /// This very text; the empty one for an absent value.
    Exactly(&'t str),
    /// One of these texts.
    OneOf(Rc<Texts<'t>>),
    /// A text with `*` for any run of characters.
    Like(&'t Pattern),
    /// A value that has a row in the directory.
    In(Lookup<'t>),
    /// A value that leads to this very row.
    Row(Lookup<'t>, Row),
    /// A value whose row has a cell in this column of which the formula holds; without a row the cell is empty.
    Cell(Lookup<'t>, usize, Rc<Formula<'t>>),
    /// The regular expression is found in it.
    Regex(&'t Regex),
    /// A number that is withheld.
    Withheld,
}

/// Several texts: in order to go through them, and as a set to look one up.
#[derive(Debug)]
pub(super) struct Texts<'t> {
    pub list: Rc<[&'t str]>,
    set: HashSet<&'t str>,
}

/// A directory as a value is looked up in it.
#[derive(Debug, Clone)]
pub(super) struct Lookup<'t> {
    pub directory: &'t Directory,
    /// All values that are in it, when those are whole values and not too many.
    keys: Option<Rc<[&'t str]>>,
    /// Whether its rows are as lasting as the table itself: they stand in it, and there are some.
    is_lasting: bool,
}

impl<'t> Lookup<'t> {
    /// A directory whose rows stand in the table.
    #[cfg(test)]
    pub(super) fn lasting(directory: &'t Directory) -> Self {
        Self {
            directory,
            keys: None,
            is_lasting: true,
        }
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        std::ptr::eq(self.directory, other.directory)
    }

    /// The directory, in order to read its rows; `None` when the proof must hold whatever they are.
    pub(super) fn rows(&self, effort: &Effort) -> Option<&'t Directory> {
        (self.is_lasting || effort.reads_all_rows()).then_some(self.directory)
    }

    /// The directory, when it is small enough to be looked at row by row.
    pub(super) fn few_rows(&self, effort: &Effort) -> Option<&'t Directory> {
        let is_small = self.directory.len() <= MOST_ROWS;
        self.rows(effort).filter(|_| is_small)
    }

    /// All values that are in it, when those are whole values and not too many.
    pub(super) fn keys(&self, effort: &Effort) -> Option<Rc<[&'t str]>> {
        self.rows(effort)?;
        self.keys.clone()
    }
}

impl Atom<'_> {
    /// Whether it holds for a value, as the table itself would say; `None` when that is up to rows that may change.
    pub(super) fn holds(&self, value: &str, effort: &Effort) -> Option<bool> {
        Some(match self {
            Self::Exactly(text) => *text == value,
            Self::OneOf(texts) => texts.set.contains(value),
            Self::Like(pattern) => pattern.matches(value),
            Self::In(lookup) => lookup.rows(effort)?.row(value).is_some(),
            Self::Row(lookup, row) => lookup.rows(effort)?.row(value) == Some(*row),
            Self::Cell(lookup, column, formula) => {
                let directory = lookup.rows(effort)?;
                let row = directory.row(value);
                let cell = row.map_or("", |row| directory.cell(row, *column));
                return formula.holds(cell, effort);
            }
            Self::Regex(regex) => regex.is_match(value),
            Self::Withheld => is_withheld(value),
        })
    }
}

impl<'t> Formula<'t> {
    /// Whether it holds for a value, as the table itself would say; `None` when that is up to rows that may change.
    pub(super) fn holds(&self, value: &str, effort: &Effort) -> Option<bool> {
        match self {
            Self::Is(atom, wanted) => Some(atom.holds(value, effort)? == *wanted),
            Self::Any(parts) => any(parts, |part| part.holds(value, effort)),
            Self::All(parts) => all(parts, |part| part.holds(value, effort)),
        }
    }

    /// How many atoms there are in it.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Is(..) => 1,
            Self::Any(parts) | Self::All(parts) => parts.iter().map(Self::size).sum(),
        }
    }

    /// What holds when this does not.
    pub(super) fn negated(&self) -> Self {
        let negated = |parts: &[Self]| parts.iter().map(Self::negated).collect();
        match self {
            Self::Is(atom, wanted) => Self::Is(atom.clone(), !wanted),
            Self::Any(parts) => Self::All(negated(parts)),
            Self::All(parts) => Self::Any(negated(parts)),
        }
    }

    /// The texts of which it says that the value is one, if it says so.
    pub(super) fn texts(&self) -> Option<&[&'t str]> {
        match self {
            Self::Is(Atom::Exactly(text), true) => Some(std::slice::from_ref(text)),
            Self::Is(Atom::OneOf(texts), true) => Some(&texts.list),
            _ => None,
        }
    }
}

/// Whether one of some formulas holds; `None` when that is not known.
pub(super) fn any<T>(parts: &[T], mut holds: impl FnMut(&T) -> Option<bool>) -> Option<bool> {
    let mut outcome = Some(false);
    for part in parts {
        match holds(part) {
            Some(true) => return Some(true),
            Some(false) => {}
            None => outcome = None,
        }
    }
    outcome
}

/// Whether all of some formulas hold; `None` when that is not known.
pub(super) fn all<T>(parts: &[T], mut holds: impl FnMut(&T) -> Option<bool>) -> Option<bool> {
    any(parts, |part| Some(!holds(part)?)).map(|fails| !fails)
}

/// Makes formulas of conditions. A directory is one and the same wherever it is looked into.
pub(super) struct Formulas<'t> {
    /// The directories that stand in files of their own.
    files: BTreeSet<&'t str>,
    /// By name, and by whether its keys are folded.
    lookups: RefCell<HashMap<(&'t str, bool), Lookup<'t>>>,
}

impl<'t> Formulas<'t> {
    pub(super) fn new(files: BTreeSet<&'t str>) -> Self {
        Self {
            files,
            lookups: RefCell::default(),
        }
    }

    /// The parameter that a condition is about, and what it asks of its value.
    pub(super) fn condition(&self, condition: &'t Condition) -> (&'t str, Formula<'t>) {
        match &condition.subject {
            Subject::Parameter(name) => {
                let formula = self.test(&condition.test, true, Condition::folds(name));
                (name, formula)
            }
            Subject::Column { binding, column } => {
                let folds = Condition::folds(&binding.parameter);
                let lookup = self.lookup(&binding.directory, folds);
                let cell = Rc::new(self.test(&condition.test, true, false));
                let formula = Formula::Is(Atom::Cell(lookup, *column, cell), true);
                (&binding.parameter, formula)
            }
        }
    }

    /// What it takes for a test to hold (`wanted`) or not.
    fn test(&self, test: &'t Test, wanted: bool, folds: bool) -> Formula<'t> {
        match test {
            Test::Exactly(text) => Formula::Is(Atom::Exactly(text), wanted),
            Test::Like(pattern) => Formula::Is(Atom::Like(pattern), wanted),
            Test::In(directory) => Formula::Is(Atom::In(self.lookup(directory, folds)), wanted),
            Test::Regex(regex) => Formula::Is(Atom::Regex(regex), wanted),
            Test::Present(present) => Formula::Is(Atom::Exactly(""), *present != wanted),
            Test::Withheld(withheld) => Formula::Is(Atom::Withheld, *withheld == wanted),
            Test::Not(test) => self.test(test, !wanted, folds),
            Test::AnyOf(tests) => self.combined(tests, wanted, wanted, folds),
            Test::AllOf(tests) => self.combined(tests, !wanted, wanted, folds),
        }
    }

    /// Any or all of some tests, each to hold or not.
    fn combined(&self, tests: &'t [Test], any: bool, wanted: bool, folds: bool) -> Formula<'t> {
        let mut texts: Vec<&str> = Vec::new();
        let mut parts = Vec::new();
        for test in tests {
            match self.test(test, wanted, folds) {
                // To be any of some texts, or none of them, is one question and not one for each text.
                Formula::Is(Atom::Exactly(text), is) if is == any => texts.push(text),
                Formula::Is(Atom::OneOf(more), is) if is == any => texts.extend(&*more.list),
                Formula::Any(more) if any => parts.extend(more.iter().cloned()),
                Formula::All(more) if !any => parts.extend(more.iter().cloned()),
                part => parts.push(part),
            }
        }
        match texts.as_slice() {
            [] => {}
            [text] => parts.insert(0, Formula::Is(Atom::Exactly(text), any)),
            _ => parts.insert(0, Formula::Is(Atom::OneOf(Rc::new(one_of(texts))), any)),
        }
        match parts.pop() {
            Some(part) if parts.is_empty() => part,
            last => {
                parts.extend(last);
                if any {
                    Formula::Any(parts.into())
                } else {
                    Formula::All(parts.into())
                }
            }
        }
    }

    fn lookup(&self, directory: &'t Directory, folds: bool) -> Lookup<'t> {
        let files = &self.files;
        let new = || {
            let is_finite = directory.is_exact() && directory.len() <= MOST_ROWS;
            Lookup {
                directory,
                keys: is_finite.then(|| directory.keys().collect()),
                is_lasting: !directory.is_empty() && !files.contains(directory.name()),
            }
        };
        self.lookups
            .borrow_mut()
            .entry((directory.name(), folds))
            .or_insert_with(new)
            .clone()
    }
}

pub(super) fn one_of(texts: Vec<&str>) -> Texts<'_> {
    let mut set = HashSet::new();
    let list = texts.into_iter().filter(|text| set.insert(*text)).collect();
    Texts { list, set }
}
