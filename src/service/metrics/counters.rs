//! A counter for each word of a fixed set.

use std::fmt;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::{MetricType, TypedMetric};
use strum::VariantArray;

/// A counter for each variant of an enum, whose word is the label's value. In order, and there from the beginning: a
/// counter that is not there before its first event hides this event from whoever looks at the increase.
#[derive(Debug, Clone)]
pub(super) struct CounterPer<E> {
    label: &'static str,
    counters: Vec<(E, Counter)>,
}

impl<E: Copy + Eq + VariantArray + Into<&'static str>> CounterPer<E> {
    pub(super) fn new(label: &'static str) -> Self {
        let counters = E::VARIANTS
            .iter()
            .map(|variant| (*variant, Counter::default()))
            .collect();
        Self { label, counters }
    }

    pub(super) fn count(&self, variant: E) {
        // The sets are small, so that looking is as fast as an index.
        if let Some((_, counter)) = self.counters.iter().find(|(found, _)| *found == variant) {
            counter.inc();
        }
    }

    /// Writes the counters, each with a further label.
    fn encode_with(
        &self,
        encoder: &mut MetricEncoder<'_>,
        further: Option<(&'static str, &'static str)>,
    ) -> fmt::Result {
        for (variant, counter) in &self.counters {
            let own = [(self.label, (*variant).into())];
            match further {
                Some(further) => counter.encode(encoder.encode_family(&[further, own[0]])?)?,
                None => counter.encode(encoder.encode_family(&own)?)?,
            }
        }
        Ok(())
    }
}

impl<E: Copy + Eq + VariantArray + Into<&'static str>> EncodeMetric for CounterPer<E> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        self.encode_with(&mut encoder, None)
    }

    fn metric_type(&self) -> MetricType {
        <Counter as TypedMetric>::TYPE
    }
}

/// A counter for each pair of two sets of words.
#[derive(Debug, Clone)]
pub(super) struct CounterPerPair<A, B> {
    label: &'static str,
    rows: Vec<(A, CounterPer<B>)>,
}

impl<A, B> CounterPerPair<A, B>
where
    A: Copy + Eq + VariantArray + Into<&'static str>,
    B: Copy + Eq + VariantArray + Into<&'static str>,
{
    pub(super) fn new(first: &'static str, second: &'static str) -> Self {
        let rows = A::VARIANTS
            .iter()
            .map(|variant| (*variant, CounterPer::new(second)))
            .collect();
        Self { label: first, rows }
    }

    pub(super) fn count(&self, first: A, second: B) {
        if let Some((_, counters)) = self.rows.iter().find(|(found, _)| *found == first) {
            counters.count(second);
        }
    }
}

impl<A, B> EncodeMetric for CounterPerPair<A, B>
where
    A: Copy + Eq + VariantArray + Into<&'static str>,
    B: Copy + Eq + VariantArray + Into<&'static str>,
{
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for (variant, counters) in &self.rows {
            counters.encode_with(&mut encoder, Some((self.label, (*variant).into())))?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        <Counter as TypedMetric>::TYPE
    }
}
