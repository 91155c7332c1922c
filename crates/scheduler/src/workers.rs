//! What the driver does for workers: sessions, late-binding claims, grants, results, stops.

use std::collections::BTreeSet;
use std::sync::Arc;

use engine::Event;
use model::{AttemptResult, Failure, JobId, NodeName, Success, Token};
use ports::store::normalised;
use ports::work::{CLAIM_TOKENS_MAX, FromWorker, Grant, HeldToken, Hello, ToWorker};
use tokio::sync::mpsc;

use crate::drive::Driver;
use crate::inbox::{Message, SessionId};
use crate::memory::Live;
use crate::poison;
use crate::turn::{Output, Turn};

/// Bytes kept of a message, a code or an id that a worker tells.
const TEXT_BYTES_MAX: usize = 64 << 10;
/// Bytes kept of captured output and of lists of ids: what a supervisor captures at most.
const DATA_BYTES_MAX: usize = 16 << 20;

impl Driver {
    pub(crate) fn opened(
        &mut self,
        session: SessionId,
        hello: Hello,
        to_worker: mpsc::Sender<ToWorker>,
    ) {
        let worker = hello.worker.clone();
        self.sessions.open(session, hello, to_worker);
        self.tell_shards(session);
        self.repeat_stops(Some(&worker));
    }

    /// Says what is owned now to everybody who is connected: after each take.
    pub(crate) fn announce_shards(&mut self) {
        let sessions: Vec<SessionId> = self.sessions.all().map(|(session, _)| session).collect();
        sessions.into_iter().for_each(|session| self.tell_shards(session));
    }

    /// In a turn, so that grants that were made before leave before.
    fn tell_shards(&mut self, session: SessionId) {
        let shards = self.memory.shards.iter().map(|(shard, held)| (*shard, held.epoch)).collect();
        let Some(connected) = self.sessions.get_mut(session) else { return };
        connected.number += 1;
        connected.held = None;
        connected.ended.clear();
        connected.claimed_since.clear();
        let number = connected.number;
        let mut turn = Turn::default();
        turn.outputs.push(Output::ToWorker(session, ToWorker::Owns { number, shards }));
        self.push(turn);
    }

    /// A worker lists what it holds.
    fn holds(&mut self, session: SessionId, number: u64, held: Vec<HeldToken>) {
        let Some(connected) = self.sessions.get_mut(session) else { return };
        if connected.number != number {
            return;
        }
        connected.held = Some(held.into_iter().map(|held| (held.token, held.job)).collect());
        let live: BTreeSet<JobId> = self.memory.jobs.keys().cloned().collect();
        self.compare_one(session, &live);
    }

    /// Compares the claims of jobs that came into memory with what their workers say that they hold.
    pub(crate) fn compare_with_workers(&mut self, came: &BTreeSet<JobId>) {
        let sessions: Vec<SessionId> = self.sessions.all().map(|(session, _)| session).collect();
        sessions.into_iter().for_each(|session| self.compare_one(session, came));
    }

    /// Claims that never reached their worker are given out anew; what a worker holds and no row knows is stopped.
    fn compare_one(&mut self, session: SessionId, jobs: &BTreeSet<JobId>) {
        let Some(connected) = self.sessions.get(session) else { return };
        let Some(held) = &connected.held else { return };
        let worker = &connected.hello.worker;
        let is_lost = |(token, (job, action)): &(&Token, &(JobId, NodeName))| {
            jobs.contains(job)
                && connected.lacks(token)
                && self.claimed_by(job, action) == Some(worker)
                && !self.stands_aside(job)
        };
        let lost: Vec<(JobId, Token)> = self
            .memory
            .tokens
            .iter()
            .filter(is_lost)
            .map(|(token, (job, _))| (job.clone(), token.clone()))
            .collect();
        let unknown: Vec<(JobId, Token)> = held
            .iter()
            .filter(|(token, job)| !connected.ended.contains(*token) && self.is_unknown(token, job))
            .map(|(token, job)| (job.clone(), token.clone()))
            .collect();
        for (job, token) in lost {
            let mut turn = Turn::default();
            self.absorb(&mut turn, &job, Event::Returned { token });
            self.push(turn);
        }
        for (job, token) in unknown {
            let mut turn = Turn::default();
            turn.confirm(job.shard(self.cluster.shards));
            turn.outputs.push(Output::StopUnknown(session, job, token));
            self.push(turn);
        }
    }

