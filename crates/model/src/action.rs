//! An action: one node's run inside one job, over all its attempts; the row that `WF_ACTIONS` holds in Oozie.
//!
//! **Attempt** counts the tries of one action in one run of its job. It moves on when a retry is decided, not when
//! the retry starts, so that news of the former try is recognised as stale at once.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::{Attempt, JobId, NodeName, Run, Token, WorkerId};
use crate::status::ActionStatus;
use crate::time::Timestamp;

/// One action of a workflow job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowAction {
    /// The node's name; `:start:` for the start node.
    pub name: NodeName,
    /// The type word: `:START:`, `switch`, `shell`, ... (census §1.2).
    pub kind: Arc<str>,
    /// How far it has come.
    pub status: ActionStatus,
    /// Under which branches of which forks it runs: `/` or `/fork:branch/...`.
    pub path: Arc<str>,
    /// The run of the job in which this row was made.
    pub run: Run,
    /// The current attempt: the one that runs, or that will start next.
    pub attempt: Attempt,
    /// The evaluated body; absent until it could be evaluated. A later evaluation starts from this text (gotcha 30).
    pub conf: Option<Arc<str>>,
    /// Whether `conf` was evaluated for the current attempt.
    pub evaluated: bool,
    /// The `cred` attribute.
    pub cred: Option<Arc<str>>,
    /// Where it went; `*` for a fork.
    pub transition: Option<Arc<str>>,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When the current attempt started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// When the row last changed.
    pub changed_at: Timestamp,
    /// System retries used (census §1.9).
    pub retries: u32,
    /// User retries.
    pub user_retry: UserRetry,
    /// When the next retry is due; absent when nothing is waited for.
    pub due_at: Option<Timestamp>,
    /// Captured output as the text of a properties file.
    pub data: Option<Arc<str>>,
    /// Statistics, as JSON, for `hadoop:counters`.
    pub stats: Option<Arc<str>>,
    /// Ids of jobs that the action started elsewhere, comma separated.
    pub external_child_ids: Option<Arc<str>>,
    /// Its id elsewhere: a process, a child workflow.
    pub external_id: Option<Arc<str>>,
    /// Its status elsewhere: `SUCCEEDED`, `FAILED/KILLED`, ...
    pub external_status: Option<Arc<str>>,
    /// Where the action can be asked after elsewhere.
    pub tracker_uri: Option<Arc<str>>,
    /// Where a person can look.
    pub console_url: Option<Arc<str>>,
    /// Error code of the last failure.
    pub error_code: Option<Arc<str>>,
    /// Message of the last failure.
    pub error_message: Option<Arc<str>>,
    /// Who holds the current attempt.
    pub claim: Option<Claim>,
    /// The outcome of an attempt that waits: for the job to be resumed, or for its end to be tried again.
    pub result: Option<AttemptResult>,
    /// Questions to file systems that the body asks, with the answers so far.
    pub questions: Vec<Question>,
    /// The pool of workers that may run it.
    pub pool: Arc<str>,
    /// Within the pool, higher goes first.
    pub priority: i32,
    /// The child of a `sub-workflow`.
    pub child: Option<JobId>,
    /// Earlier attempts of this run, oldest first, bounded by the retry limits.
    pub earlier: Vec<EarlierAttempt>,
}

/// What is remembered of an attempt that was followed by another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlierAttempt {
    /// Which.
    pub attempt: Attempt,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Timestamp,
    /// What it ended with.
    pub error_code: Option<Arc<str>>,
}

/// Who holds an attempt (architecture §4): the same token gets the same answer for ever, another is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The worker.
    pub worker: WorkerId,
    /// Which start of the worker's process.
    pub incarnation: u64,
    /// What the worker made up for this claim.
    pub token: Token,
}

/// A question about the world outside, asked by an expression.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The EL function, such as `fs:exists`.
    pub function: String,
    /// Its arguments as texts.
    pub args: Vec<String>,
    /// The answer, once there is one.
    pub answer: Option<Answer>,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Yes or no.
    Bool(bool),
    /// A number.
    Int(i64),
    /// A text.
    Text(String),
    /// It could not be answered.
    Refused {
        /// A code with a page in `docs/errors/`.
        code: String,
        /// Why.
        message: String,
        /// Whether asking again later may help.
        transient: bool,
    },
}

/// `retry-max`, `retry-interval` and `retry-policy` of an action, and how many were used (gotcha 30).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRetry {
    /// Retries used.
    pub count: u32,
    /// Retries allowed, already capped by the site's limit.
    pub max: u32,
    /// Minutes between tries.
    pub interval_minutes: u32,
    /// How the interval grows.
    pub policy: RetryPolicy,
}

/// How the time between tries grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RetryPolicy {
    /// Always the same.
    #[default]
    Periodic,
    /// Doubled at each try.
    Exponential,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptResult {
    /// Well.
    Succeeded(Success),
    /// Badly.
    Failed(Failure),
}

/// What a good end leaves behind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Success {
    /// Captured output as the text of a properties file.
    pub data: Option<String>,
    /// Statistics as JSON.
    pub stats: Option<String>,
    /// Ids of jobs started elsewhere.
    pub external_child_ids: Option<String>,
    /// Id elsewhere.
    pub external_id: Option<String>,
    /// Status elsewhere; Oozie's word for it, `SUCCEEDED` or `OK`.
    pub external_status: Option<String>,
}

/// What a bad end leaves behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What is to be done about it.
    pub class: ErrorClass,
    /// During what it happened.
    pub phase: Phase,
    /// Oozie's code, such as `JA018` or `FS009`, or ours.
    pub code: String,
    /// What went wrong.
    pub message: String,
    /// Captured output, if there is any all the same.
    pub data: Option<String>,
    /// Id elsewhere.
    pub external_id: Option<String>,
    /// Status elsewhere, such as `FAILED/KILLED`.
    pub external_status: Option<String>,
}

/// `ActionExecutorException.ErrorType`: what is to be done about a failure (gotcha 27).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// Try again by itself, then ask a person.
    Transient,
    /// Ask a person.
    NonTransient,
    /// The user's retries, then the `error` transition.
    Error,
    /// The user's retries, then the job fails.
    Failed,
}

/// In which part of an action's life something failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// While it was started.
    Start,
    /// While it was looked after.
    Check,
    /// While its end was dealt with.
    End,
}

impl WorkflowAction {
    /// Whether a worker or a child is, or will be, at it without a person's help.
    pub fn is_live(&self) -> bool {
        !self.status.is_terminal()
    }
}
