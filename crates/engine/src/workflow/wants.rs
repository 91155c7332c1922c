//! What a stored state wants done. There is no outbox: the rows say it (architecture §1.5).

use definition::read_action;
use model::job::JobHeader;
use model::{
    ActionSpec, ActionStatus, JobStatus, NodeKind, NodeName, ParentRef, Timestamp, WorkflowAction,
    WorkflowApp, WorkflowJob,
};

use super::draft::Step;
use super::prepare::sub_workflow_conf;
use crate::event::{AttemptRef, Effect};

/// Everything that the stored state wants: what a fresh owner does first.
pub fn outstanding(app: &WorkflowApp, job: &WorkflowJob) -> Vec<Effect> {
    let mut effects = of_header(&job.header);
    for action in job.actions.values() {
        effects.extend(of_action(app, &job.header, action));
    }
    effects
}

/// When the job next wants to be woken, if ever.
pub fn next_wakeup(job: &WorkflowJob) -> Option<Timestamp> {
    let actions = job
        .actions
        .values()
        .filter(|action| job.header.status == JobStatus::Running && action.is_live());
    let notifications = job.header.notifications.values();
    actions
        .filter_map(|action| action.due_at)
        .chain(notifications.filter_map(|waiting| waiting.due_at))
        .min()
}

/// Adds the wishes that a step's changes brought about.
pub(super) fn complete(app: &WorkflowApp, before: &WorkflowJob, mut step: Step) -> Step {
    if step.effects_are_complete {
        let mut after = before.clone();
        step.apply(&mut after);
        step.effects.extend(outstanding(app, &after));
        return step;
    }
    let header = step.header.as_deref().unwrap_or(&before.header);
    let mut wishes = if step.header.is_some() { of_header(header) } else { Vec::new() };
    for action in &step.actions {
        wishes.extend(of_action(app, header, action));
    }
    step.effects.extend(wishes);
    step
}

fn of_header(header: &JobHeader) -> Vec<Effect> {
    let stops = header.stopping.iter().map(|(token, stopping)| Effect::Stop {
        token: token.clone(),
        worker: stopping.worker.clone(),
        action: stopping.action.clone(),
    });
    let notifications = header.notifications.iter().map(|(number, waiting)| match waiting.due_at {
        Some(at) => Effect::Wake { at },
        None => Effect::Notify {
            number: *number,
            url: waiting.url.clone(),
            proxy: waiting.proxy.clone(),
        },
    });
    let more = (header.status == JobStatus::Running && !header.frontier.is_empty())
        .then_some(Effect::Continue);
    stops.chain(notifications).chain(more).collect()
}

fn of_action(app: &WorkflowApp, header: &JobHeader, action: &WorkflowAction) -> Option<Effect> {
    if header.status != JobStatus::Running {
        return None;
    }
    let of = AttemptRef { run: action.run, attempt: action.attempt };
    if let Some(at) = action.due_at {
        return action.is_live().then_some(Effect::Wake { at });
    }
    if !may_start(action.status) {
        return None;
    }
    let open: Vec<(String, Vec<String>)> = action
        .questions
        .iter()
        .filter(|question| question.answer.is_none())
        .map(|question| (question.function.clone(), question.args.clone()))
        .collect();
    if !open.is_empty() {
        return Some(Effect::Ask { action: action.name.clone(), of, questions: open });
    }
    if is_offered(header, action) {
        let (pool, priority) = (action.pool.clone(), action.priority);
        return Some(Effect::Offer { action: action.name.clone(), of, pool, priority });
    }
    child_wish(app, header, action, of)
}

fn may_start(status: ActionStatus) -> bool {
    matches!(status, ActionStatus::Prep | ActionStatus::StartRetry | ActionStatus::UserRetry)
}

/// Whether a worker may take the action's current attempt now. Not while an earlier attempt is still being stopped (S8).
pub fn is_offered(header: &JobHeader, action: &WorkflowAction) -> bool {
    header.status == JobStatus::Running
        && action.evaluated
        && action.due_at.is_none()
        && may_start(action.status)
        && &*action.kind != "sub-workflow"
        && !is_being_stopped(header, &action.name)
}

fn is_being_stopped(header: &JobHeader, name: &NodeName) -> bool {
    header.stopping.values().any(|stopping| stopping.action == *name)
}

/// How many workflows stand above a job.
pub(super) fn depth_of(header: &JobHeader) -> u32 {
    header.parent.as_ref().map_or(0, |parent| parent.depth)
}

fn child_wish(
    app: &WorkflowApp,
    header: &JobHeader,
    action: &WorkflowAction,
    of: AttemptRef,
) -> Option<Effect> {
    if &*action.kind != "sub-workflow" || !action.evaluated {
        return None;
    }
    let NodeKind::Action(node) = &app.node(&action.name)?.kind else { return None };
    let Ok(ActionSpec::SubWorkflow(spec)) = read_action(&node.kind, action.conf.as_deref()?) else {
        return None;
    };
    let parent = ParentRef {
        job: header.id.clone(),
        action: action.name.clone(),
        run: of.run,
        attempt: of.attempt,
        depth: depth_of(header) + 1,
    };
    Some(Effect::ReadChild {
        action: action.name.clone(),
        of,
        app_path: spec.app_path.trim().to_owned(),
        conf: Box::new(sub_workflow_conf(app, header, action, &spec)),
        parent: Box::new(parent),
        rerun_of: action.child.clone(),
    })
}
