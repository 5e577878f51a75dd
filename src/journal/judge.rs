//! What a recorded request would get from a table, as far as its line tells.
//!
//! A line does not hold every value. So a condition holds, does not hold, or is unknown, and a verdict is given only
//! when every value that the line may represent leads to the same route. Nothing is guessed: what is called the same
//! or different here is what the table says to the whole request.

use std::fmt;

use super::line::Recorded;
use crate::table::guard::{GuardReason, LOOP_GUARD};
use crate::table::intercept::PASS;
use crate::table::when::When;
use crate::table::{DEFAULT, Route, Table};
use crate::twilio::facts::{Facts, Known};
use crate::twilio::request::Webhook;
use jiff::Timestamp;

/// What decides a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice<'a> {
    /// The route or intercept, `default`, `loop-guard` or `pass`.
    pub name: &'a str,
    /// Whether it blocks an interaction.
    pub blocks: bool,
}

/// How a table's choice compares to the recorded choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// The choice is the same.
    Same,
    /// The choice is different.
    Different {
        /// The recorded choice.
        was: Choice<'a>,
        /// The table's choice.
        now: Choice<'a>,
    },
    /// The line does not hold enough to decide.
    CannotTell(Doubt<'a>),
}

/// Why it is unknown what a table would choose, or what was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt<'a> {
    /// These parameters' values decide, and are masked or left out. Each is named once.
    Values(Vec<&'a str>),
    /// A guard that counts requests answered before any route was asked, or in its place.
    Counted,
    /// A fault of the program answered.
    Fault,
}

/// What is chosen, or why that is unknown.
type Chosen<'a> = Result<Choice<'a>, Doubt<'a>>;

impl fmt::Display for Choice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        if self.blocks {
            f.write_str(" (blocks)")?;
        }
        Ok(())
    }
}

/// A table's verdict on a recorded request that came at this moment; `None` when the line does not record a decision.
#[must_use]
pub fn judge<'j>(
    table: &'j Table,
    request: &'j Recorded<'j>,
    moment: Timestamp,
) -> Option<Verdict<'j>> {
    let was = match recorded(request)? {
        Ok(was) => was,
        Err(doubt) => return Some(Verdict::CannotTell(doubt)),
    };
    let now = if request.webhook() == Webhook::Intercept {
        intercept(table, request, moment)
    } else {
        route(table, request, moment)
    };
    Some(match now {
        Err(doubt) => Verdict::CannotTell(doubt),
        Ok(now) if now == was => Verdict::Same,
        Ok(now) => Verdict::Different { was, now },
    })
}

fn route<'j>(table: &'j Table, request: &'j Recorded<'j>, moment: Timestamp) -> Chosen<'j> {
    let is_machine = request.line().machine;
    let choice = |route: Option<&'j Route>| Choice {
        name: match route {
            // Only routes with `answer_machines` answer machines.
            route if is_machine && !route.is_some_and(|route| route.answers_machines) => LOOP_GUARD,
            Some(route) => &route.name,
            None => DEFAULT,
        },
        blocks: false,
    };
    let routes = table.candidates(request).map(|(_, route)| {
        let holds = route.answers(request, moment);
        (choice(Some(route)), holds, Some(&route.when))
    });
    first(routes, choice(None), request, moment)
}

fn intercept<'j>(table: &'j Table, request: &'j Recorded<'j>, moment: Timestamp) -> Chosen<'j> {
    let intercepts = table.intercepts.iter().map(|intercept| {
        let choice = Choice {
            name: &intercept.name,
            blocks: intercept.blocks,
        };
        let holds = intercept.when.holds(request, moment);
        (choice, holds, Some(&intercept.when))
    });
    let pass = Choice {
        name: PASS,
        blocks: false,
    };
    first(intercepts, pass, request, moment)
}

/// What decides, of choices in the order of the file with whether each holds; `last` when none does. When several may, they
/// must be the same, else the verdict is unknown.
fn first<'j>(
    choices: impl Iterator<Item = (Choice<'j>, Option<bool>, Option<&'j When>)>,
    last: Choice<'j>,
    request: &'j Recorded<'j>,
    moment: Timestamp,
) -> Chosen<'j> {
    let mut found: Option<Choice<'_>> = None;
    let mut differ = false;
    let mut open = Vec::new();
    for (choice, holds, when) in choices.chain([(last, Some(true), None)]) {
        if holds == Some(false) {
            continue;
        }
        differ |= *found.get_or_insert(choice) != choice;
        if holds == Some(true) {
            break;
        }
        open.extend(when);
    }
    match found {
        Some(choice) if !differ => Ok(choice),
        _ => Err(Doubt::Values(missing(&open, request, moment))),
    }
}

/// The parameters that leave conditions unknown, each once.
fn missing<'j>(open: &[&'j When], request: &'j Recorded<'j>, moment: Timestamp) -> Vec<&'j str> {
    let mut names = Vec::new();
    let mut add = |name| {
        if !names.contains(&name) {
            names.push(name);
        }
    };
    let alternatives = open.iter().flat_map(|when| &when.alternatives);
    let unknown = alternatives.filter(|alternative| alternative.holds(request, moment).is_none());
    for condition in unknown.flat_map(|alternative| &alternative.conditions) {
        if condition.holds(request, moment).is_none() {
            for name in condition.subject.parameters() {
                if !matches!(request.value(name), Known::Whole(_)) {
                    add(request.kept_as(name));
                }
            }
        }
    }
    if request.webhook() != Webhook::Intercept && request.step().is_none() {
        add("step");
    }
    names
}

/// The choice recorded in a line; `None` when nothing was chosen.
fn recorded<'a>(request: &Recorded<'a>) -> Option<Chosen<'a>> {
    let line = request.line();
    let is_intercept = request.webhook() == Webhook::Intercept;
    if !is_intercept && !request.webhook().wants_document() {
        return None;
    }
    let route = line.route.as_deref()?;
    let told = GuardReason::OF_MACHINES.map(GuardReason::word);
    let guard = line.guard.as_deref();
    if guard.is_some_and(|word| !told.contains(&word)) {
        return Some(Err(Doubt::Counted));
    }
    let name = match line.failed.as_deref() {
        Some(DEFAULT) => return Some(Err(Doubt::Fault)),
        // This route was chosen, although its reply could not be written.
        Some(failed) => failed,
        None => route,
    };
    Some(Ok(Choice {
        name,
        blocks: is_intercept && line.is_blocked(),
    }))
}
