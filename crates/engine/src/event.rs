//! What can happen to a workflow job, and what the engine then wants: two closed enums.
//!
//! Events are named in the past tense and name the attempt they speak of; a late or repeated one changes nothing.
//! Their serde form is the stored form of history: it grows by adding. Effects are wishes derived from the state
//! (see [`crate::workflow::outstanding`]); they are never stored.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::action::Answer;
use model::job::{Reason, Rules};
use model::{
    AppDigest, Attempt, AttemptResult, Claim, Configuration, JobId, JobStatus, NodeName, ParentRef,
    Run, Timestamp, Token, WorkerId,
};
use serde::{Deserialize, Serialize};

/// Something that happened to one workflow job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The job was accepted.
    Submitted(Box<Submission>),
    /// A person asked to start it.
    Started,
    /// A person, or a suspended child, asked to suspend it.
    Suspended,
    /// A person asked to go on.
    Resumed,
    /// A person, or a killed parent, asked to end it.
    Killed,
    /// A person asked to run it again.
    Rerun(Box<RerunRequest>),
    /// Answers to questions of one attempt.
    Answered {
        /// The asking action.
        action: NodeName,
        /// Its run and attempt.
        of: AttemptRef,
        /// In the order of the questions in the row.
        answers: Vec<Answered>,
    },
    /// A worker took an attempt.
    Claimed {
        /// The action.
        action: NodeName,
        /// Its run and attempt.
        of: AttemptRef,
        /// By whom.
        claim: Claim,
    },
    /// A worker knows where the attempt runs.
    Progressed {
        /// The action.
        action: NodeName,
        /// The claim it speaks of.
        token: Token,
        /// Its id elsewhere: a process or a remote job.
        external_id: Option<String>,
        /// Where a person can look.
        console_url: Option<String>,
    },
    /// An attempt is over.
    Finished {
        /// The action.
        action: NodeName,
        /// The claim it speaks of.
        token: Token,
        /// How it ended.
        result: AttemptResult,
    },
    /// A worker that came back does not hold a claim that it was granted: it never started (architecture §4).
    Returned {
        /// The claim it speaks of.
        token: Token,
    },
    /// A worker confirms that nothing runs under this token any more.
    Stopped {
        /// The claim it speaks of.
        token: Token,
    },
    /// The application of a child was read.
    ChildRead {
        /// The `sub-workflow` action.
        action: NodeName,
        /// Its run and attempt.
        of: AttemptRef,
        /// The child, ready to be created; its id was given out for this event.
        child: Box<Submission>,
    },
    /// The application of a child could not be read, or is refused.
    ChildRefused {
        /// The `sub-workflow` action.
        action: NodeName,
        /// Its run and attempt.
        of: AttemptRef,
        /// How it failed.
        failure: model::Failure,
    },
    /// A child changed its status.
    ChildChanged {
        /// The `sub-workflow` action.
        action: NodeName,
        /// The parent's run and attempt that the child belongs to.
        of: AttemptRef,
        /// The child.
        child: JobId,
        /// The child's run.
        child_run: Run,
        /// What it is now.
        status: JobStatus,
    },
    /// A moment came that the job waited for.
    Woke,
    /// A notification was delivered, or not.
    Notified {
        /// Which.
        number: u64,
        /// Whether the other side answered 200.
        delivered: bool,
    },
    /// There is more to enter than one step may do.
    Continued,
    /// Something in this job cannot be handled; it stands aside so that others go on.
    Quarantined {
        /// Why.
        reason: Reason,
    },
}

impl Event {
    /// The name of the kind of event, as history shows it.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Submitted(_) => "submitted",
            Event::Started => "started",
            Event::Suspended => "suspended",
            Event::Resumed => "resumed",
            Event::Killed => "killed",
            Event::Rerun(_) => "rerun",
            Event::Answered { .. } => "answered",
            Event::Claimed { .. } => "claimed",
            Event::Progressed { .. } => "progressed",
            Event::Finished { .. } => "finished",
            Event::Returned { .. } => "returned",
            Event::Stopped { .. } => "stopped",
            Event::ChildRead { .. } => "child_read",
            Event::ChildRefused { .. } => "child_refused",
            Event::ChildChanged { .. } => "child_changed",
            Event::Woke => "woke",
            Event::Notified { .. } => "notified",
            Event::Continued => "continued",
            Event::Quarantined { .. } => "quarantined",
        }
    }
}

