//! The graph of a definition: names, transitions, circles. Only what can be reached from the start is looked at, as in
//! Oozie: an unreachable node may be as wrong as it likes.

use std::collections::BTreeMap;
use std::ops::Range;

use model::{NodeKind, NodeName};

use super::nodes::{Draft, Exit};
use crate::findings::Findings;
use crate::nearest::nearest;

/// How long a node name may be (gotcha 2).
pub const MAX_NODE_NAME_CHARS: usize = 128;

/// The nodes of a definition by number, in document order.
#[derive(Debug)]
pub(super) struct Graph<'a> {
    draft: &'a Draft,
    names: Vec<&'a NodeName>,
    numbers: BTreeMap<&'a NodeName, usize>,
}

impl<'a> Graph<'a> {
    pub(super) fn of(draft: &'a Draft) -> Graph<'a> {
        let names: Vec<&NodeName> = draft.app.order.iter().collect();
        let numbers = names.iter().enumerate().map(|(number, name)| (*name, number)).collect();
        Graph { draft, names, numbers }
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn start(&self) -> Option<usize> {
        self.number(&NodeName::start())
    }

    pub(super) fn name(&self, number: usize) -> &'a NodeName {
        self.names[number]
    }

    pub(super) fn number(&self, name: &NodeName) -> Option<usize> {
        self.numbers.get(name).copied()
    }

    pub(super) fn kind(&self, number: usize) -> &'a NodeKind {
        &self.draft.app.nodes[self.names[number]].kind
    }

    pub(super) fn span(&self, number: usize) -> Range<usize> {
        self.draft.spans[self.names[number]].clone()
    }

    /// The transitions of a node as they were written.
    fn exits(&self, number: usize) -> &'a [Exit] {
        &self.draft.exits[self.names[number]]
    }

    /// The nodes this one goes to, those that exist, in document order.
    pub(super) fn targets(&self, number: usize) -> Vec<usize> {
        self.kind(number).targets().into_iter().filter_map(|name| self.number(name)).collect()
    }

    /// The nodes that can be reached from the start, in document order.
    pub(super) fn reachable(&self) -> Vec<usize> {
        let mut seen = vec![false; self.len()];
        let mut open: Vec<usize> = self.start().into_iter().collect();
        while let Some(number) = open.pop() {
            if !std::mem::replace(&mut seen[number], true) {
                open.extend(self.targets(number));
            }
        }
        (0..self.len()).filter(|number| seen[*number]).collect()
    }
}

/// Checks names (`E0724`), transitions (`E0708`) and circles (`E0707`) of everything reachable.
pub(super) fn check(draft: &Draft, findings: &mut Findings<'_>) {
    let graph = Graph::of(draft);
    for number in graph.reachable() {
        check_name(&graph, number, findings);
        check_transitions(&graph, number, findings);
    }
    check_circles(&graph, findings);
}

fn check_name(graph: &Graph<'_>, number: usize, findings: &mut Findings<'_>) {
    let length = graph.name(number).as_str().chars().count();
    if length > MAX_NODE_NAME_CHARS {
        let message = format!("the node name '{}' has {length} characters", graph.name(number));
        findings.error(
            "E0724",
            graph.span(number),
            message,
            &format!("at most {MAX_NODE_NAME_CHARS} are allowed"),
        );
    }
}

fn check_transitions(graph: &Graph<'_>, number: usize, findings: &mut Findings<'_>) {
    for Exit { to, span } in graph.exits(number) {
        if graph.number(to).is_some() || findings.is_full() {
            continue;
        }
        let message =
            format!("node '{}' goes to '{to}', which does not exist", shown(graph, number));
        let known =
            graph.names.iter().map(|name| name.as_str()).filter(|name| !name.starts_with(':'));
        let help = nearest(to.as_str(), known).map(|name| format!("did you mean '{name}'?"));
        let help = help.unwrap_or_else(|| "add that node, or name another one".to_owned());
        findings.error("E0708", span.clone(), message, &help);
    }
}

/// A node's name for people.
pub(super) fn shown<'a>(graph: &Graph<'a>, number: usize) -> &'a str {
    match graph.kind(number) {
        NodeKind::Start { .. } => "start",
        _ => graph.name(number).as_str(),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    OnPath,
    Done,
}

/// Walks in depth and reports each way back to a node of the current path.
fn check_circles(graph: &Graph<'_>, findings: &mut Findings<'_>) {
    let mut marks = vec![Mark::New; graph.len()];
    let mut path: Vec<(usize, std::vec::IntoIter<usize>)> = Vec::new();
    let mut enter = graph.start();
    loop {
        if let Some(number) = enter.take() {
            marks[number] = Mark::OnPath;
            path.push((number, graph.targets(number).into_iter()));
        }
        let Some((number, targets)) = path.last_mut() else { return };
        match targets.next() {
            Some(target) if marks[target] == Mark::New => enter = Some(target),
            Some(target) if marks[target] == Mark::OnPath => {
                report_circle(graph, &path, target, findings)
            }
            Some(_) => {}
            None => {
                marks[*number] = Mark::Done;
                path.pop();
            }
        }
    }
}

fn report_circle(
    graph: &Graph<'_>,
    path: &[(usize, std::vec::IntoIter<usize>)],
    target: usize,
    findings: &mut Findings<'_>,
) {
    let circle = path
        .iter()
        .map(|(number, _)| *number)
        .skip_while(|number| *number != target)
        .chain([target]);
    let names: Vec<&str> = circle.map(|number| shown(graph, number)).collect();
    let last = path.last().map_or(target, |(number, _)| *number);
    let back = graph.exits(last).iter().find(|exit| exit.to == *graph.name(target));
    let message = format!("the workflow goes in a circle: {}", names.join(" -> "));
    findings.error(
        "E0707",
        back.map_or_else(|| graph.span(last), |exit| exit.span.clone()),
        message,
        "no node may lead back to itself; repeat work with a sub-workflow",
    );
}
