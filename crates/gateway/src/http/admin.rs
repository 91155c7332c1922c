//! `/vX/admin/*` (census §5.3).

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::{done, json_reply};
use crate::caller::Caller;
use crate::config::{App, SystemMode};
use crate::dates;
use crate::error::Failure;
use crate::mask::masked;
use crate::params::{Located, Params};

/// `GET status`.
pub(super) async fn status(State(app): State<App>) -> Response {
    json_reply(&json!({ "systemMode": app.mode.get().as_str() }))
}

/// `GET status` of v0, which only knows safe mode.
pub(super) async fn status_v0(State(app): State<App>) -> Response {
    json_reply(&json!({ "safeMode": app.mode.get() != SystemMode::Normal }))
}

/// `PUT status?systemmode=…`.
pub(super) async fn set_status(
    State(app): State<App>,
    _: Caller,
    params: Params,
) -> Result<Response, Failure> {
    Ok(set(&app, system_mode(&params)?))
}

/// `PUT status?safemode=true|false` of v0.
pub(super) async fn set_status_v0(
    State(app): State<App>,
    _: Caller,
    params: Params,
) -> Result<Response, Failure> {
    Ok(set(&app, safe_mode(&params)?))
}

fn set(app: &App, mode: SystemMode) -> Response {
    app.mode.set(mode);
    tracing::info!(mode = mode.as_str(), "system mode changed");
    done()
}

fn safe_mode(params: &Params) -> Result<SystemMode, Failure> {
    match params.required("safemode")? {
        "true" => Ok(SystemMode::NoWebService),
        "false" => Ok(SystemMode::Normal),
        _ => Err(Failure::bad(
            "E0304",
            "Invalid parameter type, parameter [safemode] expected type [Boolean]",
        )),
    }
}

fn system_mode(params: &Params) -> Result<SystemMode, Failure> {
    let word = params.required("systemmode")?;
    SystemMode::named(word).ok_or_else(|| {
        Failure::bad_value("systemmode", word).help("NORMAL, NOWEBSERVICE or SAFEMODE")
    })
}

/// Everything else that is read.
pub(super) async fn show(
    State(app): State<App>,
    Located(resource): Located<String>,
    _: Caller,
) -> Result<Response, Failure> {
    let shown = match resource.as_str() {
        "build-version" => build_version(&app),
        "configuration" => masked(&app.config.settings),
        "os-env" => masked(&app.config.os_env),
        "java-sys-properties" => json!({}),
        "available-timezones" => time_zones(&app),
        "available-oozie-servers" => servers(&app),
        "queue-dump" => queue(&app).await,
        "list_sharelib" => json!({ "sharelib": [] }),
        "jmsinfo" => {
            return Err(Failure::bad(
                "E1601",
                "Cannot retrieve JMS information: not available here",
            ));
        }
        "update_sharelib" => return Err(Failure::not_here("shared libraries")),
        "metrics" | "instrumentation" => return Err(elsewhere(&resource)),
        _ => return Err(Failure::bad("E0301", format!("Invalid resource [{resource}]"))),
    };
    Ok(json_reply(&shown))
}

/// `PUT` of anything but `status`.
pub(super) async fn put(Located(resource): Located<String>) -> Failure {
    match resource.as_str() {
        "purge" => Failure::bad("E0307", "Runtime error [Purge service is not enabled]"),
        _ => Failure::bad("E0301", format!("Invalid resource [{resource}]")),
    }
}

fn build_version(app: &App) -> Value {
    let version = app.config.build_version();
    let info = json!({ "build.version": version, "howdah.version": app.config.version });
    json!({ "buildVersion": version, "buildInfo": info })
}

fn time_zones(app: &App) -> Value {
    let zones = dates::available_zones(app.ports.clock.now()).into_iter();
    let zones = zones.map(
        |(name, id)| json!({ "timezoneDisplayName": format!("{name} ({id})"), "timezoneId": id }),
    );
    json!({ "available-timezones": zones.collect::<Vec<_>>() })
}

/// All gateways: what Oozie's clients want is where else their requests are answered.
fn servers(app: &App) -> Value {
    let mut servers = app.config.peers.clone();
    servers.insert(app.config.server_id.clone(), app.config.base_url.clone());
    json!(servers)
}

/// What waits here is attempts for workers; Oozie's map of unique commands has no counterpart.
async fn queue(app: &App) -> Value {
    let waiting = app.ports.scheduler.ready_attempts().await.into_iter();
    let dump = waiting.map(
        |(pool, count)| json!({ "callableDump": format!("pool={pool} ready attempts={count}") }),
    );
    json!({ "queueDump": dump.collect::<Vec<_>>(), "uniqueMapDump": [] })
}

fn elsewhere(resource: &str) -> Failure {
    Failure::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "E0307",
        format!("Runtime error [{resource} service is not enabled]"),
    )
    .help("/metrics has the metrics in Prometheus' format")
}
