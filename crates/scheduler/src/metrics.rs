//! The scheduler's metrics: names, kinds and meanings.

use std::sync::Arc;

use model::AttemptResult;
use ports::store::{Batch, CommitOutcome};
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PoolLabel {
    pool: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum Outcome {
    Committed,
    Fenced,
    Rejected,
    Unavailable,
    Unknown,
    Succeeded,
    Failed,
}

/// All metrics of the crate; cloning shares them.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    submitted: Counter,
    commits: Family<OutcomeLabel, Counter>,
    batch_rows: Histogram,
    granted: Counter,
    finished: Family<OutcomeLabel, Counter>,
    quarantined: Counter,
    ready: Family<PoolLabel, Gauge>,
}

impl Metrics {
    /// Declares them.
    pub(crate) fn new(registry: &mut Registry) -> Metrics {
        let metrics = Metrics {
            submitted: Counter::default(),
            commits: Family::default(),
            batch_rows: Histogram::new([1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0]),
            granted: Counter::default(),
            finished: Family::default(),
            quarantined: Counter::default(),
            ready: Family::default(),
        };
        registry.register("howdah_jobs_submitted", "Jobs accepted", metrics.submitted.clone());
        registry.register(
            "howdah_commits",
            "Batches sent to the database, by outcome",
            metrics.commits.clone(),
        );
        registry.register("howdah_commit_rows", "Rows in one batch", metrics.batch_rows.clone());
        registry.register(
            "howdah_attempts_granted",
            "Attempts given to workers",
            metrics.granted.clone(),
        );
        registry.register(
            "howdah_attempts_finished",
            "Results that workers reported, by outcome",
            metrics.finished.clone(),
        );
        registry.register(
            "howdah_jobs_quarantined",
            "Jobs set aside because they could not be handled",
            metrics.quarantined.clone(),
        );
        registry.register(
            "howdah_pool_ready_attempts",
            "Attempts that wait for a worker, by pool",
            metrics.ready.clone(),
        );
        metrics
    }

    pub(crate) fn submitted(&self) {
        self.submitted.inc();
    }

    pub(crate) fn batch(&self, batch: &Batch) {
        let rows = batch.jobs.len() + batch.actions.len() + batch.lines.len();
        self.batch_rows.observe(f64::from(u32::try_from(rows).unwrap_or(u32::MAX)));
    }

    pub(crate) fn committed(&self, outcome: &CommitOutcome) {
        let outcome = match outcome {
            CommitOutcome::Committed => Outcome::Committed,
            CommitOutcome::Fenced(_) => Outcome::Fenced,
            CommitOutcome::Rejected(_) => Outcome::Rejected,
            CommitOutcome::Unavailable(_) => Outcome::Unavailable,
            CommitOutcome::Unknown(_) => Outcome::Unknown,
        };
        self.commits.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    pub(crate) fn granted(&self, attempts: usize) {
        self.granted.inc_by(attempts as u64);
    }

    pub(crate) fn finished(&self, result: &AttemptResult) {
        let outcome = match result {
            AttemptResult::Succeeded(_) => Outcome::Succeeded,
            AttemptResult::Failed(_) => Outcome::Failed,
        };
        self.finished.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    pub(crate) fn quarantined(&self) {
        self.quarantined.inc();
    }

    pub(crate) fn ready(&self, counts: &[(Arc<str>, u64)]) {
        self.ready.clear();
        for (pool, waiting) in counts {
            self.ready
                .get_or_create(&PoolLabel { pool: pool.to_string() })
                .set(i64::try_from(*waiting).unwrap_or(i64::MAX));
        }
    }
}
