//! What the link decides, without a socket or a clock: things happen, actions come out.
//!
//! ```text
//!  worker says ─┐                                  ┌─► Open, Close      sessions with schedulers
//!  map changes ─┤   claims  (asking.rs, hops.rs)   ├─► Send             to a scheduler
//!  peers say   ─┼─► peers   (peers.rs)             ├─► Tell, Ring       to the worker
//!  ticks       ─┘   ledger  (ledger.rs)            └─► Leave            the worker begins anew
//! ```
//! Who owns a shard is told by two sources. The map names members: with those sessions are opened. A scheduler's `Owns` tells
//! epochs: what is said of a job goes to the one with the highest, and only it is believed. `Owns` and its answer `Holds`
//! pass through the link between the grants, so that the worker's list is the truth of one moment; grants of a lower epoch
//! than any that was told are not passed on after it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use model::{Epoch, JobId, Shard, Token, WorkerId};
use ports::cluster::{ClusterMap, MemberView};
use ports::work::{FromWorker, HeldToken, ToWorker};

use super::asking::{Claims, HOP_MAX};
use super::known::{Epochs, Owners, Rung};
use super::ledger::{Ledger, job_of};
use super::peers::{Peer, Peers};

/// A session that nobody needs is kept for so long.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// `Owns` that the worker has not answered; it does so at once, so that more of them are a mistake.
const QUESTIONS_MAX: usize = 4_096;
/// The number of the link's own `Owns`, whose answer tells what the worker held before.
const FIRST_QUESTION: u64 = 0;

/// Time since the link began.
pub(super) type Moment = Duration;

/// A session with a scheduler; a later one with the same scheduler has another number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PeerId(pub(super) u64);

/// What is to be done.
#[derive(Debug)]
pub(super) enum Action {
    /// Open a session.
    Open { peer: PeerId, address: String },
    /// Forget a session, or the attempt to open it; nothing of it is of interest any more.
    Close { peer: PeerId, why: &'static str },
    /// Say something to a scheduler.
    Send(PeerId, FromWorker),
    /// Say something to the worker.
    Tell(ToWorker),
    /// The worker asks for work of this pool again.
    Ring(String),
    /// End the worker's session.
    Leave(&'static str),
}

/// An `Owns` that the worker has not answered.
#[derive(Debug)]
struct Question {
    peer: PeerId,
    number: u64,
    shards: BTreeMap<Shard, Epoch>,
}

/// The link's side of one session of the worker.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) worker: WorkerId,
    pub(super) epochs: Epochs,
    pub(super) rung: Rung,
    pub(super) owners: Owners,
    pub(super) ledger: Ledger,
    pub(super) claims: Claims,
    pub(super) peers: Peers,
    /// The member that each pool was last asked of.
    pub(super) after: BTreeMap<String, model::MemberId>,
    /// Shards that may hold a grant that never arrived: their owners are told what the worker holds.
    doubtful: BTreeSet<Shard>,
    known: BTreeSet<Shard>,
    questions: BTreeMap<u64, Question>,
    questions_made: u64,
    needs_review: bool,
    pub(super) actions: Vec<Action>,
}

impl Core {
    pub(super) fn new(worker: WorkerId, epochs: Epochs, rung: Rung) -> Core {
        let first = ToWorker::Owns { number: FIRST_QUESTION, shards: BTreeMap::new() };
        Core {
            worker,
            epochs,
            rung,
            owners: Owners::default(),
            ledger: Ledger::default(),
            claims: Claims::default(),
            peers: Peers::default(),
            after: BTreeMap::new(),
            doubtful: BTreeSet::new(),
            known: BTreeSet::new(),
            questions: BTreeMap::new(),
            questions_made: FIRST_QUESTION,
            needs_review: false,
            actions: vec![Action::Tell(first)],
        }
    }

    /// What came of the last inputs, in this order.
    pub(super) fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    // === inputs

