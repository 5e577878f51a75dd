//! What the service counts, for Prometheus: plain methods that record, and all of it as text.
//!
//! Recording takes no lock, allocates nothing and fails never. No label comes from what a client sends.

mod counters;
mod histogram;
mod process;
mod routes;

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, prometheus_text, text};
use prometheus_client::metrics::TypedMetric;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use strum::{IntoStaticStr, VariantArray};

use self::counters::{CounterPer, CounterPerPair};
use self::histogram::Histogram;
use self::process::ProcessFigures;
pub use self::routes::RouteCounters;
use self::routes::{AnswersByRoute, Named};
use crate::service::server::refusal::Refusal;
use crate::table::Table;
use crate::table::answer::Answer;
use crate::table::guard::GuardReason;
use crate::twilio::channel::Channel;

/// What every name begins with.
const PREFIX: &str = "twiml_responder";

/// The bounds of `decision_seconds`. What is usual lies below a tenth of a millisecond.
const DECISION_BOUNDS: [Duration; 12] = [
    Duration::from_micros(5),
    Duration::from_micros(10),
    Duration::from_micros(25),
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(25),
    Duration::from_millis(100),
    Duration::from_secs(1),
];

/// How a request was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Outcome {
    /// By a route.
    Route,
    /// By `[default]`, since no route matched.
    Default,
    /// By the guards.
    LoopGuard,
    /// By `[default]`, since the route's reply could not be written.
    FailedReply,
    /// By `[default]`, since the program panicked.
    Panic,
}

