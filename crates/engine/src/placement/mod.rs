//! Who works: the pure function from the members of a cluster to the owners of its shards (architecture §3).
//!
//! Both modes of high availability are this one function with two policies:
//!
//! * [`Mode::ActiveStandby`]: one member owns every shard, the others wait;
//! * [`Mode::LoadBalanced`]: shards are spread by weight, and a death moves only the dead one's shards.
//!
//! What is decided may come late, twice or from two replicas at once: it is a wish. Who may write is decided by the fence
//! in the database alone.
//!
//! Rules, in the order in which they win:
//!
//! 1. What a live, willing member holds stays with it, unless a move is due.
//! 2. A shard that nobody holds is placed at once.
//! 3. A member that drains gives up by hand-over; one that lost the database is replaced without waiting for it; if nobody
//!    has the database, nobody moves.
//! 4. Any other move is planned: it goes to a member that has been well for [`Policy::failback_after_ms`], not within
//!    [`Policy::move_gap_ms`] of the last one, unless a person asked for it.

mod balance;
mod states;

use std::collections::{BTreeMap, BTreeSet};

use model::{Epoch, MemberId, Nonce, Shard, Timestamp};
use serde::{Deserialize, Serialize};

pub use states::{
    ACTIVE_STANDBY, BALANCED, BalancedHappening, BalancedState, Happening, Step, Works, tables,
};

/// How long a person's wish for failback waits for somebody to move to, in ms: a wish that could not be met is not met by
/// surprise after some later failover.
pub const ASKED_MS: i64 = 60_000;

/// How work is shared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// One works, the others wait warm.
    #[default]
    ActiveStandby,
    /// All work.
    LoadBalanced,
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Mode::ActiveStandby => "active-standby",
            Mode::LoadBalanced => "load-balanced",
        })
    }
}

/// What a person set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// The mode.
    pub mode: Mode,
    /// Whether work goes back to a preferred member, and to one that came, by itself.
    pub failback: bool,
    /// How long a member must have been well before planned moves go to it, in ms.
    pub failback_after_ms: i64,
    /// Least time between two planned moves, in ms.
    pub move_gap_ms: i64,
    /// When a person last asked for failback; it is due until a move is made, and forgotten after [`ASKED_MS`].
    pub asked_at: Option<Timestamp>,
    /// Weights that go over what members say of themselves.
    pub weights: BTreeMap<MemberId, u32>,
    /// Members that a person drains.
    pub draining: BTreeSet<MemberId>,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            mode: Mode::default(),
            failback: true,
            failback_after_ms: 60_000,
            move_gap_ms: 300_000,
            asked_at: None,
            weights: BTreeMap::new(),
            draining: BTreeSet::new(),
        }
    }
}

/// A live member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its configured name.
    pub id: MemberId,
    /// Fresh at every start of its process.
    pub nonce: Nonce,
    /// Its place in the order of registration (etcd's create revision): the earliest leads.
    pub succession: i64,
    /// A higher one is preferred over an earlier registration.
    pub priority: i32,
    /// Its share in the balanced mode; 0 never works.
    pub weight: u32,
    /// Whether it reaches the database.
    pub store_ok: bool,
    /// Whether it wants to leave.
    pub draining: bool,
    /// Since when it is there and well.
    pub well_since: Timestamp,
    /// It lost shards too often and waits until then.
    pub stands_down_until: Option<Timestamp>,
    /// What it holds.
    pub held: BTreeMap<Shard, Epoch>,
}

/// Who is to own a shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The member.
    pub member: MemberId,
    /// Its process: another one under the same name remembers nothing.
    pub nonce: Nonce,
    /// Who hands over; the new owner waits for the release, within bounds.
    pub from: Option<MemberId>,
}

/// Who is to own what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The mode it was made in.
    pub mode: Mode,
    /// One entry for each shard that somebody is to own.
    pub places: BTreeMap<Shard, Place>,
    /// The member that works when all are well (active-standby).
    pub preferred: Option<MemberId>,
    /// When work last moved by plan.
    pub moved_at: Option<Timestamp>,
}

impl Assignment {
    /// The shards of a member's process.
    pub fn of(&self, member: &MemberId, nonce: Nonce) -> BTreeMap<Shard, Option<MemberId>> {
        let mine = |place: &Place| place.member == *member && place.nonce == nonce;
        let entries = self.places.iter().filter(|(_, place)| mine(place));
        entries.map(|(shard, place)| (*shard, place.from.clone())).collect()
    }

    /// The members that are to work, with how many shards each.
    pub fn workers(&self) -> BTreeMap<MemberId, usize> {
        let mut counts = BTreeMap::new();
        for place in self.places.values() {
            *counts.entry(place.member.clone()).or_insert(0) += 1;
        }
        counts
    }

