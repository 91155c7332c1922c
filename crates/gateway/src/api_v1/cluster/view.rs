//! The cluster as it is shown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::placement::{self, Works};
use model::{Epoch, MemberId, Shard};
use ports::cluster::{self, ClusterMap, MemberView, PolicyRow};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::balance::{Algorithm, Algorithms, RouteClass};

/// A cluster. Moments are RFC 3339 in UTC with milliseconds.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Cluster {
    /// `cluster`, or `standalone` for a server that works alone.
    kind: &'static str,
    mode: Option<Mode>,
    /// Who works, in words.
    #[schema(example = "standby works")]
    state: String,
    /// Which assignment this is; it grows.
    revision: Option<i64>,
    /// Who works when all are well (active-standby).
    preferred: Option<String>,
    members: Vec<Member>,
    /// Who owns what.
    shards: Vec<Owned>,
    /// The coordinators that are there.
    coordinators: BTreeSet<String>,
    last_failover: Option<Failover>,
    /// What waits for workers, by pool.
    pub(super) ready_attempts: Vec<Pool>,
    pub(super) policy: Option<Policy>,
    /// How the gateway that answers spreads requests.
    pub(super) balance: Option<Balance>,
    /// What is missing in this answer, and why.
    pub(super) problems: Vec<String>,
}

/// The mode of high availability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    /// One scheduler works, the others wait warm.
    ActiveStandby,
    /// All work.
    LoadBalanced,
}

/// A scheduler.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Member {
    id: String,
    address: String,
    /// Its process.
    nonce: Option<String>,
    /// Whether it is to own anything.
    works: bool,
    /// How many shards it is to own.
    owns: usize,
    /// How many it holds.
    holds: usize,
    weight: Option<u32>,
    /// A higher one is preferred.
    priority: Option<i32>,
    /// Its place in the order of registration.
    succession: Option<i64>,
    /// Whether it reaches the database.
    store_ok: bool,
    draining: bool,
    /// Since when it is there and well.
    well_since: Option<String>,
    /// The coordinator it is joined to.
    coordinator: Option<String>,
}

/// A slice of the jobs: while it is handed over, owner and holder differ.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Owned {
    shard: u16,
    /// Who is to own it.
    owner: Option<String>,
    /// Who holds it.
    holder: Option<String>,
    /// The term of its holder.
    epoch: Option<i64>,
}

/// The last unplanned change of owner.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Failover {
    at: String,
    lost: Vec<String>,
    /// `refused redial`, `silence`, `lease` or `store`.
    noticed_by: String,
    /// From the last sign of life to the assignment.
    took_ms: i64,
}

/// A pool of workers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Pool {
    pool: String,
    /// Attempts that wait for a worker.
    waiting: u64,
}

/// What a person set.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Policy {
    /// Grows at each change.
    revision: i64,
    mode: Mode,
    /// Whether work goes back by itself.
    failback: bool,
    /// How long a member must have been well before.
    failback_after_ms: i64,
    /// Least time between two planned moves.
    move_gap_ms: i64,
    /// When a person last asked for failback, until it is done.
    asked_at: Option<String>,
    /// Weights that go over what members say of themselves.
    weights: BTreeMap<String, u32>,
    /// Members that a person drains.
    draining: BTreeSet<String>,
}

/// How a gateway spreads requests.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Balance {
    submit: Algorithm,
    read: Algorithm,
}

impl Cluster {
    pub(super) fn of(map: &ClusterMap) -> Cluster {
        let text = |id: &MemberId| id.to_string();
        Cluster {
            kind: "cluster",
            mode: Some(map.mode.into()),
            state: state(map),
            revision: Some(map.revision),
            preferred: map.preferred.as_ref().map(text),
            members: map.members.iter().map(|member| Member::of(map, member)).collect(),
            shards: shards(map),
            coordinators: map.replicas.clone(),
            last_failover: map.last_failover.as_ref().map(Failover::from),
            ready_attempts: Vec::new(),
            policy: None,
            balance: None,
            problems: Vec::new(),
        }
    }

    /// One member, which works.
    pub(super) fn standalone(id: &str, address: &str) -> Cluster {
        let member = Member {
            id: id.to_owned(),
            address: address.to_owned(),
            nonce: None,
            works: true,
            owns: 0,
            holds: 0,
            weight: None,
            priority: None,
            succession: None,
            store_ok: true,
            draining: false,
            well_since: None,
            coordinator: None,
        };
        Cluster {
            kind: "standalone",
            mode: None,
            state: format!("{id} works alone"),
            revision: None,
            members: vec![member],
            ..Cluster::of(&ClusterMap::default())
        }
    }
}

