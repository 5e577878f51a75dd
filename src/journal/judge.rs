//! What a recorded request would get from a table, as far as its line tells.
//!
//! A line does not hold every value. So a condition holds, does not hold, or cannot be told, and a verdict is given only
//! when every value that the line may stand for leads to the same route. Nothing is guessed: what is called the same
//! or different here is what the table says to the whole request.

mod keys;
mod mask;
mod seen;
mod truth;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use smallvec::SmallVec;

use self::keys::Directories;
use self::seen::Sight;
use self::truth::Truth;
use crate::journal::line::Recorded;
use crate::table::guard::{GuardReason, LOOP_GUARD};
use crate::table::intercept::PASS;
use crate::table::reply::Reply;
use crate::table::schedule::Schedule;
use crate::table::{Alternative, DEFAULT, Route, Shelved, Subject, Table};
use crate::twilio::request::Webhook;

/// A table, ready to be asked about recorded requests.
#[derive(Debug)]
pub struct Judge<'t> {
    table: &'t Table,
    directories: Directories<'t>,
    shelved: Shelved,
}

/// What decides a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice<'a> {
    /// The route or intercept, `default`, `loop-guard` or `pass`.
    pub name: &'a str,
    /// Whether it blocks an interaction.
    pub blocks: bool,
}

/// How a table's choice stands to the one that was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// It is the same.
    Same,
    /// It is another.
    Different {
        /// What is recorded.
        was: Choice<'a>,
        /// What the table says.
        now: Choice<'a>,
    },
    /// The line does not hold enough to tell.
    CannotTell(Doubt<'a>),
}

/// Why it cannot be told what a table would choose, or what was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt<'a> {
    /// These parameters' values decide, and are masked or left out. Each is named once.
    Values(Vec<&'a str>),
    /// A guard that counts requests answered before any route was asked, or in its place.
    Counted,
    /// A fault of the program answered.
    Fault,
}

impl fmt::Display for Choice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        if self.blocks {
            f.write_str(" (blocks)")?;
        }
        Ok(())
    }
}

impl<'t> Judge<'t> {
    /// Makes ready what is the same for all requests. Takes memory for each directory that a condition names: less than
    /// the directory itself.
    #[must_use]
    pub fn new(table: &'t Table) -> Self {
        let routes = table.routes().iter().map(|route| &route.alternatives);
        let intercepts = table
            .intercepts
            .iter()
            .map(|intercept| &intercept.alternatives);
        let alternatives = routes.chain(intercepts).flatten();
        Self {
            table,
            directories: Directories::of(
                alternatives.flat_map(|alternative| &alternative.conditions),
            ),
            shelved: table.shelved(),
        }
    }

    /// The verdict over a request that came at this moment; `None` when its line is of no decision.
    #[must_use]
    pub fn judge<'j>(
        &'j self,
        request: &'j Recorded<'j>,
        moment: Timestamp,
    ) -> Option<Verdict<'j>> {
        let was = match recorded(request)? {
            Ok(was) => was,
            Err(doubt) => return Some(Verdict::CannotTell(doubt)),
        };
        let case = Case {
            sight: Sight {
                request,
                directories: &self.directories,
            },
            moment,
        };
        let now = if request.webhook() == Webhook::Intercept {
            self.intercept(&case)
        } else {
            self.route(&case)
        };
        Some(match now {
            Err(doubt) => Verdict::CannotTell(doubt),
            Ok(now) if now == was => Verdict::Same,
            Ok(now) => Verdict::Different { was, now },
        })
    }

    fn route<'j>(&'j self, case: &Case<'j>) -> Result<Choice<'j>, Doubt<'j>> {
        let request = case.sight.request;
        let is_machine = request.line().machine;
        let choice = |route: Option<&'j Route>| Choice {
            name: match route {
                // Machines get nothing but from routes that are for them.
                route if is_machine && !route.is_some_and(|route| route.answers_machines) => {
                    LOOP_GUARD
                }
                Some(route) => &route.name,
                None => DEFAULT,
            },
            blocks: false,
        };
        let mut options = Options::default();
        let candidates = self
            .table
            .candidates(&self.shelved, |subject| case.value(subject));
        for route in candidates {
            let truth = case.route(route);
            if truth != Truth::No {
                options.add(choice(Some(route)), truth, &route.alternatives);
            }
            if truth == Truth::Yes {
                return options.outcome(case);
            }
        }
        options.add(choice(None), Truth::Yes, &[]);
        options.outcome(case)
    }

    fn intercept<'j>(&'j self, case: &Case<'j>) -> Result<Choice<'j>, Doubt<'j>> {
        let mut options = Options::default();
        for intercept in &self.table.intercepts {
            let truth = case.fits(
                &intercept.alternatives,
                &intercept.during,
                &intercept.outside,
            );
            if truth != Truth::No {
                let choice = Choice {
                    name: &intercept.name,
                    blocks: intercept.blocks,
                };
                options.add(choice, truth, &intercept.alternatives);
            }
            if truth == Truth::Yes {
                return options.outcome(case);
            }
        }
        let pass = Choice {
            name: PASS,
            blocks: false,
        };
        options.add(pass, Truth::Yes, &[]);
        options.outcome(case)
    }
}

