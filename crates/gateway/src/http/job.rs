//! `GET /vX/job/{id}`: what is known of a job or an action (census §5.2).

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::{XML, graph, json_reply, log, reply};
use crate::beans;
use crate::caller::Caller;
use crate::config::App;
use crate::dates::Zone;
use crate::error::Failure;
use crate::params::{Located, Params};
use crate::read;

/// Actions of one job in one answer: above the most that a definition can have.
const ACTIONS_LEN_MAX: u32 = 100_000;

/// Dispatches on `show`.
pub(super) async fn show(
    State(app): State<App>,
    Located(id): Located<String>,
    _: Caller,
    params: Params,
) -> Result<Response, Failure> {
    match params.get("show").unwrap_or("info") {
        "info" => Ok(json_reply(&info(&app, &id, &params).await?)),
        "definition" => definition(&app, &id).await,
        "status" => Ok(json_reply(&json!({ "status": status(&app, &id).await? }))),
        "log" => log::show(app, &id, &params, log::Which::All).await,
        "errorlog" => log::show(app, &id, &params, log::Which::Errors).await,
        "auditlog" => log::show(app, &id, &params, log::Which::Audit).await,
        "graph" => graph::show(&app, &id, &params).await,
        "retries" => retries(&app, &id).await,
        "jmstopic" => Err(Failure::bad(
            "E1601",
            "Cannot retrieve Topic name [JMS notifications are not available here]",
        )
        .help("ask for HTTP notifications with oozie.wf.workflow.notification.url")),
        only @ ("allruns" | "missing-dependencies" | "wf-actions") => {
            Err(Failure::not_here(&format!("show={only}, which is about coordinator jobs")))
        }
        other => Err(Failure::bad_value("show", other)
            .help("info, definition, log, errorlog, auditlog, status, graph or retries")),
    }
}

async fn info(app: &App, id: &str, params: &Params) -> Result<Value, Failure> {
    let zone = Zone::named(params.get("timezone"));
    if id.contains('@') {
        let (job, action) = read::action(app, &read::action_id(id)?).await?;
        return Ok(beans::action(&job.header, &action, &zone));
    }
    let page = params.page(ACTIONS_LEN_MAX, ACTIONS_LEN_MAX)?;
    let job = read::job(app, &read::job_id(id)?).await?;
    Ok(beans::workflow(&job, page, &zone))
}

async fn status(app: &App, id: &str) -> Result<&'static str, Failure> {
    if id.contains('@') {
        let (_, action) = read::action(app, &read::action_id(id)?).await?;
        return Ok(action.status.as_str());
    }
    Ok(read::header(app, &read::job_id(id)?).await?.status.as_str())
}

async fn definition(app: &App, id: &str) -> Result<Response, Failure> {
    let header = read::header(app, &read::job_id(id)?).await?;
    Ok(reply(XML, read::source(app, &header).await?.definition))
}

async fn retries(app: &App, id: &str) -> Result<Response, Failure> {
    let (_, action) = read::action(app, &read::action_id(id)?).await?;
    Ok(json_reply(&beans::retries(&action.earlier)))
}
