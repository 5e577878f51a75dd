//! Which routes can answer a request, found without looking at the others.
//!
//! A route is *pinned* when its step, or each of its tables of `when`, requires a value to be one of a few texts, to
//! begin with one of a few texts, or to be a key of a directory. Pinned routes are filed under these. A request then
//! looks up one value per subject, whether there are ten routes or a million; only routes that are not pinned are
//! always looked at.
//!
//! **Invariant:** a route that would answer a request is among its [`Index::candidates`], which come in file order,
//! each once. Some candidates may not answer, so each is still evaluated. Hence the first candidate that answers is the
//! first route in the file that does.

use std::borrow::Cow;
use std::sync::Arc;

use hashbrown::HashMap;
use smallvec::{SmallVec, smallvec};

use super::Route;
use super::condition::{Condition, Demand, Passing, Subject};
use super::directory::{Directory, Key, prefix, whole};
use crate::twilio::facts::{Facts, Known};

/// The position of a route in the file.
type Position = u32;

/// Directories with at most this many rows have their keys filed as if the route named them. Larger directories are
/// looked up one by one, so that their keys are not stored twice.
const MOST_KEYS: usize = 16;

/// The routes of a table by what they are pinned to. All lists of positions are in ascending order.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// One shelf for each subject that pins routes.
    shelves: Vec<Shelf>,
    /// The routes that are not pinned.
    others: Vec<Position>,
}

/// The routes that are pinned by one subject.
#[derive(Debug)]
struct Shelf {
    /// `None` for the step.
    subject: Option<Subject>,
    texts: HashMap<Box<str>, Vec<Position>>,
    prefixes: HashMap<Box<str>, Vec<Position>>,
    /// The distinct lengths of the prefixes.
    prefix_lengths: Vec<usize>,
    directories: Vec<(Arc<Directory>, Vec<Position>)>,
    all: Vec<Position>,
}

/// A value that routes can be filed under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Pin<'t> {
    /// `None` for the step.
    subject: Option<&'t Subject>,
    to: PinnedTo<'t>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum PinnedTo<'t> {
    Text(&'t str),
    Prefix(&'t str),
    KeyOf(&'t Arc<Directory>),
}

impl Index {
    /// The index of these routes, which are in file order.
    pub(super) fn new(routes: &[Route]) -> Self {
        let mut crowds: HashMap<Pin<'_>, usize> = HashMap::new();
        for pin in routes.iter().flat_map(ways_to_pin).flatten().flatten() {
            *crowds.entry(pin).or_default() += 1;
        }
        // The best way is the one with the fewest routes under its fullest pin.
        let crowd = |pins: &Vec<Pin<'_>>| (pins.iter().map(|pin| crowds[pin]).max(), pins.len());
        let mut index = Self::default();
        let mut places = HashMap::new();
        let mut directories = HashMap::new();
        for (position, route) in (0..).zip(routes) {
            let best = |ways: Vec<Vec<_>>| ways.into_iter().min_by_key(crowd);
            let pins: Option<Vec<_>> = ways_to_pin(route).into_iter().map(best).collect();
            let Some(pins) = pins else {
                index.others.push(position);
                continue;
            };
            for pin in pins.into_iter().flatten() {
                let place = *places.entry(pin.subject).or_insert_with(|| {
                    index.shelves.push(Shelf::new(pin.subject));
                    index.shelves.len() - 1
                });
                let shelf = &mut index.shelves[place];
                let list = match pin.to {
                    PinnedTo::Text(text) => shelf.texts.entry(text.into()).or_default(),
                    PinnedTo::Prefix(prefix) => {
                        if !shelf.prefix_lengths.contains(&prefix.len()) {
                            shelf.prefix_lengths.push(prefix.len());
                        }
                        shelf.prefixes.entry(prefix.into()).or_default()
                    }
                    PinnedTo::KeyOf(directory) => {
                        let place = *directories.entry(pin).or_insert_with(|| {
                            shelf.directories.push((Arc::clone(directory), Vec::new()));
                            shelf.directories.len() - 1
                        });
                        &mut shelf.directories[place].1
                    }
                };
                for list in [list, &mut shelf.all] {
                    if list.last() != Some(&position) {
                        list.push(position);
                    }
                }
            }
        }
        index
    }

    /// The positions of the routes that may answer a request, in file order. Includes routes for which this is unknown
    /// because a value is unknown.
    pub(super) fn candidates<'f>(&self, facts: &impl Facts<'f>) -> Candidates<'_> {
        let mut lists = Lists::from_slice(&[&self.others]);
        for shelf in &self.shelves {
            let known = match &shelf.subject {
                None => smallvec![
                    facts
                        .step()
                        .map_or(Known::Nothing, |step| Known::Whole(step.into()))
                ],
                Some(subject) => subject.compared(facts),
            };
            match whole(&known) {
                Some(key) => shelf.find(&key, &mut lists),
                None => lists.push(&shelf.all),
            }
        }
        Candidates { lists }
    }

    /// The positions of the routes that may answer everything that another route answers, in file order. `start` gives,
    /// for each subject (`None` for the step), how the values that the other route answers begin; `None` when it
    /// answers any value.
    pub(super) fn candidates_for<'v>(
        &self,
        start: impl Fn(Option<&Subject>) -> Option<Key<'v>>,
    ) -> Candidates<'_> {
        let mut lists = Lists::from_slice(&[&self.others]);
        for shelf in &self.shelves {
            if let Some(start) = start(shelf.subject.as_ref()) {
                shelf.find(&start, &mut lists);
            }
        }
        Candidates { lists }
    }
}

