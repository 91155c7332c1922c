//! Members, beats, orders and the map of the cluster.

use std::collections::{BTreeMap, BTreeSet};

use engine::placement::{Mode, Policy, Works};
use model::{Epoch, MemberId, Nonce, Shard, Timestamp};
use ports::cluster::{ClusterMap, Failover, Joining, MemberView, Orders, PolicyRow, Vitals};

use crate::convert::{Malformed, needed, shard};
use crate::wire;

/// Who joins, and the lease that it brings along.
pub(crate) struct Joined {
    pub(crate) joining: Joining,
    pub(crate) lease: Option<i64>,
}

impl From<Joined> for wire::Join {
    fn from(Joined { joining, lease }: Joined) -> wire::Join {
        wire::Join {
            id: name(&joining.id),
            nonce: joining.nonce.0,
            address: joining.address,
            priority: joining.priority,
            weight: joining.weight,
            shards: joining.shards.into(),
            lease,
        }
    }
}

impl TryFrom<wire::Join> for Joined {
    type Error = Malformed;

    fn try_from(join: wire::Join) -> Result<Joined, Malformed> {
        let shards = u16::try_from(join.shards).map_err(|error| Malformed::new("shards", error))?;
        let joining = Joining {
            id: member_id("id", join.id)?,
            nonce: Nonce(join.nonce),
            address: join.address,
            priority: join.priority,
            weight: join.weight,
            shards,
        };
        Ok(Joined { joining, lease: join.lease })
    }
}

fn name(id: &MemberId) -> String {
    id.as_str().to_owned()
}

fn names(ids: &BTreeSet<MemberId>) -> Vec<String> {
    ids.iter().map(name).collect()
}

fn member_ids(names: Vec<String>) -> BTreeSet<MemberId> {
    names.into_iter().map(MemberId::new).collect()
}

/// A name without which nothing can be told apart.
fn member_id(field: &'static str, name: String) -> Result<MemberId, Malformed> {
    if name.is_empty() {
        return Err(Malformed::new(field, "a member has a name"));
    }
    Ok(MemberId::new(name))
}

fn held_shards(held: &BTreeMap<Shard, Epoch>) -> Vec<wire::HeldShard> {
    let one = |(shard, epoch): (&Shard, &Epoch)| wire::HeldShard {
        shard: shard.0.into(),
        epoch: epoch.0,
    };
    held.iter().map(one).collect()
}

fn held(shards: Vec<wire::HeldShard>) -> Result<BTreeMap<Shard, Epoch>, Malformed> {
    shards.into_iter().map(|one| Ok((shard(one.shard)?, Epoch(one.epoch)))).collect()
}

impl From<&Vitals> for wire::Beat {
    fn from(vitals: &Vitals) -> wire::Beat {
        wire::Beat {
            turning: vitals.turning,
            store_ok: vitals.store_ok,
            draining: vitals.draining,
            held: held_shards(&vitals.held),
            stands_down_until: vitals.stands_down_until.map(Timestamp::as_ms),
            policy: vitals.policy.as_ref().map(wire::PolicyRow::from),
        }
    }
}

impl TryFrom<wire::Beat> for Vitals {
    type Error = Malformed;

    fn try_from(beat: wire::Beat) -> Result<Vitals, Malformed> {
        Ok(Vitals {
            turning: beat.turning,
            store_ok: beat.store_ok,
            draining: beat.draining,
            held: held(beat.held)?,
            stands_down_until: beat.stands_down_until.map(Timestamp),
            policy: beat.policy.map(PolicyRow::try_from).transpose()?,
        })
    }
}

impl From<&PolicyRow> for wire::PolicyRow {
    fn from(row: &PolicyRow) -> wire::PolicyRow {
        wire::PolicyRow { revision: row.revision, policy: Some((&row.policy).into()) }
    }
}

impl TryFrom<wire::PolicyRow> for PolicyRow {
    type Error = Malformed;

    fn try_from(row: wire::PolicyRow) -> Result<PolicyRow, Malformed> {
        let policy = needed("policy", row.policy)?.try_into()?;
        Ok(PolicyRow { revision: row.revision, policy })
    }
}

impl From<&Policy> for wire::Policy {
    fn from(policy: &Policy) -> wire::Policy {
        wire::Policy {
            mode: wire::Mode::from(policy.mode).into(),
            failback: policy.failback,
            failback_after_ms: policy.failback_after_ms,
            move_gap_ms: policy.move_gap_ms,
            asked_at: policy.asked_at.map(Timestamp::as_ms),
            weights: policy.weights.iter().map(|(id, weight)| (name(id), *weight)).collect(),
            draining: names(&policy.draining),
        }
    }
}

impl TryFrom<wire::Policy> for Policy {
    type Error = Malformed;

    fn try_from(policy: wire::Policy) -> Result<Policy, Malformed> {
        let mode = policy.mode().try_into()?;
        let weights = policy.weights.into_iter();
        Ok(Policy {
            mode,
            failback: policy.failback,
            failback_after_ms: policy.failback_after_ms,
            move_gap_ms: policy.move_gap_ms,
            asked_at: policy.asked_at.map(Timestamp),
            weights: weights.map(|(id, weight)| (MemberId::new(id), weight)).collect(),
            draining: member_ids(policy.draining),
        })
    }
}

