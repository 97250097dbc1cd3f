//! The gradient of the stem's weights: the input at each position of a kernel row, times the gradient of the output.
//!
//! As in [`super::stem`], the values of the images are contiguous, so a register tile covers eight positions of a
//! kernel row at once. Lines are partitioned by their number only, and the partial sums are added in order.

use super::{expanded_len, padded_size};
use crate::conv::geometry::ConvGeometry;
use crate::conv::outer_product::ROWS;
use crate::conv::tasks;
use crate::conv::workspace::Workspace;
use crate::layout::blocks;
use crate::simd::{ChannelBlock, Job, LANES, Simd, dispatch};
use crate::tile::each;
use rayon::prelude::*;
use std::ops::Range;

/// Number of parts into which the lines of all images are split.
const SLABS: usize = 8;

/// Computes the gradient of the weights `[C_out, C, k, k]` from the gradient of the output and the images `[N, C, H,
/// W]` of few channels that the forward pass expanded into `workspace`.
pub fn grad_weight_on_images(
    workspace: &Workspace,
    gradient: &[ChannelBlock],
    geometry: &ConvGeometry,
    result: &mut [f32],
) {
    struct GradWeight<'a>(
        &'a [f32],
        &'a [ChannelBlock],
        &'a ConvGeometry,
        &'a mut [f32],
    );
    impl Job for GradWeight<'_> {
        type Output = ();
        fn run<S: Simd>(self, simd: S) {
            let Self(padded, gradient, geometry, result) = self;
            match geometry.stride * geometry.in_channels {
                3 => stem_gradients::<S, 3>(simd, padded, gradient, geometry, result),
                6 => stem_gradients::<S, 6>(simd, padded, gradient, geometry, result),
                _ => stem_gradients::<S, 0>(simd, padded, gradient, geometry, result),
            }
        }
    }
    let length = expanded_len(geometry);
    dispatch(GradWeight(
        &workspace.images[..length],
        gradient,
        geometry,
        result,
    ));
}

fn stem_gradients<S: Simd, const PITCH: usize>(
    simd: S,
    padded: &[f32],
    gradient: &[ChannelBlock],
    geometry: &ConvGeometry,
    result: &mut [f32],
) {
    let run = geometry.kernel * geometry.in_channels;
    let pieces = run.div_ceil(ROWS);
    let out_blocks = blocks(geometry.out_channels);
    let pixels = geometry.batch * geometry.out_pixels();
    // A task: some lines of all images, a kernel row and some blocks of outputs; its sums are
    // `[pieces of the run][blocks][8][16]`.
    let slabs = tasks::ranges(geometry.batch * geometry.out_height(), 1, SLABS);
    let tasks: Vec<(Range<usize>, usize, Range<usize>)> = slabs
        .into_iter()
        .flat_map(|lines| (0..geometry.kernel).map(move |row| (lines.clone(), row)))
        .flat_map(|(lines, row)| {
            let tiles = (0..out_blocks).step_by(S::BLOCKS);
            let blocks = tiles.map(move |block| block..(block + S::BLOCKS).min(out_blocks));
            blocks.map(move |blocks| (lines.clone(), row, blocks))
        })
        .collect();
    let sums: Vec<Vec<ChannelBlock>> = tasks
        .par_iter()
        .map(|(lines, row, blocks)| {
            let mut sums = vec![[0.0; LANES]; pieces * blocks.len() * ROWS];
            let gradients = |n: usize| &gradient[(blocks.start + n) * pixels..][..pixels];
            let of_piece = blocks.len() * ROWS;
            for (piece, sums) in sums.chunks_exact_mut(of_piece).enumerate() {
                // The last piece overlaps the previous one.
                let first = (piece * ROWS).min(run.saturating_sub(ROWS));
                if blocks.len() == 2 {
                    let gradients = [gradients(0), gradients(1)];
                    stem_outer::<S, PITCH, 2>(
                        simd,
                        padded,
                        gradients,
                        geometry,
                        lines.clone(),
                        [*row, first],
                        sums,
                    );
                } else {
                    stem_outer::<S, PITCH, 1>(
                        simd,
                        padded,
                        [gradients(0)],
                        geometry,
                        lines.clone(),
                        [*row, first],
                        sums,
                    );
                }
            }
            sums
        })
        .collect();
    result.fill(0.0);
    for ((_, row, blocks), sums) in tasks.iter().zip(&sums) {
        for place in 0..run {
            let piece = place / ROWS;
            let first = (piece * ROWS).min(run.saturating_sub(ROWS));
            let (column, channel) = (place / geometry.in_channels, place % geometry.in_channels);
            for (n, block) in blocks.clone().enumerate() {
                let lane = &sums[(piece * blocks.len() + n) * ROWS + place - first];
                for (j, &value) in lane.iter().enumerate() {
                    let output = block * LANES + j;
                    if output < geometry.out_channels {
                        let weight =
                            (output * geometry.in_channels + channel) * geometry.kernel + row;
                        result[weight * geometry.kernel + column] += value;
                    }
                }
            }
        }
    }
}

/// Computes the sums over `lines` of the inputs at [`ROWS`] positions of a kernel row, from position `first` on, times
/// the gradients of `N` blocks.
#[inline(never)]
fn stem_outer<S: Simd, const PITCH: usize, const N: usize>(
    simd: S,
    padded: &[f32],
    gradients: [&[ChannelBlock]; N],
    geometry: &ConvGeometry,
    lines: Range<usize>,
    [row, first]: [usize; 2],
    sums: &mut [ChannelBlock],
) {
    let [padded_height, padded_width] = padded_size(geometry);
    let pitch = if PITCH == 0 {
        geometry.stride * geometry.in_channels
    } else {
        PITCH
    };
    let width = geometry.out_width();
    // A run shorter than the tile has only that many values.
    let rows = ROWS.min(geometry.kernel * geometry.in_channels - first);
    simd.vectorize(
        #[inline(always)]
        || {
            let mut totals = [[simd.splat(0.0); N]; ROWS];
            for line in lines.clone() {
                let (image, out_row) = (line / geometry.out_height(), line % geometry.out_height());
                let in_row = image * padded_height + out_row * geometry.stride + row;
                let values = &padded[in_row * padded_width * geometry.in_channels + first..];
                let pixels = line * width..(line + 1) * width;
                for (column, pixel) in pixels.enumerate() {
                    let mut vectors = [simd.splat(0.0); N];
                    each!(n in N, 0 1, { vectors[n] = simd.load(&gradients[n][pixel]); });
                    let values = &values[column * pitch..][..rows];
                    if let Some(values) = values.first_chunk::<ROWS>() {
                        each!(m in ROWS, 0 1 2 3 4 5 6 7, {
                            let value = simd.splat(values[m]);
                            each!(n in N, 0 1, { totals[m][n] = simd.mul_add(value, vectors[n], totals[m][n]); });
                        });
                    } else {
                        each!(m in ROWS, 0 1 2 3 4 5 6 7, {
                            let value = simd.splat(values.get(m).copied().unwrap_or(0.0));
                            each!(n in N, 0 1, { totals[m][n] = simd.mul_add(value, vectors[n], totals[m][n]); });
                        });
                    }
                }
            }
            each!(n in N, 0 1, {
                let sums = &mut sums[n * ROWS..][..ROWS];
                each!(m in ROWS, 0 1 2 3 4 5 6 7, { simd.store(&mut sums[m], totals[m][n]); });
            });
        },
    );
}
