//! Which status may follow which: the tables of census §2.1 and §2.2, as data.

use model::{ActionStatus, JobStatus};

use ActionStatus as A;
use JobStatus as J;

/// Legal changes of a job's status: the first one of a step. From RUNNING one step may go on to any of its successors.
pub const JOB_TRANSITIONS: &[(JobStatus, &[JobStatus])] = &[
    (J::Prep, &[J::Running, J::Killed]),
    (J::Running, &[J::Suspended, J::Succeeded, J::Killed, J::Failed]),
    (J::Suspended, &[J::Running, J::Killed]),
    (J::Succeeded, &[J::Running]),
    (J::Killed, &[J::Running]),
    (J::Failed, &[J::Running]),
];

/// Legal changes of an action's status within one run of its job. `DONE` is passed through within one step unless the job
/// is suspended, so its successors are legal from `RUNNING` too. A row is made in `PREP`; what follows in the same step is
/// not a change of a stored row. `START_MANUAL` goes on as `START_RETRY` when the job is resumed.
pub const ACTION_TRANSITIONS: &[(ActionStatus, &[ActionStatus])] = &[
    (
        A::Prep,
        &[
            A::Running,
            A::StartRetry,
            A::StartManual,
            A::UserRetry,
            A::Ok,
            A::Error,
            A::Killed,
            A::Failed,
        ],
    ),
    (
        A::StartRetry,
        &[A::Running, A::StartManual, A::UserRetry, A::Ok, A::Error, A::Killed, A::Failed],
    ),
    (A::StartManual, &[A::StartRetry, A::Killed]),
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
    (A::EndRetry, &[A::EndManual, A::Killed]),
    (A::EndManual, &[A::Error, A::UserRetry, A::Killed]),
    (A::Ok, &[]),
    (A::Error, &[]),
    (A::Killed, &[]),
    (A::Failed, &[]),
];

/// Whether a job may go from one status to another in one step.
pub fn job_may(from: JobStatus, to: JobStatus) -> bool {
    let listed = |from: JobStatus, to: JobStatus| {
        JOB_TRANSITIONS.iter().any(|(status, next)| *status == from && next.contains(&to))
    };
    from == to || listed(from, to) || (listed(from, J::Running) && listed(J::Running, to))
}

/// Whether an action may go from one status to another in one step.
pub fn action_may(from: ActionStatus, to: ActionStatus) -> bool {
    from == to
        || ACTION_TRANSITIONS.iter().any(|(status, next)| *status == from && next.contains(&to))
}
