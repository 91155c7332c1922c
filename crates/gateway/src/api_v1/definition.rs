//! `GET /api/v1/jobs/{id}/definition`: the definition that the job runs.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::caller::Caller;
use crate::config::App;
use crate::error::{ErrorBody, Failure};
use crate::params::Located;
use crate::read;

/// The text of the job's `workflow.xml`, as it was read at submit or at the last rerun.
#[utoipa::path(
    get, path = "/api/v1/jobs/{id}/definition", tag = "jobs", operation_id = "getDefinition",
    params(("id" = String, Path, description = "the job's id")),
    responses(
        (status = 200, body = String, content_type = "application/xml"),
        (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)
    )
)]
pub(super) async fn show(
    State(app): State<App>,
    Located(id): Located<String>,
    _: Caller,
) -> Result<Response, Failure> {
    let job = read::header(&app, &read::job_id(&id)?).await?;
    let source = read::source(&app, &job).await?;
    let content_type = HeaderValue::from_static("application/xml; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, content_type)], source.definition).into_response())
}
