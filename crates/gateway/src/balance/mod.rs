//! Load balancing over the schedulers of a cluster, and requests about a job to its owner.
//!
//! ```text
//! request ─► ask ─► members (map of the cluster, health, in flight) ─► algorithm ─► Remote of a member
//!             ▲                                                                        │
//!             └── not done, or may be done twice: another one, or a newer map ◄── fate ┘
//! ```
//!
//! **Invariants**
//! * Commands, explanations and waits for history go to the owner of the job's shard; submits to the owner of the shard of
//!   their key, so that a repeat meets the same driver; reads go to anybody who is well.
//! * What was sent and broke off is asked again only when it may be done twice: reads, and submits, which always have a
//!   key here. Everything else is told to the client as it is: nobody knows.
//! * Patience is bounded, counted from the first failure; so is every wait in it.
//! * A member that drains, was ejected, or cannot read its database is asked only when nobody better is there. One that is
//!   gone from the map gets nothing new; what is under way may end.

mod algorithm;
mod algorithms;
mod ask;
mod faces;
mod fate;
mod health;
mod members;
mod metrics;
mod ready;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ports::api::{PolicyApi, SchedulerApi};
use ports::clock::Entropy;
use ports::cluster::{ClusterMap, ClusterMaps};
use ports::store::Reads;
use tokio::sync::watch;

pub use algorithm::{Algorithm, NoSuchAlgorithm};
pub use algorithms::{Algorithms, RouteClass};
pub use health::Ejection;
pub use metrics::MemberMetrics;

pub(crate) use fate::{LOOKING_FOR_A_SCHEDULER, NO_SCHEDULER};

/// A scheduler somewhere else.
///
/// Its errors say whether a request was done: `HW1030` for one that was never sent, `HW1031` for one that broke off after
/// it was sent; reads put the code in front of [`ports::store::StoreError::Unavailable`]'s `source_message`.
pub trait Remote: SchedulerApi + Reads + PolicyApi {}

impl<T: SchedulerApi + Reads + PolicyApi> Remote for T {}

/// Makes connections.
pub trait Connect: Send + Sync {
    /// A connection to the scheduler at `http://host:port`. It is made when it is first used: this neither blocks nor
    /// reaches out.
    ///
    /// # Errors
    /// When the address is none, in words; the member is then as if it were not there.
    fn connect(&self, address: &str) -> Result<Arc<dyn Remote>, String>;
}

/// How requests are spread and how long is waited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// For submits without a key of the client.
    pub submit: Algorithm,
    /// For reads.
    pub read: Algorithm,
    /// How long somebody is looked for who does a request, from the first failure on: longer than any failover.
    pub patience: Duration,
    /// How long a member that is gone from the map, or lost the job, may still answer what it was asked before.
    pub grace: Duration,
    /// How long one member may take for one read, before another one is asked.
    pub read_limit: Duration,
    /// When members are left alone.
    pub ejection: Ejection,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            submit: Algorithm::default(),
            read: Algorithm::default(),
            patience: Duration::from_secs(5),
            grace: Duration::from_secs(1),
            read_limit: Duration::from_secs(10),
            ejection: Ejection::default(),
        }
    }
}

/// All schedulers of a cluster as one. Clones share everything.
#[derive(Clone)]
pub struct Balanced {
    maps: watch::Receiver<Option<Arc<ClusterMap>>>,
    connect: Arc<dyn Connect>,
    entropy: Arc<dyn Entropy>,
    settings: Settings,
    algorithms: Arc<Algorithms>,
    metrics: MemberMetrics,
    table: Arc<Mutex<members::Table>>,
}

impl fmt::Debug for Balanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Balanced").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Balanced {
    /// Follows the maps. `metrics` are the caller's to register.
    pub fn new(
        maps: &dyn ClusterMaps,
        connect: Arc<dyn Connect>,
        entropy: Arc<dyn Entropy>,
        settings: Settings,
        metrics: MemberMetrics,
    ) -> Balanced {
        Balanced {
            maps: maps.watch(),
            connect,
            entropy,
            algorithms: Arc::new(Algorithms::new(settings.submit, settings.read)),
            settings,
            metrics,
            table: Arc::default(),
        }
    }

    /// The algorithms in force; to be changed at run time.
    pub fn algorithms(&self) -> Arc<Algorithms> {
        Arc::clone(&self.algorithms)
    }
}
