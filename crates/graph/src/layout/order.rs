//! Step two: who stands left of whom.
//!
//! The first order is that of a walk from the top in the order of the definition; sweeps down and up then sort each
//! layer by the middle of the neighbours, and the order with the fewest crossings is kept.

use crate::layout::layers::Layered;

/// Sweeps over a picture; more change little.
const SWEEPS_MAX: usize = 12;
/// Items above which a few sweeps must do, to keep large pictures within about a second.
const ITEMS_FOR_ALL_SWEEPS: usize = 20_000;
const SWEEPS_OF_LARGE: usize = 4;

pub(super) fn reduce_crossings(layered: &mut Layered) {
    first_order(layered);
    let sweeps =
        if layered.items.len() > ITEMS_FOR_ALL_SWEEPS { SWEEPS_OF_LARGE } else { SWEEPS_MAX };
    let mut best = (crossings(layered), layered.layers.clone());
    for sweep in 0..sweeps {
        if best.0 == 0 {
            break;
        }
        sort_layers(layered, sweep % 2 == 0);
        let count = crossings(layered);
        if count < best.0 {
            best = (count, layered.layers.clone());
        }
    }
    layered.layers = best.1;
}

fn first_order(layered: &mut Layered) {
    let mut seen = vec![false; layered.items.len()];
    let mut layers = vec![Vec::new(); layered.layers.len()];
    for root in layered.layers.concat() {
        let mut stack = vec![root];
        while let Some(item) = stack.pop() {
            if std::mem::replace(&mut seen[item], true) {
                continue;
            }
            layers[layered.items[item].layer].push(item);
            stack.extend(layered.below[item].iter().rev());
        }
    }
    layered.layers = layers;
}

fn sort_layers(layered: &mut Layered, downwards: bool) {
    let depth = layered.layers.len();
    let mut positions = positions(layered);
    for step in 1..depth {
        let layer = if downwards { step } else { depth - 1 - step };
        let neighbours = if downwards { &layered.above } else { &layered.below };
        let mut keyed: Vec<(f64, usize)> = layered.layers[layer]
            .iter()
            .map(|&item| {
                (middle(&neighbours[item], &positions).unwrap_or(positions[item] as f64), item)
            })
            .collect();
        keyed.sort_by(|left, right| left.0.total_cmp(&right.0));
        for (position, (_, item)) in keyed.iter().enumerate() {
            positions[*item] = position;
        }
        layered.layers[layer] = keyed.into_iter().map(|(_, item)| item).collect();
    }
}

fn middle(neighbours: &[usize], positions: &[usize]) -> Option<f64> {
    let sum: usize = neighbours.iter().map(|item| positions[*item]).sum();
    (!neighbours.is_empty()).then(|| sum as f64 / neighbours.len() as f64)
}

fn positions(layered: &Layered) -> Vec<usize> {
    let mut positions = vec![0; layered.items.len()];
    for layer in &layered.layers {
        for (position, item) in layer.iter().enumerate() {
            positions[*item] = position;
        }
    }
    positions
}

/// Number of pairs of segments that cross, over all pairs of neighbouring layers.
fn crossings(layered: &Layered) -> u64 {
    let positions = positions(layered);
    layered
        .layers
        .windows(2)
        .map(|pair| crossings_between(layered, &pair[0], pair[1].len(), &positions))
        .sum()
}

/// Counts inversions with a tree of partial sums: segments from left to right above, how many seen before end
/// further right below.
fn crossings_between(
    layered: &Layered,
    upper: &[usize],
    lower_len: usize,
    positions: &[usize],
) -> u64 {
    let mut sums = vec![0_u64; lower_len + 1];
    let (mut seen, mut count) = (0, 0);
    for item in upper {
        let mut ends: Vec<usize> =
            layered.below[*item].iter().map(|lower| positions[*lower]).collect();
        ends.sort_unstable();
        for end in &ends {
            count += seen - up_to(&sums, *end);
        }
        for end in ends {
            add(&mut sums, end);
            seen += 1;
        }
    }
    count
}

fn up_to(sums: &[u64], position: usize) -> u64 {
    let mut at = position + 1;
    let mut total = 0;
    while at > 0 {
        total += sums[at];
        at &= at - 1;
    }
    total
}

fn add(sums: &mut [u64], position: usize) {
    let mut at = position + 1;
    while at < sums.len() {
        sums[at] += 1;
        at += at & at.wrapping_neg();
    }
}
