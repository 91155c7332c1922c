//! `GET /api/v1/jobs/{id}`: a job with everything that is known of its actions.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use model::action::EarlierAttempt;
use model::{Timestamp, WorkflowAction, WorkflowJob};
use serde::Serialize;
use utoipa::ToSchema;

use crate::beans;
use crate::caller::Caller;
use crate::config::App;
use crate::error::{ErrorBody, Failure};
use crate::params::Located;
use crate::read;

/// A workflow job. Moments are RFC 3339 in UTC with milliseconds.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Job {
    /// Its id.
    #[schema(example = "0000123-261122144400000-howdah-W")]
    id: String,
    /// The evaluated name of its definition.
    name: String,
    /// Where its definition was read.
    app_path: String,
    /// The digest of its definition.
    app_digest: String,
    /// Oozie's word: PREP, RUNNING, SUSPENDED, SUCCEEDED, KILLED or FAILED.
    status: String,
    /// Whether it is over until somebody reruns it.
    over: bool,
    /// 0 at submit, one more at each rerun.
    run: u32,
    /// Who submitted it.
    user: String,
    /// `group.name`.
    group: Option<String>,
    /// The job that started it.
    parent: Option<String>,
    /// `oozie.wf.external.id`.
    external_id: Option<String>,
    created_at: String,
    started_at: Option<String>,
    ended_at: Option<String>,
    changed_at: String,
    /// Why it stands still.
    reason: Option<Reason>,
    /// In the order in which they started.
    actions: Vec<Action>,
}

/// An error with a page in `docs/errors/`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Reason {
    code: String,
    message: String,
}

/// An action of a job: one node's run over all its attempts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Action {
    /// `<job>@<name>`.
    id: String,
    name: String,
    /// `shell`, `fs`, `switch`, `:FORK:`, …
    kind: String,
    /// Oozie's word: PREP, RUNNING, OK, ERROR, USER_RETRY, …
    status: String,
    /// Whether nothing more happens to it in this run.
    over: bool,
    /// The job's run it belongs to.
    run: u32,
    /// Which try: 1 is the first, 0 none yet.
    attempt: u32,
    /// Where it went.
    transition: Option<String>,
    created_at: String,
    started_at: Option<String>,
    ended_at: Option<String>,
    /// When the next retry is due.
    due_at: Option<String>,
    /// System retries used.
    retries: u32,
    user_retry: UserRetry,
    /// What the last failure was.
    error: Option<Reason>,
    external_id: Option<String>,
    external_status: Option<String>,
    console_url: Option<String>,
    /// The child workflow of a `sub-workflow`.
    child: Option<String>,
    /// Which workers may run it.
    pool: String,
    /// Which worker runs it.
    worker: Option<String>,
    /// Captured output, as the text of a properties file.
    data: Option<String>,
    /// Attempts before this one, oldest first.
    earlier: Vec<Earlier>,
}

/// `retry-max` and `retry-interval` of an action.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserRetry {
    /// Used.
    count: u32,
    /// Allowed.
    max: u32,
    /// Minutes between tries.
    interval_minutes: u32,
}

/// An attempt that was followed by another.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Earlier {
    attempt: u32,
    started_at: Option<String>,
    ended_at: String,
    error_code: Option<String>,
}

/// A job with its actions.
#[utoipa::path(
    get, path = "/api/v1/jobs/{id}", tag = "jobs", operation_id = "getJob",
    params(("id" = String, Path, description = "the job's id")),
    responses((status = 200, body = Job), (status = 404, body = ErrorBody), (status = 503, body = ErrorBody))
)]
pub(super) async fn show(
    State(app): State<App>,
    Located(id): Located<String>,
    _: Caller,
) -> Result<Json<Job>, Failure> {
    let job = read::job(&app, &read::job_id(&id)?).await?;
    Ok(Json(Job::from(&job)))
}

fn text(value: Option<&Arc<str>>) -> Option<String> {
    value.map(|text| text.as_ref().to_owned())
}

fn moment(value: Option<Timestamp>) -> Option<String> {
    value.map(|moment| moment.to_string())
}

impl From<&WorkflowJob> for Job {
    fn from(job: &WorkflowJob) -> Job {
        let header = &job.header;
        Job {
            id: header.id.to_string(),
            name: header.app_name.to_string(),
            app_path: header.app_path.to_string(),
            app_digest: header.app.to_string(),
            status: header.status.to_string(),
            over: header.status.is_terminal(),
            run: header.run.0,
            user: header.user.to_string(),
            group: text(header.group.as_ref()),
            parent: header.parent.as_ref().map(|parent| parent.job.to_string()),
            external_id: text(header.external_id.as_ref()),
            created_at: header.created_at.to_string(),
            started_at: moment(header.started_at),
            ended_at: moment(header.ended_at),
            changed_at: header.changed_at.to_string(),
            reason: header
                .reason
                .as_ref()
                .map(|one| Reason { code: one.code.clone(), message: one.message.clone() }),
            actions: beans::in_order(job)
                .into_iter()
                .map(|action| Action::of(job, action))
                .collect(),
        }
    }
}

impl Action {
    fn of(job: &WorkflowJob, action: &WorkflowAction) -> Action {
        let message = text(action.error_message.as_ref()).unwrap_or_default();
        Action {
            id: format!("{}@{}", job.header.id, action.name),
            name: action.name.to_string(),
            kind: action.kind.to_string(),
            status: action.status.to_string(),
            over: action.status.is_terminal(),
            run: action.run.0,
            attempt: action.attempt.0,
            transition: text(action.transition.as_ref()),
            created_at: action.created_at.to_string(),
            started_at: moment(action.started_at),
            ended_at: moment(action.ended_at),
            due_at: moment(action.due_at),
            retries: action.retries,
            user_retry: UserRetry {
                count: action.user_retry.count,
                max: action.user_retry.max,
                interval_minutes: action.user_retry.interval_minutes,
            },
            error: text(action.error_code.as_ref()).map(|code| Reason { code, message }),
            external_id: text(action.external_id.as_ref()),
            external_status: text(action.external_status.as_ref()),
            console_url: text(action.console_url.as_ref()),
            child: action.child.as_ref().map(ToString::to_string),
            pool: action.pool.to_string(),
            worker: action.claim.as_ref().map(|claim| claim.worker.to_string()),
            data: text(action.data.as_ref()),
            earlier: action.earlier.iter().map(Earlier::from).collect(),
        }
    }
}

impl From<&EarlierAttempt> for Earlier {
    fn from(earlier: &EarlierAttempt) -> Earlier {
        Earlier {
            attempt: earlier.attempt.0,
            started_at: moment(earlier.started_at),
            ended_at: earlier.ended_at.to_string(),
            error_code: text(earlier.error_code.as_ref()),
        }
    }
}
