//! The database (architecture §1.2, §3, §4): shards fenced by epoch, nonce and position; batches that go in whole or not at all.
//!
//! **Invariants that every adapter keeps**
//! * A batch whose fences do not all match changes nothing ([`CommitOutcome::Fenced`]).
//! * An error after sending, without the database's own word that the statement failed, is [`CommitOutcome::Unknown`].
//! * [`Store::take`] commits the new epoch in a transaction of its own; loads use snapshots begun after it.
//! * Texts with NUL never reach an adapter: [`normalised`] is applied above.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use engine::placement::Policy;
use model::job::JobHeader;
use model::{
    ActionId, AppDigest, Configuration, Epoch, JobId, JobStatus, Nonce, Shard, Timestamp,
    WorkflowAction, WorkflowJob,
};
use serde::{Deserialize, Serialize};

use crate::cluster::PolicyRow;

/// Rows in one batch: bounds the time of its statement (architecture §4).
pub const BATCH_ROWS_MAX: usize = 2_000;

/// What was written once when the database was created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// The stamp inside every job id.
    pub stamp: String,
    /// The system id inside every job id.
    pub system_id: String,
    /// How many shards there are.
    pub shards: u16,
    /// The version of the stored form.
    pub format: u32,
}

/// A shard's fence row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardState {
    /// Which.
    pub shard: Shard,
    /// The term of its owner.
    pub epoch: Epoch,
    /// Who owns it; empty when nobody does.
    pub owner: String,
    /// Fresh at every take.
    pub owner_nonce: Nonce,
    /// Number of its last history line.
    pub pos: i64,
    /// Its next serial is this times the number of shards plus the shard's own number.
    pub next_serial: i64,
}

/// A condition of a batch, and how far it moves the shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    /// Which shard; fences of a batch are in ascending order.
    pub shard: Shard,
    /// Must equal the row's.
    pub epoch: Epoch,
    /// Must equal the row's.
    pub nonce: Nonce,
    /// Must equal the row's `pos`.
    pub pos: i64,
    /// History lines of this batch in this shard: the row's `pos` grows by it.
    pub lines: i64,
    /// The row's new `next_serial`.
    pub next_serial: i64,
}

/// Changes that go in together.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The shards it touches.
    pub fences: Vec<Fence>,
    /// Definitions it needs; one that is there already is left alone. Every job that is new or changes its definition comes
    /// with the definition: it goes away once the last job that ever ran it is purged.
    pub apps: Vec<(AppDigest, Arc<AppSource>)>,
    /// Jobs, at most once each: inserted or replaced.
    pub jobs: Vec<JobRow>,
    /// Actions that go away (rerun), applied before `actions`.
    pub gone_actions: Vec<ActionId>,
    /// Jobs that go away with their actions, history and configuration (purge), and with the definitions that no other job
    /// needs, be it for the history of an earlier run.
    pub gone_jobs: Vec<JobId>,
    /// Actions, at most once each: inserted or replaced.
    pub actions: Vec<ActionRow>,
    /// History, dense per shard.
    pub lines: Vec<HistoryLine>,
    /// Idempotency keys of submits; one that is there already is left alone.
    pub submissions: Vec<(String, JobId)>,
    /// Events that could not be handled, kept for a person.
    pub quarantined: Vec<QuarantinedEvent>,
}

/// A job's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRow {
    /// Everything but actions and configuration.
    pub header: Arc<JobHeader>,
    /// When it next wants to be woken.
    pub due_at: Option<Timestamp>,
    /// Its configuration, when it is new or was changed by a rerun.
    pub conf: Option<Arc<Configuration>>,
}

/// An action's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionRow {
    /// Its job.
    pub job: JobId,
    /// The action.
    pub action: Arc<WorkflowAction>,
    /// Whether a worker may claim it now.
    pub ready: bool,
}

