//! What a job's configuration and name become before it exists: defaults, parameters, substitution (census §1.6), the
//! configuration of children (census §1.8), and what a rerun takes over (census §2.8).

use std::collections::BTreeSet;
use std::sync::Arc;

use model::action_spec::SubWorkflow;
use model::job::JobHeader;
use model::{
    Configuration, Diagnostic, Location, NodeKind, NodeName, Severity, Timestamp, WorkflowAction,
    WorkflowApp,
};

use super::expressions;
use crate::event::{Rejection, Skip, Submission};

/// `oozie.wf.application.path`.
pub const APP_PATH: &str = "oozie.wf.application.path";
const SKIP_NODES: &str = "oozie.wf.rerun.skip.nodes";
const FAIL_NODES: &str = "oozie.wf.rerun.failnodes";
/// Where a child finds its parent's `<global>` section (gotcha 9).
pub const GLOBAL_CONF: &str = "oozie.wf.globalconf";

/// A submission with its configuration complete and its name evaluated.
pub type Prepared = Submission;

/// Completes a submission: `${}` among its properties, defaults that fill gaps, formal parameters, the name.
///
/// # Errors
/// Every mistake at once: E0738 and E0739 for parameters, E0808 for names that are constants of expressions,
/// E0803 for a name or retry attribute that cannot be evaluated.
pub fn prepare(
    app: &WorkflowApp,
    mut submission: Submission,
    config_default: Option<&Configuration>,
    now: Timestamp,
) -> Result<Prepared, Vec<Diagnostic>> {
    let mut conf = definition::substituted(&submission.conf).map_err(|problem| vec![problem])?;
    let mut problems = definition::forbidden_in_job(&conf);
    if let Some(defaults) = config_default {
        problems.extend(definition::forbidden_in_defaults(defaults));
        conf.fill_from(defaults);
        conf = definition::substituted(&conf).map_err(|problem| vec![problem])?;
    }
    problems.extend(apply_parameters(app, &mut conf));
    submission.conf = Arc::new(conf);
    let header = super::header_of(&submission, now);
    match expressions::attribute(&header, &app.name) {
        Ok(name) => submission.app_name = name.into(),
        Err(why) => {
            problems.push(unresolved("the name of the application", &why, Location::default()))
        }
    }
    problems.extend(unresolved_retries(app, &header));
    if problems.is_empty() { Ok(submission) } else { Err(problems) }
}

/// A parameter without a value takes its default, which becomes a property of the job (gotcha 12).
fn apply_parameters(app: &WorkflowApp, conf: &mut Configuration) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for parameter in &app.parameters {
        if conf.get(&parameter.name).is_some() {
            continue;
        }
        match &parameter.default {
            Some(default) => conf.set(parameter.name.clone(), default.clone()),
            None => problems.push(diagnostic(
                "E0738",
                parameter.at,
                format!("the parameter `{}` has no value and no default", parameter.name),
                "set it in job.properties or with -D, or give it a <value> in <parameters>",
            )),
        }
    }
    problems
}

fn unresolved_retries(app: &WorkflowApp, header: &JobHeader) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for node in app.nodes.values() {
        let NodeKind::Action(action) = &node.kind else { continue };
        for text in
            [&action.retry_max, &action.retry_interval, &action.retry_policy].into_iter().flatten()
        {
            if let Err(why) = expressions::attribute(header, text) {
                let what = format!("a retry attribute of `{}`", node.name);
                problems.push(unresolved(&what, &why, node.at));
            }
        }
    }
    problems
}

fn unresolved(what: &str, why: &str, at: Location) -> Diagnostic {
    let help =
        "it may use job properties and constants only; set what is missing in job.properties";
    diagnostic("E0803", at, format!("{what} cannot be evaluated: {why}"), help)
}

fn diagnostic(code: &str, at: Location, message: String, help: &str) -> Diagnostic {
    Diagnostic {
        code: code.to_owned(),
        severity: Severity::Error,
        at,
        span: 0..0,
        message,
        help: Some(help.to_owned()),
    }
}

