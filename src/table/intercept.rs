//! `[[intercept]]`: which interactions of a Proxy session are blocked.
//!
//! File order decides, as with routes; what none fits goes on.

use std::sync::Arc;

use jiff::Timestamp;

use super::schedule::Schedule;
use super::{Alternative, Condition, Miss, Table, failing, fitting};
use crate::twilio::request::Request;

/// The word for an interaction that is blocked.
pub const BLOCK: &str = "block";

/// The word for an interaction that goes on.
pub const PASS: &str = "pass";

/// One `[[intercept]]`: which interactions it decides, and how.
#[derive(Debug)]
pub struct Intercept {
    /// Its name, in logs, tests and the answer's header.
    pub name: String,
    /// The tables of `when`: one of them must hold whole. Empty: always.
    pub alternatives: Vec<Alternative>,
    /// The schedules of `during`: one of them must be open. Empty: at any time.
    pub during: Vec<Arc<Schedule>>,
    /// The schedules of `outside`: none of them may be open. Empty: at any time.
    pub outside: Vec<Arc<Schedule>>,
    /// Whether the interaction is blocked or goes on.
    pub blocks: bool,
}

impl Intercept {
    /// [`BLOCK`] or [`PASS`].
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        if self.blocks { BLOCK } else { PASS }
    }

    /// The first failing condition of each table of `when`, for whoever asks why it does not decide.
    pub fn failing<'t>(&'t self, request: &Request<'_>) -> impl Iterator<Item = &'t Condition> {
        failing(&self.alternatives, request)
    }

    fn miss(&self, request: &Request<'_>, now: Timestamp) -> Option<Miss<'_>> {
        fitting(
            &self.alternatives,
            &self.during,
            &self.outside,
            request,
            now,
        )
        .err()
    }
}

impl Table {
    /// Every intercept in file order with why it does not decide; `None` means that it would.
    pub fn intercept_verdicts<'t>(
        &'t self,
        request: &Request<'_>,
        now: Timestamp,
    ) -> impl Iterator<Item = (&'t Intercept, Option<Miss<'t>>)> {
        self.intercepts
            .iter()
            .map(move |intercept| (intercept, intercept.miss(request, now)))
    }

    /// The first intercept in [`Table::intercept_verdicts`] that decides; `None` when the interaction goes on because
    /// none does.
    #[must_use]
    pub fn intercept(&self, request: &Request<'_>, now: Timestamp) -> Option<&Intercept> {
        self.intercept_verdicts(request, now)
            .find_map(|(intercept, miss)| miss.is_none().then_some(intercept))
    }
}
