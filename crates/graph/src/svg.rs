//! The laid-out diagram as one SVG document: edges, then nodes, then labels, each with the whole text as a tooltip.

use std::fmt::Write as _;

use crate::NODES_MAX;
use crate::diagram::{Diagram, Node, NodeKind, View};
use crate::layout::{
    Arrow, LABEL_PX, Label, Layout, NAME_PX, NOTE_PX, Rect, Stroke, shown_name, shown_note,
};
use crate::text::{self, FAMILY};
use crate::theme::{self, CANVAS, INK_SOFT, Paint};

/// The diagram as an SVG document with its size in pixels.
///
/// Above [`NODES_MAX`] visible nodes the document only says how many there are.
pub fn svg(diagram: &Diagram) -> String {
    let view = View::of(diagram);
    if view.nodes.len() > NODES_MAX {
        return too_large(view.nodes.len());
    }
    document(&view, &Layout::of(&view))
}

fn too_large(nodes: usize) -> String {
    let note = format!("{nodes} nodes are too many to draw; the limit is {NODES_MAX}");
    let width = text::width_px(&note, NAME_PX) + 48.0;
    let mut out = open(width.ceil(), 64.0);
    words(&mut out, (width / 2.0, 36.0), NAME_PX, INK_SOFT, &note);
    out.push_str("</svg>\n");
    out
}

fn document(view: &View<'_>, layout: &Layout) -> String {
    let mut out = open(layout.width, layout.height);
    put(&mut out, format_args!("<g fill=\"none\" stroke-width=\"1.5\">\n"));
    for stroke in &layout.strokes {
        edge(&mut out, view, stroke);
    }
    out.push_str("</g>\n");
    for (drawn, bounds) in view.nodes.iter().zip(&layout.boxes) {
        node(&mut out, drawn, bounds);
    }
    for shown in &layout.labels {
        label(&mut out, view, shown);
    }
    out.push_str("</svg>\n");
    out
}

fn open(width: f64, height: f64) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"{FAMILY}\" text-anchor=\"middle\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"{CANVAS}\"/>\n"
    )
}

fn edge(out: &mut String, view: &View<'_>, stroke: &Stroke) {
    let (colour, dashes) = theme::stroke(view.links[stroke.link].kind);
    let dashes =
        dashes.map(|pattern| format!(" stroke-dasharray=\"{pattern}\"")).unwrap_or_default();
    put(out, format_args!("<path d=\"{}\" stroke=\"{colour}\"{dashes}/>\n", stroke.path));
    if let Some(arrow) = stroke.arrow {
        let (x, y, sides) = match arrow {
            Arrow::Down(x, y) => (x, y, "l-4.5 -8q4.5 2.5 9 0z"),
            Arrow::Right(x, y) => (x, y, "l-8 -4.5q2.5 4.5 0 9z"),
        };
        put(out, format_args!("<path d=\"M{x} {y}{sides}\" fill=\"{colour}\" stroke=\"none\"/>\n"));
    }
}

fn node(out: &mut String, node: &Node, bounds: &Rect) {
    let paint = theme::paint(node.kind, node.status.as_deref());
    put(out, format_args!("<g>\n<title>{}</title>\n", text::xml(&tooltip(node))));
    shape(out, node.kind, bounds, &paint);
    match node.kind {
        NodeKind::Action => action(out, node, bounds, &paint),
        NodeKind::Start | NodeKind::End | NodeKind::Kill => pill(out, node, bounds, &paint),
        NodeKind::Decision | NodeKind::Fork | NodeKind::Join => {
            let (x, y) = bounds.centre();
            words(out, (x, y + 4.5), NAME_PX, paint.name, &shown_name(node));
        }
    }
    out.push_str("</g>\n");
}