/// Evaluates every expression of a definition as far as that goes without actions (gotcha 14).
///
/// # Errors
/// One finding for each node that holds an expression that fails.
pub fn dry_run(
    app: &WorkflowApp,
    prepared: &Prepared,
    now: Timestamp,
) -> Result<(), Vec<Diagnostic>> {
    let header = super::header_of(prepared, now);
    let mut problems = Vec::new();
    for node in app.nodes.values() {
        for text in texts_of(&node.kind) {
            if let Some(failure) = expressions::evaluate_dry(&header, now, text) {
                let message =
                    format!("node `{}`: {}: {}", node.name, failure.code, failure.message);
                problems.push(diagnostic(
                    "E0803",
                    node.at,
                    message,
                    "mend the expression, or set the property that it names",
                ));
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn texts_of(kind: &NodeKind) -> Vec<&str> {
    match kind {
        NodeKind::Action(action) => vec![&action.body],
        NodeKind::Decision { cases, .. } => {
            cases.iter().map(|case| case.predicate.as_str()).collect()
        }
        NodeKind::Kill { message } => vec![message],
        NodeKind::Start { .. } | NodeKind::End | NodeKind::Fork { .. } | NodeKind::Join { .. } => {
            Vec::new()
        }
    }
}

/// The configuration of a child (census §1.8, gotcha 36): the parent's if it is propagated, else its `oozie.*` keys, then
/// the inline properties, then what is forced.
pub fn sub_workflow_conf(
    app: &WorkflowApp,
    header: &JobHeader,
    action: &WorkflowAction,
    spec: &SubWorkflow,
) -> Configuration {
    let inherited = |name: &str| {
        spec.propagate_configuration
            || name.starts_with("oozie.")
            || name == "user.name"
            || name == "group.name"
    };
    let mut conf: Configuration = header.conf.iter().filter(|(name, _)| inherited(name)).collect();
    for name in
        [SKIP_NODES, FAIL_NODES, "oozie.wf.workflow.notification.url", "oozie.suspend.on.nodes"]
    {
        conf.remove(name);
    }
    if spec.propagate_configuration && !app.global.is_empty() {
        conf.set(GLOBAL_CONF, definition::write_configuration(&app.global));
    }
    conf.overlay(&spec.configuration);
    conf.set(APP_PATH, spec.app_path.trim());
    conf.set("oozie.wf.parent.id", format!("{}@{}", header.id, action.name));
    conf.set("oozie.wf.external.id", format!("{}@{}@{}", header.id, action.name, action.run));
    conf.set("user.name", header.user.as_ref());
    conf
}

/// The configuration of a rerun and what it steps over: the stored one with the new one over it (gotcha 39).
///
/// # Errors
/// E0404 when both skip.nodes and failnodes are asked for.
pub fn prepare_rerun(
    stored: &Configuration,
    posted: &Configuration,
) -> Result<(Configuration, Skip), Rejection> {
    let mut conf = stored.clone();
    conf.overlay(posted);
    let fail_nodes = conf.is_true(FAIL_NODES);
    if fail_nodes && conf.get(SKIP_NODES).is_some() {
        let message = format!(
            "only one of {SKIP_NODES} and {FAIL_NODES}=true may be set, in the request and in the stored configuration together"
        );
        return Err(Rejection { code: "E0404", message, silent: false });
    }
    let skip = if fail_nodes {
        Skip::AllButFailed
    } else {
        Skip::Nodes(listed_nodes(conf.get(SKIP_NODES).unwrap_or_default()))
    };
    Ok((conf, skip))
}

fn listed_nodes(list: &str) -> BTreeSet<NodeName> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(NodeName::new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conf(pairs: &[(&str, &str)]) -> Configuration {
        pairs.iter().copied().collect()
    }

    #[test]
    fn a_rerun_takes_the_stored_properties_over() {
        let stored = conf(&[(APP_PATH, "file:///a"), ("x", "1")]);
        let (merged, skip) =
            prepare_rerun(&stored, &conf(&[("x", "2"), (SKIP_NODES, "a, b,")])).expect("no clash");
        assert_eq!((merged.get(APP_PATH), merged.get("x")), (Some("file:///a"), Some("2")));
        assert_eq!(skip, Skip::Nodes([NodeName::new("a"), NodeName::new("b")].into()));
    }

    #[test]
    fn a_stored_skip_list_clashes_with_failnodes() {
        let stored = conf(&[(SKIP_NODES, "a")]);
        assert_eq!(
            prepare_rerun(&stored, &conf(&[(FAIL_NODES, "true")])).map_err(|r| r.code),
            Err("E0404")
        );
        assert!(prepare_rerun(&stored, &conf(&[(FAIL_NODES, "false")])).is_ok());
        assert_eq!(
            prepare_rerun(&conf(&[]), &conf(&[(FAIL_NODES, "true")])).map(|r| r.1),
            Ok(Skip::AllButFailed)
        );
    }
}
