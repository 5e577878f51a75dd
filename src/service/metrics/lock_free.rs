//! Metrics that take no lock to count something; the library's own families and histograms do.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use strum::VariantArray;

use crate::service::last_hour::Counts;
use crate::table::answer::Answer;
use crate::table::guard::LOOP_GUARD;
use crate::table::{DEFAULT, Table};

type Labels = Vec<(&'static str, &'static str)>;

/// A counter for each of a fixed set of keys. All exist from the start: if a counter appeared with its first event, a
/// query for the increase would miss that event.
#[derive(Debug)]
pub(crate) struct CounterPer<K>(Vec<(K, Counter)>);

impl<K: Copy + PartialEq> CounterPer<K> {
    /// Creates and registers the counters, each with its key and its labels.
    pub(super) fn new(
        to: &mut Registry,
        name: &str,
        help: &str,
        keys: impl IntoIterator<Item = (K, Labels)>,
    ) -> Self {
        let family = Family::<Labels, Counter>::default();
        to.register(name, help, family.clone());
        let counter = |(key, labels)| (key, family.get_or_create_owned(&labels));
        Self(keys.into_iter().map(counter).collect())
    }

    /// Counts one event. The sets are so small that a search is fast.
    pub(crate) fn count(&self, key: K) {
        if let Some((_, counter)) = self.0.iter().find(|(other, _)| *other == key) {
            counter.inc();
        }
    }
}

/// The variants of an enum, each with its word as the value of a label.
pub(super) fn variants<K>(label: &'static str) -> impl Iterator<Item = (K, Labels)>
where
    K: Copy + VariantArray + Into<&'static str>,
{
    let variants = K::VARIANTS.iter();
    variants.map(move |&key| (key, vec![(label, key.into())]))
}

/// The longest duration of each bucket, in microseconds; a last bucket has no limit. Typical values are below a tenth
/// of a millisecond.
const BOUNDS: [u32; 13] = [
    5, 10, 25, 50, 100, 250, 500, 1_000, 5_000, 25_000, 100_000, 1_000_000, 10_000_000,
];

/// How many durations fell into each bucket. A scrape reads one bucket after another, so a value that arrives meanwhile
/// may be in the sum and not yet in the count; the next scrape has both.
#[derive(Debug, Clone, Default)]
pub(super) struct Histogram(Arc<Buckets>);

#[derive(Debug, Default)]
struct Buckets {
    counts: [AtomicU64; BOUNDS.len() + 1],
    sum_nanos: AtomicU64,
}

impl Histogram {
    pub(super) fn observe(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.partition_point(|&bound| u64::from(bound) * 1000 < nanos);
        self.0.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.0.sum_nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let bounds = BOUNDS.iter().map(|&bound| f64::from(bound) / 1e6);
        let counts = self.0.counts.iter();
        let buckets: Vec<(f64, u64)> = bounds
            .chain([f64::INFINITY])
            .zip(counts.map(|count| count.load(Ordering::Relaxed)))
            .collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = Duration::from_nanos(self.0.sum_nanos.load(Ordering::Relaxed)).as_secs_f64();
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

/// Tables with at most this many routes show all of them from the start. A larger table shows those that have answered
/// since they went live.
const SHOWN_FROM_THE_START: usize = 1000;

/// The counters of one table's routes. Created when the table goes live; a route that keeps its name keeps its counter.
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

/// The counters by name. Locked when a table goes live, by a scrape, and by the first answers of a large table's
/// routes.
#[derive(Debug, Clone, Default)]
pub(super) struct RoutesByName(Arc<Mutex<BTreeMap<Box<str>, Counter>>>);

impl RoutesByName {
    /// The counters of a table that goes live. Routes that it does not contain are forgotten.
    pub(super) fn table(&self, table: &Table) -> RouteCounters {
        let routes = table.routes();
        let names = routes.iter().map(|route| &*route.name);
        let names: HashSet<&str> = names.chain([DEFAULT, LOOP_GUARD]).collect();
        self.locked().retain(|name, _| names.contains(&**name));
        let by_position = routes.iter().map(|route| match routes.len() {
            0..=SHOWN_FROM_THE_START => OnceLock::from(self.counter(&route.name)),
            _ => OnceLock::new(),
        });
        RouteCounters {
            by_position: by_position.collect(),
            default: self.counter(DEFAULT),
            loop_guard: self.counter(LOOP_GUARD),
            by_name: self.clone(),
        }
    }

    /// How often each has answered.
    pub(super) fn counts(&self) -> Counts {
        let counters = self.locked();
        let counts = counters.iter();
        counts
            .map(|(name, counter)| (name.clone(), counter.get()))
            .collect()
    }

    /// The counter with this name, created if there is none.
    fn counter(&self, name: &str) -> Counter {
        self.locked().entry(name.into()).or_default().clone()
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<Box<str>, Counter>> {
        // No operation under the lock can leave the map half changed.
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
