//! `when`, `during` and `outside`: which requests a route or an intercept matches.

use std::sync::Arc;

use jiff::Timestamp;

use super::condition::{Binding, Condition, all, any};
use super::directory::BoundRow;
use super::schedule::Schedule;
use crate::twilio::facts::Facts;
use crate::twilio::request::Request;

/// Which requests a route or an intercept matches.
#[derive(Debug, Default)]
pub struct When {
    /// The tables of `when`: all of one of them must hold. Empty: always.
    pub alternatives: Vec<Alternative>,
    /// The schedules of `during`: one of them must be open. Empty: at any time.
    pub during: Vec<Arc<Schedule>>,
    /// The schedules of `outside`: none of them may be open. Empty: at any time.
    pub outside: Vec<Arc<Schedule>>,
}

/// One table of `when`: conditions that must all hold.
#[derive(Debug, Default)]
pub struct Alternative {
    /// The conditions, in file order.
    pub conditions: Vec<Condition>,
    /// The directories that give the request a row: those of a plain `in`.
    pub bindings: Vec<Binding>,
}

/// Why a route or an intercept does not match a request: the first thing that does not hold.
#[derive(Debug)]
pub enum Mismatch<'t> {
    /// The first failing condition of the first table of `when`.
    Condition(&'t Condition),
    /// None of these schedules is open.
    Closed(&'t [Arc<Schedule>]),
    /// This schedule is open.
    Open(&'t Schedule),
}

impl When {
    /// Whether it matches a request at this moment; `None` when too little is known of the request.
    #[must_use]
    pub fn holds<'f>(&self, facts: &impl Facts<'f>, now: Timestamp) -> Option<bool> {
        let alternatives = match self.alternatives.as_slice() {
            [] => Some(true),
            some => any(some, |alternative| alternative.holds(facts, now)),
        };
        // Schedules are evaluated only when the conditions may hold.
        if alternatives == Some(false) || self.closed_at(now).is_some() {
            return Some(false);
        }
        alternatives
    }

    /// Why it does not match a complete request at this moment; `None` when it does.
    pub fn mismatch<'f>(&self, facts: &impl Facts<'f>, now: Timestamp) -> Option<Mismatch<'_>> {
        if !self.alternatives.is_empty() && self.alternative(facts, now).is_none() {
            let failing = self.failing(facts, now).next();
            return failing.map(Mismatch::Condition);
        }
        self.closed_at(now)
    }

    /// The first table of `when` that holds; `None` without a `when`, or when none does.
    pub fn alternative<'f>(&self, facts: &impl Facts<'f>, now: Timestamp) -> Option<&Alternative> {
        self.alternatives
            .iter()
            .find(|alternative| alternative.holds(facts, now) == Some(true))
    }

    /// The directory rows chosen by a request that it matches.
    pub(crate) fn rows<'f>(&self, facts: &impl Facts<'f>, now: Timestamp) -> Vec<BoundRow<'_>> {
        let binds = |alternative: &Alternative| !alternative.bindings.is_empty();
        if !self.alternatives.iter().any(binds) {
            return Vec::new();
        }
        let holding = self.alternative(facts, now);
        holding.map_or_else(Vec::new, |alternative| alternative.rows(facts))
    }

    /// The first failing condition of each table of `when`.
    pub fn failing<'t, 'f>(
        &'t self,
        facts: &impl Facts<'f>,
        now: Timestamp,
    ) -> impl Iterator<Item = &'t Condition> {
        let fails = move |condition: &&Condition| condition.holds(facts, now) == Some(false);
        self.alternatives
            .iter()
            .filter_map(move |alternative| alternative.conditions.iter().find(fails))
    }

    /// Whether its result for one request may change with the moment.
    pub(crate) fn needs_time(&self, request: &Request<'_>) -> bool {
        let mut conditions = self.alternatives.iter().flat_map(|one| &one.conditions);
        !self.during.is_empty()
            || !self.outside.is_empty()
            || conditions.any(|condition| condition.needs_time(request))
    }

    /// A description in words: one sentence for each table of `when` and one for the schedules; empty when it always
    /// matches.
    #[must_use]
    pub fn words(&self, shown: impl Fn(&Condition) -> String) -> Vec<String> {
        let alternatives = self.alternatives.iter().map(|alternative| {
            let conditions = alternative.conditions.iter().map(&shown);
            conditions.collect::<Vec<_>>().join(", and ")
        });
        let names = |schedules: &[Arc<Schedule>], between: &str| {
            let names = schedules.iter().map(|schedule| schedule.name.clone());
            names.collect::<Vec<_>>().join(between)
        };
        let hours = [
            ("during", names(&self.during, " or ")),
            ("outside", names(&self.outside, " and ")),
        ];
        let hours = hours.into_iter().filter(|(_, names)| !names.is_empty());
        let hours = hours.map(|(when, names)| format!("{when} {names}"));
        alternatives.chain(hours).collect()
    }

    /// The part of `during` or `outside` that fails at a moment.
    fn closed_at(&self, now: Timestamp) -> Option<Mismatch<'_>> {
        let is_open = |schedule: &&Arc<Schedule>| schedule.is_open(now);
        if !self.during.is_empty() && !self.during.iter().any(|schedule| is_open(&schedule)) {
            return Some(Mismatch::Closed(&self.during));
        }
        let open = self.outside.iter().find(is_open)?;
        Some(Mismatch::Open(open))
    }
}

impl Alternative {
    /// Whether all of its conditions hold; `None` when too little is known of the request.
    #[must_use]
    pub fn holds<'f>(&self, facts: &impl Facts<'f>, now: Timestamp) -> Option<bool> {
        all(&self.conditions, |condition| condition.holds(facts, now))
    }

    /// The rows that a request chooses.
    fn rows<'f>(&self, facts: &impl Facts<'f>) -> Vec<BoundRow<'_>> {
        self.bindings
            .iter()
            .filter_map(|binding| Some((&*binding.directory, binding.row(facts)?)))
            .collect()
    }
}
