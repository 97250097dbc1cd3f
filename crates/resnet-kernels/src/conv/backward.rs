//! The gradients of a convolution: of its input and of its weights.
//!
//! - The input gradient is a convolution of the output gradient, by the same algorithms: with the flipped kernel for
//!   stride 1; for a larger stride, the input pixels fall into `stride²` phases, each of which only some taps read.
//! - The weight gradient is a product over the pixels of all images: a block of input channels, as read by a tap, times
//!   the output gradient. Pixels are processed in order, so the sums are the same for any number of threads. Many
//!   channels under a 3x3 kernel use Winograd's algorithm.

use super::geometry::ConvGeometry;
use super::groups::Groups;
use super::offsets::{OffsetConv, TapWeights, contributing_taps};
use super::outer_product::multiply;
use super::scratch::with_scratch;
use super::select::{Algorithm, choose};
use super::workspace::Workspace;
use super::{direct, im2col, tasks, winograd};
use crate::layout::transposed;
use crate::simd::{ChannelBlock, Job, LANES, Simd, dispatch};
use crate::tile::{Epilogue, OutputInit};
use rayon::prelude::*;

/// Number of pixels whose products with all output channels stay in a core's caches.
const CHUNK: usize = 256;

/// Computes the gradient of the input, `[C_in / 16, N, H, W, 16]`, from the gradient of the output, `[C_out / 16, N, H',
/// W', 16]`, and the weights, `[C_out, C_in / groups, k, k]`. `init` states what `result` holds on entry.
pub fn grad_input(
    gradient: &[ChannelBlock],
    weight: &[f32],
    geometry: &ConvGeometry,
    init: OutputInit,
    workspace: &mut Workspace,
    result: &mut [ChannelBlock],
) {
    let Workspace { packed, phase, .. } = workspace;
    let epilogue = Epilogue::default();
    let flipped = ConvGeometry {
        in_channels: geometry.out_channels,
        out_channels: geometry.in_channels,
        height: geometry.out_height(),
        width: geometry.out_width(),
        padding: (geometry.effective_kernel_size() - 1).saturating_sub(geometry.padding),
        ..*geometry
    };
    if let Algorithm::Winograd(tile) = choose(&flipped)
        && geometry.padding < geometry.effective_kernel_size()
    {
        let places = (0..9).rev().collect();
        winograd::pack(
            &TapWeights::transposed(weight, geometry, places),
            tile,
            packed,
        );
        return winograd::forward(gradient, packed, &flipped, tile, init, epilogue, result);
    }
    let stride = geometry.stride;
    for row in 0..stride.min(geometry.height) {
        for column in 0..stride.min(geometry.width) {
            let (conv, places) = phase_conv(geometry, [row, column]);
            let contributes = !places.is_empty();
            if contributes {
                let taps = TapWeights::transposed(weight, geometry, places);
                direct::pack(&taps, conv.groups, packed);
            }
            if stride == 1 {
                return direct::forward(gradient, packed, &conv, init, epilogue, result);
            }
            let lanes = conv.groups.count * conv.groups.out_blocks * conv.out_pixels();
            phase.reserve(lanes);
            let phase = &mut phase[..lanes];
            if contributes {
                direct::forward(
                    gradient,
                    packed,
                    &conv,
                    OutputInit::Overwrite,
                    epilogue,
                    phase,
                );
            } else {
                phase.fill([0.0; LANES]);
            }
            scatter(phase, &conv, geometry, [row, column], init, result);
        }
    }
}

/// Returns the taps that read the input pixels of a phase, those at `row + stride * i` and `column + stride * j`, and
/// their positions in the output.
fn phase_conv(geometry: &ConvGeometry, [row, column]: [usize; 2]) -> (OffsetConv, Vec<usize>) {
    let ConvGeometry {
        kernel,
        stride,
        padding,
        dilation,
        ..
    } = *geometry;
    let offset = |phase: usize, tap: usize| {
        let distance = (phase + padding) as isize - (tap * dilation) as isize;
        (distance.rem_euclid(stride as isize) == 0).then(|| distance.div_euclid(stride as isize))
    };
    let (mut offsets, mut places) = (Vec::new(), Vec::new());
    for tap in contributing_taps(geometry) {
        let at = (offset(row, tap / kernel), offset(column, tap % kernel));
        if let (Some(dr), Some(dc)) = at {
            offsets.push([dr, dc]);
            places.push(tap);
        }
    }
    let conv = OffsetConv {
        batch: geometry.batch,
        input: [geometry.out_height(), geometry.out_width()],
        output: [
            (geometry.height - row).div_ceil(stride),
            (geometry.width - column).div_ceil(stride),
        ],
        stride: 1,
        offsets,
        groups: Groups::of(geometry).transposed(),
    };
    (conv, places)
}

