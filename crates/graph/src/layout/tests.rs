//! The promises of the layout, on drawn and on random diagrams.

use proptest::prelude::*;

use super::{Layout, Rect};
use crate::diagram::{Diagram, Edge, EdgeKind, Node, NodeKind, View};

fn node(number: usize, kind: NodeKind) -> Node {
    let name = format!("{}{}", "n".repeat(1 + number % 11), number);
    let status = [None, Some("OK"), Some("RUNNING")][number % 3].map(str::to_owned);
    Node { name, kind, label: "shell".to_owned(), status }
}

fn overlap(one: &Rect, other: &Rect) -> bool {
    one.x < other.right()
        && other.x < one.right()
        && one.y < other.bottom()
        && other.y < one.bottom()
}

/// No two boxes overlap, everything is on the canvas.
fn check(diagram: &Diagram) -> Result<(), String> {
    let view = View::of(diagram);
    let layout = Layout::of(&view);
    if layout.boxes.len() != view.nodes.len() {
        return Err(format!("{} boxes for {} nodes", layout.boxes.len(), view.nodes.len()));
    }
    let labels = layout.labels.iter().map(|label| &label.bounds);
    for bounds in layout.boxes.iter().chain(labels) {
        if bounds.x < 0.0
            || bounds.y < 0.0
            || bounds.right() > layout.width
            || bounds.bottom() > layout.height
        {
            return Err(format!("{bounds:?} leaves {} x {}", layout.width, layout.height));
        }
    }
    for (position, one) in layout.boxes.iter().enumerate() {
        if let Some(other) = layout.boxes[position + 1..].iter().find(|other| overlap(one, other)) {
            return Err(format!("{one:?} overlaps {other:?}"));
        }
    }
    Ok(())
}

fn diagram() -> impl Strategy<Value = Diagram> {
    let kinds = prop::sample::select(vec![
        NodeKind::Action,
        NodeKind::Action,
        NodeKind::Decision,
        NodeKind::Fork,
        NodeKind::Join,
        NodeKind::End,
        NodeKind::Kill,
    ]);
    let edge_kinds = prop::sample::select(vec![
        EdgeKind::Ok,
        EdgeKind::Error,
        EdgeKind::Path,
        EdgeKind::Default,
        EdgeKind::Case("${wf:conf('a') eq 'a rather long text'}".to_owned()),
    ]);
    let nodes = prop::collection::vec(kinds, 1..40);
    let edges = prop::collection::vec((0_usize..40, 0_usize..40, edge_kinds), 0..90);
    (nodes, edges, any::<bool>()).prop_map(|(kinds, edges, show_kill)| {
        let mut nodes = vec![node(0, NodeKind::Start)];
        nodes.extend(kinds.into_iter().enumerate().map(|(number, kind)| node(number + 1, kind)));
        let name = |number: usize| nodes[number % nodes.len()].name.clone();
        let edges =
            edges.into_iter().map(|(from, to, kind)| Edge { from: name(from), to: name(to), kind });
        Diagram { edges: edges.collect(), nodes, show_kill }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn boxes_of_any_diagram_never_overlap_nor_leave_the_canvas(diagram in diagram()) {
        prop_assert_eq!(check(&diagram), Ok(()));
    }

    #[test]
    fn same_diagram_gives_same_bytes(diagram in diagram()) {
        prop_assert_eq!(crate::svg(&diagram), crate::svg(&diagram));
    }
}

/// A start, a chain of `length` actions that all may fail into a kill node, an end.
fn chain(length: usize) -> Diagram {
    let mut nodes = vec![node(0, NodeKind::Start)];
    nodes.extend((1..=length).map(|number| node(number, NodeKind::Action)));
    nodes.push(node(length + 1, NodeKind::End));
    nodes.push(node(length + 2, NodeKind::Kill));
    let name = |number: usize| nodes[number].name.clone();
    let ok = (0..=length).map(|number| Edge {
        from: name(number),
        to: name(number + 1),
        kind: EdgeKind::Ok,
    });
    let error = (1..=length).map(|number| Edge {
        from: name(number),
        to: name(length + 2),
        kind: EdgeKind::Error,
    });
    Diagram { edges: ok.chain(error).collect(), nodes, show_kill: true }
}

#[test]
fn a_chain_stands_in_one_straight_line() {
    let diagram = chain(12);
    let layout = Layout::of(&View::of(&diagram));
    let centres: Vec<f64> = layout.boxes[..14].iter().map(|bounds| bounds.centre().0).collect();
    assert!(centres.iter().all(|centre| (centre - centres[0]).abs() <= 0.5), "{centres:?}");
}

#[test]
fn a_fork_stands_above_the_middle_of_its_branches() {
    let kinds =
        [NodeKind::Fork, NodeKind::Action, NodeKind::Action, NodeKind::Action, NodeKind::Join];
    let mut nodes: Vec<Node> =
        kinds.into_iter().enumerate().map(|(number, kind)| node(number, kind)).collect();
    nodes.iter_mut().for_each(|node| node.status = None);
    let edge = |from: usize, to: usize, kind| Edge {
        from: nodes[from].name.clone(),
        to: nodes[to].name.clone(),
        kind,
    };
    let paths = (1..4).map(|branch| edge(0, branch, EdgeKind::Path));
    let edges = paths.chain((1..4).map(|branch| edge(branch, 4, EdgeKind::Ok))).collect();
    let diagram = Diagram { edges, nodes, show_kill: false };
    let layout = Layout::of(&View::of(&diagram));
    let centre = |node: usize| layout.boxes[node].centre().0;
    assert!(
        (centre(0) - centre(2)).abs() <= 1.0 && (centre(4) - centre(2)).abs() <= 1.0,
        "{:?}",
        layout.boxes
    );
    assert!(centre(1) < centre(2) && centre(2) < centre(3));
}

#[test]
fn errors_into_one_kill_node_share_one_lane() {
    let diagram = chain(30);
    let layout = Layout::of(&View::of(&diagram));
    let heads = layout
        .strokes
        .iter()
        .filter(|stroke| matches!(stroke.arrow, Some(super::Arrow::Right(..))));
    assert_eq!(heads.count(), 1);
}

#[test]
fn the_largest_diagrams_are_laid_out() {
    let wide = {
        let mut diagram = chain(1);
        let (from, to) = (diagram.nodes[0].name.clone(), diagram.nodes[2].name.clone());
        for number in 10..2_000 {
            let branch = node(number, NodeKind::Action);
            diagram.edges.push(Edge {
                from: from.clone(),
                to: branch.name.clone(),
                kind: EdgeKind::Path,
            });
            diagram.edges.push(Edge {
                from: branch.name.clone(),
                to: to.clone(),
                kind: EdgeKind::Ok,
            });
            diagram.nodes.push(branch);
        }
        diagram
    };
    let tangled = {
        let mut diagram = chain(1_990);
        let names: Vec<String> = diagram.nodes.iter().map(|node| node.name.clone()).collect();
        let far = |from: usize| Edge {
            from: names[from].clone(),
            to: names[from + 600].clone(),
            kind: EdgeKind::Default,
        };
        diagram.edges.extend((1..1_200).map(far));
        diagram
    };
    for diagram in [wide, tangled] {
        assert!(diagram.nodes.len() <= crate::NODES_MAX);
        assert_eq!(check(&diagram), Ok(()));
    }
}