/// Lists of positions.
type Lists<'i> = SmallVec<[&'i [Position]; 8]>;

/// The routes of some lists, in file order, each once.
#[derive(Debug)]
pub(super) struct Candidates<'i> {
    lists: Lists<'i>,
}

impl Iterator for Candidates<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let next = *self.lists.iter().filter_map(|list| list.first()).min()?;
        for list in &mut self.lists {
            if let [first, rest @ ..] = list
                && *first == next
            {
                *list = rest;
            }
        }
        Some(next as usize)
    }
}

impl Shelf {
    fn new(subject: Option<&Subject>) -> Self {
        Self {
            subject: subject.cloned(),
            texts: HashMap::new(),
            prefixes: HashMap::new(),
            prefix_lengths: Vec::new(),
            directories: Vec::new(),
            all: Vec::new(),
        }
    }

    /// Adds the lists of the routes that are pinned to a value, or to several values together.
    fn find<'i>(&'i self, key: &[&str], lists: &mut Lists<'i>) {
        if let [value] = key {
            lists.extend(self.texts.get(*value).map(Vec::as_slice));
            for length in &self.prefix_lengths {
                let prefix = value.get(..*length);
                lists.extend(prefix.and_then(|prefix| Some(self.prefixes.get(prefix)?.as_slice())));
            }
        }
        for (directory, routes) in &self.directories {
            if directory.row(key).is_some() {
                lists.push(routes);
            }
        }
    }
}

/// For each table of a route's `when`, all ways to pin it. A way is a set of pins of which every request that the table
/// lets through has at least one.
fn ways_to_pin<'t>(route: &'t Route) -> Vec<Vec<Vec<Pin<'t>>>> {
    let tables = route.when.alternatives.iter();
    let mut tables: Vec<&[Condition]> = tables.map(|table| &*table.conditions).collect();
    if tables.is_empty() {
        tables.push(&[]);
    }
    let by_step = route.step.as_deref().map(|step| {
        let to = PinnedTo::Text(step);
        vec![Pin { subject: None, to }]
    });
    let by_condition = |condition: &'t Condition| {
        let pinned = pinned_to(&condition.demand)?.into_iter();
        let subject = Some(&condition.subject);
        Some(pinned.map(|to| Pin { subject, to }).collect())
    };
    let ways = |conditions: &'t [Condition]| {
        let by_conditions = conditions.iter().filter_map(by_condition);
        by_conditions.chain(by_step.clone()).collect()
    };
    tables.into_iter().map(ways).collect()
}