    /// A token for a job of ours that stands in no row: its grant was forgotten by a database that was set back, or it is
    /// over and the worker has not heard so. Either way nothing may run under it (S-9).
    fn is_unknown(&self, token: &Token, job: &JobId) -> bool {
        let stopping = |live: &Live| live.job.header.stopping.contains_key(token);
        self.speaks_for(job)
            && !self.memory.tokens.contains_key(token)
            && !self.memory.jobs.get(job).is_some_and(stopping)
    }

    /// Whether what is in memory is the whole truth about a job: its shard is held, it was loaded, and it can be read.
    fn speaks_for(&self, job: &JobId) -> bool {
        self.memory.shards.contains_key(&job.shard(self.cluster.shards))
            && !self.memory.unreadable.contains(job)
            && !self.memory.unloaded.contains(job)
    }

    /// What its worker has told may be among what was put aside: nothing of it is given out anew until it is resumed.
    fn stands_aside(&self, job: &JobId) -> bool {
        self.memory.jobs.get(job).is_some_and(|live| poison::stands_aside(&live.job.header))
    }

    fn claimed_by(&self, job: &JobId, action: &NodeName) -> Option<&model::WorkerId> {
        self.memory.jobs.get(job)?.job.action(action)?.claim.as_ref().map(|claim| &claim.worker)
    }

    /// Stops are repeated until they are confirmed (architecture §4).
    pub(crate) fn repeat_stops(&mut self, worker: Option<&model::WorkerId>) {
        let mut turn = Turn::default();
        for (id, live) in &self.memory.jobs {
            for (token, stopping) in &live.job.header.stopping {
                if worker.is_none_or(|worker| *worker == stopping.worker) {
                    turn.outputs.push(Output::Stop(
                        stopping.worker.clone(),
                        id.clone(),
                        token.clone(),
                    ));
                }
            }
        }
        self.push(turn);
    }

    pub(crate) fn said(&mut self, session: SessionId, message: FromWorker) {
        if self.sessions.get(session).is_none() {
            return;
        }
        if let Some(job) = job_of(&message).filter(|job| self.memory.unloaded.contains(job)) {
            return self.park(job.clone(), Message::Said { session, message });
        }
        self.note_end(session, &message);
        let mut turn = Turn::default();
        match message {
            FromWorker::Claim { pool, tokens } => self.claim(&mut turn, session, &pool, tokens),
            FromWorker::Beat { .. } => {}
            FromWorker::Holds { number, held } => self.holds(session, number, held),
            FromWorker::Progressed { job, action, token, external_id, console_url } => {
                let [external_id, console_url] = [external_id, console_url].map(short);
                self.absorb(
                    &mut turn,
                    &job,
                    Event::Progressed { action, token, external_id, console_url },
                );
            }
            FromWorker::Finish { job, action, token, result, next } => {
                self.world.metrics.finished(&result);
                let result = storable(result);
                self.absorb(
                    &mut turn,
                    &job,
                    Event::Finished { action, token: token.clone(), result },
                );
                self.acknowledge(&mut turn, session, job, ToWorker::FinishAcknowledged { token });
                if let Some((pool, tokens)) = next {
                    self.claim(&mut turn, session, &pool, tokens);
                }
            }
            FromWorker::Stopped { job, token } => {
                self.absorb(&mut turn, &job, Event::Stopped { token: token.clone() });
                self.acknowledge(&mut turn, session, job, ToWorker::StoppedAcknowledged { token });
            }
        }
        self.push(turn);
    }

    fn note_end(&mut self, session: SessionId, message: &FromWorker) {
        let (FromWorker::Finish { token, .. } | FromWorker::Stopped { token, .. }) = message else {
            return;
        };
        let Some(connected) = self.sessions.get_mut(session) else { return };
        if connected.held.as_ref().is_some_and(|held| held.contains_key(token)) {
            connected.ended.insert(token.clone());
        }
    }

    /// What was told of a job of another scheduler's stays with the worker, for that one to hear.
    fn acknowledge(&self, turn: &mut Turn, session: SessionId, job: JobId, message: ToWorker) {
        if self.speaks_for(&job) {
            turn.confirm(job.shard(self.cluster.shards));
            turn.outputs.push(Output::Acknowledge(session, job, message));
        }
    }