fn tooltip(node: &Node) -> String {
    let parts = [Some(node.name.as_str()), Some(node.label.as_str()), node.status.as_deref()];
    parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

fn shape(out: &mut String, kind: NodeKind, bounds: &Rect, paint: &Paint) {
    let Rect { x, y, width, height } = *bounds;
    let colours =
        format!("fill=\"{}\" stroke=\"{}\" stroke-width=\"1.5\"", paint.fill, paint.border);
    if kind == NodeKind::Decision {
        let (middle, right, bottom) = (y + height / 2.0, bounds.right(), bounds.bottom());
        let (inner_left, inner_right) = (x + 22.0, right - 22.0);
        put(
            out,
            format_args!(
                "<path d=\"M{x} {middle}L{inner_left} {y}H{inner_right}L{right} {middle}L{inner_right} {bottom}H{inner_left}Z\" \
                 stroke-linejoin=\"round\" {colours}/>\n"
            ),
        );
        return;
    }
    let radius = match kind {
        NodeKind::Action => 8.0,
        NodeKind::Fork | NodeKind::Join => 5.0,
        NodeKind::Start | NodeKind::End | NodeKind::Kill | NodeKind::Decision => height / 2.0,
    };
    put(
        out,
        format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"{radius}\" {colours}/>\n"
        ),
    );
}

/// Name, and below it type and status with a disc in the colour of the status.
fn action(out: &mut String, node: &Node, bounds: &Rect, paint: &Paint) {
    let (x, y) = bounds.centre();
    let note = shown_note(node);
    if note.is_empty() {
        words(out, (x, y + 4.5), NAME_PX, paint.name, &shown_name(node));
        return;
    }
    words(out, (x, y - 3.5), NAME_PX, paint.name, &shown_name(node));
    let Some(colour) = theme::disc(node.status.as_deref()) else {
        words(out, (x, y + 14.5), NOTE_PX, paint.note, &note);
        return;
    };
    let left = x - text::width_px(&note, NOTE_PX) / 2.0 - 3.0;
    put(
        out,
        format_args!("<circle cx=\"{left}\" cy=\"{}\" r=\"3.5\" fill=\"{colour}\"/>\n", y + 11.0),
    );
    words(out, (x + 5.0, y + 14.5), NOTE_PX, paint.note, &note);
}

/// Name, and to its left a sign: a triangle for start, a square for end, a cross for kill.
fn pill(out: &mut String, node: &Node, bounds: &Rect, paint: &Paint) {
    let middle = bounds.centre().1;
    let x = bounds.x + 15.0;
    let colour = paint.name;
    match node.kind {
        NodeKind::Start => {
            put(
                out,
                format_args!("<path d=\"M{x} {}l9 5l-9 5z\" fill=\"{colour}\"/>\n", middle - 5.0),
            );
        }
        NodeKind::Kill => put(
            out,
            format_args!(
                "<path d=\"M{x} {}l8 8m0 -8l-8 8\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-linecap=\"round\"/>\n",
                middle - 4.0
            ),
        ),
        NodeKind::End | NodeKind::Decision | NodeKind::Fork | NodeKind::Join | NodeKind::Action => {
            let y = middle - 4.5;
            put(
                out,
                format_args!(
                    "<rect x=\"{x}\" y=\"{y}\" width=\"9\" height=\"9\" rx=\"1.5\" fill=\"{colour}\"/>\n"
                ),
            );
        }
    }
    words(out, (bounds.centre().0 + 8.0, middle + 4.5), NAME_PX, paint.name, &shown_name(node));
}

fn label(out: &mut String, view: &View<'_>, label: &Label) {
    let Rect { x, y, width, height } = label.bounds;
    let kind = view.links[label.link].kind;
    let (colour, _) = theme::stroke(kind);
    put(out, format_args!("<g>\n<title>{}</title>\n", text::xml(&kind.text().unwrap_or_default())));
    put(
        out,
        format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"4\" fill=\"{CANVAS}\" fill-opacity=\"0.92\"/>\n"
        ),
    );
    words(out, (x + width / 2.0, y + height - 4.0), LABEL_PX, colour, &label.text);
    out.push_str("</g>\n");
}

fn words(out: &mut String, (x, y): (f64, f64), size_px: f64, colour: &str, words: &str) {
    put(
        out,
        format_args!(
            "<text x=\"{x}\" y=\"{y}\" font-size=\"{size_px}\" fill=\"{colour}\">{}</text>\n",
            text::xml(words)
        ),
    );
}

fn put(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    out.write_fmt(arguments).expect("writing to a string does not fail");
}
