//! Answers by route: one counter a name, found by a route's position, so that no request looks up a name.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;

use crate::table::answer::Answer;
use crate::table::guard::LOOP_GUARD;
use crate::table::{DEFAULT, Route, Table};

/// Tables with at most this many routes show all of them from the start. A larger table shows those that have answered
/// since they went live.
const SHOWN_FROM_THE_START: usize = 1000;

/// The counters of one table's routes. Made when the table goes live; a route that keeps its name keeps its counter.
#[derive(Debug)]
pub struct RouteCounters {
    /// By position in the table. Set at the first answer, or at once in a small table.
    by_position: Box<[OnceLock<Counter>]>,
    default: Counter,
    loop_guard: Counter,
    by_name: RoutesByName,
}

impl RouteCounters {
    /// Counts an answer from this table.
    pub(super) fn count(&self, answer: &Answer<'_>) {
        let counter = match answer.position {
            Some(position) => match self.by_position.get(position) {
                Some(counter) => counter.get_or_init(|| self.by_name.counter(answer.route)),
                None => return,
            },
            None if answer.guarded.is_some() => &self.loop_guard,
            None => &self.default,
        };
        counter.inc();
    }
}

/// The counters by name. Locked when a table goes live, by a scrape, and by the first answer of a route of a large table.
#[derive(Debug, Clone, Default)]
pub(super) struct RoutesByName(Arc<Mutex<BTreeMap<Box<str>, Counter>>>);

impl RoutesByName {
    /// The counters of a table that goes live. Routes that it does not have are forgotten.
    pub(super) fn table(&self, table: &Table) -> RouteCounters {
        let routes = table.routes();
        let names: HashSet<&str> = routes
            .iter()
            .map(|route| &*route.name)
            .chain([DEFAULT, LOOP_GUARD])
            .collect();
        self.locked().retain(|name, _| names.contains(&**name));
        let are_shown = routes.len() <= SHOWN_FROM_THE_START;
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
            by_name: self.clone(),
        }
    }

    /// The counter of a name, made when there is none.
    fn counter(&self, name: &str) -> Counter {
        self.locked().entry(name.into()).or_default().clone()
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<Box<str>, Counter>> {
        // Nothing that is done under the lock can leave the map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EncodeMetric for RoutesByName {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        // Copied, so that a first answer does not wait until everything is written.
        let counters = self.locked().clone();
        for (name, counter) in &counters {
            counter.encode(encoder.encode_family(&[("route", &**name)])?)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}
