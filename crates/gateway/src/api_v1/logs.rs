//! `GET /api/v1/jobs/{id}/logs/{action}`: what an attempt of an action printed, and what it prints.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use futures::{Stream, stream};
use model::{ActionId, Attempt, Run};
use ports::logs::{LogKey, LogStream};
use tokio::time::sleep;

use super::follow::{PAUSE, Place};
use crate::caller::Caller;
use crate::config::App;
use crate::error::{ErrorBody, Failure, logs_failure};
use crate::params::{Located, Params};
use crate::read;

/// Bytes read at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// Reads that found nothing between two looks at whether the action is over: a look loads the whole job.
const IDLE_READS_PER_LOOK: u32 = 3;

/// The output of an attempt as plain bytes. The headers `howdah-log-run`, `howdah-log-attempt` and `howdah-log-offset`
/// say whose it is and where it begins; they are absent when there is no log yet.
#[utoipa::path(
    get, path = "/api/v1/jobs/{id}/logs/{action}", tag = "jobs", operation_id = "readLog",
    params(
        ("id" = String, Path, description = "the job's id"),
        ("action" = String, Path, description = "the action's name"),
        ("stream" = Option<String>, Query, description = "`stdout` (default) or `stderr`"),
        ("run" = Option<u32>, Query, description = "of which run of the job; default the last with a log"),
        ("attempt" = Option<u32>, Query, description = "of which attempt; default the last with a log"),
        ("offset" = Option<u64>, Query, description = "from this byte; default 0"),
        ("tail" = Option<u64>, Query, description = "instead of `offset`: only so many bytes before the present end"),
        ("follow" = Option<bool>, Query, description = "goes on until the attempt is over"),
    ),
    responses(
        (status = 200, body = String, content_type = "text/plain"),
        (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)
    )
)]
pub(super) async fn show(
    State(app): State<App>,
    Located((id, name)): Located<(String, String)>,
    _: Caller,
    params: Params,
) -> Result<Response, Failure> {
    let action = read::action_id(&format!("{id}@{name}"))?;
    let wanted = Wanted::of(action, &params)?;
    read::action(&app, &wanted.action).await?;
    let key = wanted.key(&app).await?;
    let offset = match &key {
        Some(key) => wanted.begin(&app, key).await?,
        None => 0,
    };
    let body = match (params.is_set("follow"), &key) {
        (true, _) => {
            let place = Place::take(&app)?;
            Body::from_stream(followed(Tail {
                app,
                wanted,
                key: key.clone(),
                offset,
                idle_reads: 0,
                seen: Seen::Growing,
                _place: place,
            }))
        }
        (false, Some(key)) => Body::from_stream(present(app, wanted, key.clone(), offset).await?),
        (false, None) => Body::empty(),
    };
    Ok(reply(body, key.as_ref(), offset))
}

fn reply(body: Body, key: Option<&LogKey>, offset: u64) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if let Some(key) = key {
        headers.insert(HeaderName::from_static("howdah-log-run"), HeaderValue::from(key.run.0));
        headers.insert(
            HeaderName::from_static("howdah-log-attempt"),
            HeaderValue::from(key.attempt.0),
        );
        headers.insert(HeaderName::from_static("howdah-log-offset"), HeaderValue::from(offset));
    }
    response
}

/// Which log is asked for.
#[derive(Clone, Debug)]
struct Wanted {
    action: ActionId,
    stream: LogStream,
    run: Option<i64>,
    attempt: Option<i64>,
    offset: u64,
    tail: Option<u64>,
    /// Only attempts after this one.
    later_than: Option<(Run, Attempt)>,
}

impl Wanted {
    fn of(action: ActionId, params: &Params) -> Result<Wanted, Failure> {
        let stream = match params.get("stream").unwrap_or("stdout") {
            "stdout" => LogStream::Stdout,
            "stderr" => LogStream::Stderr,
            other => return Err(Failure::bad_value("stream", other).help("stdout or stderr")),
        };
        let bytes = |name| {
            Ok::<_, Failure>(params.integer(name)?.map(|number| u64::try_from(number).unwrap_or(0)))
        };
        Ok(Wanted {
            action,
            stream,
            run: params.integer("run")?,
            attempt: params.integer("attempt")?,
            offset: bytes("offset")?.unwrap_or(0),
            tail: bytes("tail")?,
            later_than: None,
        })
    }

    /// The newest attempt with a log that fits what was asked for.
    async fn key(&self, app: &App) -> Result<Option<LogKey>, Failure> {
        let keys =
            app.ports.logs.attempts(&self.action).await.map_err(|error| logs_failure(&error))?;
        let fits = |key: &LogKey| {
            self.later_than.is_none_or(|last| (key.run, key.attempt) > last)
                && self.run.is_none_or(|run| run == i64::from(key.run.0))
                && self.attempt.is_none_or(|attempt| attempt == i64::from(key.attempt.0))
        };
        Ok(keys.into_iter().filter(fits).max_by_key(|key| (key.run, key.attempt)))
    }

