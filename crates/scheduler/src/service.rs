//! Putting a scheduler together: ports and settings in, a running driver and a handle out.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use model::{JobId, Shard};
use ports::bell::Bells;
use ports::clock::{Clock, Entropy};
use ports::cluster::Orders;
use ports::files::Files;
use ports::logs::Logs;
use ports::store::{Store, StoreError};
use prometheus_client::registry::Registry;
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::api::Handle;
use crate::apps::Apps;
use crate::config::Config;
use crate::drive::Driver;
use crate::inbox::Message;
use crate::loading::Loader;
use crate::member::{self, Member, Ownership};
use crate::memory::Memory;
use crate::metrics::Metrics;
use crate::outside::World;
use crate::ready::Ready;
use crate::sessions::Sessions;

/// How often old jobs are looked for.
const PURGE_EVERY: Duration = Duration::from_secs(3600);
/// Job trees in one purge (`oozie.service.PurgeService.purge.limit`).
const PURGE_JOBS_MAX: u32 = 100;
/// News for followers kept for the slowest of them; one that lags looks into the database.
const NEWS_MAX: usize = 1_024;

/// What a scheduler needs from the world.
pub struct Ports<'r> {
    /// The database.
    pub store: Arc<dyn Store>,
    /// File systems.
    pub files: Arc<dyn Files>,
    /// Where attempts' logs are: those of purged jobs are removed.
    pub logs: Arc<dyn Logs>,
    /// Bells.
    pub bells: Arc<dyn Bells>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Where metrics are declared.
    pub registry: &'r mut Registry,
}

impl std::fmt::Debug for Ports<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ports").finish_non_exhaustive()
    }
}

/// The service.
#[derive(Debug)]
pub struct Scheduler;

impl Scheduler {
    /// Begins to drive: alone it takes all shards first; as a member it takes what it is told to.
    ///
    /// # Errors
    /// When the database cannot be used at the start by a process that is alone; later trouble is waited out.
    pub async fn start(
        config: Config,
        ports: Ports<'_>,
        ownership: Ownership,
        shutdown: CancellationToken,
    ) -> Result<Handle, StoreError> {
        let (sender, inbox) = mpsc::channel::<Message>(config.inbox_messages_max);
        let world = Arc::new(World {
            store: ports.store,
            files: ports.files,
            bells: ports.bells,
            clock: ports.clock,
            entropy: ports.entropy,
            apps: Apps::default(),
            metrics: Metrics::new(ports.registry),
            inbox: sender,
            news: broadcast::channel(NEWS_MAX).0,
            errands: World::permits(),
            trouble: std::sync::Mutex::new(None),
            tries: AtomicU32::new(0),
            pulse: Arc::default(),
            unreachable: std::sync::Mutex::new(None),
            ready: std::sync::Mutex::new(Vec::new()),
            config,
        });
        let driver = match ownership {
            Ownership::Everything => {
                let mut driver = driver(&world, inbox, None);
                let shards: Vec<Shard> = (0..driver.cluster.shards).map(Shard).collect();
                driver.try_take(&shards).await?;
                driver
            }
            Ownership::Ordered { orders, vitals } => {
                member::show_vitals(&world.pulse, &world, vitals).map_err(no_thread)?;
                driver(&world, inbox, Some(orders))
            }
        };
        let driving = tokio::spawn(driver.run(shutdown.clone()));
        tokio::spawn(purge(Arc::clone(&world), ports.logs, shutdown));
        Ok(Handle::new(world, driving))
    }
}

fn driver(
    world: &Arc<World>,
    inbox: mpsc::Receiver<Message>,
    orders: Option<watch::Receiver<Option<Orders>>>,
) -> Driver {
    Driver {
        cluster: world.store.cluster().clone(),
        world: Arc::clone(world),
        memory: Memory::default(),
        ready: Ready::default(),
        sessions: Sessions::default(),
        pending: Vec::new(),
        pending_rows: 0,
        flight: None,
        loader: Loader::default(),
        member: Member::new(orders, Arc::clone(&world.pulse)),
        keys: HashMap::new(),
        key_order: VecDeque::new(),
        inbox,
        tick: world.config.tick,
    }
}

fn no_thread(error: std::io::Error) -> StoreError {
    StoreError::Refused { why: format!("no thread can be started for the vitals: {error}") }
}

/// Looks for job trees that are over and old, and hands them to the driver (gotcha 64).
async fn purge(world: Arc<World>, logs: Arc<dyn Logs>, shutdown: CancellationToken) {
    let Some(age) = world.config.purge_older_than else { return };
    let age_ms = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    loop {
        if let Err(error) = purge_once(&world, &*logs, age_ms).await {
            tracing::warn!(%error, "cannot look for old jobs");
        }
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(PURGE_EVERY) => {}
        }
    }
}

/// The logs of a tree go first. When we are stopped in between, its jobs are still there and found again; the other way
/// round, logs would stay that nothing points at any more.
async fn purge_once(world: &World, logs: &dyn Logs, age_ms: i64) -> Result<(), StoreError> {
    let shards = own_shards(world).await?;
    let before = world.clock.now().plus_ms(-age_ms);
    let is_own = |job: &JobId| shards.contains(&job.shard(world.store.cluster().shards));
    let mut trees = Vec::new();
    for root in world.store.purgeable(&shards, before, PURGE_JOBS_MAX).await? {
        let mut tree = world.store.family(&root).await?;
        tree.push(root);
        if tree.iter().all(is_own) && are_logs_gone(logs, &tree).await {
            trees.push(tree);
        }
    }
    if !trees.is_empty() {
        tracing::info!(trees = trees.len(), "purging old jobs");
        let _closed = world.inbox.send(Message::Purge { trees }).await;
    }
    Ok(())
}

/// The shards that are ours by what the database says: nobody removes the logs of another owner's jobs.
async fn own_shards(world: &World) -> Result<Vec<Shard>, StoreError> {
    let shards = world.store.shards().await?;
    let own = shards.iter().filter(|state| state.owner == world.config.owner);
    Ok(own.map(|state| state.shard).collect())
}

/// Removes the logs of a tree. One that is not rid of them yet is purged another time.
async fn are_logs_gone(logs: &dyn Logs, tree: &[JobId]) -> bool {
    for job in tree {
        match logs.remove(job).await {
            Ok(true) => {}
            Ok(false) => return false,
            Err(error) => {
                tracing::warn!(%job, %error, "an old job stays until its logs can be removed");
                return false;
            }
        }
    }
    true
}
