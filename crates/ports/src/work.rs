//! Sessions between a worker and a scheduler: one ordered stream each way (architecture §4).
//!
//! ```text
//! worker                                scheduler
//!   Hello                     ────────►
//!                             ◄────────   Owns{1, shards}                 and again after each take
//!   Holds{1, held tokens}     ────────►   claims of this worker, older than that Owns and not in the list, are fenced;
//!                                         tokens in the list that it does not know are stopped
//!   Claim{pool, tokens}       ────────►   late binding: the best ready attempts, committed
//!                             ◄────────   Grants{...}                     (maybe none)
//!   Progressed{token, ...}    ────────►
//!                             ◄────────   Stop{token}                     until confirmed
//!   Finish{token, result,     ────────►   committed; the freed slot may get the next attempt
//!          next tokens}                   in the same commit
//!                             ◄────────   FinishAcknowledged{token}, Grants{...}
//!   Stopped{token}            ────────►
//! ```
//! Tokens are made up for one message of one session; a later session never claims with them again.
//!
//! `Owns` tells the worker the epoch of each shard that this scheduler owns. From then on the worker takes no grant and no
//! acknowledgement of such a shard from a lower epoch, so what it lists in `Holds` is all that can ever run under claims that
//! are older: without that order a grant of a deposed owner could still arrive after the list, and its attempt would run
//! beside the next one.
//!
//! A worker repeats `Finish` and `Stopped` at every new session until they are acknowledged. Grants and stops of one shard
//! use this one stream, so that a stop can never overtake its grant; a stop for a token that the worker does not know
//! leaves a tombstone.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use model::{
    Attempt, AttemptResult, Configuration, Epoch, JobId, NodeName, Run, Shard, Token, WorkerId,
};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// Messages in flight each way before the sender waits: enough for a full turn of a large worker.
pub const SESSION_MESSAGES_MAX: usize = 1024;
/// Tokens in one claim: one turn grants no more (architecture §4, at most 500 effects a turn).
pub const CLAIM_TOKENS_MAX: usize = 500;

/// What a worker says when it opens a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The worker's configured name.
    pub worker: WorkerId,
    /// Which start of its process.
    pub incarnation: u64,
    /// The pools it serves.
    pub pools: Vec<String>,
}

/// A token that a worker holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldToken {
    /// Which.
    pub token: Token,
    /// The job it was granted for.
    pub job: JobId,
}

/// What a worker says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "snake_case")]
pub enum FromWorker {
    /// It has free slots: one token each.
    Claim {
        /// Of which pool.
        pool: String,
        /// Made up for this claim; at most [`CLAIM_TOKENS_MAX`].
        tokens: Vec<Token>,
    },
    /// The answer to [`ToWorker::Owns`]: everything it holds, in any state, at the moment when it took those epochs in.
    Holds {
        /// The number of the `Owns` that this answers.
        number: u64,
        /// Every token, with its job.
        held: Vec<HeldToken>,
    },
    /// It still has these.
    Beat {
        /// Tokens of running attempts.
        tokens: Vec<Token>,
    },
    /// It knows where an attempt runs.
    Progressed {
        /// The job and the action.
        job: JobId,
        /// The action.
        action: NodeName,
        /// The claim.
        token: Token,
        /// Id elsewhere.
        external_id: Option<String>,
        /// Where to look.
        console_url: Option<String>,
    },
    /// An attempt is over.
    Finish {
        /// The job.
        job: JobId,
        /// The action.
        action: NodeName,
        /// The claim.
        token: Token,
        /// How it ended.
        result: AttemptResult,
        /// A claim for the slot that this frees: pool and tokens.
        next: Option<(String, Vec<Token>)>,
    },
    /// Nothing runs under this token any more, and no result will come.
    Stopped {
        /// The job.
        job: JobId,
        /// The claim.
        token: Token,
    },
}

/// What a scheduler says.
#[derive(Clone, Debug)]
pub enum ToWorker {
    /// These attempts are the worker's now. Answers one `Claim` or the `next` of one `Finish`; may be empty.
    Grants {
        /// The pool that was asked for.
        pool: String,
        /// The attempts, each under one of the tokens of the claim; the other tokens are void.
        grants: Vec<Grant>,
    },
    /// What this scheduler owns now. The worker refuses what comes of these shards from a lower epoch, and answers with
    /// [`FromWorker::Holds`].
    Owns {
        /// Grows with each of a session.
        number: u64,
        /// Its shards with their epochs.
        shards: BTreeMap<Shard, Epoch>,
    },
    /// The result was committed, or found superseded: the spool may forget it.
    FinishAcknowledged {
        /// Which.
        token: Token,
    },
    /// This attempt must end. Repeated until `Stopped` or `Finish` is committed.
    Stop {
        /// Its job, for the answer.
        job: JobId,
        /// Which.
        token: Token,
    },
    /// The end was committed; the tombstone may go.
    StoppedAcknowledged {
        /// Which.
        token: Token,
    },
}

/// Everything a worker needs to run one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The claim it was granted under.
    pub token: Token,
    /// The job.
    pub job: JobId,
    /// Its evaluated name.
    pub app_name: Arc<str>,
    /// The action.
    pub action: NodeName,
    /// The type word.
    pub kind: Arc<str>,
    /// The job's run.
    pub run: Run,
    /// The action's attempt.
    pub attempt: Attempt,
    /// System retries plus user retries made so far in this run.
    pub retries: u32,
    /// The evaluated body as XML text.
    pub body: Arc<str>,
    /// The submitting user.
    pub user: Arc<str>,
    /// The application path.
    pub app_path: Arc<str>,
    /// The job's configuration.
    pub conf: Arc<Configuration>,
    /// The pool it was offered in.
    pub pool: Arc<str>,
    /// The shard and its epoch at the grant.
    pub shard: Shard,
    /// See `shard`.
    pub epoch: Epoch,
    /// W3C trace context of the job, once there is tracing.
    pub traceparent: Option<String>,
}

/// A worker's end of a session. Either half closing ends it; the worker opens another.
#[derive(Debug)]
pub struct Session {
    /// Towards the scheduler.
    pub to_scheduler: mpsc::Sender<FromWorker>,
    /// From the scheduler.
    pub from_scheduler: mpsc::Receiver<ToWorker>,
}

/// No scheduler could be reached; try again after a while.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no scheduler takes sessions: {0}")]
pub struct NoScheduler(pub String);

/// Where sessions come from.
#[async_trait]
pub trait WorkSource: Send + Sync {
    /// Opens a session.
    ///
    /// # Errors
    /// When no scheduler can be reached; the caller tries again.
    async fn open(&self, hello: Hello) -> Result<Session, NoScheduler>;
}
