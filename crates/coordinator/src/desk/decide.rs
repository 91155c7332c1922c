//! Who is to own what: computed from the agreement alone, so that every replica comes to the same, and written by
//! compare-and-set.

use std::collections::{BTreeMap, BTreeSet};

use engine::placement::{Assignment, Candidate, assign};
use model::{MemberId, Timestamp};
use ports::cluster::Failover;
use ports::election::{Agreement, Decided, Decision, Entry, LEASE_TTL_S};

use super::{Action, Desk, SETTLE_MS, Verdict};

/// A loser waits so long for the watch to show who won, in ms.
const RETRY_MS: u64 = 100;
/// An answer that does not come by then is not waited for, in ms.
const ANSWER_MS: u64 = 5_000;
/// Between two tries to remove a dead member, in ms.
const REMOVE_INTERVAL_MS: u64 = 500;
/// How often moves that are due by time alone are looked for, in ms.
const LOOK_MS: u64 = 500;

/// What is known of decisions.
#[derive(Debug, Default)]
pub(super) struct Deciding {
    /// When a decision was sent off that is not answered.
    asked_ms: Option<u64>,
    /// The agreement it was made from, and when to try again from the same one.
    tried: Option<(i64, u64)>,
    /// Since when there is a quorum and no decision.
    undecided_ms: Option<u64>,
    /// The highest number seen.
    number: i64,
    looked_ms: u64,
    removed: BTreeMap<MemberId, (i64, u64)>,
    pub(super) is_copying: bool,
}

impl Deciding {
    pub(super) fn answered(&mut self, now_ms: u64) {
        self.asked_ms = None;
        self.tried = self.tried.map(|(revision, _)| (revision, now_ms + RETRY_MS));
    }

    pub(super) fn saw(&mut self, agreement: &Agreement, now_ms: u64) {
        self.removed.retain(|id, _| agreement.members.contains_key(id));
        match &agreement.decided {
            Some((decided, _)) => {
                self.undecided_ms = None;
                self.number = self.number.max(decided.number);
            }
            None => self.undecided_ms = self.undecided_ms.or(Some(now_ms)),
        }
    }

    /// This replica was away: what it waits for, it waits for anew.
    pub(super) fn forgive(&mut self, now_ms: u64) {
        self.undecided_ms = self.undecided_ms.map(|_| now_ms);
    }

    fn must_wait(&self, revision: i64, now_ms: u64) -> bool {
        let is_asked = self.asked_ms.is_some_and(|at| now_ms.saturating_sub(at) < ANSWER_MS);
        let tried = self.tried.is_some_and(|(seen, again)| revision <= seen && now_ms < again);
        is_asked || tried
    }

    fn is_settling(&self, now_ms: u64) -> bool {
        self.undecided_ms.is_some_and(|since| now_ms.saturating_sub(since) < SETTLE_MS)
    }
}

type Dead = BTreeMap<MemberId, (i64, Verdict)>;

impl Desk {
    /// Decides if anything is to be decided.
    pub(super) fn decide(&mut self, is_news: bool) {
        let dead = self.dead();
        let now_ms = self.now.ms;
        let is_time = now_ms.saturating_sub(self.deciding.looked_ms) >= LOOK_MS;
        let waits = self.deciding.tried.is_some_and(|(_, again)| now_ms >= again);
        if !(is_news || is_time || waits || !dead.is_empty()) || !self.may_accuse() {
            return;
        }
        self.deciding.looked_ms = now_ms;
        let Some(agreement) = self.agreement.clone() else { return };
        if self.copy_policy(&agreement) || self.deciding.must_wait(agreement.revision, now_ms) {
            return;
        }
        self.deciding.tried = None;
        match self.next(&agreement, &dead) {
            Some(decision) => {
                self.deciding.asked_ms = Some(now_ms);
                self.deciding.tried = Some((agreement.revision, now_ms + ANSWER_MS));
                self.actions.push(Action::Decide(Box::new(decision)));
            }
            None => self.remove(&dead),
        }
    }

    /// The next decision, if it differs.
    fn next(&self, agreement: &Agreement, dead: &Dead) -> Option<Decision> {
        if self.deciding.is_settling(self.now.ms) || self.is_unsure(agreement) {
            return None;
        }
        let candidates = candidates(agreement, dead);
        let shards = shards(agreement, dead)?;
        let policy = agreement.policy.as_ref().map(|row| row.policy.clone()).unwrap_or_default();
        let previous = agreement.decided.as_ref();
        let before = previous.map(|(decided, _)| &decided.assignment);
        let next = assign(before, &candidates, &policy, shards, self.now.wall);
        if before == Some(&next) {
            return None;
        }
        let failover = before.and_then(|before| self.failover(agreement, before, &next, dead));
        let remembered = previous.and_then(|(decided, _)| decided.last_failover.clone());
        Some(Decision {
            decided: Decided {
                number: self.number(),
                assignment: next,
                last_failover: failover.or(remembered),
            },
            expected: previous.map_or(0, |(_, revision)| *revision),
            dead: dead.iter().map(|(id, (modified, _))| (id.clone(), *modified)).collect(),
        })
    }

