//! Oozie's REST (census §5): one file per resource.
//!
//! The three versions of the protocol answer alike, but for `admin/status`, whose v0 knows safe mode only.

mod admin;
mod body;
mod callback;
mod change;
mod graph;
mod job;
mod jobs;
mod log;
mod validate;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use crate::config::App;

/// Content types as Oozie writes them, with the quoted charset (census §5.1).
const JSON: &str = "application/json; charset=\"UTF-8\"";
const XML: &str = "application/xml; charset=\"UTF-8\"";
const TEXT: &str = "text/plain; charset=\"UTF-8\"";

/// Everything below `/oozie`.
pub(crate) fn routes() -> Router<App> {
    let versioned = || {
        Router::new()
            .route("/jobs", post(jobs::submit).get(jobs::list).put(jobs::change_many))
            .route("/job/{id}", get(job::show).put(change::change))
            .route("/admin/{resource}", get(admin::show).put(admin::put))
    };
    let status = get(admin::status).put(admin::set_status);
    Router::new()
        .route("/versions", get(versions))
        .route("/callback", get(callback::get).post(callback::post))
        .route("/v2/validate", post(validate::validate))
        .nest(
            "/v0",
            versioned().route("/admin/status", get(admin::status_v0).put(admin::set_status_v0)),
        )
        .nest("/v1", versioned().route("/admin/status", status.clone()))
        .nest("/v2", versioned().route("/admin/status", status))
}

async fn versions() -> Response {
    reply(JSON, json!([0, 1, 2]).to_string())
}

/// 200 with JSON.
fn json_reply(value: &Value) -> Response {
    reply(JSON, value.to_string())
}

/// 200 without a body: a command was taken.
fn done() -> Response {
    StatusCode::OK.into_response()
}

fn reply(content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
