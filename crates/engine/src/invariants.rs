//! What must hold of every workflow job in every state (architecture §6). One definition, watched by the unit tests, the
//! scheduler's debug builds and the end-to-end tests.

use std::collections::BTreeSet;

use model::{ActionStatus, JobStatus, WorkflowAction, WorkflowJob};

use crate::workflow::Step;
use crate::workflow::table;

/// What was found broken, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Violation(pub String);

fn ensure(holds: bool, words: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation(words())) }
}

/// Checks one state.
///
/// # Errors
/// The first invariant that does not hold.
pub fn check(job: &WorkflowJob) -> Result<(), Violation> {
    let header = &job.header;
    for action in job.actions.values() {
        check_action(job, action)?;
    }
    if header.status.is_terminal() {
        ensure(header.ended_at.is_some(), || {
            format!("{} is {} without an end time", header.id, header.status)
        })?;
        ensure(header.frontier.is_empty(), || {
            format!("{} is over and still has nodes to enter", header.id)
        })?;
        ensure(header.joins.is_empty(), || {
            format!("{} is over and a join still waits", header.id)
        })?;
    } else {
        ensure(header.ended_at.is_none(), || {
            format!("{} is {} and has an end time", header.id, header.status)
        })?;
    }
    check_tokens(job)
}

fn check_action(job: &WorkflowJob, action: &WorkflowAction) -> Result<(), Violation> {
    let say = |what: &str| format!("{}@{} is {} {what}", job.header.id, action.name, action.status);
    if job.header.status.is_terminal() {
        ensure(!action.is_live(), || say("though its job is over"))?;
    }
    let work = !action.kind.starts_with(':') && &*action.kind != "switch";
    let running = action.status == ActionStatus::Running;
    let held = action.claim.is_some() || action.child.is_some();
    ensure(!running || held, || say("and neither a worker nor a child holds it"))?;
    ensure(action.claim.is_none() || running, || say("and a worker holds it"))?;
    ensure(action.result.is_none() || waits_with_result(action.status), || {
        say("and keeps a result")
    })?;
    ensure(action.status != ActionStatus::Done || action.result.is_some(), || {
        say("without a result")
    })?;
    ensure(action.ended_at.is_some() == action.status.is_terminal(), || {
        say("which does not fit its end time")
    })?;
    ensure(!(work && action.status == ActionStatus::Ok) || action.transition.is_some(), || {
        say("without a transition")
    })?;
    ensure(action.run <= job.header.run, || say("in a run that has not begun"))
}

fn waits_with_result(status: ActionStatus) -> bool {
    matches!(status, ActionStatus::Done | ActionStatus::EndRetry | ActionStatus::EndManual)
}

/// No token holds two attempts, and none that is to be stopped is held.
fn check_tokens(job: &WorkflowJob) -> Result<(), Violation> {
    let mut seen = BTreeSet::new();
    for action in job.actions.values() {
        if let Some(claim) = &action.claim {
            ensure(seen.insert(&claim.token), || {
                format!("token {} holds two attempts", claim.token)
            })?;
            ensure(!job.header.stopping.contains_key(&claim.token), || {
                format!("token {} runs and is to be stopped", claim.token)
            })?;
        }
    }
    Ok(())
}

/// Checks that a step was a legal one: S5 and the tables of states.
///
/// # Errors
/// The first transition that no table lists.
pub fn check_step(before: &WorkflowJob, after: &WorkflowJob, step: &Step) -> Result<(), Violation> {
    let (from, to) = (before.header.status, after.header.status);
    ensure(table::job_may(from, to), || format!("{} went from {from} to {to}", before.header.id))?;
    let same_run = before.header.run == after.header.run;
    ensure(!(same_run && from.is_terminal() && from != to), || {
        format!("{} left {from} without a rerun", before.header.id)
    })?;
    ensure(from != JobStatus::Suspended || to != JobStatus::Prep, || {
        "a job went back to PREP".to_owned()
    })?;
    for action in &step.actions {
        let Some(old) = before.actions.get(&action.name).filter(|_| same_run) else { continue };
        ensure(table::action_may(old.status, action.status), || {
            format!(
                "{}@{} went from {} to {}",
                before.header.id, action.name, old.status, action.status
            )
        })?;
        ensure(action.attempt >= old.attempt, || format!("attempt of {} went back", action.name))?;
    }
    check(after)
}
