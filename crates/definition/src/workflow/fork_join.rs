//! Forks and joins: every fork has exactly one join, every join one fork, and paths that run at the same time meet
//! nowhere else (census §1.3, gotcha 7).
//!
//! The rules are those of Oozie 5.2.1's validator:
//! * the number of reachable forks equals that of reachable joins (`E0730`), else nothing more is looked at;
//! * a walk in depth follows `ok` before `error`; what is entered over an `error` may be entered again freely;
//! * a node entered twice over `ok` must hang below one and the same eldest decision both times (`E0743`); kills, joins
//!   and ends are exempt;
//! * on the way from a fork to its join there is no end (`E0737`), no join of another fork (`E0758`, `E0757`), no node
//!   that the fork lists twice (`E0744`); outside of forks there is no join (`E0742`).
//!
//! That validator walks every way there is, which takes for ever in some definitions. Here a node is walked through once
//! for each fork it is under and each of `ok` and `error`: nothing else of the way changes what is found below it. (The
//! later development line of Oozie walks each node once only, and so accepts forks that cannot end well when an earlier
//! way led through the same nodes; that is not followed.)
//!
//! The walk holds its own stack, so that its depth is not bounded by the thread's.

use std::collections::BTreeSet;

use model::NodeKind;

use super::graph::{Graph, shown};
use super::nodes::Draft;
use crate::findings::Findings;

/// Checks the forks and joins of a graph without circles and without dangling transitions.
pub(super) fn check(draft: &Draft, findings: &mut Findings<'_>) {
    let graph = Graph::of(draft);
    if counts_differ(&graph, findings) {
        return;
    }
    let mut walk = Walk::over(&graph, findings);
    if let Some(start) = graph.start() {
        let from = start;
        walk.open.push(Task::Enter {
            node: start,
            from,
            under: Under { fork: None, decision: None, ok: true },
        });
    }
    while let Some(task) = walk.open.pop() {
        match task {
            Task::Enter { node, from, under } => walk.enter(node, from, under),
            Task::Close { fork, under } => walk.close(fork, under),
        }
    }
}

