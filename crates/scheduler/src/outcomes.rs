//! The four ends of a commit (architecture §3).

use std::collections::BTreeSet;
use std::time::Duration;

use model::{JobId, Shard};
use ports::api::{ApiError, ApiErrorKind};
use ports::store::{CommitOutcome, ShardState};
use ports::work::ToWorker;

use crate::drive::{Driver, Flight};
use crate::memory::Live;
use crate::turn::{Output, Turn, answer};

/// First wait before a batch that the database could not take is sent again; doubled up to [`AGAIN_MAX`].
pub(crate) const AGAIN_FIRST: Duration = Duration::from_millis(50);
/// Longest wait between tries of the same batch.
pub(crate) const AGAIN_MAX: Duration = Duration::from_secs(2);

pub(crate) fn unknown() -> ApiError {
    let words = "the database broke off while this was written: it may have happened or not; look, or repeat it with its Idempotency-Key";
    ApiError::new(ApiErrorKind::Unavailable, "HW1012", words)
}

impl Driver {
    /// The batch under way came to an end.
    pub(crate) async fn landed(&mut self, outcome: CommitOutcome) {
        let Some(flight) = self.flight.take() else { return };
        self.world.metrics.committed(&outcome);
        match outcome {
            CommitOutcome::Committed => self.committed(flight),
            CommitOutcome::Fenced(rows) => self.fenced(flight, &rows),
            CommitOutcome::Rejected(why) => Box::pin(self.rejected(flight, &why)).await,
            CommitOutcome::Unavailable(why) => self.again(flight, &why).await,
            CommitOutcome::Unknown(why) => self.unknown(flight, &why).await,
        }
    }

    pub(crate) fn committed(&mut self, flight: Flight) {
        for (shard, lines) in &flight.lines {
            if let Some(held) = self.memory.shards.get_mut(shard) {
                held.pos += lines;
            }
        }
        let jobs: BTreeSet<JobId> = flight.turns.iter().flat_map(Turn::jobs_touched).collect();
        self.world.announce(&jobs);
        self.release(flight.turns);
        self.forget_of(jobs);
    }

    /// Lets the outputs of committed turns go.
    pub(crate) fn release(&mut self, turns: Vec<Turn>) {
        for output in turns.into_iter().flat_map(|turn| turn.outputs) {
            match output {
                Output::Id(reply, job) => answer(reply, Ok(job)),
                Output::Done(reply, _, outcome) => answer(reply, outcome),
                Output::ToWorker(session, message) | Output::Acknowledge(session, _, message) => {
                    self.sessions.send(session, message)
                }
                Output::Stop(worker, job, token) => {
                    if let Some(session) = self.sessions.of(&worker) {
                        self.sessions.send(session, ToWorker::Stop { job, token });
                    }
                }
                Output::StopUnknown(session, job, token) => {
                    self.sessions.send(session, ToWorker::Stop { job, token });
                }
                Output::Outside(errand, outside) => self.world.go(errand, outside),
                Output::Ring(pool, shard) => {
                    if self.ready.has(&pool) {
                        self.world.bells.ring(&pool, shard);
                    }
                }
            }
        }
    }

    /// Forgets jobs that are over, unless turns that touch them are still to be committed.
    fn forget_of(&mut self, jobs: BTreeSet<JobId>) {
        let busy: BTreeSet<JobId> = self.pending.iter().flat_map(Turn::jobs_touched).collect();
        for job in jobs {
            if !busy.contains(&job) && self.memory.jobs.get(&job).is_some_and(Live::is_done) {
                self.forget(&job);
            }
        }
    }

    /// Forgets all that is over, while nothing is under way.
    pub(crate) fn forget_done(&mut self) {
        if self.flight.is_some() || !self.pending.is_empty() {
            return;
        }
        let done: Vec<JobId> = self
            .memory
            .jobs
            .iter()
            .filter(|(_, live)| live.is_done())
            .map(|(job, _)| job.clone())
            .collect();
        for job in done {
            self.forget(&job);
        }
    }

