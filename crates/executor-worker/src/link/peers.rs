//! Sessions with schedulers: one each, opened when it is needed, not too often when that fails.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use model::{Epoch, MemberId, Nonce, Shard};
use ports::cluster::MemberView;

use super::asking::ClaimId;
use super::core::{Moment, PeerId};

/// Between two tries with one scheduler: the first, and the longest.
const WAIT_MIN: Duration = Duration::from_millis(50);
const WAIT_MAX: Duration = Duration::from_secs(5);
/// A session that held for so long was a good one: the next try waits the shortest time.
const GOOD_FOR: Duration = Duration::from_secs(5);

/// A session with a scheduler, or one that is being opened.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) member: MemberId,
    nonce: Nonce,
    address: String,
    /// When the present state began.
    pub(super) since: Moment,
    pub(super) is_open: bool,
    /// When it was last asked for work.
    pub(super) used: Moment,
    /// What it says that it owns.
    pub(super) told: BTreeMap<Shard, Epoch>,
    /// That of it which the worker has answered: from then on it hears of its jobs.
    pub(super) routed: BTreeMap<Shard, Epoch>,
    /// Claims that it has not answered, in the order in which they were sent.
    pub(super) asked: VecDeque<ClaimId>,
}

impl Peer {
    /// Whether it is still the process that the map shows.
    pub(super) fn is_of(&self, member: &MemberView) -> bool {
        self.member == member.id && self.nonce == member.nonce && self.address == member.address
    }
}

/// When a scheduler is tried again.
#[derive(Clone, Copy, Debug)]
struct Wait {
    until: Moment,
    length: Duration,
}

/// All sessions.
#[derive(Debug, Default)]
pub(super) struct Peers {
    all: BTreeMap<PeerId, Peer>,
    made: u64,
    waits: BTreeMap<MemberId, Wait>,
}

impl Peers {
    /// Begins a session, unless the last try was too short a while ago.
    pub(super) fn dial(&mut self, now: Moment, member: &MemberView) -> Option<PeerId> {
        if self.waits.get(&member.id).is_some_and(|wait| now < wait.until) {
            return None;
        }
        self.made += 1;
        let id = PeerId(self.made);
        let peer = Peer {
            member: member.id.clone(),
            nonce: member.nonce,
            address: member.address.clone(),
            since: now,
            is_open: false,
            used: now,
            told: BTreeMap::new(),
            routed: BTreeMap::new(),
            asked: VecDeque::new(),
        };
        self.all.insert(id, peer);
        Some(id)
    }

    pub(super) fn get(&self, id: PeerId) -> Option<&Peer> {
        self.all.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: PeerId) -> Option<&mut Peer> {
        self.all.get_mut(&id)
    }

    /// The session with a member.
    pub(super) fn with(&self, member: &MemberId) -> Option<(PeerId, &Peer)> {
        self.find(|peer| peer.member == *member)
    }

    pub(super) fn find(&self, is_meant: impl Fn(&Peer) -> bool) -> Option<(PeerId, &Peer)> {
        self.all.iter().find(|(_, peer)| is_meant(peer)).map(|(id, peer)| (*id, peer))
    }

    pub(super) fn all(&self, is_meant: impl Fn(&Peer) -> bool) -> Vec<PeerId> {
        self.all.iter().filter(|(_, peer)| is_meant(peer)).map(|(id, _)| *id).collect()
    }

    pub(super) fn remove(&mut self, id: PeerId) -> Option<Peer> {
        self.all.remove(&id)
    }

    /// It failed: the next try waits, the longer the more often it failed. `chance` spreads the tries of many workers.
    pub(super) fn punish(&mut self, now: Moment, peer: &Peer, chance: u64) {
        let last = self.waits.get(&peer.member).map(|wait| wait.length);
        let was_good = peer.is_open && now.saturating_sub(peer.since) >= GOOD_FOR;
        let length = match last {
            Some(last) if !was_good => (last * 2).min(WAIT_MAX),
            Some(_) | None => WAIT_MIN,
        };
        let jitter = Duration::from_millis(chance % (length.as_millis() as u64 / 2).max(1));
        let until = now + length / 2 + jitter;
        self.waits.insert(peer.member.clone(), Wait { until, length });
    }

    /// A member that has left the map starts with the shortest wait when it comes back.
    pub(super) fn forgive(&mut self, is_member: impl Fn(&MemberId) -> bool) {
        self.waits.retain(|member, _| is_member(member));
    }
}
