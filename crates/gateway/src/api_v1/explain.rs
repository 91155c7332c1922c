//! `GET /api/v1/jobs/{id}/explain`: why the job is not moving.

use axum::Json;
use axum::extract::State;
use ports::api;
use serde::Serialize;
use utoipa::ToSchema;

use crate::caller::Caller;
use crate::config::App;
use crate::error::{ErrorBody, Failure};
use crate::params::Located;
use crate::read;

/// Why a job is not moving.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Explanation {
    /// The job.
    job: String,
    /// Its status.
    status: String,
    /// One sentence about the whole.
    summary: String,
    /// One entry for each thing that is waited for.
    waits: Vec<Wait>,
}

/// One thing that is waited for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Wait {
    /// The action, or nothing when the job itself waits.
    action: Option<String>,
    /// Its attempt.
    attempt: Option<u32>,
    /// Its status.
    status: Option<String>,
    /// For what.
    waiting_for: String,
    /// Since when, RFC 3339 in UTC.
    since: String,
    /// Until when at most.
    until: Option<String>,
}

/// Why a job is not moving: which action, which attempt, waiting for what, since when.
#[utoipa::path(
    get, path = "/api/v1/jobs/{id}/explain", tag = "jobs", operation_id = "explainJob",
    params(("id" = String, Path, description = "the job's id")),
    responses((status = 200, body = Explanation), (status = 404, body = ErrorBody), (status = 503, body = ErrorBody))
)]
pub(super) async fn show(
    State(app): State<App>,
    Located(id): Located<String>,
    _: Caller,
) -> Result<Json<Explanation>, Failure> {
    let explanation = app.ports.scheduler.explain(&read::job_id(&id)?).await?;
    Ok(Json(Explanation::from(explanation)))
}

impl From<api::Explanation> for Explanation {
    fn from(told: api::Explanation) -> Explanation {
        let api::Explanation { job, status, summary, waits } = told;
        Explanation { job, status, summary, waits: waits.into_iter().map(Wait::from).collect() }
    }
}

impl From<api::Wait> for Wait {
    fn from(wait: api::Wait) -> Wait {
        Wait {
            action: wait.action.map(|name| name.to_string()),
            attempt: wait.attempt,
            status: wait.status,
            waiting_for: wait.waiting_for,
            since: wait.since.to_string(),
            until: wait.until.map(|moment| moment.to_string()),
        }
    }
}
