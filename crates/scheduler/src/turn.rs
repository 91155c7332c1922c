//! A turn: what handling one message changes in the database, and what leaves once that is committed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::{AttemptRef, ENGINE_VERSION, Event};
use model::{ActionId, AppDigest, Configuration, JobId, NodeName, ParentRef, Shard, Timestamp};
use ports::api::{ApiError, ApiErrorKind};
use ports::store::{ActionRow, AppSource, Batch, Fence, HistoryLine, JobRow, QuarantinedEvent};
use ports::work::ToWorker;

use crate::inbox::{Reply, SessionId};
use crate::memory::{Errand, Held};

/// What leaves after the commit.
pub(crate) enum Output {
    /// An answer to a submit.
    Id(Reply<JobId>, JobId),
    /// An answer to a command.
    Done(Reply<()>, JobId, Result<(), ApiError>),
    /// A message to a worker.
    ToWorker(SessionId, ToWorker),
    /// The end of an attempt of this job is stored: its worker may forget it. Never leaves for a shard that was lost, since
    /// then nothing is stored.
    Acknowledge(SessionId, JobId, ToWorker),
    /// A stop for whoever holds the token now.
    Stop(model::WorkerId, JobId, model::Token),
    /// A stop for a token that no row knows.
    StopUnknown(SessionId, JobId, model::Token),
    /// Work outside.
    Outside(Errand, Outside),
    /// A pool has work.
    Ring(Arc<str>, Shard),
}

/// Work outside of the driver.
pub(crate) enum Outside {
    /// Answer questions.
    Ask {
        /// Of which action.
        action: NodeName,
        /// And attempt.
        of: AttemptRef,
        /// As whom.
        user: Arc<str>,
        /// The questions.
        questions: Vec<(String, Vec<String>)>,
    },
    /// Read the application of a child.
    ReadChild {
        /// Of which action.
        action: NodeName,
        /// And attempt.
        of: AttemptRef,
        /// As whom.
        user: Arc<str>,
        /// Where.
        app_path: String,
        /// With which configuration.
        conf: Box<Configuration>,
        /// How it stands to its parent.
        parent: Box<ParentRef>,
        /// The child to rerun in place.
        rerun_of: Option<JobId>,
    },
    /// Send a notification.
    Notify {
        /// Which.
        number: u64,
        /// Where.
        url: String,
        /// Through what.
        proxy: Option<String>,
    },
}

enum ActionChange {
    Row(ActionRow),
    Gone,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Turn {
    lines: Vec<(JobId, Timestamp, Event)>,
    /// The events from outside that it was made of; what they lead to in the family is not among them.
    causes: Vec<(JobId, Event)>,
    jobs: BTreeMap<JobId, JobRow>,
    actions: BTreeMap<(JobId, NodeName), ActionChange>,
    apps: BTreeMap<AppDigest, Arc<AppSource>>,
    submissions: Vec<(String, JobId)>,
    quarantined: Vec<QuarantinedEvent>,
    gone_jobs: Vec<JobId>,
    /// Shards whose fence must hold although nothing of them is written: what leaves says that something is so.
    confirmed: BTreeSet<Shard>,
    /// What leaves after the commit.
    pub(crate) outputs: Vec<Output>,
}

/// What a turn was made of, and who waits for it.
pub(crate) struct Parts {
    /// The events from outside, in order.
    pub(crate) causes: Vec<(JobId, Event)>,
    /// Definitions that came with them.
    pub(crate) apps: BTreeMap<AppDigest, Arc<AppSource>>,
    /// Idempotency keys that came with them.
    pub(crate) submissions: Vec<(String, JobId)>,
    /// What was to leave.
    pub(crate) outputs: Vec<Output>,
}

impl Turn {
    /// Records an event; it becomes a line of history.
    pub(crate) fn line(&mut self, job: &JobId, at: Timestamp, event: &Event) {
        self.lines.push((job.clone(), at, event.clone()));
    }

    /// Records a job's row; a configuration that was recorded before stays.
    pub(crate) fn job(&mut self, row: JobRow) {
        let id = row.header.id.clone();
        let conf = row
            .conf
            .clone()
            .or_else(|| self.jobs.get(&id).and_then(|earlier| earlier.conf.clone()));
        self.jobs.insert(id, JobRow { conf, ..row });
    }

