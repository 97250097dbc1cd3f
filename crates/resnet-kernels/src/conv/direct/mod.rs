//! Convolution as one product over input channels and taps, for any kernel, stride, padding, dilation and groups.
//!
//! - `y[o, p] = sum over blocks of input channels, taps and sixteen channels of w[o, q] x[q, p]`.
//! - A 1x1 kernel of stride 1 reads the input in place. Otherwise the inputs of the taps are gathered first, for
//!   several pixels and one block of input channels at a time; moving a vector costs one of the `C_out / 16` products
//!   with it.
//! - One part of the sums, over 128 input channels or the taps of one block, is computed for all pixels of a task
//!   before the next part continues from it, so that the weights of the part are read from the L1 cache.
//! - Anatomy of High-Performance Deep Learning Convolutions on SIMD Architectures, <https://arxiv.org/abs/1808.05567>.

mod pack;
mod parts;

use super::offsets::OffsetConv;
use super::scratch::with_scratch;
use super::{im2col, tasks};
use crate::simd::{ChannelBlock, Job, LANES, Simd, dispatch};
use crate::tile::{Epilogue, OutputInit, OutputTile, TileOperands, compute, share, tiles};
use parts::{block_ranges, part_blocks};
use rayon::prelude::*;
use std::ops::Range;

pub(super) use pack::pack;

/// Number of output pixels per task: with one part of their inputs they stay in a core's L2 cache.
const CHUNK: usize = 196;

/// Computes the output `[C_out / 16, N, H', W', 16]` of the input `[C_in / 16, N, H, W, 16]` with packed weights. `init`
/// states what `output` holds on entry; `epilogue` is applied last.
pub fn forward(
    input: &[ChannelBlock],
    weights: &[ChannelBlock],
    conv: &OffsetConv,
    init: OutputInit,
    epilogue: Epilogue,
    output: &mut [ChannelBlock],
) {
    struct Forward<'a> {
        input: &'a [ChannelBlock],
        weights: &'a [ChannelBlock],
        conv: &'a OffsetConv,
        init: OutputInit,
        epilogue: Epilogue<'a>,
        output: &'a mut [ChannelBlock],
    }
    impl Job for Forward<'_> {
        type Output = ();
        fn run<S: Simd>(self, simd: S) {
            let direct = DirectConv {
                simd,
                input: self.input,
                weights: self.weights,
                conv: self.conv,
                init: self.init,
                epilogue: self.epilogue,
            };
            direct.run(self.output);
        }
    }
    dispatch(Forward {
        input,
        weights,
        conv,
        init,
        epilogue,
        output,
    });
}

#[derive(Clone, Copy)]
struct DirectConv<'a, S> {
    simd: S,
    input: &'a [ChannelBlock],
    weights: &'a [ChannelBlock],
    conv: &'a OffsetConv,
    init: OutputInit,
    epilogue: Epilogue<'a>,
}