/// One line of history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryLine {
    /// Its shard.
    pub shard: Shard,
    /// Its number there, dense from 1.
    pub n: i64,
    /// The `now` of the step.
    pub at: Timestamp,
    /// The job.
    pub job: JobId,
    /// The event's kind.
    pub name: String,
    /// The event, as JSON.
    pub event: String,
    /// The engine that decided.
    pub engine: String,
}

/// An event that was put aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantinedEvent {
    /// Of which job.
    pub job: JobId,
    /// When.
    pub at: Timestamp,
    /// The event, as JSON or as much of it as could be told.
    pub event: String,
    /// Why.
    pub why: String,
}

/// The sources of a definition: what [`AppDigest`] is the digest of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppSource {
    /// The text of `workflow.xml`.
    pub definition: String,
    /// The text of `config-default.xml`, if there is one.
    pub config_default: Option<String>,
    /// The `<global>` section of the parent, for a child that it is propagated to (gotcha 9).
    #[serde(default)]
    pub inherited_global: Option<String>,
}

/// What became of a batch (architecture §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitOutcome {
    /// It is in.
    Committed,
    /// It is not in: these shards' rows differ from its fences.
    Fenced(Vec<ShardState>),
    /// It is not in, and will not be: the database refused what is in it. The guilty event is looked for by halving.
    Rejected(String),
    /// It is not in, by no fault of what is in it: a full disk, a lock waited for too long, no connection. The same batch
    /// may be sent again later, unchanged; no job is to be quarantined for it.
    Unavailable(String),
    /// Nobody knows. Drop the memory, take again, load.
    Unknown(String),
}

/// Why the database did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, or is too slow; try again.
    #[error("the database does not answer while we {what}: {source_message}")]
    Unavailable {
        /// What we were doing.
        what: &'static str,
        /// The driver's words.
        source_message: String,
    },
    /// It answered with something that cannot be.
    #[error("the database holds something unreadable while we {what}: {source_message}")]
    Corrupt {
        /// What we were doing.
        what: &'static str,
        /// What it is.
        source_message: String,
    },
    /// It is not ours to use: another server holds it, another format, another shard count.
    #[error("the database cannot be used: {why}")]
    Refused {
        /// Why, and what to do.
        why: String,
    },
}

/// Which jobs a list wants (census §5.5): within a field any, between fields all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Exact ids.
    pub ids: Vec<String>,
    /// Exact users.
    pub users: Vec<String>,
    /// Exact groups.
    pub groups: Vec<String>,
    /// Exact names.
    pub names: Vec<String>,
    /// Any of these statuses.
    pub statuses: Vec<JobStatus>,
    /// Part of id, name or user (`text=`).
    pub texts: Vec<String>,
    /// Created at or after.
    pub created_from: Option<Timestamp>,
    /// Created at or before.
    pub created_to: Option<Timestamp>,
    /// The parent job.
    pub parent: Option<JobId>,
    /// Newest by last change instead of by creation.
    pub by_last_modified: bool,
    /// Skips this many, from 0.
    pub offset: u32,
    /// At most this many.
    pub len: u32,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobPage {
    /// Headers, newest first; `conf` is not loaded.
    pub jobs: Vec<JobHeader>,
    /// How many match in all.
    pub total: u64,
}

/// Many loaded jobs.
#[derive(Debug, Default)]
pub struct LoadedJobs {
    /// Those that were read.
    pub jobs: Vec<WorkflowJob>,
    /// Those that cannot be read, each with the reason.
    pub unreadable: Vec<(JobId, StoreError)>,
}

/// What may be read from anywhere: answers are as new as the moment of the question.
#[async_trait]
pub trait Reads: Send + Sync {
    /// A job with its actions and configuration.
    async fn load(&self, job: &JobId) -> Result<Option<WorkflowJob>, StoreError>;

    /// The sources of a definition.
    async fn app(&self, digest: &AppDigest) -> Result<Option<AppSource>, StoreError>;

    /// The newest job with this `oozie.wf.external.id`.
    async fn by_external_id(&self, external_id: &str) -> Result<Option<JobId>, StoreError>;