impl From<Mode> for wire::Mode {
    fn from(mode: Mode) -> wire::Mode {
        match mode {
            Mode::ActiveStandby => wire::Mode::ActiveStandby,
            Mode::LoadBalanced => wire::Mode::LoadBalanced,
        }
    }
}

impl TryFrom<wire::Mode> for Mode {
    type Error = Malformed;

    fn try_from(mode: wire::Mode) -> Result<Mode, Malformed> {
        match mode {
            wire::Mode::Unspecified => Err(Malformed::new("mode", "it is not known")),
            wire::Mode::ActiveStandby => Ok(Mode::ActiveStandby),
            wire::Mode::LoadBalanced => Ok(Mode::LoadBalanced),
        }
    }
}

impl From<&Orders> for wire::OrdersMessage {
    fn from(orders: &Orders) -> wire::OrdersMessage {
        let one = |(shard, from): (&Shard, &Option<MemberId>)| wire::OrderedShard {
            shard: shard.0.into(),
            from: from.as_ref().map(name),
        };
        wire::OrdersMessage {
            revision: orders.revision,
            shards: orders.shards.iter().map(one).collect(),
        }
    }
}

impl TryFrom<wire::OrdersMessage> for Orders {
    type Error = Malformed;

    fn try_from(orders: wire::OrdersMessage) -> Result<Orders, Malformed> {
        let one = |one: wire::OrderedShard| Ok((shard(one.shard)?, one.from.map(MemberId::new)));
        let shards = orders.shards.into_iter().map(one).collect::<Result<_, Malformed>>()?;
        Ok(Orders { revision: orders.revision, shards })
    }
}

impl From<&ClusterMap> for wire::ClusterMapMessage {
    fn from(map: &ClusterMap) -> wire::ClusterMapMessage {
        let owners = map.owners.iter().map(|(shard, owner)| (shard.0.into(), name(owner)));
        wire::ClusterMapMessage {
            revision: map.revision,
            mode: wire::Mode::from(map.mode).into(),
            members: map.members.iter().map(wire::Member::from).collect(),
            owners: owners.collect(),
            preferred: map.preferred.as_ref().map(name),
            works: works_word(map.works).into(),
            replicas: map.replicas.iter().cloned().collect(),
            last_failover: map.last_failover.as_ref().map(wire::Failover::from),
            shards: map.shards.into(),
        }
    }
}

impl TryFrom<wire::ClusterMapMessage> for ClusterMap {
    type Error = Malformed;

    fn try_from(map: wire::ClusterMapMessage) -> Result<ClusterMap, Malformed> {
        let (mode, works) = (map.mode().try_into()?, works(map.works()));
        let owner =
            |(number, name): (u32, String)| Ok((shard(number)?, member_id("owners", name)?));
        let members = map.members.into_iter().map(MemberView::try_from);
        Ok(ClusterMap {
            revision: map.revision,
            mode,
            members: members.collect::<Result<_, _>>()?,
            owners: map.owners.into_iter().map(owner).collect::<Result<_, Malformed>>()?,
            preferred: map.preferred.map(MemberId::new),
            works,
            replicas: map.replicas.into_iter().collect(),
            last_failover: map.last_failover.map(Failover::from),
            shards: u16::try_from(map.shards).map_err(|error| Malformed::new("shards", error))?,
        })
    }
}

fn works_word(works: Option<Works>) -> wire::Works {
    match works {
        None => wire::Works::Unspecified,
        Some(Works::Nobody) => wire::Works::Nobody,
        Some(Works::Preferred) => wire::Works::Preferred,
        Some(Works::Standby) => wire::Works::Standby,
    }
}

fn works(word: wire::Works) -> Option<Works> {
    match word {
        wire::Works::Unspecified => None,
        wire::Works::Nobody => Some(Works::Nobody),
        wire::Works::Preferred => Some(Works::Preferred),
        wire::Works::Standby => Some(Works::Standby),
    }
}

impl From<&MemberView> for wire::Member {
    fn from(member: &MemberView) -> wire::Member {
        wire::Member {
            id: name(&member.id),
            nonce: member.nonce.0,
            address: member.address.clone(),
            succession: member.succession,
            priority: member.priority,
            weight: member.weight,
            store_ok: member.store_ok,
            draining: member.draining,
            well_since: member.well_since.as_ms(),
            held: held_shards(&member.held),
            replica: member.replica.clone(),
        }
    }
}

impl TryFrom<wire::Member> for MemberView {
    type Error = Malformed;

    fn try_from(member: wire::Member) -> Result<MemberView, Malformed> {
        Ok(MemberView {
            id: member_id("id", member.id)?,
            nonce: Nonce(member.nonce),
            address: member.address,
            succession: member.succession,
            priority: member.priority,
            weight: member.weight,
            store_ok: member.store_ok,
            draining: member.draining,
            well_since: Timestamp(member.well_since),
            held: held(member.held)?,
            replica: member.replica,
        })
    }
}

impl From<&Failover> for wire::Failover {
    fn from(failover: &Failover) -> wire::Failover {
        wire::Failover {
            at: failover.at.as_ms(),
            lost: names(&failover.lost),
            noticed_by: failover.noticed_by.clone(),
            took_ms: failover.took_ms,
        }
    }
}

impl From<wire::Failover> for Failover {
    fn from(failover: wire::Failover) -> Failover {
        Failover {
            at: Timestamp(failover.at),
            lost: member_ids(failover.lost),
            noticed_by: failover.noticed_by,
            took_ms: failover.took_ms,
        }
    }
}