    /// A newer map.
    pub(super) fn map(&mut self, now: Moment, map: std::sync::Arc<ClusterMap>) {
        let shards = self.owners.shards();
        self.owners.take(map);
        let new: Vec<Shard> =
            self.owners.named().filter(|shard| !self.known.contains(shard)).collect();
        self.known.extend(&new);
        self.doubtful.extend(new);
        for peer in self.outlived() {
            self.lose(now, peer, "its scheduler was started anew");
        }
        self.peers.forgive(|member| self.owners.member(member).is_some());
        self.recount(shards);
        self.needs_review = true;
        self.end_turn(now);
    }

    /// A session is open.
    pub(super) fn opened(&mut self, now: Moment, peer: PeerId) {
        let Some(dialled) = self.peers.get_mut(peer) else { return };
        (dialled.is_open, dialled.since, dialled.used) = (true, now, now);
        for claim in self.claims.dialling(peer) {
            self.put(now, claim, peer);
        }
        self.end_turn(now);
    }

    /// A session could not be opened, or is over.
    pub(super) fn closed(&mut self, now: Moment, peer: PeerId, why: &'static str) {
        self.lose(now, peer, why);
        self.end_turn(now);
    }

    /// A scheduler says something.
    pub(super) fn heard(&mut self, now: Moment, peer: PeerId, message: ToWorker) {
        if self.peers.get(peer).is_none() {
            return;
        }
        match message {
            ToWorker::Grants { pool, grants } => self.answered(now, peer, pool, grants),
            ToWorker::Owns { number, shards } => self.owns(peer, number, shards),
            ToWorker::FinishAcknowledged { token } => {
                let job = self.ledger.finished(&token).cloned();
                self.settled(
                    peer,
                    job,
                    &token,
                    ToWorker::FinishAcknowledged { token: token.clone() },
                );
            }
            ToWorker::StoppedAcknowledged { token } => {
                let job = self.ledger.stopped(&token).cloned();
                self.settled(
                    peer,
                    job,
                    &token,
                    ToWorker::StoppedAcknowledged { token: token.clone() },
                );
            }
            ToWorker::Stop { job, token } => {
                if self.speaks_for(peer, &job) {
                    self.actions.push(Action::Tell(ToWorker::Stop { job, token }));
                }
            }
        }
        self.end_turn(now);
    }

    /// The worker says something.
    pub(super) fn said(&mut self, now: Moment, message: FromWorker) {
        match message {
            FromWorker::Claim { pool, tokens } => self.ask(now, pool, tokens),
            FromWorker::Holds { number: FIRST_QUESTION, held } => {
                self.ledger.remember(held);
                self.needs_review = true;
            }
            FromWorker::Holds { number, held } => self.holds(number, held),
            FromWorker::Beat { tokens } => self.beat(tokens),
            FromWorker::Finish { job, action, token, result, next } => {
                let words =
                    FromWorker::Finish { job, action, token: token.clone(), result, next: None };
                self.finish(now, &token, words, next);
            }
            FromWorker::Progressed { ref token, .. } | FromWorker::Stopped { ref token, .. } => {
                let token = token.clone();
                self.pass_on(&token, message);
            }
        }
        if self.ledger.is_full() {
            self.actions.push(Action::Leave("too many results wait for an owner"));
        }
        self.end_turn(now);
    }

    /// Time passes.
    pub(super) fn tick(&mut self, now: Moment) {
        for peer in self.claims.slow_peers(now) {
            self.lose(now, peer, "it did not answer a claim in time");
        }
        for peer in self.peers.all(|peer| !peer.is_open && now >= peer.since + HOP_MAX) {
            self.lose(now, peer, "it did not take the session in time");
        }
        for claim in self.claims.late_diallers(now) {
            self.advance(now, claim);
        }
        self.close_idle(now);
        self.needs_review = true;
        self.end_turn(now);
    }

    fn end_turn(&mut self, now: Moment) {
        if std::mem::take(&mut self.needs_review) {
            self.open_needed(now);
        }
        for pool in self.claims.empty_answers() {
            let answer = ToWorker::Grants { pool, grants: Vec::new() };
            self.actions.push(Action::Tell(answer));
        }
    }

    // === sessions

    /// Sessions of processes that are gone, by what the map says of their members.
    fn outlived(&self) -> Vec<PeerId> {
        let is_outlived = |peer: &Peer| {
            self.owners.member(&peer.member).is_some_and(|member| !peer.is_of(member))
        };
        self.peers.all(is_outlived)
    }

