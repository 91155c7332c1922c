//! What people ask of a job: start, suspend, resume, kill. In a state that Oozie swallows the refusal is silent (gotcha 15).

use model::job::Reason;
use model::{JobStatus, NodeName};

use super::draft::Draft;
use super::{notify, retries, walk};
use crate::event::Rejection;

/// PREP → RUNNING. A running job answers E0801, as Oozie does; any other state is silent (census §2.6).
pub(super) fn start(draft: &mut Draft<'_>) -> Result<(), Rejection> {
    match draft.status() {
        JobStatus::Prep => {
            let now = draft.now;
            let header = draft.header_mut();
            header.status = JobStatus::Running;
            header.started_at = Some(now);
            notify::job_changed(draft);
            walk::go(draft, &NodeName::start(), &walk::ROOT.into());
            Ok(())
        }
        JobStatus::Running => Err(refused(draft, "E0801", "it runs already", false)),
        JobStatus::Suspended | JobStatus::Succeeded | JobStatus::Killed | JobStatus::Failed => {
            Err(refused(draft, "E0801", "only a job in PREP can be started", true))
        }
    }
}

/// RUNNING → SUSPENDED. What runs goes on running (gotcha 17); the parents are suspended too (gotcha 18).
pub(super) fn suspend(draft: &mut Draft<'_>) -> Result<(), Rejection> {
    match draft.status() {
        JobStatus::Running => {
            walk::suspend_job(
                draft,
                "HW1004",
                "somebody suspended the job; resume it to go on".to_owned(),
            );
            Ok(())
        }
        JobStatus::Prep
        | JobStatus::Suspended
        | JobStatus::Succeeded
        | JobStatus::Killed
        | JobStatus::Failed => {
            Err(refused(draft, "E0727", "only a running job can be suspended", true))
        }
    }
}

/// SUSPENDED → RUNNING.
pub(super) fn resume(draft: &mut Draft<'_>) -> Result<(), Rejection> {
    match draft.status() {
        JobStatus::Suspended => {
            let header = draft.header_mut();
            header.status = JobStatus::Running;
            header.reason = None;
            notify::job_changed(draft);
            for name in draft.live_names() {
                if draft.is_running() {
                    retries::resumed(draft, &name);
                }
            }
            Ok(())
        }
        JobStatus::Prep
        | JobStatus::Running
        | JobStatus::Succeeded
        | JobStatus::Killed
        | JobStatus::Failed => {
            Err(refused(draft, "E1100", "only a suspended job can be resumed", true))
        }
    }
}

/// → KILLED; a FAILED job stays FAILED (gotcha 16).
pub(super) fn kill(draft: &mut Draft<'_>) -> Result<(), Rejection> {
    match draft.status() {
        JobStatus::Prep | JobStatus::Running | JobStatus::Suspended => {
            draft.header_mut().reason = Some(Reason {
                code: "HW1005".to_owned(),
                message: "somebody killed the job".to_owned(),
            });
            walk::end_job(draft, JobStatus::Killed);
            Ok(())
        }
        JobStatus::Failed => {
            for name in draft.live_names() {
                walk::kill_action(draft, &name);
            }
            Ok(())
        }
        JobStatus::Succeeded | JobStatus::Killed => {
            Err(refused(draft, "E0725", "the job is over", true))
        }
    }
}

/// Sets a job aside that cannot be handled; others go on (architecture §4, "Poison").
pub(super) fn quarantine(draft: &mut Draft<'_>, reason: &Reason) {
    if draft.status().is_terminal() {
        draft.header_mut().reason = Some(reason.clone());
    } else {
        walk::suspend_job(draft, &reason.code, reason.message.clone());
    }
}

fn refused(draft: &Draft<'_>, code: &'static str, why: &str, silent: bool) -> Rejection {
    let message = format!("job {} is {}: {why}", draft.header().id, draft.status());
    Rejection { code, message, silent }
}
