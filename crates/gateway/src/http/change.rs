//! `PUT /vX/job/{id}`: commands to one job. What Oozie swallows in the job's state is 200 here too (gotcha 15).

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use model::JobId;
use ports::api::Command;

use super::{body, done};
use crate::caller::{Caller, USER_NAME};
use crate::config::App;
use crate::error::Failure;
use crate::params::{Located, Params};
use crate::read;

/// Dispatches on `action`.
pub(super) async fn change(
    State(app): State<App>,
    Located(id): Located<String>,
    caller: Caller,
    params: Params,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Failure> {
    let command = match params.required("action")? {
        "start" => Command::Start,
        "suspend" => Command::Suspend,
        "resume" => Command::Resume,
        "kill" => Command::Kill,
        "rerun" => rerun(&app, &caller, &headers, request).await?,
        other => return Err(refused(other)),
    };
    let job = read::job_id(&id)?;
    let user = user_of(&app, &caller, &job, &command).await?;
    app.ports.scheduler.command(&job, &user, command).await?;
    Ok(done())
}

/// Who gives the command. A rerun reads the application again, for which somebody is needed: when the request is
/// anonymous the configuration's user, else the job's own.
async fn user_of(
    app: &App,
    caller: &Caller,
    job: &JobId,
    command: &Command,
) -> Result<String, Failure> {
    match command {
        Command::Rerun(conf) => match conf.get(USER_NAME) {
            Some(user) => Ok(user.to_owned()),
            None => Ok(read::header(app, job).await?.user.to_string()),
        },
        Command::Start | Command::Suspend | Command::Resume | Command::Kill => {
            Ok(caller.as_str().to_owned())
        }
    }
}

async fn rerun(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    request: Request,
) -> Result<Command, Failure> {
    body::require_type(headers, "application/xml")?;
    let bytes = body::read(request, app.config.body_bytes_max).await?;
    let mut conf = body::configuration(&bytes)?;
    caller.own(&mut conf);
    Ok(Command::Rerun(conf))
}

/// Commands that workflows do not have.
fn refused(action: &str) -> Failure {
    match action {
        "change" => Failure::bad("E1017", "Cannot change a workflow job"),
        "ignore" => {
            Failure::bad("E0302", "Invalid parameter [ignore is not supported for workflow jobs]")
        }
        "coord-rerun" | "bundle-rerun" | "update" => Failure::not_here(&format!(
            "action={action}, which is about coordinator and bundle jobs"
        )),
        "sla-enable" | "sla-disable" | "sla-change" => {
            Failure::not_here(&format!("action={action}"))
        }
        other => Failure::bad_value("action", other).help("start, suspend, resume, kill or rerun"),
    }
}
