//! A cluster in memory: schedulers that share one database, own shards, die, freeze, break off and move their work; and a
//! coordinator that tells of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use engine::placement::{Mode, Policy, Works};
use gateway::balance::{Balanced, Connect, MemberMetrics, Remote, Settings};
use model::{AppDigest, Epoch, JobId, JobKind, MemberId, Nonce, Shard, WorkflowJob};
use ports::api::{
    ApiError, ApiErrorKind, Command, Explanation, PolicyApi, PolicyChange, SchedulerApi,
    SubmitRequest,
};
use ports::clock::Entropy;
use ports::cluster::{ClusterMap, ClusterMaps, Failover, MemberView, PolicyRow};
use ports::store::{AppSource, HistoryLine, JobFilter, JobPage, Reads, StoreError};
use tokio::sync::watch;

use crate::double::{NOON, World};

pub(crate) const SHARDS: u16 = 16;

/// What a scheduler does with what it is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Condition {
    #[default]
    Well,
    /// Nobody listens.
    Dead,
    /// It never answers.
    Frozen,
    /// It does what it is asked, and the connection breaks before the answer.
    BreaksOff,
    /// It does not reach the database.
    WithoutStore,
}

#[derive(Default)]
struct Database {
    submissions: BTreeMap<String, JobId>,
    serials: BTreeMap<Shard, u64>,
    commands: Vec<String>,
    policy: Policy,
    revision: i64,
}

struct Node {
    id: MemberId,
    view: Mutex<MemberView>,
    condition: watch::Sender<Condition>,
    holds: Mutex<BTreeSet<Shard>>,
    asked: Mutex<BTreeMap<&'static str, usize>>,
    world: Arc<World>,
    database: Arc<Mutex<Database>>,
}

/// See the module.
pub(crate) struct Schedulers {
    nodes: BTreeMap<String, Arc<Node>>,
    maps: watch::Sender<Option<Arc<ClusterMap>>>,
    database: Arc<Mutex<Database>>,
}

impl Schedulers {
    /// With these weights; the shards are spread by them, and the map is told.
    pub(crate) fn new(members: &[(&str, u32)]) -> Arc<Schedulers> {
        let schedulers = Schedulers::untold(members);
        schedulers.tell();
        schedulers
    }

    /// Without a map.
    pub(crate) fn untold(members: &[(&str, u32)]) -> Arc<Schedulers> {
        let (world, database) = (World::new(), Arc::new(Mutex::new(Database::default())));
        let node = |(number, (id, weight)): (usize, &(&str, u32))| {
            let view = view(id, number, *weight);
            let node = Node {
                id: MemberId::new(*id),
                view: Mutex::new(view.clone()),
                condition: watch::Sender::new(Condition::Well),
                holds: Mutex::default(),
                asked: Mutex::default(),
                world: world.clone(),
                database: database.clone(),
            };
            (view.address, Arc::new(node))
        };
        let nodes = members.iter().enumerate().map(node).collect();
        let schedulers = Schedulers { nodes, maps: watch::Sender::new(None), database };
        schedulers.spread(&members.iter().map(|(id, _)| *id).collect::<Vec<_>>());
        Arc::new(schedulers)
    }

    /// These hold the shards now, by turns; nobody is told.
    pub(crate) fn spread(&self, ids: &[&str]) {
        for node in self.nodes.values() {
            let held = (0..SHARDS)
                .map(Shard)
                .filter(|shard| ids[usize::from(shard.0) % ids.len()] == node.id.as_str());
            *node.holds.lock().unwrap() = held.collect();
        }
    }

    /// A map of those that are not dead or frozen, with what they hold.
    pub(crate) fn tell(&self) {
        let there = |node: &&Arc<Node>| {
            !matches!(*node.condition.borrow(), Condition::Dead | Condition::Frozen)
        };
        let mut map = ClusterMap {
            revision: self.maps.borrow().as_ref().map_or(1, |map| map.revision + 1),
            mode: Mode::ActiveStandby,
            shards: SHARDS,
            preferred: Some(MemberId::new("s1")),
            works: Some(Works::Preferred),
            replicas: ["c1".to_owned()].into(),
            last_failover: Some(Failover {
                at: NOON,
                lost: [MemberId::new("s9")].into(),
                noticed_by: "silence".to_owned(),
                took_ms: 1_010,
            }),
            ..ClusterMap::default()
        };
        for node in self.nodes.values().filter(there) {
            let mut view = node.view.lock().unwrap().clone();
            for shard in node.holds.lock().unwrap().iter() {
                view.held.insert(*shard, Epoch(3));
                map.owners.insert(*shard, node.id.clone());
            }
            map.members.push(view);
        }
        self.maps.send_replace(Some(Arc::new(map)));
    }

