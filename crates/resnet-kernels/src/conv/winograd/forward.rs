//! The forward pass: tasks of some lines of tiles by some blocks of output channels.

use super::tile::Tile;
use super::tiling::Winograd;
use super::transform::{Square, Transform};
use crate::conv::geometry::ConvGeometry;
use crate::conv::scratch::with_scratch;
use crate::conv::tasks;
use crate::layout::blocks;
use crate::simd::{ChannelBlock, Job, LANES, Simd, dispatch};
use crate::tile::{self, Epilogue, OutputInit, OutputTile, TileOperands, compute};
use rayon::prelude::*;
use std::ops::Range;

/// Number of tiles per task: four full register tiles, and as many as the inputs, weights and products of a point have
/// room for in the L2 cache. Weights, which may come from memory, are read once for all of them.
const TILES: usize = 56;

/// Computes the output `[C_out / 16, N, H', W', 16]` of the input `[C_in / 16, N, H, W, 16]` with packed weights. `init`
/// states what `output` holds on entry; `epilogue` is applied last.
pub fn forward(
    input: &[ChannelBlock],
    weights: &[ChannelBlock],
    geometry: &ConvGeometry,
    tile: Tile,
    init: OutputInit,
    epilogue: Epilogue,
    output: &mut [ChannelBlock],
) {
    dispatch(Forward {
        input,
        weights,
        geometry,
        tile,
        init,
        epilogue,
        output,
    });
}

struct Forward<'a> {
    input: &'a [ChannelBlock],
    weights: &'a [ChannelBlock],
    geometry: &'a ConvGeometry,
    tile: Tile,
    init: OutputInit,
    epilogue: Epilogue<'a>,
    output: &'a mut [ChannelBlock],
}

impl Job for Forward<'_> {
    type Output = ();

    fn run<S: Simd>(self, simd: S) {
        match self.tile {
            Tile::Two => self.sized::<S, 2, 4>(simd),
            Tile::Four => self.sized::<S, 4, 6>(simd),
        }
    }
}

impl Forward<'_> {
    fn sized<S: Simd, const OUT: usize, const IN: usize>(self, simd: S)
    where
        Square<OUT, IN>: Transform<OUT, IN>,
    {
        let winograd = Winograd::<S, OUT, IN> {
            simd,
            input: self.input,
            weights: self.weights,
            geometry: self.geometry,
            grid: self.tile.grid(self.geometry),
            init: self.init,
            epilogue: self.epilogue,
        };
        winograd.run(self.output);
    }
}

impl<S: Simd, const OUT: usize, const IN: usize> Winograd<'_, S, OUT, IN>
where
    Square<OUT, IN>: Transform<OUT, IN>,
{
    /// Number of products of a tile.
    const POINTS: usize = IN * IN;

    fn run(&self, output: &mut [ChannelBlock]) {
        let geometry = self.geometry;
        let [tile_rows, tile_columns] = self.grid;
        let lines = geometry.batch * tile_rows;
        let lines_a_task = (TILES / tile_columns).max(1);
        let tasks_wanted = lines.div_ceil(lines_a_task);
        let threads = rayon::current_num_threads();
        let tile_cuts = tasks::ranges(lines, 1, tasks_wanted);
        let first_pixel = |line: usize| {
            let (image, row) = (line / tile_rows, line % tile_rows);
            image * geometry.out_pixels()
                + (row * OUT).min(geometry.out_height()) * geometry.out_width()
        };
        let cuts: Vec<Range<usize>> = tile_cuts
            .iter()
            .map(|cut| first_pixel(cut.start)..first_pixel(cut.end))
            .collect();
        // Few tiles: the output channels are split, too.
        let shares = threads.div_ceil(tasks_wanted);
        let shares = tasks::ranges(blocks(geometry.out_channels), S::BLOCKS, shares);
        let pixels = geometry.batch * geometry.out_pixels();
        let tasks = tasks::split(output, pixels, &cuts, &shares);
        let work = |task: tasks::Task| self.task(task, tile_cuts.as_slice());
        if tasks.len() == 1 {
            tasks.into_iter().for_each(work);
        } else {
            tasks.into_par_iter().for_each(work);
        }
    }

    fn task(&self, mut task: tasks::Task, cuts: &[Range<usize>]) {
        let lines = cuts[task.cut].clone();
        let [_, columns] = self.grid;
        let count = lines.len() * columns;
        let in_blocks = blocks(self.geometry.in_channels);
        // One channel block more: points at a distance of a power of two would share sets of the cache.
        let input_step = in_blocks * count + 1;
        let product_step = task.blocks.len() * count + 1;
        with_scratch(Self::POINTS * (input_step + product_step), |scratch| {
            let (inputs, products) = scratch.split_at_mut(Self::POINTS * input_step);
            self.simd.vectorize(
                #[inline(always)]
                || {
                    for block in 0..in_blocks {
                        let target = &mut inputs[block * count..];
                        self.transform_block(block, lines.clone(), target, input_step);
                    }
                },
            );
            for point in 0..Self::POINTS {
                let inputs = &inputs[point * input_step..][..in_blocks * count];
                let products = &mut products[point * product_step..];
                self.multiply(point, inputs, products, count, task.blocks.clone());
            }
            self.simd.vectorize(
                #[inline(always)]
                || {
                    for block in 0..task.blocks.len() {
                        let products = &products[block * count..];
                        self.finish_block(products, product_step, lines.clone(), &mut task, block);
                    }
                },
            );
        });
    }

    /// Computes the products of a point: `count` tiles of all input channels times the weights of the output blocks.
    fn multiply(
        &self,
        point: usize,
        inputs: &[ChannelBlock],
        products: &mut [ChannelBlock],
        count: usize,
        out_blocks: Range<usize>,
    ) {
        let in_blocks = blocks(self.geometry.in_channels);
        let lanes = in_blocks * LANES;
        // The weights of a point for one tile of blocks.
        let weights = |point: usize, first: usize| {
            let blocks = S::BLOCKS.min(out_blocks.end - first);
            let start = first * Self::POINTS * lanes + point * lanes * blocks;
            &self.weights[start..start + lanes * blocks]
        };
        let firsts = out_blocks.clone().step_by(S::BLOCKS);
        let tiles_of_products = products[..out_blocks.len() * count].chunks_mut(S::BLOCKS * count);
        for (first, products) in firsts.zip(tiles_of_products) {
            let next_weights = match first + S::BLOCKS {
                next if next < out_blocks.end => weights(point, next),
                _ if point + 1 < Self::POINTS => weights(point + 1, out_blocks.start),
                _ => &[],
            };
            let mut outputs = products.chunks_exact_mut(count);
            let mut next = || outputs.next().unwrap_or_default();
            let mut outputs = [next(), next()];
            let register_tiles = tile::tiles::<S>(count);
            let tile_count = register_tiles.len();
            for (i, [tile, tiles]) in register_tiles.enumerate() {
                let operands = TileOperands {
                    pixels: &inputs[tile..],
                    step: count,
                    segments: in_blocks,
                    weights: weights(point, first),
                    next_weights: tile::share(next_weights, i, tile_count),
                    prefetch_pixels: false,
                };
                let place = OutputTile {
                    block: 0,
                    blocks: S::BLOCKS.min(out_blocks.end - first),
                    pixel: tile,
                    pixels: tiles,
                    init: OutputInit::Overwrite,
                    whole_block: 0,
                };
                compute(
                    self.simd,
                    operands,
                    &mut outputs,
                    place,
                    Epilogue::default(),
                );
            }
        }
    }
}
