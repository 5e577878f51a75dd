//! Routes that can never answer, because an earlier route answers everything they would or because two of their
//! conditions exclude each other.
//!
//! A route is reported only when this is certain for every request and every hour. Routes that are covered only by
//! several others together are not found, nor routes whose proof depends on what a regular expression matches.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use crate::table::condition::{Condition, Demand, Kind, Passing, Seen, Subject, Values, all};
use crate::table::diagnostic::Check;
use crate::table::directory::{Directory, prefix};
use crate::table::problems::Problems;
use crate::table::reply::Reply;
use crate::table::schedule::Schedule;
use crate::table::when::{Alternative, When};
use crate::table::{Route, Table};
use crate::twilio::channel::Channel;
use crate::twilio::facts::{Ends, Known};

pub(super) static NEVER_ANSWERS: Check = Check::new(
    "never-answers",
    "A route or an intercept that no request can reach. This is certain, not guessed: an earlier one already answers every
request that this one would, or its own conditions exclude each other. Move it above the earlier route, or remove it. This
is only a warning if other rows in a directory's file could let it answer, and for a text that is an opt-out word, which
the loop guard leaves to Twilio.",
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
    /// The names of the directories with separate files: their rows may change.
    files: &'t BTreeSet<&'t str>,
    steps: usize,
    /// How many have been reported.
    dead: usize,
    /// Whether what was shown holds for the rows of such a file only.
    is_of_these_rows: bool,
}

/// A demand and its subject.
#[derive(Clone, Copy)]
struct Asked<'t> {
    demand: &'t Demand,
    subject: &'t Subject,
}

