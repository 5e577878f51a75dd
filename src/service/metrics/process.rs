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
            let whole = |figure: u64| ConstGauge::new(i64::try_from(figure).unwrap_or(i64::MAX));
            if let Ok(stat) = process.stat() {
                #[expect(clippy::cast_precision_loss, reason = "a century of ticks fits")]
                let used = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
                let help = "Processor time that the process has used.";
                write("process_cpu", help, seconds, &ConstCounter::new(used))?;
                let resident = whole(stat.rss.saturating_mul(procfs::page_size()));
                let help = "Memory of the process that is in use.";
                write(
                    "process_resident_memory",
                    help,
                    Some(Unit::Bytes),
                    &resident,
                )?;
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
