//! What a server holds of a job: its history, the rows that belong to exactly that history, and the definitions that the
//! history names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use definition::WorkflowSources;
use engine::Event;
use model::{AppDigest, Timestamp, WorkflowApp};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::NOT_REPLAYABLE;
use crate::client::Client;
use crate::failure::Failure;
use crate::http::path_encoded;
use crate::ours::events::history_after;
use crate::ours::explain::moment_ms;
use crate::ours::views::LineView;

/// Events of one job that are replayed: a job of ten thousand actions with all their attempts.
const EVENTS_MAX: usize = 200_000;
/// Times that rows are read until nothing has happened to the job meanwhile: one that runs rests between its events.
const LOOKS_MAX: usize = 20;
/// The server's code for a digest that it does not know.
const NO_SUCH_DEFINITION: &str = "HW4001";

/// A row: its fields in their stored form.
pub(super) type Row = Map<String, Value>;
/// An application, or why there is none.
pub(super) type App = Result<Arc<WorkflowApp>, String>;

/// Everything that a replay needs.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) job: String,
    pub(super) lines: Vec<LineView>,
    /// The events of the lines, up to the first one that this program cannot read.
    pub(super) events: Vec<(Timestamp, Event)>,
    pub(super) stored: Stored,
    pub(super) apps: BTreeMap<AppDigest, App>,
}

/// A job's rows as they are stored.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Stored {
    pub(super) header: Row,
    pub(super) conf: Row,
    pub(super) actions: Vec<Row>,
}

/// What a definition was read from.
#[derive(Debug, Deserialize)]
struct Sources {
    definition: String,
    config_default: Option<String>,
    inherited_global: Option<String>,
}

impl Recorded {
    /// Asks the server for all of it.
    ///
    /// # Errors
    /// The server's refusal, a history that is too long, or a job that does not rest.
    pub(super) fn read(client: &Client, job: &str) -> Result<Recorded, Failure> {
        let (lines, stored) = at_rest(client, job)?;
        let events: Vec<(Timestamp, Event)> = lines.iter().map_while(event_of).collect();
        let apps = digests(&events)
            .into_iter()
            .map(|digest| Ok((digest.clone(), app(client, digest)?)))
            .collect::<Result<_, Failure>>()?;
        Ok(Recorded { job: job.to_owned(), lines, events, stored, apps })
    }
}

/// History and rows of the same moment: nothing was recorded between reading the one and the other.
fn at_rest(client: &Client, job: &str) -> Result<(Vec<LineView>, Stored), Failure> {
    let mut lines = Vec::new();
    more(client, job, &mut lines)?;
    for _ in 0..LOOKS_MAX {
        let stored = client.api(&format!("jobs/{}/stored", path_encoded(job)), &[])?;
        let known = lines.len();
        more(client, job, &mut lines)?;
        if lines.len() == known {
            return Ok((lines, stored));
        }
    }
    let message = format!(
        "{job} goes on faster than it can be read; replay it when it is over, or suspend it first"
    );
    Err(Failure::Plain(message))
}

fn more(client: &Client, job: &str, lines: &mut Vec<LineView>) -> Result<(), Failure> {
    let after = lines.last().map_or(0, |line| line.n);
    history_after(client, job, after, |line| {
        if lines.len() >= EVENTS_MAX {
            let message = format!("the history of {job} has more than {EVENTS_MAX} events");
            return Err(Failure::coded(NOT_REPLAYABLE, message)
                .with_help("`howdah events` shows a history of any length"));
        }
        lines.push(line);
        Ok(())
    })
}

fn event_of(line: &LineView) -> Option<(Timestamp, Event)> {
    let event = Event::deserialize(&line.event).ok()?;
    Some((Timestamp(moment_ms(&line.at)?), event))
}

/// The definitions that a history names; those of children are in histories of their own.
fn digests(events: &[(Timestamp, Event)]) -> BTreeSet<&AppDigest> {
    let named = events.iter().filter_map(|(_, event)| match event {
        Event::Submitted(submission) => Some(&submission.app),
        Event::Rerun(request) => Some(&request.app),
        _ => None,
    });
    named.collect()
}

fn app(client: &Client, digest: &AppDigest) -> Result<App, Failure> {
    let path = format!("definitions/{}", path_encoded(digest.as_str()));
    match client.api::<Sources>(&path, &[]) {
        Ok(sources) => Ok(sources.app()),
        Err(Failure::Coded { code, message, .. }) if code == NO_SUCH_DEFINITION => Ok(Err(message)),
        Err(failure) => Err(failure),
    }
}

impl Sources {
    /// The application, read as the scheduler reads it: forks and joins were judged at submit.
    fn app(&self) -> App {
        let unreadable = |findings: Vec<model::Diagnostic>| {
            let first = findings.first().map(ToString::to_string).unwrap_or_default();
            format!("this program cannot read the definition: {first}")
        };
        let defaults = self.config_default.as_deref().map(definition::read_configuration);
        let defaults = defaults.transpose().map_err(unreadable)?;
        let sources = WorkflowSources {
            config_default: defaults.as_ref(),
            inherited_global: self.inherited_global.as_deref(),
            validate_fork_join: false,
            ..WorkflowSources::of(&self.definition)
        };
        definition::read_workflow(sources).map(Arc::new).map_err(unreadable)
    }
}
