//! Batch norm in training, in the blocked layout, fused with a residual and ReLU.
//!
//! - Statistics are computed in one pass: sums of the distances from the block's first pixel, and of their squares,
//!   over 64 pixels in f32 and over these partial sums in f64, so that neither a large mean nor many pixels lose
//!   precision. Channels whose first pixel is an outlier are summed a second time, around their mean.
//! - Pixels are partitioned by their number only, and partial sums are added in order: the same bits for any number of
//!   threads.
//! - Batch Normalization, <https://arxiv.org/abs/1502.03167>; gradients as in its section 3.

use super::simd::{Job, LANES, Lane, Simd, dispatch};
use rayon::prelude::*;
use std::ops::Range;

/// Number of pixels that are summed in f32.
const GROUP: usize = 64;
/// Number of pixels per task.
const CHUNK: usize = 4096;

/// Squared distance of an outlier from the mean, in variances: f32 sums of smaller distances keep at least 4 digits.
const FAR: f64 = 1000.0;

/// One number for each channel of a block.
type Wide = [f64; LANES];

/// Mean and biased variance of a block's channels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Statistics {
    /// Means.
    pub mean: Lane,
    /// Variances.
    pub variance: Lane,
}

/// The affine map `y = x * scale + shift` of a block's channels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine {
    /// Scales.
    pub scale: Lane,
    /// Shifts.
    pub shift: Lane,
}

/// Returns the statistics of each block of `pixels` pixels.
///
/// # Panics
/// If there are no pixels.
pub fn statistics(input: &[Lane], pixels: usize) -> Vec<Statistics> {
    let firsts: Vec<Lane> = input.iter().step_by(pixels).copied().collect();
    let mut all = statistics_around(input, pixels, &firsts);
    for ((found, first), block) in all.iter_mut().zip(firsts).zip(input.chunks_exact(pixels)) {
        let is_far: [bool; LANES] = std::array::from_fn(|j| {
            let distance = f64::from(first[j]) - f64::from(found.mean[j]);
            distance * distance > FAR * f64::from(found.variance[j])
        });
        if !is_far.contains(&true) {
            continue;
        }
        let [again] = statistics_around(block, pixels, &[found.mean])[..] else {
            continue;
        };
        for j in (0..LANES).filter(|&j| is_far[j]) {
            found.mean[j] = again.mean[j];
            found.variance[j] = again.variance[j];
        }
    }
    all
}

/// Returns the statistics, computed from sums of the distances from one origin per block.
fn statistics_around(input: &[Lane], pixels: usize, origins: &[Lane]) -> Vec<Statistics> {
    struct Sums<'a>(&'a [Lane], usize, &'a [Lane]);
    impl Job for Sums<'_> {
        type Output = Vec<[Wide; 2]>;
        fn run<S: Simd>(self, simd: S) -> Vec<[Wide; 2]> {
            let Self(input, pixels, origins) = self;
            let pieces = pieces(input.len() / pixels, pixels);
            let sums = pieces.into_par_iter().map(|(block, piece)| {
                let pixels = &input[block * pixels..][..pixels][piece.clone()];
                simd.vectorize(
                    #[inline(always)]
                    || distances(simd, pixels, &origins[block]),
                )
            });
            sums.collect()
        }
    }
    let sums = dispatch(Sums(input, pixels, origins));
    let of_block = pixels.div_ceil(CHUNK);
    let count = pixels as f64;
    let blocks = origins.iter().zip(sums.chunks_exact(of_block));
    blocks
        .map(|(origin, sums)| {
            let [sum, squares] = added(sums);
            let distance = sum.map(|sum| sum / count);
            Statistics {
                mean: std::array::from_fn(|j| (f64::from(origin[j]) + distance[j]) as f32),
                variance: std::array::from_fn(|j| {
                    let variance = squares[j] / count - distance[j] * distance[j];
                    // Rounding may produce a negative number; NaN stays NaN.
                    (if variance < 0.0 { 0.0 } else { variance }) as f32
                }),
            }
        })
        .collect()
}

/// Returns the sums of the distances from `origin`, and of their squares.
#[inline(always)]
fn distances<S: Simd>(simd: S, pixels: &[Lane], origin: &Lane) -> [Wide; 2] {
    let origin = simd.load(origin);
    sums_of(
        simd,
        pixels.len(),
        #[inline(always)]
        |pixel| {
            let distance = simd.sub(simd.load(&pixels[pixel]), origin);
            [distance, simd.mul(distance, distance)]
        },
    )
}