    pub(crate) fn is(&self, id: &str, condition: Condition) {
        self.node(id).condition.send_replace(condition);
    }

    /// A new process under the old name, which holds nothing.
    pub(crate) fn restarts(&self, id: &str) {
        let node = self.node(id);
        node.view.lock().unwrap().nonce.0 += 100;
        node.holds.lock().unwrap().clear();
        node.condition.send_replace(Condition::Well);
    }

    pub(crate) fn changes(&self, id: &str, change: impl FnOnce(&mut MemberView)) {
        change(&mut self.node(id).view.lock().unwrap());
    }

    /// How many requests of a kind a scheduler got since the last time.
    pub(crate) fn take_asked(&self, id: &str, kind: &'static str) -> usize {
        self.node(id).asked.lock().unwrap().remove(kind).unwrap_or(0)
    }

    /// Who holds a job.
    pub(crate) fn owner(&self, job: &JobId) -> String {
        let shard = job.shard(SHARDS);
        let node = self.nodes.values().find(|node| node.holds.lock().unwrap().contains(&shard));
        node.expect("somebody holds it").id.to_string()
    }

    pub(crate) fn commands(&self) -> Vec<String> {
        self.database.lock().unwrap().commands.clone()
    }

    pub(crate) fn jobs(&self) -> usize {
        self.database.lock().unwrap().serials.values().map(|serial| *serial as usize).sum()
    }

    pub(crate) fn balanced(self: &Arc<Self>, settings: Settings) -> Balanced {
        self.counted(settings, MemberMetrics::default())
    }

    pub(crate) fn counted(
        self: &Arc<Self>,
        settings: Settings,
        metrics: MemberMetrics,
    ) -> Balanced {
        let entropy = Arc::new(Counter::default());
        Balanced::new(&**self, self.clone(), entropy, settings, metrics)
    }

    fn node(&self, id: &str) -> &Arc<Node> {
        self.nodes.values().find(|node| node.id.as_str() == id).expect("a known scheduler")
    }
}

fn view(id: &str, number: usize, weight: u32) -> MemberView {
    MemberView {
        id: MemberId::new(id),
        nonce: Nonce(number as u64),
        address: format!("http://{id}:1"),
        succession: number as i64,
        priority: 0,
        weight,
        store_ok: true,
        draining: false,
        well_since: NOON,
        held: BTreeMap::new(),
        replica: "c1".to_owned(),
    }
}

impl ClusterMaps for Schedulers {
    fn watch(&self) -> watch::Receiver<Option<Arc<ClusterMap>>> {
        self.maps.subscribe()
    }
}

impl Connect for Schedulers {
    fn connect(&self, address: &str) -> Result<Arc<dyn Remote>, String> {
        let node = self.nodes.get(address).ok_or_else(|| format!("nobody is at {address}"))?;
        Ok(Arc::new(Wire(node.clone())))
    }
}

#[derive(Default)]
struct Counter(std::sync::atomic::AtomicU64);

impl Entropy for Counter {
    fn nonce(&self) -> Nonce {
        Nonce(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
    }
}

/// A connection to a node.
struct Wire(Arc<Node>);

fn unavailable(code: &str) -> ApiError {
    ApiError::new(ApiErrorKind::Unavailable, code, "told by a test")
}

impl Wire {
    /// What the node's condition makes of `act`.
    async fn done<T>(
        &self,
        kind: &'static str,
        act: impl FnOnce(&Node) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let condition = *self.0.condition.borrow();
        if condition == Condition::Dead {
            return Err(unavailable("HW1030"));
        }
        *self.0.asked.lock().unwrap().entry(kind).or_default() += 1;
        match condition {
            Condition::Dead => unreachable!("answered above"),
            Condition::Frozen => self.thawed().await,
            Condition::WithoutStore => return Err(unavailable("E0600")),
            Condition::Well | Condition::BreaksOff => {}
        }
        // Others may be asked while this one works.
        tokio::task::yield_now().await;
        let answer = act(&self.0);
        match condition {
            Condition::BreaksOff => Err(unavailable("HW1031")),
            _ => answer,
        }
    }

    async fn thawed(&self) {
        let mut condition = self.0.condition.subscribe();
        condition.wait_for(|now| *now == Condition::Well).await.expect("the node stays");
    }

    async fn read(&self) -> Result<(), StoreError> {
        let down = |error: ApiError| StoreError::Unavailable {
            what: "read",
            source_message: error.to_string(),
        };
        self.done("read", |_| Ok(())).await.map_err(down)
    }
}

impl Node {
    fn require(&self, shard: Shard) -> Result<(), ApiError> {
        match self.holds.lock().unwrap().contains(&shard) {
            true => Ok(()),
            false => Err(unavailable("HW1010")),
        }
    }

