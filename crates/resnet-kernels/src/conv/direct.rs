//! Convolution as one product over input channels and taps, for any kernel, stride, padding, dilation and groups.
//!
//! - `y[o, p] = sum over blocks of input channels, taps and sixteen channels of w[o, q] x[q, p]`.
//! - A 1x1 kernel of stride 1 reads the input in place. Otherwise the inputs of the taps are gathered first, for
//!   several pixels and one block of input channels at a time; moving a vector costs one of the `C_out / 16` products
//!   with it.
//! - One part of the sums, over 128 input channels or the taps of one block, is computed for all pixels of a task
//!   before the next part continues from it, so that the weights of the part are read from the L1 cache.
//! - Anatomy of High-Performance Deep Learning Convolutions on SIMD Architectures, <https://arxiv.org/abs/1808.05567>.

use super::super::aligned::Lanes;
use super::super::blocked::transposed;
use super::super::simd::{Job, LANES, Lane, Simd, dispatch};
use super::super::tile::{Ending, Factors, Held, Place, compute, share, tiles};
use super::groups::Groups;
use super::scratch::with_scratch;
use super::view::{Taps, View};
use super::{gather, tasks};
use rayon::prelude::*;
use std::ops::Range;

/// Number of blocks of input channels that a 1x1 kernel sums at once.
const PART: usize = 8;
/// Number of output pixels per task: with one part of their inputs they stay in a core's L2 cache.
const CHUNK: usize = 196;

/// Packs weights in the order in which they are read: `[groups][parts of the sum][tiles of blocks][segments of the
/// part][16][blocks of the tile][16]`, where a segment is sixteen input channels under one tap.
pub fn pack(taps: &Taps, groups: Groups, packed: &mut Lanes) {
    struct Pack<'a>(&'a Taps<'a>, Groups, &'a mut [Lane]);
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

fn pack_for<S: Simd>(weights: &Taps, groups: Groups, packed: &mut [Lane]) {
    let taps = weights.places.len();
    // Each part of each group's sum with the blocks of input channels that it has.
    let mut parts = Vec::new();
    let mut rest = packed;
    for group in 0..groups.count {
        for part in self::parts(groups.in_blocks, part_blocks(taps)) {
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
fn pack_part<S: Simd>(weights: &Taps, group: usize, part: Range<usize>, packed: &mut [Lane]) {
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
                    let columns = square(values, weights.out_step).into_iter();
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
                            *lane = strided(values, weights.out_step);
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

/// Returns the columns of a square of sixteen rows, `step` values apart.
fn square(values: &[f32], step: usize) -> [Lane; LANES] {
    let mut rows = [[0.0; LANES]; LANES];
    for (row, values) in rows.iter_mut().zip(values.chunks(step)) {
        row.copy_from_slice(&values[..LANES]);
    }
    transposed(&rows)
}

/// Returns every `step`-th value.
#[inline(always)]
pub(super) fn strided(values: &[f32], step: usize) -> Lane {
    if let (1, Some(lane)) = (step, values.first_chunk()) {
        return *lane;
    }
    // One bounds check for all sixteen.
    let values = &values[..=(LANES - 1) * step];
    std::array::from_fn(|j| values[j * step])
}

/// Packs a part of joined groups, with zeros between them.
fn pack_joined<S: Simd>(
    weights: &Taps,
    groups: Groups,
    group: usize,
    part: Range<usize>,
    packed: &mut [Lane],
) {
    let taps = weights.places.len();
    let (inputs, outputs) = (weights.inputs, weights.outputs);
    let lanes = part.len() * taps * LANES;
    // The input channels of the part, counted over the whole convolution.
    let first = (group * groups.in_blocks + part.start) * LANES;
    let seen = first..first + part.len() * LANES;
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
        for channel in seen.start.max(own)..seen.end.min(own + inputs) {
            let kernel = &weights.values[start + (channel - own) * weights.in_step..];
            let segment = (channel - first) / LANES * taps;
            for (tap, &place) in weights.places.iter().enumerate() {
                let lane = (segment + tap) * LANES + channel % LANES;
                packed[lane * blocks + block - tile][j] = kernel[place];
            }
        }
    }
}

/// Returns the number of blocks of input channels that are summed at once.
fn part_blocks(taps: usize) -> usize {
    (PART / taps.max(1)).max(1)
}

/// Computes the output `[C_out / 16, N, H', W', 16]` of the input `[C_in / 16, N, H, W, 16]` and adds it to `output`.
pub fn forward(
    input: &[Lane],
    weights: &[Lane],
    view: &View,
    held: Held,
    ending: Ending,
    output: &mut [Lane],
) {
    struct Forward<'a> {
        input: &'a [Lane],
        weights: &'a [Lane],
        view: &'a View,
        held: Held,
        ending: Ending<'a>,
        output: &'a mut [Lane],
    }
    impl Job for Forward<'_> {
        type Output = ();
        fn run<S: Simd>(self, simd: S) {
            let product = Product {
                simd,
                input: self.input,
                weights: self.weights,
                view: self.view,
                held: self.held,
                ending: self.ending,
            };
            product.share_out(self.output);
        }
    }
    dispatch(Forward {
        input,
        weights,
        view,
        held,
        ending,
        output,
    });
}

#[derive(Clone, Copy)]
struct Product<'a, S> {
    simd: S,
    input: &'a [Lane],
    weights: &'a [Lane],
    view: &'a View,
    held: Held,
    ending: Ending<'a>,
}

