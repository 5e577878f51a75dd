//! One case of a proof: what is known of a request's values and of the hour, and how the values of a request
//! depend on each other.
//!
//! A case may stand for requests that cannot come; it leaves none out that can. So what holds in all cases holds.

use std::rc::Rc;

use super::formula::{Atom, Formula, Lookup};
use super::known::Known;
use super::proof::Effort;
use crate::table::directory::Row;
use crate::table::{Condition, folded};
use crate::twilio::channel::Channel;
use crate::twilio::request::{alias, is_caller_geography};

const ABSENT: Atom<'static> = Atom::Exactly("");

/// What is known of a request and of the hour.
#[derive(Debug, Clone)]
pub(super) struct Case<'t> {
    channel: Channel,
    values: Vec<(&'t str, Known<'t>)>,
    /// Which schedules are open and which are not, by name.
    hours: Vec<(&'t str, bool)>,
    /// What is also known, and has to be told apart before it can be used.
    pending: Vec<Fork<'t>>,
}

/// Several cases that together are all there are.
#[derive(Debug, Clone)]
pub(super) enum Fork<'t> {
    /// A parameter passes one of these.
    Parts(&'t str, Rc<[Formula<'t>]>),
    /// A parameter leads to one of the rows of a directory, or to none.
    Rows(&'t str, Lookup<'t>),
    /// A parameter is one of these texts.
    Texts(&'t str, Rc<[&'t str]>),
    /// A parameter does not pass, or it does.
    Either(&'t str, Atom<'t>),
    /// A schedule is closed, or open.
    Hours(&'t str),
}

impl Fork<'_> {
    /// How many cases there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Parts(_, parts) => parts.len(),
            Self::Rows(_, lookup) => lookup.directory.len() + 1,
            Self::Texts(_, texts) => texts.len(),
            Self::Either(..) | Self::Hours(_) => 2,
        }
    }
}

impl<'t> Case<'t> {
    /// Any request of a channel, at any hour.
    pub(super) fn new(channel: Channel) -> Self {
        Self {
            channel,
            values: Vec::new(),
            hours: Vec::new(),
            pending: Vec::new(),
        }
    }

    /// Learns that a parameter's value passes; `false` when that cannot be.
    pub(super) fn assume(
        &mut self,
        parameter: &'t str,
        formula: &Formula<'t>,
        effort: &Effort,
    ) -> bool {
        match formula {
            Formula::Is(atom, wanted) => self.assume_atom(parameter, atom, *wanted, effort),
            Formula::All(parts) => parts
                .iter()
                .all(|part| self.assume(parameter, part, effort)),
            Formula::Any(parts) => {
                let holds = self.decide(parameter, formula, effort);
                if holds.is_none() {
                    self.pending.push(Fork::Parts(parameter, Rc::clone(parts)));
                }
                holds != Some(false)
            }
        }
    }

    fn assume_atom(
        &mut self,
        parameter: &'t str,
        atom: &Atom<'t>,
        wanted: bool,
        effort: &Effort,
    ) -> bool {
        let place = self.place(parameter, effort);
        let known = &mut self.values[place].1;
        let mut can_be = known.assume(atom, wanted, effort);
        if Condition::folds(parameter) {
            can_be = can_be && known.keep(|value| folded(value) == value);
        }
        let is_open = matches!(known, Known::Open(_));
        if let Atom::In(lookup) | Atom::Cell(lookup, ..) = atom
            && can_be
            && is_open
            && lookup.few_rows(effort).is_some()
            && (wanted || matches!(atom, Atom::Cell(..)))
        {
            self.pending.push(Fork::Rows(parameter, lookup.clone()));
        }
        can_be && self.tell_others(parameter, effort)
    }

    /// Where a parameter stands, with what follows for it from the others.
    fn place(&mut self, parameter: &'t str, effort: &Effort) -> usize {
        if is_caller_geography(parameter) || parameter == "From" {
            // It is the caller who decides about these.
            self.insert("Caller", effort);
        }
        self.insert(parameter, effort)
    }

    fn insert(&mut self, parameter: &'t str, effort: &Effort) -> usize {
        if let Some(place) = self.values.iter().position(|(name, _)| *name == parameter) {
            return place;
        }
        let known = self.derived(parameter, effort);
        self.values.push((parameter, known));
        self.values.len() - 1
    }

