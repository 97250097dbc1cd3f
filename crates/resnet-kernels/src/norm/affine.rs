//! The normalization itself, as an affine map, with a residual and ReLU.

use super::statistics::{Statistics, inverse_std};
use super::sums::split;
use crate::simd::{ChannelBlock, Job, LANES, Simd, dispatch};
use rayon::prelude::*;

/// The affine map `y = x * scale + shift` of a block's channels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine {
    /// Scales.
    pub scale: ChannelBlock,
    /// Shifts.
    pub shift: ChannelBlock,
}

/// Returns the maps with which [`apply`] computes `y = (x - mean) / sqrt(variance + eps) * weight + bias`; weight and
/// bias are laid out by [`vector`](crate::layout::vector).
pub fn affine(
    statistics: &[Statistics],
    weight: &[ChannelBlock],
    bias: &[ChannelBlock],
    eps: f64,
) -> Vec<Affine> {
    let of_block = |((statistics, weight), bias): ((&Statistics, &ChannelBlock), &ChannelBlock)| {
        let scale: [f64; LANES] = std::array::from_fn(|j| {
            f64::from(weight[j]) * inverse_std(statistics.variance[j], eps)
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
    input: &[ChannelBlock],
    affine: &[Affine],
    residual: Option<&[ChannelBlock]>,
    relu: bool,
    output: &mut [ChannelBlock],
) {
    struct Apply<'a>(
        &'a [ChannelBlock],
        &'a [Affine],
        Option<&'a [ChannelBlock]>,
        bool,
        &'a mut [ChannelBlock],
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

/// Computes `relu(x * scale + shift + y)` in place of `y`, each map for an equal part of the input.
///
/// # Panics
/// If input and output differ in size.
pub fn apply_onto(input: &[ChannelBlock], affine: &[Affine], output: &mut [ChannelBlock]) {
    struct Apply<'a>(&'a [ChannelBlock], &'a [Affine], &'a mut [ChannelBlock]);
    impl Job for Apply<'_> {
        type Output = ();
        fn run<S: Simd>(self, simd: S) {
            let Self(input, affine, output) = self;
            let pixels = output.len() / affine.len();
            split(output, pixels)
                .into_par_iter()
                .for_each(|(block, piece, output)| {
                    let input = &input[block * pixels..][piece];
                    let Affine { scale, shift } = &affine[block];
                    simd.vectorize(
                        #[inline(always)]
                        || {
                            let (scale, shift) = (simd.load(scale), simd.load(shift));
                            let floor = simd.splat(0.0);
                            for (output, input) in output.iter_mut().zip(input) {
                                let value = simd.mul_add(simd.load(input), scale, shift);
                                let value = simd.add(value, simd.load(output));
                                simd.store(output, simd.max(floor, value));
                            }
                        },
                    );
                });
        }
    }
    assert_eq!(input.len(), output.len());
    dispatch(Apply(input, affine, output));
}