    /// Records an action's row.
    pub(crate) fn action(&mut self, row: ActionRow) {
        self.actions.insert((row.job.clone(), row.action.name.clone()), ActionChange::Row(row));
    }

    /// Records that an action is gone.
    pub(crate) fn action_gone(&mut self, job: &JobId, name: &NodeName) {
        self.actions.insert((job.clone(), name.clone()), ActionChange::Gone);
    }

    /// Records a definition.
    pub(crate) fn app(&mut self, digest: AppDigest, source: Arc<AppSource>) {
        self.apps.insert(digest, source);
    }

    /// Records an idempotency key.
    pub(crate) fn submission(&mut self, key: String, job: JobId) {
        self.submissions.push((key, job));
    }

    /// Records an event that was put aside.
    pub(crate) fn quarantined(&mut self, event: QuarantinedEvent) {
        self.quarantined.push(event);
    }

    /// Records that a job is purged.
    pub(crate) fn job_gone(&mut self, job: JobId) {
        self.gone_jobs.push(job);
    }

    /// Lets nothing leave unless this shard is still held: a deposed owner that has not noticed must not say that a job is
    /// over, or not there.
    pub(crate) fn confirm(&mut self, shard: Shard) {
        self.confirmed.insert(shard);
    }

    /// Whether nothing is to be written.
    pub(crate) fn writes_nothing(&self) -> bool {
        self.rows() == 0
    }

    /// How many rows it writes.
    pub(crate) fn rows(&self) -> usize {
        self.lines.len()
            + self.jobs.len()
            + self.actions.len()
            + self.apps.len()
            + self.submissions.len()
            + self.gone_jobs.len()
            + self.quarantined.len()
            + self.confirmed.len()
    }

    /// The jobs it changes.
    pub(crate) fn jobs_touched(&self) -> BTreeSet<JobId> {
        let lines = self.lines.iter().map(|(job, _, _)| job);
        lines
            .chain(self.jobs.keys())
            .chain(self.actions.keys().map(|(job, _)| job))
            .chain(&self.gone_jobs)
            .cloned()
            .collect()
    }

    /// Records an event from outside.
    pub(crate) fn cause(&mut self, job: &JobId, event: &Event) {
        self.causes.push((job.clone(), event.clone()));
    }

    /// Takes it apart, so that it can be made again from what it was made of.
    pub(crate) fn into_parts(self) -> Parts {
        Parts {
            causes: self.causes,
            apps: self.apps,
            submissions: self.submissions,
            outputs: self.outputs,
        }
    }

    /// Takes everything of these shards out; who waits for it learns that the shard is gone.
    pub(crate) fn drop_shards(&mut self, gone: &BTreeSet<Shard>, shards: u16) {
        let kept = |job: &JobId| !gone.contains(&job.shard(shards));
        self.lines.retain(|(job, _, _)| kept(job));
        self.jobs.retain(|job, _| kept(job));
        self.actions.retain(|(job, _), _| kept(job));
        self.submissions.retain(|(_, job)| kept(job));
        self.gone_jobs.retain(|job| kept(job));
        self.confirmed.retain(|shard| !gone.contains(shard));
        let outputs = std::mem::take(&mut self.outputs);
        self.outputs =
            outputs.into_iter().filter_map(|output| without(output, &kept, gone)).collect();
    }