impl Outcome {
    /// That of an answer which did not panic.
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

/// The channels, as labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
enum ChannelLabel {
    Voice,
    Message,
}

impl From<Channel> for ChannelLabel {
    fn from(channel: Channel) -> Self {
        match channel {
            Channel::Voice => Self::Voice,
            Channel::Message => Self::Message,
        }
    }
}

/// Why the guards answered, as labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
enum GuardLabel {
    Name,
    ShortCode,
    OptOut,
    OptOutWord,
    Replies,
    SameCall,
}

impl From<GuardReason> for GuardLabel {
    fn from(verdict: GuardReason) -> Self {
        match verdict {
            GuardReason::Name => Self::Name,
            GuardReason::ShortCode => Self::ShortCode,
            GuardReason::OptOut => Self::OptOut,
            GuardReason::OptOutWord => Self::OptOutWord,
            GuardReason::Replies(_) => Self::Replies,
            GuardReason::SameCall(_) => Self::SameCall,
        }
    }
}

/// What became of an interaction of a Proxy session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Interaction {
    /// It was blocked.
    Block,
    /// It went on.
    Pass,
    /// It went on, since the program panicked.
    Panic,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
enum ReloadLabel {
    Success,
    Failure,
}

/// Everything that is counted. One for the life of the process: a reload changes nothing of it.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: CounterPerPair<ChannelLabel, Outcome>,
    answers: Arc<Named>,
    decision: Histogram,
    guard_answers: CounterPer<GuardLabel>,
    interactions: CounterPer<Interaction>,
    refusals: CounterPer<Refusal>,
    cut_texts: Counter,
    panics: Counter,
    connections: Gauge,
    connections_opened: Counter,
    connections_broken: Counter,
    accept_errors: Counter,
    table_routes: Gauge,
    table_hash: Arc<TableHash>,
    degraded: Gauge,
    reloads: CounterPer<ReloadLabel>,
    last_reload_successful: Gauge,
    last_reload_success: Seconds,
    certificate_expiry: Arc<CertificateExpiry>,
    journal_lines: Counter,
    journal_lines_lost: Counter,
    log_lines_lost: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Everything at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            requests: CounterPerPair::new("channel", "outcome"),
            answers: Arc::default(),
            decision: Histogram::new(&DECISION_BOUNDS),
            guard_answers: CounterPer::new("reason"),
            interactions: CounterPer::new("outcome"),
            refusals: CounterPer::new("reason"),
            cut_texts: Counter::default(),
            panics: Counter::default(),
            connections: Gauge::default(),
            connections_opened: Counter::default(),
            connections_broken: Counter::default(),
            accept_errors: Counter::default(),
            table_routes: Gauge::default(),
            table_hash: Arc::default(),
            degraded: Gauge::default(),
            reloads: CounterPer::new("result"),
            last_reload_successful: Gauge::default(),
            last_reload_success: Seconds::default(),
            certificate_expiry: Arc::default(),
            journal_lines: Counter::default(),
            journal_lines_lost: Counter::default(),
            log_lines_lost: Counter::default(),
        };
        metrics.register_requests();
        metrics.register();
        metrics
    }

    /// Gives each its name. The library adds the unit, `_total` to a counter, and the full stop of a help text.
    fn register_requests(&mut self) {
        let started = Timestamp::now();
        let process = Box::new(ProcessFigures { started });
        self.registry.register_collector(process);
        let to = self.registry.sub_registry_with_prefix(PREFIX);
        to.register(
            "requests",
            "Requests that were answered, by channel and by what answered",
            self.requests.clone(),
        );
        to.register_collector(Box::new(AnswersByRoute(Arc::clone(&self.answers))));
        to.register_with_unit(
            "decision",
            "Time to decide on a request and to write its answer",
            Unit::Seconds,
            self.decision.clone(),
        );
        to.register(
            "guard_answers",
            "Requests that the guards answered, by reason",
            self.guard_answers.clone(),
        );
        to.register(
            "interactions",
            "Interactions of Proxy sessions that the intercept was asked about, by what became of them",
            self.interactions.clone(),
        );
        to.register(
            "refusals",
            "Requests that were refused, by reason",
            self.refusals.clone(),
        );
    }

    /// The same of all else.
    fn register(&mut self) {
        let to = self.registry.sub_registry_with_prefix(PREFIX);
        to.register(
            "cut_texts",
            "Texts that were cut at a limit of Twilio's",
            self.cut_texts.clone(),
        );
        to.register(
            "panics",
            "Faults of the program, each with an answer all the same",
            self.panics.clone(),
        );
        to.register(
            "connections",
            "Connections that are open on the webhook listeners",
            self.connections.clone(),
        );
        to.register(
            "connections_opened",
            "Connections that were accepted on the webhook listeners",
            self.connections_opened.clone(),
        );
        to.register(
            "connections_broken",
            "Connections that ended in the middle of a request or an answer, or did not speak HTTP",
            self.connections_broken.clone(),
        );
        to.register(
            "accept_errors",
            "Times that the system refused to give a connection",
            self.accept_errors.clone(),
        );
        to.register(
            "table_routes",
            "Routes of the table in use",
            self.table_routes.clone(),
        );
        to.register_collector(Box::new(Arc::clone(&self.table_hash)));
        to.register(
            "degraded",
            "Whether a last-good copy of the table is in use because the file is bad",
            self.degraded.clone(),
        );
        to.register("reloads", "Reloads, by result", self.reloads.clone());
        to.register(
            "last_reload_successful",
            "Whether the last reload succeeded; 1 before the first",
            self.last_reload_successful.clone(),
        );
        to.register_with_unit(
            "last_reload_success_timestamp",
            "When the table in use was read, in Unix time",
            Unit::Seconds,
            self.last_reload_success.clone(),
        );
        to.register_collector(Box::new(Arc::clone(&self.certificate_expiry)));
        to.register(
            "journal_lines",
            "Lines that were written to the journal",
            self.journal_lines.clone(),
        );
        to.register(
            "journal_lines_lost",
            "Lines that the journal could not keep",
            self.journal_lines_lost.clone(),
        );
        to.register(
            "log_lines_lost",
            "Lines of the log that nobody took in time",
            self.log_lines_lost.clone(),
        );
        to.register(
            "build",
            "The program",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
    }

    /// A request was answered. `routes` are the counters of the table that it was answered from, `decision` is the time
    /// that deciding and writing the answer took.
    pub fn answered(
        &self,
        routes: &RouteCounters,
        channel: Channel,
        outcome: Outcome,
        answer: &Answer<'_>,
        decision: Duration,
    ) {
        self.requests.count(channel.into(), outcome);
        routes.count(answer);
        self.decision.observe(decision);
        if let Some(verdict) = answer.guarded {
            self.guard_answers.count(verdict.into());
        }
        self.cut_texts.inc_by(answer.cut_texts as u64);
    }

    /// The intercept was asked about an interaction.
    pub fn intercepted(&self, interaction: Interaction) {
        self.interactions.count(interaction);
    }

    /// A request was refused.
    pub(crate) fn refused(&self, refusal: Refusal) {
        self.refusals.count(refusal);
    }

    /// The program panicked.
    pub fn panicked(&self) {
        self.panics.inc();
    }

    /// A connection was accepted. It counts as open until what is returned is dropped.
    #[must_use]
    pub fn connection(&self) -> OpenConnection {
        self.connections_opened.inc();
        self.connections.inc();
        OpenConnection(self.connections.clone())
    }

    /// A connection ended in the middle of a request or an answer, or did not speak HTTP.
    pub fn connection_broken(&self) {
        self.connections_broken.inc();
    }

    /// The system refused to give a connection.
    pub fn accept_failed(&self) {
        self.accept_errors.inc();
    }

    /// The counters for the requests that a table answers, which goes live now. Routes that keep their name keep their
    /// counts.
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

    /// The certificate in use is valid up to this moment. Without TLS there is none, and nothing is told.
    pub fn certificate_expires(&self, at: Timestamp) {
        self.certificate_expiry
            .0
            .get_or_init(Seconds::default)
            .set(unix_seconds(at));
    }

    /// A reload has ended: with a new table, or with the old one left in use.
    pub fn reloaded(&self, is_success: bool) {
        self.reloads.count(if is_success {
            ReloadLabel::Success
        } else {
            ReloadLabel::Failure
        });
        self.last_reload_successful.set(i64::from(is_success));
    }

    /// Whether a last-good copy of the table is in use.
    pub fn degraded(&self, is_degraded: bool) {
        self.degraded.set(i64::from(is_degraded));
    }

    /// Whether [`Metrics::degraded`] was last told so.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        self.degraded.get() != 0
    }

    /// So many lines were written to the journal.
    pub fn journal_lines_written(&self, lines: u64) {
        self.journal_lines.inc_by(lines);
    }

    /// So many lines were lost to the journal.
    pub fn journal_lines_lost(&self, lines: u64) {
        self.journal_lines_lost.inc_by(lines);
    }

    /// So many lines of the log were lost.
    pub fn log_lines_lost(&self, lines: u64) {
        self.log_lines_lost.inc_by(lines);
    }

    /// All of it in a format.
    #[must_use]
    pub fn text(&self, format: Format) -> String {
        let mut text = String::new();
        match format {
            Format::OpenMetrics => text::encode(&mut text, &self.registry),
            Format::Prometheus => prometheus_text::encode(&mut text, &self.registry),
        }
        .expect("a String takes every text");
        text
    }
}

