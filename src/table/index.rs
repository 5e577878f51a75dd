//! Which routes can answer a request, found without a look at the others.
//!
//! A route is *pinned* when each of its tables of `when` (or its step) asks of some subject that its value is one of
//! a few texts, begins with one of a few texts, or is a key of a directory. Pinned routes are filed under these. A
//! request then looks up one value per subject, be there ten routes or a million; only routes that are not pinned are
//! always looked at.
//!
//! **Invariant:** a route that would answer a request is among its [`Index::candidates`], and they come in file order,
//! each once. There may be candidates that do not answer, so each is still asked. Hence the first of them that answers
//! is the first route of the file that does.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::Route;
use super::condition::{Condition, Demand, Passing, Subject};
use super::directory::Directory;
use super::when::Alternative;
use crate::twilio::facts::{Facts, Known};

/// The position of a route in the file.
type Position = u32;

/// Fewer routes than this are looked at one by one sooner than a value is looked up for them.
const FEW: usize = 8;

/// The most rows of a directory whose keys are filed beside those of other directories. Larger ones are asked one by
/// one: there cannot be many of them, and their keys need not be held twice.
const SMALL_DIRECTORY: usize = 1000;

/// The routes of a table by what they are pinned to.
#[derive(Debug)]
pub(super) struct Index {
    /// A shelf for each subject that routes are pinned by.
    shelves: Vec<Shelf>,
    /// The routes that are on no shelf.
    others: Vec<Position>,
}

/// The routes that are pinned by one subject.
#[derive(Debug)]
struct Shelf {
    by: By,
    /// Routes by text.
    texts: Keys,
    /// The directories that routes are pinned to, with these routes.
    directories: Vec<(Arc<Directory>, Vec<Position>)>,
    /// Small directories, as places in `directories`, by the keys in them.
    small: Keys,
    /// The other directories, as places in `directories`.
    large: Vec<u32>,
    /// All of its routes, in file order, gathered when they are first asked for.
    all: OnceLock<Vec<Position>>,
}

/// What routes are pinned by.
#[derive(Debug, Clone)]
enum By {
    Step,
    Subject(Subject),
}

/// One of the texts that a value must be, or begin with, or the directory that it must be in.
#[derive(Debug, Clone, Copy)]
enum Pin<'t> {
    Text(&'t str),
    Prefix(&'t str),
    In(&'t Arc<Directory>),
}

impl Index {
    /// The index of these routes, in file order.
    pub(super) fn new(routes: &[Route]) -> Self {
        Self::filed(routes).unwrap_or_else(|| Self {
            shelves: Vec::new(),
            others: positions(routes).map(|(position, _)| position).collect(),
        })
    }

    /// The index; `None` when there is more text in it than can be addressed.
    fn filed(routes: &[Route]) -> Option<Self> {
        let crowds = Crowds::of(routes);
        let mut drafts: Vec<Draft<'_>> = crowds.subjects.iter().map(Draft::new).collect();
        let mut chosen = Vec::new();
        let mut others = Vec::new();
        for (position, route) in positions(routes) {
            if !crowds.choose(route, &mut chosen) {
                others.push(position);
            }
            for (subject, pin) in chosen.drain(..) {
                drafts[subject].pins.push((pin, position));
            }
        }
        let (shelved, few): (Vec<_>, Vec<_>) = drafts
            .into_iter()
            .partition(|draft| draft.pins.len() >= FEW);
        others.extend(few.into_iter().flat_map(Draft::into_positions));
        others.sort_unstable();
        others.dedup();
        others.shrink_to_fit();
        let shelves = shelved.into_iter().map(Draft::into_shelf);
        Some(Self {
            shelves: shelves.collect::<Option<_>>()?,
            others,
        })
    }

    /// The routes that may answer a request, by position, in file order: also those of which it is not known, because a
    /// value is not.
    pub(super) fn candidates<'f>(&self, facts: &impl Facts<'f>) -> Candidates<'_> {
        let mut lists = self.lists();
        for shelf in &self.shelves {
            match shelf.by.value(facts) {
                Some(value) => shelf.find(&value, &mut lists),
                None => lists.push(shelf.all()),
            }
        }
        Candidates { lists }
    }

    /// The routes that may answer everything that another answers, by position, in file order. `start` gives, of each
    /// subject (`None` is the step), how the values begin that the other answers; `None` when it answers any.
    pub(super) fn candidates_for<'v>(
        &self,
        start: impl Fn(Option<&Subject>) -> Option<&'v str>,
    ) -> Candidates<'_> {
        let mut lists = self.lists();
        for shelf in &self.shelves {
            let subject = match &shelf.by {
                By::Step => None,
                By::Subject(subject) => Some(subject),
            };
            if let Some(start) = start(subject) {
                shelf.find(start, &mut lists);
            }
        }
        Candidates { lists }
    }

    /// The lists that every request looks at.
    fn lists(&self) -> Lists<'_> {
        let mut lists = Lists::new();
        lists.push(&self.others);
        lists
    }
}

