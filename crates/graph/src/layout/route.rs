//! Step four: y coordinates, curves, lanes and labels.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagram::View;
use crate::layout::layers::{Layered, Way};
use crate::layout::{Arrow, Label, Layout, Rect, Stroke, label_width_px, shown_label, size};

/// Empty border of the canvas.
const MARGIN_PX: f64 = 24.0;
/// Height of the space between two layers, before labels and lanes ask for more.
const GAP_PX: f64 = 42.0;
/// Height of a label with the space below it.
const LABEL_ROW_PX: f64 = 17.0;
const LABEL_HEIGHT_PX: f64 = 15.0;
/// Room between a label and the box below it: the arrow head.
const LABEL_CLEARANCE_PX: f64 = 12.0;
/// First lane below a layer, and distance between lanes.
const LANE_FIRST_PX: f64 = 10.0;
const LANE_PX: f64 = 8.0;
/// How far a lane leaves its box before it turns down, and the radius of its turns.
const LANE_OUT_PX: f64 = 8.0;
const TURN_PX: f64 = 6.0;
/// From the widest layer to the first lane, and from the last lane to the kill nodes.
const LANE_MARGIN_PX: f64 = 30.0;
const KILL_MARGIN_PX: f64 = 34.0;
const KILL_GAP_PX: f64 = 14.0;

/// Upper and lower edge of a layer.
#[derive(Debug, Clone, Copy)]
struct Band {
    top: f64,
    bottom: f64,
}

pub(super) fn route(view: &View<'_>, layered: &Layered, centres: &[f64]) -> Layout {
    let kills = kills(view);
    let labels = LabelRows::count(view, layered);
    let bands = bands(view, layered, &labels, &kills);
    let mut router = Router::new(view, layered, centres, bands);
    router.stand_nodes();
    let lanes = router.stand_kills(&kills);
    for (node, lane) in lanes {
        let enters = |link: &usize| view.links[*link].to == node;
        let links: Vec<usize> = (0..view.links.len()).filter(enters).collect();
        if !links.is_empty() {
            router.through_lane(&links, lane);
        }
    }
    for (link, way) in layered.ways.iter().enumerate() {
        match *way {
            Way::Items(first) => router.through_items(link, first, labels.row(link)),
            Way::Plain => router.plainly(link),
            Way::Lane => {}
        }
    }
    router.finish()
}

fn kills(view: &View<'_>) -> Vec<usize> {
    (0..view.nodes.len()).filter(|node| view.is_kill(*node)).collect()
}

/// Labels above one item stand one above the other: the row of each link's label, and how many rows a layer needs.
#[derive(Debug, Default)]
struct LabelRows {
    row: BTreeMap<usize, usize>,
    rows: BTreeMap<usize, usize>,
}

impl LabelRows {
    fn count(view: &View<'_>, layered: &Layered) -> Self {
        let mut counts = Self::default();
        let mut above_item: BTreeMap<usize, usize> = BTreeMap::new();
        for (link, way) in layered.ways.iter().enumerate() {
            let Way::Items(first) = *way else { continue };
            if view.links[link].kind.text().is_none() {
                continue;
            }
            let count = above_item.entry(first).or_insert(0);
            counts.row.insert(link, *count);
            *count += 1;
            let rows = counts.rows.entry(layered.items[first].layer).or_insert(0);
            *rows = (*rows).max(*count);
        }
        counts
    }

    fn row(&self, link: usize) -> usize {
        self.row.get(&link).copied().unwrap_or(0)
    }
}

fn bands(view: &View<'_>, layered: &Layered, labels: &LabelRows, kills: &[usize]) -> Vec<Band> {
    let lanes =
        if kills.is_empty() { 0.0 } else { LANE_FIRST_PX + LANE_PX * (kills.len() as f64 - 1.0) };
    let mut top = MARGIN_PX;
    let mut bands = Vec::with_capacity(layered.layers.len());
    for (number, layer) in layered.layers.iter().enumerate() {
        if number > 0 {
            let rows = labels.rows.get(&number).copied().unwrap_or(0) as f64;
            top += GAP_PX + lanes + rows * LABEL_ROW_PX;
        }
        let heights = layer
            .iter()
            .filter_map(|item| layered.items[*item].node)
            .map(|node| size(view.nodes[node]).1);
        let bottom = top + heights.fold(0.0, f64::max);
        bands.push(Band { top, bottom });
        top = bottom;
    }
    bands
}

/// Where the lane of a kill node runs: how far below each layer, and at which x down to the node.
#[derive(Debug, Clone, Copy)]
struct Lane {
    below_px: f64,
    x: f64,
}

#[derive(Debug)]
struct Router<'a> {
    view: &'a View<'a>,
    layered: &'a Layered,
    /// Centre of each item, moved so that the leftmost box begins at the margin.
    centres: Vec<f64>,
    bands: Vec<Band>,
    boxes: Vec<Rect>,
    /// Bends from which on the way is drawn already.
    drawn: BTreeSet<usize>,
    strokes: Vec<Stroke>,
    labels: Vec<Label>,
    width: f64,
    height: f64,
}

