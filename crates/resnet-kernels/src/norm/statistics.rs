//! Means and variances of channels.

use super::sums::{CHUNK, Wide, pieces, sums_of, total};
use crate::simd::{ChannelBlock, Job, LANES, Simd, dispatch};
use rayon::prelude::*;

/// Squared distance of an outlier from the mean, in variances: f32 sums of smaller distances keep at least 4 digits.
const FAR: f64 = 1000.0;

/// Mean and biased variance of a block's channels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Statistics {
    /// Means.
    pub mean: ChannelBlock,
    /// Variances.
    pub variance: ChannelBlock,
}

/// Returns the statistics of each block of `pixels` pixels.
///
/// # Panics
/// If there are no pixels.
pub fn statistics(input: &[ChannelBlock], pixels: usize) -> Vec<Statistics> {
    let firsts: Vec<ChannelBlock> = input.iter().step_by(pixels).copied().collect();
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
fn statistics_around(
    input: &[ChannelBlock],
    pixels: usize,
    origins: &[ChannelBlock],
) -> Vec<Statistics> {
    struct Sums<'a>(&'a [ChannelBlock], usize, &'a [ChannelBlock]);
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
            let [sum, squares] = total(sums);
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
fn distances<S: Simd>(simd: S, pixels: &[ChannelBlock], origin: &ChannelBlock) -> [Wide; 2] {
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

/// Returns `1 / sqrt(variance + eps)`.
pub(super) fn inverse_std(variance: f32, eps: f64) -> f64 {
    (f64::from(variance) + eps).sqrt().recip()
}