/// The state of the machine that `docs/ha.md` shows.
fn state(map: &ClusterMap) -> String {
    match map.works {
        Some(Works::Nobody) => "nobody works".to_owned(),
        Some(Works::Preferred) => "preferred works".to_owned(),
        Some(Works::Standby) => "standby works".to_owned(),
        None => {
            let working: BTreeSet<&str> = map.owners.values().map(MemberId::as_str).collect();
            let names: Vec<&str> = working.into_iter().collect();
            match names.as_slice() {
                [] => "nobody works".to_owned(),
                [one] => format!("{one} works"),
                several => format!("{} work", several.join(", ")),
            }
        }
    }
}

fn shards(map: &ClusterMap) -> Vec<Owned> {
    let mut holders: BTreeMap<Shard, (Epoch, &MemberId)> = BTreeMap::new();
    for member in &map.members {
        for (shard, epoch) in &member.held {
            // Who has not noticed yet that it lost a shard has a lower epoch.
            let holder = holders.entry(*shard).or_insert((*epoch, &member.id));
            *holder = (*holder).max((*epoch, &member.id));
        }
    }
    let known: BTreeSet<Shard> = map.owners.keys().chain(holders.keys()).copied().collect();
    let owned = |shard: Shard| Owned {
        shard: shard.0,
        owner: map.owners.get(&shard).map(ToString::to_string),
        holder: holders.get(&shard).map(|(_, holder)| holder.to_string()),
        epoch: holders.get(&shard).map(|(epoch, _)| epoch.0),
    };
    known.into_iter().map(owned).collect()
}

impl Member {
    fn of(map: &ClusterMap, member: &MemberView) -> Member {
        let owns = map.owners.values().filter(|owner| **owner == member.id).count();
        Member {
            id: member.id.to_string(),
            address: member.address.clone(),
            nonce: Some(member.nonce.to_string()),
            works: owns > 0,
            owns,
            holds: member.held.len(),
            weight: Some(member.weight),
            priority: Some(member.priority),
            succession: Some(member.succession),
            store_ok: member.store_ok,
            draining: member.draining,
            well_since: Some(member.well_since.to_string()),
            coordinator: Some(member.replica.clone()),
        }
    }
}

impl From<&cluster::Failover> for Failover {
    fn from(failover: &cluster::Failover) -> Failover {
        Failover {
            at: failover.at.to_string(),
            lost: failover.lost.iter().map(ToString::to_string).collect(),
            noticed_by: failover.noticed_by.clone(),
            took_ms: failover.took_ms,
        }
    }
}

impl From<(Arc<str>, u64)> for Pool {
    fn from((pool, waiting): (Arc<str>, u64)) -> Pool {
        Pool { pool: pool.as_ref().to_owned(), waiting }
    }
}

impl From<PolicyRow> for Policy {
    fn from(row: PolicyRow) -> Policy {
        let policy = row.policy;
        Policy {
            revision: row.revision,
            mode: policy.mode.into(),
            failback: policy.failback,
            failback_after_ms: policy.failback_after_ms,
            move_gap_ms: policy.move_gap_ms,
            asked_at: policy.asked_at.map(|moment| moment.to_string()),
            weights: policy.weights.iter().map(|(id, weight)| (id.to_string(), *weight)).collect(),
            draining: policy.draining.iter().map(ToString::to_string).collect(),
        }
    }
}

impl Balance {
    pub(super) fn of(algorithms: &Algorithms) -> Balance {
        Balance {
            submit: algorithms.get(RouteClass::Submit),
            read: algorithms.get(RouteClass::Read),
        }
    }
}

impl From<placement::Mode> for Mode {
    fn from(mode: placement::Mode) -> Mode {
        match mode {
            placement::Mode::ActiveStandby => Mode::ActiveStandby,
            placement::Mode::LoadBalanced => Mode::LoadBalanced,
        }
    }
}

impl From<Mode> for placement::Mode {
    fn from(mode: Mode) -> placement::Mode {
        match mode {
            Mode::ActiveStandby => placement::Mode::ActiveStandby,
            Mode::LoadBalanced => placement::Mode::LoadBalanced,
        }
    }
}
