//! Definitions in, findings or applications out: the behaviour of the public doors of this crate.

#[path = "../common/mod.rs"]
mod common;
mod corpus;
mod forks;
mod graph;
mod hostile;
mod merging;
mod schema;
mod specs;

use definition::{WorkflowSources, read_workflow};
use model::{Diagnostic, WorkflowApp};

/// A workflow of schema 0.5 around these nodes.
fn workflow(nodes: &str) -> String {
    format!("<workflow-app xmlns='uri:oozie:workflow:0.5' name='t'>\n{nodes}\n</workflow-app>")
}

/// An action that needs nothing from around it.
fn action(name: &str, ok: &str, error: &str) -> String {
    format!("<action name='{name}'><fs/><ok to='{ok}'/><error to='{error}'/></action>\n")
}

fn read(text: &str) -> Result<WorkflowApp, Vec<Diagnostic>> {
    read_workflow(WorkflowSources::of(text))
}

/// The codes of all findings, each once, sorted; `ok` for none.
fn codes(result: &Result<WorkflowApp, Vec<Diagnostic>>) -> String {
    let Err(found) = result else { return "ok".to_owned() };
    let codes: std::collections::BTreeSet<&str> =
        found.iter().map(|one| one.code.as_str()).collect();
    codes.into_iter().collect::<Vec<_>>().join(" ")
}

/// Findings as people see them, one a line.
fn shown(found: &[Diagnostic]) -> String {
    found.iter().map(|one| format!("{one}\n")).collect()
}
