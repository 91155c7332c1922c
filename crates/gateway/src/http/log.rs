//! `show=log`, `errorlog` and `auditlog`: the history of a job as text, made while it is sent.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::{Stream, StreamExt, future, stream};
use model::job::JobHeader;
use model::{NodeName, Timestamp};
use ports::store::{HistoryLine, StoreError};

use super::{TEXT, reply};
use crate::config::App;
use crate::error::Failure;
use crate::history;
use crate::log_filter::{LogFilter, Window};
use crate::log_lines::{self, Level, Told};
use crate::params::Params;
use crate::read;

/// Which of the three logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    All,
    Errors,
    Audit,
}

/// Answers the log of a job, or of one action of it.
pub(super) async fn show(
    app: App,
    id: &str,
    params: &Params,
    which: Which,
) -> Result<Response, Failure> {
    let (job, action) = match id.contains('@') {
        true => read::action_id(id).map(|id| (id.job, Some(id.name)))?,
        false => (read::job_id(id)?, None),
    };
    let header = read::header(&app, &job).await?;
    let filter = LogFilter::parse(params.get("logfilter"))?;
    let window = filter.window(header.created_at, end(&app, &header))?;
    let top = filter.debug.then(|| Ok(Bytes::from(described(&filter, window))));
    let limit = filter.limit.unwrap_or(usize::MAX);
    let wanted =
        Wanted { server: app.config.server_id.clone(), header, action, which, filter, window };
    let lines = lines(history::pages(app, job, 0), wanted).take(limit);
    Ok(reply(TEXT, Body::from_stream(stream::iter(top).chain(lines))))
}

/// Now while the job goes on, else its last change: stops and notifications are confirmed after its end.
fn end(app: &App, header: &JobHeader) -> Timestamp {
    header
        .ended_at
        .map_or_else(|| app.ports.clock.now(), |ended_at| ended_at.max(header.changed_at))
}

fn described(filter: &LogFilter, window: Window) -> String {
    format!("log from {} to {}, filter {filter:?}\n", window.from, window.to)
}

/// What is to be shown of a history.
struct Wanted {
    server: String,
    header: JobHeader,
    action: Option<NodeName>,
    which: Which,
    filter: LogFilter,
    window: Window,
}

impl Wanted {
    fn shown(&self, entry: &HistoryLine) -> Option<Bytes> {
        if entry.at < self.window.from || entry.at > self.window.to {
            return None;
        }
        let told = log_lines::told(entry);
        let line = log_lines::line(&self.server, &self.header, entry, &told);
        let wanted = self.belongs(&told) && self.filter.wants(told.level, &line);
        wanted.then(|| Bytes::from(line + "\n"))
    }

    fn belongs(&self, told: &Told) -> bool {
        let of_action = self.action.is_none() || self.action == told.action;
        let of_log = match self.which {
            Which::All => true,
            Which::Errors => told.level != Level::Info,
            Which::Audit => told.by_person,
        };
        of_action && of_log
    }
}

type Page = Result<Vec<HistoryLine>, StoreError>;

/// The wanted lines one by one. An error in the middle ends the answer without its proper end, which clients notice.
fn lines(
    pages: impl Stream<Item = Page> + Send,
    wanted: Wanted,
) -> impl Stream<Item = Result<Bytes, StoreError>> + Send {
    let shown = move |page: Page| {
        let texts: Vec<Result<Bytes, StoreError>> = match page {
            Ok(entries) => entries.iter().filter_map(|entry| wanted.shown(entry).map(Ok)).collect(),
            Err(error) => vec![Err(error)],
        };
        future::ready(stream::iter(texts))
    };
    pages.then(shown).flatten()
}
