//! The history through the engine, as far as it goes, and what each event changed, in words.

use std::collections::BTreeMap;

use engine::replay::{self, ReplayError};
use engine::workflow::Step;
use model::{AppDigest, Run, WorkflowJob};
use serde::Serialize;

use super::NOT_REPLAYABLE;
use super::recorded::Recorded;
use crate::failure::Failure;
use crate::ours::views::LineView;

/// One event and what it changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Changed {
    pub(super) n: i64,
    pub(super) at: String,
    pub(super) event: String,
    pub(super) action: Option<String>,
    /// The engine that decided when it happened.
    pub(super) engine: String,
    /// `job: PREP → RUNNING`, `fetch: RUNNING → OK (to clean)`.
    pub(super) changes: Vec<String>,
}

/// Where a replay breaks off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Stop {
    /// The line that was not replayed.
    pub(super) n: i64,
    pub(super) event: String,
    /// The engine that decided when it happened.
    pub(super) engine: String,
    pub(super) why: String,
}

/// A history as far as it goes.
pub(super) struct Followed {
    pub(super) lines: Vec<Changed>,
    /// The job after the last event, or where it broke off.
    pub(super) end: Result<WorkflowJob, Stop>,
}

/// Replays.
///
/// # Errors
/// `HW5008` when not even the first event can be replayed.
pub(super) fn follow(recorded: &Recorded) -> Result<Followed, Failure> {
    let app_of = |digest: &AppDigest| recorded.apps.get(digest)?.as_ref().ok().cloned();
    let (mut lines, mut known) = (Vec::with_capacity(recorded.lines.len()), BTreeMap::new());
    let history = recorded.events.iter().map(|(at, event)| (*at, event));
    let end = replay::replay(history, &app_of, |line, _, step, job| {
        lines.push(changed(&recorded.lines[line - 1], changes(step, job, &mut known)));
    });
    let end = match (end, recorded.lines.get(recorded.events.len())) {
        (Err(error), _) => Err(why(error, recorded)),
        (Ok(_), Some(unread)) => {
            Err(format!("this program cannot read the event `{}`", unread.name))
        }
        (Ok(Some(job)), None) => Ok(job),
        (Ok(None), None) => Err("its history is empty: it was purged".to_owned()),
    };
    let end = match (end, recorded.lines.get(lines.len())) {
        (Ok(job), _) => Ok(job),
        (Err(why), Some(line)) if !lines.is_empty() => Err(stop(line, why)),
        (Err(why), line) => return Err(not_replayable(&recorded.job, &why, line)),
    };
    Ok(Followed { lines, end })
}

fn why(error: ReplayError, recorded: &Recorded) -> String {
    match error {
        ReplayError::NoApp { digest, .. } => match recorded.apps.get(&digest) {
            Some(Err(why)) => why.clone(),
            Some(Ok(_)) | None => format!("the definition {digest} is not there"),
        },
        ReplayError::Refused { rejection, .. } => format!("this engine refuses it: {rejection}"),
        ReplayError::NoBeginning(_) => error.to_string(),
    }
}

fn stop(line: &LineView, why: String) -> Stop {
    Stop { n: line.n, event: line.name.clone(), engine: line.engine.clone(), why }
}

fn not_replayable(job: &str, why: &str, first: Option<&LineView>) -> Failure {
    let failure = Failure::coded(NOT_REPLAYABLE, format!("{job} cannot be replayed: {why}"));
    match first.filter(|line| line.engine != engine::ENGINE_VERSION) {
        Some(line) => failure.with_help(format!(
            "its history was begun by engine {}, this one is {}; replay it with a program of that version",
            line.engine,
            engine::ENGINE_VERSION
        )),
        None => failure.with_help("`howdah events` shows what is left of its history"),
    }
}

fn changed(line: &LineView, changes: Vec<String>) -> Changed {
    Changed {
        n: line.n,
        at: line.at.clone(),
        event: line.name.clone(),
        action: line.action.clone(),
        engine: line.engine.clone(),
        changes,
    }
}

/// Status and run of the job and of each action, as they were told last.
type Known = BTreeMap<String, (String, Run)>;

/// What a step changed, in words.
fn changes(step: &Step, job: &WorkflowJob, known: &mut Known) -> Vec<String> {
    let mut changes = Vec::new();
    for gone in &step.gone {
        known.remove(gone.as_str());
        changes.push(format!("{gone}: gone"));
    }
    let header = &job.header;
    changes.extend(change(known, "job", header.status.to_string(), header.run, None));
    for action in &step.actions {
        let (name, status) = (action.name.as_str(), action.status.to_string());
        changes.extend(change(known, name, status, action.run, action.transition.as_deref()));
    }
    changes
}

/// `fetch: RUNNING → OK (to clean)`, `job: KILLED → RUNNING in run 1`; nothing when status and run are as they were.
fn change(
    known: &mut Known,
    who: &str,
    status: String,
    run: Run,
    to: Option<&str>,
) -> Option<String> {
    let former = known.insert(who.to_owned(), (status.clone(), run));
    let is_other_run = run != former.as_ref().map_or(Run(0), |(_, former)| *former);
    let now = match is_other_run {
        true => format!("{status} in run {run}"),
        false => status.clone(),
    };
    let to = to.map(|node| format!(" (to {node})")).unwrap_or_default();
    match former {
        Some((former, _)) if former == status && !is_other_run => None,
        Some((former, _)) => Some(format!("{who}: {former} → {now}{to}")),
        None => Some(format!("{who}: {now}{to}")),
    }
}
