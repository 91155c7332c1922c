//! `GET /api/v1/jobs/{id}/definition`: the definition that the job runs; `GET /api/v1/definitions/{digest}`: everything
//! that a definition was read from, also of a former run.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use ports::store::AppSource;
use serde::Serialize;
use utoipa::ToSchema;

use crate::caller::Caller;
use crate::config::App;
use crate::error::{ErrorBody, Failure};
use crate::params::Located;
use crate::read;

/// The texts that a definition was read from.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Sources {
    /// The text of `workflow.xml`.
    definition: String,
    /// The text of `config-default.xml`, if there was one.
    config_default: Option<String>,
    /// The `<global>` section of the parent, for a child that it was handed down to.
    inherited_global: Option<String>,
}

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

/// The texts behind a digest, such as a job's `app_digest` or one in an event of its history.
#[utoipa::path(
    get, path = "/api/v1/definitions/{digest}", tag = "definitions", operation_id = "getDefinitionSources",
    params(("digest" = String, Path, description = "64 hexadecimal digits, in lower case")),
    responses(
        (status = 200, body = Sources), (status = 400, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)
    )
)]
pub(super) async fn by_digest(
    State(app): State<App>,
    Located(digest): Located<String>,
    _: Caller,
) -> Result<Json<Sources>, Failure> {
    let digest = read::digest(&digest)?;
    let found = app.ports.store.app(&digest).await?;
    let source = found.ok_or_else(|| Failure::no_definition(&digest))?;
    Ok(Json(Sources::from(source)))
}

impl From<AppSource> for Sources {
    fn from(source: AppSource) -> Sources {
        let AppSource { definition, config_default, inherited_global } = source;
        Sources { definition, config_default, inherited_global }
    }
}
