//! Three replicas on a real etcd, schedulers that do nothing but own shards, and the database that fences them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use coordinator::{Replica, ReplicaConfig};
use election_etcd::{EtcdConfig, EtcdElection};
use engine::placement::Policy;
use model::{Epoch, MemberId, Nonce, Shard, Timestamp};
use ports::clock::Clock;
use ports::cluster::{
    BEAT_INTERVAL_MS, ClusterMap, CoordinatorApi, Joining, Orders, PolicyRow, Vitals,
};
use ports::election::Election;
use testkit::etcd::Etcd;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const SHARDS: u16 = 8;

pub(crate) struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Timestamp(i64::try_from(since.as_millis()).unwrap())
    }
}

/// One coordinator.
pub(crate) struct Coordinator {
    pub(crate) replica: Arc<Replica>,
    shutdown: CancellationToken,
    _listener: TcpListener,
    /// Its process, so to speak.
    runtime: Option<Runtime>,
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Everything.
pub(crate) struct World {
    pub(crate) etcd: Etcd,
    pub(crate) replicas: Arc<Mutex<Vec<Option<Coordinator>>>>,
    pub(crate) database: Database,
    namespace: String,
}

impl World {
    pub(crate) async fn start(etcd: Etcd) -> World {
        let replicas = Arc::new(Mutex::new(Vec::new()));
        let world =
            World { etcd, replicas, database: Database::default(), namespace: "test".to_owned() };
        for name in ["c0", "c1", "c2"] {
            let coordinator = world.coordinator(name).await;
            world.replicas.lock().unwrap().push(Some(coordinator));
        }
        world
    }

    fn etcd_config(&self) -> EtcdConfig {
        EtcdConfig {
            endpoints: self.etcd.endpoints(),
            namespace: self.namespace.clone(),
            ..EtcdConfig::default()
        }
    }

    async fn coordinator(&self, name: &str) -> Coordinator {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let config = self.etcd_config();
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let entered = runtime.enter();
        let election = Arc::new(EtcdElection::connect(&config).unwrap());
        let shutdown = CancellationToken::new();
        let config = ReplicaConfig { name: name.to_owned(), address };
        let replica = Replica::start(config, election, Arc::new(WallClock), shutdown.clone());
        drop(entered);
        Coordinator { replica, shutdown, _listener: listener, runtime: Some(runtime) }
    }

    /// Starts a replica that was killed, anew.
    pub(crate) async fn start_replica(&self, at: usize) {
        let coordinator = self.coordinator(&format!("c{at}")).await;
        self.replicas.lock().unwrap()[at] = Some(coordinator);
    }

    /// Waits until etcd knows no member any more: all leases have ended.
    pub(crate) async fn forgotten(&self) {
        let election = EtcdElection::connect(&self.etcd_config()).unwrap();
        let mut watch = election.watch();
        let empty = watch.wait_for(|now| now.as_ref().is_some_and(|now| now.members.is_empty()));
        assert!(timeout(PATIENCE, empty).await.is_ok(), "leases do not end");
    }

    /// Stops a replica as an operator does.
    pub(crate) async fn stop_replica(&self, at: usize) {
        let coordinator = self.replicas.lock().unwrap()[at].take().unwrap();
        coordinator.shutdown.cancel();
        coordinator.replica.stopped().await;
    }

    /// Kills a replica: nothing that it registered is taken back.
    pub(crate) fn kill_replica(&self, at: usize) {
        drop(self.replicas.lock().unwrap()[at].take());
    }

    /// The map as a replica shows it.
    pub(crate) fn map(&self, at: usize) -> watch::Receiver<Option<Arc<ClusterMap>>> {
        self.replicas.lock().unwrap()[at].as_ref().unwrap().replica.map()
    }

    /// Waits until every living replica shows a map that is right.
    pub(crate) async fn shows(&self, what: &str, right: impl Fn(&ClusterMap) -> bool) {
        let maps: Vec<_> = {
            let replicas = self.replicas.lock().unwrap();
            replicas.iter().flatten().map(|one| one.replica.map()).collect()
        };
        for mut map in maps {
            let reached = timeout(PATIENCE, map.wait_for(|map| map.as_deref().is_some_and(&right)));
            let ended = reached.await.is_ok();
            let last = map.borrow().clone();
            assert!(ended, "not within {PATIENCE:?}: {what}; the map is {last:#?}");
        }
    }

    /// Waits until these members own so many shards each, hold them, and nobody else owns any.
    pub(crate) async fn owned(&self, wanted: &[(&str, usize)]) {
        self.shows(&format!("owners {wanted:?}"), |map| {
            let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
            map.owners.values().for_each(|one| *counts.entry(one.as_str()).or_default() += 1);
            let held = |member: &str| {
                let member = map.members.iter().find(|one| one.id.as_str() == member);
                member.map_or(0, |member| member.held.len())
            };
            counts == wanted.iter().copied().collect()
                && wanted.iter().all(|(member, count)| held(member) == *count)
        })
        .await;
    }
}

/// What the database would say: who took a shard last, and whether it was released.
#[derive(Clone, Default)]
pub(crate) struct Database {
    shards: Arc<Mutex<Rows>>,
}

type Rows = BTreeMap<Shard, (Epoch, Option<MemberId>)>;

impl Database {
    /// Takes a shard; while somebody is to hand it over, only once that is done.
    fn take(&self, shard: Shard, member: &MemberId, from: Option<&MemberId>) -> Option<Epoch> {
        let mut shards = self.shards.lock().unwrap();
        let (epoch, owner) = shards.entry(shard).or_default();
        if from.is_some() && owner.as_ref() == from {
            return None;
        }
        *epoch = epoch.next();
        *owner = Some(member.clone());
        Some(*epoch)
    }