/// Adds the gradients of a phase to their positions in the result.
fn scatter(
    phase: &[ChannelBlock],
    conv: &OffsetConv,
    geometry: &ConvGeometry,
    [row, column]: [usize; 2],
    init: OutputInit,
    result: &mut [ChannelBlock],
) {
    let [rows, columns] = conv.output;
    let image = geometry.height * geometry.width;
    let images = result.par_chunks_exact_mut(image).enumerate();
    images.for_each(|(number, result)| {
        for (i, source) in phase[number * rows * columns..][..rows * columns]
            .chunks_exact(columns)
            .enumerate()
        {
            let start = (row + i * geometry.stride) * geometry.width + column;
            let targets = result[start..].iter_mut().step_by(geometry.stride);
            for (target, lane) in targets.zip(source) {
                *target = match init {
                    OutputInit::Overwrite => *lane,
                    OutputInit::Accumulate | OutputInit::Residual => {
                        std::array::from_fn(|j| lane[j] + target[j])
                    }
                };
            }
        }
    });
}

/// Computes the gradient of the weights `[C_out, C_in / groups, k, k]` from the input and the gradient of the output.
///
/// # Panics
/// If the size of `result` does not match the weights.
pub fn grad_weight(
    input: &[ChannelBlock],
    gradient: &[ChannelBlock],
    geometry: &ConvGeometry,
    workspace: &mut Workspace,
    result: &mut [f32],
) {
    struct Sums<'a>(
        &'a [ChannelBlock],
        &'a [ChannelBlock],
        &'a OffsetConv,
        &'a mut [ChannelBlock],
    );
    impl Job for Sums<'_> {
        type Output = ();
        fn run<S: Simd>(self, simd: S) {
            sum_gradients(simd, self.0, self.1, self.2, self.3);
        }
    }
    assert_eq!(result.len(), geometry.weights(), "the weights' size");
    if winograd::gradient::applies(geometry) {
        return grad_weight_by_winograd(input, gradient, geometry, workspace, result);
    }
    let conv = OffsetConv::forward(geometry);
    let groups = conv.groups;
    let blocks = groups.count * groups.in_blocks * groups.out_blocks;
    let lanes = blocks * conv.offsets.len() * LANES;
    let slabs = slabs(&conv);
    workspace.sums.reserve(slabs * lanes);
    let sums = &mut workspace.sums[..slabs * lanes];
    dispatch(Sums(input, gradient, &conv, sums));
    let (total, others) = sums.split_at_mut(lanes);
    for sums in others.chunks_exact(lanes) {
        add(total, sums);
    }
    write_weight_gradient(total, geometry, &contributing_taps(geometry), result);
}

/// Computes [`grad_weight`] of a convolution that [`winograd::applies`].
pub fn grad_weight_by_winograd(
    input: &[ChannelBlock],
    gradient: &[ChannelBlock],
    geometry: &ConvGeometry,
    workspace: &mut Workspace,
    result: &mut [f32],
) {
    let taps: Vec<usize> = (0..9).collect();
    let Workspace { sums, winograd, .. } = workspace;
    let groups = Groups::of(geometry);
    sums.reserve(groups.in_blocks * groups.out_blocks * taps.len() * LANES);
    winograd::gradient::sums(input, gradient, geometry, winograd, sums);
    write_weight_gradient(sums, geometry, &taps, result);
}

/// Returns the number of parts into which the pixels are split, each with its own sums: a function of shapes only. Few
/// channels have few sums, which would leave threads without work.
fn slabs(conv: &OffsetConv) -> usize {
    /// Number of sums that is enough for the threads of any machine: of one block of inputs and two of outputs each.
    const ENOUGH: usize = 32;
    let groups = conv.groups;
    let sums = groups.count * groups.in_blocks * groups.out_blocks.div_ceil(2);
    (ENOUGH / sums).min(conv.out_pixels() / CHUNK).max(1)
}

fn add(total: &mut [ChannelBlock], sums: &[ChannelBlock]) {
    for (total, sums) in total.iter_mut().zip(sums) {
        for (total, sum) in total.iter_mut().zip(sums) {
            *total += sum;
        }
    }
}

