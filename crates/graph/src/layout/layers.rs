//! Step one: layers, and the items that stand in them.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagram::{EdgeKind, View};
use crate::layout::{label_width_px, ranks, size};

/// Most bends of all edges together: it bounds time and output for tangled definitions, about 25 for each of
/// the 2 000 nodes. An edge beyond it is drawn as one plain curve.
const BENDS_MAX: usize = 50_000;
/// Room a bend takes in its layer, in pixels.
const BEND_WIDTH_PX: f64 = 4.0;

/// Something that takes room in a layer: a node, or the bend of a long edge.
#[derive(Debug)]
pub(super) struct Item {
    /// Index into the view's nodes; none for a bend.
    pub(super) node: Option<usize>,
    pub(super) layer: usize,
    /// Width of what must not touch its neighbours: the box or its label, whichever is wider.
    pub(super) slot_px: f64,
    /// Where the edge goes on from a bend.
    pub(super) next: Option<usize>,
}

/// How a link is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Through items, from the source to this first one and on by `next`.
    Items(usize),
    /// In the lane of a kill node.
    Lane,
    /// As one curve: it goes backwards, or the bends are used up.
    Plain,
}

/// Items in layers; the first items are the view's nodes, kill nodes included, which stand in no layer.
#[derive(Debug)]
pub(super) struct Layered {
    pub(super) items: Vec<Item>,
    pub(super) layers: Vec<Vec<usize>>,
    /// For each item, its neighbours in the layer above and in the layer below.
    pub(super) above: Vec<Vec<usize>>,
    pub(super) below: Vec<Vec<usize>>,
    /// Pairs (upper item, lower item) that only errors go through: the usual way is straightened first.
    pub(super) errors: BTreeSet<(usize, usize)>,
    /// For each link of the view.
    pub(super) ways: Vec<Way>,
}

pub(super) fn layered(view: &View<'_>) -> Layered {
    let forward = ranks::forward_links(view);
    let ranks = ranks::ranks(view, &forward);
    let mut builder = Builder::new(view, &ranks);
    let mut ways = Vec::with_capacity(view.links.len());
    for (link, is_forward) in forward.iter().enumerate() {
        ways.push(match is_forward {
            _ if view.is_kill(view.links[link].to) => Way::Lane,
            true => builder.way(link),
            false => Way::Plain,
        });
    }
    builder.finish(ways)
}

/// Edges that may share bends: those into one node, errors apart from the rest; an edge with a label has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Chain {
    Shared { to: usize, is_error: bool },
    Own { link: usize },
}

impl Chain {
    fn is_error(self) -> bool {
        matches!(self, Self::Shared { is_error: true, .. })
    }
}

#[derive(Debug)]
struct Builder<'a> {
    view: &'a View<'a>,
    items: Vec<Item>,
    /// Pairs (upper item, lower item), and whether the pair belongs to an error.
    segments: Vec<(usize, usize, bool)>,
    /// The bends of each chain, by layer.
    bends: BTreeMap<(Chain, usize), usize>,
}

impl<'a> Builder<'a> {
    fn new(view: &'a View<'a>, ranks: &[usize]) -> Self {
        let slot = |node: usize| size(view.nodes[node]).0;
        let item = |(node, layer): (usize, &usize)| Item {
            node: Some(node),
            layer: *layer,
            slot_px: slot(node),
            next: None,
        };
        let items = ranks.iter().enumerate().map(item).collect();
        Self { view, items, segments: Vec::new(), bends: BTreeMap::new() }
    }

    /// Makes the bends that the link needs, from its target upwards until it meets those that are there.
    fn way(&mut self, link: usize) -> Way {
        let (from, to) = (self.view.links[link].from, self.view.links[link].to);
        let chain = self.chain(link);
        let missing = |layer: &usize| !self.bends.contains_key(&(chain, *layer));
        let (upper, lower) = (self.items[from].layer + 1, self.items[to].layer);
        let new = (upper..lower).filter(missing).count();
        if self.bends.len() + new > BENDS_MAX {
            return Way::Plain;
        }
        let first = (upper..lower).rev().fold(to, |next, layer| self.bend(chain, layer, next));
        self.segments.push((from, first, chain.is_error()));
        self.make_room_for_label(link, first);
        Way::Items(first)
    }

    fn chain(&self, link: usize) -> Chain {
        let to = self.view.links[link].to;
        match self.view.links[link].kind {
            EdgeKind::Ok | EdgeKind::Path => Chain::Shared { to, is_error: false },
            EdgeKind::Error => Chain::Shared { to, is_error: true },
            EdgeKind::Case(_) | EdgeKind::Default => Chain::Own { link },
        }
    }

    fn bend(&mut self, chain: Chain, layer: usize, next: usize) -> usize {
        if let Some(there) = self.bends.get(&(chain, layer)) {
            return *there;
        }
        let bend = self.items.len();
        self.items.push(Item { node: None, layer, slot_px: BEND_WIDTH_PX, next: Some(next) });
        self.segments.push((bend, next, chain.is_error()));
        self.bends.insert((chain, layer), bend);
        bend
    }

    /// The label stands above the first item on the way, so that item must be as wide.
    fn make_room_for_label(&mut self, link: usize, first: usize) {
        if let Some(label) = self.view.links[link].kind.text() {
            let slot_px = &mut self.items[first].slot_px;
            *slot_px = slot_px.max(label_width_px(&label));
        }
    }

    fn finish(self, ways: Vec<Way>) -> Layered {
        let depth = self.items.iter().map(|item| item.layer + 1).max().unwrap_or(0);
        let mut layers = vec![Vec::new(); depth];
        for (position, item) in self.items.iter().enumerate() {
            if item.node.is_none_or(|node| !self.view.is_kill(node)) {
                layers[item.layer].push(position);
            }
        }
        let mut above = vec![Vec::new(); self.items.len()];
        let mut below = above.clone();
        let mut errors = BTreeSet::new();
        for (upper, lower, is_error) in self.segments {
            below[upper].push(lower);
            above[lower].push(upper);
            if is_error {
                errors.insert((upper, lower));
            }
        }
        Layered { items: self.items, layers, above, below, errors, ways }
    }
}