    /// The state of the active-standby machine.
    pub fn works(&self) -> Works {
        match self.places.values().next() {
            None => Works::Nobody,
            Some(place) if self.preferred.as_ref().is_none_or(|one| *one == place.member) => {
                Works::Preferred
            }
            Some(_) => Works::Standby,
        }
    }
}

/// What everything below looks at.
struct View<'a> {
    previous: Option<&'a Assignment>,
    candidates: &'a [Candidate],
    policy: &'a Policy,
    shards: u16,
    now: Timestamp,
}

/// Who is to own what now. Pure: every replica that sees the same comes to the same.
pub fn assign(
    previous: Option<&Assignment>,
    candidates: &[Candidate],
    policy: &Policy,
    shards: u16,
    now: Timestamp,
) -> Assignment {
    let view = View { previous, candidates, policy, shards, now };
    let mut next = match policy.mode {
        Mode::ActiveStandby => view.active_standby(),
        Mode::LoadBalanced => view.balanced(),
    };
    next.mode = policy.mode;
    view.settle_handovers(&mut next);
    next
}

impl<'a> View<'a> {
    fn candidate(&self, id: &MemberId) -> Option<&'a Candidate> {
        self.candidates.iter().find(|one| one.id == *id)
    }

    /// Who holds a shard now: as assigned while that process lives, else the live holder of the highest epoch.
    fn holder(&self, shard: Shard) -> Option<&'a Candidate> {
        let assigned = self.previous.and_then(|previous| previous.places.get(&shard));
        let alive = assigned
            .and_then(|place| self.candidate(&place.member).filter(|one| one.nonce == place.nonce));
        alive.or_else(|| {
            let holding = self.candidates.iter().filter(|one| one.held.contains_key(&shard));
            holding.max_by_key(|one| one.held.get(&shard).copied())
        })
    }

    fn weight(&self, one: &Candidate) -> u32 {
        self.policy.weights.get(&one.id).copied().unwrap_or(one.weight)
    }

    fn drains(&self, one: &Candidate) -> bool {
        one.draining || self.policy.draining.contains(&one.id)
    }

    /// Members that may be given work: all that want and can; else those that stand down, since somebody must.
    fn willing(&self) -> Vec<&'a Candidate> {
        let able: Vec<&Candidate> = self
            .candidates
            .iter()
            .filter(|one| one.store_ok && self.weight(one) > 0 && !self.drains(one))
            .collect();
        let stands_down = |one: &&Candidate| one.stands_down_until.is_some_and(|at| at > self.now);
        let up: Vec<&Candidate> = able.iter().copied().filter(|one| !stands_down(one)).collect();
        if up.is_empty() { able } else { up }
    }

    /// Whether a person asked just now for moves that were not made yet; a changed mode asks too. Without a decision to
    /// change nobody did: when etcd was wiped, whoever holds keeps.
    fn asked(&self) -> bool {
        let Some(previous) = self.previous else { return false };
        let later = |at: Timestamp| {
            previous.moved_at.is_none_or(|moved| moved < at) && self.now.since_ms(at) < ASKED_MS
        };
        previous.mode != self.policy.mode || self.policy.asked_at.is_some_and(later)
    }

    fn gap_has_passed(&self) -> bool {
        self.moved_at().is_none_or(|at| self.now.since_ms(at) >= self.policy.move_gap_ms)
    }

    /// When work last moved by plan. Where shards are held and nobody knows (etcd was wiped), it may have been just now;
    /// that also ends what a person asked for before.
    fn moved_at(&self) -> Option<Timestamp> {
        match self.previous {
            Some(previous) => previous.moved_at,
            None => self.candidates.iter().any(|one| !one.held.is_empty()).then_some(self.now),
        }
    }

    fn well_long_enough(&self, one: &Candidate) -> bool {
        self.now.since_ms(one.well_since) >= self.policy.failback_after_ms
    }

    /// Whether planned moves may go to this member now.
    fn may_receive(&self, one: &Candidate) -> bool {
        self.asked() || self.policy.failback && self.gap_has_passed() && self.well_long_enough(one)
    }

    /// Who can release a shard: whoever holds it, or is about to hold it as assigned. While a hand-over goes on these are
    /// two, and when it is directed elsewhere the one that holds counts.
    fn releaser(&self, shard: Shard) -> Option<&'a Candidate> {
        let can = |one: &&Candidate| one.store_ok && one.held.contains_key(&shard);
        let holding = self.candidates.iter().filter(can);
        let holding = holding.max_by_key(|one| one.held.get(&shard).copied());
        holding.or_else(|| self.holder(shard).filter(|one| one.store_ok))
    }

    /// The place of a shard at its next owner: a hand-over while a live holder can release it.
    fn place(&self, shard: Shard, to: &Candidate) -> Place {
        let stays = self.holder(shard).is_some_and(|holder| holder.id == to.id);
        let releaser = if stays { None } else { self.releaser(shard) };
        let holder = releaser.filter(|holder| holder.id != to.id);
        let pending = self.previous.and_then(|previous| previous.places.get(&shard));
        let from = match holder {
            Some(holder) => Some(holder.id.clone()),
            None => pending
                .filter(|place| place.member == to.id && place.nonce == to.nonce)
                .and_then(|place| place.from.clone()),
        };
        Place { member: to.id.clone(), nonce: to.nonce, from }
    }

    /// A hand-over is over when the old owner is gone or the new one holds the shard.
    fn settle_handovers(&self, next: &mut Assignment) {
        for (shard, place) in &mut next.places {
            let gone = place.from.as_ref().is_some_and(|from| {
                self.candidate(from).is_none_or(|old| !old.held.contains_key(shard))
            });
            let taken =
                self.candidate(&place.member).is_some_and(|owner| owner.held.contains_key(shard));
            let first_asked =
                self.previous.and_then(|previous| previous.places.get(shard)) != Some(place);
            if taken || gone && !first_asked {
                place.from = None;
            }
        }
    }

    // === active-standby

    fn active_standby(&self) -> Assignment {
        let willing = self.willing();
        let current = self.current();
        let preferred = self.preferred(current);
        let works = match (current, &preferred) {
            (None, _) => Works::Nobody,
            (Some(current), Some(preferred)) if current.id != *preferred => Works::Standby,
            (Some(_), _) => Works::Preferred,
        };
        let happening = self.happening(current, preferred.as_ref(), &willing);
        let step = happening.and_then(|happening| states::active_standby(works, happening));
        let elected = willing.iter().min_by_key(|one| (-i64::from(one.priority), one.succession));
        let owner = match step {
            Some(Step::Elect | Step::HandOver) => elected.copied().or(current),
            Some(Step::HandBack) => preferred.as_ref().and_then(|one| self.candidate(one)),
            None => current,
        };
        let mut next = Assignment {
            preferred: self.preferred(owner),
            moved_at: self.moved_at(),
            ..Assignment::default()
        };
        let Some(owner) = owner else { return next };
        next.places =
            (0..self.shards).map(Shard).map(|shard| (shard, self.place(shard, owner))).collect();
        // Handed back, or gathered at one member when the mode changed: whoever works on was not lost.
        let leaves_a_willing_one = |shard: u16| {
            let holder = self.holder(Shard(shard)).filter(|holder| holder.id != owner.id);
            holder.is_some_and(|holder| willing.iter().any(|one| one.id == holder.id))
        };
        if (0..self.shards).any(leaves_a_willing_one) {
            next.moved_at = Some(self.now);
        }
        next
    }

    /// The member that holds the most.
    fn current(&self) -> Option<&'a Candidate> {
        let mut counts: BTreeMap<&MemberId, u32> = BTreeMap::new();
        for holder in (0..self.shards).filter_map(|shard| self.holder(Shard(shard))) {
            *counts.entry(&holder.id).or_insert(0) += 1;
        }
        let most = counts.into_iter().max_by_key(|(_, count)| *count)?;
        self.candidate(most.0)
    }

    /// The member of the highest priority; among several of it, and without differing priorities, whoever works. While only
    /// one is left, nobody can tell whether priorities differ: then it is still the one that it was.
    fn preferred(&self, works: Option<&Candidate>) -> Option<MemberId> {
        let best = self.candidates.iter().map(|one| one.priority).max();
        let worst = self.candidates.iter().map(|one| one.priority).min();
        if best != worst {
            let top =
                self.candidates.iter().filter(|one| Some(one.priority) == best).min_by_key(|one| {
                    (works.is_none_or(|works| works.id != one.id), one.succession)
                });
            return top.map(|one| one.id.clone());
        }
        let known = self.previous.and_then(|previous| previous.preferred.clone());
        let is_away = known.as_ref().is_some_and(|one| self.candidate(one).is_none());
        if is_away && self.candidates.len() == 1 {
            return known;
        }
        works.map(|one| one.id.clone()).or(known)
    }

    fn happening(
        &self,
        current: Option<&Candidate>,
        preferred: Option<&MemberId>,
        willing: &[&Candidate],
    ) -> Option<Happening> {
        if willing.is_empty() {
            return None;
        }
        let Some(current) = current else { return Some(Happening::Came) };
        let is_willing = |id: &MemberId| willing.iter().any(|one| one.id == *id);
        if self.drains(current) && current.store_ok {
            return Some(Happening::WorkerDrains);
        }
        if !is_willing(&current.id) {
            return Some(Happening::WorkerLost);
        }
        let preferred = preferred.and_then(|one| self.candidate(one))?;
        let back = preferred.id != current.id && is_willing(&preferred.id);
        (back && self.may_receive(preferred)).then_some(Happening::PreferredReady)
    }
}
