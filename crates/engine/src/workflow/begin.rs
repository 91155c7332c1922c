//! Beginning a node: control nodes are over at once; actions are evaluated and offered to workers.

use std::sync::Arc;

use definition::read_action;
use model::action::Question;
use model::{
    ActionNode, ActionSpec, ActionStatus, Claim, ErrorClass, Failure, JobStatus, NodeKind,
    NodeName, Phase,
};

use super::draft::Draft;
use super::expressions::{self, Evaluated};
use super::{notify, results, walk, wants};
use crate::event::{Answered, AttemptRef, Rejection};

/// The pool of an action that names none.
pub(super) const DEFAULT_POOL: &str = "default";
/// Job property: which pool of workers runs the actions.
const POOL_PROPERTY: &str = "howdah.pool";
/// Job property: within a pool, higher goes first.
const PRIORITY_PROPERTY: &str = "howdah.priority";

/// Begins a node that was entered, or whose retry is due.
pub(super) fn begin(draft: &mut Draft<'_>, name: &NodeName) {
    let app = draft.app;
    let Some(node) = app.node(name) else {
        return walk::fail_job(
            draft,
            "E0708",
            format!("the definition has no node `{name}` any more"),
        );
    };
    match &node.kind {
        NodeKind::Start { to } | NodeKind::Join { to } => pass(draft, name, to),
        NodeKind::End => {
            walk::close(draft, name, ActionStatus::Ok, "");
            control_result(draft, name);
            walk::end_job(draft, JobStatus::Succeeded);
        }
        NodeKind::Kill { message } => reach_kill(draft, name, message),
        NodeKind::Fork { paths } => fork(draft, name, paths),
        NodeKind::Decision { cases, default } => decide(draft, name, cases, default),
        NodeKind::Action(action) => prepare_action(draft, name, action),
    }
}

fn pass(draft: &mut Draft<'_>, name: &NodeName, to: &NodeName) {
    walk::close(draft, name, ActionStatus::Ok, to.as_str());
    control_result(draft, name);
    let path = path_of(draft, name);
    walk::go(draft, to, &path);
}

/// Control nodes report `OK` as their status elsewhere, and have no transition when they end the job.
fn control_result(draft: &mut Draft<'_>, name: &NodeName) {
    if let Some(action) = draft.action_mut(name) {
        action.external_status = Some("OK".into());
        if action.transition.as_deref() == Some("") {
            action.transition = None;
        }
    }
}

fn path_of(draft: &Draft<'_>, name: &NodeName) -> Arc<str> {
    draft.action(name).map_or_else(|| walk::ROOT.into(), |action| Arc::clone(&action.path))
}

fn fork(draft: &mut Draft<'_>, name: &NodeName, paths: &[NodeName]) {
    walk::close(draft, name, ActionStatus::Ok, "*");
    control_result(draft, name);
    let outer = path_of(draft, name);
    for (index, to) in paths.iter().enumerate() {
        let inner = walk::branch_path(&outer, name, index, to);
        walk::go(draft, to, &inner);
    }
}

/// The message is evaluated when the node is reached; E0729 marks it, E0756 one that cannot be evaluated (gotcha 23).
fn reach_kill(draft: &mut Draft<'_>, name: &NodeName, message: &str) {
    let (status, code, text) = match expressions::evaluate(draft, name, message) {
        Evaluated::Text(text) => (ActionStatus::Ok, "E0729", text),
        Evaluated::Ask(questions) => return ask(draft, name, questions),
        Evaluated::Failed(failure) => (
            ActionStatus::Error,
            "E0756",
            format!("cannot evaluate the message of kill node `{name}`: {}", failure.message),
        ),
    };
    walk::close(draft, name, status, "");
    control_result(draft, name);
    if let Some(action) = draft.action_mut(name) {
        action.error_code = Some(code.into());
        action.error_message = Some(text.into());
    }
    walk::end_job(draft, JobStatus::Killed);
}

/// All cases are evaluated before any is chosen: a broken later case breaks the node (gotcha 6).
fn decide(draft: &mut Draft<'_>, name: &NodeName, cases: &[model::app::Case], default: &NodeName) {
    let mut questions = Vec::new();
    let mut chosen = None;
    for case in cases {
        match expressions::evaluate(draft, name, &case.predicate) {
            Evaluated::Text(text) if text.trim() == "true" => {
                chosen.get_or_insert(&case.to);
            }
            Evaluated::Text(_) => {}
            Evaluated::Ask(more) => questions.extend(more),
            Evaluated::Failed(failure) => return results::fail(draft, name, failure),
        }
    }
    if !questions.is_empty() {
        return ask(draft, name, questions);
    }
    let to = chosen.unwrap_or(default);
    walk::close(draft, name, ActionStatus::Ok, to.as_str());
    if let Some(action) = draft.action_mut(name) {
        action.external_status = Some(to.as_str().into());
        action.questions.clear();
    }
    let path = path_of(draft, name);
    walk::go(draft, to, &path);
}

