//! Routes that can never answer, because earlier ones always do or because nothing passes all of their conditions.
//!
//! Reported only when proved, for any request that could be sent and at any hour; what a proof cannot decide, such
//! as what a regular expression finds, may be so or not. Never reported by guess, so some are not found.

mod answer;
mod case;
mod formula;
mod implies;
mod known;
mod proof;

use std::collections::BTreeSet;
use std::ops::Range;

use self::proof::{Proofs, Reason};
use super::Compiler;
use super::directory_file::Places;
use crate::diagnostic::Code;

/// The most routes that are reported: whoever has more has one mistake, above all of them.
const MOST_REPORTED: usize = 100;

/// The most routes that are named for one that they cover.
const MOST_NAMED: usize = 3;

impl Compiler<'_> {
    /// Reports every route that can never answer. To be called when all routes are read without an error.
    pub(super) fn check_reach(&mut self) {
        let files = self.directories.iter().filter_map(|(name, directory)| {
            let places = &directory.as_ref()?.places;
            matches!(places, Places::Csv { .. }).then_some(name.as_str())
        });
        let mut proofs = Proofs::new(files.collect());
        let mut never = Vec::new();
        for (position, route) in self.routes.iter().enumerate() {
            if let Some(proof) = proofs.next(position, route) {
                never.push((position, proof));
            }
            if never.len() == MOST_REPORTED {
                break;
            }
        }
        if never.is_empty() {
            return;
        }
        let lines = lines_of(&self.source.text, &self.route_places);
        for (position, proof) in never {
            let name = &self.routes[position].name;
            let (why, help) = self.explained(proof.reason, &lines);
            let message = format!("\"{name}\" can never answer: {why}");
            let place = self.route_places[position].clone();
            if proof.is_lasting {
                self.problems
                    .error(Code::NeverAnswers, place, message, help);
            } else {
                // The next rows may be others, and nobody has changed the table then.
                let help = format!("{help}; with other rows in its directories it may answer");
                self.problems.warn(Code::NeverAnswers, place, message, help);
            }
        }
    }

    /// Why a route can never answer, and what to do about it.
    fn explained(&self, reason: Reason, lines: &[usize]) -> (String, String) {
        let why = match reason {
            Reason::Covered(routes) => return self.covered(&routes, lines),
            Reason::Condition(parameter) => {
                format!("no request passes what it asks of `{parameter}`")
            }
            Reason::Conditions(parameter) => {
                format!("what it asks of `{parameter}` cannot hold beside its other conditions")
            }
            Reason::Hours(schedule) => {
                format!("it is to be open both during and outside \"{schedule}\"")
            }
            Reason::Contradiction => "no request passes all of its conditions".to_owned(),
        };
        let help = "take out what excludes the rest, or take the route out";
        (why, help.to_owned())
    }

    /// The sentence about the routes that cover one, and what to do about it.
    fn covered(&self, routes: &BTreeSet<usize>, lines: &[usize]) -> (String, String) {
        let named: Vec<String> = routes
            .iter()
            .take(MOST_NAMED)
            .map(|route| format!("\"{}\" in line {}", self.routes[*route].name, lines[*route]))
            .collect();
        let more = routes.len() - named.len();
        match named.as_slice() {
            [one] => (
                format!("{one} answers all that it would"),
                "move it above that route, or take it out".to_owned(),
            ),
            [first @ .., last] if more == 0 => (
                format!(
                    "{} and {last} together answer all that it would",
                    first.join(", ")
                ),
                "move it above the first of them, or take it out".to_owned(),
            ),
            some => (
                format!(
                    "{} and {more} more routes together answer all that it would",
                    some.join(", ")
                ),
                "move it above the first of them, or take it out".to_owned(),
            ),
        }
    }
}

/// The lines of some places, which are in the order of the file.
fn lines_of(text: &str, places: &[Range<usize>]) -> Vec<usize> {
    let (mut line, mut read) = (1, 0);
    places
        .iter()
        .map(|place| {
            line += text[read..place.start].matches('\n').count();
            read = place.start;
            line
        })
        .collect()
}

#[cfg(test)]
mod tests;