/// The routes with their positions.
fn positions(routes: &[Route]) -> impl Iterator<Item = (Position, &Route)> {
    (0..).zip(routes)
}

/// Lists of positions, each in ascending order.
type Lists<'i> = SmallVec<[&'i [u32]; 8]>;

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
            while let [first, rest @ ..] = list
                && *first == next
            {
                *list = rest;
            }
        }
        Some(next as usize)
    }
}

impl Shelf {
    /// All of its routes, in file order.
    fn all(&self) -> &[Position] {
        self.all.get_or_init(|| {
            let of_directories = self.directories.iter().flat_map(|(_, routes)| routes);
            let of_texts = self.texts.exact.numbers.iter();
            let of_prefixes = self.texts.prefixes.numbers.iter();
            let mut all: Vec<Position> = of_directories
                .chain(of_texts)
                .chain(of_prefixes)
                .copied()
                .collect();
            all.sort_unstable();
            all.dedup();
            all
        })
    }

    /// Adds the lists of the routes that are pinned to a value.
    fn find<'i>(&'i self, value: &str, lists: &mut Lists<'i>) {
        self.texts.find(value, lists);
        let mut directories = Lists::new();
        self.small.find(value, &mut directories);
        for place in directories.into_iter().flatten() {
            lists.push(&self.directories[*place as usize].1);
        }
        for place in &self.large {
            let (directory, routes) = &self.directories[*place as usize];
            if directory.row(value).is_some() {
                lists.push(routes);
            }
        }
    }
}

impl By {
    /// The value that a request has for it, as conditions compare it; `None` when it is not known.
    fn value<'a, 'f: 'a>(&'a self, facts: &impl Facts<'f>) -> Option<Cow<'a, str>> {
        match self {
            Self::Step => facts.step().map(Cow::Borrowed),
            Self::Subject(subject) => subject.compared(facts).whole(),
        }
    }
}

/// Texts and beginnings of texts, each with a list of numbers.
#[derive(Debug)]
struct Keys {
    exact: Filed,
    prefixes: Filed,
    /// The lengths that prefixes have.
    lengths: Vec<usize>,
}

impl Keys {
    /// Pairs of a key and a number, those of a key in ascending order; `None` when there is too much text in them.
    fn new(exact: &[(&str, u32)], prefixes: &[(&str, u32)]) -> Option<Self> {
        let mut lengths: Vec<usize> = prefixes.iter().map(|(prefix, _)| prefix.len()).collect();
        lengths.sort_unstable();
        lengths.dedup();
        Some(Self {
            exact: Filed::new(exact)?,
            prefixes: Filed::new(prefixes)?,
            lengths,
        })
    }

    /// Adds the lists of all keys that a value is, or begins with.
    fn find<'i>(&'i self, value: &str, lists: &mut Lists<'i>) {
        lists.extend(self.exact.list(value));
        let beginnings = self
            .lengths
            .iter()
            .filter_map(|length| value.get(..*length));
        lists.extend(beginnings.filter_map(|prefix| self.prefixes.list(prefix)));
    }
}

