//! Weights of the direct algorithm, in the order in which they are read.

use super::parts::{block_ranges, part_blocks};
use crate::conv::groups::Groups;
use crate::conv::offsets::TapWeights;
use crate::layout::{Buffer, gather_strided, load_square};
use crate::simd::{ChannelBlock, Job, LANES, Simd, dispatch};
use rayon::prelude::*;
use std::ops::Range;

/// Packs weights in the order in which they are read: `[groups][parts of the sum][tiles of blocks][segments of the
/// part][16][blocks of the tile][16]`, where a segment is sixteen input channels under one tap.
pub fn pack(taps: &TapWeights, groups: Groups, packed: &mut Buffer) {
    struct Pack<'a>(&'a TapWeights<'a>, Groups, &'a mut [ChannelBlock]);
    impl Job for Pack<'_> {
        type Output = ();
        fn run<S: Simd>(self, _: S) {
            pack_for::<S>(self.0, self.1, self.2);
        }
    }
    let lanes = groups.count * groups.out_blocks * groups.in_blocks * taps.places.len() * LANES;
    packed.reserve(lanes);
    let packed = &mut packed[..lanes];
    // Padding of a block, or between joined groups, stays zero.
    let is_whole = taps.groups == groups.count
        && taps.inputs.is_multiple_of(LANES)
        && taps.outputs.is_multiple_of(LANES);
    if !is_whole {
        packed.fill([0.0; LANES]);
    }
    dispatch(Pack(taps, groups, packed));
}

fn pack_for<S: Simd>(weights: &TapWeights, groups: Groups, packed: &mut [ChannelBlock]) {
    let taps = weights.places.len();
    // Each part of each group's sum with the blocks of input channels that it has.
    let mut parts = Vec::new();
    let mut rest = packed;
    for group in 0..groups.count {
        for part in block_ranges(groups.in_blocks, part_blocks(taps)) {
            let size = groups.out_blocks * part.len() * taps * LANES;
            let (now, later) = rest.split_at_mut(size);
            parts.push((group, part, now));
            rest = later;
        }
    }
    parts.into_par_iter().for_each(|(group, part, packed)| {
        if weights.groups == groups.count {
            pack_part::<S>(weights, group, part, packed);
        } else {
            pack_joined::<S>(weights, groups, group, part, packed);
        }
    });
}

/// Packs a part of a group that fills whole blocks of its own.
fn pack_part<S: Simd>(
    weights: &TapWeights,
    group: usize,
    part: Range<usize>,
    packed: &mut [ChannelBlock],
) {
    let taps = weights.places.len();
    let values = &weights.values[group * weights.group_step..];
    let lanes = part.len() * taps * LANES;
    for (tile, packed) in packed.chunks_mut(S::BLOCKS * lanes).enumerate() {
        let blocks = packed.len() / lanes;
        for (block, first) in (0..blocks).map(|block| (block, (tile * S::BLOCKS + block) * LANES)) {
            let outputs = LANES.min(weights.outputs - first);
            for in_block in part.clone() {
                let segment = (in_block - part.start) * taps;
                let inputs = LANES.min(weights.inputs - in_block * LANES);
                if weights.in_step == 1 && outputs.min(inputs) == LANES {
                    // The rows of a matrix.
                    let values = &values[first * weights.out_step + in_block * LANES..];
                    let packed = packed[segment * LANES * blocks..].iter_mut().skip(block);
                    let columns = load_square(values, weights.out_step).into_iter();
                    packed
                        .step_by(blocks)
                        .zip(columns)
                        .for_each(|(lane, column)| *lane = column);
                    continue;
                }
                for k in 0..inputs {
                    let start = first * weights.out_step + (in_block * LANES + k) * weights.in_step;
                    for (tap, &place) in weights.places.iter().enumerate() {
                        let lane = &mut packed[((segment + tap) * LANES + k) * blocks + block];
                        let values = &values[start + place..];
                        if outputs == LANES {
                            *lane = gather_strided(values, weights.out_step);
                        } else {
                            for (value, &weight) in lane[..outputs]
                                .iter_mut()
                                .zip(values.iter().step_by(weights.out_step))
                            {
                                *value = weight;
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Packs a part of joined groups, with zeros between them.
fn pack_joined<S: Simd>(
    weights: &TapWeights,
    groups: Groups,
    group: usize,
    part: Range<usize>,
    packed: &mut [ChannelBlock],
) {
    let taps = weights.places.len();
    let (inputs, outputs) = (weights.inputs, weights.outputs);
    let lanes = part.len() * taps * LANES;
    // The input channels of the part, counted over the whole convolution.
    let first = (group * groups.in_blocks + part.start) * LANES;
    let channels = first..first + part.len() * LANES;
    for place in 0..groups.out_blocks * LANES {
        let output = group * groups.out_blocks * LANES + place;
        if output >= weights.groups * outputs {
            break;
        }
        let (block, j) = (place / LANES, place % LANES);
        let tile = block / S::BLOCKS * S::BLOCKS;
        let blocks = S::BLOCKS.min(groups.out_blocks - tile);
        let packed = &mut packed[tile * lanes..][..blocks * lanes];
        // The input channels of its own narrow group.
        let own = output / outputs * inputs;
        let start = output / outputs * weights.group_step + output % outputs * weights.out_step;
        for channel in channels.start.max(own)..channels.end.min(own + inputs) {
            let kernel = &weights.values[start + (channel - own) * weights.in_step..];
            let segment = (channel - first) / LANES * taps;
            for (tap, &place) in weights.places.iter().enumerate() {
                let lane = (segment + tap) * LANES + channel % LANES;
                packed[lane * blocks + block - tile][j] = kernel[place];
            }
        }
    }
}
