//! What of a table its tests reach.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::table_tests::RanTest;
use crate::table::condition::Condition;
use crate::table::when::When;
use crate::table::{Miss, Table};
use crate::twilio::request::{Request, Webhook};

/// What the tests of a table reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// How many tests there are.
    pub tests: usize,
    /// How many routes, intercepts and conditions there are.
    pub total: usize,
    /// The routes that no test's request is answered by.
    pub routes: Vec<String>,
    /// The intercepts that decide on no test's request.
    pub intercepts: Vec<String>,
    /// The conditions that no test's request comes to: the name of the route or intercept, and the condition.
    pub conditions: Vec<(String, String)>,
}

impl Coverage {
    /// How much is reached, in percent, rounded down; 100 when there is nothing to reach.
    #[must_use]
    pub fn percent(&self) -> usize {
        let missed = self.routes.len() + self.intercepts.len() + self.conditions.len();
        ((self.total - missed) * 100)
            .checked_div(self.total)
            .unwrap_or(100)
    }
}

/// What of a table has been reached.
#[derive(Default)]
struct Reached {
    routes: Marks,
    intercepts: Marks,
}

/// What of routes or of intercepts has been reached: they by position, conditions by that, table of `when` and position.
#[derive(Default)]
struct Marks {
    deciding: BTreeSet<usize>,
    conditions: BTreeSet<(usize, usize, usize)>,
}

/// What these tests of a table reach.
pub(super) fn coverage(table: &Table, tests: &[RanTest]) -> Coverage {
    let mut reached = Reached::default();
    for test in tests {
        let request = Request::new(test.webhook, &test.body, &test.query);
        if test.webhook == Webhook::Intercept {
            reached.follow_intercepts(table, &request, test.now);
        } else {
            reached.follow(table, &request, test.now, &test.decided_by);
        }
    }
    let mut coverage = Coverage {
        tests: tests.len(),
        ..Coverage::default()
    };
    reached.count(table, &mut coverage);
    coverage
}

impl Reached {
    /// Notes what a request comes to: the conditions up to the first that fails, and the route that answers.
    fn follow(&mut self, table: &Table, request: &Request<'_>, now: Timestamp, answers: &str) {
        for (position, (route, miss)) in table.verdicts(request, now).enumerate() {
            if matches!(
                miss,
                Some(Miss::Step(_) | Miss::Silent(_) | Miss::ProxyOnly)
            ) {
                continue;
            }
            self.routes.follow(position, &route.when, request, now);
            if miss.is_none() {
                if *route.name == *answers {
                    self.routes.deciding.insert(position);
                }
                return;
            }
        }
    }

    /// The same of an interaction and the intercept that decides.
    fn follow_intercepts(&mut self, table: &Table, request: &Request<'_>, now: Timestamp) {
        for (position, (intercept, miss)) in table.intercept_verdicts(request, now).enumerate() {
            self.intercepts
                .follow(position, &intercept.when, request, now);
            if miss.is_none() {
                self.intercepts.deciding.insert(position);
                return;
            }
        }
    }

    fn count(&self, table: &Table, coverage: &mut Coverage) {
        for (position, route) in table.routes().iter().enumerate() {
            if !self.routes.deciding.contains(&position) {
                coverage.routes.push(route.name.to_string());
            }
            self.routes
                .count(position, &route.name, &route.when, coverage);
        }
        for (position, intercept) in table.intercepts.iter().enumerate() {
            if !self.intercepts.deciding.contains(&position) {
                coverage.intercepts.push(intercept.name.clone());
            }
            self.intercepts
                .count(position, &intercept.name, &intercept.when, coverage);
        }
    }
}

impl Marks {
    fn follow(&mut self, position: usize, when: &When, request: &Request<'_>, now: Timestamp) {
        for (table, alternative) in when.alternatives.iter().enumerate() {
            let mut all_hold = true;
            for (index, condition) in alternative.conditions.iter().enumerate() {
                self.conditions.insert((position, table, index));
                all_hold = condition.holds(request, now) == Some(true);
                if !all_hold {
                    break;
                }
            }
            if all_hold {
                break;
            }
        }
    }

    fn count(&self, position: usize, name: &str, when: &When, coverage: &mut Coverage) {
        coverage.total += 1;
        for (table, alternative) in when.alternatives.iter().enumerate() {
            for (index, Condition { subject, demand }) in alternative.conditions.iter().enumerate()
            {
                coverage.total += 1;
                if !self.conditions.contains(&(position, table, index)) {
                    let condition = format!("{subject} = {demand}");
                    coverage.conditions.push((name.to_owned(), condition));
                }
            }
        }
    }
}
