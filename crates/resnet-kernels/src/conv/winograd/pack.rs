//! Weights of Winograd's algorithm, transformed and laid out in the order in which they are read.

use super::Tile;
use super::transform::{Square, Transform};
use crate::conv::offsets::TapWeights;
use crate::layout::{Buffer, blocks, gather_strided};
use crate::simd::{ChannelBlock, Job, LANES, Simd, dispatch};
use rayon::prelude::*;

/// Packs the transformed weights `[tiles of blocks][points][input channels][blocks of the tile][16]` of nine taps in
/// row-major order.
pub fn pack(taps: &TapWeights, tile: Tile, packed: &mut Buffer) {
    struct Pack<'a>(&'a TapWeights<'a>, Tile, &'a mut [ChannelBlock]);
    impl Job for Pack<'_> {
        type Output = ();
        fn run<S: Simd>(self, simd: S) {
            match self.1 {
                Tile::Two => pack_for::<S, 2, 4>(simd, self.0, self.2),
                Tile::Four => pack_for::<S, 4, 6>(simd, self.0, self.2),
            }
        }
    }
    let lanes = blocks(taps.outputs) * tile.points() * blocks(taps.inputs) * LANES;
    packed.reserve(lanes);
    let packed = &mut packed[..lanes];
    if !taps.inputs.is_multiple_of(LANES) {
        packed.fill([0.0; LANES]);
    }
    dispatch(Pack(taps, tile, packed));
}

fn pack_for<S: Simd, const OUT: usize, const IN: usize>(
    simd: S,
    taps: &TapWeights,
    packed: &mut [ChannelBlock],
) where
    Square<OUT, IN>: Transform<OUT, IN>,
{
    let channels = blocks(taps.inputs) * LANES;
    let transform = Square::kernel();
    let points = IN * IN;
    let tiles = packed
        .par_chunks_mut(S::BLOCKS * points * channels)
        .enumerate();
    tiles.for_each(|(tile, packed)| {
        let blocks = packed.len() / (points * channels);
        simd.vectorize(
            #[inline(always)]
            || {
                for block in 0..blocks {
                    let first = (tile * S::BLOCKS + block) * LANES;
                    let outputs = LANES.min(taps.outputs - first);
                    for input in 0..taps.inputs {
                        let kernels = &taps.values[first * taps.out_step + input * taps.in_step..];
                        let kernels: [ChannelBlock; 9] = std::array::from_fn(
                            #[inline(always)]
                            |tap| {
                                let values = &kernels[taps.places[tap]..];
                                if outputs == LANES {
                                    return gather_strided(values, taps.out_step);
                                }
                                let mut lane = [0.0; LANES];
                                let values = values.iter().step_by(taps.out_step);
                                lane.iter_mut()
                                    .take(outputs)
                                    .zip(values)
                                    .for_each(|(a, b)| *a = *b);
                                lane
                            },
                        );
                        let place = input * blocks + block;
                        transform_kernels(
                            simd,
                            &transform,
                            &kernels,
                            packed,
                            channels * blocks,
                            place,
                        );
                    }
                }
            },
        );
    });
}

/// Computes `G g G^T` of sixteen kernels at once, where `kernels[3 r + c]` holds their values at row r and column c;
/// point p is written to `target[p * step + place]`.
#[inline(always)]
fn transform_kernels<S: Simd, const IN: usize>(
    simd: S,
    transform: &[[f32; 3]; IN],
    kernels: &[ChannelBlock; 9],
    target: &mut [ChannelBlock],
    step: usize,
    place: usize,
) {
    let combine = |row: &[f32; 3], [a, b, c]: [S::V; 3]| {
        let [x, y, z] = row.map(|factor| simd.splat(factor));
        simd.mul_add(a, x, simd.mul_add(b, y, simd.mul(c, z)))
    };
    for p in 0..IN {
        let mut half = [simd.splat(0.0); 3];
        for (c, half) in half.iter_mut().enumerate() {
            let column = [
                simd.load(&kernels[c]),
                simd.load(&kernels[3 + c]),
                simd.load(&kernels[6 + c]),
            ];
            *half = combine(&transform[p], column);
        }
        for q in 0..IN {
            let point = combine(&transform[q], half);
            simd.store(&mut target[(p * IN + q) * step + place], point);
        }
    }
}