/// Computes the sums `[slabs][groups, input blocks][output blocks][taps][16 inputs][16 outputs]`.
fn sum_gradients<S: Simd>(
    simd: S,
    input: &[ChannelBlock],
    gradient: &[ChannelBlock],
    conv: &OffsetConv,
    sums: &mut [ChannelBlock],
) {
    let groups = conv.groups;
    let taps = conv.offsets.len();
    let (in_pixels, out_pixels) = (conv.in_pixels(), conv.out_pixels());
    let in_blocks = groups.count * groups.in_blocks;
    let of_block = groups.out_blocks * taps * LANES;
    let slabs = tasks::ranges(out_pixels, CHUNK, sums.len() / (in_blocks * of_block));
    // Few sums: the output blocks are split, too.
    let threads = rayon::current_num_threads();
    let shares = if in_blocks * slabs.len() >= 2 * threads {
        groups.out_blocks
    } else {
        let share = groups.out_blocks.div_ceil(2 * threads);
        share.next_multiple_of(S::BLOCKS)
    };
    let tasks: Vec<_> = sums
        .chunks_exact_mut(of_block)
        .enumerate()
        .flat_map(|(number, sums)| {
            let slab = slabs[number / in_blocks].clone();
            let shares = sums.chunks_mut(shares * taps * LANES).enumerate();
            shares.map(move |(share, sums)| (slab.clone(), number % in_blocks, share, sums))
        })
        .collect();
    tasks
        .into_par_iter()
        .for_each(|(slab, block, share, sums)| {
            let plane = &input[block * in_pixels..][..in_pixels];
            let group = block / groups.in_blocks;
            let first = group * groups.out_blocks + share * shares;
            with_scratch(taps * CHUNK.min(out_pixels), |gathered| {
                for start in slab.clone().step_by(CHUNK) {
                    let pixels = start..(start + CHUNK).min(slab.end);
                    let count = pixels.len();
                    let inputs: &[ChannelBlock] = if conv.is_pointwise() {
                        &plane[pixels.clone()]
                    } else {
                        let gathered = &mut gathered[..taps * count];
                        simd.vectorize(
                            #[inline(always)]
                            || {
                                for (gathered, &offset) in
                                    gathered.chunks_exact_mut(count).zip(&conv.offsets)
                                {
                                    im2col::gather_tap(
                                        plane,
                                        conv,
                                        offset,
                                        pixels.clone(),
                                        gathered,
                                    );
                                }
                            },
                        );
                        gathered
                    };
                    let gradients =
                        |block: usize| &gradient[(first + block) * out_pixels..][pixels.clone()];
                    multiply(simd, inputs, gradients, taps, start > slab.start, sums);
                }
            });
        });
}

/// Rearranges the sums in the order of the weights, sixteen output channels at a time: each row is written
/// sequentially, from sums that stay in the L1 cache meanwhile.
fn write_weight_gradient(
    sums: &[ChannelBlock],
    geometry: &ConvGeometry,
    taps: &[usize],
    result: &mut [f32],
) {
    let groups = Groups::of(geometry);
    let all = geometry.kernel * geometry.kernel;
    let [inputs, outputs] =
        [geometry.in_channels, geometry.out_channels].map(|channels| channels / geometry.groups);
    let row = inputs * all;
    // Squares of 16 by 16 weights, one after the other.
    let is_matrix = all == 1 && inputs.is_multiple_of(LANES) && outputs.is_multiple_of(LANES);
    let blocks = result.par_chunks_mut(LANES * row).enumerate();
    blocks.for_each(|(block, rows)| {
        if taps.len() < all {
            rows.fill(0.0);
        }
        let group = block / groups.out_blocks;
        let first_output = block * LANES;
        let in_blocks = group * groups.in_blocks..(group + 1) * groups.in_blocks;
        for in_block in in_blocks {
            let start = (in_block * groups.out_blocks + block % groups.out_blocks) * taps.len();
            let sums = &sums[start * LANES..][..taps.len() * LANES];
            let first = in_block * LANES;
            if let (true, Some(sums)) = (is_matrix, sums.first_chunk()) {
                let column = first - first_output / outputs * inputs;
                for (row, lane) in rows.chunks_exact_mut(row).zip(transposed(sums)) {
                    row[column..][..LANES].copy_from_slice(&lane);
                }
                continue;
            }
            for (j, row) in rows.chunks_exact_mut(row).enumerate() {
                // The input channels of the output channel's own group.
                let own = (first_output + j) / outputs * inputs;
                let channels = first.max(own)..(first + LANES).min(own + inputs);
                for input in channels {
                    let row = &mut row[(input - own) * all..][..all];
                    for (sums, &tap) in sums.chunks_exact(LANES).zip(taps) {
                        row[tap] = sums[input - first][j];
                    }
                }
            }
        }
    });
}