/// A connection that counts as open until this is dropped.
#[derive(Debug)]
pub struct OpenConnection(Gauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// How metrics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `OpenMetrics` 1.0.
    ///
    /// Source: <https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md>.
    OpenMetrics,
    /// Prometheus's own text format, 0.0.4.
    ///
    /// Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>.
    Prometheus,
}

impl Format {
    /// Its media type.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => prometheus_text::CONTENT_TYPE,
        }
    }
}

/// A moment in Unix time, or a length of time.
type Seconds = Gauge<f64, AtomicU64>;

#[expect(
    clippy::cast_precision_loss,
    reason = "whole microseconds of our century fit"
)]
fn unix_seconds(moment: Timestamp) -> f64 {
    moment.as_microsecond() as f64 / 1e6
}

/// The end of the certificate in use, once there is one.
#[derive(Debug, Default)]
struct CertificateExpiry(OnceLock<Seconds>);

impl Collector for CertificateExpiry {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(seconds) = self.0.get() else {
            return Ok(());
        };
        seconds.encode(encoder.encode_descriptor(
            "certificate_expiry_timestamp",
            "When the first certificate of the chain in use expires, in Unix time.",
            Some(&Unit::Seconds),
            <Seconds as TypedMetric>::TYPE,
        )?)
    }
}

/// The hash of the table in use, as a label.
#[derive(Debug, Default)]
struct TableHash(Mutex<String>);

impl TableHash {
    fn set(&self, hash: &str) {
        hash.clone_into(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Collector for TableHash {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let hash = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let info = Info::new([("hash", hash)]);
        info.encode(encoder.encode_descriptor(
            "table",
            "The table in use.",
            None,
            <Info<[(&str, String); 1]> as TypedMetric>::TYPE,
        )?)
    }
}
