//! `/callback`: a hint from outside that an action has changed (gotcha 33).
//!
//! Nobody is authenticated here, so nothing is believed: the worker that holds the action knows its end by itself.

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::Response;
use tracing::debug;

use super::{body, done};
use crate::error::Failure;
use crate::params::Params;
use crate::read;

/// Longest body: `oozie.servlet.CallbackServlet.max.data.len`.
const DATA_BYTES_MAX: usize = 2048;

pub(super) async fn get(params: Params) -> Result<Response, Failure> {
    hint(&params)?;
    Ok(done())
}

pub(super) async fn post(
    params: Params,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Failure> {
    hint(&params)?;
    body::require_type(&headers, "text/plain")?;
    let too_long = |_| Failure::bad("E0403", "Invalid callback data, data too long");
    body::read(request, DATA_BYTES_MAX).await.map_err(too_long)?;
    Ok(done())
}

fn hint(params: &Params) -> Result<(), Failure> {
    let wrong = || {
        Failure::bad("E0402", "Invalid callback ID [it needs id=<action id> and status=<status>]")
    };
    let id = params.get("id").ok_or_else(wrong)?;
    let status = params.get("status").ok_or_else(wrong)?;
    let action = read::action_id(id).map_err(|_| wrong())?;
    debug!(%action, status, "callback");
    Ok(())
}