impl<S: Simd> DirectConv<'_, S> {
    /// Computes the output, split into tasks for the threads.
    fn run(&self, output: &mut [ChannelBlock]) {
        let conv = self.conv;
        let groups = conv.groups;
        let pixels = conv.out_pixels();
        if pixels == 0 {
            return;
        }
        let chunks = pixels.div_ceil(CHUNK);
        let cuts = tasks::ranges(pixels, 1, chunks);
        // Few pixels: the output channels are split, too. Each share gathers for itself.
        let threads = rayon::current_num_threads();
        let wanted = match threads {
            1 => 1,
            _ if conv.is_pointwise() => (2 * threads).div_ceil(chunks * groups.count),
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
                self.run_task(task);
            }
        } else {
            tasks.into_par_iter().for_each(|task| self.run_task(task));
        }
    }

    fn run_task(&self, task: tasks::Task) {
        let conv = self.conv;
        let (groups, plane) = (conv.groups, conv.in_pixels());
        let group = task.blocks.start / groups.out_blocks;
        let input = &self.input[group * groups.in_blocks * plane..][..groups.in_blocks * plane];
        let mut task = task;
        if conv.is_pointwise() {
            for part in block_ranges(groups.in_blocks, part_blocks(1)) {
                let pixels = &input[part.start * plane + task.pixels.start..];
                self.add_part(&mut task, pixels, plane, part);
            }
            return;
        }
        let taps = conv.offsets.len();
        let count = task.pixels.len();
        let part_blocks = part_blocks(taps).min(groups.in_blocks);
        with_scratch(part_blocks * taps * count, |gathered| {
            for part in block_ranges(groups.in_blocks, part_blocks) {
                let planes = input.chunks_exact(plane).skip(part.start).take(part.len());
                self.simd.vectorize(
                    #[inline(always)]
                    || {
                        for (gathered, plane) in
                            gathered.chunks_exact_mut(taps * count).zip(planes.clone())
                        {
                            let taps = gathered.chunks_exact_mut(count).zip(&conv.offsets);
                            for (gathered, &offset) in taps {
                                im2col::gather_tap(
                                    plane,
                                    conv,
                                    offset,
                                    task.pixels.clone(),
                                    gathered,
                                );
                            }
                        }
                    },
                );
                self.add_part(&mut task, gathered, count, part);
            }
        });
    }

    /// Returns the weights of a part of the input blocks and some of the task's blocks, at most one tile of them.
    fn weights(
        &self,
        task: &tasks::Task,
        part: &Range<usize>,
        blocks: Range<usize>,
    ) -> &[ChannelBlock] {
        let groups = self.conv.groups;
        let lanes = self.conv.offsets.len() * LANES;
        let group = task.blocks.start / groups.out_blocks;
        let first = task.blocks.start % groups.out_blocks + blocks.start;
        let before = (group * groups.in_blocks + part.start) * groups.out_blocks;
        let start = (before + first * part.len()) * lanes;
        &self.weights[start..start + blocks.len() * part.len() * lanes]
    }

    /// Adds the products of a part of the input blocks to the task's outputs. Their pixels start at `pixels[0]` and
    /// follow one another, segment by segment, at a distance of `step`.
    fn add_part(
        &self,
        task: &mut tasks::Task,
        pixels: &[ChannelBlock],
        step: usize,
        part: Range<usize>,
    ) {
        let groups = self.conv.groups;
        let init = if part.start == 0 {
            self.init
        } else {
            OutputInit::Accumulate
        };
        let epilogue = if part.end == groups.in_blocks {
            self.epilogue
        } else {
            Epilogue::default()
        };
        let count = task.pixels.len();
        let after = part.end..(part.end + part.len()).min(groups.in_blocks);
        for first in (0..task.blocks.len()).step_by(S::BLOCKS) {
            let blocks = first..(first + S::BLOCKS).min(task.blocks.len());
            let next = blocks.end..(blocks.end + S::BLOCKS).min(task.blocks.len());
            let next_weights = if next.is_empty() {
                self.weights(task, &after, 0..S::BLOCKS.min(task.blocks.len()))
            } else {
                self.weights(task, &part, next)
            };
            let weights = self.weights(task, &part, blocks.clone());
            let blocks = blocks.len();
            let tiles = tiles::<S>(count);
            let tile_count = tiles.len();
            for (i, [pixel, tile]) in tiles.enumerate() {
                let operands = TileOperands {
                    pixels: &pixels[pixel..],
                    step,
                    segments: part.len() * self.conv.offsets.len(),
                    weights,
                    next_weights: share(next_weights, i, tile_count),
                    // Gathered values are in the cache already.
                    prefetch_pixels: first == 0 && self.conv.is_pointwise(),
                };
                let place = OutputTile {
                    block: first,
                    blocks,
                    pixel,
                    pixels: tile,
                    init,
                    whole_block: task.blocks.start + first,
                };
                compute(self.simd, operands, &mut task.outputs, place, epilogue);
            }
        }
    }
}