impl<'a> Router<'a> {
    fn new(view: &'a View<'a>, layered: &'a Layered, centres: &[f64], bands: Vec<Band>) -> Self {
        let standing = layered.layers.iter().flatten();
        let left_edges = standing.map(|item| centres[*item] - layered.items[*item].slot_px / 2.0);
        let left = left_edges.fold(f64::INFINITY, f64::min);
        let shift = if left.is_finite() { MARGIN_PX - left } else { 0.0 };
        Self {
            view,
            layered,
            centres: centres.iter().map(|centre| (centre + shift).round()).collect(),
            height: bands.last().map_or(MARGIN_PX, |band| band.bottom) + MARGIN_PX,
            bands,
            boxes: vec![Rect { x: 0.0, y: 0.0, width: 0.0, height: 0.0 }; view.nodes.len()],
            drawn: BTreeSet::new(),
            strokes: Vec::new(),
            labels: Vec::new(),
            width: 2.0 * MARGIN_PX,
        }
    }

    fn stand_nodes(&mut self) {
        for &item in self.layered.layers.iter().flatten() {
            let entry = &self.layered.items[item];
            self.width = self.width.max(self.centres[item] + entry.slot_px / 2.0 + MARGIN_PX);
            let Some(node) = entry.node else { continue };
            let (width, height) = size(self.view.nodes[node]);
            let band = self.bands[entry.layer];
            let y = f64::midpoint(band.top, band.bottom) - height / 2.0;
            self.boxes[node] = Rect { x: self.centres[item] - width / 2.0, y, width, height };
        }
    }

    /// Kill nodes in a column at the right, the last one level with the last layer; the uppermost gets the lane next
    /// to it, so that lanes do not cross on their last bit.
    fn stand_kills(&mut self, kills: &[usize]) -> BTreeMap<usize, Lane> {
        let sizes: Vec<(f64, f64)> =
            kills.iter().map(|node| size(self.view.nodes[*node])).collect();
        let stack: f64 =
            sizes.iter().map(|(_, height)| height + KILL_GAP_PX).sum::<f64>() - KILL_GAP_PX;
        let lanes_x = self.width - MARGIN_PX + LANE_MARGIN_PX;
        let x = lanes_x + LANE_PX * (kills.len() as f64 - 1.0) + KILL_MARGIN_PX;
        let mut y = (self.height - MARGIN_PX - stack).max(MARGIN_PX);
        let mut lanes = BTreeMap::new();
        for (number, (node, (width, height))) in kills.iter().zip(sizes).enumerate() {
            self.boxes[*node] = Rect { x, y, width, height };
            y += height + KILL_GAP_PX;
            self.width = self.width.max(x + width + MARGIN_PX);
            self.height = self.height.max(y - KILL_GAP_PX + MARGIN_PX);
            let below_px = LANE_FIRST_PX + LANE_PX * number as f64;
            lanes.insert(
                *node,
                Lane { below_px, x: lanes_x + LANE_PX * (kills.len() - 1 - number) as f64 },
            );
        }
        lanes
    }

    /// Draws from the source along the items until the target or until a bend that is drawn already.
    fn through_items(&mut self, link: usize, first: usize, row: usize) {
        let source = &self.boxes[self.view.links[link].from];
        let (x, y) = (source.centre().0, source.bottom());
        let mut path = format!("M{} {}", px(x), px(y));
        let (mut at, mut from) = (first, (x, y));
        let arrow = loop {
            let item = &self.layered.items[at];
            let (x, band) = (self.centres[at], self.bands[item.layer]);
            let top = item.node.map_or(band.top, |node| self.boxes[node].y);
            path.push_str(&curve(from, (x, top)));
            let Some(next) = item.next else { break Some(Arrow::Down(x, top)) };
            if !self.drawn.insert(at) {
                break None;
            }
            path.push_str(&line((x, band.bottom)));
            (at, from) = (next, (x, band.bottom));
        };
        self.strokes.push(Stroke { link, path, arrow });
        self.label_above(link, first, row);
    }

    fn label_above(&mut self, link: usize, item: usize, row: usize) {
        let Some(text) = self.view.links[link].kind.text() else { return };
        let entry = &self.layered.items[item];
        let top = entry.node.map_or(self.bands[entry.layer].top, |node| self.boxes[node].y);
        let width = label_width_px(&text);
        let y = top - LABEL_CLEARANCE_PX - LABEL_HEIGHT_PX - LABEL_ROW_PX * row as f64;
        let bounds =
            Rect { x: self.centres[item] - width / 2.0, y, width, height: LABEL_HEIGHT_PX };
        self.labels.push(Label { link, bounds, text: shown_label(&text) });
    }

