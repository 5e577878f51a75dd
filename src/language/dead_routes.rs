//! Routes that can never answer: an earlier route answers all that they would, or two of their conditions exclude each
//! other.
//!
//! Reported only when it is certain for every request and every hour. What takes several routes together to cover is not
//! found, nor what only a regular expression would tell.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use crate::table::condition::{Condition, Demand, Kind, Passing, Seen, Subject, all};
use crate::table::diagnostic::Check;
use crate::table::directory::Directory;
use crate::table::problems::Problems;
use crate::table::reply::Reply;
use crate::table::schedule::Schedule;
use crate::table::when::{Alternative, When};
use crate::table::{Route, Table};
use crate::twilio::channel::Channel;
use crate::twilio::facts::{Ends, Known};

pub(super) static NEVER_ANSWERS: Check = Check::new(
    "never-answers",
    "A route or an intercept that no request can reach. This is certain, not guessed: an earlier one answers everything
that it would, or its own conditions exclude each other. Move it above the route that is named, or take it out. It is
only a warning where other rows in a directory's file could let it answer.",
    r#"[[route]]
name = "all"
voice = [ { Say = "Hello." } ]

[[route]]
name = "new-york"     # move it above "all"
when = { Called = "+12125550100" }
voice = [ { Say = "Hello, New York." } ]"#,
);

/// The most routes that are reported: more than this usually have one common cause.
const MOST_REPORTED: usize = 100;

/// The most keys of a directory that are held against a condition one by one.
const MOST_KEYS: usize = 1_000;

/// The most steps of the search, so that no table takes longer than a moment; what is not found by then is not reported.
const MOST_STEPS: usize = 2_000_000;

/// What is known of a value that is absent.
const ABSENT: Known<'static> = Known::Whole(Cow::Borrowed(""));

/// What is true of the conditions of a table, as far as it can be shown.
struct Search<'t> {
    /// The names of the directories that stand in files of their own: their next rows may be others.
    files: &'t BTreeSet<&'t str>,
    steps: usize,
    /// How many have been reported.
    dead: usize,
    /// Whether the demands at hand are on a cell of a directory.
    is_cell: bool,
    /// Whether what was shown holds for the rows of such a file only.
    is_of_these_rows: bool,
}

/// Reports every route that can never answer, and every intercept that can never decide. `routes` and `intercepts` are the
/// places of their names.
pub(super) fn check(
    table: &Table,
    (routes, intercepts): (&[Range<usize>], &[Range<usize>]),
    files: &BTreeSet<&str>,
    problems: &mut Problems,
) {
    let mut search = Search {
        files,
        steps: MOST_STEPS,
        dead: 0,
        is_cell: false,
        is_of_these_rows: false,
    };
    for (position, route) in table.routes().iter().enumerate() {
        let named = (&*route.name, &routes[position]);
        let does = ("route", "answer");
        search.judge(problems, &route.when, named, does, |search| {
            let like = table.routes_like(route);
            let mut before = like.take_while(|(before, _)| *before < position);
            let (before, earlier) = before.find(|(_, earlier)| search.covers(earlier, route))?;
            Some((&*earlier.name, &routes[before]))
        });
    }
    for (position, intercept) in table.intercepts.iter().enumerate() {
        let named = (&*intercept.name, &intercepts[position]);
        let does = ("intercept", "decide");
        search.judge(problems, &intercept.when, named, does, |search| {
            let mut before = table.intercepts[..position].iter().enumerate();
            let (before, earlier) =
                before.find(|(_, earlier)| search.contains(&earlier.when, &intercept.when))?;
            Some((&*earlier.name, &intercepts[before]))
        });
    }
}

