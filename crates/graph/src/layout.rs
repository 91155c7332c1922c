//! Where everything stands: a layered layout, top to bottom, in four steps that each have a file.
//!
//! 1. `layers`: every node gets a layer, the length of the longest way to it; an edge over several layers gets a
//!    bend in each layer between, and edges into the same node share their bends.
//! 2. `order`: within a layer, items are sorted by the middle of their neighbours, a few sweeps down and up; the
//!    order with the fewest crossings wins.
//! 3. `place`: x coordinates, as near to the neighbours as the boxes allow.
//! 4. `route`: y coordinates, curves, labels.
//!
//! Kill nodes take no part in 1 to 3. They stand in a column at the right, and the edges to one of them run together
//! in one lane: a workflow in which a hundred actions may fail has one red line, not a hundred.
//!
//! Invariants: no two boxes overlap, everything is inside the canvas, and the result depends on the input alone.

mod layers;
mod order;
mod place;
mod ranks;
mod route;

use crate::diagram::{Node, NodeKind, View};
use crate::text;

/// Font sizes in pixels.
pub(crate) const NAME_PX: f64 = 13.0;
pub(crate) const NOTE_PX: f64 = 10.5;
pub(crate) const LABEL_PX: f64 = 10.0;
/// Longest texts in characters, so that one name does not make the picture unreadable; the whole text is in the tooltip.
const NAME_CHARS_MAX: usize = 34;
const NOTE_CHARS_MAX: usize = 40;
const LABEL_CHARS_MAX: usize = 30;

/// A box on the canvas, in pixels from the upper left corner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rect {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Rect {
    pub(crate) fn right(&self) -> f64 {
        self.x + self.width
    }

    pub(crate) fn bottom(&self) -> f64 {
        self.y + self.height
    }

    pub(crate) fn centre(&self) -> (f64, f64) {
        (self.x + self.width / 2.0, self.y + self.height / 2.0)
    }
}

/// A line that is drawn for an edge, or for what an edge does not share with edges drawn before.
#[derive(Debug)]
pub(crate) struct Stroke {
    /// Which link of the view gives colour and dashes.
    pub(crate) link: usize,
    /// SVG path data.
    pub(crate) path: String,
    /// Tip and direction of the arrow head.
    pub(crate) arrow: Option<Arrow>,
}

/// An arrow head.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Arrow {
    Down(f64, f64),
    Right(f64, f64),
}

/// Text beside an edge, centred in its box.
#[derive(Debug)]
pub(crate) struct Label {
    pub(crate) link: usize,
    pub(crate) bounds: Rect,
    pub(crate) text: String,
}

/// The finished layout; `boxes` are in the order of the view's nodes.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) boxes: Vec<Rect>,
    pub(crate) strokes: Vec<Stroke>,
    pub(crate) labels: Vec<Label>,
}

impl Layout {
    pub(crate) fn of(view: &View<'_>) -> Self {
        let mut layered = layers::layered(view);
        order::reduce_crossings(&mut layered);
        let centres = place::centres(&layered);
        route::route(view, &layered, &centres)
    }
}

/// The name as it is shown: the start node is called `:start:` in Oozie's tables.
pub(crate) fn shown_name(node: &Node) -> String {
    text::cut(node.name.trim_matches(':'), NAME_CHARS_MAX).into_owned()
}

/// The second line of an action.
pub(crate) fn shown_note(node: &Node) -> String {
    let parts =
        [Some(node.label.as_str()).filter(|label| !label.is_empty()), node.status.as_deref()];
    let line = parts.into_iter().flatten().collect::<Vec<_>>().join(" · ");
    text::cut(&line, NOTE_CHARS_MAX).into_owned()
}

pub(crate) fn shown_label(label: &str) -> String {
    text::cut(label, LABEL_CHARS_MAX).into_owned()
}

/// Width of a label with the room around it, in pixels.
fn label_width_px(label: &str) -> f64 {
    text::width_px(&shown_label(label), LABEL_PX) + 10.0
}

/// Width and height of a node's box in pixels.
fn size(node: &Node) -> (f64, f64) {
    let name = text::width_px(&shown_name(node), NAME_PX);
    let note = text::width_px(&shown_note(node), NOTE_PX);
    let disc = if node.status.is_some() { 14.0 } else { 0.0 };
    let (width, height): (f64, f64) = match node.kind {
        NodeKind::Action => (name.max(note + disc).max(72.0) + 36.0, 50.0),
        NodeKind::Decision => (name.max(60.0) + 64.0, 44.0),
        NodeKind::Fork | NodeKind::Join => (name.max(120.0) + 40.0, 24.0),
        NodeKind::Start | NodeKind::End | NodeKind::Kill => (name + 54.0, 32.0),
    };
    (width.ceil(), height)
}

#[cfg(test)]
mod tests;