    /// Whether an owner is not registered, and this replica has not been there long enough to know why: when all replicas
    /// were away for longer than a lease lives, everybody is back within [`SETTLE_MS`], in any order.
    fn is_unsure(&self, agreement: &Agreement) -> bool {
        if self.now.ms.saturating_sub(self.quorum_changed_ms) >= SETTLE_MS {
            return false;
        }
        let places = agreement.decided.iter().flat_map(|(decided, _)| &decided.assignment.places);
        let mut missing = places.filter(|(_, place)| {
            agreement
                .members
                .get(&place.member)
                .is_none_or(|entry| entry.member.joining.nonce != place.nonce)
        });
        missing.any(|(_, place)| !self.troubled_ms.contains_key(&place.member))
    }

    /// Grows, also when etcd has forgotten everything and every replica is new: then by the wall clock.
    fn number(&self) -> i64 {
        (self.deciding.number + 1).max(self.now.wall.as_ms())
    }

    /// Whether etcd does not have the newest policy yet: nothing is decided by an old one.
    fn copy_policy(&mut self, agreement: &Agreement) -> bool {
        let stored = agreement.policy.as_ref().map(|row| row.revision);
        let newer = self.policy.as_ref().filter(|row| stored.is_none_or(|one| one < row.revision));
        let Some(newer) = newer.cloned() else { return false };
        if !std::mem::replace(&mut self.deciding.is_copying, true) {
            self.actions.push(Action::CopyPolicy(newer));
        }
        true
    }

    /// Removes the dead that owned nothing.
    fn remove(&mut self, dead: &Dead) {
        let now_ms = self.now.ms;
        for (id, (modified, _)) in dead {
            let asked = self.deciding.removed.get(id);
            let is_asked = asked.is_some_and(|(revision, at)| {
                revision == modified && now_ms.saturating_sub(*at) < REMOVE_INTERVAL_MS
            });
            if !is_asked {
                self.deciding.removed.insert(id.clone(), (*modified, now_ms));
                self.actions.push(Action::Deregister { member: id.clone(), modified: *modified });
            }
        }
    }

    /// The record, when shards move without having been handed over.
    fn failover(
        &self,
        agreement: &Agreement,
        before: &Assignment,
        next: &Assignment,
        dead: &Dead,
    ) -> Option<Failover> {
        let mut lost = BTreeSet::new();
        for (shard, place) in &before.places {
            let moved = next.places.get(shard).is_none_or(|new| {
                new.from.is_none() && (&new.member, new.nonce) != (&place.member, place.nonce)
            });
            let entry = agreement.members.get(&place.member).map(|entry| &entry.member);
            let is_well = entry.is_some_and(|member| {
                member.joining.nonce == place.nonce && member.vitals.store_ok
            });
            if moved && (!is_well || dead.contains_key(&place.member)) {
                lost.insert(place.member.clone());
            }
        }
        let (noticed_by, took_ms) = self.noticed(lost.first()?, agreement, dead);
        Some(Failover { at: self.now.wall, lost, noticed_by: noticed_by.to_owned(), took_ms })
    }

    /// How the loss was noticed, and how long ago the last sign of life was.
    fn noticed(&self, lost: &MemberId, agreement: &Agreement, dead: &Dead) -> (&'static str, i64) {
        let ms_since = |at: u64| i64::try_from(self.now.ms.saturating_sub(at)).unwrap_or(i64::MAX);
        if let Some((_, verdict)) = dead.get(lost) {
            return (verdict.noticed_by, ms_since(verdict.last_sign_ms));
        }
        let troubled_ms = self.troubled_ms.get(lost).copied().map_or(0, ms_since);
        match agreement.members.get(lost) {
            Some(entry) if entry.member.vitals.store_ok => ("restart", troubled_ms),
            Some(_) => ("store", troubled_ms),
            None => ("lease", LEASE_TTL_S * 1_000 + troubled_ms),
        }
    }
}

/// The members that live, as placement sees them.
fn candidates(agreement: &Agreement, dead: &Dead) -> Vec<Candidate> {
    let living = agreement.members.iter().filter(|(id, _)| !dead.contains_key(*id));
    living.map(|(_, entry)| candidate(entry)).collect()
}

fn candidate(entry: &Entry) -> Candidate {
    let Entry { member, created, .. } = entry;
    Candidate {
        id: member.joining.id.clone(),
        nonce: member.joining.nonce,
        succession: *created,
        priority: member.joining.priority,
        weight: member.joining.weight,
        store_ok: member.vitals.store_ok,
        draining: member.vitals.draining,
        well_since: Timestamp(member.well_since_ms),
        stands_down_until: member.vitals.stands_down_until,
        held: member.vitals.held.clone(),
    }
}

/// How many shards the database has, as its oldest member says; nothing without members.
fn shards(agreement: &Agreement, dead: &Dead) -> Option<u16> {
    let living = agreement.members.iter().filter(|(id, _)| !dead.contains_key(*id));
    living.min_by_key(|(_, entry)| entry.created).map(|(_, entry)| entry.member.joining.shards)
}
