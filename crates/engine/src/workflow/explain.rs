//! Why a job is not moving: what each of its actions waits for, in words (architecture §1.4).

use model::{
    ActionStatus, JobStatus, NodeName, Timestamp, WorkflowAction, WorkflowApp, WorkflowJob,
};
use serde::{Deserialize, Serialize};

use super::wants;

/// The type word of a kill node, whose row carries its message.
const KILL: &str = ":KILL:";

/// One thing that is waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The action; absent when the job itself waits.
    pub action: Option<NodeName>,
    /// Its attempt.
    pub attempt: Option<u32>,
    /// Its status.
    pub status: Option<ActionStatus>,
    /// For what, in words.
    pub waiting_for: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when, when that is known.
    pub until: Option<Timestamp>,
}

/// One sentence about the whole, and one entry for each thing that is waited for.
pub fn explain(app: &WorkflowApp, job: &WorkflowJob) -> (String, Vec<Waiting>) {
    let header = &job.header;
    let mut waits: Vec<Waiting> = job
        .actions
        .values()
        .filter(|action| action.is_live())
        .map(|action| of_action(job, action))
        .collect();
    waits.extend(of_joins(app, job));
    waits.extend(of_stops(job));
    let reason = header
        .reason
        .as_ref()
        .map(|reason| format!(" ({}: {})", reason.code, reason.message))
        .unwrap_or_default();
    let summary = match header.status {
        JobStatus::Prep => "it was submitted and not started: start it".to_owned(),
        JobStatus::Running => format!(
            "it runs; {} of its actions are not over",
            job.actions.values().filter(|a| a.is_live()).count()
        ),
        JobStatus::Suspended => {
            format!("it is suspended{reason}: nothing new starts until it is resumed")
        }
        JobStatus::Succeeded | JobStatus::Killed | JobStatus::Failed => {
            format!("it is over{reason}{}", last_words(job))
        }
    };
    (summary, waits)
}

/// What the kill node said that ended the job, if one did.
fn last_words(job: &WorkflowJob) -> String {
    let kill = job.actions.values().find(|action| &*action.kind == KILL);
    let said = kill.and_then(|kill| Some((&kill.name, kill.error_message.as_deref()?)));
    said.map(|(name, message)| format!("; the kill node {name} says: {message}"))
        .unwrap_or_default()
}

fn of_action(job: &WorkflowJob, action: &WorkflowAction) -> Waiting {
    let (waiting_for, until) = words(job, action);
    Waiting {
        action: Some(action.name.clone()),
        attempt: Some(action.attempt.0),
        status: Some(action.status),
        waiting_for,
        since: action.changed_at,
        until,
    }
}

fn words(job: &WorkflowJob, action: &WorkflowAction) -> (String, Option<Timestamp>) {
    let suspended = job.header.status == JobStatus::Suspended;
    let open = action.questions.iter().filter(|question| question.answer.is_none()).count();
    let text = match action.status {
        ActionStatus::Running => match (&action.claim, &action.child) {
            (Some(claim), _) => format!("worker {} to finish it", claim.worker),
            (None, Some(child)) => format!("its sub-workflow {child} to end"),
            (None, None) => "news of it".to_owned(),
        },
        ActionStatus::Done => "the job to be resumed; its work is over".to_owned(),
        ActionStatus::StartManual | ActionStatus::EndManual => {
            let code = action.error_code.as_deref().unwrap_or("an error");
            format!("a person: mend {code} and resume the job")
        }
        _ if suspended => "the job to be resumed".to_owned(),
        ActionStatus::UserRetry | ActionStatus::StartRetry | ActionStatus::EndRetry
            if action.due_at.is_some() =>
        {
            let code = action.error_code.as_deref().unwrap_or("an error");
            format!("its next try after {code}")
        }
        _ if open > 0 => format!("answers to {open} questions to file systems"),
        _ if wants::is_offered(&job.header, action) => {
            format!("a worker of pool `{}` with a free slot", action.pool)
        }
        _ if &*action.kind == "sub-workflow" => {
            "the application of its sub-workflow to be read".to_owned()
        }
        _ => "an earlier attempt of it to stop".to_owned(),
    };
    (text, action.due_at)
}

fn of_joins(app: &WorkflowApp, job: &WorkflowJob) -> Vec<Waiting> {
    let describe = |(key, arrived): (&String, &std::collections::BTreeSet<String>)| {
        let join = key.split('@').next().unwrap_or_default();
        let fork =
            arrived.iter().next().and_then(|branch| branch.split(':').next()).unwrap_or_default();
        let expected = app.nodes.get(fork).map_or(0, |node| node.kind.targets().len());
        Waiting {
            action: Some(NodeName::new(join)),
            attempt: None,
            status: None,
            waiting_for: format!(
                "{} more of the {expected} branches of fork `{fork}`",
                expected.saturating_sub(arrived.len())
            ),
            since: job.header.changed_at,
            until: None,
        }
    };
    job.header.joins.iter().map(describe).collect()
}

fn of_stops(job: &WorkflowJob) -> Vec<Waiting> {
    let describe = |stopping: &model::job::Stopping| Waiting {
        action: Some(stopping.action.clone()),
        attempt: Some(stopping.attempt.0),
        status: None,
        waiting_for: format!("worker {} to confirm that this attempt has stopped", stopping.worker),
        since: job.header.changed_at,
        until: None,
    };
    job.header.stopping.values().map(describe).collect()
}
