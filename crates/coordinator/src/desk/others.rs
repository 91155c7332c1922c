//! Other replicas, and the members that nobody judges because their replica is gone.
//!
//! A replica that is killed, frozen or stopped is not there to see its members die. Its members leave it within
//! [`SILENCE_MS`]; one that does not, while its replica is gone, is dialled: refused, or no answer for [`DEAD_MS`], is dead.
//! Without this a host that takes a coordinator and the working scheduler with it costs the whole life of a lease.

use std::collections::BTreeMap;

use model::{MemberId, Nonce};
use ports::cluster::{DEAD_MS, SILENCE_MS, SUSPECT_MS};
use ports::election::{Agreement, Entry};

use super::{Action, Desk, Dialled, REFUSED, RESTART, SILENCE, Verdict};

/// Between two dials of another replica, in ms.
const PEER_INTERVAL_MS: u64 = 250;

/// Another replica.
#[derive(Debug)]
pub(super) struct Peer {
    address: String,
    reached_ms: u64,
    asked_ms: Option<u64>,
    is_asked: bool,
    is_lost: bool,
}

impl Peer {
    pub(super) fn forgive(&mut self, now_ms: u64) {
        self.reached_ms = now_ms;
        self.is_lost = false;
    }
}

/// A member whose replica is gone.
#[derive(Debug)]
pub(super) struct Orphan {
    nonce: Nonce,
    modified: i64,
    address: String,
    since_ms: u64,
    reached_ms: u64,
    is_asked: bool,
    pub(super) dead: Option<Verdict>,
}

impl Orphan {
    fn new(entry: &Entry, now_ms: u64) -> Orphan {
        Orphan {
            nonce: entry.member.joining.nonce,
            modified: entry.modified,
            address: entry.member.joining.address.clone(),
            since_ms: now_ms,
            reached_ms: now_ms,
            is_asked: false,
            dead: None,
        }
    }

    pub(super) fn forgive(&mut self, now_ms: u64) {
        self.since_ms = now_ms;
        self.reached_ms = now_ms;
        self.dead = None;
    }

    /// Whether this is about the entry that is there now.
    pub(super) fn is_of(&self, entry: &Entry) -> bool {
        self.modified == entry.modified && self.nonce == entry.member.joining.nonce
    }
}

/// The entry of a process that has ended, since another one joins under its name. It is told by its nonce too: after etcd
/// was wiped, revisions begin anew.
#[derive(Debug)]
pub(super) struct Replaced {
    pub(super) nonce: Nonce,
    pub(super) modified: i64,
    pub(super) at_ms: u64,
}

impl Replaced {
    /// Whether this is about the entry that is there now.
    pub(super) fn is_of(&self, entry: &Entry) -> bool {
        self.modified == entry.modified && self.nonce == entry.member.joining.nonce
    }
}

impl Desk {
    /// Notes when members got into trouble, for the record of failovers.
    pub(super) fn note_troubles(&mut self, next: &Agreement) {
        let now_ms = self.now.ms;
        let Some(known) = &self.agreement else { return };
        for (id, old) in &known.members {
            let new = next.members.get(id).map(|entry| &entry.member);
            let is_well = new.is_some_and(|new| {
                new.joining.nonce == old.member.joining.nonce && new.vitals.store_ok
            });
            if is_well {
                self.troubled_ms.remove(id);
            } else {
                self.troubled_ms.entry(id.clone()).or_insert(now_ms);
            }
        }
        // Names that nobody owns anything under are forgotten, so that the notes stay few.
        let owners = next.decided.as_ref().map(|(decided, _)| decided.assignment.workers());
        let is_owner =
            |id: &MemberId| owners.as_ref().is_some_and(|owners| owners.contains_key(id));
        self.troubled_ms.retain(|id, _| next.members.contains_key(id) || is_owner(id));
    }

    /// Who is a peer and who is an orphan, by the agreement.
    pub(super) fn find_others(&mut self) {
        let Some(agreement) = &self.agreement else { return };
        let now_ms = self.now.ms;
        self.peers.retain(|name, _| agreement.replicas.contains_key(name));
        for (name, address) in &agreement.replicas {
            let fresh = || Peer {
                address: address.clone(),
                reached_ms: now_ms,
                asked_ms: None,
                is_asked: false,
                is_lost: false,
            };
            if *name != self.replica
                && self.peers.get(name).is_none_or(|peer| peer.address != *address)
            {
                self.peers.insert(name.clone(), fresh());
            }
        }
        let mut known = std::mem::take(&mut self.orphans);
        let orphans = agreement.members.iter().filter(|(id, entry)| self.is_orphan(id, entry));
        let orphans = orphans.map(|(id, entry)| {
            let orphan = known.remove(id).filter(|orphan| orphan.is_of(entry));
            (id.clone(), orphan.unwrap_or_else(|| Orphan::new(entry, now_ms)))
        });
        self.orphans = orphans.collect();
    }

