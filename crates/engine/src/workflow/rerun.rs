//! Running a job again under its id (census §2.8; gotchas 39–41).

use std::collections::BTreeSet;
use std::sync::Arc;

use model::{ActionStatus, JobStatus, NodeName, WorkflowAction};

use super::draft::Draft;
use super::{notify, walk};
use crate::event::{Rejection, RerunRequest, Skip};

/// The property that keeps a child from being rerun other than through its parent (E0755).
const DISABLE_CHILD: &str = "oozie.wf.rerun.disablechild";

/// Over → RUNNING with one run more. Rows that are not stepped over go away; the others keep what they had.
pub(super) fn rerun(draft: &mut Draft<'_>, request: &RerunRequest) -> Result<(), Rejection> {
    if !draft.status().is_terminal() {
        return not_over(draft, request);
    }
    check_through_parent(draft, request)?;
    let kept = kept_nodes(draft, &request.skip)?;
    for name in draft.names() {
        if !kept.contains(&name) {
            drop_row(draft, &name, &request.skip);
        }
    }
    renew_header(draft, request, kept);
    notify::job_changed(draft);
    walk::go(draft, &NodeName::start(), &walk::ROOT.into());
    Ok(())
}

/// A parent that finds its child at work again only takes it back under its care.
fn not_over(draft: &mut Draft<'_>, request: &RerunRequest) -> Result<(), Rejection> {
    if request.parent.is_some() {
        draft.header_mut().parent.clone_from(&request.parent);
        return Ok(());
    }
    let message = format!(
        "job {} is {}; only a job that is SUCCEEDED, KILLED or FAILED can be rerun",
        draft.header().id,
        draft.status()
    );
    Err(Rejection { code: "E0805", message, silent: false })
}

/// With `oozie.wf.rerun.disablechild` a child is rerun by its parent only, never by a person.
fn check_through_parent(draft: &Draft<'_>, request: &RerunRequest) -> Result<(), Rejection> {
    let parent = match &draft.header().parent {
        Some(parent) if request.parent.is_none() && request.conf.is_true(DISABLE_CHILD) => parent,
        _ => return Ok(()),
    };
    let message = format!(
        "job {} is a child and {DISABLE_CHILD} is true; rerun its parent {} instead",
        draft.header().id,
        parent.job
    );
    Err(Rejection { code: "E0755", message, silent: false })
}

/// The actions and decisions to step over; control nodes pass by themselves.
fn kept_nodes(draft: &Draft<'_>, skip: &Skip) -> Result<BTreeSet<NodeName>, Rejection> {
    match skip {
        Skip::AllButFailed => Ok(rows(draft)
            .filter(|row| row.status == ActionStatus::Ok && is_work(row))
            .map(|row| row.name.clone())
            .collect()),
        Skip::Nodes(names) => {
            for name in names {
                may_skip(draft, name)?;
            }
            Ok(names
                .iter()
                .filter(|name| draft.action(name).is_some_and(is_work))
                .cloned()
                .collect())
        }
    }
}

fn rows<'d>(draft: &'d Draft<'_>) -> impl Iterator<Item = &'d WorkflowAction> {
    draft.names().into_iter().filter_map(move |name| draft.action(&name))
}

fn is_work(row: &WorkflowAction) -> bool {
    !row.kind.starts_with(':')
}

fn may_skip(draft: &Draft<'_>, name: &NodeName) -> Result<(), Rejection> {
    let refused = |code, message| Err(Rejection { code, message, silent: false });
    match draft.action(name) {
        None => refused(
            "E0807",
            format!(
                "oozie.wf.rerun.skip.nodes lists `{name}`, which the previous run has not reached"
            ),
        ),
        Some(row)
            if matches!(row.status, ActionStatus::Ok | ActionStatus::Error)
                && row.transition.is_some() =>
        {
            Ok(())
        }
        Some(row) if !is_work(row) && row.status == ActionStatus::Ok => Ok(()),
        Some(row) => refused(
            "E0806",
            format!(
                "oozie.wf.rerun.skip.nodes lists `{name}`, which is {}; only actions that are OK or ERROR can be skipped",
                row.status
            ),
        ),
    }
}

/// A failed child keeps its place so that it is rerun under its own id (gotcha 41); all else is forgotten.
fn drop_row(draft: &mut Draft<'_>, name: &NodeName, skip: &Skip) {
    let child = match (skip, draft.action(name)) {
        (Skip::AllButFailed, Some(row)) if &*row.kind == "sub-workflow" => row.child.clone(),
        _ => None,
    };
    draft.remove(name);
    if let Some(child) = child {
        draft.header_mut().rerun_children.insert(name.clone(), child);
    }
}

fn renew_header(draft: &mut Draft<'_>, request: &RerunRequest, kept: BTreeSet<NodeName>) {
    let now = draft.now;
    draft.conf_changed();
    let header = draft.header_mut();
    header.app = request.app.clone();
    header.app_name = Arc::clone(&request.app_name);
    header.app_path = Arc::clone(&request.app_path);
    header.conf = Arc::clone(&request.conf);
    header.rules = Arc::clone(&request.rules);
    if request.parent.is_some() {
        header.parent.clone_from(&request.parent);
    }
    header.status = JobStatus::Running;
    header.run = header.run.next();
    header.started_at = Some(now);
    header.ended_at = None;
    header.frontier.clear();
    header.joins.clear();
    header.kept = kept;
    header.reason = None;
}
