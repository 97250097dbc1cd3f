//! A convolution in training: its output, and the gradients of its input and its weights.
//!
//! - The input gradient is a convolution of the output gradient, by the same algorithms: with the flipped kernel for
//!   stride 1; for a larger stride, the input pixels fall into `stride²` phases, each of which only some taps read.
//! - The weight gradient is a product over the pixels of all images: a block of input channels, as read by a tap, times
//!   the output gradient. Pixels are processed in order, so the sums are the same for any number of threads. Many
//!   channels under a 3x3 kernel use Winograd's algorithm.

use super::super::ConvGeometry;
use super::super::aligned::Lanes;
use super::super::blocked::transposed;
use super::super::simd::{Job, LANES, Lane, Simd, dispatch};
use super::super::tile::{Ending, Held, each};
use super::groups::Groups;
use super::scratch::with_scratch;
use super::view::{Taps, View, seeing_taps};
use super::{Algorithm, choose, direct, gather, stem, tasks, winograd};
use rayon::prelude::*;

/// Number of pixels whose products with all output channels stay in a core's caches.
const CHUNK: usize = 256;

/// Memory that a convolution reuses from step to step.
#[derive(Debug, Default)]
pub struct Workspace {
    packed: Lanes,
    phase: Lanes,
    sums: Lanes,
    winograd: winograd::gradient::Memory,
    /// The images as the stem's forward pass expanded them.
    pub(super) pictures: Vec<f32>,
}

/// Computes the output `[C_out / 16, N, H', W', 16]` of the input `[C_in / 16, N, H, W, 16]` and weights `[C_out, C_in
/// / groups, k, k]`.
pub fn forward(
    input: &[Lane],
    weight: &[f32],
    geometry: &ConvGeometry,
    workspace: &mut Workspace,
    output: &mut [Lane],
) {
    let taps = Taps::forward(weight, geometry);
    let packed = &mut workspace.packed;
    if let Algorithm::Winograd(tile) = choose(geometry) {
        winograd::pack(&taps, tile, packed);
        winograd::forward(
            input,
            packed,
            geometry,
            tile,
            Held::Nothing,
            Ending::default(),
            output,
        );
    } else {
        direct::pack(&taps.seeing(geometry), Groups::of(geometry), packed);
        direct::forward(
            input,
            packed,
            &View::forward(geometry),
            Held::Nothing,
            Ending::default(),
            output,
        );
    }
}

/// Computes [`forward`] for images `[N, C, H, W]` of few channels ([`stem::fits`]).
pub fn forward_on_pictures(
    pictures: &[f32],
    weight: &[f32],
    geometry: &ConvGeometry,
    workspace: &mut Workspace,
    output: &mut [Lane],
) {
    stem::pack(weight, geometry, &mut workspace.packed);
    let length = stem::padded_len(geometry);
    let buffer = &mut workspace.pictures;
    buffer.resize(length.max(buffer.len()), 0.0);
    let (packed, buffer) = (&workspace.packed, &mut buffer[..length]);
    stem::forward(
        pictures,
        buffer,
        packed,
        geometry,
        Ending::default(),
        output,
    );
}

/// Computes the gradient of the input from the gradient of the output and the weights, and adds it to `result`.
pub fn grad_input(
    gradient: &[Lane],
    weight: &[f32],
    geometry: &ConvGeometry,
    held: Held,
    workspace: &mut Workspace,
    result: &mut [Lane],
) {
    let Workspace { packed, phase, .. } = workspace;
    let ending = Ending::default();
    let flipped = ConvGeometry {
        in_channels: geometry.out_channels,
        out_channels: geometry.in_channels,
        height: geometry.out_height(),
        width: geometry.out_width(),
        padding: (geometry.reach() - 1).saturating_sub(geometry.padding),
        ..*geometry
    };
    if let Algorithm::Winograd(tile) = choose(&flipped)
        && geometry.padding < geometry.reach()
    {
        let places = (0..9).rev().collect();
        winograd::pack(&Taps::transposed(weight, geometry, places), tile, packed);
        return winograd::forward(gradient, packed, &flipped, tile, held, ending, result);
    }
    let stride = geometry.stride;
    for row in 0..stride.min(geometry.height) {
        for column in 0..stride.min(geometry.width) {
            let (view, places) = seen_by(geometry, [row, column]);
            let is_seen = !places.is_empty();
            if is_seen {
                let taps = Taps::transposed(weight, geometry, places);
                direct::pack(&taps, view.groups, packed);
            }
            if stride == 1 {
                return direct::forward(gradient, packed, &view, held, ending, result);
            }
            let lanes = view.groups.count * view.groups.out_blocks * view.out_pixels();
            phase.reserve(lanes);
            let phase = &mut phase[..lanes];
            if is_seen {
                direct::forward(gradient, packed, &view, Held::Nothing, ending, phase);
            } else {
                phase.fill([0.0; LANES]);
            }
            scatter(phase, &view, geometry, [row, column], held, result);
        }
    }
}

