//! How attempts end: results of workers and children, and what follows from them (census §2.2, gotchas 27, 28).

use std::sync::Arc;

use model::{
    ActionStatus, AttemptResult, ErrorClass, Failure, JobId, JobStatus, NodeKind, NodeName, Phase,
    Success, Token,
};

use super::begin::is_current;
use super::draft::Draft;
use super::{notify, retries, walk};
use crate::event::{AttemptRef, Effect, Event, RerunRequest, Skip, Submission};

/// A worker tells where an attempt runs.
pub(super) fn progressed(
    draft: &mut Draft<'_>,
    name: &NodeName,
    token: &Token,
    external_id: Option<&str>,
    console_url: Option<&str>,
) {
    if !holds(draft, name, token) {
        return;
    }
    if let Some(action) = draft.action_mut(name) {
        action.external_id = external_id.map(Arc::from).or_else(|| action.external_id.take());
        action.console_url = console_url.map(Arc::from).or_else(|| action.console_url.take());
    }
}

fn holds(draft: &Draft<'_>, name: &NodeName, token: &Token) -> bool {
    draft
        .action(name)
        .and_then(|action| action.claim.as_ref())
        .is_some_and(|claim| claim.token == *token)
}

/// An attempt is over. The result of one that was to be stopped only confirms that it ended.
pub(super) fn finished(
    draft: &mut Draft<'_>,
    name: &NodeName,
    token: &Token,
    result: &AttemptResult,
) {
    if holds(draft, name, token) {
        if let Some(action) = draft.action_mut(name) {
            action.claim = None;
        }
        ended(draft, name, result);
    } else {
        stopped(draft, token);
    }
}

/// Nothing runs under this token any more. A claim that is still held was ended from outside: the attempt is lost.
pub(super) fn stopped(draft: &mut Draft<'_>, token: &Token) {
    if draft.header().stopping.contains_key(token) {
        draft.header_mut().stopping.remove(token);
        return;
    }
    if let Some(name) = holder_of(draft, token) {
        if let Some(action) = draft.action_mut(&name) {
            action.claim = None;
        }
        ended(
            draft,
            &name,
            &AttemptResult::Failed(lost(
                "HW2002",
                "its worker no longer knows it and has no result of it",
            )),
        );
    }
}

/// A claim that was granted and never begun goes back on offer as the next attempt; it costs no retry.
pub(super) fn returned(draft: &mut Draft<'_>, token: &Token) {
    if draft.header().stopping.contains_key(token) {
        draft.header_mut().stopping.remove(token);
    } else if let Some(name) = holder_of(draft, token) {
        retries::offer_again(draft, &name);
    }
}

fn holder_of(draft: &Draft<'_>, token: &Token) -> Option<NodeName> {
    draft.live_names().into_iter().find(|name| holds(draft, name, token))
}

fn lost(code: &str, why: &str) -> Failure {
    Failure {
        class: ErrorClass::Error,
        phase: Phase::End,
        code: code.to_owned(),
        message: format!("the attempt was lost: {why}"),
        data: None,
        external_id: None,
        external_status: Some("LOST".to_owned()),
    }
}

/// Deals with an end now, or keeps it until the job runs again (gotcha 17).
fn ended(draft: &mut Draft<'_>, name: &NodeName, result: &AttemptResult) {
    if draft.is_running() {
        settle(draft, name, result);
    } else if let Some(action) = draft.action_mut(name) {
        action.status = ActionStatus::Done;
        action.result = Some(result.clone());
    }
}

/// Decides what follows from the end of an attempt.
pub(super) fn settle(draft: &mut Draft<'_>, name: &NodeName, result: &AttemptResult) {
    match result {
        AttemptResult::Succeeded(success) => succeed(draft, name, success),
        AttemptResult::Failed(failure) => fail(draft, name, failure.clone()),
    }
}

fn succeed(draft: &mut Draft<'_>, name: &NodeName, success: &Success) {
    let Some(NodeKind::Action(node)) = draft.app.node(name).map(|node| &node.kind) else { return };
    let text = |value: &Option<String>| value.as_deref().map(Arc::<str>::from);
    if let Some(action) = draft.action_mut(name) {
        action.data = text(&success.data);
        action.stats = text(&success.stats);
        action.external_child_ids = text(&success.external_child_ids);
        action.external_id = text(&success.external_id).or_else(|| action.external_id.take());
        action.external_status =
            Some(success.external_status.as_deref().unwrap_or("SUCCEEDED").into());
        action.error_code = None;
        action.error_message = None;
    }
    leave(draft, name, ActionStatus::Ok, &node.ok);
}

/// Closes an action and takes its transition.
fn leave(draft: &mut Draft<'_>, name: &NodeName, status: ActionStatus, to: &NodeName) {
    walk::close(draft, name, status, to.as_str());
    notify::action_changed(draft, name);
    if let Some(path) = draft.action(name).map(|action| Arc::clone(&action.path)) {
        walk::go(draft, to, &path);
    }
}

