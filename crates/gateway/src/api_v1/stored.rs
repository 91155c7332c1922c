//! `GET /api/v1/jobs/{id}/stored`: the rows of a job as they are, for those who compare them with a replay.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use model::job::JobHeader;
use model::{Configuration, WorkflowAction};
use serde::Serialize;
use utoipa::ToSchema;

use crate::caller::Caller;
use crate::config::App;
use crate::error::{ErrorBody, Failure};
use crate::params::Located;
use crate::read;

/// The rows of a job in their stored form, which grows from version to version: for comparing, not for showing.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Stored {
    /// The job's own row.
    #[schema(value_type = Object)]
    header: JobHeader,
    /// Its configuration, property by property.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    conf: Arc<Configuration>,
    /// The rows of its actions, by name.
    #[schema(value_type = Vec<Object>)]
    actions: Vec<Arc<WorkflowAction>>,
}

/// A job's rows as they are stored.
#[utoipa::path(
    get, path = "/api/v1/jobs/{id}/stored", tag = "jobs", operation_id = "getStoredJob",
    params(("id" = String, Path, description = "the job's id")),
    responses((status = 200, body = Stored), (status = 404, body = ErrorBody), (status = 503, body = ErrorBody))
)]
pub(super) async fn show(
    State(app): State<App>,
    Located(id): Located<String>,
    _: Caller,
) -> Result<Json<Stored>, Failure> {
    let job = read::job(&app, &read::job_id(&id)?).await?;
    let conf = Arc::clone(&job.header.conf);
    Ok(Json(Stored { header: job.header, conf, actions: job.actions.into_values().collect() }))
}
