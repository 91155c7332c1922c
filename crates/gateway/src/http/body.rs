//! Bodies of requests: bounded, of the right type, read as configuration.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use definition::Limits;
use futures::StreamExt;
use model::{Configuration, Diagnostic};

use crate::error::{self, Failure};

/// How much of a body that is too long is read away, so that the client sees our answer instead of a broken connection.
const DRAINED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// `E0300` unless the media type is exactly this; parameters such as the charset do not matter.
pub(super) fn require_type(headers: &HeaderMap, expected: &str) -> Result<(), Failure> {
    let given =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let media_type = given.split(';').next().unwrap_or("").trim();
    if media_type == expected {
        return Ok(());
    }
    Err(Failure::bad("E0300", format!("Invalid content-type [{given}]"))
        .help(format!("send it as {expected}")))
}

/// The whole body, when it has at most `bytes_max` bytes; 413 else.
pub(super) async fn read(request: Request, bytes_max: usize) -> Result<Bytes, Failure> {
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let body = request.into_body();
    if announced.is_some_and(|length| length > bytes_max) {
        drain(body).await;
        return Err(too_long(bytes_max));
    }
    to_bytes(body, bytes_max).await.map_err(|_| too_long(bytes_max))
}

async fn drain(body: Body) {
    let mut chunks = body.into_data_stream();
    let mut drained = 0;
    while let Some(Ok(chunk)) = chunks.next().await {
        drained += chunk.len();
        if drained > DRAINED_BYTES_MAX {
            return;
        }
    }
}

fn too_long(bytes_max: usize) -> Failure {
    let message = format!("the body has more than {bytes_max} bytes");
    Failure::new(StatusCode::PAYLOAD_TOO_LARGE, error::BODY_TOO_LONG, message)
        .help("put large values into files and pass their paths")
}

/// A posted configuration, as it stands.
pub(super) fn configuration(bytes: &Bytes) -> Result<Configuration, Failure> {
    let text = definition::decode(bytes, Limits::configuration())
        .map_err(|finding| unreadable(vec![finding]))?;
    definition::read_configuration(text).map_err(unreadable)
}

/// A submitted configuration: trimmed, and with variables replaced by its own properties (gotcha 11).
pub(super) fn submitted_configuration(bytes: &Bytes) -> Result<Configuration, Failure> {
    let posted = configuration(bytes)?;
    definition::substituted(&definition::trimmed(&posted))
        .map_err(|finding| unreadable(vec![finding]))
}

fn unreadable(diagnostics: Vec<Diagnostic>) -> Failure {
    let first = diagnostics.first();
    let code = first.map_or("E0700", |finding| finding.code.as_str()).to_owned();
    // Its code stands in front of the whole.
    let first = first.map(ToString::to_string).unwrap_or_default();
    let why = first.strip_prefix(&format!("{code}: ")).unwrap_or(&first);
    let message = format!("the posted configuration cannot be read: {why}");
    Failure { diagnostics, ..Failure::bad(&code, message) }
}
