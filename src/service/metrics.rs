//! What the service counts, for Prometheus. Each metric is defined once: a plain counter in `PlainCounter`, every other
//! metric in [`Metrics::default`]. A test writes the table in `docs/metrics.md` from these definitions.
//!
//! Recording takes no lock, allocates nothing and cannot fail. No label contains what a client sends.

mod lock_free;

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, prometheus_text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry, Unit};
use strum::{EnumMessage, IntoStaticStr, VariantArray};

pub use self::lock_free::RouteCounters;
use self::lock_free::{CounterPer, Histogram, RoutesByName, variants};
use crate::service::last_hour::Counts;
use crate::service::refusal::Refusal;
use crate::table::Table;
use crate::table::answer::Answer;
use crate::table::guard::GuardReason;
use crate::twilio::channel::Channel;

/// The prefix of every name.
const PREFIX: &str = "twiml_responder";

/// What is simply counted. A variant's name is the name of its metric, its comment the help text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray, IntoStaticStr, EnumMessage)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum PlainCounter {
    /// Texts that were cut at one of Twilio's limits.
    CutTexts,
    /// Faults of the program while it answered; each caller got an answer anyway.
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
    /// Lines of the log that could not be written, or that were not read in time.
    LogLinesLost,
}

/// Who answered a request with a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
enum AnsweredBy {
    Route,
    Default,
    LoopGuard,
    /// The default, because the route's reply could not be written.
    FailedReply,
    /// The default, because the program panicked.
    Panic,
}

/// The outcome of an interaction of a Proxy session; after a panic, the interaction continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub(crate) enum Interaction {
    Block,
    Pass,
    Panic,
}