/// What the values that meet a demand are pinned to: each value to at least one of these. `None` when a value may be
/// pinned to nothing.
fn pinned_to(demand: &Demand) -> Option<Vec<PinnedTo<'_>>> {
    let kind = match demand {
        Demand::Is(kind) => kind,
        Demand::AnyOf(demands) => {
            let pinned: Option<Vec<_>> = demands.iter().map(pinned_to).collect();
            return Some(pinned?.concat());
        }
        Demand::AllOf(demands) => return demands.iter().find_map(pinned_to),
        Demand::Not(_) => return None,
    };
    match kind.passing() {
        Passing::Known(Known::Whole(Cow::Borrowed(text))) => Some(vec![PinnedTo::Text(text)]),
        Passing::Known(Known::Ends(ends)) if !ends.start.is_empty() => {
            Some(vec![PinnedTo::Prefix(ends.start)])
        }
        Passing::KeyOf(directory) if directory.has_all_from("") => None,
        Passing::KeyOf(directory)
            if directory.len() <= MOST_KEYS && directory.key_columns().len() == 1 =>
        {
            let pinned = directory.keys().map(|key| match prefix(&key) {
                Some(prefix) => PinnedTo::Prefix(prefix),
                None => PinnedTo::Text(key[0]),
            });
            Some(pinned.collect())
        }
        Passing::KeyOf(directory) => Some(vec![PinnedTo::KeyOf(directory)]),
        Passing::Known(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::table::DefaultReply;
    use crate::table::condition::inside::Inside;
    use crate::table::condition::present::Present;
    use crate::table::reply::Reply;
    use crate::table::when::{Alternative, When};
    use crate::twilio::request::Request;
    use crate::twilio::request::{Form, Webhook};

    /// A route with this demand on `Called`; an even `number` also asks whether the request has a `Body`.
    fn route(number: usize, demand: Demand) -> Route {
        let condition = |name: &str, demand| Condition {
            subject: Subject::Parameters(name.into()),
            demand,
        };
        let mut conditions = vec![condition("Called", demand)];
        if number.is_multiple_of(2) {
            conditions.push(condition("Body", present(false)));
        }
        let silent = || -> Option<Reply> { Some(DefaultReply::silent().reply) };
        Route {
            name: number.to_string().into(),
            step: None,
            when: When {
                alternatives: vec![Alternative {
                    conditions,
                    bindings: Vec::new(),
                }],
                ..When::default()
            },
            voice: silent(),
            message: silent(),
            answers_machines: false,
        }
    }

    fn candidates(routes: &[Route], called: &str) -> Vec<usize> {
        let (body, query) = (
            [("Called", called)].into_iter().collect::<Form>(),
            Form::default(),
        );
        let request = Request::new(Webhook::Plain, &body, &query);
        Index::new(routes).candidates(&request).collect()
    }

    fn exactly(text: impl AsRef<str>) -> Demand {
        Demand::text(text.as_ref())
    }

    fn present(wanted: bool) -> Demand {
        Present(wanted).into()
    }

    #[test]
    fn only_routes_that_may_answer_are_looked_at() {
        let directory = |rows: usize, prefix: &str| {
            let mut directory = Directory::new("d", vec!["number".to_owned()], vec![0]);
            for row in 0..rows {
                let key = format!("{prefix}{row:04}");
                directory.add([key.as_str()]).expect("a new key");
            }
            Demand::from(Inside(Arc::new(directory)))
        };
        let like = Demand::text;
        let mut routes: Vec<Route> = (0..100)
            .map(|n| route(n, exactly(format!("+1{n:04}"))))
            .collect();
        routes.extend((100..110).map(|n| route(n, like(&format!("+2{n}*")))));
        routes.extend((110..120).map(|n| route(n, directory(3, &format!("+3{n}")))));
        routes.push(route(120, directory(MOST_KEYS + 1, "+4")));
        routes.push(route(
            121,
            Demand::AllOf([present(true), exactly("+5")].into()),
        ));
        routes.push(route(
            122,
            Demand::AnyOf([exactly("+6"), like("+7*")].into()),
        ));
        for (called, found) in [
            ("+10007", &[7][..]),
            ("+2105x", &[105]),
            ("+31150002", &[115]),
            ("+40009", &[120]),
            ("+5", &[121]),
            ("+6", &[122]),
            ("+71", &[122]),
            ("+8", &[]),
            ("", &[]),
        ] {
            assert_eq!(candidates(&routes, called), found, "{called}");
        }
    }

    #[test]
    fn what_pins_no_route_is_always_looked_at() {
        let mut routes: Vec<Route> = (0..20)
            .map(|n| route(2 * n + 1, exactly(format!("+1{n:04}"))))
            .collect();
        let mut all = Directory::new("all", vec!["number".to_owned()], vec![0]);
        all.add(["*"]).expect("a new key");
        routes.push(route(41, present(true)));
        routes.push(route(43, Demand::from(Inside(Arc::new(all)))));
        routes.push(route(45, Demand::text("*9")));
        assert_eq!(candidates(&routes, "+10007"), [7, 20, 21, 22]);
        assert_eq!(candidates(&routes, "+2"), [20, 21, 22]);
    }

    #[test]
    fn a_route_is_filed_under_what_tells_it_from_most_others() {
        let (body, query) = (
            [("Called", "+10007")].into_iter().collect::<Form>(),
            [("step", "s7")].into_iter().collect::<Form>(),
        );
        let request = Request::new(Webhook::Plain, &body, &query);
        let found = |called: &dyn Fn(usize) -> String, step: &dyn Fn(usize) -> String| {
            let routes: Vec<Route> = (0..20)
                .map(|n| Route {
                    step: Some(step(n).into()),
                    ..route(2 * n + 1, exactly(called(n)))
                })
                .collect();
            Index::new(&routes).candidates(&request).collect::<Vec<_>>()
        };
        let (each, all) = (|n| format!("+1{n:04}"), |_| "+10007".to_owned());
        let (each_step, one_step) = (|n| format!("s{n}"), |_| "s7".to_owned());
        assert_eq!(found(&each, &one_step), [7]);
        assert_eq!(found(&all, &each_step), [7]);
        assert_eq!(found(&all, &one_step).len(), 20);
    }
}
