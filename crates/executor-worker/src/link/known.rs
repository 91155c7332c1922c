//! What the link knows of the cluster: who is named to own what, which epochs were seen, where it rang.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use model::{Epoch, JobId, MemberId, Shard};
use ports::bell::Ring;
use ports::cluster::{ClusterMap, MemberView};

/// Shards remembered as rung in one pool. More than databases have; a ring that is forgotten costs a detour.
const RUNG_MAX: usize = 1_024;

/// The highest epoch seen of each shard. It outlives the worker's sessions: what was deposed once stays so.
#[derive(Clone, Debug, Default)]
pub(super) struct Epochs(Arc<Mutex<BTreeMap<Shard, Epoch>>>);

impl Epochs {
    /// Takes an epoch in; whether it is the highest that was seen of its shard.
    pub(super) fn raise(&self, shard: Shard, epoch: Epoch) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let highest = seen.entry(shard).or_insert(epoch);
        *highest = epoch.max(*highest);
        *highest == epoch
    }

    /// Whether nobody told of a higher epoch of this shard.
    pub(super) fn is_highest(&self, shard: Shard, epoch: Epoch) -> bool {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(&shard).is_none_or(|highest| *highest <= epoch)
    }
}

/// The shards that rang in each pool, the last one last.
#[derive(Clone, Debug, Default)]
pub(super) struct Rung(Arc<Mutex<BTreeMap<String, Vec<Shard>>>>);

impl Rung {
    /// A bell was heard.
    pub(super) fn note(&self, ring: &Ring) {
        let Some(shard) = ring.shard else { return };
        let mut rung = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let shards = rung.entry(ring.pool.clone()).or_default();
        shards.retain(|known| *known != shard);
        if shards.len() >= RUNG_MAX {
            shards.remove(0);
        }
        shards.push(shard);
    }

    /// The shards that rang in a pool, the last one first.
    pub(super) fn latest(&self, pool: &str) -> Vec<Shard> {
        let rung = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rung.get(pool).map(|shards| shards.iter().rev().copied().collect()).unwrap_or_default()
    }

    /// The owner of these shards is being asked: older rings have had their effect.
    pub(super) fn forget(&self, pool: &str, asked: impl Fn(Shard) -> bool) {
        let mut rung = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shards) = rung.get_mut(pool) {
            shards.retain(|shard| !asked(*shard));
        }
    }
}

/// The newest map, and how many shards there are.
#[derive(Debug, Default)]
pub(super) struct Owners {
    map: Arc<ClusterMap>,
    working: Vec<MemberId>,
    shards: u16,
}

impl Owners {
    /// A newer map.
    pub(super) fn take(&mut self, map: Arc<ClusterMap>) {
        self.shards = self.shards.max(map.shards);
        self.map = map;
        self.working = self.named().filter_map(|shard| Some(self.of(shard)?.id.clone())).collect();
        self.working.sort();
        self.working.dedup();
    }

    /// There is a shard of this number. The count only grows, as a part of the owners may be unknown for a while.
    pub(super) fn note(&mut self, shard: Option<Shard>) {
        let count = shard.map_or(0, |shard| shard.0.saturating_add(1));
        self.shards = self.shards.max(count);
    }

    /// How many shards there are, as far as is known.
    pub(super) fn shards(&self) -> u16 {
        self.shards
    }

    /// The shard of a job.
    pub(super) fn shard(&self, job: &JobId) -> Shard {
        job.shard(self.shards)
    }

    /// Who is named to own a shard.
    pub(super) fn of(&self, shard: Shard) -> Option<&MemberView> {
        self.map.owner(shard)
    }

    /// Whether this member is named to own a shard.
    pub(super) fn names(&self, member: &MemberId, shard: Shard) -> bool {
        self.map.owners.get(&shard) == Some(member)
    }

    /// A live member.
    pub(super) fn member(&self, id: &MemberId) -> Option<&MemberView> {
        self.map.members.iter().find(|member| member.id == *id)
    }

    /// The shards that have a named owner.
    pub(super) fn named(&self) -> impl Iterator<Item = Shard> + '_ {
        self.map.owners.keys().copied()
    }

    /// The live members that are named to own something, by name.
    pub(super) fn working(&self) -> &[MemberId] {
        &self.working
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_only_grow() {
        let (epochs, shard) = (Epochs::default(), Shard(3));
        assert!(epochs.is_highest(shard, Epoch(1)));
        assert!(epochs.raise(shard, Epoch(5)));
        assert!(!epochs.raise(shard, Epoch(4)));
        assert!(epochs.raise(shard, Epoch(5)));
        assert!(!epochs.is_highest(shard, Epoch(4)));
        assert!(epochs.is_highest(Shard(4), Epoch(1)));
    }

    #[test]
    fn the_last_ring_comes_first_and_a_question_answers_it() {
        let rung = Rung::default();
        for shard in [1, 2, 1] {
            rung.note(&Ring { pool: "p".to_owned(), shard: Some(Shard(shard)) });
        }
        rung.note(&Ring { pool: "p".to_owned(), shard: None });
        assert_eq!(rung.latest("p"), [Shard(1), Shard(2)]);
        rung.forget("p", |shard| shard == Shard(1));
        assert_eq!(rung.latest("p"), [Shard(2)]);
        assert_eq!(rung.latest("q"), []);
    }
}
