//! Commands: submits, and what people ask of a job.

use std::sync::Arc;

use engine::{Event, RerunRequest, Submission};
use model::{JobId, JobKind, Shard};
use ports::api::{ApiError, ApiErrorKind};
use ports::store::AppSource;

use crate::drive::Driver;
use crate::inbox::{Message, Reply};
use crate::poison;
use crate::turn::{Output, Turn, answer, moved};

/// Idempotency keys remembered after their commit, so that a late repeat finds them without the database.
const KEYS_MAX: usize = 10_000;

impl Driver {
    pub(crate) fn submit(
        &mut self,
        mut submission: Submission,
        source: Arc<AppSource>,
        key: Option<String>,
        reply: Reply<JobId>,
    ) {
        let mut turn = Turn::default();
        if let Some(known) = key.as_ref().and_then(|key| self.keys.get(key)) {
            let known = known.clone();
            turn.outputs.push(Output::Id(reply, known));
            return self.push(turn);
        }
        let Some(shard) = self.shard_for(key.as_deref()) else {
            return answer(
                reply,
                Err(ApiError::new(
                    ApiErrorKind::Unavailable,
                    "HW1010",
                    "this scheduler holds no shard; try again",
                )),
            );
        };
        let Ok(app) = self.world.apps.get(&submission.app, &source) else {
            return answer(
                reply,
                Err(ApiError::new(
                    ApiErrorKind::Internal,
                    "HW1011",
                    "the application cannot be read a second time",
                )),
            );
        };
        submission.id = self.next_id(shard);
        let id = submission.id.clone();
        turn.cause(&id, &Event::Submitted(Box::new(submission.clone())));
        turn.app(submission.app.clone(), source);
        if let Err(words) = self.create(&mut turn, app, &submission) {
            tracing::error!(words, "the engine stumbled over a submit");
            let message = format!(
                "the engine stumbled over `submitted`: {words}; nothing was stored; please report it with the definition"
            );
            return answer(
                reply,
                Err(ApiError::new(ApiErrorKind::Internal, poison::STUMBLED, message)),
            );
        }
        if let Some(key) = key {
            turn.submission(key.clone(), id.clone());
            self.remember_key(key, &id);
        }
        turn.outputs.push(Output::Id(reply, id));
        self.world.metrics.submitted();
        self.push(turn);
    }

    pub(crate) fn remember_key(&mut self, key: String, job: &JobId) {
        if self.key_order.len() >= KEYS_MAX
            && let Some(oldest) = self.key_order.pop_front()
        {
            self.keys.remove(&oldest);
        }
        self.key_order.push_back(key.clone());
        self.keys.insert(key, job.clone());
    }

    /// By hash of the key when there is one: a repeat meets the same driver, and never another one while a shard moves. Else where the next id is the lowest.
    fn shard_for(&self, key: Option<&str>) -> Option<Shard> {
        let shards = u64::from(self.cluster.shards);
        if let Some(key) = key {
            let shard = Shard(u16::try_from(fnv1a(key.as_bytes()) % shards).unwrap_or(0));
            return self.memory.shards.contains_key(&shard).then_some(shard);
        }
        self.memory
            .shards
            .iter()
            .min_by_key(|(shard, held)| (held.next_serial, shard.0))
            .map(|(shard, _)| *shard)
    }

    pub(crate) fn next_id(&mut self, shard: Shard) -> JobId {
        let count = self.memory.shards.get_mut(&shard).map_or(0, |held| {
            held.next_serial += 1;
            held.next_serial - 1
        });
        let serial =
            u64::try_from(count).unwrap_or(0) * u64::from(self.cluster.shards) + u64::from(shard.0);
        JobId::new(serial, &self.cluster.stamp, &self.cluster.system_id, JobKind::Workflow)
    }

    pub(crate) fn command(
        &mut self,
        job: JobId,
        event: Box<Event>,
        source: Option<Arc<AppSource>>,
        reply: Reply<()>,
    ) {
        if !self.memory.shards.contains_key(&job.shard(self.cluster.shards)) {
            return answer(reply, Err(moved()));
        }
        if !self.memory.jobs.contains_key(&job)
            || matches!(*event, Event::Rerun(_)) && self.needs_children(&job)
        {
            return self.park(job.clone(), Message::Command { job, event, source, reply });
        }
        self.command_loaded(job, *event, source, reply);
    }

    pub(crate) fn command_loaded(
        &mut self,
        job: JobId,
        event: Event,
        source: Option<Arc<AppSource>>,
        reply: Reply<()>,
    ) {
        let mut turn = Turn::default();
        turn.cause(&job, &event);
        let outcome = match (source, &event) {
            (Some(source), Event::Rerun(request)) => self.rerun(&mut turn, &job, request, source),
            _ => self.step(&mut turn, &job, event),
        };
        let outcome = match outcome {
            Err(rejection) if rejection.silent => {
                tracing::warn!(%job, code = rejection.code, reason = rejection.message, "command without effect");
                Ok(())
            }
            Err(rejection) if rejection.code == poison::STUMBLED => {
                Err(ApiError::new(ApiErrorKind::Internal, rejection.code, rejection.message))
            }
            Err(rejection) => {
                Err(ApiError::new(ApiErrorKind::BadRequest, rejection.code, rejection.message))
            }
            Ok(()) => Ok(()),
        };
        if turn.writes_nothing() {
            turn.confirm(job.shard(self.cluster.shards));
        }
        turn.outputs.push(Output::Done(reply, job, outcome));
        self.push(turn);
    }

    fn rerun(
        &mut self,
        turn: &mut Turn,
        job: &JobId,
        request: &RerunRequest,
        source: Arc<AppSource>,
    ) -> Result<(), engine::Rejection> {
        let refused = |_| engine::Rejection {
            code: "HW1011",
            message: "the application cannot be read a second time".to_owned(),
            silent: false,
        };
        let app = self.world.apps.get(&request.app, &source).map_err(refused)?;
        turn.app(request.app.clone(), source);
        self.step_with(turn, job, Event::Rerun(Box::new(request.clone())), Some(app))
    }

    /// Whether a rerun would reach for children that are not in memory.
    fn needs_children(&self, job: &JobId) -> bool {
        let Some(live) = self.memory.jobs.get(job) else { return true };
        let mut children = live.job.actions.values().filter_map(|action| action.child.as_ref());
        children.any(|child| {
            !self.memory.jobs.contains_key(child) && !self.loader.forgotten.contains(child)
        })
    }
}

/// FNV-1a, 64 bits: a stable hash for choosing shards.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
