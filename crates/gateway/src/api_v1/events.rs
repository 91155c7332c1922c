//! `GET /api/v1/jobs/{id}/events`: history as server-sent events, while it happens.
//!
//! A client that lost its connection goes on where it was: `Last-Event-ID` is the number of the last line it saw.

use std::collections::VecDeque;
use std::convert::Infallible;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, stream};
use model::JobId;
use ports::store::HistoryLine;
use tokio::time::{Instant, sleep_until};

use super::follow::{PAUSE, Place};
use super::history::Line;
use crate::caller::Caller;
use crate::config::App;
use crate::error::{ErrorBody, Failure};
use crate::history::PAGE_LINES;
use crate::params::{Located, Params};
use crate::read;

/// What happens to a job, as it happens: events `history`, whose data is a line of history; `end` when the job is over
/// and `until=over` was asked for; `error` before the server ends the stream because of one.
#[utoipa::path(
    get, path = "/api/v1/jobs/{id}/events", tag = "jobs", operation_id = "streamEvents",
    params(
        ("id" = String, Path, description = "the job's id"),
        ("after" = Option<i64>, Query, description = "only lines with a larger number; default 0"),
        ("until" = Option<String>, Query, description = "`over`: end when the job is over and all was sent"),
        ("Last-Event-ID" = Option<i64>, Header, description = "goes before `after`"),
    ),
    responses(
        (status = 200, body = Line, content_type = "text/event-stream"),
        (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)
    )
)]
pub(super) async fn stream(
    State(app): State<App>,
    Located(id): Located<String>,
    _: Caller,
    params: Params,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    let job = read::job_id(&id)?;
    let after = start(&params, &headers)?;
    let until_over = until_over(&params)?;
    read::header(&app, &job).await?;
    let place = Place::take(&app)?;
    let feed =
        Feed { app, job, after, until_over, unsent: VecDeque::new(), ended: false, _place: place };
    let events =
        stream::unfold(feed, |mut feed| async move { Some((Ok(feed.next().await?), feed)) });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

fn start(params: &Params, headers: &HeaderMap) -> Result<i64, Failure> {
    let seen =
        headers.get("last-event-id").and_then(|value| value.to_str().ok()?.trim().parse().ok());
    Ok(seen.or(params.integer("after")?).unwrap_or(0))
}

fn until_over(params: &Params) -> Result<bool, Failure> {
    match params.get("until") {
        None => Ok(false),
        Some("over") => Ok(true),
        Some(other) => Err(Failure::bad_value("until", other)),
    }
}

/// Where a stream stands.
struct Feed {
    app: App,
    job: JobId,
    after: i64,
    until_over: bool,
    unsent: VecDeque<HistoryLine>,
    ended: bool,
    _place: Place,
}

impl Feed {
    /// The next event; nothing when the stream is at its end.
    async fn next(&mut self) -> Option<Event> {
        if self.ended {
            return None;
        }
        let shutdown = self.app.config.shutdown.clone();
        tokio::select! {
            () = shutdown.cancelled() => None,
            found = self.line_or_end() => Some(self.shown(found)),
        }
    }

    fn shown(&mut self, found: Result<Option<HistoryLine>, Failure>) -> Event {
        match found {
            Ok(Some(line)) => Event::default()
                .event("history")
                .id(line.n.to_string())
                .data(json(&Line::from(&line))),
            Ok(None) => {
                self.ended = true;
                Event::default().event("end").data("{}")
            }
            Err(failure) => {
                self.ended = true;
                Event::default().event("error").data(json(&failure.body()))
            }
        }
    }

    /// The next line, waiting for it; `None` when the job is over and that is the end.
    async fn line_or_end(&mut self) -> Result<Option<HistoryLine>, Failure> {
        loop {
            if let Some(line) = self.unsent.pop_front() {
                self.after = line.n;
                return Ok(Some(line));
            }
            let over =
                self.until_over && read::header(&self.app, &self.job).await?.status.is_terminal();
            let page = self.app.ports.store.history(&self.job, self.after, PAGE_LINES).await?;
            self.unsent.extend(page);
            if !self.unsent.is_empty() {
                continue;
            }
            if over {
                return Ok(None);
            }
            self.wait().await?;
        }
    }

    /// Until there may be more. A wait that came back at once without news is stretched.
    async fn wait(&self) -> Result<(), Failure> {
        let earliest = Instant::now() + PAUSE;
        self.app.ports.scheduler.wait_for_history(&self.job, self.after).await?;
        let news = self.app.ports.store.history(&self.job, self.after, 1).await?;
        if news.is_empty() {
            sleep_until(earliest).await;
        }
        Ok(())
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("made of texts and numbers")
}