    fn release(&self, shard: Shard, epoch: Epoch) {
        let mut shards = self.shards.lock().unwrap();
        if let Some((now, owner)) = shards.get_mut(&shard)
            && *now == epoch
        {
            *owner = None;
        }
    }

    /// How often each shard was taken.
    pub(crate) fn epochs(&self) -> BTreeMap<Shard, Epoch> {
        self.shards.lock().unwrap().iter().map(|(shard, (epoch, _))| (*shard, *epoch)).collect()
    }
}

/// A scheduler that owns shards and does nothing with them.
pub(crate) struct Member {
    task: JoinHandle<()>,
    listener: Option<TcpListener>,
    pub(crate) vitals: watch::Sender<Vitals>,
    beats: watch::Sender<bool>,
}

/// How a member is set up.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) priority: i32,
    pub(crate) nonce: u64,
    /// The replica it tries first.
    pub(crate) first: usize,
    pub(crate) policy: Policy,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup { priority: 0, nonce: 1, first: 0, policy: Policy::default() }
    }
}

impl Member {
    pub(crate) async fn start(world: &World, id: &str, setup: Setup) -> Member {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let joining = Joining {
            id: MemberId::new(id),
            nonce: Nonce(setup.nonce),
            address: format!("http://{}", listener.local_addr().unwrap()),
            priority: setup.priority,
            weight: 1,
            shards: SHARDS,
        };
        let policy = PolicyRow { revision: 1, policy: setup.policy };
        let vitals = watch::Sender::new(Vitals {
            turning: true,
            store_ok: true,
            policy: Some(policy),
            ..Vitals::default()
        });
        let beats = watch::Sender::new(true);
        let client = Client {
            joining,
            replicas: Arc::clone(&world.replicas),
            database: world.database.clone(),
            vitals: vitals.clone(),
            beats: beats.subscribe(),
            lease: None,
        };
        let task = tokio::spawn(client.stay_joined(setup.first));
        Member { task, listener: Some(listener), vitals, beats }
    }

    /// Dies as by kill -9: its streams end and its port refuses.
    pub(crate) fn crash(&mut self) {
        self.listener = None;
        self.task.abort();
    }

    /// Is silent from now on, with its sockets open, as by SIGSTOP.
    pub(crate) fn freeze(&self) {
        self.beats.send_replace(false);
    }

    pub(crate) fn thaw(&self) {
        self.beats.send_replace(true);
    }

    pub(crate) fn set_policy(&self, revision: i64, policy: Policy) {
        let row = PolicyRow { revision, policy };
        self.vitals.send_modify(|vitals| vitals.policy = Some(row));
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Client {
    joining: Joining,
    replicas: Arc<Mutex<Vec<Option<Coordinator>>>>,
    database: Database,
    vitals: watch::Sender<Vitals>,
    beats: watch::Receiver<bool>,
    lease: Option<i64>,
}

impl Client {
    async fn stay_joined(mut self, first: usize) {
        let mut at = first;
        loop {
            drop(self.beats.wait_for(|beats| *beats).await);
            let replica = {
                let replicas = self.replicas.lock().unwrap();
                let at = at % replicas.len();
                replicas[at].as_ref().map(|one| Arc::clone(&one.replica))
            };
            match replica {
                Some(replica) => self.be_joined(replica.as_ref()).await,
                None => sleep(Duration::from_millis(10)).await,
            }
            at += 1;
        }
    }

    /// Joined to one replica, until that lets it go.
    async fn be_joined(&mut self, replica: &Replica) {
        let (sender, receiver) = mpsc::channel(4);
        sender.try_send(self.vitals.borrow().clone()).unwrap();
        let Ok(welcome) = replica.join(self.joining.clone(), self.lease, receiver).await else {
            return sleep(Duration::from_millis(50)).await;
        };
        self.lease = Some(welcome.lease);
        let mut orders = welcome.orders;
        let mut frozen = self.beats.clone();
        let mut ticks = interval(Duration::from_millis(BEAT_INTERVAL_MS));
        loop {
            drop(self.beats.wait_for(|beats| *beats).await);
            tokio::select! {
                changed = orders.changed() => if changed.is_err() { return },
                _ = ticks.tick() => {}
                _ = frozen.wait_for(|beats| !beats) => continue,
            }
            let now = orders.borrow_and_update().clone();
            if let Some(now) = now {
                self.follow(&now);
            }
            let vitals = self.vitals.borrow().clone();
            if sender.send(vitals).await.is_err() {
                return;
            }
        }
    }

    /// Takes and releases what the orders say.
    fn follow(&self, orders: &Orders) {
        self.vitals.send_modify(|vitals| {
            let gone = vitals.held.keys().filter(|shard| !orders.shards.contains_key(shard));
            for shard in gone.copied().collect::<Vec<_>>() {
                let epoch = vitals.held.remove(&shard).unwrap();
                self.database.release(shard, epoch);
            }
            for (shard, from) in &orders.shards {
                if !vitals.held.contains_key(shard)
                    && let Some(epoch) = self.database.take(*shard, &self.joining.id, from.as_ref())
                {
                    vitals.held.insert(*shard, epoch);
                }
            }
        });
    }
}

/// Runs something and says how long it took.
pub(crate) async fn timed<T>(what: impl Future<Output = T>) -> Duration {
    let began = Instant::now();
    what.await;
    began.elapsed()
}
