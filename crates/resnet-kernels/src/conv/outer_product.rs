//! Outer products of inputs and gradients, summed over pixels: what the gradients of weights consist of.

use crate::simd::{ChannelBlock, LANES, Simd};
use crate::tile::each;

/// Input channels of a register tile: half of a block, so that two blocks of output channels fit beside them.
pub(super) const ROWS: usize = 8;

/// Computes [`outer`] for all output blocks that `sums` has room for, several at a time: `gradients` returns those of a
/// block.
pub(super) fn multiply<'a, S: Simd>(
    simd: S,
    inputs: &[ChannelBlock],
    gradients: impl Fn(usize) -> &'a [ChannelBlock],
    taps: usize,
    adds: bool,
    sums: &mut [ChannelBlock],
) {
    let of_block = taps * LANES;
    for (tile, sums) in sums.chunks_mut(S::BLOCKS * of_block).enumerate() {
        let block = tile * S::BLOCKS;
        if sums.len() == 2 * of_block {
            let gradients = [gradients(block), gradients(block + 1)];
            outer::<S, 2>(simd, inputs, gradients, taps, adds, sums);
        } else {
            outer::<S, 1>(simd, inputs, [gradients(block)], taps, adds, sums);
        }
    }
}

/// Writes the products of the inputs of each tap, `inputs[tap][pixel][16]`, and the gradients of `N` output blocks to
/// `sums[block][tap][16 inputs][16 outputs]`, or adds them.
#[inline(never)]
fn outer<S: Simd, const N: usize>(
    simd: S,
    inputs: &[ChannelBlock],
    gradients: [&[ChannelBlock]; N],
    taps: usize,
    adds: bool,
    sums: &mut [ChannelBlock],
) {
    let pixels = gradients[0].len();
    simd.vectorize(
        #[inline(always)]
        || {
            for (tap, inputs) in inputs.chunks_exact(pixels).enumerate() {
                for half in 0..LANES / ROWS {
                    let first = |n: usize| (n * taps + tap) * LANES + half * ROWS;
                    let mut totals = [[simd.splat(0.0); N]; ROWS];
                    if adds {
                        each!(n in N, 0 1, {
                            let sums = &sums[first(n)..][..ROWS];
                            each!(m in ROWS, 0 1 2 3 4 5 6 7, { totals[m][n] = simd.load(&sums[m]); });
                        });
                    }
                    for (pixel, lane) in inputs.iter().enumerate() {
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
