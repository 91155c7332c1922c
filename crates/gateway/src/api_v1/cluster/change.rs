//! What a person changes about the cluster: each answers what is stored then.

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::StatusCode;
use model::MemberId;
use ports::api::PolicyChange;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::view::{Balance, Mode, Policy};
use super::{map, no_cluster, policy_of};
use crate::balance::{Algorithm, RouteClass};
use crate::caller::Caller;
use crate::config::App;
use crate::error::{self, ErrorBody, Failure};

/// Longest body: a name and a number.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// The mode that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModeChange {
    mode: Mode,
}

/// Nothing, for failback now; or all three, for when it happens by itself.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FailbackChange {
    /// Whether work goes back by itself.
    failback: Option<bool>,
    /// How long a member must have been well before.
    failback_after_ms: Option<i64>,
    /// Least time between two planned moves.
    move_gap_ms: Option<i64>,
}

/// A member's share.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WeightChange {
    member: String,
    /// 0 never works; null gives the member's own weight back.
    weight: Option<u32>,
}

/// Whether a member gives its work up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DrainChange {
    member: String,
    /// False: it may have work again.
    on: bool,
}

/// How one gateway spreads one class of requests.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BalanceChange {
    class: RouteClass,
    algorithm: Algorithm,
}

/// Switches between active-standby and load-balanced.
#[utoipa::path(
    post, path = "/api/v1/cluster/mode", tag = "cluster", operation_id = "setClusterMode", request_body = ModeChange,
    responses((status = 200, body = Policy), (status = 400, body = ErrorBody), (status = 409, body = ErrorBody), (status = 503, body = ErrorBody))
)]
pub(in super::super) async fn mode(
    State(app): State<App>,
    caller: Caller,
    body: Body,
) -> Result<Json<Policy>, Failure> {
    let ModeChange { mode } = read(body).await?;
    change(&app, &caller, PolicyChange::Mode { mode: mode.into() }).await
}

/// Work goes back now; or, with a body, when it does so by itself.
#[utoipa::path(
    post, path = "/api/v1/cluster/failback", tag = "cluster", operation_id = "failBack", request_body = Option<FailbackChange>,
    responses((status = 200, body = Policy), (status = 400, body = ErrorBody), (status = 409, body = ErrorBody), (status = 503, body = ErrorBody))
)]
pub(in super::super) async fn failback(
    State(app): State<App>,
    caller: Caller,
    body: Body,
) -> Result<Json<Policy>, Failure> {
    let wanted = failback_change(&read_or_default(body).await?)?;
    change(&app, &caller, wanted).await
}

/// A member's share in load-balanced mode.
#[utoipa::path(
    post, path = "/api/v1/cluster/weight", tag = "cluster", operation_id = "setMemberWeight", request_body = WeightChange,
    responses((status = 200, body = Policy), (status = 400, body = ErrorBody), (status = 409, body = ErrorBody), (status = 503, body = ErrorBody))
)]
pub(in super::super) async fn weight(
    State(app): State<App>,
    caller: Caller,
    body: Body,
) -> Result<Json<Policy>, Failure> {
    let WeightChange { member, weight } = read(body).await?;
    let member = member_named(&app, member, weight.is_some())?;
    change(&app, &caller, PolicyChange::Weight { member, weight }).await
}

/// A member hands its work over and gets none, or may have some again.
#[utoipa::path(
    post, path = "/api/v1/cluster/drain", tag = "cluster", operation_id = "drainMember", request_body = DrainChange,
    responses((status = 200, body = Policy), (status = 400, body = ErrorBody), (status = 409, body = ErrorBody), (status = 503, body = ErrorBody))
)]
pub(in super::super) async fn drain(
    State(app): State<App>,
    caller: Caller,
    body: Body,
) -> Result<Json<Policy>, Failure> {
    let DrainChange { member, on } = read(body).await?;
    let member = member_named(&app, member, on)?;
    change(&app, &caller, PolicyChange::Drain { member, on }).await
}

/// The algorithm of one class of requests, in the gateway that is asked, until it ends.
#[utoipa::path(
    post, path = "/api/v1/cluster/balance", tag = "cluster", operation_id = "setBalance", request_body = BalanceChange,
    responses((status = 200, body = Balance), (status = 400, body = ErrorBody), (status = 409, body = ErrorBody))
)]
pub(in super::super) async fn balance(
    State(app): State<App>,
    caller: Caller,
    body: Body,
) -> Result<Json<Balance>, Failure> {
    let BalanceChange { class, algorithm } = read(body).await?;
    let algorithms = app.ports.balance.as_ref().ok_or_else(no_cluster)?;
    algorithms.set(class, algorithm);
    tracing::info!(user = caller.as_str(), ?class, %algorithm, "requests are spread in another way");
    Ok(Json(Balance::of(algorithms)))
}

async fn change(app: &App, caller: &Caller, change: PolicyChange) -> Result<Json<Policy>, Failure> {
    tracing::info!(user = caller.as_str(), ?change, "the policy of the cluster is changed");
    Ok(Json(Policy::from(policy_of(app)?.change_policy(change).await?)))
}

fn failback_change(wanted: &FailbackChange) -> Result<PolicyChange, Failure> {
    match *wanted {
        FailbackChange { failback: None, failback_after_ms: None, move_gap_ms: None } => {
            Ok(PolicyChange::Failback)
        }
        FailbackChange {
            failback: Some(failback),
            failback_after_ms: Some(failback_after_ms @ 0..),
            move_gap_ms: Some(move_gap_ms @ 0..),
        } => Ok(PolicyChange::Hysteresis { failback, failback_after_ms, move_gap_ms }),
        _ => Err(bad_json("failback, failback_after_ms and move_gap_ms belong together, and times are not negative")
            .help("send nothing to let work go back now; GET /api/v1/cluster shows the present values under `policy`")),
    }
}

/// A member that is there, when something is demanded of it; a wish that is taken back may be about a former one.
fn member_named(app: &App, name: String, is_demand: bool) -> Result<MemberId, Failure> {
    let map = map(app).ok_or_else(no_cluster)?;
    if is_demand {
        let map = map?;
        let names: Vec<&str> = map.members.iter().map(|member| member.id.as_str()).collect();
        if !names.contains(&name.as_str()) {
            let help = format!("there are: {}", names.join(", "));
            return Err(Failure::bad_value("member", &name).help(help));
        }
    }
    Ok(MemberId::new(name))
}

async fn read<T: DeserializeOwned>(body: Body) -> Result<T, Failure> {
    parsed(&bytes(body).await?)
}

async fn read_or_default<T: DeserializeOwned + Default>(body: Body) -> Result<T, Failure> {
    match bytes(body).await?.as_slice() {
        [] => Ok(T::default()),
        bytes => parsed(bytes),
    }
}

async fn bytes(body: Body) -> Result<Vec<u8>, Failure> {
    let too_long = |_| {
        let words = format!("the body has more than {BODY_BYTES_MAX} bytes");
        Failure::new(StatusCode::PAYLOAD_TOO_LARGE, error::BODY_TOO_LONG, words)
    };
    to_bytes(body, BODY_BYTES_MAX).await.map(Vec::from).map_err(too_long)
}

fn parsed<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(bytes).map_err(|error| {
        bad_json(&error.to_string()).help("/api/v1/openapi.json says what each path takes")
    })
}

fn bad_json(why: &str) -> Failure {
    Failure::bad(error::BAD_JSON, format!("the body is not the JSON that this path takes: {why}"))
}
