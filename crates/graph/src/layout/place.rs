//! Step three: x coordinates, by the method of Brandes and Köpf (Fast and Simple Horizontal Coordinate Assignment, 2001).
//!
//! Items are strung into vertical blocks, each with the middle one of its neighbours; the bends of one edge always stay
//! in one block, so that long edges are straight. Blocks are then pushed together as far as the widths allow. That is
//! done four times, towards each corner of the picture, and every item stands between the two middle results.

use std::collections::BTreeSet;

use crate::layout::layers::{Item, Layered};

/// Distances between neighbours of a layer in pixels.
const NODE_GAP_PX: f64 = 36.0;
const BEND_GAP_PX: f64 = 20.0;

/// The centre of every item, in pixels; items that stand in no layer have 0.
pub(super) fn centres(layered: &Layered) -> Vec<f64> {
    let conflicts = conflicts(layered);
    let corners = [(true, true), (true, false), (false, true), (false, false)];
    let mut results = corners.map(|(downwards, leftwards)| {
        let layers = turned(layered, downwards, leftwards);
        let neighbours = if downwards { &layered.above } else { &layered.below };
        let blocks = Blocks::string(layered, &layers, neighbours, &conflicts);
        let mut places = blocks.push_together(layered, &layers);
        if !leftwards {
            places.iter_mut().for_each(|place| *place = -*place);
        }
        places
    });
    align(layered, &mut results, corners);
    (0..layered.items.len())
        .map(|item| between_middle(results.each_ref().map(|places| places[item])))
        .collect()
}

/// The layers as seen from another corner.
fn turned(layered: &Layered, downwards: bool, leftwards: bool) -> Vec<Vec<usize>> {
    let mut layers = layered.layers.clone();
    if !downwards {
        layers.reverse();
    }
    if !leftwards {
        layers.iter_mut().for_each(|layer| layer.reverse());
    }
    layers
}

/// The bend above a bend, on the same edge.
fn bend_above(layered: &Layered, item: usize) -> Option<usize> {
    let is_bend = |item: &usize| layered.items[*item].node.is_none();
    if is_bend(&item) { layered.above[item].iter().copied().find(is_bend) } else { None }
}

/// Segments (upper, lower) that cross a segment between two bends: they must not be made straight, for that one is.
fn conflicts(layered: &Layered) -> BTreeSet<(usize, usize)> {
    let mut positions = vec![0; layered.items.len()];
    for (position, item) in layered.layers.iter().flat_map(|layer| layer.iter().enumerate()) {
        positions[*item] = position;
    }
    let mut conflicts = BTreeSet::new();
    for layer in layered.layers.iter().skip(1) {
        let (mut left, mut scanned) = (0, 0);
        for (position, &item) in layer.iter().enumerate() {
            let inner = bend_above(layered, item);
            let is_last = position + 1 == layer.len();
            if inner.is_none() && !is_last {
                continue;
            }
            let right = inner.map_or(usize::MAX, |bend| positions[bend]);
            for &lower in &layer[scanned..=position] {
                let crossing = |upper: &&usize| !(left..=right).contains(&positions[**upper]);
                let uppers = layered.above[lower].iter().filter(crossing);
                conflicts.extend(uppers.map(|upper| (*upper, lower)));
            }
            (left, scanned) = (right, position + 1);
        }
    }
    conflicts
}

/// Items strung together: for each item the first of its block.
struct Blocks {
    root: Vec<usize>,
}

impl Blocks {
    fn string(
        layered: &Layered,
        layers: &[Vec<usize>],
        neighbours: &[Vec<usize>],
        conflicts: &BTreeSet<(usize, usize)>,
    ) -> Self {
        let mut positions = vec![0; layered.items.len()];
        for (position, item) in layers.iter().flat_map(|layer| layer.iter().enumerate()) {
            positions[*item] = position;
        }
        let mut root: Vec<usize> = (0..layered.items.len()).collect();
        let mut is_taken = vec![false; layered.items.len()];
        for layer in layers {
            let mut free_from = 0;
            for &item in layer {
                for other in middle_ones(layered, item, &neighbours[item], &positions) {
                    let is_conflict =
                        conflicts.contains(&(other, item)) || conflicts.contains(&(item, other));
                    if positions[other] >= free_from && !is_taken[other] && !is_conflict {
                        is_taken[other] = true;
                        root[item] = root[other];
                        free_from = positions[other] + 1;
                        break;
                    }
                }
            }
        }
        Self { root }
    }