    /// Late binding: the best offers of the pool, one a token. A repeated token gets what it got.
    fn claim(&mut self, turn: &mut Turn, session: SessionId, pool: &str, tokens: Vec<Token>) {
        let Some(hello) = self.sessions.get(session).map(|connected| connected.hello.clone())
        else {
            return;
        };
        let mut grants = Vec::new();
        for token in tokens.into_iter().take(CLAIM_TOKENS_MAX) {
            if let Some((job, action)) = self.memory.tokens.get(&token).cloned() {
                grants.extend(self.grant(&job, &action, &token));
            } else if let Some(grant) = self.claim_one(turn, session, &hello, pool, token) {
                grants.push(grant);
            }
        }
        self.world.metrics.granted(grants.len());
        turn.outputs
            .push(Output::ToWorker(session, ToWorker::Grants { pool: pool.to_owned(), grants }));
        if self.ready.has(pool)
            && let Some(shard) = self.memory.shards.keys().next().copied()
        {
            turn.outputs.push(Output::Ring(pool.into(), shard));
        }
    }

    fn claim_one(
        &mut self,
        turn: &mut Turn,
        session: SessionId,
        hello: &Hello,
        pool: &str,
        token: Token,
    ) -> Option<Grant> {
        while let Some(offer) = self.ready.take(pool) {
            let claim = model::Claim {
                worker: hello.worker.clone(),
                incarnation: hello.incarnation,
                token: token.clone(),
            };
            let event = Event::Claimed { action: offer.action.clone(), of: offer.of, claim };
            if self.memory.jobs.contains_key(&offer.job)
                && self.step(turn, &offer.job, event.clone()).is_ok()
            {
                turn.cause(&offer.job, &event);
                if let Some(connected) = self.sessions.get_mut(session) {
                    connected.claimed_since.insert(token.clone());
                }
                return self.grant(&offer.job, &offer.action, &token);
            }
        }
        None
    }

    fn grant(&self, job: &JobId, name: &NodeName, token: &Token) -> Option<Grant> {
        let live = self.memory.jobs.get(job)?;
        let action = live
            .job
            .action(name)
            .filter(|action| action.claim.as_ref().is_some_and(|claim| claim.token == *token))?;
        let shard = job.shard(self.cluster.shards);
        let header = &live.job.header;
        Some(Grant {
            token: token.clone(),
            job: job.clone(),
            app_name: Arc::clone(&header.app_name),
            action: name.clone(),
            kind: Arc::clone(&action.kind),
            run: action.run,
            attempt: action.attempt,
            retries: action.retries + action.user_retry.count,
            body: action.conf.clone().unwrap_or_else(|| "".into()),
            user: Arc::clone(&header.user),
            app_path: Arc::clone(&header.app_path),
            conf: Arc::clone(&header.conf),
            pool: Arc::clone(&action.pool),
            shard,
            epoch: self.memory.shards.get(&shard)?.epoch,
            traceparent: None,
        })
    }
}

/// The job that a message speaks of.
fn job_of(message: &FromWorker) -> Option<&JobId> {
    match message {
        FromWorker::Progressed { job, .. }
        | FromWorker::Finish { job, .. }
        | FromWorker::Stopped { job, .. } => Some(job),
        FromWorker::Claim { .. } | FromWorker::Holds { .. } | FromWorker::Beat { .. } => None,
    }
}

/// A text as both databases store it.
fn short(text: Option<String>) -> Option<String> {
    text.map(|text| normalised(&text, TEXT_BYTES_MAX))
}

fn long(text: Option<String>) -> Option<String> {
    text.map(|text| normalised(&text, DATA_BYTES_MAX))
}

/// A result whose texts every database takes.
fn storable(result: AttemptResult) -> AttemptResult {
    match result {
        AttemptResult::Succeeded(success) => AttemptResult::Succeeded(Success {
            data: long(success.data),
            stats: long(success.stats),
            external_child_ids: long(success.external_child_ids),
            external_id: short(success.external_id),
            external_status: short(success.external_status),
        }),
        AttemptResult::Failed(failure) => AttemptResult::Failed(Failure {
            code: normalised(&failure.code, TEXT_BYTES_MAX),
            message: normalised(&failure.message, TEXT_BYTES_MAX),
            data: long(failure.data),
            external_id: short(failure.external_id),
            external_status: short(failure.external_status),
            ..failure
        }),
    }
}