    fn submit(&self, key: &str) -> Result<JobId, ApiError> {
        let mut database = self.database.lock().unwrap();
        if let Some(known) = database.submissions.get(key) {
            return Ok(known.clone());
        }
        let shard = Shard(u16::try_from(fnv1a(key.as_bytes()) % u64::from(SHARDS)).unwrap());
        self.require(shard)?;
        let serial = database.serials.entry(shard).or_default();
        *serial += 1;
        let serial = *serial * u64::from(SHARDS) + u64::from(shard.0);
        let job = JobId::new(serial, "261122144400000", "howdah", JobKind::Workflow);
        database.submissions.insert(key.to_owned(), job.clone());
        Ok(job)
    }
}

/// The hash by which schedulers choose the shard of a key.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[async_trait]
impl SchedulerApi for Wire {
    async fn submit(&self, request: SubmitRequest) -> Result<JobId, ApiError> {
        let key = request.key.expect("a gateway always sends one");
        self.done("submit", |node| node.submit(&key)).await
    }

    async fn dry_run(&self, _: SubmitRequest) -> Result<(), ApiError> {
        self.done("submit", |_| Ok(())).await
    }

    async fn command(&self, job: &JobId, user: &str, command: Command) -> Result<(), ApiError> {
        self.done("job", |node| {
            node.require(job.shard(SHARDS))?;
            node.database.lock().unwrap().commands.push(format!("{command:?} {job} by {user}"));
            Ok(())
        })
        .await
    }

    async fn explain(&self, job: &JobId) -> Result<Explanation, ApiError> {
        self.done("job", |node| {
            node.require(job.shard(SHARDS))?;
            Ok(Explanation {
                job: job.to_string(),
                status: "RUNNING".to_owned(),
                summary: format!("{} has it", node.id),
                waits: Vec::new(),
            })
        })
        .await
    }

    async fn wait_for_history(&self, _: &JobId, _: i64) -> Result<(), ApiError> {
        self.done("job", |_| Ok(())).await
    }

    async fn ready_attempts(&self) -> Vec<(Arc<str>, u64)> {
        let count = self.done("count", |_| Ok(2)).await;
        count.map_or_else(|_| Vec::new(), |count| vec![("default".into(), count)])
    }
}

#[async_trait]
impl Reads for Wire {
    async fn load(&self, job: &JobId) -> Result<Option<WorkflowJob>, StoreError> {
        self.read().await?;
        self.0.world.load(job).await
    }

    async fn app(&self, digest: &AppDigest) -> Result<Option<AppSource>, StoreError> {
        self.read().await?;
        self.0.world.app(digest).await
    }

    async fn by_external_id(&self, external_id: &str) -> Result<Option<JobId>, StoreError> {
        self.read().await?;
        self.0.world.by_external_id(external_id).await
    }

    async fn jobs(&self, filter: &JobFilter) -> Result<JobPage, StoreError> {
        self.read().await?;
        self.0.world.jobs(filter).await
    }

    async fn history(
        &self,
        job: &JobId,
        after: i64,
        lines_max: u32,
    ) -> Result<Vec<HistoryLine>, StoreError> {
        self.read().await?;
        self.0.world.history(job, after, lines_max).await
    }
}

#[async_trait]
impl PolicyApi for Wire {
    async fn policy(&self) -> Result<PolicyRow, ApiError> {
        self.done("policy", |node| Ok(node.database.lock().unwrap().row())).await
    }

    async fn change_policy(&self, change: PolicyChange) -> Result<PolicyRow, ApiError> {
        self.done("policy", |node| {
            let mut database = node.database.lock().unwrap();
            database.change(change);
            Ok(database.row())
        })
        .await
    }
}

impl Database {
    fn row(&self) -> PolicyRow {
        PolicyRow { revision: self.revision, policy: self.policy.clone() }
    }

    fn change(&mut self, change: PolicyChange) {
        self.revision += 1;
        let policy = &mut self.policy;
        match change {
            PolicyChange::Mode { mode } => policy.mode = mode,
            PolicyChange::Failback => policy.asked_at = Some(NOON),
            PolicyChange::Hysteresis { failback, failback_after_ms, move_gap_ms } => {
                policy.failback = failback;
                policy.failback_after_ms = failback_after_ms;
                policy.move_gap_ms = move_gap_ms;
            }
            PolicyChange::Weight { member, weight: Some(weight) } => {
                policy.weights.insert(member, weight);
            }
            PolicyChange::Weight { member, weight: None } => {
                policy.weights.remove(&member);
            }
            PolicyChange::Drain { member, on: true } => {
                policy.draining.insert(member);
            }
            PolicyChange::Drain { member, on: false } => {
                policy.draining.remove(&member);
            }
        }
    }
}
