//! What is known of one value.

use std::rc::Rc;

use super::formula::{Atom, Formula, all, any};
use super::implies::{decides_without, exclude, holds_always, implies};
use super::proof::Effort;
use crate::table::directory::Directory;

/// What is known of one value: which it can be, or what it passes and what not.
#[derive(Debug, Clone)]
pub(super) enum Known<'t> {
    /// It is one of these texts.
    Among {
        values: Rc<[&'t str]>,
        /// A directory that all of them are in.
        of: Option<&'t Directory>,
    },
    /// Each of these atoms holds (`true`) or does not.
    Open(Vec<(Atom<'t>, bool)>),
}

impl Default for Known<'_> {
    /// Nothing is known.
    fn default() -> Self {
        Self::Open(Vec::new())
    }
}

impl<'t> Known<'t> {
    /// Whether a formula surely holds (`true`) or surely does not; `None` when it may or may not.
    pub(super) fn decide(&self, formula: &Formula<'t>, effort: &Effort) -> Option<bool> {
        match (self, formula) {
            (Self::Among { values, of }, _) => {
                if let (Formula::Is(Atom::In(lookup), wanted), Some(of)) = (formula, of)
                    && std::ptr::eq(lookup.directory, *of)
                {
                    return Some(*wanted);
                }
                let cost = formula.size();
                agreed(values.iter().map(|value| {
                    effort
                        .spend(cost)
                        .then(|| formula.holds(value, effort))
                        .flatten()
                }))
            }
            (Self::Open(_), Formula::Is(atom, wanted)) => {
                Some(self.decide_atom(atom, effort)? == *wanted)
            }
            (Self::Open(_), Formula::All(parts)) => all(parts, |part| self.decide(part, effort)),
            (Self::Open(_), Formula::Any(parts)) => any(parts, |part| self.decide(part, effort)),
        }
    }

    /// [`Self::decide`] for an atom: through one of the facts that are known, or because it holds always or never.
    fn decide_atom(&self, atom: &Atom<'t>, effort: &Effort) -> Option<bool> {
        let facts = match self {
            Self::Among { .. } => return self.decide(&Formula::Is(atom.clone(), true), effort),
            Self::Open(facts) => facts,
        };
        if holds_always(atom, effort) {
            return Some(true);
        }
        if let Atom::In(lookup) = atom
            && lookup.rows(effort).is_some_and(Directory::is_empty)
        {
            return Some(false);
        }
        facts.iter().find_map(|(fact, holds)| match holds {
            true if implies(fact, atom, effort) => Some(true),
            true if exclude(fact, atom, effort) => Some(false),
            true => None,
            false => decides_without(fact, atom, effort),
        })
    }

    /// Learns that an atom holds (`wanted`) or does not; `false` when that cannot be.
    pub(super) fn assume(&mut self, atom: &Atom<'t>, wanted: bool, effort: &Effort) -> bool {
        match self.decide_atom(atom, effort) {
            Some(holds) => return holds == wanted,
            None if matches!(self, Self::Among { .. }) => {
                return self.keep(|value| atom.holds(value, effort) != Some(!wanted));
            }
            None => {}
        }
        let Self::Open(facts) = self else {
            return true;
        };
        if let (Some((values, of)), true) = (texts_of(atom, effort), wanted) {
            let facts = std::mem::take(facts);
            *self = Self::Among { values, of };
            if facts.is_empty() {
                return true;
            }
            return self.keep(|value| {
                facts
                    .iter()
                    .all(|(fact, holds)| fact.holds(value, effort) != Some(!holds))
            });
        }
        facts.push((atom.clone(), wanted));
        true
    }

    /// Learns what a formula says without any "or"; `false` when that cannot be.
    pub(super) fn assume_parts(&mut self, formula: &Formula<'t>, effort: &Effort) -> bool {
        match formula {
            Formula::Is(atom, wanted) => self.assume(atom, *wanted, effort),
            Formula::All(parts) => parts.iter().all(|part| self.assume_parts(part, effort)),
            Formula::Any(_) => true,
        }
    }

    /// Of the texts that it can be, keeps those that pass; `false` when none does.
    pub(super) fn keep(&mut self, mut passes: impl FnMut(&str) -> bool) -> bool {
        let Self::Among { values, .. } = self else {
            return true;
        };
        if !values.iter().all(|value| passes(value)) {
            *values = values
                .iter()
                .copied()
                .filter(|value| passes(value))
                .collect();
        }
        !values.is_empty()
    }

    /// The atom of a formula that decides nothing yet, the first of them.
    pub(super) fn first_open<'f>(
        &self,
        formula: &'f Formula<'t>,
        effort: &Effort,
    ) -> Option<&'f Atom<'t>> {
        match formula {
            Formula::Is(atom, _) => self.decide_atom(atom, effort).is_none().then_some(atom),
            Formula::Any(parts) | Formula::All(parts) => {
                parts.iter().find_map(|part| self.first_open(part, effort))
            }
        }
    }
}

/// What all of some outcomes are; `None` when they differ or one of them is not known.
fn agreed(mut outcomes: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let first = outcomes.next()??;
    outcomes
        .all(|outcome| outcome == Some(first))
        .then_some(first)
}

/// All texts of which an atom holds, when they are known and not too many; with the directory that they are in.
fn texts_of<'t>(
    atom: &Atom<'t>,
    effort: &Effort,
) -> Option<(Rc<[&'t str]>, Option<&'t Directory>)> {
    match atom {
        Atom::Exactly(text) => Some(([*text].into(), None)),
        Atom::OneOf(texts) => Some((Rc::clone(&texts.list), None)),
        Atom::In(lookup) => Some((lookup.keys(effort)?, Some(lookup.directory))),
        _ => None,
    }
}