/// Texts, each with a list of numbers.
#[derive(Debug)]
struct Filed {
    /// The texts; the row of each is its place in `ends`.
    texts: Directory,
    /// Where the list of each text ends in `numbers`.
    ends: Vec<u32>,
    /// All lists, one after the other.
    numbers: Vec<u32>,
}

impl Filed {
    fn new(pairs: &[(&str, u32)]) -> Option<Self> {
        let mut texts = Directory::default();
        let mut ends: Vec<u32> = Vec::new();
        let mut places = Vec::with_capacity(pairs.len());
        for (text, _) in pairs {
            let place = texts.row_or_add(text)? as usize;
            if place == ends.len() {
                ends.push(0);
            }
            ends[place] += 1;
            places.push(place);
        }
        // From how long each list is to where it begins; filling a list moves that to where it ends.
        let mut sum = 0;
        for end in &mut ends {
            (*end, sum) = (sum, sum + *end);
        }
        let mut numbers = vec![0; pairs.len()];
        for (place, (_, number)) in places.into_iter().zip(pairs) {
            numbers[ends[place] as usize] = *number;
            ends[place] += 1;
        }
        texts.shrink_to_fit();
        ends.shrink_to_fit();
        Some(Self {
            texts,
            ends,
            numbers,
        })
    }

    fn list(&self, text: &str) -> Option<&[u32]> {
        let place = self.texts.row(text)? as usize;
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.numbers[start as usize..self.ends[place] as usize])
    }
}

/// The routes of one shelf before they are filed.
struct Draft<'t> {
    by: By,
    pins: Vec<(Pin<'t>, Position)>,
}

impl Draft<'_> {
    fn new(by: &By) -> Self {
        Self {
            by: by.clone(),
            pins: Vec::new(),
        }
    }

    fn into_positions(self) -> impl Iterator<Item = Position> {
        self.pins.into_iter().map(|(_, position)| position)
    }

    fn into_shelf(self) -> Option<Shelf> {
        let (mut exact, mut prefixes) = (Vec::new(), Vec::new());
        let mut directories: Vec<(&Arc<Directory>, Vec<Position>)> = Vec::new();
        let mut places: HashMap<*const Directory, usize> = HashMap::new();
        for (pin, position) in self.pins {
            match pin {
                Pin::Text(text) => exact.push((text, position)),
                Pin::Prefix(prefix) => prefixes.push((prefix, position)),
                Pin::In(directory) => {
                    let place = *places.entry(Arc::as_ptr(directory)).or_insert_with(|| {
                        directories.push((directory, Vec::new()));
                        directories.len() - 1
                    });
                    directories[place].1.push(position);
                }
            }
        }
        let texts = Keys::new(&exact, &prefixes)?;
        exact.clear();
        prefixes.clear();
        let mut large = Vec::new();
        for (place, (directory, routes)) in (0..).zip(&mut directories) {
            routes.dedup();
            routes.shrink_to_fit();
            if directory.len() > SMALL_DIRECTORY {
                large.push(place);
                continue;
            }
            for key in directory.keys() {
                match key.strip_suffix('*') {
                    Some(prefix) => prefixes.push((prefix, place)),
                    None => exact.push((key, place)),
                }
            }
        }
        Some(Shelf {
            by: self.by,
            texts,
            small: Keys::new(&exact, &prefixes)?,
            directories: directories
                .into_iter()
                .map(|(directory, routes)| (Arc::clone(directory), routes))
                .collect(),
            large,
            all: OnceLock::new(),
        })
    }
}

/// The place of a subject in [`Crowds::subjects`].
type SubjectPlace = usize;

/// What tells a pin from others: its subject, its kind, and its text or directory.
type PinKey<'t> = (SubjectPlace, bool, Result<&'t str, *const Directory>);

