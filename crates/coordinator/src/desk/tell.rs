//! What members, gateways and workers are told: orders and the map of the cluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::placement::{Assignment, Mode, Works};
use model::{MemberId, Shard, Timestamp};
use ports::cluster::{ClusterMap, MemberView, Orders};
use ports::election::{Agreement, Entry};

use super::{Action, Desk};

impl Desk {
    /// Tells whoever does not know yet.
    pub(super) fn tell(&mut self) {
        let Some(agreement) = &self.agreement else { return };
        let known = self.shown.as_ref().map_or(0, |shown| shown.shards);
        let mut map = map(agreement);
        // Also while nobody is there.
        map.shards = map.shards.max(known);
        if self.shown.as_deref() != Some(&map) {
            let map = Arc::new(map);
            self.shown = Some(Arc::clone(&map));
            self.actions.push(Action::Publish(map));
        }
        let Some((decided, _)) = &agreement.decided else { return };
        for (id, link) in &mut self.links {
            let joining = &link.member.joining;
            let orders = Orders {
                revision: decided.number,
                shards: decided.assignment.of(&joining.id, joining.nonce),
            };
            if link.orders.as_ref() != Some(&orders) {
                link.orders = Some(orders.clone());
                self.actions.push(Action::Order { link: *id, orders });
            }
        }
    }
}

fn map(agreement: &Agreement) -> ClusterMap {
    let nobody = Assignment::default();
    let decided = agreement.decided.as_ref().map(|(decided, _)| decided);
    let assignment = decided.map_or(&nobody, |decided| &decided.assignment);
    let owners = owners(agreement, assignment);
    let works = match assignment.mode {
        Mode::ActiveStandby if owners.is_empty() => Some(Works::Nobody),
        Mode::ActiveStandby => Some(assignment.works()),
        Mode::LoadBalanced => None,
    };
    ClusterMap {
        revision: decided.map_or(0, |decided| decided.number),
        mode: assignment.mode,
        shards: shards(agreement),
        members: agreement.members.values().map(|entry| view(entry, agreement)).collect(),
        owners,
        preferred: assignment.preferred.clone(),
        works,
        replicas: agreement.replicas.keys().cloned().collect(),
        last_failover: decided.and_then(|decided| decided.last_failover.clone()),
    }
}

/// How many shards the database has, as the members say; 0 without any.
fn shards(agreement: &Agreement) -> u16 {
    agreement.members.values().map(|entry| entry.member.joining.shards).max().unwrap_or(0)
}

/// The owners that are there: a decision may name a process that has died since.
fn owners(agreement: &Agreement, assignment: &Assignment) -> BTreeMap<Shard, MemberId> {
    let is_there = |member: &MemberId, nonce| {
        agreement.members.get(member).is_some_and(|entry| entry.member.joining.nonce == nonce)
    };
    let places = assignment.places.iter();
    places
        .filter(|(_, place)| is_there(&place.member, place.nonce))
        .map(|(shard, place)| (*shard, place.member.clone()))
        .collect()
}

fn view(entry: &Entry, agreement: &Agreement) -> MemberView {
    let Entry { member, created, .. } = entry;
    let policy = agreement.policy.as_ref().map(|row| &row.policy);
    let id = &member.joining.id;
    let weight = policy.and_then(|policy| policy.weights.get(id)).copied();
    MemberView {
        id: id.clone(),
        nonce: member.joining.nonce,
        address: member.joining.address.clone(),
        succession: *created,
        priority: member.joining.priority,
        weight: weight.unwrap_or(member.joining.weight),
        store_ok: member.vitals.store_ok,
        draining: member.vitals.draining
            || policy.is_some_and(|policy| policy.draining.contains(id)),
        well_since: Timestamp(member.well_since_ms),
        held: member.vitals.held.clone(),
        replica: member.replica.clone(),
    }
}