/// Which attempt of an action, within which run of its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptRef {
    /// The job's run.
    pub run: Run,
    /// The action's attempt.
    pub attempt: Attempt,
}

/// One answered question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// The EL function.
    pub function: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// The answer.
    pub answer: Answer,
}

/// Everything that a new job starts with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// Its id, given out for this event.
    pub id: JobId,
    /// Its definition.
    pub app: AppDigest,
    /// The evaluated name.
    pub app_name: Arc<str>,
    /// The application path.
    pub app_path: Arc<str>,
    /// The whole configuration.
    pub conf: Arc<Configuration>,
    /// The submitting user.
    pub user: Arc<str>,
    /// `group.name`.
    pub group: Option<Arc<str>>,
    /// `oozie.job.acl`.
    pub acl: Option<Arc<str>>,
    /// The job and action that start it.
    pub parent: Option<ParentRef>,
    /// `oozie.wf.external.id`.
    pub external_id: Option<Arc<str>>,
    /// The site's rules.
    pub rules: Arc<Rules>,
    /// Whether it starts at once.
    pub start: bool,
}

/// What a rerun changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RerunRequest {
    /// The definition, read again.
    pub app: AppDigest,
    /// Its evaluated name.
    pub app_name: Arc<str>,
    /// The application path.
    pub app_path: Arc<str>,
    /// The old configuration with the new one over it (gotcha 39).
    pub conf: Arc<Configuration>,
    /// The site's rules.
    pub rules: Arc<Rules>,
    /// The actions to step over.
    pub skip: Skip,
    /// The parent's action that asks, when it is not a person (gotcha 41).
    pub parent: Option<ParentRef>,
}

/// Which actions a rerun steps over (census §2.8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Skip {
    /// These, all of which ended OK or ERROR.
    Nodes(BTreeSet<NodeName>),
    /// All that ended OK; children of failed `sub-workflow` actions are rerun in place.
    AllButFailed,
}

/// Something the engine wants done outside of it. The key is (job, action, attempt) or the token: doing it twice is harmless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// This attempt may be claimed by a worker of the pool.
    Offer {
        /// The action.
        action: NodeName,
        /// Its attempt.
        of: AttemptRef,
        /// Which workers.
        pool: Arc<str>,
        /// Higher goes first.
        priority: i32,
    },
    /// These questions must be answered before the attempt can start.
    Ask {
        /// The action.
        action: NodeName,
        /// Its attempt.
        of: AttemptRef,
        /// The open questions: function and arguments.
        questions: Vec<(String, Vec<String>)>,
    },
    /// The application of a child must be read and checked.
    ReadChild {
        /// The action.
        action: NodeName,
        /// Its attempt.
        of: AttemptRef,
        /// The child's application path.
        app_path: String,
        /// The child's configuration.
        conf: Box<Configuration>,
        /// How the child stands to this job.
        parent: Box<ParentRef>,
        /// The child that exists already and is to be rerun in place (gotcha 41); else it is a new one.
        rerun_of: Option<JobId>,
    },
    /// This job is to be created in the same commit.
    CreateChild(Box<Submission>),
    /// A member of the family is to be told in the same commit.
    Tell {
        /// Whom.
        job: JobId,
        /// What.
        event: Box<Event>,
    },
    /// Whatever runs under this token must end, until that is confirmed.
    Stop {
        /// The claim.
        token: Token,
        /// Who holds it.
        worker: WorkerId,
        /// The action.
        action: NodeName,
    },
    /// Somebody asked to be told.
    Notify {
        /// Which notification.
        number: u64,
        /// Where.
        url: String,
        /// Through what.
        proxy: Option<String>,
    },
    /// Send [`Event::Woke`] then.
    Wake {
        /// When.
        at: Timestamp,
    },
    /// Send [`Event::Continued`] in the next turn.
    Continue,
}

/// Why a person's command is refused. Events of the world are never refused, only absorbed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Rejection {
    /// Oozie's code where the situation is Oozie's.
    pub code: &'static str,
    /// What, where, and what to do.
    pub message: String,
    /// Oozie swallows this one: HTTP 200 and no effect (gotcha 15).
    pub silent: bool,
}
