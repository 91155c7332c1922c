//! `/vX/jobs`: submit, list, and commands to many (census §5.2).

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use futures::{StreamExt, TryStreamExt, stream};
use model::job::JobHeader;
use model::{Configuration, JobStatus};
use ports::api::{Command, SubmitRequest};
use ports::store::JobFilter;
use serde_json::{Value, json};

use super::{body, json_reply};
use crate::beans;
use crate::caller::Caller;
use crate::config::App;
use crate::dates::Zone;
use crate::error::Failure;
use crate::filter;
use crate::params::{Page, Params};

/// Jobs in a list when nothing is said.
const LIST_LEN: u32 = 50;
/// Most jobs in one list: an answer of about 5 MiB.
const LIST_LEN_MAX: u32 = 10_000;
/// Most jobs of one bulk command: each is a commit, and all must fit into the time of a request.
const BULK_LEN_MAX: u32 = 1_000;
/// Bulk commands under way at the same time: enough to fill a commit of the scheduler.
const BULK_AT_ONCE: usize = 16;
/// Longest `Idempotency-Key`.
const KEY_BYTES_MAX: usize = 255;

const WORKFLOW_PATH: &str = "oozie.wf.application.path";
const COORDINATOR_PATH: &str = "oozie.coord.application.path";
const BUNDLE_PATH: &str = "oozie.bundle.application.path";
/// The definition itself, posted by the job API of Oozie's Java client.
const GENERATED_XML: &str = "oozie.jobs.api.generated.xml";

