//! `[[intercept]]`: which interactions of a Proxy session are blocked.
//!
//! File order decides, as with routes. An interaction that matches none passes.

use jiff::Timestamp;

use super::Table;
use super::when::{Mismatch, When};
use crate::twilio::request::Request;

/// The word for an interaction that is blocked.
pub const BLOCK: &str = "block";

/// The word for an interaction that passes.
pub const PASS: &str = "pass";

/// One `[[intercept]]`: which interactions it decides, and how.
#[derive(Debug)]
pub struct Intercept {
    /// Its name, in logs, tests and the answer's header.
    pub name: String,
    /// Which interactions it is for.
    pub when: When,
    /// Whether the interaction is blocked or passes.
    pub blocks: bool,
}

impl Intercept {
    /// [`BLOCK`] or [`PASS`].
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        if self.blocks { BLOCK } else { PASS }
    }
}

impl Table {
    /// Every intercept in file order with the reason why it does not decide; `None` means that it would.
    pub fn intercept_verdicts<'t>(
        &'t self,
        request: &Request<'_>,
        now: Timestamp,
    ) -> impl Iterator<Item = (&'t Intercept, Option<Mismatch<'t>>)> {
        self.intercepts
            .iter()
            .map(move |intercept| (intercept, intercept.when.mismatch(request, now)))
    }

    /// The first intercept in [`Table::intercept_verdicts`] that decides; `None` when the interaction passes because
    /// none does.
    #[must_use]
    pub fn intercept(&self, request: &Request<'_>, now: Timestamp) -> Option<&Intercept> {
        self.intercepts
            .iter()
            .find(|intercept| intercept.when.holds(request, now) == Some(true))
    }
}
