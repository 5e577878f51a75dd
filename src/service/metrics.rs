//! What the service counts, for Prometheus. Each metric is defined once: a plain counter in [`Counted`], every other one in
//! [`Metrics::new`]. The table in `docs/metrics.md` is written from these definitions by a test.
//!
//! Recording takes no lock, allocates nothing and cannot fail. No label comes from what a client sends.

mod histogram;
mod process;
mod route_counters;

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder, prometheus_text, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry, Unit};
use strum::{EnumMessage, IntoStaticStr, VariantArray};

use self::histogram::Histogram;
use self::process::ProcessFigures;
pub use self::route_counters::RouteCounters;
use self::route_counters::RoutesByName;
use crate::service::refusal::Refusal;
use crate::table::Table;
use crate::table::answer::Answer;
use crate::table::guard::GuardReason;
use crate::twilio::channel::Channel;

/// What every name begins with.
const PREFIX: &str = "twiml_responder";

/// What is simply counted. A variant's name is the name of its metric, its comment the help text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray, IntoStaticStr, EnumMessage)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Counted {
    /// Texts that were cut at a limit of Twilio's.
    CutTexts,
    /// Faults of the program while it answered; each caller got an answer all the same.
    Panics,
    /// Connections that were accepted on the webhook listeners.
    ConnectionsOpened,
    /// Connections that ended in the middle of a request or an answer, or did not speak HTTP.
    ConnectionsBroken,
    /// Times that the system refused to give a connection.
    AcceptErrors,
    /// Lines that were written to the journal.
    JournalLines,
    /// Lines that the journal could not keep.
    JournalLinesLost,
    /// Lines of the log that could not be written, or that nobody took in time.
    LogLinesLost,
}

/// How a request was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum AnsweredBy {
    /// By a route.
    Route,
    /// By `[default]`, since no route matched.
    Default,
    /// By the loop guard.
    LoopGuard,
    /// By `[default]`, since the route's reply could not be written.
    FailedReply,
    /// By `[default]`, since the program panicked.
    Panic,
}

impl AnsweredBy {
    /// For an answer during which nothing panicked.
    #[must_use]
    pub fn of(answer: &Answer<'_>) -> Self {
        if answer.guarded.is_some() {
            Self::LoopGuard
        } else if answer.failure.is_some() {
            Self::FailedReply
        } else if answer.position.is_some() {
            Self::Route
        } else {
            Self::Default
        }
    }
}

/// What became of an interaction of a Proxy session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub(crate) enum Interaction {
    /// It was blocked.
    Block,
    /// It went on.
    Pass,
    /// It went on, since the program panicked.
    Panic,
}

