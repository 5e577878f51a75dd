//! Answers by route: one counter a name, found by a route's position, so that no request looks a name up.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::TypedMetric;
use prometheus_client::metrics::counter::Counter;

use crate::table::answer::Answer;
use crate::table::guard::LOOP_GUARD;
use crate::table::{DEFAULT, Route, Table};

/// Up to so many routes, all are shown from the beginning; in a larger table, those that have answered since the table
/// or one before it with the same name went live.
const SHOWN_FROM_THE_BEGINNING: usize = 1000;

/// The counters of one table's routes. Made when the table goes live; a route that keeps its name keeps its counter.
#[derive(Debug)]
pub struct RouteCounters {
    /// By position in the table; set at the first answer, or at once in a table that is small enough.
    by_position: Box<[OnceLock<Counter>]>,
    default: Counter,
    loop_guard: Counter,
    named: Arc<Named>,
}

impl RouteCounters {
    /// Counts an answer from this table.
    pub(super) fn count(&self, answer: &Answer<'_>) {
        let Some(position) = answer.position else {
            let counter = if answer.guarded.is_some() {
                &self.loop_guard
            } else {
                &self.default
            };
            counter.inc();
            return;
        };
        if let Some(counter) = self.by_position.get(position) {
            counter
                .get_or_init(|| self.named.counter(answer.route))
                .inc();
        }
    }
}

/// The counters by name. Locked when a table goes live, by a scrape, and by the first answer of a route of a large table.
#[derive(Debug, Default)]
pub(super) struct Named(Mutex<BTreeMap<Box<str>, Counter>>);

impl Named {
    /// The counters of a table that goes live. Routes that it does not have are forgotten.
    pub(super) fn table(self: &Arc<Self>, table: &Table) -> RouteCounters {
        let routes = table.routes();
        let names: HashSet<&str> = routes
            .iter()
            .map(|route| &*route.name)
            .chain([DEFAULT, LOOP_GUARD])
            .collect();
        self.locked().retain(|name, _| names.contains(&**name));
        let are_shown = routes.len() <= SHOWN_FROM_THE_BEGINNING;
        let counter = |route: &Route| {
            if are_shown {
                OnceLock::from(self.counter(&route.name))
            } else {
                OnceLock::new()
            }
        };
        RouteCounters {
            by_position: routes.iter().map(counter).collect(),
            default: self.counter(DEFAULT),
            loop_guard: self.counter(LOOP_GUARD),
            named: Arc::clone(self),
        }
    }

    /// The counter of a name, made when there is none.
    fn counter(&self, name: &str) -> Counter {
        let mut counters = self.locked();
        if let Some(counter) = counters.get(name) {
            return counter.clone();
        }
        let counter = Counter::default();
        counters.insert(name.into(), counter.clone());
        counter
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<Box<str>, Counter>> {
        // Nothing that is done under the lock can leave the map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes the counters of [`Named`].
#[derive(Debug)]
pub(super) struct AnswersByRoute(pub(super) Arc<Named>);

impl Collector for AnswersByRoute {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        // Copied, so that a first answer does not wait until everything is written.
        let counters: Vec<(Box<str>, Counter)> = self
            .0
            .locked()
            .iter()
            .map(|(name, counter)| (name.clone(), counter.clone()))
            .collect();
        let mut family = encoder.encode_descriptor(
            "answers",
            "Answers by the route that answered, default and loop-guard included.",
            None,
            <Counter as TypedMetric>::TYPE,
        )?;
        for (name, counter) in &counters {
            counter.encode(family.encode_family(&[("route", &**name)])?)?;
        }
        Ok(())
    }
}