    /// Owners that have to hear something, or to say what they own.
    fn needed(&self) -> Vec<MemberView> {
        let mut shards = self.ledger.shards(|job| self.owners.shard(job));
        shards.extend(&self.doubtful);
        let mut needed: Vec<MemberView> = Vec::new();
        for member in shards.into_iter().filter_map(|shard| self.owners.of(shard)) {
            if !needed.iter().any(|known| known.id == member.id) {
                needed.push(member.clone());
            }
        }
        needed
    }

    fn open_needed(&mut self, now: Moment) {
        let heard: Vec<Shard> =
            self.doubtful.iter().copied().filter(|s| self.is_heard(*s)).collect();
        self.doubtful.retain(|shard| !heard.contains(shard));
        for member in self.needed() {
            if self.peers.with(&member.id).is_none() {
                self.dial(now, &member);
            }
        }
    }

    pub(super) fn dial(&mut self, now: Moment, member: &MemberView) -> Option<PeerId> {
        let peer = self.peers.dial(now, member)?;
        self.actions.push(Action::Open { peer, address: member.address.clone() });
        Some(peer)
    }

    /// A session broke. What it was asked for may have been granted: that is found out when its shards' owners hear what the
    /// worker holds.
    pub(super) fn lose(&mut self, now: Moment, id: PeerId, why: &'static str) {
        let Some(peer) = self.forget(id, why) else { return };
        let chance = fnv1a(self.worker.as_str()).wrapping_add(id.0);
        self.peers.punish(now, &peer, chance);
        if peer.is_open {
            let named = self.owners.named().filter(|shard| self.owners.names(&peer.member, *shard));
            let lost = named.chain(peer.told.keys().copied());
            let doubtful: Vec<Shard> = lost.filter(|shard| self.owner(*shard).is_none()).collect();
            self.doubtful.extend(doubtful);
        }
        for claim in peer.asked {
            self.claims.void(claim);
        }
        for claim in self.claims.dialling(id) {
            self.pass_over(claim, peer.member.clone());
            self.advance(now, claim);
        }
        self.needs_review = true;
    }

    fn forget(&mut self, id: PeerId, why: &'static str) -> Option<Peer> {
        let peer = self.peers.remove(id)?;
        self.questions.retain(|_, question| question.peer != id);
        self.actions.push(Action::Close { peer: id, why });
        Some(peer)
    }

    fn close_idle(&mut self, now: Moment) {
        let needed = self.needed();
        let concerned = self.ledger.shards(|job| self.owners.shard(job));
        let is_idle = |peer: &Peer| {
            peer.is_open
                && peer.asked.is_empty()
                && now.saturating_sub(peer.used) >= IDLE_MAX
                && !needed.iter().any(|member| member.id == peer.member)
                && !peer.told.keys().any(|shard| concerned.contains(shard))
        };
        for peer in self.peers.all(is_idle) {
            self.forget(peer, "nobody needs it");
        }
    }

    // === owners

    /// A scheduler tells its epochs. The worker's list follows, of the moment after everything that was passed on so far.
    fn owns(&mut self, id: PeerId, number: u64, shards: BTreeMap<Shard, Epoch>) {
        let before = self.owners.shards();
        self.owners.note(shards.keys().max().copied());
        for (shard, epoch) in &shards {
            self.epochs.raise(*shard, *epoch);
        }
        if let Some(peer) = self.peers.get_mut(id) {
            peer.told = shards.clone();
        }
        self.questions_made += 1;
        let question = Question { peer: id, number, shards: shards.clone() };
        self.questions.insert(self.questions_made, question);
        if self.questions.len() > QUESTIONS_MAX {
            self.actions.push(Action::Leave("the worker does not say what it holds"));
        }
        let number = self.questions_made;
        self.actions.push(Action::Tell(ToWorker::Owns { number, shards }));
        self.recount(before);
    }

