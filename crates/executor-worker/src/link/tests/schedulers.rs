//! The schedulers of the random world, and the database that knows who of them may write.
//!
//! They are as bad as they may be: one that is deposed goes on until a commit is refused, and acknowledges what it does not
//! know without a commit.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use model::{Epoch, Shard, Token};
use ports::work::{FromWorker, HeldToken, ToWorker};

use super::world::{World, pool_of, shard_of};
use super::{SHARDS, grant};
use crate::link::core::PeerId;

/// What the database says of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Row {
    Ready,
    /// Under which token, and when.
    Claimed(Token, u64),
    Finished,
}

#[derive(Debug, Default)]
pub(super) struct Scheduler {
    pub(super) believes: BTreeMap<Shard, Epoch>,
    pub(super) memory: BTreeMap<usize, Row>,
    pub(super) session: Option<PeerId>,
}

/// An answer with the tokens of its claim and those that it used.
pub(super) type Down = (ToWorker, Option<(Vec<Token>, BTreeSet<Token>)>);

/// A session between the link and a scheduler.
#[derive(Debug, Default)]
pub(super) struct Wire {
    pub(super) scheduler: usize,
    pub(super) is_open: bool,
    pub(super) is_left: bool,
    pub(super) up: VecDeque<FromWorker>,
    pub(super) down: VecDeque<Down>,
    pub(super) owns: BTreeMap<u64, (BTreeMap<Shard, Epoch>, u64)>,
}

impl World {
    pub(super) fn take(&mut self, scheduler: usize, shard: Shard) {
        let epoch = self.owners[&shard].0.next();
        self.owners.insert(shard, (epoch, scheduler));
        let one = &mut self.schedulers[scheduler];
        one.believes.insert(shard, epoch);
        for (attempt, row) in self.rows.iter().enumerate() {
            if shard_of(attempt) == shard {
                one.memory.insert(attempt, row.clone());
            }
        }
        self.tell_owned(scheduler);
    }

    /// It reads its epochs, and drops what it has lost.
    pub(super) fn reread(&mut self, scheduler: usize) {
        let one = &mut self.schedulers[scheduler];
        let before = one.believes.len();
        one.believes.retain(|shard, epoch| self.owners[shard] == (*epoch, scheduler));
        if one.believes.len() != before {
            self.tell_owned(scheduler);
        }
    }

    pub(super) fn tell_owned(&mut self, scheduler: usize) {
        self.order += 1;
        let shards = self.schedulers[scheduler].believes.clone();
        let Some(wire) = self.wire_of(scheduler) else { return };
        let number = wire.1.owns.len() as u64 + 1;
        wire.1.owns.insert(number, (shards.clone(), wire.0));
        wire.1.down.push_back((ToWorker::Owns { number, shards }, None));
    }

    fn wire_of(&mut self, scheduler: usize) -> Option<(u64, &mut Wire)> {
        let peer = self.schedulers[scheduler].session?;
        Some((self.order, self.wires.get_mut(&(self.session, peer))?))
    }

    /// Writes a row, unless somebody else owns its shard.
    fn commit(&mut self, scheduler: usize, attempt: usize, row: Row) -> bool {
        let shard = shard_of(attempt);
        let one = &mut self.schedulers[scheduler];
        let Some(epoch) = one.believes.get(&shard) else { return false };
        if self.owners[&shard] != (*epoch, scheduler) {
            one.believes.remove(&shard);
            return false;
        }
        self.order += 1;
        one.memory.insert(attempt, row.clone());
        self.rows[attempt] = row;
        true
    }

    pub(super) fn hear(&mut self, key: (u64, PeerId), message: FromWorker) {
        let scheduler = self.wires[&key].scheduler;
        let is_present = key.0 == self.session && self.schedulers[scheduler].session == Some(key.1);
        if !is_present {
            return;
        }
        match message {
            FromWorker::Claim { pool, tokens } => self.grant(key, scheduler, pool, tokens),
            FromWorker::Holds { number, held } => self.compare(key, scheduler, number, &held),
            FromWorker::Finish { job, token, next, .. } => {
                self.finished(key, scheduler, job.serial() as usize, token);
                if let Some((pool, tokens)) = next {
                    self.grant(key, scheduler, pool, tokens);
                }
            }
            FromWorker::Stopped { job, token } => {
                if self.schedulers[scheduler].believes.contains_key(&job.shard(SHARDS)) {
                    self.down(key, ToWorker::StoppedAcknowledged { token });
                }
            }
            FromWorker::Beat { .. } | FromWorker::Progressed { .. } => {}
        }
    }

    fn down(&mut self, key: (u64, PeerId), message: ToWorker) {
        self.wires.get_mut(&key).expect("it exists").down.push_back((message, None));
    }

    fn grant(&mut self, key: (u64, PeerId), scheduler: usize, pool: String, tokens: Vec<Token>) {
        let (mut grants, mut used) = (Vec::new(), BTreeSet::new());
        for token in &tokens {
            let ready =
                |(attempt, row): &(&usize, &Row)| **row == Row::Ready && pool_of(**attempt) == pool;
            let memory = &self.schedulers[scheduler].memory;
            let best = memory.iter().find(ready).map(|(attempt, _)| *attempt);
            let Some(attempt) = best else { break };
            let epoch = self.schedulers[scheduler].believes.get(&shard_of(attempt)).copied();
            if self.commit(scheduler, attempt, Row::Claimed(token.clone(), self.order)) {
                grants.push(grant(token, attempt as u64, epoch.expect("committed").0));
                used.insert(token.clone());
            } else {
                self.schedulers[scheduler].memory.remove(&attempt);
            }
        }
        let answer = (ToWorker::Grants { pool, grants }, Some((tokens, used)));
        self.wires.get_mut(&key).expect("it exists").down.push_back(answer);
    }

    /// A scheduler that knows nothing of a token, also one that does not know that it is deposed, acknowledges at once.
    fn finished(&mut self, key: (u64, PeerId), scheduler: usize, attempt: usize, token: Token) {
        let one = &self.schedulers[scheduler];
        if !one.believes.contains_key(&shard_of(attempt)) {
            return;
        }
        let counts =
            matches!(one.memory.get(&attempt), Some(Row::Claimed(claim, _)) if *claim == token);
        if !counts || self.commit(scheduler, attempt, Row::Finished) {
            self.down(key, ToWorker::FinishAcknowledged { token });
        }
    }

    fn compare(&mut self, key: (u64, PeerId), scheduler: usize, number: u64, held: &[HeldToken]) {
        let (shards, order) = self.wires[&key].owns[&number].clone();
        let is_held = |token: &Token| held.iter().any(|held| held.token == *token);
        let memory = self.schedulers[scheduler].memory.clone();
        for (attempt, row) in &memory {
            let shard = shard_of(*attempt);
            let is_same = self.schedulers[scheduler].believes.get(&shard) == shards.get(&shard);
            if let Row::Claimed(token, at) = row
                && (is_same && *at < order && !is_held(token))
            {
                self.commit(scheduler, *attempt, Row::Ready);
            }
        }
        for HeldToken { token, job } in held {
            let attempt = job.serial() as usize;
            let knows =
                matches!(memory.get(&attempt), Some(Row::Claimed(claim, _)) if claim == token);
            if !knows && self.schedulers[scheduler].believes.contains_key(&shard_of(attempt)) {
                self.down(key, ToWorker::Stop { job: job.clone(), token: token.clone() });
            }
        }
    }
}
