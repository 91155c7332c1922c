//! Reads of jobs and actions by the ids that clients send; an id that is none is a job that does not exist (`E0604`).

use std::sync::Arc;

use model::job::JobHeader;
use model::{ActionId, AppDigest, JobId, WorkflowAction, WorkflowJob};
use ports::store::{AppSource, JobFilter};

use crate::config::App;
use crate::error::Failure;

/// Hexadecimal digits in the digest of a definition: those of SHA-256.
const DIGEST_CHARS: usize = 64;

/// The id of a job, `E0604` when the text is none.
pub(crate) fn job_id(text: &str) -> Result<JobId, Failure> {
    text.parse().map_err(|_| Failure::no_job(text))
}

/// The id of an action, `E0605` when the text is none.
pub(crate) fn action_id(text: &str) -> Result<ActionId, Failure> {
    text.parse().map_err(|_| Failure::no_action(text))
}

/// The digest of a definition, `E0303` when the text is none.
pub(crate) fn digest(text: &str) -> Result<AppDigest, Failure> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() == DIGEST_CHARS && text.bytes().all(is_digit) {
        return Ok(AppDigest::new(text));
    }
    Err(Failure::bad_value("digest", text)
        .help("a digest has 64 hexadecimal digits in lower case; `app_digest` of a job is one"))
}

/// A job with its actions and configuration.
pub(crate) async fn job(app: &App, id: &JobId) -> Result<WorkflowJob, Failure> {
    app.ports.store.load(id).await?.ok_or_else(|| Failure::no_job(id.as_str()))
}

/// A job's own row, without its configuration: cheaper than [`job`].
pub(crate) async fn header(app: &App, id: &JobId) -> Result<JobHeader, Failure> {
    let filter = JobFilter { ids: vec![id.as_str().to_owned()], len: 1, ..JobFilter::default() };
    let found = app.ports.store.jobs(&filter).await?.jobs;
    found.into_iter().next().ok_or_else(|| Failure::no_job(id.as_str()))
}

/// An action with the job it is in.
pub(crate) async fn action(
    app: &App,
    id: &ActionId,
) -> Result<(WorkflowJob, Arc<WorkflowAction>), Failure> {
    let job =
        app.ports.store.load(&id.job).await?.ok_or_else(|| Failure::no_action(&id.to_string()))?;
    let action =
        job.actions.get(&id.name).cloned().ok_or_else(|| Failure::no_action(&id.to_string()))?;
    Ok((job, action))
}

/// The sources of a job's definition.
pub(crate) async fn source(app: &App, job: &JobHeader) -> Result<AppSource, Failure> {
    let lost = || {
        let message =
            format!("the definition of {} (digest {}) is not in the database", job.id, job.app);
        Failure::new(axum::http::StatusCode::INTERNAL_SERVER_ERROR, "E0607", message)
    };
    app.ports.store.app(&job.app).await?.ok_or_else(lost)
}
