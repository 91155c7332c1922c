//! What a gateway asks of a scheduler. Reads go to the database; commands go through the owner's driver and are answered
//! after the commit they were decided in (architecture §4).

use std::sync::Arc;

use async_trait::async_trait;
use engine::placement::{Mode, Policy};
use model::{Configuration, Diagnostic, JobId, MemberId, NodeName, Timestamp};
use serde::{Deserialize, Serialize};

use crate::cluster::PolicyRow;

/// How an API error is to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApiErrorKind {
    /// The request is wrong: 400.
    BadRequest,
    /// There is no such thing; Oozie answers 400 too, our own API 404.
    NotFound,
    /// The user may not: 401, as Oozie does.
    Unauthorized,
    /// Not now: 503, with a hint when to come back.
    Unavailable,
    /// Our fault: 500.
    Internal,
}

/// A refused request: what, where, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// How to show it.
    pub kind: ApiErrorKind,
    /// Oozie's `E####` or our `HW####`.
    pub code: String,
    /// In words.
    pub message: String,
    /// All findings, when a definition was refused.
    pub diagnostics: Vec<Diagnostic>,
}

impl ApiError {
    /// An error without findings.
    pub fn new(
        kind: ApiErrorKind,
        code: impl Into<String>,
        message: impl Into<String>,
    ) -> ApiError {
        ApiError { kind, code: code.into(), message: message.into(), diagnostics: Vec::new() }
    }
}

/// A submit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubmitRequest {
    /// The configuration as posted.
    pub conf: Configuration,
    /// The authenticated user, or the configuration's own when the request was anonymous.
    pub user: String,
    /// Whether to start at once.
    pub start: bool,
    /// `Idempotency-Key`: the same key gives the same job.
    pub key: Option<String>,
}

/// A command about a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// PREP → RUNNING.
    Start,
    /// RUNNING → SUSPENDED.
    Suspend,
    /// SUSPENDED → RUNNING.
    Resume,
    /// → KILLED.
    Kill,
    /// Over → RUNNING, one run more; the configuration that was posted with it.
    Rerun(Configuration),
}

/// Why a job is not moving, line by line (`howdah explain`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The job.
    pub job: String,
    /// Its status.
    pub status: String,
    /// One sentence about the whole.
    pub summary: String,
    /// One entry for each thing that is waited for.
    pub waits: Vec<Wait>,
}

/// One thing that is waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// The action, or nothing when the job itself waits.
    pub action: Option<NodeName>,
    /// Its attempt.
    pub attempt: Option<u32>,
    /// Its status.
    pub status: Option<String>,
    /// For what: a worker of pool P, a retry at T, a child, an answer, a person.
    pub waiting_for: String,
    /// Since when, in ms since the epoch.
    pub since: Timestamp,
    /// Until when at most, when there is such a moment.
    pub until: Option<Timestamp>,
}

/// What a person changes in the policy of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum PolicyChange {
    /// The mode of high availability.
    Mode {
        /// The new one.
        mode: Mode,
    },
    /// Work goes back to the preferred member, or to those that came, now.
    Failback,
    /// Whether work goes back by itself, and when.
    Hysteresis {
        /// Whether at all.
        failback: bool,
        /// How long a member must have been well, in ms.
        failback_after_ms: i64,
        /// Least time between two planned moves, in ms.
        move_gap_ms: i64,
    },
    /// A member's share; nothing gives its own back.
    Weight {
        /// Whose.
        member: MemberId,
        /// 0 never works.
        weight: Option<u32>,
    },
    /// A member gives its shards up, or may have some again.
    Drain {
        /// Which.
        member: MemberId,
        /// Whether it drains.
        on: bool,
    },
}

impl PolicyChange {
    /// Makes the change.
    pub fn apply(self, policy: &mut Policy, now: Timestamp) {
        match self {
            PolicyChange::Mode { mode } => policy.mode = mode,
            PolicyChange::Failback => policy.asked_at = Some(now),
            PolicyChange::Hysteresis { failback, failback_after_ms, move_gap_ms } => {
                policy.failback = failback;
                policy.failback_after_ms = failback_after_ms;
                policy.move_gap_ms = move_gap_ms;
            }
            PolicyChange::Weight { member, weight: Some(weight) } => {
                policy.weights.insert(member, weight);
            }
            PolicyChange::Weight { member, weight: None } => {
                policy.weights.remove(&member);
            }
            PolicyChange::Drain { member, on: true } => {
                policy.draining.insert(member);
            }
            PolicyChange::Drain { member, on: false } => {
                policy.draining.remove(&member);
            }
        }
    }
}

/// The policy of the cluster: one row of the database.
#[async_trait]
pub trait PolicyApi: Send + Sync {
    /// The policy as it is stored.
    async fn policy(&self) -> Result<PolicyRow, ApiError>;
    /// Changes it; answers what is stored then.
    async fn change_policy(&self, change: PolicyChange) -> Result<PolicyRow, ApiError>;
}

/// What a gateway asks for.
#[async_trait]
pub trait SchedulerApi: Send + Sync {
    /// Reads, checks and stores a job.
    async fn submit(&self, request: SubmitRequest) -> Result<JobId, ApiError>;
    /// Reads, checks and evaluates everything, and stores nothing (gotcha 14).
    async fn dry_run(&self, request: SubmitRequest) -> Result<(), ApiError>;
    /// Gives a command; one that Oozie swallows in the job's state is `Ok` (gotcha 15).
    async fn command(&self, job: &JobId, user: &str, command: Command) -> Result<(), ApiError>;
    /// Why the job is not moving.
    async fn explain(&self, job: &JobId) -> Result<Explanation, ApiError>;
    /// Resolves when a history line of the job with a number above `after` is committed, or after a bounded wait.
    async fn wait_for_history(&self, job: &JobId, after: i64) -> Result<(), ApiError>;
    /// How many attempts of each pool wait for a worker.
    async fn ready_attempts(&self) -> Vec<(Arc<str>, u64)>;
}