/// Returns the sums of two terms over `count` pixels.
#[inline(always)]
fn sums_of<S: Simd>(simd: S, count: usize, mut terms: impl FnMut(usize) -> [S::V; 2]) -> [Wide; 2] {
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

fn added(sums: &[[Wide; 2]]) -> [Wide; 2] {
    let mut total = [[0.0; LANES]; 2];
    for sums in sums {
        for (total, sums) in total.iter_mut().zip(sums) {
            for (total, &sum) in total.iter_mut().zip(sums) {
                *total += sum;
            }
        }
    }
    total
}

fn inverse_deviation(variance: f32, eps: f64) -> f64 {
    (f64::from(variance) + eps).sqrt().recip()
}

/// Returns the maps with which [`apply`] computes `y = (x - mean) / sqrt(variance + eps) * weight + bias`; weight and
/// bias are laid out by [`vector`](super::blocked::vector).
pub fn affine(statistics: &[Statistics], weight: &[Lane], bias: &[Lane], eps: f64) -> Vec<Affine> {
    let of_block = |((statistics, weight), bias): ((&Statistics, &Lane), &Lane)| {
        let scale: [f64; LANES] = std::array::from_fn(|j| {
            f64::from(weight[j]) * inverse_deviation(statistics.variance[j], eps)
        });
        Affine {
            scale: scale.map(|scale| scale as f32),
            shift: std::array::from_fn(|j| {
                (f64::from(bias[j]) - f64::from(statistics.mean[j]) * scale[j]) as f32
            }),
        }
    };
    let blocks = statistics.iter().zip(weight).zip(bias);
    blocks.map(of_block).collect()
}

/// Computes `y = x * scale + shift`, adds `residual` if given, and applies ReLU if requested.
///
/// # Panics
/// If input, residual and output differ in size.
pub fn apply(
    input: &[Lane],
    affine: &[Affine],
    residual: Option<&[Lane]>,
    relu: bool,
    output: &mut [Lane],
) {
    struct Apply<'a>(
        &'a [Lane],
        &'a [Affine],
        Option<&'a [Lane]>,
        bool,
        &'a mut [Lane],
    );
    impl Job for Apply<'_> {
        type Output = ();
        fn run<S: Simd>(self, simd: S) {
            let Self(input, affine, residual, relu, output) = self;
            let pixels = output.len() / affine.len();
            split(output, pixels)
                .into_par_iter()
                .for_each(|(block, piece, output)| {
                    let whole = block * pixels + piece.start..block * pixels + piece.end;
                    let input = &input[whole.clone()];
                    let residual = residual.map(|residual| &residual[whole.clone()]);
                    let Affine { scale, shift } = &affine[block];
                    simd.vectorize(
                        #[inline(always)]
                        || {
                            let (scale, shift) = (simd.load(scale), simd.load(shift));
                            let floor = simd.splat(if relu { 0.0 } else { f32::NEG_INFINITY });
                            match residual {
                                None => {
                                    for (output, input) in output.iter_mut().zip(input) {
                                        let value = simd.mul_add(simd.load(input), scale, shift);
                                        simd.store(output, simd.max(floor, value));
                                    }
                                }
                                Some(residual) => {
                                    let pixels = output.iter_mut().zip(input).zip(residual);
                                    for ((output, input), residual) in pixels {
                                        let value = simd.mul_add(simd.load(input), scale, shift);
                                        let value = simd.add(value, simd.load(residual));
                                        simd.store(output, simd.max(floor, value));
                                    }
                                }
                            }
                        },
                    );
                });
        }
    }
    assert!(
        input.len() == output.len()
            && residual.is_none_or(|residual| residual.len() == input.len())
    );
    dispatch(Apply(input, affine, residual, relu, output));
}

/// Returns the gradients of batch norm's weight and bias, `[C]` each, padded to whole blocks, from its input and the
/// gradient of its output; the gradient of the input overwrites the input. With x̂ the normalized input and m the
/// number of pixels, `dx = weight / sqrt(variance + eps) * (dy - sum(dy) / m - x̂ * sum(dy x̂) / m)`. With `output`,
/// which is ReLU's, gradients are first set to zero where it is not positive.
///
/// # Panics
/// If the inputs differ in size.
pub fn gradients(
    input: &mut [Lane],
    gradient: &mut [Lane],
    output: Option<&[Lane]>,
    statistics: &[Statistics],
    weight: &[Lane],
    eps: f64,
) -> [Vec<f32>; 2] {
    let count = (gradient.len() / statistics.len()) as f64;
    let sums = gradient_sums(input, gradient, output, statistics);
    let (mut of_weight, mut of_bias) = (Vec::new(), Vec::new());
    let mut slopes = Vec::with_capacity(weight.len());
    for ((statistics, weight), [plain, weighted]) in statistics.iter().zip(weight).zip(&sums) {
        let inverse = statistics
            .variance
            .map(|variance| inverse_deviation(variance, eps));
        of_weight.extend((0..LANES).map(|j| (weighted[j] * inverse[j]) as f32));
        of_bias.extend(plain.map(|sum| sum as f32));
        slopes.push([
            std::array::from_fn(|j| (f64::from(weight[j]) * inverse[j]) as f32),
            plain.map(|sum| (sum / count) as f32),
            std::array::from_fn(|j| (weighted[j] / count * inverse[j] * inverse[j]) as f32),
        ]);
    }
    grad_input(input, gradient, statistics, &slopes);
    [of_weight, of_bias]
}

