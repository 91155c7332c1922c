//! `GET /api/v1/jobs/{id}/history`: a page of raw history lines, with the words of the log.

use axum::Json;
use axum::extract::State;
use ports::store::HistoryLine;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::caller::Caller;
use crate::config::App;
use crate::error::{ErrorBody, Failure};
use crate::history::PAGE_LINES;
use crate::log_lines;
use crate::params::{Located, Params};
use crate::read;

/// Most lines in one page.
const LINES_MAX: u32 = 1_000;

/// A page of history, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page {
    lines: Vec<Line>,
    /// Ask with `after` set to this for the next page; nothing when this page is the last one for now.
    next_after: Option<i64>,
}

/// One event of a job.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Line {
    /// Its number in its shard; grows within a job.
    pub(super) n: i64,
    /// When, RFC 3339 in UTC.
    at: String,
    /// The kind of event, such as `finished`.
    name: String,
    /// The action it is about.
    action: Option<String>,
    /// `INFO`, `WARN` or `ERROR`.
    level: String,
    /// The event in words.
    text: String,
    /// The event as it is stored.
    #[schema(value_type = Object)]
    event: Box<RawValue>,
    /// The engine that decided.
    engine: String,
}

/// What happened to a job, line by line.
#[utoipa::path(
    get, path = "/api/v1/jobs/{id}/history", tag = "jobs", operation_id = "getHistory",
    params(
        ("id" = String, Path, description = "the job's id"),
        ("after" = Option<i64>, Query, description = "only lines with a larger number; default 0"),
        ("len" = Option<u32>, Query, description = "at most this many lines; default 200, at most 1000"),
    ),
    responses((status = 200, body = Page), (status = 404, body = ErrorBody), (status = 503, body = ErrorBody))
)]
pub(super) async fn show(
    State(app): State<App>,
    Located(id): Located<String>,
    _: Caller,
    params: Params,
) -> Result<Json<Page>, Failure> {
    let after = params.integer("after")?.unwrap_or(0);
    let len = params.page(PAGE_LINES, LINES_MAX)?.len;
    let job = read::job_id(&id)?;
    read::header(&app, &job).await?;
    let entries = app.ports.store.history(&job, after, len).await?;
    let full = u32::try_from(entries.len()).is_ok_and(|count| count >= len);
    let next_after = entries.last().filter(|_| full).map(|line| line.n);
    Ok(Json(Page { lines: entries.iter().map(Line::from).collect(), next_after }))
}

impl From<&HistoryLine> for Line {
    fn from(entry: &HistoryLine) -> Line {
        let told = log_lines::told(entry);
        Line {
            n: entry.n,
            at: entry.at.to_string(),
            name: entry.name.clone(),
            action: told.action.map(|name| name.to_string()),
            level: told.level.as_str().to_owned(),
            text: told.words,
            event: raw(&entry.event),
            engine: entry.engine.clone(),
        }
    }
}

/// The stored text itself; one that is no JSON, which no engine writes, becomes a JSON string.
fn raw(event: &str) -> Box<RawValue> {
    RawValue::from_string(event.to_owned())
        .unwrap_or_else(|_| serde_json::value::to_raw_value(event).expect("a text is JSON"))
}
