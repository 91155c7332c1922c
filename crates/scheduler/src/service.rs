//! Putting a scheduler together: ports and settings in, a running driver and a handle out.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use model::{JobId, Shard};
use ports::bell::Bells;
use ports::clock::{Clock, Entropy};
use ports::files::Files;
use ports::store::{Store, StoreError};
use prometheus_client::registry::Registry;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

use crate::api::Handle;
use crate::apps::Apps;
use crate::config::Config;
use crate::drive::Driver;
use crate::inbox::Message;
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
    /// Takes all shards, loads what lives in them, and begins to drive.
    ///
    /// # Errors
    /// When the database cannot be used at the start; later trouble is waited out.
    pub async fn start(
        config: Config,
        ports: Ports<'_>,
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
            ready: std::sync::Mutex::new(Vec::new()),
            config,
        });
        let mut driver = driver(&world, inbox);
        let shards: Vec<Shard> = (0..driver.cluster.shards).map(Shard).collect();
        driver.try_take(&shards).await?;
        let driving = tokio::spawn(driver.run(shutdown.clone()));
        tokio::spawn(purge(Arc::clone(&world), shutdown));
        Ok(Handle::new(world, driving))
    }
}

fn driver(world: &Arc<World>, inbox: mpsc::Receiver<Message>) -> Driver {
    Driver {
        cluster: world.store.cluster().clone(),
        world: Arc::clone(world),
        memory: Memory::default(),
        ready: Ready::default(),
        sessions: Sessions::default(),
        pending: Vec::new(),
        pending_rows: 0,
        flight: None,
        parked: HashMap::new(),
        loads: VecDeque::new(),
        loading: None,
        forgotten: HashSet::new(),
        keys: HashMap::new(),
        key_order: VecDeque::new(),
        inbox,
        tick: world.config.tick,
    }
}

/// Looks for job trees that are over and old, and hands them to the driver (gotcha 64).
async fn purge(world: Arc<World>, shutdown: CancellationToken) {
    let Some(age) = world.config.purge_older_than else { return };
    let age_ms = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    let shards: Vec<Shard> = (0..world.store.cluster().shards).map(Shard).collect();
    loop {
        let before = world.clock.now().plus_ms(-age_ms);
        match world.store.purgeable(&shards, before, PURGE_JOBS_MAX).await {
            Ok(roots) if roots.is_empty() => {}
            Ok(roots) => match trees(&world, roots).await {
                Ok(trees) => {
                    tracing::info!(trees = trees.len(), "purging old jobs");
                    let _closed = world.inbox.send(Message::Purge { trees }).await;
                }
                Err(error) => tracing::warn!(%error, "cannot read the families of old jobs"),
            },
            Err(error) => tracing::warn!(%error, "cannot look for old jobs"),
        }
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(PURGE_EVERY) => {}
        }
    }
}

async fn trees(world: &World, roots: Vec<JobId>) -> Result<Vec<Vec<JobId>>, StoreError> {
    let mut trees = Vec::new();
    for root in roots {
        let mut tree = world.store.family(&root).await?;
        tree.push(root);
        trees.push(tree);
    }
    Ok(trees)
}
