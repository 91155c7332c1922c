//! What stands around every handler: limits, the system mode, a deadline, panics, the look of failures, and counting.
//!
//! ```text
//! count ─► dress (X-Frame-Options, failures as page or JSON) ─► catch panics ─► admit (URL, OPTIONS, mode) ─► deadline ─► route
//! ```

use std::any::Any;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tokio::time::{Instant, timeout};
use tower_http::catch_panic::CatchPanicLayer;
use tracing::{debug, error, warn};

use crate::config::{App, SystemMode};
use crate::error::{self, Failure};

/// Longest path with query: filters of 200 ids fit; Oozie's own limit on all headers is 65536.
const URL_BYTES_MAX: usize = 16 * 1024;

/// Puts the guard around all routes.
pub(crate) fn around(routes: Router<App>, app: App) -> Router<App> {
    routes
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_that_method)
        .layer(from_fn_with_state(app.clone(), deadline))
        .layer(from_fn_with_state(app.clone(), admit))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(dress))
        .layer(from_fn_with_state(app, count))
}

async fn nothing_here(request: Request) -> Failure {
    let path = request.uri().path();
    let code = if is_own(path) { error::NO_SUCH_PATH } else { "E0301" };
    Failure::new(StatusCode::NOT_FOUND, code, format!("Invalid resource [{path}]"))
        .help("the interface of Oozie is under /oozie/v2, Howdah's own under /api/v1")
}

async fn not_that_method(request: Request) -> Failure {
    let message = format!("{} is not allowed on [{}]", request.method(), request.uri().path());
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, error::NO_SUCH_METHOD, message)
}

/// Ends requests whose answer does not begin in time: better an error than a hang.
async fn deadline(State(app): State<App>, request: Request, next: Next) -> Response {
    let limit_ms = app.config.request_timeout_ms;
    match timeout(Duration::from_millis(limit_ms), next.run(request)).await {
        Ok(response) => response,
        Err(_) => Failure::new(
            StatusCode::SERVICE_UNAVAILABLE,
            error::TOO_SLOW,
            format!("no answer within {limit_ms} ms"),
        )
        .help("a command may still take effect: look at the job before asking again")
        .into_response(),
    }
}

async fn admit(State(app): State<App>, request: Request, next: Next) -> Response {
    let url_bytes = request.uri().path_and_query().map_or(0, |text| text.as_str().len());
    if url_bytes > URL_BYTES_MAX {
        let message = format!("the URL has {url_bytes} bytes, the limit is {URL_BYTES_MAX}");
        return Failure::new(StatusCode::URI_TOO_LONG, error::URL_TOO_LONG, message)
            .into_response();
    }
    if request.method() == Method::OPTIONS {
        return options();
    }
    if app.mode.get() != SystemMode::Normal && changes_something(&request) {
        return Failure::new(StatusCode::SERVICE_UNAVAILABLE, "E0002", "System is in safe mode")
            .help("an administrator ends it with `howdah admin -systemmode NORMAL`")
            .into_response();
    }
    next.run(request).await
}

/// Oozie's Java client opens with OPTIONS, where it would be authenticated.
fn options() -> Response {
    let mut response = StatusCode::OK.into_response();
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, OPTIONS"));
    response
}

/// Administrators may always change the mode back, and look after the cluster.
fn changes_something(request: &Request) -> bool {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let path = request.uri().path();
    !reads && route_class(path) != "admin" && !path.starts_with("/api/v1/cluster/")
}

fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let words = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    error!(panic = words.unwrap_or("no text"), "a request handler panicked");
    Failure::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        error::PANICKED,
        "an error inside of the server",
    )
    .help("the server's log says where; please report it")
    .into_response()
}

async fn dress(request: Request, next: Next) -> Response<Body> {
    let own = is_own(request.uri().path());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = next.run(request).await;
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        log(&method, &path, &failure);
        response = if own { failure.as_json() } else { failure.as_page() };
    }
    response.headers_mut().insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    response
}

fn log(method: &Method, path: &str, failure: &Failure) {
    let Failure { status, code, message, .. } = failure;
    match status.is_server_error() {
        true => warn!(%method, path, status = status.as_u16(), code, message, "request failed"),
        false => debug!(%method, path, status = status.as_u16(), code, message, "request refused"),
    }
}

async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    let (route, method) = (route_class(request.uri().path()), method_class(request.method()));
    let begun = Instant::now();
    let response = next.run(request).await;
    app.config.metrics.count(
        route,
        method,
        response.status().as_u16(),
        begun.elapsed().as_secs_f64(),
    );
    response
}

fn is_own(path: &str) -> bool {
    path.starts_with("/api/")
}

/// A few words that clients cannot add to: they are labels of metrics.
fn route_class(path: &str) -> &'static str {
    let mut parts = path.split('/').skip(1);
    match (parts.next(), parts.next(), parts.next()) {
        (Some("oozie"), Some("versions"), None) => "versions",
        (Some("oozie"), Some("callback"), None) => "callback",
        (Some("oozie"), Some("v0" | "v1" | "v2"), Some("jobs")) => "jobs",
        (Some("oozie"), Some("v0" | "v1" | "v2"), Some("job")) => "job",
        (Some("oozie"), Some("v0" | "v1" | "v2"), Some("admin")) => "admin",
        (Some("oozie"), Some("v2"), Some("validate")) => "validate",
        (Some("api"), Some("v1"), _) => "api_v1",
        _ => "other",
    }
}

fn method_class(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, class: &str) {
        assert_eq!(route_class(path), class, "{path}");
    }

    #[test]
    fn routes_have_few_classes() {
        check("/oozie/versions", "versions");
        check("/oozie/v2/jobs", "jobs");
        check("/oozie/v1/job/0000001-W", "job");
        check("/oozie/v0/admin/status", "admin");
        check("/oozie/v2/validate", "validate");
        check("/oozie/callback", "callback");
        check("/api/v1/jobs/x", "api_v1");
        check("/", "other");
        check("/oozie/v3/jobs", "other");
        check("", "other");
    }
}