/// Everything that is counted. There is one instance for the life of the process: a reload resets nothing.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// In the order of [`PlainCounter`].
    counters: Vec<Counter>,
    requests: CounterPer<(Channel, AnsweredBy)>,
    answers: RoutesByName,
    decision: Histogram,
    request: Histogram,
    guard_answers: CounterPer<&'static str>,
    pub(crate) interactions: CounterPer<Interaction>,
    pub(crate) refusals: CounterPer<Refusal>,
    pub(crate) connections: Gauge,
    table_routes: Gauge,
    table_hash: Family<[(&'static str, String); 1], Gauge>,
    pub(crate) degraded: Gauge,
    reloads: CounterPer<bool>,
    last_reload_successful: Gauge,
    last_reload_success: Seconds,
    /// Empty without TLS.
    certificate_expiry: Family<[(&'static str, &'static str); 0], Seconds>,
}

impl Default for Metrics {
    /// Everything at zero. The library adds the unit to a name, `_total` to a counter's, and the full stop to a help
    /// text.
    fn default() -> Self {
        let mut registry = Registry::default();
        let started = Timestamp::now();
        registry.register_collector(Box::new(ProcessFigures { started }));
        let to = registry.sub_registry_with_prefix(PREFIX);
        register_build(to);
        let counter = |counted: &PlainCounter| {
            let help = counted.get_documentation().unwrap_or_default();
            metric(to, counted.into(), help.trim_end_matches('.'))
        };
        Self {
            counters: PlainCounter::VARIANTS.iter().map(counter).collect(),
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
            request: in_seconds(
                to,
                "request",
                "Histogram of the time from a request's head to its answer or refusal, with the wait for its body",
            ),
            guard_answers: CounterPer::new(
                to,
                "guard_answers",
                "Requests that the loop guard answered, by reason",
                GuardReason::ALL.map(|reason| (reason.word(), vec![("reason", reason.word())])),
            ),
            interactions: CounterPer::new(
                to,
                "interactions",
                "Interactions of Proxy sessions that /intercept was asked about; after a panic they go on",
                variants("outcome"),
            ),
            refusals: CounterPer::new(
                to,
                "refusals",
                "Requests that were refused, by reason",
                variants("reason"),
            ),
            connections: metric(
                to,
                "connections",
                "Connections that are open on the webhook listeners",
            ),
            table_routes: metric(to, "table_routes", "Routes of the table in use"),
            table_hash: metric(
                to,
                "table_info",
                "1 for the table in use; the hash is that of its file and its directory files",
            ),
            degraded: metric(
                to,
                "degraded",
                "1 while anything on disk is not in use because it is bad: the table, the secrets or the certificate",
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
}

/// Says which program this is.
fn register_build(to: &mut Registry) {
    to.register(
        "build",
        "1, with the version of the program, the commit that a release was built from, and the Rust that built it",
        Info::new([
            ("version", env!("CARGO_PKG_VERSION")),
            ("revision", env!("BUILT_REVISION")),
            ("rust", env!("BUILT_BY")),
        ]),
    );
}

impl Metrics {
    /// A plain counter.
    pub(crate) fn counter(&self, counted: PlainCounter) -> &Counter {
        &self.counters[counted as usize]
    }

    /// Counts a request that was answered with a document. `routes` are the counters of the table that answered it;
    /// `decision` is the time it took to decide and to write the answer.
    pub fn answered(
        &self,
        routes: &RouteCounters,
        channel: Channel,
        panicked: bool,
        answer: &Answer<'_>,
        decision: Duration,
    ) {
        let by = match answer {
            _ if panicked => AnsweredBy::Panic,
            answer if answer.guarded.is_some() => AnsweredBy::LoopGuard,
            answer if answer.failure.is_some() => AnsweredBy::FailedReply,
            answer if answer.position.is_some() => AnsweredBy::Route,
            _ => AnsweredBy::Default,
        };
        self.requests.count((channel, by));
        routes.count(answer);
        self.decision.observe(decision);
        if let Some(verdict) = answer.guarded {
            self.guard_answers.count(verdict.word());
        }
        self.counter(PlainCounter::CutTexts)
            .inc_by(answer.cut_texts as u64);
    }

    /// Counts a request to any webhook that was answered or refused after this time.
    pub(crate) fn ended(&self, took: Duration) {
        self.request.observe(took);
    }

    /// The counters for a table that goes live now. Routes that keep their name keep their counts.
    #[must_use]
    pub fn table_is_live(&self, table: &Table) -> RouteCounters {
        self.table_routes
            .set(i64::try_from(table.routes().len()).unwrap_or(i64::MAX));
        self.answers.table(table)
    }

    /// Notes that the table in use was read at this moment, at the start or by a reload. `hash` is that of its files,
    /// in hexadecimal digits.
    pub fn table_was_read(&self, hash: &str, now: Timestamp) {
        self.table_hash.clear();
        let table = [("hash", hash.to_owned())];
        self.table_hash.get_or_create(&table).set(1);
        self.last_reload_successful.set(1);
        let seconds = now.as_duration().as_secs_f64();
        self.last_reload_success.set(seconds);
    }

    /// How many answers there have been since the start, by the route that answered.
    #[must_use]
    pub fn answers(&self) -> Counts {
        self.answers.counts()
    }

    /// When the certificate in use expires; `None` without TLS.
    #[must_use]
    pub fn certificate_expiry(&self) -> Option<Timestamp> {
        let seconds = self.certificate_expiry.get(&[])?.get();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "it was made from a timestamp"
        )]
        Timestamp::from_second(seconds as i64).ok()
    }

    /// Sets whether anything on disk is not in use, because it is bad or needs an explicit reload.
    pub fn degraded(&self, is_degraded: bool) {
        self.degraded.set(i64::from(is_degraded));
    }

    /// Sets when the certificate in use expires. Without TLS, the metric is absent.
    pub fn certificate_expires(&self, at: Timestamp) {
        let gauge = self.certificate_expiry.get_or_create(&[]);
        gauge.set(at.as_duration().as_secs_f64());
    }

    /// Counts a reload that has ended, with everything on disk in use or not.
    pub(crate) fn reloaded(&self, is_success: bool) {
        self.reloads.count(is_success);
        self.last_reload_successful.set(i64::from(is_success));
    }

    /// All metrics in Prometheus's text format, 0.0.4.
    ///
    /// Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry).expect("a String takes every text");
        text
    }
}

/// Creates a metric and registers it.
fn metric<M: Metric + Clone + Default>(to: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    to.register(name, help, metric.clone());
    metric
}

/// Creates a metric in seconds and registers it.
fn in_seconds<M: Metric + Clone + Default>(to: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    to.register_with_unit(name, help, Unit::Seconds, metric.clone());
    metric
}

/// A moment in Unix time.
type Seconds = Gauge<f64, AtomicU64>;

/// What the system reports about this process at a scrape, under the names that every Prometheus client uses. What the
/// system does not report is left out.
///
/// Source: <https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>.
#[derive(Debug)]
struct ProcessFigures {
    /// `/proc/stat`, from which others take it, is not visible in a sandbox.
    started: Timestamp,
}

impl Collector for ProcessFigures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut write = |name, help, unit: Option<Unit>, figure: &dyn EncodeMetric| {
            let kind = figure.metric_type();
            figure.encode(encoder.encode_descriptor(name, help, unit.as_ref(), kind)?)
        };
        let seconds = Some(Unit::Seconds);
        let started = ConstGauge::new(self.started.as_second());
        let help = "When the process began, in Unix time.";
        write("process_start_time", help, seconds.clone(), &started)?;
        #[cfg(target_os = "linux")]
        if let Ok(process) = procfs::process::Process::myself() {
            use prometheus_client::metrics::counter::ConstCounter;

            let whole = |figure: u64| ConstGauge::new(i64::try_from(figure).unwrap_or(i64::MAX));
            if let Ok(stat) = process.stat() {
                #[expect(clippy::cast_precision_loss, reason = "a century of ticks fits")]
                let used = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
                let help = "Processor time that the process has used.";
                write("process_cpu", help, seconds, &ConstCounter::new(used))?;
                let resident = whole(stat.rss.saturating_mul(procfs::page_size()));
                let help = "Memory of the process that is in use.";
                let bytes = Some(Unit::Bytes);
                write("process_resident_memory", help, bytes, &resident)?;
                let threads = ConstGauge::new(stat.num_threads);
                write("process_threads", "Threads of the process.", None, &threads)?;
            }
            if let Ok(open) = process.fd_count() {
                let help = "File descriptors that are open.";
                write("process_open_fds", help, None, &whole(open as u64))?;
            }
            if let Ok(limits) = process.limits()
                && let procfs::process::LimitValue::Value(most) = limits.max_open_files.soft_limit
            {
                let help = "The most file descriptors that may be open.";
                write("process_max_fds", help, None, &whole(most))?;
            }
        }
        Ok(())
    }
}
