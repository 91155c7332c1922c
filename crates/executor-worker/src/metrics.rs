//! Every number that a worker shows.

use std::sync::atomic::AtomicI64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The types that are counted under their own names; all others count as `other`, so that no definition can make labels.
const KINDS: [&str; 6] = ["shell", "java", "fs", "email", "ssh", "noop"];

/// A worker's numbers: cheap to clone, all clones count together.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    slots: Gauge<i64, AtomicI64>,
    busy: Gauge<i64, AtomicI64>,
    held: Gauge<i64, AtomicI64>,
    connected: Gauge<i64, AtomicI64>,
    ended: Family<EndedLabels, Counter>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct EndedLabels {
    kind: String,
    outcome: String,
}

impl Metrics {
    /// Makes the numbers visible, as `howdah_worker_…`.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("howdah_worker");
        registry.register("slots", "Attempts that may run at a time", self.slots.clone());
        registry.register(
            "slots_busy",
            "Attempts that are being prepared or run",
            self.busy.clone(),
        );
        registry.register(
            "attempts_held",
            "Attempts granted and not acknowledged as ended",
            self.held.clone(),
        );
        registry.register(
            "connected",
            "Whether there is a session with a scheduler",
            self.connected.clone(),
        );
        registry.register(
            "attempts_ended",
            "Attempts that ended, by type and outcome",
            self.ended.clone(),
        );
    }

    pub(crate) fn set_slots(&self, total: usize, busy: usize, held: usize) {
        self.slots.set(count(total));
        self.busy.set(count(busy));
        self.held.set(count(held));
    }

    pub(crate) fn set_connected(&self, connected: bool) {
        self.connected.set(i64::from(connected));
    }

    pub(crate) fn count_end(&self, kind: &str, outcome: &str) {
        let kind = if KINDS.contains(&kind) { kind } else { "other" };
        self.ended
            .get_or_create(&EndedLabels { kind: kind.to_owned(), outcome: outcome.to_owned() })
            .inc();
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_types_share_a_label() {
        let (metrics, mut registry, mut text) =
            (Metrics::default(), Registry::default(), String::new());
        metrics.register(&mut registry);
        metrics.count_end("shell", "succeeded");
        metrics.count_end("x1", "failed");
        metrics.count_end("x2", "failed");
        prometheus_client::encoding::text::encode(&mut text, &registry)
            .expect("a String takes all text");
        assert!(
            text.contains(
                r#"howdah_worker_attempts_ended_total{kind="shell",outcome="succeeded"} 1"#
            ),
            "{text}"
        );
        assert!(
            text.contains(r#"howdah_worker_attempts_ended_total{kind="other",outcome="failed"} 2"#),
            "{text}"
        );
    }
}
