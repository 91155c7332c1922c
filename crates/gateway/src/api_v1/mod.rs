//! Howdah's own API, `/api/v1`: what Oozie's has no place for. One file per resource; every error is JSON.
//!
//! The document of it is made from this code: [`openapi_json`], checked in as `docs/openapi.json`.

mod cluster;
mod definition;
mod events;
mod explain;
mod follow;
mod history;
mod jobs;
mod logs;
mod stored;

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use utoipa::OpenApi;

use crate::config::App;
use crate::error::{DiagnosticBody, ErrorBody};

/// Everything below `/api/v1`.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/openapi.json", get(document))
        .route("/jobs/{id}", get(jobs::show))
        .route("/jobs/{id}/events", get(events::stream))
        .route("/jobs/{id}/explain", get(explain::show))
        .route("/jobs/{id}/history", get(history::show))
        .route("/jobs/{id}/logs/{action}", get(logs::show))
        .route("/jobs/{id}/definition", get(definition::show))
        .route("/jobs/{id}/stored", get(stored::show))
        .route("/definitions/{digest}", get(definition::by_digest))
        .route("/cluster", get(cluster::show))
        .route("/cluster/mode", post(cluster::mode))
        .route("/cluster/failback", post(cluster::failback))
        .route("/cluster/weight", post(cluster::weight))
        .route("/cluster/drain", post(cluster::drain))
        .route("/cluster/balance", post(cluster::balance))
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Howdah",
        description = "Howdah's own API beside Oozie's REST: jobs in full, their events as they happen, why they wait, and what their actions print; and the cluster that runs them."
    ),
    paths(
        jobs::show,
        events::stream,
        explain::show,
        history::show,
        logs::show,
        definition::show,
        stored::show,
        definition::by_digest,
        cluster::show,
        cluster::mode,
        cluster::failback,
        cluster::weight,
        cluster::drain,
        cluster::balance
    ),
    components(schemas(ErrorBody, DiagnosticBody))
)]
struct Document;

/// The OpenAPI document of `/api/v1`, as it is checked in.
pub fn openapi_json() -> String {
    let mut text = Document::openapi().to_pretty_json().expect("the document is made of texts");
    text.push('\n');
    text
}

async fn document() -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], openapi_json())
        .into_response()
}
