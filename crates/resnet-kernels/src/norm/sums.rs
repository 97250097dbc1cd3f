//! Sums over the pixels of blocks, in a fixed order.

use crate::simd::{ChannelBlock, LANES, Simd};
use std::ops::Range;

/// Number of pixels that are summed in f32.
const GROUP: usize = 64;
/// Number of pixels per task.
pub(super) const CHUNK: usize = 4096;

/// One number for each channel of a block.
pub type Wide = [f64; LANES];

/// Returns the sums of two terms over `count` pixels.
#[inline(always)]
pub(super) fn sums_of<S: Simd>(
    simd: S,
    count: usize,
    mut terms: impl FnMut(usize) -> [S::V; 2],
) -> [Wide; 2] {
    /// Number of independent sums: a single chain of additions would be bound by its latency.
    const CHAINS: usize = 4;
    let mut totals = [[0.0; LANES]; 2];
    for start in (0..count).step_by(GROUP) {
        let mut chains = [[simd.splat(0.0); 2]; CHAINS];
        let group = start..(start + GROUP).min(count);
        let whole = group.len() / CHAINS * CHAINS;
        for pixel in (start..start + whole).step_by(CHAINS) {
            for (i, chain) in chains.iter_mut().enumerate() {
                let terms = terms(pixel + i);
                *chain = [simd.add(chain[0], terms[0]), simd.add(chain[1], terms[1])];
            }
        }
        for pixel in start + whole..group.end {
            let terms = terms(pixel);
            chains[0] = [
                simd.add(chains[0][0], terms[0]),
                simd.add(chains[0][1], terms[1]),
            ];
        }
        for (i, total) in totals.iter_mut().enumerate() {
            let pairs = [
                simd.add(chains[0][i], chains[1][i]),
                simd.add(chains[2][i], chains[3][i]),
            ];
            let mut lane = [0.0; LANES];
            simd.store(&mut lane, simd.add(pairs[0], pairs[1]));
            for (total, &value) in total.iter_mut().zip(&lane) {
                *total += f64::from(value);
            }
        }
    }
    totals
}

/// Returns the sum of all partial sums, in order.
pub(super) fn total(sums: &[[Wide; 2]]) -> [Wide; 2] {
    let mut totals = [[0.0; LANES]; 2];
    for sums in sums {
        for (total, sums) in totals.iter_mut().zip(sums) {
            for (total, &sum) in total.iter_mut().zip(sums) {
                *total += sum;
            }
        }
    }
    totals
}

/// Returns the pieces of blocks of `pixels` pixels: the block of each piece, and its pixels within the block.
pub(super) fn pieces(blocks: usize, pixels: usize) -> Vec<(usize, Range<usize>)> {
    let of_block = move |block| {
        let starts = (0..pixels).step_by(CHUNK);
        starts.map(move |start| (block, start..(start + CHUNK).min(pixels)))
    };
    (0..blocks).flat_map(of_block).collect()
}

/// Returns the same pieces with their values.
pub(super) fn split(
    values: &mut [ChannelBlock],
    pixels: usize,
) -> Vec<(usize, Range<usize>, &mut [ChannelBlock])> {
    let mut rest = values;
    let pieces = pieces(rest.len() / pixels, pixels).into_iter();
    pieces
        .map(|(block, piece)| {
            let (now, later) = std::mem::take(&mut rest).split_at_mut(piece.len());
            rest = later;
            (block, piece, now)
        })
        .collect()
}