/// What routes can be pinned to, and how many to each.
struct Crowds<'t> {
    subjects: Vec<By>,
    places: HashMap<SubjectKey<'t>, SubjectPlace>,
    sizes: HashMap<PinKey<'t>, usize>,
}

/// What tells a subject from others: its parameter and, for a column, the directory and the column; `None` is the
/// step.
type SubjectKey<'t> = Option<(&'t str, Option<(*const Directory, usize)>)>;

impl<'t> Crowds<'t> {
    fn of(routes: &'t [Route]) -> Self {
        let mut crowds = Self {
            subjects: Vec::new(),
            places: HashMap::new(),
            sizes: HashMap::new(),
        };
        let mut pins = Vec::new();
        for route in routes {
            for (demand, subject) in route.when.alternatives.iter().flat_map(demands) {
                pins.clear();
                if pins_of(demand, &mut pins) {
                    crowds.count(Some(subject), &pins);
                }
            }
            if let Some(step) = route.step.as_deref() {
                crowds.count(None, &[Pin::Text(step)]);
            }
        }
        crowds
    }

    fn count(&mut self, subject: Option<&'t Subject>, pins: &[Pin<'t>]) {
        let subjects = &mut self.subjects;
        let place = *self.places.entry(subject.map(key)).or_insert_with(|| {
            subjects.push(subject.map_or(By::Step, |subject| By::Subject(subject.clone())));
            subjects.len() - 1
        });
        for pin in pins {
            *self.sizes.entry(pin.key(place)).or_default() += 1;
        }
    }

    /// The pins under which a route is filed, those with the fewest other routes; `false` when it is not pinned.
    fn choose(&self, route: &'t Route, chosen: &mut Vec<(SubjectPlace, Pin<'t>)>) -> bool {
        let by_step = route
            .step
            .as_deref()
            .map(|step| self.weighed(None, vec![Pin::Text(step)]));
        let alternatives: Option<Vec<_>> = route
            .when
            .alternatives
            .iter()
            .map(|alternative| {
                demands(alternative)
                    .filter_map(|(demand, subject)| {
                        let mut pins = Vec::new();
                        pins_of(demand, &mut pins).then(|| self.weighed(Some(subject), pins))
                    })
                    .min_by_key(|pins| pins.weight)
            })
            .collect();
        let by_when = alternatives.filter(|pins| !pins.is_empty());
        let weight = |pins: &[Weighed<'_>]| pins.iter().map(|pins| pins.weight).max();
        let best = match (by_step, by_when) {
            (None, None) => return false,
            (Some(step), None) => vec![step],
            (Some(step), Some(when)) if Some(step.weight) <= weight(&when) => vec![step],
            (_, Some(when)) => when,
        };
        for weighed in best {
            chosen.extend(weighed.pins.into_iter().map(|pin| (weighed.subject, pin)));
        }
        true
    }

    fn weighed(&self, subject: Option<&'t Subject>, pins: Vec<Pin<'t>>) -> Weighed<'t> {
        let subject = self.places[&subject.map(key)];
        let crowd = pins.iter().map(|pin| self.sizes[&pin.key(subject)]).max();
        Weighed {
            subject,
            weight: (crowd.unwrap_or(0), pins.len()),
            pins,
        }
    }
}

/// The pins that one condition gives a route.
struct Weighed<'t> {
    subject: SubjectPlace,
    pins: Vec<Pin<'t>>,
    /// How many routes there are under the fullest of the pins, and how many pins.
    weight: (usize, usize),
}

fn key(subject: &Subject) -> (&str, Option<(*const Directory, usize)>) {
    let column = subject.column();
    let column = column.map(|(directory, column)| (Arc::as_ptr(directory), column));
    (subject.parameter(), column)
}

/// The demands that must all be met for a table of `when` to hold.
fn demands(alternative: &Alternative) -> impl Iterator<Item = (&Demand, &Subject)> {
    alternative.conditions.iter().flat_map(|condition| {
        let Condition { subject, demand } = condition;
        let demands = match demand {
            Demand::AllOf(demands) => &demands[..],
            demand => std::slice::from_ref(demand),
        };
        demands.iter().map(move |demand| (demand, subject))
    })
}

