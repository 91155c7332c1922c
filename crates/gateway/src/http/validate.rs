//! `POST /v2/validate`: is this definition valid for Oozie's schemas (gotcha 14)?

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use definition::{Limits, MAX_DEFINITION_BYTES};
use model::Diagnostic;
use serde_json::json;

use super::{body, json_reply};
use crate::config::App;
use crate::error::Failure;
use crate::params::Params;

/// The definition is the body, or, when that is empty, the file at the URI `file`.
pub(super) async fn validate(
    State(app): State<App>,
    params: Params,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Failure> {
    body::require_type(&headers, "application/xml")?;
    let (file, user) = (params.required("file")?, params.required("user")?);
    let posted = body::read(request, app.config.body_bytes_max).await?;
    let bytes = if posted.is_empty() { file_at(&app, user, file).await? } else { posted };
    let text = definition::decode(&bytes, Limits::default())
        .map_err(|finding| invalid(file, vec![finding]))?;
    definition::validate_definition(text, Limits::default())
        .map_err(|findings| invalid(file, findings))?;
    Ok(json_reply(&json!({ "validate": "Valid workflow-app" })))
}

async fn file_at(app: &App, user: &str, uri: &str) -> Result<Bytes, Failure> {
    let limit = MAX_DEFINITION_BYTES as u64 + 1;
    let read = app.ports.files.read(user, uri, limit).await;
    read.map(Bytes::from).map_err(|error| {
        Failure::bad("E0505", format!("App definition [{uri}] does not exist: {error}"))
    })
}

/// The first finding is what Oozie would say; its code stands before the file already.
fn invalid(file: &str, diagnostics: Vec<Diagnostic>) -> Failure {
    let code = diagnostics.first().map_or("E0701", |finding| finding.code.as_str()).to_owned();
    let first = diagnostics.first().map(ToString::to_string).unwrap_or_default();
    let words = first.strip_prefix(&format!("{code}: ")).unwrap_or(&first);
    let message = format!("{file}, {words}");
    Failure { diagnostics, ..Failure::bad(&code, message) }
}