    fn forget(&mut self, job: &JobId) {
        self.loader.forget(job);
        self.memory.remove(job);
    }

    /// Definitely not in: drop the shards that moved on, never take them back uninvited, send the rest unchanged.
    fn fenced(&mut self, flight: Flight, rows: &[ShardState]) {
        let differs = |row: &&ShardState| {
            self.memory.shards.get(&row.shard).is_none_or(|held| {
                held.epoch != row.epoch || held.nonce != row.owner_nonce || held.pos != row.pos
            })
        };
        let mut lost: BTreeSet<Shard> = rows.iter().filter(differs).map(|row| row.shard).collect();
        if lost.is_empty() {
            lost = flight.lines.keys().copied().collect();
        }
        tracing::warn!(shards = ?lost, "shards were taken by another scheduler");
        self.member.lost_unplanned(self.world.clock.now());
        self.lose(&lost);
        let mut turns = flight.turns;
        for turn in &mut turns {
            turn.drop_shards(&lost, self.cluster.shards);
        }
        self.flight = Some(self.flight_of(turns));
    }

    /// Drops shards with everything that is in memory of them.
    pub(crate) fn lose(&mut self, lost: &BTreeSet<Shard>) {
        self.loader.takes += 1;
        for shard in lost {
            for job in self.memory.drop_shard(*shard, self.cluster.shards) {
                self.ready.withdraw_job(&job);
                self.memory.errands.retain(|errand| *errand.job() != job);
            }
        }
        let shards = self.cluster.shards;
        self.keys.retain(|_, job| !lost.contains(&job.shard(shards)));
        for turn in &mut self.pending {
            turn.drop_shards(lost, shards);
        }
        self.publish_vitals();
    }

    /// Not in, and the database could not help it (a full disk, a restart): the same batch again, until it goes in.
    async fn again(&mut self, flight: Flight, why: &str) {
        tracing::error!(why, "the database cannot write now; trying again");
        self.world.store_trouble(Some(why));
        let wait = self.world.next_wait(AGAIN_FIRST, AGAIN_MAX);
        tokio::time::sleep(wait).await;
        self.flight = Some(self.flight_of(flight.turns));
    }

    /// Nobody knows whether it is in: forget everything of those shards, take them again, load (S-1). A claim may be stored
    /// whose grant never left; so the workers are made to come back and list what they hold.
    async fn unknown(&mut self, flight: Flight, why: &str) {
        tracing::error!(why, "the outcome of a commit is unknown; taking the shards again");
        let shards: BTreeSet<Shard> = flight.lines.keys().copied().collect();
        for turn in flight.turns {
            turn.refuse(&unknown());
        }
        self.lose(&shards);
        self.sessions.close_all();
        self.take_back(shards).await;
    }

    /// Job trees that are old enough and over go away, as an event of their driver. A tree that somebody has just reached
    /// for is in memory and stays until the next time.
    pub(crate) fn purge(&mut self, trees: Vec<Vec<JobId>>) {
        let mut turn = Turn::default();
        for tree in trees {
            let here =
                |job: &JobId| self.memory.shards.contains_key(&job.shard(self.cluster.shards));
            let idle = |job: &JobId| {
                !self.memory.jobs.contains_key(job) && !self.loader.parked.contains_key(job)
            };
            if tree.iter().all(|job| here(job) && idle(job)) {
                tree.into_iter().for_each(|job| turn.job_gone(job));
            }
        }
        self.push(turn);
    }

    /// Commits what is there and lets go of the shards.
    pub(crate) async fn wind_down(mut self) {
        self.send_batch();
        while let Some(mut flight) = self.flight.take() {
            match flight.commit.as_mut().await {
                CommitOutcome::Committed => self.committed(flight),
                other => {
                    tracing::warn!(?other, "the last batch did not go in");
                    return;
                }
            }
            self.send_batch();
        }
        self.world.release(&self.memory.shards).await;
    }
}