/// Returns, for each block, the sum of the gradients of its pixels, and of the gradients times the distance of the
/// input from the mean. With `output`, which is ReLU's, gradients are first set to zero where it is not positive.
fn gradient_sums(
    input: &[Lane],
    gradient: &mut [Lane],
    output: Option<&[Lane]>,
    statistics: &[Statistics],
) -> Vec<[Wide; 2]> {
    struct Sums<'a>(
        &'a [Lane],
        &'a mut [Lane],
        Option<&'a [Lane]>,
        &'a [Statistics],
    );
    impl Job for Sums<'_> {
        type Output = Vec<[Wide; 2]>;
        fn run<S: Simd>(self, simd: S) -> Vec<[Wide; 2]> {
            let Self(input, gradient, output, statistics) = self;
            let pixels = gradient.len() / statistics.len();
            let sums = split(gradient, pixels)
                .into_par_iter()
                .map(|(block, piece, gradient)| {
                    let whole = block * pixels + piece.start..block * pixels + piece.end;
                    let input = &input[whole.clone()];
                    let output = output.map(|output| &output[whole.clone()]);
                    simd.vectorize(
                        #[inline(always)]
                        || {
                            let mean = simd.load(&statistics[block].mean);
                            match output {
                                None => sums_of(
                                    simd,
                                    input.len(),
                                    #[inline(always)]
                                    |pixel| {
                                        let g = simd.load(&gradient[pixel]);
                                        [g, simd.mul(g, simd.sub(simd.load(&input[pixel]), mean))]
                                    },
                                ),
                                Some(output) => sums_of(
                                    simd,
                                    input.len(),
                                    #[inline(always)]
                                    |pixel| {
                                        let g = simd.load(&gradient[pixel]);
                                        let g = simd.where_positive(simd.load(&output[pixel]), g);
                                        simd.store(&mut gradient[pixel], g);
                                        [g, simd.mul(g, simd.sub(simd.load(&input[pixel]), mean))]
                                    },
                                ),
                            }
                        },
                    )
                });
            sums.collect()
        }
    }
    let pixels = gradient.len() / statistics.len();
    let sums = dispatch(Sums(input, gradient, output, statistics));
    sums.chunks_exact(pixels.div_ceil(CHUNK))
        .map(added)
        .collect()
}

/// Overwrites the input with its gradient: `slope[0] * (g - slope[1] - (x - mean) * slope[2])`.
fn grad_input(
    input: &mut [Lane],
    gradient: &[Lane],
    statistics: &[Statistics],
    slopes: &[[Lane; 3]],
) {
    struct GradInput<'a>(
        &'a mut [Lane],
        &'a [Lane],
        &'a [Statistics],
        &'a [[Lane; 3]],
    );
    impl Job for GradInput<'_> {
        type Output = ();
        fn run<S: Simd>(self, simd: S) {
            let Self(input, gradient, statistics, slopes) = self;
            let pixels = gradient.len() / statistics.len();
            split(input, pixels)
                .into_par_iter()
                .for_each(|(block, piece, input)| {
                    let gradient = &gradient[block * pixels..][piece];
                    simd.vectorize(
                        #[inline(always)]
                        || {
                            let mean = simd.load(&statistics[block].mean);
                            let [scale, offset, slope] =
                                [0, 1, 2].map(|i| simd.load(&slopes[block][i]));
                            for (input, gradient) in input.iter_mut().zip(gradient) {
                                let distance = simd.sub(simd.load(input), mean);
                                let rest = simd.sub(simd.load(gradient), offset);
                                let rest = simd.sub(rest, simd.mul(distance, slope));
                                simd.store(input, simd.mul(scale, rest));
                            }
                        },
                    );
                });
        }
    }
    assert_eq!(input.len(), gradient.len());
    dispatch(GradInput(input, gradient, statistics, slopes));
}

/// Returns the pieces of blocks of `pixels` pixels: the block of each piece, and its pixels within the block.
fn pieces(blocks: usize, pixels: usize) -> Vec<(usize, Range<usize>)> {
    let of_block = move |block| {
        let starts = (0..pixels).step_by(CHUNK);
        starts.map(move |start| (block, start..(start + CHUNK).min(pixels)))
    };
    (0..blocks).flat_map(of_block).collect()
}

/// Returns the same pieces with their values.
fn split(values: &mut [Lane], pixels: usize) -> Vec<(usize, Range<usize>, &mut [Lane])> {
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