/// Reports every route that can never answer, and every intercept that can never decide. `routes` and `intercepts` are
/// the places of their names.
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
    /// Reports a `when` that no request passes: either it contradicts itself, or something earlier, found by `covered`,
    /// takes all its requests.
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
            let help = format!("remove one of these conditions, or remove the {one}");
            (why, help)
        } else if let Some((earlier, place)) = covered(self) {
            let (line, _) = problems.file().position(place.start);
            let why = format!("\"{earlier}\" in line {line} already {does}s every such request");
            (why, format!("move it above that {one}, or remove it"))
        } else {
            return;
        };
        self.dead += 1;
        let message = format!("\"{name}\" can never {does}: {why}");
        if self.is_of_these_rows {
            // The rows may change later without a change to the table.
            let help = format!("{help}; with other rows in its directories, it could {does}");
            problems.warn(&NEVER_ANSWERS, place, message, help);
        } else {
            problems.error(&NEVER_ANSWERS, place, message, help);
        }
    }

    /// Why no request passes a `when`; `None` when a request may.
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

    /// Why no request passes all conditions in a table of `when`; `None` when a request may.
    fn contradiction(&mut self, alternative: &Alternative) -> Option<String> {
        let conditions = &alternative.conditions;
        for (position, condition) in conditions.iter().enumerate() {
            let subject = &condition.subject;
            if self.is_impossible(condition.into()) {
                return Some(format!(
                    "no request can satisfy its conditions on `{subject}`"
                ));
            }
            let mut before = conditions[..position].iter();
            if before.any(|other| self.exclude(other.into(), condition.into())) {
                return Some(format!(
                    "its conditions on `{subject}` contradict its other conditions"
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

    /// Whether every request that passes `inner` also passes `outer`.
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

    /// Whether every request that meets the given conditions also meets the wanted ones.
    fn follows(&mut self, given: &[Condition], wanted: &[Condition]) -> bool {
        wanted.iter().all(|wanted| {
            let wanted = wanted.into();
            self.any_value_meets(wanted) == Some(true)
                || given.iter().any(|given| self.implies(given.into(), wanted))
        })
    }

    /// Whether every request that meets the given demand also meets the wanted one.
    fn implies(&mut self, given: Asked<'_>, wanted: Asked<'_>) -> bool {
        if given.places_of(wanted).is_none() && wanted.places_of(given).is_none()
            || !self.may_go_on()
        {
            return false;
        }
        match (given.demand, wanted.demand) {
            (Demand::AnyOf(some), _) => some.iter().all(|one| self.implies(given.but(one), wanted)),
            (_, Demand::AllOf(all)) => all.iter().all(|one| self.implies(given, wanted.but(one))),
            (Demand::Not(one), Demand::Not(other)) => {
                self.implies(wanted.but(other), given.but(one))
            }
            (_, Demand::Not(not)) => self.exclude(given, wanted.but(not)),
            (Demand::AllOf(all), _) => all.iter().any(|one| self.implies(given.but(one), wanted)),
            (_, Demand::AnyOf(some))
                if some.iter().any(|one| self.implies(given, wanted.but(one))) =>
            {
                true
            }
            (one, other) => match (self.of_all_passing(given, wanted), one, other) {
                (None, Demand::Is(one), Demand::Is(other)) => {
                    given.subject == wanted.subject && is_same_kind(&**one, &**other)
                }
                (verdict, ..) => verdict == Some(true),
            },
        }
    }

    /// Whether no request meets both demands.
    fn exclude(&mut self, one: Asked<'_>, other: Asked<'_>) -> bool {
        if one.places_of(other).is_none() && other.places_of(one).is_none() || !self.may_go_on() {
            return false;
        }
        match (one.demand, other.demand) {
            (Demand::AnyOf(some), _) => some.iter().all(|some| self.exclude(one.but(some), other)),
            (_, Demand::AnyOf(some)) => some.iter().all(|some| self.exclude(one, other.but(some))),
            (Demand::AllOf(all), _) => all.iter().any(|all| self.exclude(one.but(all), other)),
            (_, Demand::AllOf(all)) => all.iter().any(|all| self.exclude(one, other.but(all))),
            (Demand::Not(not), _) => self.implies(other, one.but(not)),
            (_, Demand::Not(not)) => self.implies(one, other.but(not)),
            _ => {
                self.of_all_passing(one, other) == Some(false)
                    || self.of_all_passing(other, one) == Some(false)
            }
        }
    }

    /// Whether no request meets a demand.
    fn is_impossible(&mut self, asked: Asked<'_>) -> bool {
        match asked.demand {
            Demand::AnyOf(some) => some.iter().all(|one| self.is_impossible(asked.but(one))),
            Demand::AllOf(some) => some.iter().enumerate().any(|(position, one)| {
                let (one, mut before) = (asked.but(one), some[..position].iter());
                self.is_impossible(one) || before.any(|other| self.exclude(asked.but(other), one))
            }),
            Demand::Not(not) => self.any_value_meets(asked.but(not)) == Some(true),
            Demand::Is(_) => self.any_value_meets(asked) == Some(false),
        }
    }

    /// Whether all requests meet a demand, or none does; `None` when that is unknown.
    fn any_value_meets(&mut self, asked: Asked<'_>) -> Option<bool> {
        let column = asked.subject.column();
        let verdict = match column {
            Some((directory, column)) if directory.len() <= MOST_KEYS => {
                self.steps = self.steps.saturating_sub(directory.len());
                // For a request without a row, the cell is empty.
                let cells = directory.cells(column).map(|(_, cell)| cell);
                let values = cells.map(|cell| Known::Whole(Cow::Borrowed(cell)));
                unanimous(asked, values.chain([ABSENT]).map(|value| smallvec![value]))
            }
            _ => {
                let names = asked.subject.parameters().iter();
                let known = names.map(|name| match &**name {
                    // An absent Direction reads as `inbound`.
                    "Direction" if column.is_none() => Known::Present,
                    _ => Known::Nothing,
                });
                asked.holds(&known.collect())
            }
        };
        if verdict.is_some() {
            self.note(asked.demand);
            // The cells may change with the rows.
            self.is_of_these_rows |= column.is_some();
        }
        verdict
    }

    /// Whether a demand is met by all requests that meet another, or by none of them; `None` when that is unknown.
    fn of_all_passing(&mut self, given: Asked<'_>, wanted: Asked<'_>) -> Option<bool> {
        let places = given.places_of(wanted)?;
        let known = match given.demand {
            Demand::Is(kind) => kind.passing(),
            // A value that is not absent is present.
            Demand::Not(demand) if given.but(demand).holds(&smallvec![ABSENT]) == Some(true) => {
                Passing::Known(Known::Present)
            }
            _ => return None,
        };
        let verdict = match known {
            Passing::Known(known) => wanted.holds(&smallvec![known])?,
            Passing::KeyOf(directory) if directory.len() <= MOST_KEYS => {
                self.steps = self.steps.saturating_sub(directory.len());
                let whole = |text| Known::Whole(Cow::Borrowed(text));
                let keys = directory.keys().map(|key| {
                    if let Some(prefix) = prefix(&key) {
                        smallvec![Known::Ends(Ends::new(prefix, ""))]
                    } else {
                        places.iter().map(|place| whole(key[*place])).collect()
                    }
                });
                unanimous(wanted, keys)?
            }
            Passing::KeyOf(_) => return None,
        };
        self.note(given.demand);
        self.note(wanted.demand);
        Some(verdict)
    }

    /// Records whether a demand depends on the rows of a file.
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

    /// Whether a directory's rows may change while the table does not: they are in a file, or not yet there.
    fn is_file(&self, directory: &Directory) -> bool {
        directory.is_empty() || self.files.contains(directory.name())
    }

    fn may_go_on(&mut self) -> bool {
        self.steps = self.steps.saturating_sub(1);
        self.steps > 0
    }
}

impl<'t> Asked<'t> {
    /// Another demand on the same subject.
    fn but(self, demand: &'t Demand) -> Self {
        Self { demand, ..self }
    }

    /// The positions of the other subject's values among the values of this subject; `None` unless all are there.
    fn places_of(self, other: Asked<'_>) -> Option<SmallVec<[usize; 2]>> {
        self.subject.places_of(other.subject)
    }

    /// Whether the demand holds for every request with these known values at every moment (`true`), or for none
    /// (`false`); `None` when neither is certain.
    fn holds(self, values: &Values<'_>) -> Option<bool> {
        self.demand.holds(&Seen {
            values,
            is_cell: self.subject.column().is_some(),
            channel: None,
            withheld: None,
            now: None,
        })
    }
}

impl<'t> From<&'t Condition> for Asked<'t> {
    fn from(condition: &'t Condition) -> Self {
        Self {
            demand: &condition.demand,
            subject: &condition.subject,
        }
    }
}

/// Whether a demand holds for all these values (`true`) or for none (`false`); `None` when it varies or is uncertain.
fn unanimous<'v>(asked: Asked<'_>, mut values: impl Iterator<Item = Values<'v>>) -> Option<bool> {
    let verdict = asked.holds(&values.next()?)?;
    let is_the_same = |values| Some(asked.holds(&values)? == verdict);
    (all(values, is_the_same) == Some(true)).then_some(verdict)
}

/// Whether two kinds of condition ask the same of a subject.
fn is_same_kind(one: &dyn Kind, other: &dyn Kind) -> bool {
    one.to_string() == other.to_string()
}

fn has(schedules: &[Arc<Schedule>], schedule: &Arc<Schedule>) -> bool {
    schedules.iter().any(|other| Arc::ptr_eq(other, schedule))
}