/// An attempt failed: retried, handed to a person, routed to `error`, or the end of the job (gotcha 27).
pub(super) fn fail(draft: &mut Draft<'_>, name: &NodeName, failure: Failure) {
    note_failure(draft, name, &failure);
    match failure.class {
        ErrorClass::Transient => retries::retry_or_ask(draft, name, failure),
        ErrorClass::NonTransient => retries::ask_person(draft, name, failure),
        ErrorClass::Error | ErrorClass::Failed if retries::user_retry(draft, name, &failure) => {}
        ErrorClass::Error if failure.phase == Phase::Check => fail_action(draft, name, &failure),
        ErrorClass::Error => route_error(draft, name),
        ErrorClass::Failed => fail_action(draft, name, &failure),
    }
}

fn note_failure(draft: &mut Draft<'_>, name: &NodeName, failure: &Failure) {
    let Some(action) = draft.action_mut(name) else { return };
    let filled = |text: &str| (!text.is_empty()).then(|| Arc::<str>::from(text));
    action.error_code = filled(&failure.code);
    action.error_message = filled(&failure.message);
    action.external_status =
        failure.external_status.as_deref().map(Arc::from).or_else(|| action.external_status.take());
    action.external_id =
        failure.external_id.as_deref().map(Arc::from).or_else(|| action.external_id.take());
    if let Some(data) = &failure.data {
        action.data = Some(data.as_str().into());
    }
}

/// The `error` transition. Only here is `wf:lastErrorNode()` set (gotcha 24). A decision has none: the job fails.
fn route_error(draft: &mut Draft<'_>, name: &NodeName) {
    draft.header_mut().last_error_node = Some(name.clone());
    match draft.app.node(name).map(|node| &node.kind) {
        Some(NodeKind::Action(node)) => leave(draft, name, ActionStatus::Error, &node.error),
        _ => {
            walk::close(draft, name, ActionStatus::Error, "");
            walk::fail_job(draft, "E0720", format!("`{name}` failed and has no error transition"));
        }
    }
}

fn fail_action(draft: &mut Draft<'_>, name: &NodeName, failure: &Failure) {
    let now = draft.now;
    if let Some(action) = draft.action_mut(name) {
        action.status = ActionStatus::Failed;
        action.ended_at = Some(now);
        action.claim = None;
        action.result = None;
        action.due_at = None;
    }
    notify::action_changed(draft, name);
    walk::fail_job(draft, &failure.code, format!("action `{name}` failed: {}", failure.message));
}

/// The child's application was read: the child is created, or rerun in place, in this same commit.
pub(super) fn child_read(
    draft: &mut Draft<'_>,
    name: &NodeName,
    of: AttemptRef,
    child: &Submission,
) {
    let current = draft
        .action(name)
        .is_some_and(|action| is_current(action, of) && action.status != ActionStatus::Running);
    if !current || !draft.is_running() {
        return;
    }
    let now = draft.now;
    let Some(action) = draft.action_mut(name) else { return };
    let in_place = action.child.as_ref() == Some(&child.id);
    action.status = ActionStatus::Running;
    action.started_at = Some(now);
    action.child = Some(child.id.clone());
    action.external_id = Some(child.id.as_str().into());
    action.external_status = Some("RUNNING".into());
    notify::action_changed(draft, name);
    draft.family.push(if in_place {
        rerun_child(child)
    } else {
        Effect::CreateChild(Box::new(child.clone()))
    });
}

fn rerun_child(child: &Submission) -> Effect {
    let request = RerunRequest {
        app: child.app.clone(),
        app_name: Arc::clone(&child.app_name),
        app_path: Arc::clone(&child.app_path),
        conf: Arc::clone(&child.conf),
        rules: Arc::clone(&child.rules),
        skip: Skip::AllButFailed,
        parent: child.parent.clone(),
    };
    Effect::Tell { job: child.id.clone(), event: Box::new(Event::Rerun(Box::new(request))) }
}

/// The child's application could not be had.
pub(super) fn child_refused(
    draft: &mut Draft<'_>,
    name: &NodeName,
    of: AttemptRef,
    failure: &Failure,
) {
    let current = draft
        .action(name)
        .is_some_and(|action| is_current(action, of) && !action.status.is_terminal());
    if current && draft.is_running() {
        fail(draft, name, failure.clone());
    }
}

/// A child changed; only its end matters here: SUCCEEDED is OK, everything else ERROR (census §1.8).
pub(super) fn child_changed(
    draft: &mut Draft<'_>,
    name: &NodeName,
    of: AttemptRef,
    child: &JobId,
    status: JobStatus,
) {
    let awaited = draft.action(name).is_some_and(|action| {
        is_current(action, of)
            && action.status == ActionStatus::Running
            && action.child.as_ref() == Some(child)
    });
    if !awaited || !status.is_terminal() {
        return;
    }
    let word = status.as_str().to_owned();
    let result = if status == JobStatus::Succeeded {
        AttemptResult::Succeeded(Success { external_status: Some(word), ..Success::default() })
    } else {
        AttemptResult::Failed(Failure {
            class: ErrorClass::Error,
            phase: Phase::End,
            code: String::new(),
            message: format!("the sub-workflow {child} ended {word}"),
            data: None,
            external_id: None,
            external_status: Some(word),
        })
    };
    ended(draft, name, &result);
}
