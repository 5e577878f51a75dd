//! How much of a table its tests reach.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::table_tests::{RanRequest, RanTest};
use crate::table::condition::Condition;
use crate::table::when::When;
use crate::table::{Miss, Table};
use crate::twilio::request::{Request, Webhook};

/// What the tests of a table reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// The number of tests.
    pub tests: usize,
    /// The number of routes, intercepts and conditions.
    pub total: usize,
    /// The routes that answer none of the tests' requests.
    pub routes: Vec<String>,
    /// The intercepts that decide none of the tests' requests.
    pub intercepts: Vec<String>,
    /// The conditions that none of the tests' requests reach: the name of the route or intercept, and the condition.
    pub conditions: Vec<(String, String)>,
}

impl Coverage {
    /// The share that is reached, in percent, rounded down; 100 when there is nothing to reach.
    #[must_use]
    pub fn percent(&self) -> usize {
        let missed = self.routes.len() + self.intercepts.len() + self.conditions.len();
        ((self.total - missed) * 100)
            .checked_div(self.total)
            .unwrap_or(100)
    }
}

/// A route or an intercept, and what the tests have reached in it.
struct Reached<'t> {
    name: &'t str,
    when: &'t When,
    decides: bool,
    /// The conditions reached, each as the index of its table in `when` and its index in that table.
    conditions: BTreeSet<(usize, usize)>,
}

/// What these tests reach in a table.
pub(super) fn coverage(table: &Table, tests: &[RanTest]) -> Coverage {
    let routes = table.routes().iter();
    let routes = routes.map(|route| Reached::new(&route.name, &route.when));
    let mut routes: Vec<_> = routes.collect();
    let intercepts = table.intercepts.iter();
    let intercepts = intercepts.map(|one| Reached::new(&one.name, &one.when));
    let mut intercepts: Vec<_> = intercepts.collect();
    let requests = tests.iter();
    let requests = requests.flat_map(|test| test.requests.iter().map(|ran| (ran, test.now)));
    for (
        RanRequest {
            sent, decided_by, ..
        },
        now,
    ) in requests
    {
        let request = Request::new(sent.webhook, &sent.body, &sent.query);
        if sent.webhook == Webhook::Intercept {
            let verdicts = table.intercept_verdicts(&request, now);
            for (reached, (_, miss)) in intercepts.iter_mut().zip(verdicts) {
                reached.follow(&request, now);
                if miss.is_none() {
                    reached.decides = true;
                    break;
                }
            }
            continue;
        }
        for (reached, (_, miss)) in routes.iter_mut().zip(table.verdicts(&request, now)) {
            match miss {
                Some(Miss::Step(_) | Miss::Silent(_) | Miss::ProxyOnly) => {}
                Some(_) => reached.follow(&request, now),
                None => {
                    reached.follow(&request, now);
                    // If this route's reply cannot be written, the default answers instead.
                    reached.decides |= *reached.name == *decided_by;
                    break;
                }
            }
        }
    }
    let undecided = |all: &[Reached<'_>]| {
        let undecided = all.iter().filter(|reached| !reached.decides);
        undecided.map(|reached| reached.name.to_owned()).collect()
    };
    let mut coverage = Coverage {
        tests: tests.len(),
        total: routes.len() + intercepts.len(),
        routes: undecided(&routes),
        intercepts: undecided(&intercepts),
        conditions: Vec::new(),
    };
    for reached in routes.iter().chain(&intercepts) {
        for (table, alternative) in reached.when.alternatives.iter().enumerate() {
            for (index, Condition { subject, demand }) in alternative.conditions.iter().enumerate()
            {
                coverage.total += 1;
                if !reached.conditions.contains(&(table, index)) {
                    let condition = (reached.name.to_owned(), format!("{subject} = {demand}"));
                    coverage.conditions.push(condition);
                }
            }
        }
    }
    coverage
}

impl<'t> Reached<'t> {
    fn new(name: &'t str, when: &'t When) -> Self {
        Self {
            name,
            when,
            decides: false,
            conditions: BTreeSet::new(),
        }
    }

    /// Records the conditions that a request reaches: in each table, those up to the first that fails.
    fn follow(&mut self, request: &Request<'_>, now: Timestamp) {
        for (table, alternative) in self.when.alternatives.iter().enumerate() {
            let mut conditions = alternative.conditions.iter().enumerate();
            let all_hold = conditions.all(|(index, condition)| {
                self.conditions.insert((table, index));
                condition.holds(request, now) == Some(true)
            });
            if all_hold {
                break;
            }
        }
    }
}
