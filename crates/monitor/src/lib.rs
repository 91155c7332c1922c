//! Follows the database and tells about it: for now the metrics `howdah_jobs{status}`, `howdah_history_position{shard}`
//! and `howdah_store_reachable`.
//!
//! **Invariants**
//! * It only reads, on a tick of its own, so that a slow database never slows anybody else through it.
//! * Labels are bounded: statuses are Oozie's six words, shards beyond [`SHARDS_SHOWN_MAX`] have no line of their own.
#![warn(missing_docs)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::task::JoinHandle;
use tokio::time::{self, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use model::JobStatus;
use ports::store::{ShardState, Store, StoreError};

/// Time between two looks: well below a usual scrape interval of 15 s, and two small queries each.
pub const TICK: Duration = Duration::from_secs(5);

/// Shards that get a line of their own: four times the default number of shards.
pub const SHARDS_SHOWN_MAX: usize = 256;

/// Keeps metrics about what the database holds.
#[derive(Clone, Debug)]
pub struct Monitor {
    jobs: Family<StatusLabel, Gauge<u64, AtomicU64>>,
    positions: Family<ShardLabel, Gauge>,
    reachable: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabel {
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ShardLabel {
    shard: u32,
}

impl Monitor {
    /// Registers the metrics and keeps them until `shutdown`.
    pub fn start(
        store: Arc<dyn Store>,
        registry: &mut Registry,
        shutdown: CancellationToken,
    ) -> JoinHandle<()> {
        let monitor = Monitor::registered(registry);
        tokio::spawn(async move {
            let run = monitor.follow(store.as_ref());
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = run => {}
            }
        })
    }

    fn registered(registry: &mut Registry) -> Monitor {
        let monitor = Monitor {
            jobs: Family::default(),
            positions: Family::default(),
            reachable: Gauge::default(),
        };
        registry.register("howdah_jobs", "Jobs by status", monitor.jobs.clone());
        let help = "Number of the last history line, by shard";
        registry.register("howdah_history_position", help, monitor.positions.clone());
        let help = "Whether the database answered the last time it was asked (1) or not (0)";
        registry.register("howdah_store_reachable", help, monitor.reachable.clone());
        monitor
    }

    async fn follow(&self, store: &dyn Store) {
        let mut tick = time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let looked = self.look(store).await;
            self.reachable.set(i64::from(looked.is_ok()));
            if let Err(error) = looked {
                tracing::warn!(%error, "cannot read the state of the database");
            }
        }
    }

    async fn look(&self, store: &dyn Store) -> Result<(), StoreError> {
        self.show(&store.job_counts().await?, &store.shards().await?);
        Ok(())
    }

    /// Sets every gauge; a status that no job has any more goes back to 0.
    fn show(&self, counts: &BTreeMap<JobStatus, u64>, shards: &[ShardState]) {
        for status in JobStatus::ALL {
            let count = counts.get(status).copied().unwrap_or(0);
            self.jobs.get_or_create(&StatusLabel { status: status.as_str() }).set(count);
        }
        for state in shards.iter().take(SHARDS_SHOWN_MAX) {
            self.positions
                .get_or_create(&ShardLabel { shard: u32::from(state.shard.0) })
                .set(state.pos);
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{Epoch, Nonce, Shard};
    use prometheus_client::encoding::text;

    use super::*;

    fn page(registry: &Registry) -> String {
        let mut page = String::new();
        text::encode(&mut page, registry).expect("a string takes everything");
        page.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect()
    }

    fn shard(shard: u16, pos: i64) -> ShardState {
        let (epoch, owner_nonce) = (Epoch(1), Nonce(1));
        ShardState {
            shard: Shard(shard),
            epoch,
            owner: String::new(),
            owner_nonce,
            pos,
            next_serial: 0,
        }
    }

    #[test]
    fn every_status_has_a_line_and_goes_back_to_zero() {
        let mut registry = Registry::default();
        let monitor = Monitor::registered(&mut registry);
        monitor.show(&BTreeMap::from([(JobStatus::Running, 3)]), &[shard(0, 7)]);
        let first = page(&registry);
        assert!(first.contains("howdah_jobs{status=\"RUNNING\"} 3\n"), "{first}");
        assert!(first.contains("howdah_jobs{status=\"FAILED\"} 0\n"), "{first}");
        assert!(first.contains("howdah_history_position{shard=\"0\"} 7\n"), "{first}");
        monitor.show(&BTreeMap::new(), &[shard(0, 9)]);
        let second = page(&registry);
        assert!(second.contains("howdah_jobs{status=\"RUNNING\"} 0\n"), "{second}");
        assert!(second.contains("howdah_history_position{shard=\"0\"} 9\n"), "{second}");
    }

    #[test]
    fn the_number_of_lines_is_bounded() {
        let mut registry = Registry::default();
        let monitor = Monitor::registered(&mut registry);
        let shards: Vec<ShardState> = (0..1000).map(|number| shard(number, 1)).collect();
        monitor.show(&BTreeMap::new(), &shards);
        let lines = page(&registry)
            .lines()
            .filter(|line| line.starts_with("howdah_history_position"))
            .count();
        assert_eq!(lines, SHARDS_SHOWN_MAX);
    }
}