/// `POST /jobs`: 201 with the id; of a dry run the id is `OK`.
pub(super) async fn submit(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Failure> {
    body::require_type(&headers, "application/xml")?;
    refuse_other_kinds(&params)?;
    let how = How::of(params.get("action"))?;
    let key = idempotency_key(&headers)?;
    let bytes = body::read(request, app.config.body_bytes_max).await?;
    let mut conf = body::submitted_configuration(&bytes)?;
    let user = caller.settle(&mut conf)?;
    require_workflow(&conf)?;
    write_generated(&app, &user, &conf).await?;
    let id = give(&app, how, SubmitRequest { conf, user, start: how == How::Start, key }).await?;
    let mut response = json_reply(&json!({ "id": id }));
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Submit,
    Start,
    DryRun,
}

impl How {
    fn of(action: Option<&str>) -> Result<How, Failure> {
        match action {
            None => Ok(How::Submit),
            Some("start") => Ok(How::Start),
            Some("dryrun") => Ok(How::DryRun),
            Some(other) => {
                Err(Failure::bad_value("action", other).help("nothing, start or dryrun"))
            }
        }
    }
}

async fn give(app: &App, how: How, request: SubmitRequest) -> Result<String, Failure> {
    match how {
        How::Submit | How::Start => {
            Ok(app.ports.scheduler.submit(request).await?.as_str().to_owned())
        }
        How::DryRun => {
            app.ports.scheduler.dry_run(request).await?;
            Ok("OK".to_owned())
        }
    }
}

/// `jobtype` of a submit names actions that are wrapped into a workflow of their own.
fn refuse_other_kinds(params: &Params) -> Result<(), Failure> {
    match params.get("jobtype") {
        None => Ok(()),
        Some(kind @ ("mapreduce" | "pig" | "hive" | "sqoop")) => {
            Err(Failure::not_here(&format!("submit of a bare {kind} job"))
                .help("put the action into a workflow.xml and submit that"))
        }
        Some(other) => Err(Failure::bad_value("jobtype", other)
            .help("leave it away, and name a workflow.xml by oozie.wf.application.path")),
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().ok().filter(|key| !key.is_empty() && key.len() <= KEY_BYTES_MAX);
    let wrong = || {
        Failure::bad(
            "E0306",
            format!(
                "Invalid parameter: Idempotency-Key must have 1 to {KEY_BYTES_MAX} printable characters"
            ),
        )
    };
    key.map(|key| Some(key.to_owned())).ok_or_else(wrong)
}

/// Exactly one application path, and for now a workflow's.
fn require_workflow(conf: &Configuration) -> Result<(), Failure> {
    let given = |name: &&str| conf.get(name).is_some_and(|path| !path.is_empty());
    let paths: Vec<&str> =
        [WORKFLOW_PATH, COORDINATOR_PATH, BUNDLE_PATH].into_iter().filter(given).collect();
    match paths.as_slice() {
        [WORKFLOW_PATH] => Ok(()),
        [COORDINATOR_PATH] => Err(Failure::not_here("coordinator jobs")),
        [BUNDLE_PATH] => Err(Failure::not_here("bundle jobs")),
        [] => Err(Failure::bad(
            "E0405",
            "Submission request does not have any application or lib path",
        )
        .help(format!("set {WORKFLOW_PATH} to the directory of the workflow.xml"))),
        several => Err(Failure::bad(
            "E0404",
            format!("Only one of the properties are allowed [{}]", several.join(", ")),
        )),
    }
}

/// Writes a definition that was posted within the configuration, unless there is one already.
async fn write_generated(app: &App, user: &str, conf: &Configuration) -> Result<(), Failure> {
    let (Some(xml), Some(path)) = (conf.get(GENERATED_XML), conf.get(WORKFLOW_PATH)) else {
        return Ok(());
    };
    let path = if path.ends_with(".xml") {
        path.to_owned()
    } else {
        format!("{}/workflow.xml", path.trim_end_matches('/'))
    };
    let failed = |error: ports::files::FilesError| {
        Failure::bad(
            "E0307",
            format!("Runtime error [could not create the posted definition: {error}]"),
        )
    };
    if app.ports.files.stat(user, &path).await.map_err(failed)?.is_none() {
        app.ports.files.write(user, &path, xml.as_bytes()).await.map_err(failed)?;
    }
    Ok(())
}

/// `GET /jobs`: a page, or the id of the job with an `external-id`.
pub(super) async fn list(
    State(app): State<App>,
    _: Caller,
    params: Params,
) -> Result<Response, Failure> {
    if let Some(external_id) = params.get("external-id") {
        let id = app.ports.store.by_external_id(external_id).await?;
        return Ok(json_reply(&json!({ "id": id })));
    }
    if params.get("bulk").is_some() {
        return Err(Failure::not_here("the bulk list of bundles"));
    }
    let page = params.page(LIST_LEN, LIST_LEN_MAX)?;
    let jobs = match Kind::of_list(params.get("jobtype"))? {
        Kind::Workflow => workflows(&app, &params, page).await?,
        Kind::Coordinator => beans::empty_list("coordinatorjobs", page),
        Kind::Bundle => beans::empty_list("bundlejobs", page),
    };
    Ok(json_reply(&jobs))
}

async fn workflows(app: &App, params: &Params, page: Page) -> Result<Value, Failure> {
    let filter = filter::parse(params.get("filter").unwrap_or(""), app.ports.clock.now(), page)?;
    let found = app.ports.store.jobs(&filter).await?;
    Ok(beans::workflows(&found, page, &Zone::named(params.get("timezone"))))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Workflow,
    Coordinator,
    Bundle,
}

impl Kind {
    /// Oozie looks for parts of the word: `wf`, `workflow` is none of them, so it is added.
    fn of_list(word: Option<&str>) -> Result<Kind, Failure> {
        match word.unwrap_or("wf") {
            word if word.contains("wf") || word == "workflow" => Ok(Kind::Workflow),
            word if word.contains("coord") => Ok(Kind::Coordinator),
            word if word.contains("bundle") => Ok(Kind::Bundle),
            other => Err(Failure::bad_value("jobtype", other).help("wf, coordinator or bundle")),
        }
    }
}

/// `PUT /jobs`: one command for every job of a filter; answers the page as it is afterwards.
pub(super) async fn change_many(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Response, Failure> {
    let bulk = Bulk::of(params.required("action")?)?;
    let text = params.get("filter").ok_or_else(|| {
        Failure::bad(
            "E1603",
            "Invalid user request: a filter must be given for a command to many jobs",
        )
    })?;
    if Kind::of_list(params.get("jobtype"))? != Kind::Workflow {
        return Err(Failure::not_here("commands to coordinator and bundle jobs"));
    }
    let page = params.page(LIST_LEN, BULK_LEN_MAX)?;
    let filter = filter::parse(text, app.ports.clock.now(), page)?;
    command_all(&app, &caller, bulk, &filter).await?;
    let after = app.ports.store.jobs(&filter).await?;
    let mut changed = beans::workflows(&after, page, &Zone::named(params.get("timezone")));
    changed["ids"] = json!([]);
    Ok(json_reply(&changed))
}

async fn command_all(
    app: &App,
    caller: &Caller,
    bulk: Bulk,
    filter: &JobFilter,
) -> Result<(), Failure> {
    let found = app.ports.store.jobs(filter).await?.jobs;
    let wanted = found.into_iter().filter(|job| bulk.concerns(job));
    let given = wanted.map(|job| async move {
        app.ports.scheduler.command(&job.id, caller.as_str(), bulk.command()).await
    });
    stream::iter(given).buffer_unordered(BULK_AT_ONCE).try_collect::<Vec<()>>().await?;
    Ok(())
}

/// The commands that may be given to many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bulk {
    Kill,
    Suspend,
    Resume,
}

impl Bulk {
    fn of(action: &str) -> Result<Bulk, Failure> {
        match action {
            "kill" => Ok(Bulk::Kill),
            "suspend" => Ok(Bulk::Suspend),
            "resume" => Ok(Bulk::Resume),
            other => Err(Failure::bad_value("action", other).help("kill, suspend or resume")),
        }
    }

    /// Whether it would do anything to the job (census §2.6).
    fn concerns(self, job: &JobHeader) -> bool {
        match self {
            Bulk::Kill => !matches!(job.status, JobStatus::Succeeded | JobStatus::Killed),
            Bulk::Suspend => job.status == JobStatus::Running,
            Bulk::Resume => job.status == JobStatus::Suspended,
        }
    }

    fn command(self) -> Command {
        match self {
            Bulk::Kill => Command::Kill,
            Bulk::Suspend => Command::Suspend,
            Bulk::Resume => Command::Resume,
        }
    }
}