/// Everything that is counted. There is one for the life of the process: a reload resets nothing.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// In the order of [`Counted`].
    counters: Vec<Counter>,
    requests: CounterPer<(Channel, AnsweredBy)>,
    answers: RoutesByName,
    decision: Histogram,
    guard_answers: CounterPer<&'static str>,
    pub(crate) interactions: CounterPer<Interaction>,
    pub(crate) refusals: CounterPer<Refusal>,
    connections: Gauge,
    table_routes: Gauge,
    table_hash: TableHash,
    degraded: Gauge,
    reloads: CounterPer<bool>,
    last_reload_successful: Gauge,
    last_reload_success: Seconds,
    /// Empty without TLS.
    certificate_expiry: Family<[(&'static str, &'static str); 0], Seconds>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Everything at zero. The library adds the unit to a name, `_total` to a counter's, and the full stop to a help text.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let started = Timestamp::now();
        registry.register_collector(Box::new(ProcessFigures { started }));
        let to = registry.sub_registry_with_prefix(PREFIX);
        to.register(
            "build",
            "1, with the version of the program",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        let counter = |counted: &Counted| {
            let help = counted.get_documentation().unwrap_or_default();
            metric(to, counted.into(), help.trim_end_matches('.'))
        };
        Self {
            counters: Counted::VARIANTS.iter().map(counter).collect(),
            requests: CounterPer::new(
                to,
                "requests",
                "Requests that were answered with a document. After a failed-reply (the route's reply could not be \
                 written) or a panic, the default answers",
                Channel::ALL.into_iter().flat_map(|channel| {
                    AnsweredBy::VARIANTS.iter().map(move |&by| {
                        let labels = [("channel", channel.as_str()), ("outcome", by.into())];
                        ((channel, by), labels.to_vec())
                    })
                }),
            ),
            answers: metric(
                to,
                "answers",
                "Answers by the route that answered, default and loop-guard included",
            ),
            decision: in_seconds(
                to,
                "decision",
                "Histogram of the time to decide on a request and to write its answer",
            ),
            guard_answers: CounterPer::new(
                to,
                "guard_answers",
                "Requests that the loop guard answered, by reason",
                GuardReason::OF_MACHINES
                    .into_iter()
                    .chain([GuardReason::Replies(0), GuardReason::SameCall(0)])
                    .map(|verdict| (verdict.word(), vec![("reason", verdict.word())])),
            ),
            interactions: CounterPer::words(
                to,
                "interactions",
                "Interactions of Proxy sessions that /intercept was asked about; after a panic they go on",
                "outcome",
            ),
            refusals: CounterPer::words(
                to,
                "refusals",
                "Requests that were refused, by reason",
                "reason",
            ),
            connections: metric(
                to,
                "connections",
                "Connections that are open on the webhook listeners",
            ),
            table_routes: metric(to, "table_routes", "Routes of the table in use"),
            table_hash: metric(
                to,
                "table",
                "1 for the table in use; the hash is that of its file and its directory files",
            ),
            degraded: metric(
                to,
                "degraded",
                "1 while the last good copy of the table is in use because the file was bad at the start",
            ),
            reloads: CounterPer::new(
                to,
                "reloads",
                "Reloads, by result",
                [(true, "success"), (false, "failure")]
                    .map(|(is_success, word)| (is_success, vec![("result", word)])),
            ),
            last_reload_successful: metric(
                to,
                "last_reload_successful",
                "0 after a reload that failed; 1 before the first",
            ),
            last_reload_success: in_seconds(
                to,
                "last_reload_success_timestamp",
                "When the table in use was read, in Unix time",
            ),
            certificate_expiry: in_seconds(
                to,
                "certificate_expiry_timestamp",
                "Only with --tls-cert: when the certificate in use, or one that its chain needs, expires, in Unix time",
            ),
            registry,
        }
    }

    /// A plain counter.
    pub(crate) fn counter(&self, counted: Counted) -> &Counter {
        &self.counters[counted as usize]
    }

    /// Counts a request that was answered. `routes` are the counters of the table that answered it; `decision` is the
    /// time that it took to decide and to write the answer.
    pub fn answered(
        &self,
        routes: &RouteCounters,
        channel: Channel,
        by: AnsweredBy,
        answer: &Answer<'_>,
        decision: Duration,
    ) {
        self.requests.count((channel, by));
        routes.count(answer);
        self.decision.observe(decision);
        if let Some(verdict) = answer.guarded {
            self.guard_answers.count(verdict.word());
        }
        self.counter(Counted::CutTexts)
            .inc_by(answer.cut_texts as u64);
    }

    /// Counts a connection that was accepted. It counts as open until what is returned is dropped.
    #[must_use]
    pub fn connection(&self) -> CountedConnection {
        self.counter(Counted::ConnectionsOpened).inc();
        self.connections.inc();
        CountedConnection(self.connections.clone())
    }

    /// The counters for a table that goes live now. Routes that keep their name keep their counts.
    #[must_use]
    pub fn table_is_live(&self, table: &Table) -> RouteCounters {
        self.table_routes
            .set(i64::try_from(table.routes().len()).unwrap_or(i64::MAX));
        self.answers.table(table)
    }

    /// The table in use was read at this moment, at the start or by a reload. `hash` is that of its files, in
    /// hexadecimal digits.
    pub fn table_was_read(&self, hash: &str, now: Timestamp) {
        self.table_hash.set(hash);
        self.last_reload_successful.set(1);
        self.last_reload_success.set(unix_seconds(now));
    }

    /// The certificate in use is valid until this moment. Without TLS there is none, and the metric is absent.
    pub fn certificate_expires(&self, at: Timestamp) {
        let gauge = self.certificate_expiry.get_or_create(&[]);
        gauge.set(unix_seconds(at));
    }

    /// A reload has ended: with a new table, or with the old one left in use.
    pub fn reloaded(&self, is_success: bool) {
        self.reloads.count(is_success);
        self.last_reload_successful.set(i64::from(is_success));
    }

    /// Sets whether a last-good copy of the table is in use.
    pub fn degraded(&self, is_degraded: bool) {
        self.degraded.set(i64::from(is_degraded));
    }

    /// Whether a last-good copy of the table is in use.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        self.degraded.get() != 0
    }

    /// All metrics in a format.
    #[must_use]
    pub fn text(&self, format: MetricsFormat) -> String {
        let mut text = String::new();
        match format {
            MetricsFormat::OpenMetrics => text::encode(&mut text, &self.registry),
            MetricsFormat::Prometheus => prometheus_text::encode(&mut text, &self.registry),
        }
        .expect("a String takes every text");
        text
    }
}

