//! A workflow job: one run (or several, by rerun) of one definition with one configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::action::WorkflowAction;
use crate::configuration::Configuration;
use crate::id::{AppDigest, Attempt, JobId, NodeName, Run, Token, WorkerId};
use crate::status::JobStatus;
use crate::time::Timestamp;

/// A workflow job with all its actions: what the engine steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowJob {
    /// Everything but the actions: one row.
    pub header: JobHeader,
    /// The actions that were entered, by node name: a row each.
    pub actions: BTreeMap<NodeName, Arc<WorkflowAction>>,
}

/// The job's own row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobHeader {
    /// The job's id.
    pub id: JobId,
    /// Which definition it runs.
    pub app: AppDigest,
    /// The evaluated `name` of the definition.
    pub app_name: Arc<str>,
    /// `oozie.wf.application.path` as submitted.
    pub app_path: Arc<str>,
    /// The whole configuration: submitted, then defaults, then parameter defaults (census §1.6). Stored beside the row.
    #[serde(skip)]
    pub conf: Arc<Configuration>,
    /// Who submitted it.
    pub user: Arc<str>,
    /// `group.name`.
    pub group: Option<Arc<str>>,
    /// `oozie.job.acl`.
    pub acl: Option<Arc<str>>,
    /// The job that started it, and through which action.
    pub parent: Option<ParentRef>,
    /// `oozie.wf.external.id`.
    pub external_id: Option<Arc<str>>,
    /// The site's rules, as they were when the job was submitted or last rerun, so that replay needs nothing else.
    pub rules: Arc<Rules>,
    /// How far it has come.
    pub status: JobStatus,
    /// 0 at submit, one more at each rerun.
    pub run: Run,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When it was started; anew by rerun.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// When any row of it last changed; `now` never goes below it.
    pub changed_at: Timestamp,
    /// Nodes that are to be entered next, when one step was not enough for all.
    pub frontier: Vec<Entry>,
    /// Branches that have arrived, by join name and the path outside of the fork.
    pub joins: BTreeMap<String, BTreeSet<String>>,
    /// Actions of an earlier run that this run steps over (gotcha 39, 40).
    pub kept: BTreeSet<NodeName>,
    /// Failed children of the run before, by their action, to be rerun in place (gotcha 41).
    #[serde(default)]
    pub rerun_children: BTreeMap<NodeName, JobId>,
    /// The action that last ended in ERROR, for `wf:lastErrorNode()` (gotcha 24).
    pub last_error_node: Option<NodeName>,
    /// Attempts that must be stopped, until their end is confirmed (S6).
    pub stopping: BTreeMap<Token, Stopping>,
    /// HTTP notifications not yet delivered nor given up (gotcha 37).
    pub notifications: BTreeMap<u64, Notification>,
    /// Number of the next notification.
    pub next_notification: u64,
    /// Why it is suspended or failed, in words, for `explain`.
    pub reason: Option<Reason>,
}

/// Which job started this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParentRef {
    /// The parent.
    pub job: JobId,
    /// Its `sub-workflow` action.
    pub action: NodeName,
    /// The parent's run at that time.
    pub run: Run,
    /// The action's attempt.
    pub attempt: Attempt,
    /// How many workflows stand above this job.
    pub depth: u32,
}

/// A node that is to be entered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The node.
    pub node: NodeName,
    /// Under which path.
    pub path: Arc<str>,
}

/// An attempt whose process must end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopping {
    /// Its action.
    pub action: NodeName,
    /// The run it belongs to.
    pub run: Run,
    /// Which attempt.
    pub attempt: Attempt,
    /// Who holds it.
    pub worker: WorkerId,
}

/// A GET that a user asked for on a change of status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// The address with everything filled in.
    pub url: String,
    /// `[type@]host:port`.
    pub proxy: Option<String>,
    /// Tries made.
    pub tries: u32,
    /// When the next try is due; absent: now.
    pub due_at: Option<Timestamp>,
}

/// Why a job stands still, with a code that has a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The code.
    pub code: String,
    /// In words.
    pub message: String,
}

/// The site's rules that decide about a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Where callbacks and console addresses point to, such as `http://localhost:11000/oozie`.
    pub base_url: String,
    /// `oozie.service.LiteWorkflowStoreService.user.retry.max`.
    pub user_retry_max: u32,
    /// `oozie.service.LiteWorkflowStoreService.user.retry.inteval`, in minutes (Oozie's spelling).
    pub user_retry_interval_minutes: u32,
    /// Codes that user retries apply to; `ALL` stands for any.
    pub user_retry_codes: BTreeSet<String>,
    /// `oozie.action.retries.max`.
    pub retries_max: u32,
    /// `oozie.action.retry.interval`, in seconds.
    pub retry_interval_seconds: u32,
    /// `oozie.action.retry.policy`.
    pub retry_policy: RetryPolicyRule,
    /// `oozie.action.subworkflow.max.depth`.
    pub subworkflow_depth_max: u32,
    /// Tries of a notification.
    pub notification_tries_max: u32,
    /// Milliseconds between tries of a notification.
    pub notification_interval_ms: u32,
}

/// How system retries are spaced.
pub type RetryPolicyRule = crate::action::RetryPolicy;

impl Default for Rules {
    /// Oozie's defaults (census §1.9, §8).
    fn default() -> Rules {
        let codes = ["JA008", "JA009", "JA017", "JA018", "JA019", "FS008", "FS009", "FS014"];
        Rules {
            base_url: "http://localhost:11000/oozie".to_owned(),
            user_retry_max: 3,
            user_retry_interval_minutes: 10,
            user_retry_codes: codes.into_iter().map(str::to_owned).collect(),
            retries_max: 3,
            retry_interval_seconds: 10,
            retry_policy: RetryPolicyRule::Periodic,
            subworkflow_depth_max: 50,
            notification_tries_max: 3,
            notification_interval_ms: 60_000,
        }
    }
}

impl WorkflowJob {
    /// The action of this name.
    pub fn action(&self, name: &NodeName) -> Option<&WorkflowAction> {
        self.actions.get(name).map(Arc::as_ref)
    }

    /// The job's id.
    pub fn id(&self) -> &JobId {
        &self.header.id
    }
}
