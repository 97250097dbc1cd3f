//! The gradients of batch norm.

use super::statistics::{Statistics, inverse_std};
use super::sums::{CHUNK, Wide, split, sums_of, total};
use crate::simd::{ChannelBlock, Job, LANES, Simd, dispatch};
use rayon::prelude::*;

/// Returns the gradients of batch norm's weight and bias, `[C]` each, padded to whole blocks, from its input and the
/// gradient of its output; the gradient of the input overwrites the input. With x̂ the normalized input and m the
/// number of pixels, `dx = weight / sqrt(variance + eps) * (dy - sum(dy) / m - x̂ * sum(dy x̂) / m)`. With `output`,
/// which is ReLU's, gradients are first set to zero where it is not positive.
///
/// It is [`gradient_sums`], [`grad_parameters`] and [`grad_input`] in one; with statistics of more pixels than these, the
/// sums are added to those of the other pixels before the last.
///
/// # Panics
/// If the inputs differ in size.
pub fn gradients(
    input: &mut [ChannelBlock],
    gradient: &mut [ChannelBlock],
    output: Option<&[ChannelBlock]>,
    statistics: &[Statistics],
    weight: &[ChannelBlock],
    eps: f64,
) -> [Vec<f32>; 2] {
    let pixels = gradient.len() / statistics.len();
    let sums = gradient_sums(input, gradient, output, statistics);
    grad_input(input, gradient, statistics, weight, eps, &sums, pixels);
    grad_parameters(&sums, statistics, eps)
}

/// Returns the gradients of weight and bias, `[C]` each, padded to whole blocks, from the [`gradient_sums`].
pub fn grad_parameters(sums: &[[Wide; 2]], statistics: &[Statistics], eps: f64) -> [Vec<f32>; 2] {
    let (mut of_weight, mut of_bias) = (Vec::new(), Vec::new());
    for (statistics, [plain, weighted]) in statistics.iter().zip(sums) {
        let inverse = inverses(statistics, eps);
        of_weight.extend((0..LANES).map(|j| (weighted[j] * inverse[j]) as f32));
        of_bias.extend(plain.map(|sum| sum as f32));
    }
    [of_weight, of_bias]
}

/// Overwrites the input with its gradient, given the gradient of the output as [`gradient_sums`] left it. `sums` and
/// `statistics` are those of `pixels` pixels, maybe of more than the input has.
///
/// # Panics
/// If input and gradient differ in size.
pub fn grad_input(
    input: &mut [ChannelBlock],
    gradient: &[ChannelBlock],
    statistics: &[Statistics],
    weight: &[ChannelBlock],
    eps: f64,
    sums: &[[Wide; 2]],
    pixels: usize,
) {
    let count = pixels as f64;
    let mut slopes = Vec::with_capacity(weight.len());
    for ((statistics, weight), [plain, weighted]) in statistics.iter().zip(weight).zip(sums) {
        let inverse = inverses(statistics, eps);
        slopes.push([
            std::array::from_fn(|j| (f64::from(weight[j]) * inverse[j]) as f32),
            plain.map(|sum| (sum / count) as f32),
            std::array::from_fn(|j| (weighted[j] / count * inverse[j] * inverse[j]) as f32),
        ]);
    }
    apply_slopes(input, gradient, statistics, &slopes);
}

fn inverses(statistics: &Statistics, eps: f64) -> Wide {
    statistics
        .variance
        .map(|variance| inverse_std(variance, eps))
}

/// Returns, for each block, the sum of the gradients of its pixels, and of the gradients times the distance of the
/// input from the mean. With `output`, which is ReLU's, gradients are first set to zero where it is not positive.
pub fn gradient_sums(
    input: &[ChannelBlock],
    gradient: &mut [ChannelBlock],
    output: Option<&[ChannelBlock]>,
    statistics: &[Statistics],
) -> Vec<[Wide; 2]> {
    struct Sums<'a>(
        &'a [ChannelBlock],
        &'a mut [ChannelBlock],
        Option<&'a [ChannelBlock]>,
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
        .map(total)
        .collect()
}

/// Overwrites the input with its gradient: `slope[0] * (g - slope[1] - (x - mean) * slope[2])`.
fn apply_slopes(
    input: &mut [ChannelBlock],
    gradient: &[ChannelBlock],
    statistics: &[Statistics],
    slopes: &[[ChannelBlock; 3]],
) {
    struct ApplySlopes<'a>(
        &'a mut [ChannelBlock],
        &'a [ChannelBlock],
        &'a [Statistics],
        &'a [[ChannelBlock; 3]],
    );
    impl Job for ApplySlopes<'_> {
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
    dispatch(ApplySlopes(input, gradient, statistics, slopes));
}