    /// A page of jobs.
    async fn jobs(&self, filter: &JobFilter) -> Result<JobPage, StoreError>;

    /// History of one job after line `after`, oldest first, at most `lines_max`.
    async fn history(
        &self,
        job: &JobId,
        after: i64,
        lines_max: u32,
    ) -> Result<Vec<HistoryLine>, StoreError>;
}

/// The database.
#[async_trait]
pub trait Store: Reads {
    /// What was written when the database was created.
    fn cluster(&self) -> &Cluster;

    /// Takes shards: `epoch + 1`, `owner`, `nonce`, in a transaction of its own that has committed on return.
    async fn take(
        &self,
        shards: &[Shard],
        owner: &str,
        nonce: Nonce,
    ) -> Result<Vec<ShardState>, StoreError>;

    /// Gives up shards that this (epoch, nonce) still owns: the owner becomes empty, the epoch stays.
    async fn release(&self, fences: &[Fence]) -> Result<(), StoreError>;

    /// The fence rows of all shards.
    async fn shards(&self) -> Result<Vec<ShardState>, StoreError>;

    /// Writes a batch, whole or not at all.
    async fn commit(&self, batch: &Batch) -> CommitOutcome;

    /// The jobs of these shards that are not over, or still have something outstanding (stops, notifications).
    async fn live_jobs(&self, shards: &[Shard]) -> Result<Vec<JobId>, StoreError>;

    /// Many jobs with their actions and configurations, of one snapshot. One that is not there is left out; one that cannot be
    /// read does not keep the others from being read.
    async fn load_many(&self, jobs: &[JobId]) -> Result<LoadedJobs, StoreError>;

    /// The policy of the cluster; with revision 0 nobody has set one yet.
    async fn policy(&self) -> Result<PolicyRow, StoreError>;

    /// Sets the policy if its revision is still `expected`; answers what is stored then, or `None` when somebody was faster.
    async fn set_policy(
        &self,
        expected: i64,
        policy: &Policy,
    ) -> Result<Option<PolicyRow>, StoreError>;

    /// The ids of a job's parents up to the root, and of everything below it, without itself.
    async fn family(&self, job: &JobId) -> Result<Vec<JobId>, StoreError>;

    /// The job that was submitted under this idempotency key.
    async fn submission(&self, key: &str) -> Result<Option<JobId>, StoreError>;

    /// History of one shard after line `after`, oldest first, at most `lines_max`.
    async fn shard_history(
        &self,
        shard: Shard,
        after: i64,
        lines_max: u32,
    ) -> Result<Vec<HistoryLine>, StoreError>;

    /// How many jobs are in each status.
    async fn job_counts(&self) -> Result<BTreeMap<JobStatus, u64>, StoreError>;

    /// Terminal jobs without a parent whose whole tree ended before `ended_before`, at most `jobs_max` (gotcha 64).
    async fn purgeable(
        &self,
        shards: &[Shard],
        ended_before: Timestamp,
        jobs_max: u32,
    ) -> Result<Vec<JobId>, StoreError>;

    /// Events that were put aside, newest first.
    async fn quarantined(&self, events_max: u32) -> Result<Vec<QuarantinedEvent>, StoreError>;
}

/// A text that both databases store alike: NUL becomes U+FFFD, and what is over `bytes_max` is cut at a character with a mark.
pub fn normalised(text: &str, bytes_max: usize) -> String {
    const CUT: &str = "… [cut]";
    let clean = text.replace('\0', "\u{fffd}");
    if clean.len() <= bytes_max {
        return clean;
    }
    let mut end = bytes_max.saturating_sub(CUT.len());
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{CUT}", &clean[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_stored_alike() {
        assert_eq!(normalised("a\0b", 100), "a\u{fffd}b");
        assert_eq!(normalised("ääääääääää", 15), "äää… [cut]");
        assert!(normalised(&"x".repeat(5000), 100).len() <= 100);
    }
}