impl<'t> Pin<'t> {
    fn key(self, subject: SubjectPlace) -> PinKey<'t> {
        match self {
            Self::Text(text) => (subject, true, Ok(text)),
            Self::Prefix(prefix) => (subject, false, Ok(prefix)),
            Self::In(directory) => (subject, false, Err(Arc::as_ptr(directory))),
        }
    }
}

/// Adds the pins of which a value that passes has at least one; `false` when there are none for all such values.
fn pins_of<'t>(demand: &'t Demand, pins: &mut Vec<Pin<'t>>) -> bool {
    let kind = match demand {
        Demand::Is(kind) => kind,
        Demand::AnyOf(demands) => return demands.iter().all(|demand| pins_of(demand, pins)),
        Demand::AllOf(demands) => {
            let before = pins.len();
            return demands.iter().any(|demand| {
                pins.truncate(before);
                pins_of(demand, pins)
            });
        }
        Demand::Not(_) => return false,
    };
    let pin = match kind.passing() {
        Passing::Known(Known::Whole(Cow::Borrowed(text))) => Pin::Text(text),
        Passing::Known(Known::Ends(ends)) if !ends.start.is_empty() => Pin::Prefix(ends.start),
        Passing::KeyOf(directory) if !directory.has_all_from("") => Pin::In(directory),
        _ => return false,
    };
    pins.push(pin);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::table::DefaultReply;
    use crate::table::condition::inside::Inside;
    use crate::table::condition::present::Present;
    use crate::table::reply::Reply;
    use crate::table::when::When;
    use crate::twilio::request::Request;
    use crate::twilio::request::{Form, Webhook};

    /// A route that asks this of `Called`, and whether the request has a `Body` when it is one of the even ones.
    fn route(number: usize, demand: Demand) -> Route {
        let condition = |name: &str, demand| Condition {
            subject: Subject::Parameter(name.into()),
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
        let request = Request::new(Webhook::Webhook, &body, &query);
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
            let mut directory = Directory::new("d", Vec::new());
            for row in 0..rows {
                directory
                    .add(&format!("{prefix}{row:04}"), [])
                    .expect("a new key");
            }
            Demand::from(Inside(Arc::new(directory)))
        };
        let like = Demand::text;
        let mut routes: Vec<Route> = (0..100)
            .map(|n| route(n, exactly(format!("+1{n:04}"))))
            .collect();
        routes.extend((100..110).map(|n| route(n, like(&format!("+2{n}*")))));
        routes.extend((110..120).map(|n| route(n, directory(3, &format!("+3{n}")))));
        routes.push(route(120, directory(SMALL_DIRECTORY + 1, "+4")));
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
            ("+40999", &[120]),
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
        let mut all = Directory::new("all", Vec::new());
        all.add("*", []).expect("a new key");
        routes.push(route(41, present(true)));
        routes.push(route(43, Demand::from(Inside(Arc::new(all)))));
        routes.push(route(45, Demand::text("*9")));
        assert_eq!(candidates(&routes, "+10007"), [7, 20, 21, 22]);
        assert_eq!(candidates(&routes, "+2"), [20, 21, 22]);
    }

    #[test]
    fn a_few_routes_are_not_filed() {
        let routes = |count| -> Vec<Route> {
            (0..count)
                .map(|n| route(2 * n + 1, exactly(n.to_string())))
                .collect()
        };
        assert_eq!(candidates(&routes(FEW - 1), "3").len(), FEW - 1);
        assert_eq!(candidates(&routes(FEW), "3"), [3]);
    }

    #[test]
    fn a_route_is_filed_under_what_tells_it_from_most_others() {
        let (body, query) = (
            [("Called", "+10007")].into_iter().collect::<Form>(),
            [("step", "s7")].into_iter().collect::<Form>(),
        );
        let request = Request::new(Webhook::Webhook, &body, &query);
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
