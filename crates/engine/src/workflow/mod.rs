//! The life of a workflow job: one pure function, [`step`], and what a state still wants, [`outstanding`].
//!
//! ```text
//!              Started                 end node
//!    PREP ───────────────► RUNNING ───────────────► SUCCEEDED ─┐
//!     │                    │  ▲  │   kill node, Killed          │
//!     │          Suspended │  │  └──────────────────► KILLED ───┤ Rerun
//!     │      manual retry  ▼  │ Resumed                ▲        │ (run + 1)
//!     │                  SUSPENDED ────────────────────┘        │
//!     │ Killed              (Killed)                            │
//!     └─────────────► KILLED        RUNNING ──► FAILED ─────────┤
//!                                   engine, EL, FAILED class    ▼
//!                                                            RUNNING
//! ```
//! The exact tables are [`table::JOB_TRANSITIONS`] and [`table::ACTION_TRANSITIONS`] (census §2.1, §2.2); a test walks
//! random jobs and fails on a transition that they do not list.
//!
//! **Invariants** (checked by [`crate::invariants`])
//! * A late or repeated event changes nothing: each names its run and attempt, or its token.
//! * What is wanted is a function of what is stored. A step returns the wishes of what it touched; [`outstanding`] returns
//!   those of everything, and a fresh owner starts from there.
//! * A step does at most [`ENTRIES_MAX`] entries; what is left stands in the job's `frontier`.

mod begin;
mod commands;
mod draft;
mod explain;
mod expressions;
mod notify;
mod prepare;
mod rerun;
mod results;
mod retries;
pub mod table;
mod walk;
mod wants;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::job::{JobHeader, Reason};
use model::{JobStatus, Run, Timestamp, WorkflowApp, WorkflowJob};

use self::draft::Draft;
pub use self::draft::Step;
pub use self::explain::explain;
pub use self::prepare::{
    APP_PATH, GLOBAL_CONF, Prepared, dry_run, prepare, prepare_rerun, sub_workflow_conf,
};
pub use self::wants::{is_offered, next_wakeup, outstanding};
use crate::event::{Event, Rejection, Submission};

/// Nodes that one step enters at most; a larger fork goes on in the next turn (architecture §4: 500 effects a turn).
pub const ENTRIES_MAX: usize = 500;

/// Takes one event in, puts the changes and wishes out. Pure: same input, same output, for ever.
///
/// `app` is the definition that the event leaves the job with (for a rerun: the new one).
///
/// # Errors
/// Commands of people may be refused, with Oozie's code. Events of the world never are: stale ones are absorbed.
pub fn step(
    app: &WorkflowApp,
    job: &WorkflowJob,
    now: Timestamp,
    event: &Event,
) -> Result<Step, Rejection> {
    let now = now.max(job.header.changed_at);
    let mut draft = Draft::new(app, job, now);
    match event {
        Event::Submitted(_) => {}
        Event::Started => commands::start(&mut draft)?,
        Event::Suspended => commands::suspend(&mut draft)?,
        Event::Resumed => commands::resume(&mut draft)?,
        Event::Killed => commands::kill(&mut draft)?,
        Event::Rerun(request) => rerun::rerun(&mut draft, request)?,
        Event::Answered { action, of, answers } => {
            begin::answered(&mut draft, action, *of, answers)
        }
        Event::Claimed { action, of, claim } => begin::claimed(&mut draft, action, *of, claim)?,
        Event::Progressed { action, token, external_id, console_url } => {
            results::progressed(
                &mut draft,
                action,
                token,
                external_id.as_deref(),
                console_url.as_deref(),
            );
        }
        Event::Finished { action, token, result } => {
            results::finished(&mut draft, action, token, result)
        }
        Event::Returned { token } => results::returned(&mut draft, token),
        Event::Stopped { token } => results::stopped(&mut draft, token),
        Event::ChildRead { action, of, child } => {
            results::child_read(&mut draft, action, *of, child)
        }
        Event::ChildRefused { action, of, failure } => {
            results::child_refused(&mut draft, action, *of, failure)
        }
        Event::ChildChanged { action, of, child, status, .. } => {
            results::child_changed(&mut draft, action, *of, child, *status);
        }
        Event::Woke => retries::woke(&mut draft),
        Event::Notified { number, delivered } => notify::notified(&mut draft, *number, *delivered),
        Event::Continued => {}
        Event::Quarantined { reason } => commands::quarantine(&mut draft, reason),
    }
    walk::walk(&mut draft);
    Ok(wants::complete(app, job, draft.finish()))
}

/// The first step of a job: it did not exist before.
pub fn create(app: &WorkflowApp, now: Timestamp, submission: &Submission) -> (WorkflowJob, Step) {
    let mut job = WorkflowJob { header: header_of(submission, now), actions: BTreeMap::new() };
    let event = if submission.start {
        Event::Started
    } else {
        Event::Submitted(Box::new(submission.clone()))
    };
    let mut step = match step(app, &job, now, &event) {
        Ok(step) => step,
        Err(rejection) => refused_at_birth(&job, &rejection),
    };
    step.apply(&mut job);
    step.header = Some(Arc::new(job.header.clone()));
    step.conf_changed = true;
    (job, step)
}

/// A job in PREP can always be started, so this is never met; a job that cannot says why.
fn refused_at_birth(job: &WorkflowJob, rejection: &Rejection) -> Step {
    let mut header = job.header.clone();
    header.reason =
        Some(Reason { code: rejection.code.to_owned(), message: rejection.message.clone() });
    Step { header: Some(Arc::new(header)), ..Step::default() }
}

fn header_of(submission: &Submission, now: Timestamp) -> JobHeader {
    JobHeader {
        id: submission.id.clone(),
        app: submission.app.clone(),
        app_name: Arc::clone(&submission.app_name),
        app_path: Arc::clone(&submission.app_path),
        conf: Arc::clone(&submission.conf),
        user: Arc::clone(&submission.user),
        group: submission.group.clone(),
        acl: submission.acl.clone(),
        parent: submission.parent.clone(),
        external_id: submission.external_id.clone(),
        rules: Arc::clone(&submission.rules),
        status: JobStatus::Prep,
        run: Run(0),
        created_at: now,
        started_at: None,
        ended_at: None,
        changed_at: now,
        frontier: Vec::new(),
        joins: BTreeMap::new(),
        kept: BTreeSet::new(),
        rerun_children: BTreeMap::new(),
        last_error_node: None,
        stopping: BTreeMap::new(),
        notifications: BTreeMap::new(),
        next_notification: 1,
        reason: None,
    }
}
