//! `/api/v1/cluster`: who is there, who owns what, how it came to be so; and what a person changes about it.

mod change;
mod view;

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ports::api::PolicyApi;
use ports::cluster::ClusterMap;
use tokio::time::timeout;

use crate::balance::NO_SCHEDULER;
use crate::caller::Caller;
use crate::config::App;
use crate::error::{self, ErrorBody, Failure};

pub(super) use change::{
    __path_balance, __path_drain, __path_failback, __path_mode, __path_weight, balance, drain,
    failback, mode, weight,
};
pub(super) use view::Cluster;
use view::{Balance, Pool};

/// How long the policy and the counts may take: the status of a cluster in trouble is wanted most.
const PART_LIMIT: Duration = Duration::from_secs(3);

/// The cluster: members, mode, state, who owns what, the last failover, what waits, and the policy. A server that is no
/// cluster shows itself as the only member.
#[utoipa::path(
    get, path = "/api/v1/cluster", tag = "cluster", operation_id = "getCluster",
    responses((status = 200, body = Cluster), (status = 503, body = ErrorBody))
)]
pub(super) async fn show(State(app): State<App>, _: Caller) -> Result<Json<Cluster>, Failure> {
    let mut cluster = match map(&app) {
        Some(map) => Cluster::of(&*map?),
        None => Cluster::standalone(&app.config.server_id, &app.config.base_url),
    };
    cluster.balance = app.ports.balance.as_deref().map(Balance::of);
    let (pools, policy) =
        tokio::join!(timeout(PART_LIMIT, app.ports.scheduler.ready_attempts()), policy(&app));
    match pools {
        Ok(pools) => cluster.ready_attempts = pools.into_iter().map(Pool::from).collect(),
        Err(_) => cluster.problems.push("nobody counted what waits in time".to_owned()),
    }
    match policy {
        Some(Ok(policy)) => cluster.policy = Some(policy),
        Some(Err(why)) => cluster.problems.push(format!("the policy could not be read: {why}")),
        None => {}
    }
    Ok(Json(cluster))
}

async fn policy(app: &App) -> Option<Result<view::Policy, String>> {
    let policy = app.ports.policy.as_ref()?;
    let answer = timeout(PART_LIMIT, policy.policy()).await;
    Some(match answer {
        Ok(Ok(row)) => Ok(view::Policy::from(row)),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer in time".to_owned()),
    })
}

/// The newest map; nothing on a server that is no cluster.
fn map(app: &App) -> Option<Result<Arc<ClusterMap>, Failure>> {
    let map = app.ports.cluster.as_ref()?.watch().borrow().clone();
    let none_yet = || {
        let words = "no coordinator has sent a map of the cluster yet";
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, NO_SCHEDULER, words)
            .help("look whether coordinators run and are reached from here")
    };
    Some(map.ok_or_else(none_yet))
}

/// `HW4011` on a server that is no cluster.
fn policy_of(app: &App) -> Result<Arc<dyn PolicyApi>, Failure> {
    app.ports.policy.clone().ok_or_else(no_cluster)
}

fn no_cluster() -> Failure {
    let words = "this server works alone: there is nothing to balance, to hand over or to drain";
    Failure::new(StatusCode::CONFLICT, error::NO_CLUSTER, words).help("ask a gateway of a cluster")
}
