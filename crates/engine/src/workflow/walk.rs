//! Walking the graph: entering nodes, forks and joins, and how a job ends.

use std::sync::Arc;

use model::job::{Entry, Reason, Stopping};
use model::{
    ActionStatus, Attempt, Claim, JobStatus, Node, NodeKind, NodeName, UserRetry, WorkflowAction,
};

use super::draft::Draft;
use super::{ENTRIES_MAX, begin, notify};
use crate::event::{AttemptRef, Effect, Event};

/// The path of nodes that stand in no fork.
pub(super) const ROOT: &str = "/";

/// Enters what waits in the queue and begins what was entered, until nothing is left, the job stops, or the bound is met.
pub(super) fn walk(draft: &mut Draft<'_>) {
    let mut budget = ENTRIES_MAX;
    while draft.is_running() {
        if budget > 0
            && let Some(entry) = draft.queue.pop_front()
        {
            budget -= 1;
            enter(draft, entry);
        } else if let Some(name) = draft.beginning.pop_front() {
            begin::begin(draft, &name);
        } else {
            break;
        }
    }
    draft.beginning.clear();
    if draft.status().is_terminal() {
        draft.queue.clear();
    }
}

/// Goes from a node to the next.
pub(super) fn go(draft: &mut Draft<'_>, to: &NodeName, path: &Arc<str>) {
    draft.queue.push_back(Entry { node: to.clone(), path: Arc::clone(path) });
}

fn enter(draft: &mut Draft<'_>, entry: Entry) {
    let Some(node) = draft.app.node(&entry.node) else {
        let message = format!(
            "the transition to `{}` leads nowhere: the definition has no such node",
            entry.node
        );
        return fail_job(draft, "E0708", message);
    };
    let path = if matches!(node.kind, NodeKind::Join { .. }) {
        match arrive(draft, node, &entry.path) {
            Arrival::Last(outer) => outer,
            Arrival::Waits => return,
            Arrival::Astray(message) => return fail_job(draft, "E0720", message),
        }
    } else {
        entry.path
    };
    if draft.header().kept.contains(&node.name) {
        return step_over(draft, &node.name, path);
    }
    if draft.action(&node.name).is_some() {
        let message = format!("the job comes to node `{}` a second time", node.name);
        return fail_job(draft, "E0709", message);
    }
    let mut row = new_row(draft, node, path);
    if draft.header().rerun_children.contains_key(&node.name) {
        row.child = draft.header_mut().rerun_children.remove(&node.name);
    }
    draft.insert(row);
    draft.beginning.push_back(node.name.clone());
    suspend_if_listed(draft, node);
}

enum Arrival {
    Last(Arc<str>),
    Waits,
    Astray(String),
}

/// Counts a branch in at a join, once (gotcha 21).
fn arrive(draft: &mut Draft<'_>, join: &Node, path: &str) -> Arrival {
    let Some((outer, branch)) = split_path(path) else {
        return Arrival::Astray(format!(
            "the join `{}` was reached outside of any fork",
            join.name
        ));
    };
    let fork = branch.split(':').next().unwrap_or_default();
    let Some(expected) = branches_of(draft, fork) else {
        return Arrival::Astray(format!(
            "the join `{}` was reached from `{fork}`, which is no fork",
            join.name
        ));
    };
    let key = format!("{}@{outer}", join.name);
    let arrived = draft.header_mut().joins.entry(key.clone()).or_default();
    arrived.insert(branch.to_owned());
    if arrived.len() < expected {
        return Arrival::Waits;
    }
    draft.header_mut().joins.remove(&key);
    Arrival::Last(outer.into())
}

fn branches_of(draft: &Draft<'_>, fork: &str) -> Option<usize> {
    match draft.app.nodes.get(fork).map(|node| &node.kind) {
        Some(NodeKind::Fork { paths }) => Some(paths.len()),
        _ => None,
    }
}

/// `/a:x/b:y/` → (`/a:x/`, `b:y`); nothing for `/`.
fn split_path(path: &str) -> Option<(&str, &str)> {
    let inner = path.strip_suffix('/')?;
    let cut = inner.rfind('/')?;
    Some((&inner[..=cut], &inner[cut + 1..]))
}

/// The path inside a branch of a fork.
pub(super) fn branch_path(path: &str, fork: &NodeName, index: usize, to: &NodeName) -> Arc<str> {
    format!("{path}{fork}:{index}-{to}/").into()
}

/// Goes on from an action that this run keeps, by its recorded transition (gotcha 40).
fn step_over(draft: &mut Draft<'_>, name: &NodeName, path: Arc<str>) {
    draft.header_mut().kept.remove(name);
    let recorded = draft.action(name).and_then(|action| action.transition.clone());
    let Some(to) = recorded else {
        return fail_job(
            draft,
            "E0720",
            format!("the action `{name}` is to be stepped over and has no transition"),
        );
    };
    if let Some(action) = draft.action_mut(name) {
        action.path = Arc::clone(&path);
    }
    go(draft, &NodeName::new(to), &path);
}

