//! A workflow definition (hPDL), read and merged with its defaults: what the engine walks over.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::configuration::Configuration;
use crate::diagnostic::Location;
use crate::id::NodeName;

/// A workflow application as the engine sees it. Made by `definition::read_workflow`; never stored: its sources are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowApp {
    /// The `name` attribute; may hold EL, evaluated at submit.
    pub name: String,
    /// Namespace version, `0.1` to `1.0`.
    pub schema: String,
    /// Formal parameters, in document order; empty below schema 0.4 (gotcha 12).
    pub parameters: Vec<Parameter>,
    /// Properties of `<global>`, for children that are propagated to (gotcha 9).
    pub global: Configuration,
    /// Credentials that actions may name.
    pub credentials: Vec<Credential>,
    /// Every node by name. The start node is under [`NodeName::start`].
    pub nodes: BTreeMap<NodeName, Node>,
    /// The names of `nodes` in document order.
    pub order: Vec<NodeName>,
    /// `sla:info` of the application, as text.
    pub sla: Option<String>,
}

/// A formal parameter of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// What it is when the submitter does not say.
    pub default: Option<String>,
    /// Where it is declared.
    pub at: Location,
}

/// A credential block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The name that actions use in `cred`.
    pub name: String,
    /// Its type, such as `hcat`.
    pub kind: String,
    /// Its properties; may hold EL.
    pub properties: Configuration,
}

/// A node of the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: NodeName,
    /// Where it stands in the definition.
    pub at: Location,
    /// What it does.
    pub kind: NodeKind,
}

/// What a node does (census §1.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// Where the job begins.
    Start {
        /// The first node.
        to: NodeName,
    },
    /// Reaching it ends the job well.
    End,
    /// Reaching it kills the job.
    Kill {
        /// Evaluated when reached (gotcha 23).
        message: String,
    },
    /// Goes where the first true case says.
    Decision {
        /// In document order.
        cases: Vec<Case>,
        /// Where to go when no case holds.
        default: NodeName,
    },
    /// Goes to all of its paths at once.
    Fork {
        /// The first node of each path.
        paths: Vec<NodeName>,
    },
    /// Waits for all paths of its fork.
    Join {
        /// Where to go then.
        to: NodeName,
    },
    /// Does work.
    Action(ActionNode),
}

/// A case of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Holds when it evaluates, trimmed, to `true` (gotcha 6).
    pub predicate: String,
    /// Where to go then.
    pub to: NodeName,
}

/// An action node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionNode {
    /// The local name of its type element: `shell`, `fs`, `sub-workflow`, ...
    pub kind: String,
    /// Its type element as XML text with namespaces, after global and default merges, before EL (gotcha 3).
    pub body: Arc<str>,
    /// Where to go when it ended well.
    pub ok: NodeName,
    /// Where to go when it ended badly.
    pub error: NodeName,
    /// The `cred` attribute.
    pub cred: Option<String>,
    /// The `retry-max` attribute; may hold EL.
    pub retry_max: Option<String>,
    /// The `retry-interval` attribute in minutes; may hold EL.
    pub retry_interval: Option<String>,
    /// The `retry-policy` attribute; may hold EL.
    pub retry_policy: Option<String>,
    /// `sla:info` of the action, as text.
    pub sla: Option<String>,
}

impl NodeKind {
    /// Every node this one may go to, in document order.
    pub fn targets(&self) -> Vec<&NodeName> {
        match self {
            NodeKind::Start { to } | NodeKind::Join { to } => vec![to],
            NodeKind::End | NodeKind::Kill { .. } => Vec::new(),
            NodeKind::Decision { cases, default } => {
                cases.iter().map(|case| &case.to).chain([default]).collect()
            }
            NodeKind::Fork { paths } => paths.iter().collect(),
            NodeKind::Action(action) => vec![&action.ok, &action.error],
        }
    }

    /// The type word of the node's action row (census §1.2).
    pub fn type_word(&self) -> &str {
        match self {
            NodeKind::Start { .. } => ":START:",
            NodeKind::End => ":END:",
            NodeKind::Kill { .. } => ":KILL:",
            NodeKind::Decision { .. } => "switch",
            NodeKind::Fork { .. } => ":FORK:",
            NodeKind::Join { .. } => ":JOIN:",
            NodeKind::Action(action) => &action.kind,
        }
    }
}

impl WorkflowApp {
    /// The node of this name.
    pub fn node(&self, name: &NodeName) -> Option<&Node> {
        self.nodes.get(name)
    }
}
