//! A job rebuilt from its history: the recorded events, each with its `now`, through the same pure engine.

use std::sync::Arc;

use model::{AppDigest, Timestamp, WorkflowApp, WorkflowJob};

use crate::event::{Event, Rejection};
use crate::workflow::{self, Step};

/// Why a history cannot be replayed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// It does not begin with the submit.
    #[error(
        "the history begins with `{0}` instead of `submitted`; an earlier part of it is missing"
    )]
    NoBeginning(&'static str),
    /// A recorded event is refused by this engine.
    #[error("line {line}: this engine refuses `{event}`: {rejection}")]
    Refused {
        /// Which line, from 1.
        line: usize,
        /// The event's name.
        event: &'static str,
        /// Why.
        rejection: Rejection,
    },
    /// A definition that an event names is not there.
    #[error("line {line}: the definition {digest} is not there")]
    NoApp {
        /// Which line, from 1.
        line: usize,
        /// Which definition.
        digest: AppDigest,
    },
}

/// Replays a history from its beginning; `seen` is shown every line with the step it led to and the state after it.
///
/// # Errors
/// See [`ReplayError`].
pub fn replay<'h>(
    history: impl IntoIterator<Item = (Timestamp, &'h Event)>,
    app_of: &dyn Fn(&AppDigest) -> Option<Arc<WorkflowApp>>,
    mut seen: impl FnMut(usize, &Event, &Step, &WorkflowJob),
) -> Result<Option<WorkflowJob>, ReplayError> {
    let mut job: Option<(WorkflowJob, Arc<WorkflowApp>)> = None;
    for (index, (now, event)) in history.into_iter().enumerate() {
        let line = index + 1;
        let app_of = |digest: &AppDigest| {
            app_of(digest).ok_or_else(|| ReplayError::NoApp { line, digest: digest.clone() })
        };
        let step = match (&mut job, event) {
            (None, Event::Submitted(submission)) => {
                let app = app_of(&submission.app)?;
                let (born, step) = workflow::create(&app, now, submission);
                job = Some((born, app));
                step
            }
            (None, other) => return Err(ReplayError::NoBeginning(other.name())),
            (Some((job, app)), event) => {
                let renewed = match event {
                    Event::Rerun(request) => Some(app_of(&request.app)?),
                    _ => None,
                };
                let refused =
                    |rejection| ReplayError::Refused { line, event: event.name(), rejection };
                let (stepped_with, digest) =
                    (renewed.as_ref().unwrap_or(app), job.header.app.clone());
                let step = workflow::step(stepped_with, job, now, event).map_err(refused)?;
                step.apply(job);
                if let Some(renewed) = renewed.filter(|_| job.header.app != digest) {
                    *app = renewed;
                }
                step
            }
        };
        if let Some((job, _)) = &job {
            seen(line, event, &step, job);
        }
    }
    Ok(job.map(|(job, _)| job))
}