    /// Every block as far left as its left neighbours let it; then those that have none go right, towards what they
    /// stand beside.
    fn push_together(&self, layered: &Layered, layers: &[Vec<usize>]) -> Vec<f64> {
        let count = layered.items.len();
        let (mut right_of, mut left_of) = (vec![Vec::new(); count], vec![Vec::new(); count]);
        for pair in layers.iter().flat_map(|layer| layer.windows(2)) {
            let distance = distance(&layered.items[pair[0]], &layered.items[pair[1]]);
            let (left, right) = (self.root[pair[0]], self.root[pair[1]]);
            right_of[left].push((right, distance));
            left_of[right].push((left, distance));
        }
        let order = sorted(&right_of, &left_of);
        let mut places = vec![0.0_f64; count];
        for &block in &order {
            places[block] = left_of[block]
                .iter()
                .map(|(left, distance)| places[*left] + distance)
                .fold(0.0, f64::max);
        }
        for &block in order.iter().rev() {
            if !left_of[block].is_empty() {
                continue;
            }
            let room = right_of[block].iter().map(|(right, distance)| places[*right] - distance);
            let room = room.fold(f64::INFINITY, f64::min);
            if room.is_finite() {
                places[block] = places[block].max(room);
            }
        }
        self.root.iter().map(|root| places[*root]).collect()
    }
}

/// The one or two neighbours in the middle, errors only where there is nothing else; of a bend, the bend on the same edge.
fn middle_ones(
    layered: &Layered,
    item: usize,
    neighbours: &[usize],
    positions: &[usize],
) -> Vec<usize> {
    let is_bend = |item: &usize| layered.items[*item].node.is_none();
    if let Some(bend) = neighbours.iter().copied().find(|other| is_bend(&item) && is_bend(other)) {
        return vec![bend];
    }
    let is_error = |other: &usize| {
        layered.errors.contains(&(item, *other)) || layered.errors.contains(&(*other, item))
    };
    let mut sorted: Vec<usize> =
        neighbours.iter().copied().filter(|other| !is_error(other)).collect();
    if sorted.is_empty() {
        sorted = neighbours.to_vec();
    }
    sorted.sort_unstable_by_key(|other| positions[*other]);
    let Some(last) = sorted.len().checked_sub(1) else { return sorted };
    sorted.drain(last / 2..=last.div_ceil(2)).collect()
}

/// Blocks from left to right; blocks never stand in a circle, because no two of them cross.
fn sorted(right_of: &[Vec<(usize, f64)>], left_of: &[Vec<(usize, f64)>]) -> Vec<usize> {
    let mut waiting_for: Vec<usize> = left_of.iter().map(Vec::len).collect();
    let mut order: Vec<usize> =
        (0..right_of.len()).filter(|block| waiting_for[*block] == 0).collect();
    let mut next = 0;
    while let Some(&block) = order.get(next) {
        next += 1;
        for (right, _) in &right_of[block] {
            waiting_for[*right] -= 1;
            if waiting_for[*right] == 0 {
                order.push(*right);
            }
        }
    }
    order
}

/// Moves the four results so that those towards the left begin where the narrowest begins, the others end where it ends.
fn align(layered: &Layered, results: &mut [Vec<f64>; 4], corners: [(bool, bool); 4]) {
    let spans = results.each_ref().map(|places| span(layered, places));
    let narrowest = spans
        .iter()
        .copied()
        .min_by(|left, right| (left.1 - left.0).total_cmp(&(right.1 - right.0)));
    let Some(narrowest) = narrowest.filter(|(left, _)| left.is_finite()) else { return };
    for ((places, span), (_, leftwards)) in results.iter_mut().zip(spans).zip(corners) {
        let shift = if leftwards { narrowest.0 - span.0 } else { narrowest.1 - span.1 };
        places.iter_mut().for_each(|place| *place += shift);
    }
}

/// Left and right edge of everything that stands in a layer.
fn span(layered: &Layered, places: &[f64]) -> (f64, f64) {
    layered.layers.iter().flatten().fold(
        (f64::INFINITY, f64::NEG_INFINITY),
        |(left, right), &item| {
            let half = layered.items[item].slot_px / 2.0;
            (left.min(places[item] - half), right.max(places[item] + half))
        },
    )
}

fn between_middle(mut places: [f64; 4]) -> f64 {
    places.sort_by(f64::total_cmp);
    f64::midpoint(places[1], places[2])
}

fn distance(left: &Item, right: &Item) -> f64 {
    let both_nodes = left.node.is_some() && right.node.is_some();
    let gap = if both_nodes { NODE_GAP_PX } else { BEND_GAP_PX };
    f64::midpoint(left.slot_px, right.slot_px) + gap
}