    fn known(&self, parameter: &str) -> Option<&Known<'t>> {
        self.values
            .iter()
            .find_map(|(name, known)| (*name == parameter).then_some(known))
    }

    /// What follows for a parameter of which nothing is said.
    fn derived(&self, parameter: &str, effort: &Effort) -> Known<'t> {
        let mut known = Known::default();
        // An absent `Direction` reads `inbound`.
        if parameter == "Direction" {
            known.assume(&ABSENT, false, effort);
        }
        // A request with a `CallSid` is a call.
        if parameter == "CallSid" && self.channel == Channel::Message {
            known.assume(&ABSENT, true, effort);
        }
        if let Some(is_absent) = alias(parameter).and_then(|other| self.is_absent(other, effort)) {
            known.assume(&ABSENT, is_absent, effort);
        }
        if is_caller_geography(parameter) && self.is_withheld(effort) {
            known.assume(&ABSENT, true, effort);
        }
        known
    }

    /// Tells those of which something is known what a parameter's value means for them; `false` when that cannot be.
    fn tell_others(&mut self, parameter: &'t str, effort: &Effort) -> bool {
        // Absent parameters read their alias: one of the two is empty only when the other is. Nothing else follows:
        // when both were sent, each has its own value.
        if let Some(other) = alias(parameter)
            && let Some(is_absent) = self.is_absent(parameter, effort)
            && !self.tell(other, &ABSENT, is_absent, effort)
        {
            return false;
        }
        if is_caller_geography(parameter) && self.is_absent(parameter, effort) == Some(false) {
            return self.tell("Caller", &Atom::Withheld, false, effort);
        }
        if parameter == "Caller" && self.is_withheld(effort) {
            let names: Vec<&str> = self.values.iter().map(|(name, _)| *name).collect();
            return names
                .into_iter()
                .filter(|name| is_caller_geography(name))
                .all(|name| self.tell(name, &ABSENT, true, effort));
        }
        true
    }

    /// Learns about a parameter of which something is known already.
    fn tell(&mut self, parameter: &'t str, atom: &Atom<'t>, wanted: bool, effort: &Effort) -> bool {
        let formula = Formula::Is(atom.clone(), wanted);
        match self.known(parameter) {
            None => true,
            Some(known) => match known.decide(&formula, effort) {
                Some(holds) => holds,
                None => self.assume_atom(parameter, atom, wanted, effort),
            },
        }
    }

    fn is_absent(&self, parameter: &str, effort: &Effort) -> Option<bool> {
        self.known(parameter)?
            .decide(&Formula::Is(ABSENT, true), effort)
    }

    fn is_withheld(&self, effort: &Effort) -> bool {
        self.known("Caller").is_some_and(|caller| {
            caller.decide(&Formula::Is(Atom::Withheld, true), effort) == Some(true)
        })
    }

    /// Whether a parameter's value surely passes (`true`) or surely does not; `None` when it may or may not.
    pub(super) fn decide(
        &self,
        parameter: &str,
        formula: &Formula<'t>,
        effort: &Effort,
    ) -> Option<bool> {
        match self.known(parameter) {
            Some(known) => known.decide(formula, effort),
            None => self.derived(parameter, effort).decide(formula, effort),
        }
    }

    /// The cases to tell apart so that more can be said about whether a parameter passes.
    pub(super) fn fork(
        &self,
        parameter: &'t str,
        formula: &Formula<'t>,
        effort: &Effort,
    ) -> Option<Fork<'t>> {
        let derived;
        let known = if let Some(known) = self.known(parameter) {
            known
        } else {
            derived = self.derived(parameter, effort);
            &derived
        };
        match known {
            // What one text decides nothing about is up to rows that may change.
            Known::Among { values, .. } => {
                (values.len() > 1).then(|| Fork::Texts(parameter, Rc::clone(values)))
            }
            Known::Open(_) => {
                let atom = known.first_open(formula, effort)?;
                Some(Fork::Either(parameter, atom.clone()))
            }
        }
    }

    /// What is known and has not been told apart yet.
    pub(super) fn pending(&mut self) -> Option<Fork<'t>> {
        self.pending.pop()
    }

    /// Learns which of a fork's cases this is; `false` when it cannot be.
    pub(super) fn take(&mut self, fork: &Fork<'t>, case: usize, effort: &Effort) -> bool {
        match fork {
            Fork::Parts(parameter, parts) => self.assume(parameter, &parts[case], effort),
            Fork::Rows(parameter, lookup) => self.take_row(parameter, lookup, case, effort),
            Fork::Texts(parameter, texts) => self.take_text(parameter, texts[case], effort),
            Fork::Either(parameter, atom) => self.assume_atom(parameter, atom, case == 1, effort),
            Fork::Hours(schedule) => self.assume_hours(schedule, case == 1),
        }
    }

    /// Learns that a parameter leads to a row, or, with a number above all rows, to none.
    fn take_row(
        &mut self,
        parameter: &'t str,
        lookup: &Lookup<'t>,
        row: usize,
        effort: &Effort,
    ) -> bool {
        let row = Row::try_from(row).unwrap_or(Row::MAX);
        if row as usize >= lookup.directory.len() {
            let none = Atom::In(lookup.clone());
            return self.assume_atom(parameter, &none, false, effort);
        }
        let key = lookup.directory.key(row);
        let atom = if key.ends_with('*') {
            Atom::Row(lookup.clone(), row)
        } else {
            Atom::Exactly(key)
        };
        self.assume_atom(parameter, &atom, true, effort)
    }

    /// Learns which of the texts that it can be a parameter is.
    fn take_text(&mut self, parameter: &'t str, text: &'t str, effort: &Effort) -> bool {
        let place = self.place(parameter, effort);
        if let Known::Among { values, .. } = &mut self.values[place].1 {
            *values = [text].into();
        }
        self.tell_others(parameter, effort)
    }

    /// Learns that a schedule is open or closed; `false` when that cannot be.
    pub(super) fn assume_hours(&mut self, schedule: &'t str, is_open: bool) -> bool {
        if let Some(known) = self.is_open(schedule) {
            return known == is_open;
        }
        self.hours.push((schedule, is_open));
        true
    }

    /// Whether a schedule is open; `None` when it may or may not be.
    pub(super) fn is_open(&self, schedule: &str) -> Option<bool> {
        self.hours
            .iter()
            .find_map(|(name, is_open)| (*name == schedule).then_some(*is_open))
    }

    /// One value for each parameter of which it is known that it is one of a few texts.
    pub(super) fn first_texts(&self) -> impl Iterator<Item = (&'t str, &'t str)> {
        self.values.iter().filter_map(|(name, known)| match known {
            Known::Among { values, .. } => Some((*name, *values.first()?)),
            Known::Open(_) => None,
        })
    }
}