    /// All edges into one kill node: out of the right side of each source, down below its layer, to the right until
    /// the next source of the same layer or the lane; then the lane, once.
    fn through_lane(&mut self, links: &[usize], lane: Lane) {
        let kill = self.boxes[self.view.links[links[0]].to];
        let mut ends = Vec::with_capacity(links.len());
        let mut rightmost: BTreeMap<usize, f64> = BTreeMap::new();
        for link in self.rightmost_first(links) {
            let source = self.view.links[link].from;
            let (layer, from) = (self.layered.items[source].layer, self.boxes[source]);
            let (out, below) =
                (from.right() + LANE_OUT_PX, self.bands[layer].bottom + lane.below_px);
            let until = rightmost.insert(layer, out).unwrap_or(lane.x);
            let start = (from.right(), from.centre().1);
            let path = rounded(start, &[(out, start.1), (out, below), (until, below)]);
            self.strokes.push(Stroke { link, path, arrow: None });
            self.label_on_lane(link, (out, below));
            self.height = self.height.max(below + MARGIN_PX);
            ends.push(below);
        }
        self.lane(links[0], &ends, lane, &kill);
    }

    fn rightmost_first(&self, links: &[usize]) -> Vec<usize> {
        let mut sorted = links.to_vec();
        let right = |link: &usize| self.boxes[self.view.links[*link].from].right();
        sorted.sort_by(|left, other| right(other).total_cmp(&right(left)));
        sorted
    }

    /// From the first source down into the kill node, and up into it where sources stand below.
    fn lane(&mut self, link: usize, ends: &[f64], lane: Lane, kill: &Rect) {
        let (first, last) = ends
            .iter()
            .fold((f64::INFINITY, 0.0_f64), |(first, last), end| (first.min(*end), last.max(*end)));
        let entry = [(lane.x, kill.centre().1), (kill.x, kill.centre().1)];
        let arrow = Some(Arrow::Right(kill.x, kill.centre().1));
        if first <= kill.centre().1 {
            self.strokes.push(Stroke { link, path: rounded((lane.x, first), &entry), arrow });
        }
        if last > kill.centre().1 {
            self.strokes.push(Stroke { link, path: rounded((lane.x, last), &entry), arrow });
        }
    }

    fn label_on_lane(&mut self, link: usize, (x, y): (f64, f64)) {
        let Some(text) = self.view.links[link].kind.text() else { return };
        let bounds = Rect {
            x: x + TURN_PX,
            y: y - LABEL_HEIGHT_PX / 2.0,
            width: label_width_px(&text),
            height: LABEL_HEIGHT_PX,
        };
        self.width = self.width.max(bounds.right() + MARGIN_PX);
        self.labels.push(Label { link, bounds, text: shown_label(&text) });
    }

    fn plainly(&mut self, link: usize) {
        let source = self.boxes[self.view.links[link].from];
        let target = self.boxes[self.view.links[link].to];
        let from = (source.centre().0, source.bottom());
        let to = (target.centre().0, target.y);
        let path = format!("M{} {}{}", px(from.0), px(from.1), curve(from, to));
        self.strokes.push(Stroke { link, path, arrow: Some(Arrow::Down(to.0, to.1)) });
    }

    fn finish(self) -> Layout {
        Layout {
            width: self.width.ceil(),
            height: self.height.ceil(),
            boxes: self.boxes,
            strokes: self.strokes,
            labels: self.labels,
        }
    }
}

/// A number of pixels, to a tenth.
fn px(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn line((x, y): (f64, f64)) -> String {
    format!("L{} {}", px(x), px(y))
}

/// A curve that leaves and arrives vertically.
fn curve(from: (f64, f64), to: (f64, f64)) -> String {
    if (from.0 - to.0).abs() < 1.5 {
        return line(to);
    }
    let middle = f64::midpoint(from.1, to.1);
    format!("C{} {} {} {} {} {}", px(from.0), px(middle), px(to.0), px(middle), px(to.0), px(to.1))
}

fn turn(corner: (f64, f64), leave: (f64, f64)) -> String {
    format!("Q{} {} {} {}", px(corner.0), px(corner.1), px(leave.0), px(leave.1))
}

/// Straight lines through the corners with rounded turns.
fn rounded(from: (f64, f64), corners: &[(f64, f64)]) -> String {
    let mut path = format!("M{} {}", px(from.0), px(from.1));
    let mut before = from;
    for pair in corners.windows(2) {
        let (corner, after) = (pair[0], pair[1]);
        let (enter, leave) = (towards(corner, before), towards(corner, after));
        path.push_str(&line(enter));
        path.push_str(&turn(corner, leave));
        before = corner;
    }
    path.push_str(&corners.last().map_or_else(String::new, |last| line(*last)));
    path
}

/// The point at the turn's radius from the corner, or half way where the side is short.
fn towards(corner: (f64, f64), other: (f64, f64)) -> (f64, f64) {
    let (across, down) = (other.0 - corner.0, other.1 - corner.1);
    let length = across.hypot(down);
    if length == 0.0 {
        return corner;
    }
    let part = (TURN_PX / length).min(0.5);
    (corner.0 + across * part, corner.1 + down * part)
}