fn counts_differ(graph: &Graph<'_>, findings: &mut Findings<'_>) -> bool {
    let reachable = graph.reachable();
    let (mut forks, mut joins) = (Vec::new(), Vec::new());
    for number in &reachable {
        match graph.kind(*number) {
            NodeKind::Fork { .. } => forks.push(*number),
            NodeKind::Join { .. } => joins.push(*number),
            NodeKind::Start { .. }
            | NodeKind::End
            | NodeKind::Kill { .. }
            | NodeKind::Decision { .. }
            | NodeKind::Action(_) => {}
        }
    }
    if forks.len() == joins.len() {
        return false;
    }
    let names = |numbers: &[usize]| -> String {
        let names: Vec<&str> = numbers.iter().map(|number| shown(graph, *number)).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    let message = format!(
        "forks and joins are not in pairs: {} forks ({}), {} joins ({})",
        forks.len(),
        names(&forks),
        joins.len(),
        names(&joins)
    );
    let first = forks.iter().chain(&joins).min().copied().unwrap_or_default();
    findings.error(
        "E0730",
        graph.span(first),
        message,
        "let all paths of each fork end in one join of its own",
    );
    true
}

/// What holds for a node because of the way that leads to it.
#[derive(Clone, Copy)]
struct Under {
    /// The fork whose path it is on.
    fork: Option<usize>,
    /// The eldest decision on the way.
    decision: Option<usize>,
    /// Whether the way has no `error` transition.
    ok: bool,
}

enum Task {
    Enter {
        node: usize,
        from: usize,
        under: Under,
    },
    /// All paths of the fork were walked: go on behind its join.
    Close {
        fork: usize,
        under: Under,
    },
}

struct Walk<'walk, 'text> {
    graph: &'walk Graph<'walk>,
    findings: &'walk mut Findings<'text>,
    open: Vec<Task>,
    /// For nodes entered over `ok`: the eldest decision that was above them.
    decisions: Vec<Option<Option<usize>>>,
    /// Nodes walked through, with the fork they were under and whether the way was `ok`.
    walked: BTreeSet<(usize, Option<usize>, bool)>,
    fork_of_join: Vec<Option<usize>>,
    joins_of_fork: Vec<BTreeSet<usize>>,
    /// Nodes about which `E0743` was said already.
    doubled: BTreeSet<usize>,
}

impl<'walk, 'text> Walk<'walk, 'text> {
    fn over(
        graph: &'walk Graph<'walk>,
        findings: &'walk mut Findings<'text>,
    ) -> Walk<'walk, 'text> {
        let count = graph.len();
        Walk {
            graph,
            findings,
            open: Vec::new(),
            decisions: vec![None; count],
            walked: BTreeSet::new(),
            fork_of_join: vec![None; count],
            joins_of_fork: vec![BTreeSet::new(); count],
            doubled: BTreeSet::new(),
        }
    }

    fn enter(&mut self, node: usize, from: usize, under: Under) {
        match self.graph.kind(node) {
            NodeKind::Join { .. } => self.meet(node, from, under),
            NodeKind::End => self.end(node, from, under),
            NodeKind::Kill { .. } => {}
            NodeKind::Start { .. }
            | NodeKind::Decision { .. }
            | NodeKind::Fork { .. }
            | NodeKind::Action(_) => {
                self.check_way(node, from, under);
                if self.walked.insert((node, under.fork, under.ok)) {
                    self.walk_on(node, under);
                }
            }
        }
    }

    fn walk_on(&mut self, node: usize, under: Under) {
        let targets = self.graph.targets(node);
        match self.graph.kind(node) {
            NodeKind::Fork { .. } => self.branch(node, &targets, under),
            NodeKind::Decision { .. } => {
                let decision = Some(under.decision.unwrap_or(node));
                self.enter_all(&targets, node, Under { decision, ..under });
            }
            NodeKind::Action(_) => {
                if let [ok, error] = targets[..] {
                    self.open.push(Task::Enter {
                        node: error,
                        from: node,
                        under: Under { ok: false, ..under },
                    });
                    self.open.push(Task::Enter { node: ok, from: node, under });
                }
            }
            NodeKind::Start { .. } => self.enter_all(&targets, node, under),
            NodeKind::Join { .. } | NodeKind::End | NodeKind::Kill { .. } => {}
        }
    }

    /// The last of the stack is taken first, so the first target goes there last.
    fn enter_all(&mut self, targets: &[usize], from: usize, under: Under) {
        self.open.extend(targets.iter().rev().map(|node| Task::Enter { node: *node, from, under }));
    }

    fn branch(&mut self, fork: usize, targets: &[usize], under: Under) {
        let (mut seen, mut once) = (BTreeSet::new(), Vec::new());
        for target in targets {
            let may_repeat =
                matches!(self.graph.kind(*target), NodeKind::Join { .. } | NodeKind::Kill { .. });
            if seen.insert(*target) {
                once.push(*target);
            } else if !may_repeat {
                let message = format!(
                    "fork '{}' has two paths to node '{}'",
                    self.shown(fork),
                    self.shown(*target)
                );
                self.error("E0744", fork, message, "let each path begin with a node of its own");
            }
        }
        self.open.push(Task::Close { fork, under });
        self.enter_all(&once, fork, Under { fork: Some(fork), ..under });
    }

    fn meet(&mut self, join: usize, from: usize, under: Under) {
        let Some(fork) = under.fork else {
            let message = format!(
                "join '{}' is reached from '{}' outside of any fork",
                self.shown(join),
                self.shown(from)
            );
            return self.error("E0742", join, message, "lead only paths of one fork into it");
        };
        match self.fork_of_join[join] {
            None => {
                self.fork_of_join[join] = Some(fork);
                self.joins_of_fork[fork].insert(join);
            }
            Some(first) if first != fork => {
                let names = (self.shown(join), self.shown(first), self.shown(fork));
                let message = format!(
                    "join '{}' ends paths of two forks, '{}' and '{}'",
                    names.0, names.1, names.2
                );
                self.error("E0758", join, message, "give each fork a join of its own");
            }
            Some(_) => {}
        }
    }

    fn end(&mut self, end: usize, from: usize, under: Under) {
        if let Some(fork) = under.fork {
            let names = (self.shown(from), self.shown(end), self.shown(fork));
            let message = format!(
                "node '{}' goes to the end '{}' from inside fork '{}'",
                names.0, names.1, names.2
            );
            self.error(
                "E0737",
                from,
                message,
                "lead the path into the fork's join, or into a kill node",
            );
        }
    }

    /// A node entered twice over `ok` may run twice, unless one decision chose between the two ways.
    fn check_way(&mut self, node: usize, from: usize, under: Under) {
        if !under.ok {
            return;
        }
        match self.decisions[node] {
            None => self.decisions[node] = Some(under.decision),
            Some(Some(first)) if under.decision == Some(first) => {}
            Some(_) if self.doubled.insert(node) => {
                let message = format!(
                    "node '{}' would run twice: a second way leads to it, over '{}'",
                    self.shown(node),
                    self.shown(from)
                );
                let help = "let the ways meet in a join, or choose between them by one decision; or double the node";
                self.error("E0743", node, message, help);
            }
            Some(_) => {}
        }
    }

    fn close(&mut self, fork: usize, under: Under) {
        let joins: Vec<usize> = self.joins_of_fork[fork].iter().copied().collect();
        match joins[..] {
            [] => {
                let message = format!("no path of fork '{}' leads to a join", self.shown(fork));
                self.error("E0733", fork, message, "let its paths end in one join");
            }
            [join] => {
                let behind = self.graph.targets(join);
                self.enter_all(&behind, join, under);
            }
            _ => {
                let names: Vec<&str> = joins.iter().map(|join| self.shown(*join)).collect();
                let message = format!(
                    "the paths of fork '{}' lead to several joins: {}",
                    self.shown(fork),
                    names.join(", ")
                );
                self.error("E0757", fork, message, "let all of its paths end in the same join");
            }
        }
    }

    fn shown(&self, node: usize) -> &'walk str {
        shown(self.graph, node)
    }

    fn error(&mut self, code: &str, node: usize, message: String, help: &str) {
        self.findings.error(code, self.graph.span(node), message, help);
    }
}