/// What was chosen, as a line tells it; `None` when nothing was.
fn recorded<'a>(request: &Recorded<'a>) -> Option<Result<Choice<'a>, Doubt<'a>>> {
    let line = request.line();
    let is_intercept = request.webhook() == Webhook::Intercept;
    if !is_intercept && !request.webhook().wants_document() {
        return None;
    }
    let route = line.route.as_deref()?;
    let is_told = |word: &str| {
        GuardReason::OF_MACHINES
            .iter()
            .any(|guard| guard.word() == word)
    };
    if line.guard.as_deref().is_some_and(|word| !is_told(word)) {
        return Some(Err(Doubt::Counted));
    }
    let name = match line.failed.as_deref() {
        Some(DEFAULT) => return Some(Err(Doubt::Fault)),
        // It was chosen, though its reply could not be written.
        Some(failed) => failed,
        None => route,
    };
    Some(Ok(Choice {
        name,
        blocks: is_intercept && line.is_blocked(),
    }))
}

/// A recorded request at its moment.
struct Case<'j> {
    sight: Sight<'j>,
    moment: Timestamp,
}

impl<'j> Case<'j> {
    /// The value of a subject as conditions compare it, or the step; `None` when it is not known.
    fn value(&self, subject: Option<&'j Subject>) -> Option<Cow<'j, str>> {
        match subject {
            Some(subject) => self.sight.value(subject),
            None => self.sight.request.step().map(Cow::Borrowed),
        }
    }

    /// Whether a route answers.
    fn route(&self, route: &'j Route) -> Truth {
        let request = self.sight.request;
        let step = match request.step() {
            Some(step) => Truth::from(route.step.as_deref().unwrap_or_default() == step),
            None => Truth::Unknown,
        };
        let speaks = match route.reply(request.channel()) {
            None => false,
            Some(Reply::Session(_)) => request.webhook() == Webhook::OutOfSession,
            Some(_) => true,
        };
        if step == Truth::No || !speaks {
            return Truth::No;
        }
        step.and(|| self.fits(&route.alternatives, &route.during, &route.outside))
    }

    /// Whether one of these tables of `when` holds, at an hour that fits.
    fn fits(
        &self,
        alternatives: &'j [Alternative],
        during: &[Arc<Schedule>],
        outside: &[Arc<Schedule>],
    ) -> Truth {
        let when = match alternatives {
            [] => Truth::Yes,
            some => Truth::any(some, |alternative| self.holds(alternative)),
        };
        when.and(|| {
            let is_open = |schedule: &Arc<Schedule>| schedule.is_open(self.moment);
            Truth::from(
                (during.is_empty() || during.iter().any(is_open)) && !outside.iter().any(is_open),
            )
        })
    }

    fn holds(&self, alternative: &'j Alternative) -> Truth {
        Truth::all(&alternative.conditions, |condition| {
            self.sight.condition(condition)
        })
    }

    /// Adds the parameters that keep conditions of these tables of `when` from being told.
    fn missing(&self, alternatives: &'j [Alternative], names: &mut Vec<&'j str>) {
        let open = alternatives
            .iter()
            .filter(|alternative| self.holds(alternative) == Truth::Unknown);
        for condition in open.flat_map(|alternative| &alternative.conditions) {
            if self.sight.condition(condition) == Truth::Unknown {
                add(names, self.sight.missing(&condition.subject));
            }
        }
    }
}

fn add<'a>(names: &mut Vec<&'a str>, name: &'a str) {
    if !names.contains(&name) {
        names.push(name);
    }
}

/// What may decide a request, in the order of the file.
#[derive(Default)]
struct Options<'j> {
    first: Option<Choice<'j>>,
    /// Whether there is one that differs from the first.
    differ: bool,
    /// The tables of `when` of those that need not decide.
    open: SmallVec<[&'j [Alternative]; 4]>,
}

impl<'j> Options<'j> {
    /// Adds one that surely decides when none before it does, or only may.
    fn add(&mut self, choice: Choice<'j>, truth: Truth, alternatives: &'j [Alternative]) {
        let first = *self.first.get_or_insert(choice);
        self.differ |= choice != first;
        if truth == Truth::Unknown {
            self.open.push(alternatives);
        }
    }

    /// The choice that they have in common; else what is missing.
    fn outcome(self, case: &Case<'j>) -> Result<Choice<'j>, Doubt<'j>> {
        match self.first {
            Some(choice) if !self.differ => Ok(choice),
            _ => {
                let mut names = Vec::new();
                for alternatives in self.open {
                    case.missing(alternatives, &mut names);
                }
                let is_interaction = case.sight.request.webhook() == Webhook::Intercept;
                if !is_interaction && case.sight.request.step().is_none() {
                    add(&mut names, "step");
                }
                Err(Doubt::Values(names))
            }
        }
    }
}
