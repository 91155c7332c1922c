//! The cluster as its members, gateways and workers see it (architecture §3).
//!
//! ```text
//! scheduler ──Join, Beat{held, store_ok, ...}──► coordinator ──► etcd
//!           ◄──Orders{shards}──────────────────                  (assignment, by compare-and-set)
//! gateway, worker ◄──ClusterMap───────────────── coordinator
//! ```
//! Everything here is a wish or a hint that may be late: the fence in the database decides who may write.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use engine::placement::{Mode, Policy, Works};
use model::{Epoch, MemberId, Nonce, Shard, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};

use crate::election::NoQuorum;

/// Between two beats, both ways, in ms.
pub const BEAT_INTERVAL_MS: u64 = 100;
/// A replica, or a member, that was silent for so long is left for another one, in ms.
pub const SILENCE_MS: u64 = 300;
/// A member without a beat for so long is suspected, in ms.
pub const SUSPECT_MS: u64 = 500;
/// A member without a beat for so long is dead, in ms.
pub const DEAD_MS: u64 = 1_000;

/// How a scheduler introduces itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joining {
    /// Its configured name.
    pub id: MemberId,
    /// Fresh at every start of its process.
    pub nonce: Nonce,
    /// Where gateways and workers reach it: `http://host:port`.
    pub address: String,
    /// A higher one is preferred.
    pub priority: i32,
    /// Its share in the balanced mode.
    pub weight: u32,
    /// How many shards its database has.
    pub shards: u16,
}

/// What a scheduler tells at each beat.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vitals {
    /// Whether its driver turns, or is parked on purpose. A beat without it counts as none.
    pub turning: bool,
    /// Whether it reaches the database, for reading and writing.
    pub store_ok: bool,
    /// Whether it wants to leave: its shards are handed over.
    pub draining: bool,
    /// What it holds.
    pub held: BTreeMap<Shard, Epoch>,
    /// It lost shards too often and wants none until then.
    pub stands_down_until: Option<Timestamp>,
    /// The policy as the database has it, which goes over what etcd has; nothing while it has not been read.
    pub policy: Option<PolicyRow>,
}

/// The policy with the number of its row: a higher one is newer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRow {
    /// Grows at each change.
    pub revision: i64,
    /// What a person set.
    pub policy: Policy,
}

/// What a scheduler is to own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    /// Which assignment this is; a lower one than seen is stale.
    pub revision: i64,
    /// Its shards, each with the member that hands it over, if one does.
    pub shards: BTreeMap<Shard, Option<MemberId>>,
}

/// A scheduler's link to the coordinators.
pub trait Membership: Send + Sync {
    /// Joins, stays joined, and joins again whenever it must, until the process ends. `vitals` is read at every beat.
    ///
    /// What comes back is the last known orders: `None` until the first came. Losing every coordinator changes nothing in
    /// it: who holds a shard keeps it.
    fn join(
        &self,
        joining: Joining,
        vitals: watch::Receiver<Vitals>,
    ) -> watch::Receiver<Option<Orders>>;
}

/// A member as others see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberView {
    /// Its configured name.
    pub id: MemberId,
    /// Its process.
    pub nonce: Nonce,
    /// Where to reach it.
    pub address: String,
    /// Its place in the order of registration.
    pub succession: i64,
    /// A higher one is preferred.
    pub priority: i32,
    /// Its share, after what a person set.
    pub weight: u32,
    /// Whether it reaches the database.
    pub store_ok: bool,
    /// Whether it leaves.
    pub draining: bool,
    /// Since when it is there and well.
    pub well_since: Timestamp,
    /// What it holds.
    pub held: BTreeMap<Shard, Epoch>,
    /// The coordinator it is joined to.
    pub replica: String,
}

/// The last unplanned change of owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failover {
    /// When it was decided.
    pub at: Timestamp,
    /// Who was lost.
    pub lost: BTreeSet<MemberId>,
    /// How it was noticed: `refused redial`, `silence`, `restart`, `lease`, `store`.
    pub noticed_by: String,
    /// From the last sign of life to the assignment, in ms.
    pub took_ms: i64,
}

/// Who is there and who owns what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterMap {
    /// Which assignment this is.
    pub revision: i64,
    /// The mode.
    pub mode: Mode,
    /// How many shards the database has; 0 while no member has said so.
    pub shards: u16,
    /// The live members.
    pub members: Vec<MemberView>,
    /// Who is to own each shard.
    pub owners: BTreeMap<Shard, MemberId>,
    /// The member that works when all are well.
    pub preferred: Option<MemberId>,
    /// The state of the active-standby machine; nothing in the balanced mode.
    pub works: Option<Works>,
    /// The coordinators that are there.
    pub replicas: BTreeSet<String>,
    /// The last failover, if any is remembered.
    pub last_failover: Option<Failover>,
}

impl ClusterMap {
    /// The member that is to own a shard.
    pub fn owner(&self, shard: Shard) -> Option<&MemberView> {
        let owner = self.owners.get(&shard)?;
        self.members.iter().find(|member| member.id == *owner)
    }
}

/// What a replica answers to a member that joins.
#[derive(Debug)]
pub struct Welcome {
    /// The lease that keeps the member registered; the next replica takes it over.
    pub lease: i64,
    /// The replica's name.
    pub replica: String,
    /// The member's orders, now and whenever they change. When this closes, the replica has let the member go: the stream
    /// ends, and the member joins another replica at once.
    pub orders: watch::Receiver<Option<Orders>>,
}

/// A coordinator replica, as it is served.
#[async_trait]
pub trait CoordinatorApi: Send + Sync {
    /// A member joins. Its beats come by the channel; that the channel is closed says that its stream has ended.
    ///
    /// # Errors
    /// When etcd does not answer, or this replica is stopping; the member goes to another one.
    async fn join(
        &self,
        joining: Joining,
        lease: Option<i64>,
        beats: mpsc::Receiver<Vitals>,
    ) -> Result<Welcome, NoQuorum>;

    /// The map of the cluster.
    fn map(&self) -> watch::Receiver<Option<Arc<ClusterMap>>>;
}

/// A source of cluster maps.
pub trait ClusterMaps: Send + Sync {
    /// The newest map; `None` until the first came. Losing every coordinator leaves the last one.
    fn watch(&self) -> watch::Receiver<Option<Arc<ClusterMap>>>;
}