    /// The worker's list goes to the scheduler that asked; then it hears what is untold of its shards.
    fn holds(&mut self, number: u64, held: Vec<HeldToken>) {
        let Some(Question { peer: id, number, shards }) = self.questions.remove(&number) else {
            return;
        };
        let Some(peer) = self.peers.get_mut(id) else { return };
        let fresh: BTreeSet<Shard> = shards
            .iter()
            .filter(|(shard, epoch)| peer.routed.get(shard) != Some(epoch))
            .map(|(shard, _)| *shard)
            .collect();
        peer.routed = shards;
        self.actions.push(Action::Send(id, FromWorker::Holds { number, held }));
        let untold = self.ledger.untold(|job| fresh.contains(&self.owners.shard(job)));
        for message in untold {
            self.send_to_owner(message);
        }
        self.needs_review = true;
    }

    /// More shards are known than before: jobs have other shards than it seemed, so everything is said once more.
    fn recount(&mut self, before: u16) {
        if before == self.owners.shards() {
            return;
        }
        for message in self.ledger.untold(|_| true) {
            self.send_to_owner(message);
        }
        self.needs_review = true;
    }

    /// Whether nobody has told of a later owner of this job than this scheduler.
    fn speaks_for(&self, peer: PeerId, job: &JobId) -> bool {
        let shard = self.owners.shard(job);
        let told = self.peers.get(peer).and_then(|peer| peer.told.get(&shard));
        told.is_some_and(|epoch| self.epochs.is_highest(shard, *epoch))
    }

    /// Whether the owner of a shard has heard what the worker holds: what it granted and the worker never got is fenced.
    fn is_heard(&self, shard: Shard) -> bool {
        let owner = self.owner(shard).and_then(|peer| self.peers.get(peer));
        owner.is_some_and(|peer| self.owners.names(&peer.member, shard))
    }

    fn route(&self, job: &JobId) -> Option<PeerId> {
        self.owner(self.owners.shard(job))
    }

    /// The session with the owner of a shard, once it knows what the worker holds.
    fn owner(&self, shard: Shard) -> Option<PeerId> {
        let owns = |peer: &Peer| {
            peer.routed.get(&shard).is_some_and(|epoch| {
                peer.told.get(&shard) == Some(epoch) && self.epochs.is_highest(shard, *epoch)
            })
        };
        self.peers.find(owns).map(|(id, _)| id)
    }

    // === what concerns one attempt

    /// Says it when there is somebody to hear it; what is kept is said again when there is.
    fn send_to_owner(&mut self, message: FromWorker) {
        if let Some(peer) = job_of(&message).and_then(|job| self.route(job)) {
            self.actions.push(Action::Send(peer, message));
        }
    }

    fn pass_on(&mut self, token: &Token, message: FromWorker) {
        self.ledger.keep(token, message.clone());
        self.send_to_owner(message);
    }

    /// A result goes to the owner of its job, with the claim for the freed slot; that one goes elsewhere when it cannot.
    fn finish(
        &mut self,
        now: Moment,
        token: &Token,
        words: FromWorker,
        next: Option<(String, Vec<Token>)>,
    ) {
        self.ledger.keep(token, words.clone());
        let owner = job_of(&words).and_then(|job| self.route(job));
        match (owner, next) {
            (Some(peer), Some(next)) => self.finish_and_ask(now, peer, words, next),
            (Some(_), None) => self.send_to_owner(words),
            (None, Some((pool, tokens))) => self.ask(now, pool, tokens),
            (None, None) => {}
        }
    }

    fn settled(&mut self, peer: PeerId, job: Option<JobId>, token: &Token, message: ToWorker) {
        if job.is_some_and(|job| self.speaks_for(peer, &job)) {
            self.ledger.settle(token);
            self.actions.push(Action::Tell(message));
        }
    }

    fn beat(&mut self, tokens: Vec<Token>) {
        let mut beats: BTreeMap<PeerId, Vec<Token>> = BTreeMap::new();
        for token in tokens {
            if let Some(peer) = self.ledger.job(&token).and_then(|job| self.route(job)) {
                beats.entry(peer).or_default().push(token);
            }
        }
        for (peer, tokens) in beats {
            self.actions.push(Action::Send(peer, FromWorker::Beat { tokens }));
        }
    }
}

/// Spreads workers over schedulers and moments; the same for the same text.
pub(super) fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
