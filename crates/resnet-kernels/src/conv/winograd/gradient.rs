//! The weight gradient by F(4x4, 3x3).
//!
//! - The output that [`super`] computes, `y = A^T [ (G g G^T) * (B^T d B) ] A`, is linear in the kernel `g`: with `e`
//!   the gradient of `y`, that of `g` is `G^T [ (A e A^T) * (B^T d B) ] G`, with the products summed over all tiles
//!   before the last transform.
//! - So 36 products over tiles replace nine over sixteen times as many pixels.
//! - Tiles are processed in order, several at a time to fit the caches: the same sums for any number of threads.

use super::tile::{Tile, applies as forward_applies};
use super::tiling::Winograd;
use super::transform::{Square, Transform};
use crate::conv::geometry::ConvGeometry;
use crate::conv::outer_product::multiply;
use crate::conv::tasks;
use crate::layout::{Buffer, blocks};
use crate::simd::{ChannelBlock, Job, LANES, Simd, dispatch};
use crate::tile::{Epilogue, OutputInit};
use rayon::prelude::*;
use std::ops::Range;

/// Outputs and inputs of a tile on one axis.
const OUT: usize = 4;
const IN: usize = 6;
const POINTS: usize = IN * IN;
/// Number of tiles that are transformed before they are multiplied.
const TILES: usize = 1024;
/// Number of tiles whose products with all output channels stay in a core's caches.
const CHUNK: usize = 256;
/// Minimum number of channels: each transform serves that many products.
const NARROWEST: usize = 128;

/// Returns true if the gradient is computed this way: if it needs fewer multiplications, and enough channels share each
/// transform.
pub fn applies(geometry: &ConvGeometry) -> bool {
    let tiles: usize = Tile::Four.grid(geometry).iter().product();
    forward_applies(geometry)
        && geometry.in_channels.min(geometry.out_channels) >= NARROWEST
        && POINTS * tiles < 9 * geometry.out_pixels()
}

/// Memory that gradients reuse from step to step.
#[derive(Debug, Default)]
pub struct Memory {
    /// Transformed inputs, `[input blocks][points][tiles + 1]`: one channel block more, because points at a distance of a power
    /// of two would share sets of the cache.
    inputs: Buffer,
    /// Transformed gradients, `[output blocks][points][tiles + 1]`.
    gradients: Buffer,
    /// Sums, `[points][input blocks][output blocks][16 inputs]`.
    sums: Buffer,
}

/// Computes the sums `[input blocks][output blocks][9][16 inputs][16 outputs]` from the input `[C_in / 16, N, H, W,
/// 16]` and the gradient of the output.
pub fn sums(
    input: &[ChannelBlock],
    gradient: &[ChannelBlock],
    geometry: &ConvGeometry,
    memory: &mut Memory,
    result: &mut [ChannelBlock],
) {
    struct Sums<'a>(
        &'a [ChannelBlock],
        &'a [ChannelBlock],
        &'a ConvGeometry,
        &'a mut Memory,
        &'a mut [ChannelBlock],
    );
    impl Job for Sums<'_> {
        type Output = ();
        fn run<S: Simd>(self, simd: S) {
            let Self(input, gradient, geometry, memory, result) = self;
            let grid = Tile::Four.grid(geometry);
            let winograd = Winograd::<S, OUT, IN> {
                simd,
                input,
                weights: &[],
                geometry,
                grid,
                init: OutputInit::Overwrite,
                epilogue: Epilogue::default(),
            };
            let lines = geometry.batch * grid[0];
            let parts = lines.div_ceil((TILES / grid[1]).max(1));
            for lines in tasks::ranges(lines, 1, parts) {
                winograd.transform(gradient, lines.clone(), memory);
                winograd.add_products(lines.len() * grid[1], lines.start > 0, memory);
            }
            transform_back(simd, geometry, &memory.sums, result);
        }
    }
    dispatch(Sums(input, gradient, geometry, memory, result));
}