    /// Whether nobody judges this member: its replica is gone, or is this one and has no stream of it.
    fn is_orphan(&self, id: &MemberId, entry: &Entry) -> bool {
        let replica = &entry.member.replica;
        if *replica == self.replica {
            let joined = &entry.member.joining;
            let is_its = |link: &super::Link| {
                link.member.joining.id == *id && link.member.joining.nonce == joined.nonce
            };
            return !self.links.values().any(is_its);
        }
        let stands = self.agreement.as_ref().is_some_and(|one| one.replicas.contains_key(replica));
        !stands || self.peers.get(replica).is_some_and(|peer| peer.is_lost)
    }

    pub(super) fn probe_others(&mut self) {
        self.find_others();
        let now_ms = self.now.ms;
        for (name, peer) in &mut self.peers {
            let is_time =
                peer.asked_ms.is_none_or(|at| now_ms.saturating_sub(at) >= PEER_INTERVAL_MS);
            if is_time && !peer.is_asked {
                peer.is_asked = true;
                peer.asked_ms = Some(now_ms);
                let (replica, address) = (name.clone(), peer.address.clone());
                self.actions.push(Action::ProbePeer { replica, address });
            }
        }
        for (id, orphan) in &mut self.orphans {
            let is_time = now_ms.saturating_sub(orphan.since_ms) >= SILENCE_MS;
            if is_time && !orphan.is_asked && orphan.dead.is_none() {
                orphan.is_asked = true;
                let (member, address) = (id.clone(), orphan.address.clone());
                self.actions.push(Action::Probe { member, address });
            }
        }
    }

    pub(super) fn peer_probed(&mut self, replica: &str, answer: Dialled) {
        let now_ms = self.now.ms;
        let Some(peer) = self.peers.get_mut(replica) else { return };
        peer.is_asked = false;
        match answer {
            Dialled::Reached => peer.forgive(now_ms),
            Dialled::Refused => peer.is_lost = true,
            Dialled::Silent => {
                peer.is_lost |= now_ms.saturating_sub(peer.reached_ms) >= SUSPECT_MS;
            }
        }
        self.find_others();
    }

    pub(super) fn probed(&mut self, member: &MemberId, answer: Dialled) {
        let (now_ms, may_accuse) = (self.now.ms, self.may_accuse());
        let Some(orphan) = self.orphans.get_mut(member) else { return };
        let was_asked = std::mem::take(&mut orphan.is_asked);
        match answer {
            Dialled::Reached => orphan.reached_ms = now_ms,
            // Right after everything was forgiven the answer may be older than that.
            Dialled::Refused
                if was_asked && now_ms.saturating_sub(orphan.since_ms) >= SILENCE_MS =>
            {
                let verdict = Verdict { noticed_by: REFUSED, last_sign_ms: orphan.since_ms };
                orphan.dead = may_accuse.then_some(verdict);
            }
            Dialled::Refused | Dialled::Silent => {}
        }
    }

    /// Finds orphans dead that were silent for long.
    pub(super) fn judge_others(&mut self) {
        if !self.may_accuse() {
            return;
        }
        for orphan in self.orphans.values_mut() {
            let silent_ms = self.now.ms.saturating_sub(orphan.reached_ms);
            if orphan.dead.is_none() && silent_ms >= DEAD_MS {
                let last_sign_ms = orphan.reached_ms;
                orphan.dead = Some(Verdict { noticed_by: SILENCE, last_sign_ms });
            }
        }
    }

    /// Everybody who is dead and whose entry is still there, with the entry's revision.
    pub(super) fn dead(&self) -> BTreeMap<MemberId, (i64, Verdict)> {
        let mut dead = BTreeMap::new();
        let (Some(agreement), true) = (&self.agreement, self.may_accuse()) else { return dead };
        for link in self.links.values() {
            let id = &link.member.joining.id;
            let entry = agreement.members.get(id);
            let owned = entry.filter(|entry| link.owns(entry, &self.replica));
            if let (Some(verdict), Some(entry)) = (link.dead, owned) {
                dead.insert(id.clone(), (entry.modified, verdict));
            }
        }
        for (id, orphan) in &self.orphans {
            let entry = agreement.members.get(id).filter(|entry| orphan.is_of(entry));
            if let (Some(verdict), Some(entry)) = (orphan.dead, entry) {
                dead.insert(id.clone(), (entry.modified, verdict));
            }
        }
        for (id, replaced) in &self.replaced {
            let entry = agreement.members.get(id).filter(|entry| replaced.is_of(entry));
            if let Some(entry) = entry {
                let verdict = Verdict { noticed_by: RESTART, last_sign_ms: replaced.at_ms };
                dead.insert(id.clone(), (entry.modified, verdict));
            }
        }
        dead
    }
}
