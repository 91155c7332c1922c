//! The diagram in the language of Graphviz, for those who lay out with tools of their own.

use std::fmt::Write as _;

use crate::diagram::{Diagram, Link, Node, NodeKind, View};
use crate::text;
use crate::theme;

/// The diagram as a Graphviz digraph, one node or edge a line, in the order of the definition.
pub fn dot(diagram: &Diagram) -> String {
    let view = View::of(diagram);
    let mut out = String::from(
        "digraph workflow {\n  rankdir=TB;\n  node [fontname=\"monospace\", fontsize=11, style=\"filled,rounded\"];\n  \
         edge [fontname=\"monospace\", fontsize=9];\n",
    );
    for node in &view.nodes {
        node_line(&mut out, node);
    }
    for link in &view.links {
        link_line(&mut out, &view, link);
    }
    out.push_str("}\n");
    out
}

fn node_line(out: &mut String, node: &Node) {
    let paint = theme::paint(node.kind, node.status.as_deref());
    writeln!(
        out,
        "  {} [label={}, shape={}, fillcolor=\"{}\", color=\"{}\", fontcolor=\"{}\"];",
        text::dot(&node.name),
        text::dot(&caption(node)),
        shape(node.kind),
        paint.fill,
        paint.border,
        paint.name,
    )
    .expect("writing to a string does not fail");
}

fn caption(node: &Node) -> String {
    let mut lines = vec![node.name.as_str()];
    if node.kind == NodeKind::Action && !node.label.is_empty() {
        lines.push(&node.label);
    }
    lines.extend(node.status.as_deref());
    lines.join("\n")
}

fn shape(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Start => "circle",
        NodeKind::End => "doublecircle",
        NodeKind::Kill => "octagon",
        NodeKind::Decision => "diamond",
        NodeKind::Fork => "triangle",
        NodeKind::Join => "invtriangle",
        NodeKind::Action => "box",
    }
}

fn link_line(out: &mut String, view: &View<'_>, link: &Link<'_>) {
    let (colour, dashes) = theme::stroke(link.kind);
    let label =
        link.kind.text().map(|label| format!("label={}, ", text::dot(&label))).unwrap_or_default();
    let style = if dashes.is_some() { ", style=dashed" } else { "" };
    writeln!(
        out,
        "  {} -> {} [{label}color=\"{colour}\"{style}];",
        text::dot(&view.nodes[link.from].name),
        text::dot(&view.nodes[link.to].name),
    )
    .expect("writing to a string does not fail");
}
