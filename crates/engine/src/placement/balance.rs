//! Load-balanced: shares by weight, places by rendezvous hashing, as few moves as there can be.
//!
//! Each member that works has a quota: its share of the shards by weight, rounded so that they add up. It keeps what it
//! holds up to the quota; what nobody holds, and what is over a quota, goes to the member with the highest hash among
//! those below theirs. So a death moves only the dead one's shards, and a newcomer's shards come from everybody.

use std::collections::BTreeMap;

use model::{MemberId, Shard};

use super::states::{BalancedHappening, BalancedState, balanced as step_of};
use super::{Assignment, Candidate, Place, View};

/// What each member may own and does.
struct Share<'a> {
    member: &'a Candidate,
    quota: usize,
    kept: usize,
}

impl<'a> View<'a> {
    pub(super) fn balanced(&self) -> Assignment {
        let working = self.working();
        let mut next = Assignment { moved_at: self.moved_at(), ..Assignment::default() };
        if working.is_empty() {
            next.places = self.as_held();
            return next;
        }
        let mut shares = self.shares(&working);
        let may_move = self.asked() || self.policy.failback && self.gap_has_passed();
        let (kept, mut rest) = self.keep(&mut shares, may_move);
        next.places = kept;
        rest.sort_unstable();
        for shard in rest {
            let planned = self.holder(shard).is_some_and(|holder| is_in(&working, holder));
            if planned {
                next.moved_at = Some(self.now);
            }
            let Some(share) = best(&mut shares, shard) else { continue };
            share.kept += 1;
            next.places.insert(shard, self.place(shard, share.member));
        }
        next
    }

    /// Everything stays where it is: nobody has the database, or nobody is willing.
    fn as_held(&self) -> BTreeMap<Shard, Place> {
        let shards = (0..self.shards).map(Shard);
        shards.filter_map(|shard| Some((shard, self.place(shard, self.holder(shard)?)))).collect()
    }

    /// Members that share the work now: the willing ones that work already or may begin to.
    fn working(&self) -> Vec<&'a Candidate> {
        let willing = self.willing();
        let holds = |one: &Candidate| {
            (0..self.shards)
                .any(|shard| self.holder(Shard(shard)).is_some_and(|holder| holder.id == one.id))
        };
        let works: Vec<&Candidate> = willing.iter().copied().filter(|one| holds(one)).collect();
        let ready = |one: &&Candidate| {
            let happening = match works.is_empty() {
                true => BalancedHappening::Vacancy,
                false if self.may_receive(one) => BalancedHappening::Ready,
                false => return false,
            };
            step_of(BalancedState::Idle, happening).is_some()
        };
        let joins = |one: &&Candidate| is_in(&works, one) || ready(one);
        willing.iter().copied().filter(joins).collect()
    }

    fn shares(&self, working: &[&'a Candidate]) -> Vec<Share<'a>> {
        let total: u64 = working.iter().map(|one| u64::from(self.weight(one))).sum();
        let shards = u64::from(self.shards);
        let exact = |one: &Candidate| shards * u64::from(self.weight(one));
        let mut shares: Vec<Share<'a>> = working
            .iter()
            .map(|one| {
                let quota = usize::try_from(exact(one) / total.max(1)).unwrap_or(0);
                Share { member: one, quota, kept: 0 }
            })
            .collect();
        let given: usize = shares.iter().map(|share| share.quota).sum();
        let mut order: Vec<usize> = (0..shares.len()).collect();
        // Largest remainder first; then whoever holds more already, so that rounding moves nothing; then the name.
        order.sort_by_key(|at| {
            let one = shares[*at].member;
            (
                std::cmp::Reverse(exact(one) % total.max(1)),
                std::cmp::Reverse(self.holds(one)),
                one.id.clone(),
            )
        });
        for at in order.into_iter().cycle().take(usize::from(self.shards).saturating_sub(given)) {
            shares[at].quota += 1;
        }
        shares
    }

    fn holds(&self, one: &Candidate) -> usize {
        let mine =
            |shard: &u16| self.holder(Shard(*shard)).is_some_and(|holder| holder.id == one.id);
        (0..self.shards).filter(mine).count()
    }

    /// What stays, and the shards that need another owner.
    fn keep(
        &self,
        shares: &mut [Share<'a>],
        may_move: bool,
    ) -> (BTreeMap<Shard, Place>, Vec<Shard>) {
        let (mut places, mut rest) = (BTreeMap::new(), Vec::new());
        let mut by_holder: BTreeMap<&MemberId, Vec<Shard>> = BTreeMap::new();
        for shard in (0..self.shards).map(Shard) {
            match self.holder(shard) {
                Some(holder) if shares.iter().any(|share| share.member.id == holder.id) => {
                    by_holder.entry(&holder.id).or_default().push(shard);
                }
                _ => rest.push(shard),
            }
        }
        for share in shares {
            let mut held = by_holder.remove(&share.member.id).unwrap_or_default();
            held.sort_by_key(|shard| std::cmp::Reverse(score(&share.member.id, *shard)));
            let over =
                if may_move { held.split_off(held.len().min(share.quota)) } else { Vec::new() };
            share.kept = held.len();
            places.extend(held.into_iter().map(|shard| (shard, self.place(shard, share.member))));
            rest.extend(over);
        }
        (places, rest)
    }
}

fn is_in(members: &[&Candidate], one: &Candidate) -> bool {
    members.iter().any(|member| member.id == one.id)
}

/// The member with the highest hash among those below their quota; when rounding left nobody, among all.
fn best<'s, 'a>(shares: &'s mut [Share<'a>], shard: Shard) -> Option<&'s mut Share<'a>> {
    let open = shares.iter().any(|share| share.kept < share.quota);
    shares
        .iter_mut()
        .filter(|share| !open || share.kept < share.quota)
        .max_by_key(|share| score(&share.member.id, shard))
}

/// Rendezvous hashing (Thaler and Ravishankar 1998): FNV-1a over name and shard, finished as in SplitMix64.
fn score(member: &MemberId, shard: Shard) -> u64 {
    let bytes = member.as_str().bytes().chain([0]).chain(shard.0.to_be_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}
