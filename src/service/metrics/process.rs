//! What the system says of this process, under the names that every Prometheus client gives it.
//!
//! Source: <https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>.

use std::fmt;

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

/// Asks the system at every scrape. What it does not say is left out.
#[derive(Debug)]
pub(super) struct ProcessFigures {
    /// `/proc/stat`, from which others take it, is not to be seen in a sandbox.
    pub started: Timestamp,
}

impl Collector for ProcessFigures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut write = |name, help, unit: Option<&Unit>, figure: &dyn EncodeMetric| {
            let metric = encoder.encode_descriptor(name, help, unit, figure.metric_type())?;
            figure.encode(metric)
        };
        #[expect(clippy::cast_precision_loss, reason = "seconds of our century fit")]
        let started = self.started.as_second() as f64;
        write(
            "process_start_time",
            "When the process began, in Unix time.",
            Some(&Unit::Seconds),
            &ConstGauge::new(started),
        )?;
        #[cfg(target_os = "linux")]
        if let Ok(process) = procfs::process::Process::myself() {
            let whole = |figure: u64| i64::try_from(figure).unwrap_or(i64::MAX);
            if let Ok(stat) = process.stat() {
                #[expect(clippy::cast_precision_loss, reason = "a century of ticks fits")]
                let seconds = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
                write(
                    "process_cpu",
                    "Processor time that the process has used.",
                    Some(&Unit::Seconds),
                    &ConstCounter::new(seconds),
                )?;
                let resident = stat.rss.saturating_mul(procfs::page_size());
                write(
                    "process_resident_memory",
                    "Memory of the process that is in use.",
                    Some(&Unit::Bytes),
                    &ConstGauge::new(whole(resident)),
                )?;
                write(
                    "process_threads",
                    "Threads of the process.",
                    None,
                    &ConstGauge::new(stat.num_threads),
                )?;
            }
            if let Ok(open) = process.fd_count() {
                write(
                    "process_open_fds",
                    "File descriptors that are open.",
                    None,
                    &ConstGauge::new(whole(open as u64)),
                )?;
            }
            if let Ok(limits) = process.limits()
                && let procfs::process::LimitValue::Value(most) = limits.max_open_files.soft_limit
            {
                write(
                    "process_max_fds",
                    "The most file descriptors that may be open.",
                    None,
                    &ConstGauge::new(whole(most)),
                )?;
            }
        }
        Ok(())
    }
}
