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
use super::directory_file::Places;
use super::names::Names;
use super::routes::{ReadIntercept, ReadRoutes};
use crate::table::Route;
use crate::table::diagnostic::Check;
use crate::table::problems::Problems;

pub(super) static NEVER_ANSWERS: Check = Check::new(
    "never-answers",
    r#"A route or an intercept that no request can reach. This is proved, not guessed: an earlier route, or several together,
answer everything that it would, or its own conditions exclude each other. Move it above the route that is named, or
take it out. It is only a warning where other rows in a directory's file could let it answer.

```toml
[[route]]
name = "all"
voice = [ { Say = "Hello." } ]

[[route]]
name = "new-york"     # move it above "all"
when = { Called = "+12125550100" }
voice = [ { Say = "Hello, New York." } ]
```
"#,
);

/// The most routes that are reported: whoever has more has one mistake, above all of them.
const MOST_REPORTED: usize = 100;

/// The most routes that are named for one that they cover.
const MOST_NAMED: usize = 3;

/// How routes and intercepts are told of.
struct Words {
    one: &'static str,
    /// What one does to a request.
    does: &'static str,
}

const ROUTE: Words = Words {
    one: "route",
    does: "answer",
};

const INTERCEPT: Words = Words {
    one: "intercept",
    does: "decide",
};

/// Reports every route that can never answer, and every intercept that can never decide. To be called when all
/// are read without an error.
pub(super) fn check_reach(
    names: &Names,
    problems: &mut Problems,
    routes: &ReadRoutes,
    intercepts: &[ReadIntercept],
) {
    let ordered: Vec<&Route> = routes.routes.iter().collect();
    check_reach_of(names, problems, &ordered, &routes.places, &ROUTE);
    let (ordered, places): (Vec<&Route>, Vec<Range<usize>>) = intercepts
        .iter()
        .map(|intercept| (&intercept.route, intercept.place.clone()))
        .unzip();
    check_reach_of(names, problems, &ordered, &places, &INTERCEPT);
}

fn check_reach_of(
    names: &Names,
    problems: &mut Problems,
    routes: &[&Route],
    places: &[Range<usize>],
    words: &Words,
) {
    let files = names.directories.iter().filter_map(|(name, directory)| {
        let places = &directory.as_ref()?.places;
        matches!(places, Places::Csv { .. }).then_some(name.as_str())
    });
    let mut proofs = Proofs::new(files.collect());
    let mut never = Vec::new();
    for (position, route) in routes.iter().enumerate() {
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
    let lines = lines_of(&problems.file().text, places);
    let Words { one, does } = words;
    for (position, proof) in never {
        let name = &routes[position].name;
        let (why, help) = match proof.reason {
            Reason::Covered(covering) => covered(&covering, routes, &lines, words),
            reason => (
                impossible(&reason),
                format!("take out what excludes the rest, or take the {one} out"),
            ),
        };
        let message = format!("\"{name}\" can never {does}: {why}");
        let place = places[position].clone();
        if proof.is_lasting {
            problems.error(&NEVER_ANSWERS, place, message, help);
        } else {
            // The next rows may be others, and nobody has changed the table then.
            let help = format!("{help}; with other rows in its directories it may {does}");
            problems.warn(&NEVER_ANSWERS, place, message, help);
        }
    }
}

/// Why nothing passes the conditions of a route.
fn impossible(reason: &Reason) -> String {
    match reason {
        Reason::Condition(parameter) => {
            format!("no request passes what it asks of `{parameter}`")
        }
        Reason::Conditions(parameter) => {
            format!("what it asks of `{parameter}` cannot hold beside its other conditions")
        }
        Reason::Hours(schedule) => {
            format!("it is to be open both during and outside \"{schedule}\"")
        }
        Reason::Covered(_) | Reason::Contradiction => {
            "no request passes all of its conditions".to_owned()
        }
    }
}

/// The sentence about the routes that cover one, and what to do about it.
fn covered(
    covering: &BTreeSet<usize>,
    routes: &[&Route],
    lines: &[usize],
    Words { one, does }: &Words,
) -> (String, String) {
    let named: Vec<String> = covering
        .iter()
        .take(MOST_NAMED)
        .map(|route| format!("\"{}\" in line {}", routes[*route].name, lines[*route]))
        .collect();
    let more = covering.len() - named.len();
    match named.as_slice() {
        [only] => (
            format!("{only} {does}s all that it would"),
            format!("move it above that {one}, or take it out"),
        ),
        [first @ .., last] if more == 0 => (
            format!(
                "{} and {last} together {does} all that it would",
                first.join(", ")
            ),
            "move it above the first of them, or take it out".to_owned(),
        ),
        some => (
            format!(
                "{} and {more} more {one}s together {does} all that it would",
                some.join(", ")
            ),
            "move it above the first of them, or take it out".to_owned(),
        ),
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