impl Search<'_> {
    /// Reports a `when` that no request reaches: it contradicts itself, or something earlier, which `covered` finds, takes
    /// them all.
    fn judge<'t>(
        &mut self,
        problems: &mut Problems,
        when: &When,
        (name, place): (&str, &Range<usize>),
        (one, does): (&str, &str),
        covered: impl FnOnce(&mut Self) -> Option<(&'t str, &'t Range<usize>)>,
    ) {
        if self.dead == MOST_REPORTED {
            return;
        }
        self.is_of_these_rows = false;
        let (why, help) = if let Some(why) = self.impossible(when) {
            let help = format!("take out what excludes the rest, or take the {one} out");
            (why, help)
        } else if let Some((earlier, place)) = covered(self) {
            let (line, _) = problems.file().position(place.start);
            let why = format!("\"{earlier}\" in line {line} {does}s all that it would");
            (why, format!("move it above that {one}, or take it out"))
        } else {
            return;
        };
        self.dead += 1;
        let message = format!("\"{name}\" can never {does}: {why}");
        if self.is_of_these_rows {
            // The next rows may be others, and nobody has changed the table then.
            let help = format!("{help}; with other rows in its directories it may {does}");
            problems.warn(&NEVER_ANSWERS, place, message, help);
        } else {
            problems.error(&NEVER_ANSWERS, place, message, help);
        }
    }

    /// Why no request passes a `when`; `None` when one may.
    fn impossible(&mut self, when: &When) -> Option<String> {
        let shut = |schedule: &&Arc<Schedule>| has(&when.outside, schedule);
        if !when.during.is_empty() && when.during.iter().all(|schedule| shut(&schedule)) {
            let name = &when.during[0].name;
            return Some(format!("it must be both inside and outside \"{name}\""));
        }
        let mut first = None;
        for alternative in &when.alternatives {
            let why = self.contradiction(alternative)?;
            first.get_or_insert(why);
        }
        first
    }

    /// Why no request passes all conditions of a table of `when`; `None` when one may.
    fn contradiction(&mut self, alternative: &Alternative) -> Option<String> {
        let conditions = &alternative.conditions;
        for (position, condition) in conditions.iter().enumerate() {
            let subject = &condition.subject;
            self.is_cell = subject.column().is_some();
            if self.is_impossible(&condition.demand, subject) {
                return Some(format!("no request passes what it asks of `{subject}`"));
            }
            let mut before = conditions[..position].iter();
            if before.any(|other| {
                other.subject == *subject && self.exclude(&other.demand, &condition.demand)
            }) {
                return Some(format!(
                    "what it asks of `{subject}` cannot hold beside its other conditions"
                ));
            }
        }
        None
    }

    /// Whether a route answers everything that a later one would.
    fn covers(&mut self, earlier: &Route, route: &Route) -> bool {
        let speaks_as_well = Channel::ALL.into_iter().all(|channel| {
            match (route.reply(channel), earlier.reply(channel)) {
                (None, _) | (Some(Reply::Session(_)), Some(Reply::Session(_))) => true,
                (Some(_), earlier) => !matches!(earlier, None | Some(Reply::Session(_))),
            }
        });
        earlier.step == route.step && speaks_as_well && self.contains(&earlier.when, &route.when)
    }

    /// Whether every request that passes the one `when` passes the other, too.
    fn contains(&mut self, outer: &When, inner: &When) -> bool {
        if !self.may_go_on() {
            return false;
        }
        let is_among = |some: &[Arc<Schedule>], others: &[Arc<Schedule>]| {
            some.iter().all(|schedule| has(others, schedule))
        };
        let hours_fit = (outer.during.is_empty()
            || !inner.during.is_empty() && is_among(&inner.during, &outer.during))
            && is_among(&outer.outside, &inner.outside);
        if !hours_fit {
            return false;
        }
        let anything = [Alternative::default()];
        let inner = match inner.alternatives.as_slice() {
            [] => &anything[..],
            some => some,
        };
        outer.alternatives.is_empty()
            || inner.iter().all(|inner| {
                let mut outer = outer.alternatives.iter();
                outer.any(|outer| self.follows(&inner.conditions, &outer.conditions))
            })
    }

    /// Whether whatever passes the first conditions passes the second ones.
    fn follows(&mut self, given: &[Condition], wanted: &[Condition]) -> bool {
        wanted.iter().all(|wanted| {
            self.is_cell = wanted.subject.column().is_some();
            self.any_value_meets(&wanted.demand, &wanted.subject) == Some(true)
                || given.iter().any(|given| {
                    given.subject == wanted.subject && self.implies(&given.demand, &wanted.demand)
                })
        })
    }

    /// Whether a value that meets one demand meets the other.
    fn implies(&mut self, given: &Demand, wanted: &Demand) -> bool {
        if !self.may_go_on() {
            return false;
        }
        match (given, wanted) {
            (Demand::AnyOf(given), _) => given.iter().all(|given| self.implies(given, wanted)),
            (_, Demand::AllOf(wanted)) => wanted.iter().all(|wanted| self.implies(given, wanted)),
            (Demand::Not(given), Demand::Not(wanted)) => self.implies(wanted, given),
            (_, Demand::Not(wanted)) => self.exclude(given, wanted),
            (Demand::AllOf(given), _) => given.iter().any(|given| self.implies(given, wanted)),
            (_, Demand::AnyOf(some)) if some.iter().any(|some| self.implies(given, some)) => true,
            (given, wanted) => match (self.of_all_passing(given, wanted), given, wanted) {
                (None, Demand::Is(given), Demand::Is(wanted)) => is_same_kind(&**given, &**wanted),
                (verdict, ..) => verdict == Some(true),
            },
        }
    }

    /// Whether no value meets both demands.
    fn exclude(&mut self, one: &Demand, other: &Demand) -> bool {
        if !self.may_go_on() {
            return false;
        }
        match (one, other) {
            (Demand::AnyOf(some), other) | (other, Demand::AnyOf(some)) => {
                some.iter().all(|one| self.exclude(one, other))
            }
            (Demand::AllOf(some), other) | (other, Demand::AllOf(some)) => {
                some.iter().any(|one| self.exclude(one, other))
            }
            (Demand::Not(not), other) | (other, Demand::Not(not)) => self.implies(other, not),
            (one, other) => {
                self.of_all_passing(one, other) == Some(false)
                    || self.of_all_passing(other, one) == Some(false)
            }
        }
    }

    /// Whether no value of a subject meets a demand.
    fn is_impossible(&mut self, demand: &Demand, subject: &Subject) -> bool {
        match demand {
            Demand::AnyOf(some) => some.iter().all(|one| self.is_impossible(one, subject)),
            Demand::AllOf(some) => some.iter().enumerate().any(|(position, one)| {
                let mut before = some[..position].iter();
                self.is_impossible(one, subject) || before.any(|other| self.exclude(other, one))
            }),
            Demand::Not(not) => self.any_value_meets(not, subject) == Some(true),
            Demand::Is(_) => self.any_value_meets(demand, subject) == Some(false),
        }
    }

    /// Whether all values of a subject meet a demand, or none does; `None` when that cannot be told.
    fn any_value_meets(&mut self, demand: &Demand, subject: &Subject) -> Option<bool> {
        let verdict = match subject.column() {
            Some((directory, column)) if directory.len() <= MOST_KEYS => {
                self.steps = self.steps.saturating_sub(directory.len());
                // A request without a row has an empty cell.
                let cells = directory.cells(column).map(|(_, cell)| cell);
                let values = cells.map(|cell| Known::Whole(Cow::Borrowed(cell)));
                self.unanimous(demand, values.chain([ABSENT]))
            }
            // An absent Direction reads as `inbound`.
            None if subject.parameter() == "Direction" => self.says(demand, Known::Present),
            _ => self.says(demand, Known::Nothing),
        };
        if verdict.is_some() {
            self.note(demand);
            // The next rows may have other cells.
            self.is_of_these_rows |= self.is_cell;
        }
        verdict
    }

    /// Whether a demand is met by all values that meet another, or by none of them; `None` when that cannot be told.
    fn of_all_passing(&mut self, given: &Demand, wanted: &Demand) -> Option<bool> {
        let known = match given {
            Demand::Is(kind) => kind.passing(),
            // What is not absent is present.
            Demand::Not(demand) if self.says(demand, ABSENT) == Some(true) => {
                Passing::Known(Known::Present)
            }
            _ => return None,
        };
        let verdict = match known {
            Passing::Known(known) => self.says(wanted, known)?,
            Passing::KeyOf(directory) if directory.len() <= MOST_KEYS => {
                self.steps = self.steps.saturating_sub(directory.len());
                let keys = directory.keys().map(|key| match key.strip_suffix('*') {
                    Some(prefix) => Known::Ends(Ends::new(prefix, "")),
                    None => Known::Whole(Cow::Borrowed(key)),
                });
                self.unanimous(wanted, keys)?
            }
            Passing::KeyOf(_) => return None,
        };
        self.note(given);
        self.note(wanted);
        Some(verdict)
    }

    /// Notes when what a demand says depends on the rows of a file.
    fn note(&mut self, demand: &Demand) {
        match demand {
            Demand::Is(kind) => {
                if let Passing::KeyOf(directory) = kind.passing() {
                    self.is_of_these_rows |= self.is_file(directory);
                }
            }
            Demand::AnyOf(demands) | Demand::AllOf(demands) => {
                demands.iter().for_each(|demand| self.note(demand));
            }
            Demand::Not(demand) => self.note(demand),
        }
    }

    /// Whether the rows of a directory may be others before the table is: those of a file, and those that are still to come.
    fn is_file(&self, directory: &Directory) -> bool {
        directory.is_empty() || self.files.contains(directory.name())
    }

    /// Whether every value of which this is known meets a demand at every moment, or none does.
    fn says(&self, demand: &Demand, value: Known<'_>) -> Option<bool> {
        demand.holds(&Seen {
            value,
            is_cell: self.is_cell,
            channel: None,
            withheld: None,
            now: None,
        })
    }

    /// What a demand says to all of these values; `None` when it does not say the same to all, or of some cannot tell.
    fn unanimous<'v>(
        &self,
        demand: &Demand,
        mut values: impl Iterator<Item = Known<'v>>,
    ) -> Option<bool> {
        let verdict = self.says(demand, values.next()?)?;
        let is_the_same = |value| Some(self.says(demand, value)? == verdict);
        (all(values, is_the_same) == Some(true)).then_some(verdict)
    }

    fn may_go_on(&mut self) -> bool {
        self.steps = self.steps.saturating_sub(1);
        self.steps > 0
    }
}

/// Whether two kinds ask the same of a subject.
fn is_same_kind(one: &dyn Kind, other: &dyn Kind) -> bool {
    one.to_string() == other.to_string()
}

fn has(schedules: &[Arc<Schedule>], schedule: &Arc<Schedule>) -> bool {
    schedules.iter().any(|other| Arc::ptr_eq(other, schedule))
}
