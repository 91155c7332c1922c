//! What can be drawn: nodes, edges between their names, and what the reader wants to see.
//!
//! The input is forgiving: an edge that names an unknown node, an edge from a node to itself, one that leaves
//! a kill node and a repeated one are not drawn, so that a half-written definition still gives a picture.

use std::collections::{BTreeMap, BTreeSet};

/// A workflow as a picture sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diagram {
    /// In the order of the definition, which also decides what stands to the left of what.
    pub nodes: Vec<Node>,
    /// In the order of the definition; ends are node names.
    pub edges: Vec<Edge>,
    /// Whether kill nodes and the edges to them are drawn; Oozie leaves them out unless `show-kill` asks for them.
    pub show_kill: bool,
}

/// One node of the workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Unique in its diagram; of two nodes with one name the first gets the edges.
    pub name: String,
    /// Decides the shape.
    pub kind: NodeKind,
    /// The second line of an action, usually its type: `shell`, `java`, `sub-workflow`.
    pub label: String,
    /// Oozie's word for the state of the node's run (`OK`, `RUNNING`, `ERROR` …); none before it was reached.
    pub status: Option<String>,
}

/// The kinds of nodes of an Oozie workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeKind {
    /// Where the workflow begins.
    Start,
    /// Where it succeeds.
    End,
    /// Where it is killed, with a message.
    Kill,
    /// Chooses one way.
    Decision,
    /// Goes all ways at once.
    Fork,
    /// Waits for all ways of its fork.
    Join,
    /// Does work.
    Action,
}

/// A transition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Name of the node that is left.
    pub from: String,
    /// Name of the node that is entered.
    pub to: String,
    /// Why it is taken.
    pub kind: EdgeKind,
}

/// Why a transition is taken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum EdgeKind {
    /// The action succeeded; also the only way out of a start or a join.
    Ok,
    /// The action ended with an error.
    Error,
    /// The predicate of a decision, as written in the definition, was true.
    Case(String),
    /// No predicate of a decision was true.
    Default,
    /// One of the ways out of a fork.
    Path,
}

/// The part of a diagram that is drawn, with edges between indices instead of names.
#[derive(Debug)]
pub(crate) struct View<'a> {
    pub(crate) nodes: Vec<&'a Node>,
    pub(crate) links: Vec<Link<'a>>,
}

/// An edge between two visible nodes.
#[derive(Debug)]
pub(crate) struct Link<'a> {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) kind: &'a EdgeKind,
}

impl<'a> View<'a> {
    pub(crate) fn of(diagram: &'a Diagram) -> Self {
        let visible = |node: &&Node| diagram.show_kill || node.kind != NodeKind::Kill;
        let nodes: Vec<&Node> = diagram.nodes.iter().filter(visible).collect();
        let mut index = BTreeMap::new();
        for (position, node) in nodes.iter().enumerate() {
            index.entry(node.name.as_str()).or_insert(position);
        }
        let mut seen = BTreeSet::new();
        let links = diagram.edges.iter().filter_map(|edge| {
            let from = *index.get(edge.from.as_str())?;
            let to = *index.get(edge.to.as_str())?;
            let is_drawn = from != to && nodes[from].kind != NodeKind::Kill;
            (is_drawn && seen.insert((from, to, &edge.kind))).then_some(Link {
                from,
                to,
                kind: &edge.kind,
            })
        });
        Self { links: links.collect(), nodes }
    }

    pub(crate) fn is_kill(&self, node: usize) -> bool {
        self.nodes[node].kind == NodeKind::Kill
    }
}

impl EdgeKind {
    /// What is written beside the edge, never empty: the predicate of a decision on one line, without `${…}` around it.
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Self::Case(predicate) => Some(bare(predicate)).filter(|text| !text.is_empty()),
            Self::Default => Some("default".to_owned()),
            Self::Ok | Self::Error | Self::Path => None,
        }
    }
}

fn bare(predicate: &str) -> String {
    let line = predicate.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
        Some(inner) if !inner.contains("${") => inner.trim().to_owned(),
        Some(_) | None => line,
    }
}