/// Returns the taps that read the input pixels of a phase, those at `row + stride * i` and `column + stride * j`, and
/// their positions in the output.
fn seen_by(geometry: &ConvGeometry, [row, column]: [usize; 2]) -> (View, Vec<usize>) {
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
    for tap in seeing_taps(geometry) {
        let at = (offset(row, tap / kernel), offset(column, tap % kernel));
        if let (Some(dr), Some(dc)) = at {
            offsets.push([dr, dc]);
            places.push(tap);
        }
    }
    let view = View {
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
    (view, places)
}

/// Adds the gradients of a phase to their positions in the result.
fn scatter(
    phase: &[Lane],
    view: &View,
    geometry: &ConvGeometry,
    [row, column]: [usize; 2],
    held: Held,
    result: &mut [Lane],
) {
    let [rows, columns] = view.output;
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
                *target = match held {
                    Held::Nothing => *lane,
                    Held::Sums | Held::Residual => std::array::from_fn(|j| lane[j] + target[j]),
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
    input: &[Lane],
    gradient: &[Lane],
    geometry: &ConvGeometry,
    workspace: &mut Workspace,
    result: &mut [f32],
) {
    struct Sums<'a>(&'a [Lane], &'a [Lane], &'a View, &'a mut [Lane]);
    impl Job for Sums<'_> {
        type Output = ();
        fn run<S: Simd>(self, simd: S) {
            sum_gradients(simd, self.0, self.1, self.2, self.3);
        }
    }
    assert_eq!(result.len(), geometry.weights(), "the weights' size");
    if winograd::gradient::pays(geometry) {
        return grad_weight_by_winograd(input, gradient, geometry, workspace, result);
    }
    let view = View::forward(geometry);
    let groups = view.groups;
    let blocks = groups.count * groups.in_blocks * groups.out_blocks;
    let lanes = blocks * view.offsets.len() * LANES;
    let slabs = slabs(&view);
    workspace.sums.reserve(slabs * lanes);
    let sums = &mut workspace.sums[..slabs * lanes];
    dispatch(Sums(input, gradient, &view, sums));
    let (total, others) = sums.split_at_mut(lanes);
    for sums in others.chunks_exact(lanes) {
        add(total, sums);
    }
    place_gradients(total, geometry, &seeing_taps(geometry), result);
}

/// Computes [`grad_weight`] of a convolution that [`winograd::fits`].
pub fn grad_weight_by_winograd(
    input: &[Lane],
    gradient: &[Lane],
    geometry: &ConvGeometry,
    workspace: &mut Workspace,
    result: &mut [f32],
) {
    let taps: Vec<usize> = (0..9).collect();
    let Workspace { sums, winograd, .. } = workspace;
    let groups = Groups::of(geometry);
    sums.reserve(groups.in_blocks * groups.out_blocks * taps.len() * LANES);
    winograd::gradient::sums(input, gradient, geometry, winograd, sums);
    place_gradients(sums, geometry, &taps, result);
}

/// Returns the number of parts into which the pixels are split, each with its own sums: a function of shapes only. Few
/// channels have few sums, which would leave threads without work.
fn slabs(view: &View) -> usize {
    /// Number of sums that is enough for the threads of any machine: of one block of inputs and two of outputs each.
    const ENOUGH: usize = 32;
    let groups = view.groups;
    let sums = groups.count * groups.in_blocks * groups.out_blocks.div_ceil(2);
    (ENOUGH / sums).min(view.out_pixels() / CHUNK).max(1)
}

fn add(total: &mut [Lane], sums: &[Lane]) {
    for (total, sums) in total.iter_mut().zip(sums) {
        for (total, sum) in total.iter_mut().zip(sums) {
            *total += sum;
        }
    }
}

/// Computes the sums `[slabs][groups, input blocks][output blocks][taps][16 inputs][16 outputs]`.
fn sum_gradients<S: Simd>(
    simd: S,
    input: &[Lane],
    gradient: &[Lane],
    view: &View,
    sums: &mut [Lane],
) {
    let groups = view.groups;
    let taps = view.offsets.len();
    let (in_pixels, out_pixels) = (view.in_pixels(), view.out_pixels());
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
                    let seen: &[Lane] = if view.is_pointwise() {
                        &plane[pixels.clone()]
                    } else {
                        let gathered = &mut gathered[..taps * count];
                        simd.vectorize(
                            #[inline(always)]
                            || {
                                for (gathered, &offset) in
                                    gathered.chunks_exact_mut(count).zip(&view.offsets)
                                {
                                    gather::tap(plane, view, offset, pixels.clone(), gathered);
                                }
                            },
                        );
                        gathered
                    };
                    let gradients =
                        |block: usize| &gradient[(first + block) * out_pixels..][pixels.clone()];
                    multiply(simd, seen, gradients, taps, start > slab.start, sums);
                }
            });
        });
}

