//! The layer of each node: the length of the longest way to it, circles and kill nodes left aside.

use crate::diagram::{NodeKind, View};

/// Which links may push their target down: those that close no circle and do not lead to a kill node.
pub(super) fn forward_links(view: &View<'_>) -> Vec<bool> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        Unseen,
        Open,
        Closed,
    }
    let leaving = leaving(view);
    let mut forward = vec![true; view.links.len()];
    let mut marks = vec![Mark::Unseen; view.nodes.len()];
    for root in 0..view.nodes.len() {
        let mut stack = vec![(root, 0)];
        while let Some((node, tried)) = stack.pop() {
            if tried == 0 && marks[node] != Mark::Unseen {
                continue;
            }
            marks[node] = Mark::Open;
            let Some(&link) = leaving[node].get(tried) else {
                marks[node] = Mark::Closed;
                continue;
            };
            stack.push((node, tried + 1));
            let to = view.links[link].to;
            forward[link] = marks[to] != Mark::Open && !view.is_kill(to);
            if marks[to] == Mark::Unseen {
                stack.push((to, 0));
            }
        }
    }
    forward
}

fn leaving(view: &View<'_>) -> Vec<Vec<usize>> {
    let mut leaving = vec![Vec::new(); view.nodes.len()];
    for (position, link) in view.links.iter().enumerate() {
        leaving[link.from].push(position);
    }
    leaving
}

/// Length of the longest way to each node, corrected for ends and for nodes without a way to them.
pub(super) fn ranks(view: &View<'_>, forward: &[bool]) -> Vec<usize> {
    let mut waiting_for = vec![0_usize; view.nodes.len()];
    for (link, _) in view.links.iter().zip(forward).filter(|(_, is_forward)| **is_forward) {
        waiting_for[link.to] += 1;
    }
    let leaving = leaving(view);
    let mut ranks = vec![0; view.nodes.len()];
    let mut ready: Vec<usize> =
        (0..view.nodes.len()).filter(|node| waiting_for[*node] == 0).collect();
    while let Some(node) = ready.pop() {
        for &link in leaving[node].iter().filter(|link| forward[**link]) {
            let to = view.links[link].to;
            ranks[to] = ranks[to].max(ranks[node] + 1);
            waiting_for[to] -= 1;
            if waiting_for[to] == 0 {
                ready.push(to);
            }
        }
    }
    sink_ends(view, forward, &leaving, &mut ranks);
    lower_the_unreached(view, forward, &leaving, &mut ranks);
    ranks
}

/// End nodes stand in the last layer.
fn sink_ends(view: &View<'_>, forward: &[bool], leaving: &[Vec<usize>], ranks: &mut [usize]) {
    let last = ranks.iter().copied().max().unwrap_or(0);
    for (node, rank) in ranks.iter_mut().enumerate() {
        let is_sink = leaving[node].iter().all(|link| !forward[*link]);
        if view.nodes[node].kind == NodeKind::End && is_sink {
            *rank = last;
        }
    }
}

/// Nodes that nothing leads to stand right above what they lead to.
fn lower_the_unreached(
    view: &View<'_>,
    forward: &[bool],
    leaving: &[Vec<usize>],
    ranks: &mut [usize],
) {
    let mut is_reached = vec![false; ranks.len()];
    view.links.iter().for_each(|link| is_reached[link.to] = true);
    for node in (0..ranks.len())
        .filter(|node| !is_reached[*node] && view.nodes[*node].kind != NodeKind::Start)
    {
        let targets = leaving[node]
            .iter()
            .filter(|link| forward[**link])
            .map(|link| ranks[view.links[*link].to]);
        if let Some(first) = targets.min() {
            ranks[node] = first - 1;
        }
    }
}