    /// Refuses everything that waits for this turn.
    pub(crate) fn refuse(self, error: &ApiError) {
        for output in self.outputs {
            match output {
                Output::Id(reply, _) => answer(reply, Err(error.clone())),
                Output::Done(reply, ..) => answer(reply, Err(error.clone())),
                Output::ToWorker(..)
                | Output::Acknowledge(..)
                | Output::Stop(..)
                | Output::StopUnknown(..)
                | Output::Outside(..)
                | Output::Ring(..) => {}
            }
        }
    }
}

/// What became of a request whose shard was lost before its commit.
pub(crate) fn moved() -> ApiError {
    ApiError::new(
        ApiErrorKind::Unavailable,
        "HW1010",
        "another scheduler has taken this job over; try again",
    )
}

fn without(
    output: Output,
    kept: &dyn Fn(&JobId) -> bool,
    gone: &BTreeSet<Shard>,
) -> Option<Output> {
    match output {
        Output::Id(reply, job) if !kept(&job) => {
            answer(reply, Err(moved()));
            None
        }
        Output::ToWorker(session, ToWorker::Grants { pool, mut grants }) => {
            grants.retain(|grant| !gone.contains(&grant.shard));
            Some(Output::ToWorker(session, ToWorker::Grants { pool, grants }))
        }
        Output::Done(reply, job, _) if !kept(&job) => {
            answer(reply, Err(moved()));
            None
        }
        Output::Acknowledge(_, ref job, _)
        | Output::Stop(_, ref job, _)
        | Output::StopUnknown(_, ref job, _)
            if !kept(job) =>
        {
            None
        }
        Output::Outside(ref errand, _) if !kept(errand.job()) => None,
        Output::Ring(_, shard) if gone.contains(&shard) => None,
        other => Some(other),
    }
}

/// Answers; whoever asked may have gone away.
pub(crate) fn answer<T>(reply: Reply<T>, value: Result<T, ApiError>) {
    let _gone_away = reply.send(value);
}

impl Errand {
    /// The job it is for.
    pub(crate) fn job(&self) -> &JobId {
        match self {
            Errand::Ask(job, ..) | Errand::ReadChild(job, ..) | Errand::Notify(job, _) => job,
        }
    }
}

/// Merges turns, in order, into one batch: of each row its last version, of history every line.
pub(crate) fn batch_of(turns: &[Turn], held: &BTreeMap<Shard, Held>, shards: u16) -> Batch {
    let mut batch = Batch::default();
    let mut jobs: BTreeMap<&JobId, JobRow> = BTreeMap::new();
    let mut actions: BTreeMap<&(JobId, NodeName), &ActionChange> = BTreeMap::new();
    let mut apps = BTreeMap::new();
    let mut next_line: BTreeMap<Shard, i64> = BTreeMap::new();
    for turn in turns {
        for (job, row) in &turn.jobs {
            let conf =
                row.conf.clone().or_else(|| jobs.get(job).and_then(|earlier| earlier.conf.clone()));
            jobs.insert(job, JobRow { conf, ..row.clone() });
        }
        actions.extend(&turn.actions);
        apps.extend(turn.apps.iter().map(|(digest, source)| (digest.clone(), Arc::clone(source))));
        batch.submissions.extend(turn.submissions.iter().cloned());
        batch.quarantined.extend(turn.quarantined.iter().cloned());
        batch.gone_jobs.extend(turn.gone_jobs.iter().cloned());
        for (job, at, event) in &turn.lines {
            let shard = job.shard(shards);
            let n = next_line
                .entry(shard)
                .or_insert_with(|| held.get(&shard).map_or(0, |held| held.pos));
            *n += 1;
            batch.lines.push(history_line(shard, *n, *at, job, event));
        }
    }
    let mut touched: BTreeSet<Shard> =
        turns.iter().flat_map(Turn::jobs_touched).map(|job| job.shard(shards)).collect();
    touched.extend(turns.iter().flat_map(|turn| &turn.confirmed));
    batch.fences = touched
        .into_iter()
        .filter_map(|shard| fence(shard, held.get(&shard)?, next_line.get(&shard)))
        .collect();
    batch.jobs = jobs.into_values().collect();
    batch.apps = apps.into_iter().collect();
    for ((job, name), change) in actions {
        match change {
            ActionChange::Row(row) => batch.actions.push(row.clone()),
            ActionChange::Gone => {
                batch.gone_actions.push(ActionId { job: job.clone(), name: name.clone() })
            }
        }
    }
    batch
}

fn fence(shard: Shard, held: &Held, last_line: Option<&i64>) -> Option<Fence> {
    let lines = last_line.map_or(0, |last| last - held.pos);
    Some(Fence {
        shard,
        epoch: held.epoch,
        nonce: held.nonce,
        pos: held.pos,
        lines,
        next_serial: held.next_serial,
    })
}

fn history_line(shard: Shard, n: i64, at: Timestamp, job: &JobId, event: &Event) -> HistoryLine {
    let text = serde_json::to_string(event).expect("events have string keys only");
    HistoryLine {
        shard,
        n,
        at,
        job: job.clone(),
        name: event.name().to_owned(),
        event: text,
        engine: ENGINE_VERSION.to_owned(),
    }
}
