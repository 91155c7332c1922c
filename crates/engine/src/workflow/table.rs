//! Which status may follow which: the tables of census §2.1 and §2.2, as data.

use model::{ActionStatus, JobStatus};

use ActionStatus as A;
use JobStatus as J;

/// Legal changes of a job's status within and between its runs.
pub const JOB_TRANSITIONS: &[(JobStatus, &[JobStatus])] = &[
    (J::Prep, &[J::Running, J::Killed, J::Failed, J::Suspended, J::Succeeded]),
    (J::Running, &[J::Suspended, J::Succeeded, J::Killed, J::Failed]),
    (J::Suspended, &[J::Running, J::Killed, J::Failed, J::Succeeded]),
    (J::Succeeded, &[J::Running, J::Suspended, J::Succeeded, J::Killed, J::Failed]),
    (J::Killed, &[J::Running, J::Suspended, J::Succeeded, J::Killed, J::Failed]),
    (J::Failed, &[J::Running, J::Suspended, J::Succeeded, J::Killed, J::Failed]),
];

/// Legal changes of an action's status within one run of its job. `DONE` is passed through within one step unless the job
/// is suspended, so its successors are legal from `RUNNING` too; a synchronous node (control nodes, decisions) goes from
/// `PREP` to its end within one step.
pub const ACTION_TRANSITIONS: &[(ActionStatus, &[ActionStatus])] = &[
    (
        A::Prep,
        &[
            A::StartRetry,
            A::StartManual,
            A::Running,
            A::Ok,
            A::Error,
            A::UserRetry,
            A::Killed,
            A::Failed,
        ],
    ),
    (
        A::StartRetry,
        &[A::StartManual, A::Running, A::Ok, A::Error, A::UserRetry, A::Killed, A::Failed],
    ),
    (
        A::StartManual,
        &[A::StartRetry, A::Running, A::Ok, A::Error, A::UserRetry, A::Killed, A::Failed, A::Prep],
    ),
    (A::UserRetry, &[A::Running, A::StartRetry, A::StartManual, A::Error, A::Killed, A::Failed]),
    (
        A::Running,
        &[
            A::Done,
            A::Ok,
            A::Error,
            A::UserRetry,
            A::StartRetry,
            A::StartManual,
            A::EndRetry,
            A::EndManual,
            A::Killed,
            A::Failed,
        ],
    ),
    (
        A::Done,
        &[
            A::Ok,
            A::Error,
            A::UserRetry,
            A::StartRetry,
            A::StartManual,
            A::EndRetry,
            A::EndManual,
            A::Killed,
            A::Failed,
        ],
    ),
    (A::EndRetry, &[A::EndManual, A::Ok, A::Error, A::UserRetry, A::Killed, A::Failed]),
    (A::EndManual, &[A::EndRetry, A::Ok, A::Error, A::UserRetry, A::Killed, A::Failed]),
    (A::Ok, &[]),
    (A::Error, &[]),
    (A::Killed, &[A::Failed]),
    (A::Failed, &[]),
];

/// Whether a job may go from one status to another in one step.
pub fn job_may(from: JobStatus, to: JobStatus) -> bool {
    from == to || JOB_TRANSITIONS.iter().any(|(status, next)| *status == from && next.contains(&to))
}

/// Whether an action may go from one status to another in one step.
pub fn action_may(from: ActionStatus, to: ActionStatus) -> bool {
    from == to
        || ACTION_TRANSITIONS.iter().any(|(status, next)| *status == from && next.contains(&to))
}
