//! How a claim goes from scheduler to scheduler: the part of [`Core`] that puts it, and judges what comes back.

use std::collections::BTreeSet;

use model::{MemberId, Token};
use ports::work::{FromWorker, Grant, ToWorker};

use super::asking::{ClaimId, HOP_MAX, Place};
use super::core::{Action, Core, Moment, PeerId, fnv1a};

impl Core {
    /// The worker has free slots.
    pub(super) fn ask(&mut self, now: Moment, pool: String, tokens: Vec<Token>) {
        let claim = self.claims.begin(now, pool, tokens);
        self.advance(now, claim);
    }

    /// A result and the claim for the slot that it frees: the first to be asked is the one who hears the result.
    pub(super) fn finish_and_ask(
        &mut self,
        now: Moment,
        peer: PeerId,
        mut words: FromWorker,
        asked: (String, Vec<Token>),
    ) {
        let claim = self.claims.begin(now, asked.0.clone(), asked.1.clone());
        if let FromWorker::Finish { next, .. } = &mut words {
            *next = Some(asked);
        }
        self.note_asked(now, claim, peer);
        self.actions.push(Action::Send(peer, words));
    }

    /// Looks for the next scheduler to ask.
    pub(super) fn advance(&mut self, now: Moment, claim: ClaimId) {
        while let Some(member) = self.next_member(now, claim) {
            let known = self.peers.with(&member).map(|(peer, session)| (peer, session.is_open));
            match known {
                Some((peer, true)) => return self.put(now, claim, peer),
                Some((peer, false)) => return self.place(claim, Place::Dialling(peer)),
                None => {}
            }
            let view = self.owners.member(&member).cloned();
            match view.and_then(|view| self.dial(now, &view)) {
                Some(peer) => return self.place(claim, Place::Dialling(peer)),
                None => self.pass_over(claim, member),
            }
        }
        self.place(claim, Place::Over);
    }

    /// The owners of shards that rang, the last one first; then the others in turn.
    fn next_member(&self, now: Moment, claim: ClaimId) -> Option<MemberId> {
        let asking = self.claims.get(claim)?;
        if asking.tokens.is_empty() || asking.is_late(now) {
            return None;
        }
        let rung = self.rung.latest(&asking.pool);
        let mut rung = rung.into_iter().filter_map(|shard| self.owners.of(shard));
        if let Some(member) = rung.find(|member| !asking.asked.contains(&member.id)) {
            return Some(member.id.clone());
        }
        let working = self.owners.working();
        let first = self.first_in_turn(&asking.pool, working);
        let (before, after) = working.split_at(first);
        let mut in_turn = after.iter().chain(before);
        in_turn.find(|member| !asking.asked.contains(*member)).cloned()
    }

    /// Begins after the one that was asked last; workers begin in different places.
    fn first_in_turn(&self, pool: &str, working: &[MemberId]) -> usize {
        let place = match self.after.get(pool) {
            Some(last) => working.partition_point(|member| member <= last),
            None => usize::try_from(fnv1a(self.worker.as_str()) >> 32).unwrap_or(0),
        };
        place % working.len().max(1)
    }

    fn place(&mut self, claim: ClaimId, place: Place) {
        if let Some(asking) = self.claims.get_mut(claim) {
            asking.place = place;
        }
    }

    /// There is no session with this one: the claim was not put to it.
    pub(super) fn pass_over(&mut self, claim: ClaimId, member: MemberId) {
        if let Some(asking) = self.claims.get_mut(claim) {
            asking.asked.insert(member);
        }
    }

    /// Puts a claim to a scheduler.
    pub(super) fn put(&mut self, now: Moment, claim: ClaimId, peer: PeerId) {
        let Some(asking) = self.claims.get(claim) else { return };
        let (pool, tokens) = (asking.pool.clone(), asking.tokens.clone());
        self.note_asked(now, claim, peer);
        self.actions.push(Action::Send(peer, FromWorker::Claim { pool, tokens }));
    }

    fn note_asked(&mut self, now: Moment, claim: ClaimId, id: PeerId) {
        let (Some(asking), Some(peer)) = (self.claims.get_mut(claim), self.peers.get_mut(id))
        else {
            return;
        };
        peer.used = now;
        peer.asked.push_back(claim);
        asking.place = Place::At(id, now + HOP_MAX);
        if asking.asked.is_empty() {
            self.after.insert(asking.pool.clone(), peer.member.clone());
        }
        asking.asked.insert(peer.member.clone());
        self.rung.forget(&asking.pool, |shard| self.owners.names(&peer.member, shard));
    }

    /// A scheduler answers its oldest claim. An answer that fits no claim says that the two do not understand each other.
    pub(super) fn answered(&mut self, now: Moment, id: PeerId, pool: String, grants: Vec<Grant>) {
        if grants.iter().all(|grant| self.ledger.has(&grant.token)) && !grants.is_empty() {
            return;
        }
        match self.fitting(id, &pool, &grants) {
            Some(claim) => self.take_answer(now, id, claim, grants),
            None => self.lose(now, id, "it answered what it was not asked"),
        }
    }

    fn fitting(&self, id: PeerId, pool: &str, grants: &[Grant]) -> Option<ClaimId> {
        let claim = *self.peers.get(id)?.asked.front()?;
        let asking = self.claims.get(claim)?;
        let tokens: BTreeSet<&Token> = asking.tokens.iter().collect();
        let fits = asking.pool == pool && grants.iter().all(|grant| tokens.contains(&grant.token));
        fits.then_some(claim)
    }

    /// Grants that count end the claim; the others have used up their tokens all the same.
    fn take_answer(&mut self, now: Moment, id: PeerId, claim: ClaimId, grants: Vec<Grant>) {
        if let Some(peer) = self.peers.get_mut(id) {
            peer.asked.pop_front();
        }
        let used: BTreeSet<Token> = grants.iter().map(|grant| grant.token.clone()).collect();
        if let Some(asking) = self.claims.get_mut(claim) {
            asking.tokens.retain(|token| !used.contains(token));
        }
        let counting: Vec<Grant> = grants.into_iter().filter(|grant| self.counts(grant)).collect();
        if counting.is_empty() {
            self.advance(now, claim);
        } else {
            self.grant(now, id, claim, counting);
        }
    }

    /// Whether a grant is of the latest owner that is known.
    fn counts(&self, grant: &Grant) -> bool {
        self.epochs.raise(grant.shard, grant.epoch)
    }

    /// The worker gets what there is at once, and asks the others again by itself.
    fn grant(&mut self, now: Moment, id: PeerId, claim: ClaimId, grants: Vec<Grant>) {
        for grant in &grants {
            self.ledger.granted(grant.token.clone(), grant.job.clone());
        }
        if let Some(peer) = self.peers.get(id)
            && let Some(asking) = self.claims.get(claim)
        {
            self.after.insert(asking.pool.clone(), peer.member.clone());
        }
        let others = self.next_member(now, claim).is_some();
        let Some(asking) = self.claims.end(claim) else { return };
        let pool = asking.pool;
        self.actions.push(Action::Tell(ToWorker::Grants { pool: pool.clone(), grants }));
        if others {
            self.actions.push(Action::Ring(pool));
        }
    }
}
