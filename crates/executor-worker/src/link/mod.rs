//! One session for the worker, many for the cluster (architecture §4).
//!
//! ```text
//!                    ┌──────────────── Link ────────────────┐        ┌─► scheduler a: shards 0, 2
//!  worker ◄─session─►│ shell.rs ◄─things, actions─► core.rs │◄─────► ├─► scheduler b: shards 1, 3
//!         ◄──bells── │ bells.rs ── who rang ──► known.rs    │        └─► …
//!                    └──────────────────────────────────────┘
//! ```
//! [`Link`] is a [`WorkSource`] over the schedulers that a cluster map names, and [`Bells`] over other bells:
//!
//! * claims go from owner to owner, the one that rang last first, until one of them grants something;
//! * what is said of a job goes to the owner of its shard, and results and confirmed stops wait for it as long as needed;
//! * sessions are open with owners of what the worker holds and with those that were asked lately, with no others.
//!
//! **Invariants**
//! * A token is put to a second scheduler only if the first one has answered without using it; one that was put to a session
//!   which broke is never used again.
//! * A claim, and the `next` of a result, gets exactly one answer while the worker's session lasts.
//! * What comes of a shard is believed from the highest epoch only that anybody has told.
//! * `Owns` reaches the worker after every grant that was passed on before it, and no grant of a lower epoch after it.

mod asking;
mod bells;
mod core;
mod hops;
mod known;
mod ledger;
mod peers;
mod shell;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use model::Shard;
use ports::bell::{Bell, Bells, Listener};
use ports::cluster::ClusterMaps;
use ports::work::{Hello, NoScheduler, SESSION_MESSAGES_MAX, Session, WorkSource};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::timeout;

use self::bells::LinkListener;
use self::core::Core;
use self::known::{Epochs, Rung};
use self::shell::{Shell, WorkerEnds};

/// How long a worker's session waits for the first scheduler; less than the worker waits for the session.
const OPEN_MAX: Duration = Duration::from_secs(5);
/// The link's own rings that wait for a listener; one that lags asks at its next tick.
const RINGS_MAX: usize = 64;

/// Makes sources of sessions with single schedulers.
pub trait Schedulers: Send + Sync {
    /// The scheduler at an address, as the cluster map has it: `http://host:port`.
    fn at(&self, address: &str) -> Arc<dyn WorkSource>;
}

/// A worker's link to all schedulers of a cluster.
pub struct Link {
    maps: Arc<dyn ClusterMaps>,
    schedulers: Arc<dyn Schedulers>,
    bells: Arc<dyn Bells>,
    rings: broadcast::Sender<String>,
    epochs: Epochs,
    rung: Rung,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("epochs", &self.epochs).finish_non_exhaustive()
    }
}

impl Link {
    /// A link over the schedulers that the maps name, and over these bells. One link serves one worker, as its source of
    /// sessions and as its bells.
    pub fn new(
        maps: Arc<dyn ClusterMaps>,
        schedulers: Arc<dyn Schedulers>,
        bells: Arc<dyn Bells>,
    ) -> Link {
        let rings = broadcast::channel(RINGS_MAX).0;
        Link { maps, schedulers, bells, rings, epochs: Epochs::default(), rung: Rung::default() }
    }
}

#[async_trait]
impl WorkSource for Link {
    /// Opens the worker's session, once some scheduler has taken one.
    async fn open(&self, hello: Hello) -> Result<Session, NoScheduler> {
        let (to_scheduler, from_worker) = mpsc::channel(SESSION_MESSAGES_MAX);
        let (to_worker, from_scheduler) = mpsc::channel(SESSION_MESSAGES_MAX);
        let (ready, is_ready) = oneshot::channel();
        let core = Core::new(hello.worker.clone(), self.epochs.clone(), self.rung.clone());
        let ends = WorkerEnds { hello, from_worker, to_worker, ready: Some(ready) };
        let schedulers = Arc::clone(&self.schedulers);
        let shell = Shell::new(core, ends, schedulers, self.maps.watch(), self.rings.clone());
        tokio::spawn(shell.run());
        match timeout(OPEN_MAX, is_ready).await {
            Ok(Ok(())) => Ok(Session { to_scheduler, from_scheduler }),
            Ok(Err(_)) | Err(_) => Err(NoScheduler(self.why_none())),
        }
    }
}

impl Link {
    fn why_none(&self) -> String {
        let map = self.maps.watch().borrow().clone();
        match map {
            None => "no coordinator has told yet who is there".to_owned(),
            Some(map) if map.owners.is_empty() => {
                format!("none of the {} members owns a shard", map.members.len())
            }
            Some(map) => {
                let addresses: Vec<&str> =
                    map.members.iter().map(|member| member.address.as_str()).collect();
                format!("none answers at {}", addresses.join(", "))
            }
        }
    }
}

impl Bell for Link {
    fn ring(&self, pool: &str, shard: Shard) {
        self.bells.ring(pool, shard);
    }
}

impl Bells for Link {
    fn listen(&self, pools: &[String]) -> Box<dyn Listener> {
        let inner = self.bells.listen(pools);
        Box::new(LinkListener::new(
            inner,
            pools.to_vec(),
            self.rings.subscribe(),
            self.rung.clone(),
        ))
    }
}