fn new_row(draft: &Draft<'_>, node: &Node, path: Arc<str>) -> WorkflowAction {
    let (cred, user_retry) = match &node.kind {
        NodeKind::Action(action) => {
            (action.cred.as_deref().map(Arc::from), super::retries::user_retry_of(draft, action))
        }
        NodeKind::Start { .. }
        | NodeKind::End
        | NodeKind::Kill { .. }
        | NodeKind::Decision { .. }
        | NodeKind::Fork { .. }
        | NodeKind::Join { .. } => (None, UserRetry::default()),
    };
    WorkflowAction {
        name: node.name.clone(),
        kind: node.kind.type_word().into(),
        status: ActionStatus::Prep,
        path,
        run: draft.header().run,
        attempt: Attempt(1),
        conf: None,
        evaluated: false,
        cred,
        transition: None,
        created_at: draft.now,
        started_at: None,
        ended_at: None,
        changed_at: draft.now,
        retries: 0,
        user_retry,
        due_at: None,
        data: None,
        stats: None,
        external_child_ids: None,
        external_id: None,
        external_status: None,
        tracker_uri: None,
        console_url: None,
        error_code: None,
        error_message: None,
        claim: None,
        result: None,
        questions: Vec::new(),
        pool: begin::DEFAULT_POOL.into(),
        priority: 0,
        child: None,
        earlier: Vec::new(),
    }
}

/// `oozie.suspend.on.nodes`: a list of names, or `*` (gotcha 22). The row is there, nothing of it begins.
fn suspend_if_listed(draft: &mut Draft<'_>, node: &Node) {
    let listed = match draft.header().conf.get("oozie.suspend.on.nodes") {
        Some(list) if list.trim() == "*" => true,
        Some(list) => list.split(',').any(|name| name.trim() == node.name.as_str()),
        None => false,
    };
    if listed {
        let message =
            format!("oozie.suspend.on.nodes lists `{}`; resume the job to go on", node.name);
        suspend_job(draft, "HW1002", message);
    }
}

/// Suspends the job for a reason, and its parents with it (gotcha 18).
pub(super) fn suspend_job(draft: &mut Draft<'_>, code: &str, message: String) {
    let header = draft.header_mut();
    header.status = JobStatus::Suspended;
    header.reason = Some(Reason { code: code.to_owned(), message });
    notify::job_changed(draft);
    tell_parent(draft, |_| Event::Suspended);
}

/// FAILED: the engine cannot go on. Siblings are killed (gotcha 19).
pub(super) fn fail_job(draft: &mut Draft<'_>, code: &str, message: String) {
    draft.header_mut().reason = Some(Reason { code: code.to_owned(), message });
    end_job(draft, JobStatus::Failed);
}

/// Ends the job: whatever still runs is killed, the parent and whoever asked is told.
pub(super) fn end_job(draft: &mut Draft<'_>, status: JobStatus) {
    for name in draft.live_names() {
        kill_action(draft, &name);
    }
    let now = draft.now;
    let header = draft.header_mut();
    header.status = status;
    header.ended_at = Some(now);
    header.joins.clear();
    header.kept.clear();
    draft.queue.clear();
    notify::job_changed(draft);
    let (child, child_run) = (draft.header().id.clone(), draft.header().run);
    tell_parent(draft, |parent| Event::ChildChanged {
        action: parent.action.clone(),
        of: AttemptRef { run: parent.run, attempt: parent.attempt },
        child: child.clone(),
        child_run,
        status,
    });
}

/// Ends an action because its job ended: its process is stopped until that is confirmed (S6), its child is killed.
pub(super) fn kill_action(draft: &mut Draft<'_>, name: &NodeName) {
    let now = draft.now;
    let Some(action) = draft.action_mut(name) else { return };
    action.status = ActionStatus::Killed;
    action.ended_at = Some(now);
    action.due_at = None;
    action.result = None;
    action.questions.clear();
    let (of, claim) =
        (AttemptRef { run: action.run, attempt: action.attempt }, action.claim.take());
    let child = action.child.clone();
    if let Some(claim) = claim {
        want_stop(draft, name, of, claim);
    }
    if let Some(job) = child {
        draft.family.push(Effect::Tell { job, event: Box::new(Event::Killed) });
    }
    notify::action_changed(draft, name);
}

/// Remembers that an attempt must be stopped until its end is confirmed.
pub(super) fn want_stop(draft: &mut Draft<'_>, name: &NodeName, of: AttemptRef, claim: Claim) {
    let stopping =
        Stopping { action: name.clone(), run: of.run, attempt: of.attempt, worker: claim.worker };
    draft.header_mut().stopping.insert(claim.token, stopping);
}

fn tell_parent(draft: &mut Draft<'_>, event: impl Fn(&model::ParentRef) -> Event) {
    if let Some(parent) = draft.header().parent.clone() {
        let event = Box::new(event(&parent));
        draft.family.push(Effect::Tell { job: parent.job, event });
    }
}

/// Ends an action well or badly and records where it goes.
pub(super) fn close(
    draft: &mut Draft<'_>,
    name: &NodeName,
    status: ActionStatus,
    transition: &str,
) {
    let now = draft.now;
    if let Some(action) = draft.action_mut(name) {
        action.status = status;
        action.started_at.get_or_insert(now);
        action.ended_at = Some(now);
        action.transition = Some(transition.into());
        action.due_at = None;
        action.claim = None;
        action.result = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_splits_into_its_fork_and_the_rest() {
        assert_eq!(split_path(ROOT), None);
        assert_eq!(split_path("/f:0-a/"), Some(("/", "f:0-a")));
        assert_eq!(split_path("/f:0-a/g:1-b/"), Some(("/f:0-a/", "g:1-b")));
        assert_eq!(
            branch_path("/", &NodeName::new("f"), 1, &NodeName::new("x")).as_ref(),
            "/f:1-x/"
        );
    }
}