impl<S: Simd> Product<'_, S> {
    /// Computes the output, split into tasks for the threads.
    fn share_out(&self, output: &mut [Lane]) {
        let view = self.view;
        let groups = view.groups;
        let pixels = view.out_pixels();
        if pixels == 0 {
            return;
        }
        let chunks = pixels.div_ceil(CHUNK);
        let cuts = tasks::ranges(pixels, 1, chunks);
        // Few pixels: the output channels are split, too. Each share gathers for itself.
        let threads = rayon::current_num_threads();
        let wanted = match threads {
            1 => 1,
            _ if view.is_pointwise() => (2 * threads).div_ceil(chunks * groups.count),
            _ => threads.div_ceil(chunks * groups.count),
        };
        let shares = tasks::ranges(groups.out_blocks, S::BLOCKS, wanted);
        let blocks: Vec<Range<usize>> = (0..groups.count)
            .flat_map(|group| {
                let first = group * groups.out_blocks;
                shares
                    .iter()
                    .map(move |share| first + share.start..first + share.end)
            })
            .collect();
        let tasks = tasks::split(output, pixels, &cuts, &blocks);
        if tasks.len() == 1 {
            for task in tasks {
                self.run(task);
            }
        } else {
            tasks.into_par_iter().for_each(|task| self.run(task));
        }
    }

    fn run(&self, task: tasks::Task) {
        let view = self.view;
        let (groups, plane) = (view.groups, view.in_pixels());
        let group = task.blocks.start / groups.out_blocks;
        let input = &self.input[group * groups.in_blocks * plane..][..groups.in_blocks * plane];
        let mut task = task;
        if view.is_pointwise() {
            for part in parts(groups.in_blocks, part_blocks(1)) {
                let pixels = &input[part.start * plane + task.pixels.start..];
                self.part(&mut task, pixels, plane, part);
            }
            return;
        }
        let taps = view.offsets.len();
        let count = task.pixels.len();
        let part_blocks = part_blocks(taps).min(groups.in_blocks);
        with_scratch(part_blocks * taps * count, |gathered| {
            for part in parts(groups.in_blocks, part_blocks) {
                let planes = input.chunks_exact(plane).skip(part.start).take(part.len());
                self.simd.vectorize(
                    #[inline(always)]
                    || {
                        for (gathered, plane) in
                            gathered.chunks_exact_mut(taps * count).zip(planes.clone())
                        {
                            let taps = gathered.chunks_exact_mut(count).zip(&view.offsets);
                            for (gathered, &offset) in taps {
                                gather::tap(plane, view, offset, task.pixels.clone(), gathered);
                            }
                        }
                    },
                );
                self.part(&mut task, gathered, count, part);
            }
        });
    }

    /// Returns the weights of a part of the input blocks and some of the task's blocks, at most one tile of them.
    fn weights(&self, task: &tasks::Task, part: &Range<usize>, blocks: Range<usize>) -> &[Lane] {
        let groups = self.view.groups;
        let lanes = self.view.offsets.len() * LANES;
        let group = task.blocks.start / groups.out_blocks;
        let first = task.blocks.start % groups.out_blocks + blocks.start;
        let before = (group * groups.in_blocks + part.start) * groups.out_blocks;
        let start = (before + first * part.len()) * lanes;
        &self.weights[start..start + blocks.len() * part.len() * lanes]
    }

    /// Adds the products of a part of the input blocks to the task's outputs. Their pixels start at `pixels[0]` and
    /// follow one another, segment by segment, at a distance of `step`.
    fn part(&self, task: &mut tasks::Task, pixels: &[Lane], step: usize, part: Range<usize>) {
        let groups = self.view.groups;
        let held = if part.start == 0 {
            self.held
        } else {
            Held::Sums
        };
        let ending = if part.end == groups.in_blocks {
            self.ending
        } else {
            Ending::default()
        };
        let count = task.pixels.len();
        let after = part.end..(part.end + part.len()).min(groups.in_blocks);
        for first in (0..task.blocks.len()).step_by(S::BLOCKS) {
            let blocks = first..(first + S::BLOCKS).min(task.blocks.len());
            let next = blocks.end..(blocks.end + S::BLOCKS).min(task.blocks.len());
            let ahead = if next.is_empty() {
                self.weights(task, &after, 0..S::BLOCKS.min(task.blocks.len()))
            } else {
                self.weights(task, &part, next)
            };
            let weights = self.weights(task, &part, blocks.clone());
            let blocks = blocks.len();
            let tiles = tiles::<S>(count);
            let tile_count = tiles.len();
            for (i, [pixel, tile]) in tiles.enumerate() {
                let factors = Factors {
                    pixels: &pixels[pixel..],
                    step,
                    segments: part.len() * self.view.offsets.len(),
                    weights,
                    ahead: share(ahead, i, tile_count),
                    // Gathered values are in the cache already.
                    goes_on: first == 0 && self.view.is_pointwise(),
                };
                let place = Place {
                    block: first,
                    blocks,
                    pixel,
                    pixels: tile,
                    held,
                    whole_block: task.blocks.start + first,
                };
                compute(self.simd, factors, &mut task.outputs, place, ending);
            }
        }
    }
}

/// Splits `0..count` into parts of `size`.
fn parts(count: usize, size: usize) -> impl Iterator<Item = Range<usize>> {
    (0..count)
        .step_by(size)
        .map(move |start| start..(start + size).min(count))
}
