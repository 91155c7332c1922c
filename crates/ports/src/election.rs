//! What a coordinator replica needs of the store of agreement (etcd): leases, a register of members, and one value that is
//! written by compare-and-set (architecture §3).

use std::collections::BTreeMap;

use async_trait::async_trait;
use engine::placement::Assignment;
use model::MemberId;

use crate::cluster::{Failover, Joining, PolicyRow, Vitals};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// A member's entry in the register.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// How it introduced itself.
    pub joining: Joining,
    /// What it told last that matters to others (its policy is kept elsewhere).
    pub vitals: Vitals,
    /// The replica that wrote this.
    pub replica: String,
    /// The lease that keeps the entry; the next replica takes it over.
    pub lease: i64,
    /// Since when the member is there and well, in ms since the epoch.
    pub well_since_ms: i64,
}

/// An entry with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The entry.
    pub member: Registered,
    /// When its key was created: the order of succession.
    pub created: i64,
    /// When it was last written: what compare-and-set compares.
    pub modified: i64,
}

/// How long a lease lives without being prolonged, in s: the last resort when nobody noticed a death.
pub const LEASE_TTL_S: i64 = 5;

/// A coordinator replica's entry in the register.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Its configured name.
    pub replica: String,
    /// Where the others see whether it is there: `http://host:port`.
    pub address: String,
}

/// What is decided, as stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// Which decision this is. It grows also when etcd lost everything, where etcd's own revisions begin anew.
    pub number: i64,
    /// Who owns what.
    pub assignment: Assignment,
    /// The last failover.
    pub last_failover: Option<Failover>,
}

/// Everything that replicas agree on, read at one revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// The revision it was read at.
    pub revision: i64,
    /// The members.
    pub members: BTreeMap<MemberId, Entry>,
    /// The decision and the revision that wrote it; nothing when none was ever written.
    pub decided: Option<(Decided, i64)>,
    /// The policy as last copied from the database.
    pub policy: Option<PolicyRow>,
    /// The coordinator replicas that are there, with their addresses.
    pub replicas: BTreeMap<String, String>,
}

/// Why nothing could be agreed upon: etcd did not answer, or a replica cannot or will not serve. Nothing may be concluded
/// from it about anybody; try again, or another replica. The text says all of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoQuorum(pub String);

/// One write, whole or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// The new decision.
    pub decided: Decided,
    /// The revision of the decision it was made from; 0 when there was none.
    pub expected: i64,
    /// Members that are declared dead in the same write, each with the revision of its entry.
    pub dead: BTreeMap<MemberId, i64>,
}

/// The store of agreement.
#[async_trait]
pub trait Election: Send + Sync {
    /// Registers this replica itself, under a lease of its own, and keeps it registered until [`Election::withdraw`] or the
    /// end of the process, also when etcd lost everything in between.
    async fn stand(&self, standing: &Standing) -> Result<(), NoQuorum>;

    /// Takes this replica's own entry back, so that the others know at once.
    async fn withdraw(&self) -> Result<(), NoQuorum>;

    /// A fresh lease for a member.
    async fn grant_lease(&self) -> Result<i64, NoQuorum>;

    /// Prolongs a lease; `false` when it is gone.
    async fn keep_alive(&self, lease: i64) -> Result<bool, NoQuorum>;

    /// Writes a member's entry under its lease. With `expected` (the revision of the entry that it replaces, 0 for none) that no
    /// longer holds, or when the lease is gone, nothing is written and the answer is `None`; else the revision of the new
    /// entry. Replacing an entry keeps its place in the succession.
    async fn register(&self, member: &Registered, expected: i64) -> Result<Option<i64>, NoQuorum>;

    /// Removes an entry if it is still the one of this revision.
    async fn deregister(&self, member: &MemberId, modified: i64) -> Result<bool, NoQuorum>;

    /// Writes a decision by compare-and-set; `false` when somebody was faster.
    async fn decide(&self, decision: &Decision) -> Result<bool, NoQuorum>;

    /// Copies the policy, unless a newer one is there.
    async fn copy_policy(&self, policy: &PolicyRow) -> Result<(), NoQuorum>;

    /// Reads everything from a quorum.
    async fn read(&self) -> Result<Agreement, NoQuorum>;

    /// The newest agreement, kept by a watch; `None` while there is no quorum or the watch broke off.
    fn watch(&self) -> watch::Receiver<Option<Agreement>>;
}