/// Evaluates the body as one text (gotcha 3) and makes the attempt ready.
fn prepare_action(draft: &mut Draft<'_>, name: &NodeName, node: &ActionNode) {
    let body = draft
        .action(name)
        .and_then(|action| action.conf.clone())
        .unwrap_or_else(|| Arc::clone(&node.body));
    let text = match expressions::evaluate(draft, name, &body) {
        Evaluated::Text(text) => text,
        Evaluated::Ask(questions) => return ask(draft, name, questions),
        Evaluated::Failed(failure) => return results::fail(draft, name, failure),
    };
    let spec = match read_action(&node.kind, &text) {
        Ok(spec) => spec,
        Err(problems) => return results::fail(draft, name, unreadable(&node.kind, &problems)),
    };
    if let ActionSpec::SubWorkflow(_) = spec
        && let Some(failure) = too_deep(draft)
    {
        return results::fail(draft, name, failure);
    }
    let (pool, priority) = placement(draft);
    if let Some(action) = draft.action_mut(name) {
        action.conf = Some(text.into());
        action.evaluated = true;
        action.questions.clear();
        action.pool = pool;
        action.priority = priority;
    }
}

fn placement(draft: &Draft<'_>) -> (Arc<str>, i32) {
    let conf = &draft.header().conf;
    let pool = conf
        .get(POOL_PROPERTY)
        .map(str::trim)
        .filter(|pool| !pool.is_empty())
        .unwrap_or(DEFAULT_POOL);
    let priority =
        conf.get(PRIORITY_PROPERTY).and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    (pool.into(), priority)
}

fn unreadable(kind: &str, problems: &[model::Diagnostic]) -> Failure {
    let words: Vec<String> = problems.iter().take(5).map(ToString::to_string).collect();
    Failure {
        class: ErrorClass::Error,
        phase: Phase::Start,
        code: "JA007".to_owned(),
        message: format!(
            "the evaluated body of this {kind} action cannot be read: {}",
            words.join("; ")
        ),
        data: None,
        external_id: None,
        external_status: None,
    }
}

fn too_deep(draft: &Draft<'_>) -> Option<Failure> {
    let depth = wants::depth_of(draft.header()) + 1;
    let max = draft.header().rules.subworkflow_depth_max;
    (depth > max).then(|| Failure {
        class: ErrorClass::Error,
        phase: Phase::Start,
        code: "SUBWF001".to_owned(),
        message: format!("this sub-workflow would stand {depth} deep; at most {max} are allowed (oozie.action.subworkflow.max.depth)"),
        data: None,
        external_id: None,
        external_status: None,
    })
}

fn ask(draft: &mut Draft<'_>, name: &NodeName, questions: Vec<(String, Vec<String>)>) {
    let Some(action) = draft.action_mut(name) else { return };
    for (function, args) in questions {
        if !action.questions.iter().any(|known| known.function == function && known.args == args) {
            action.questions.push(Question { function, args, answer: None });
        }
    }
}

/// Answers came; the node is begun again with them.
pub(super) fn answered(
    draft: &mut Draft<'_>,
    name: &NodeName,
    of: AttemptRef,
    answers: &[Answered],
) {
    let fresh = |action: &model::WorkflowAction| {
        is_current(action, of) && action.questions.iter().any(|q| q.answer.is_none())
    };
    if !draft.action(name).is_some_and(fresh) {
        return;
    }
    let Some(action) = draft.action_mut(name) else { return };
    for answer in answers {
        for question in &mut action.questions {
            if question.answer.is_none()
                && question.function == answer.function
                && question.args == answer.args
            {
                question.answer = Some(answer.answer.clone());
            }
        }
    }
    if action.questions.iter().all(|question| question.answer.is_some()) {
        draft.beginning.push_back(name.clone());
    }
}

/// Whether an event speaks of the action's current attempt.
pub(super) fn is_current(action: &model::WorkflowAction, of: AttemptRef) -> bool {
    action.run == of.run && action.attempt == of.attempt
}

/// A worker takes an attempt that is on offer.
pub(super) fn claimed(
    draft: &mut Draft<'_>,
    name: &NodeName,
    of: AttemptRef,
    claim: &Claim,
) -> Result<(), Rejection> {
    let on_offer = draft
        .action(name)
        .is_some_and(|action| is_current(action, of) && wants::is_offered(draft.header(), action));
    if !on_offer {
        let message = format!("attempt {} of `{name}` is not on offer", of.attempt);
        return Err(Rejection { code: "HW1003", message, silent: false });
    }
    let now = draft.now;
    if let Some(action) = draft.action_mut(name) {
        action.status = ActionStatus::Running;
        action.started_at = Some(now);
        action.claim = Some(claim.clone());
        action.external_status = Some("RUNNING".into());
        action.error_code = None;
        action.error_message = None;
    }
    notify::action_changed(draft, name);
    Ok(())
}