impl<S: Simd> Winograd<'_, S, OUT, IN> {
    /// Transforms inputs and gradients of some lines of tiles.
    fn transform(&self, gradient: &[ChannelBlock], lines: Range<usize>, memory: &mut Memory) {
        let step = lines.len() * self.grid[1] + 1;
        let of_block = POINTS * step;
        let Memory {
            inputs, gradients, ..
        } = memory;
        let (in_lanes, out_lanes) = (
            blocks(self.geometry.in_channels) * of_block,
            blocks(self.geometry.out_channels) * of_block,
        );
        inputs.reserve(in_lanes);
        gradients.reserve(out_lanes);
        let plane = self.geometry.batch * self.geometry.out_pixels();
        let inputs = inputs[..in_lanes]
            .par_chunks_exact_mut(of_block)
            .enumerate();
        let planes = gradient.par_chunks_exact(plane);
        let gradients = gradients[..out_lanes].par_chunks_exact_mut(of_block);
        rayon::join(
            || {
                inputs.for_each(|(block, target)| {
                    self.simd.vectorize(
                        #[inline(always)]
                        || self.transform_block(block, lines.clone(), target, step),
                    );
                });
            },
            || {
                gradients.zip(planes).for_each(|(target, plane)| {
                    self.simd.vectorize(
                        #[inline(always)]
                        || self.transform_gradients(plane, lines.clone(), target, step),
                    );
                });
            },
        );
    }

    /// Transforms a block of gradients for the tiles of `lines`: point p of tile t is written to `target[p * step +
    /// t]`.
    #[inline(always)]
    fn transform_gradients(
        &self,
        plane: &[ChannelBlock],
        lines: Range<usize>,
        target: &mut [ChannelBlock],
        step: usize,
    ) {
        let simd = self.simd;
        let (height, width) = (self.geometry.out_height(), self.geometry.out_width());
        let [tile_rows, tile_columns] = self.grid;
        let mut place = 0;
        for line in lines {
            let (image, first_row) = (line / tile_rows, line % tile_rows * OUT);
            for first in (0..tile_columns).map(|column| column * OUT) {
                let mut half = [[simd.splat(0.0); IN]; OUT];
                for (row, half) in (first_row..height).zip(&mut half) {
                    let mut values = [simd.splat(0.0); OUT];
                    let lanes = &plane[(image * height + row) * width..][first..width];
                    for (value, lane) in values.iter_mut().zip(lanes) {
                        *value = simd.load(lane);
                    }
                    *half = Square::gradients(simd, values);
                }
                for j in 0..IN {
                    let column = std::array::from_fn(
                        #[inline(always)]
                        |i| half[i][j],
                    );
                    for (i, value) in Square::gradients(simd, column).into_iter().enumerate() {
                        simd.store(&mut target[(i * IN + j) * step + place], value);
                    }
                }
                place += 1;
            }
        }
    }

    /// Multiplies the transformed values, point by point, and adds the products to the sums, or overwrites them.
    fn add_products(&self, count: usize, adds: bool, memory: &mut Memory) {
        let [in_blocks, out_blocks] =
            [self.geometry.in_channels, self.geometry.out_channels].map(blocks);
        let lanes = POINTS * in_blocks * out_blocks * LANES;
        let Memory {
            inputs,
            gradients,
            sums,
        } = memory;
        if !adds {
            sums.reserve(lanes);
        }
        let (inputs, gradients) = (&*inputs, &*gradients);
        let sums = sums[..lanes].par_chunks_exact_mut(out_blocks * LANES);
        sums.enumerate().for_each(|(number, sums)| {
            let (point, in_block) = (number / in_blocks, number % in_blocks);
            let place = |block: usize| (block * POINTS + point) * (count + 1);
            let of_point = &inputs[place(in_block)..][..count];
            for start in (0..count).step_by(CHUNK) {
                let tiles = start..(start + CHUNK).min(count);
                let gradients = |block: usize| &gradients[place(block)..][tiles.clone()];
                let adds = adds || start > 0;
                multiply(
                    self.simd,
                    &of_point[tiles.clone()],
                    gradients,
                    1,
                    adds,
                    sums,
                );
            }
        });
    }
}

/// Computes `G^T s G` of all sums.
fn transform_back<S: Simd>(
    simd: S,
    geometry: &ConvGeometry,
    sums: &[ChannelBlock],
    result: &mut [ChannelBlock],
) {
    let pairs = blocks(geometry.in_channels) * blocks(geometry.out_channels);
    let transform = <Square<OUT, IN> as Transform<OUT, IN>>::kernel();
    let squares = result[..pairs * 9 * LANES].par_chunks_exact_mut(9 * LANES);
    squares.enumerate().for_each(|(pair, taps)| {
        simd.vectorize(
            #[inline(always)]
            || {
                for input in 0..LANES {
                    let mut half = [[simd.splat(0.0); IN]; 3];
                    for (p, row) in transform.iter().enumerate() {
                        for q in 0..IN {
                            let point = (p * IN + q) * pairs + pair;
                            let sum = simd.load(&sums[point * LANES + input]);
                            for (half, &factor) in half.iter_mut().zip(row) {
                                half[q] = simd.mul_add(sum, simd.splat(factor), half[q]);
                            }
                        }
                    }
                    for (r, half) in half.iter().enumerate() {
                        for c in 0..3 {
                            let mut tap = simd.splat(0.0);
                            for (&value, row) in half.iter().zip(&transform) {
                                tap = simd.mul_add(value, simd.splat(row[c]), tap);
                            }
                            simd.store(&mut taps[(3 * r + c) * LANES + input], tap);
                        }
                    }
                }
            },
        );
    });
}