    async fn begin(&self, app: &App, key: &LogKey) -> Result<u64, Failure> {
        let Some(tail) = self.tail else { return Ok(self.offset) };
        Ok(length(app, key, self.stream).await?.saturating_sub(tail))
    }
}

async fn length(app: &App, key: &LogKey, stream: LogStream) -> Result<u64, Failure> {
    app.ports.logs.len(key, stream).await.map_err(|error| logs_failure(&error))
}

async fn chunk(app: &App, key: &LogKey, stream: LogStream, offset: u64) -> Result<Bytes, Failure> {
    let read = app.ports.logs.read(key, stream, offset, CHUNK_BYTES).await;
    read.map(Bytes::from).map_err(|error| logs_failure(&error))
}

/// From `offset` to what is the end now.
async fn present(
    app: App,
    wanted: Wanted,
    key: LogKey,
    offset: u64,
) -> Result<impl Stream<Item = Result<Bytes, std::io::Error>>, Failure> {
    let end = length(&app, &key, wanted.stream).await?;
    Ok(stream::try_unfold(offset, move |at| {
        let (app, key, stream) = (app.clone(), key.clone(), wanted.stream);
        async move {
            if at >= end {
                return Ok(None);
            }
            let mut bytes = chunk(&app, &key, stream, at).await.map_err(broken)?;
            bytes.truncate(usize::try_from(end - at).unwrap_or(usize::MAX));
            let next = at + bytes.len() as u64;
            Ok((!bytes.is_empty()).then_some((bytes, next)))
        }
    }))
}

/// An error in the middle ends the answer without its proper end, which clients notice.
fn broken(failure: Failure) -> std::io::Error {
    std::io::Error::other(format!("{}: {}", failure.code, failure.message))
}

fn followed(tail: Tail) -> impl Stream<Item = Result<Bytes, std::io::Error>> {
    stream::try_unfold(tail, |mut tail| async move {
        let shutdown = tail.app.config.shutdown.clone();
        let next = tokio::select! {
            () = shutdown.cancelled() => Ok(None),
            next = tail.next() => next,
        };
        Ok(next.map_err(broken)?.map(|bytes| (bytes, tail)))
    })
}

/// A log that is being followed: of one attempt when it was asked for, else of one after the other.
struct Tail {
    app: App,
    wanted: Wanted,
    key: Option<LogKey>,
    offset: u64,
    idle_reads: u32,
    /// What was true before the last read: what that finds is the rest.
    seen: Seen,
    _place: Place,
}

/// How far the log has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Growing,
    AttemptOver,
    ActionOver,
}

impl Tail {
    /// The next bytes, waiting for them; nothing when the action is over and all was sent.
    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            let bytes = self.read().await?;
            if !bytes.is_empty() {
                self.offset += bytes.len() as u64;
                self.idle_reads = 0;
                return Ok(Some(bytes));
            }
            match self.seen {
                Seen::ActionOver => return Ok(None),
                Seen::AttemptOver if self.wanted.attempt.is_some() => return Ok(None),
                Seen::AttemptOver => self.go_to_next_attempt(),
                Seen::Growing => self.pause().await?,
            }
        }
    }

    async fn read(&mut self) -> Result<Bytes, Failure> {
        if self.key.is_none() {
            self.key = self.wanted.key(&self.app).await?;
        }
        match &self.key {
            Some(key) => chunk(&self.app, key, self.wanted.stream, self.offset).await,
            None => Ok(Bytes::new()),
        }
    }

    fn go_to_next_attempt(&mut self) {
        self.wanted.later_than = self.key.take().map(|key| (key.run, key.attempt));
        self.offset = 0;
        self.idle_reads = 0;
        self.seen = Seen::Growing;
    }

    /// Looks now and then whether it is over, and waits for more if it is not.
    async fn pause(&mut self) -> Result<(), Failure> {
        if self.idle_reads.is_multiple_of(IDLE_READS_PER_LOOK) {
            self.seen = self.look().await?;
        }
        self.idle_reads += 1;
        if self.seen == Seen::Growing {
            sleep(PAUSE).await;
        }
        Ok(())
    }

    async fn look(&self) -> Result<Seen, Failure> {
        let action = match read::action(&self.app, &self.wanted.action).await {
            Ok((_, action)) => action,
            Err(gone) if gone.own_status == StatusCode::NOT_FOUND => return Ok(Seen::ActionOver),
            Err(failure) => return Err(failure),
        };
        let moved_on = self
            .key
            .as_ref()
            .is_some_and(|key| (key.run, key.attempt) != (action.run, action.attempt));
        Ok(match (action.status.is_terminal(), moved_on) {
            (true, _) => Seen::ActionOver,
            (false, true) => Seen::AttemptOver,
            (false, false) => Seen::Growing,
        })
    }
}