/// Input channels of a register tile: half of a block, so that two blocks of output channels fit beside them.
pub(super) const ROWS: usize = 8;

/// Computes [`outer`] for all output blocks that `sums` has room for, several at a time: `gradients` returns those of a
/// block.
pub(super) fn multiply<'a, S: Simd>(
    simd: S,
    seen: &[Lane],
    gradients: impl Fn(usize) -> &'a [Lane],
    taps: usize,
    adds: bool,
    sums: &mut [Lane],
) {
    let of_block = taps * LANES;
    for (tile, sums) in sums.chunks_mut(S::BLOCKS * of_block).enumerate() {
        let block = tile * S::BLOCKS;
        if sums.len() == 2 * of_block {
            let gradients = [gradients(block), gradients(block + 1)];
            outer::<S, 2>(simd, seen, gradients, taps, adds, sums);
        } else {
            outer::<S, 1>(simd, seen, [gradients(block)], taps, adds, sums);
        }
    }
}

/// Writes the products of the inputs of each tap, `seen[tap][pixel][16]`, and the gradients of `N` output blocks to
/// `sums[block][tap][16 inputs][16 outputs]`, or adds them.
#[inline(never)]
fn outer<S: Simd, const N: usize>(
    simd: S,
    seen: &[Lane],
    gradients: [&[Lane]; N],
    taps: usize,
    adds: bool,
    sums: &mut [Lane],
) {
    let pixels = gradients[0].len();
    simd.vectorize(
        #[inline(always)]
        || {
            for (tap, seen) in seen.chunks_exact(pixels).enumerate() {
                for half in 0..LANES / ROWS {
                    let first = |n: usize| (n * taps + tap) * LANES + half * ROWS;
                    let mut totals = [[simd.splat(0.0); N]; ROWS];
                    if adds {
                        each!(n in N, 0 1, {
                            let sums = &sums[first(n)..][..ROWS];
                            each!(m in ROWS, 0 1 2 3 4 5 6 7, { totals[m][n] = simd.load(&sums[m]); });
                        });
                    }
                    for (pixel, lane) in seen.iter().enumerate() {
                        let mut vectors = [simd.splat(0.0); N];
                        each!(n in N, 0 1, { vectors[n] = simd.load(&gradients[n][pixel]); });
                        let (halves, _) = lane.as_chunks::<ROWS>();
                        let values = &halves[half];
                        each!(m in ROWS, 0 1 2 3 4 5 6 7, {
                            let value = simd.splat(values[m]);
                            each!(n in N, 0 1, { totals[m][n] = simd.mul_add(value, vectors[n], totals[m][n]); });
                        });
                    }
                    each!(n in N, 0 1, {
                        let sums = &mut sums[first(n)..][..ROWS];
                        each!(m in ROWS, 0 1 2 3 4 5 6 7, { simd.store(&mut sums[m], totals[m][n]); });
                    });
                }
            }
        },
    );
}

/// Rearranges the sums in the order of the weights, sixteen output channels at a time: each row is written
/// sequentially, from sums that stay in the L1 cache meanwhile.
fn place_gradients(sums: &[Lane], geometry: &ConvGeometry, taps: &[usize], result: &mut [f32]) {
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
                let seen = first.max(own)..(first + LANES).min(own + inputs);
                for input in seen {
                    let row = &mut row[(input - own) * all..][..all];
                    for (sums, &tap) in sums.chunks_exact(LANES).zip(taps) {
                        row[tap] = sums[input - first][j];
                    }
                }
            }
        }
    });
}
