//! What the tests of this crate share.

use std::iter;
use std::time::{Duration, Instant};

use bus_nats::{Config, Connection, Metrics, NatsBells};
use model::Shard;
use ports::bell::{Bell, Bells, Ring};
use testkit::nats::Nats;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Longer than a bell that nobody acknowledged stays away: what was not heard until then will not be.
const QUIET: Duration = Duration::from_millis(1_200);
/// Between two rings of a bell that may be lost, as a scheduler's tick repeats them.
const RING_INTERVAL: Duration = Duration::from_millis(50);

/// One process's end of NATS.
pub(crate) struct Process {
    pub(crate) bells: NatsBells,
    pub(crate) connection: Connection,
    pub(crate) metrics: Metrics,
}

impl Process {
    pub(crate) async fn start(nats: &Nats) -> Process {
        Process::start_with(&Config::new(nats.urls(), "test")).await
    }

    pub(crate) async fn start_with(config: &Config) -> Process {
        let metrics = Metrics::default();
        let connection = Connection::open(config, &metrics).await.expect("the server is fit");
        Process { bells: NatsBells::new(&connection), connection, metrics }
    }

    /// Listens as a worker does: all the time.
    pub(crate) fn ears(&self, pools: &[&str]) -> Ears {
        let pools: Vec<String> = pools.iter().map(|&pool| pool.to_owned()).collect();
        let mut listener = self.bells.listen(&pools);
        let (heard, rings) = mpsc::channel(1_000);
        tokio::spawn(async move {
            while let Some(ring) = listener.heard_ring().await {
                if heard.send(ring).await.is_err() {
                    return;
                }
            }
        });
        Ears { rings }
    }
}

/// What a listener has heard.
pub(crate) struct Ears {
    rings: mpsc::Receiver<Ring>,
}

impl Ears {
    pub(crate) async fn next(&mut self) -> Ring {
        timeout(PATIENCE, self.rings.recv()).await.expect("a ring").expect("it listens")
    }

    /// Nothing is heard for a while.
    pub(crate) async fn assert_quiet(&mut self) {
        let heard = timeout(QUIET, self.rings.recv()).await;
        assert!(heard.is_err(), "heard {heard:?}");
    }

    /// Rings as often as a scheduler's tick would, until it is heard, and tells how long that took.
    pub(crate) async fn rung_until_heard(&mut self, bells: &NatsBells, pool: &str) -> Duration {
        self.so_far();
        let begun = Instant::now();
        loop {
            bells.ring(pool, Shard(1));
            if timeout(RING_INTERVAL, self.rings.recv()).await.is_ok() {
                return begun.elapsed();
            }
            assert!(begun.elapsed() < PATIENCE, "no ring is heard");
        }
    }

    /// What was heard and not looked at yet.
    pub(crate) fn so_far(&mut self) -> Vec<Ring> {
        iter::from_fn(|| self.rings.try_recv().ok()).collect()
    }
}

pub(crate) fn ring(pool: &str, shard: u16) -> Ring {
    Ring { pool: pool.to_owned(), shard: Some(Shard(shard)) }
}

/// Waits for a fact.
pub(crate) async fn eventually(what: &str, mut is_true: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_true() {
        assert!(begun.elapsed() < PATIENCE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