/// Makes a metric and registers it.
fn metric<M: Metric + Clone + Default>(to: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    to.register(name, help, metric.clone());
    metric
}

/// Makes a metric in seconds and registers it.
fn in_seconds<M: Metric + Clone + Default>(to: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    to.register_with_unit(name, help, Unit::Seconds, metric.clone());
    metric
}

/// A counter for each of a fixed set of keys. All are there from the start: if a counter appeared with its first event,
/// a query for the increase would miss that event.
#[derive(Debug)]
pub(crate) struct CounterPer<K>(Vec<(K, Counter)>);

impl<K: Copy + PartialEq> CounterPer<K> {
    /// Makes and registers the counters, each with its key and its labels.
    fn new(
        to: &mut Registry,
        name: &str,
        help: &str,
        keys: impl IntoIterator<Item = (K, Vec<(&'static str, &'static str)>)>,
    ) -> Self {
        let family: Family<Vec<(&str, &str)>, Counter> = metric(to, name, help);
        let counters = keys
            .into_iter()
            .map(|(key, labels)| (key, family.get_or_create_owned(&labels)));
        Self(counters.collect())
    }

    /// The counters for the variants of an enum, whose words are the values of one label.
    fn words(to: &mut Registry, name: &str, help: &str, label: &'static str) -> Self
    where
        K: VariantArray + Into<&'static str>,
    {
        let keys = K::VARIANTS.iter();
        Self::new(
            to,
            name,
            help,
            keys.map(|&key| (key, vec![(label, key.into())])),
        )
    }

    /// Counts one. The family is not asked, because it has a lock; the sets are so small that a search is as fast.
    pub(crate) fn count(&self, key: K) {
        if let Some((_, counter)) = self.0.iter().find(|(other, _)| *other == key) {
            counter.inc();
        }
    }
}

/// A connection that counts as open until this is dropped.
#[derive(Debug)]
pub struct CountedConnection(Gauge);

impl Drop for CountedConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// How metrics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricsFormat {
    /// `OpenMetrics` 1.0.
    ///
    /// Source: <https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md>.
    OpenMetrics,
    /// Prometheus's own text format, 0.0.4.
    ///
    /// Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>.
    Prometheus,
}

impl MetricsFormat {
    /// Its media type.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => prometheus_text::CONTENT_TYPE,
        }
    }
}

/// A moment in Unix time.
type Seconds = Gauge<f64, AtomicU64>;

#[expect(
    clippy::cast_precision_loss,
    reason = "whole microseconds of our century fit"
)]
fn unix_seconds(moment: Timestamp) -> f64 {
    moment.as_microsecond() as f64 / 1e6
}

/// The hash of the table in use, as a label.
#[derive(Debug, Clone, Default)]
struct TableHash(Arc<Mutex<String>>);

impl TableHash {
    fn set(&self, hash: &str) {
        hash.clone_into(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl EncodeMetric for TableHash {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let hash = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        encoder.encode_info(&[("hash", hash.as_str())])
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Info
    }
}
