//! The inverse discrete cosine transform: libjpeg's accurate integer one (`jidctint.c`), bit-identical.
//!
//! It is the algorithm of Loeffler, Ligtenberg and Moschytz ([Practical fast 1-D DCT algorithms with 11
//! multiplications](https://doi.org/10.1109/ICASSP.1989.266596)) on columns and then rows, with factors of 13 binary
//! places and 2 more places kept between the two. Each factor here is the sum of those in one product of the original, so
//! that a sum has a pair of products (`pmaddwd`), as in libjpeg-turbo's vector code. Sums that only damaged data reach
//! wrap or saturate at 16 bits as there.

mod portable;
#[cfg(target_arch = "x86_64")]
mod vector;

use super::block::{BLOCK, Block, COEFFICIENTS};

/// Eight rows of samples.
pub type Samples = [[u8; BLOCK]; BLOCK];
/// A quantization table, row by row. Only the low 16 bits of products with it are used.
pub type Quantization = [i16; COEFFICIENTS];

/// Pairs of factors at 13 binary places, for pairs of values. Each is named after its result.
mod factors {
    /// Of rows 2 and 6.
    pub const EVEN_3: [i16; 2] = [4433 + 6270, 4433];
    pub const EVEN_2: [i16; 2] = [4433, 4433 - 15137];
    /// Of the sums of rows 7 and 3, and of rows 5 and 1.
    pub const SUM_3: [i16; 2] = [9633 - 16069, 9633];
    pub const SUM_4: [i16; 2] = [9633, 9633 - 3196];
    /// Of rows 7 and 1.
    pub const ODD_0: [i16; 2] = [2446 - 7373, -7373];
    pub const ODD_3: [i16; 2] = [-7373, 12299 - 7373];
    /// Of rows 5 and 3.
    pub const ODD_1: [i16; 2] = [16819 - 20995, -20995];
    pub const ODD_2: [i16; 2] = [-20995, 25172 - 20995];
}

/// Binary places of the factors, and those kept between the passes.
const FACTOR_BITS: u32 = 13;
const PASS_BITS: u32 = 2;
/// The shift of the sums of each pass. The second also divides by 8.
const SHIFT_1: u32 = FACTOR_BITS - PASS_BITS;
const SHIFT_2: u32 = FACTOR_BITS + PASS_BITS + 3;

/// An implementation for one of the processor's instruction sets.
pub trait Kernel: Copy {
    /// Returns the samples of a block. `SMALL`: only its first four rows and columns are other than zero.
    fn transform<const SMALL: bool>(self, block: &Block, quantization: &Quantization) -> Samples;

    /// Runs the second pass alone, on eight equal rows.
    fn repeat_row(self, row: [i16; BLOCK]) -> Samples;
}

/// Plain loops for the compiler to vectorize.
#[derive(Debug, Clone, Copy)]
pub struct Portable;

/// Returns the samples of a block. `positions` are the indices of its nonzero coefficients, except the first, or-ed together.
#[inline(always)]
pub fn transform(
    kernel: impl Kernel,
    block: &Block,
    quantization: &Quantization,
    positions: usize,
) -> Samples {
    // The index bits of rows and columns 4 to 7, and of rows other than the first.
    const BEYOND_FOUR: usize = 0b10_0100;
    const BEYOND_FIRST: usize = 0b11_1000;
    if positions == 0 {
        flat(block[0].wrapping_mul(quantization[0]))
    } else if positions & BEYOND_FIRST == 0 {
        // The first pass only scales, and libjpeg-turbo lets it wrap.
        let mut row = [0; BLOCK];
        for ((value, coefficient), factor) in row.iter_mut().zip(block).zip(quantization) {
            *value = coefficient.wrapping_mul(*factor) << PASS_BITS;
        }
        kernel.repeat_row(row)
    } else if positions & BEYOND_FOUR == 0 {
        kernel.transform::<true>(block, quantization)
    } else {
        kernel.transform::<false>(block, quantization)
    }
}

/// Returns the possible indices for [`transform`]: 0 if there is only the first coefficient, and otherwise one index of each half
/// or row that makes a difference.
#[inline]
pub fn positions(block: &Block) -> usize {
    let (rows, _) = block.as_chunks::<BLOCK>();
    let any = |values: &[i16]| values.iter().fold(0, |all, &one| all | one) != 0;
    let index = |values: &[i16], index: usize| if any(values) { index } else { 0 };
    let (upper, lower) = rows.split_at(BLOCK / 2);
    let mut positions = index(&upper[0][1..], 1) | index(lower.as_flattened(), 32);
    for (at, row) in upper.iter().enumerate() {
        positions |= index(&row[BLOCK / 2..], 4) | index(row, if at > 0 { 8 } else { 0 });
    }
    positions
}

/// Returns a block of one coefficient.
#[inline(always)]
fn flat(coefficient: i16) -> Samples {
    let value = i32::from(coefficient << PASS_BITS);
    let sample = (value + (1 << (PASS_BITS + 2))) >> (PASS_BITS + 3);
    [[(sample.clamp(-128, 127) + 128) as u8; BLOCK]; BLOCK]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers from -`range` to `range`, each of `count` positions of the block.
    fn random_block(state: &mut u64, positions: &[usize], range: i32) -> Block {
        let mut block = [0; COEFFICIENTS];
        for &position in positions {
            *state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            block[position] = ((*state >> 33) as i32 % (2 * range + 1) - range) as i16;
        }
        block
    }

    /// Returns the transform by its definition, in floating point.
    fn by_definition(block: &Block) -> [[f64; BLOCK]; BLOCK] {
        use std::f64::consts::{FRAC_1_SQRT_2, PI};
        let scale = |at: usize| if at == 0 { FRAC_1_SQRT_2 } else { 1.0 };
        let wave = |at: usize, of: usize| ((2 * at + 1) as f64 * of as f64 * PI / 16.0).cos();
        let mut samples = [[0.0; BLOCK]; BLOCK];
        for (y, row) in samples.iter_mut().enumerate() {
            for (x, sample) in row.iter_mut().enumerate() {
                let terms = (0..COEFFICIENTS).map(|at| {
                    let (v, u) = (at / BLOCK, at % BLOCK);
                    scale(u) * scale(v) * f64::from(block[at]) * wave(x, u) * wave(y, v)
                });
                *sample = terms.sum::<f64>() / 4.0 + 128.0;
            }
        }
        samples
    }

    #[test]
    fn samples_are_within_one_of_the_definition() {
        let mut state = 1;
        let all: Vec<usize> = (0..COEFFICIENTS).collect();
        for positions in [&all[..], &[0], &[0, 1, 8, 9, 27], &[0, 63], &[5, 40]] {
            for _ in 0..50 {
                let block = random_block(&mut state, positions, 60);
                let or = positions.iter().fold(0, |or, position| or | position);
                let samples = transform(Portable, &block, &[1; COEFFICIENTS], or);
                for (actual, expected) in samples.iter().zip(by_definition(&block)) {
                    for (&actual, expected) in actual.iter().zip(expected) {
                        let expected = expected.clamp(0.0, 255.0);
                        assert!((f64::from(actual) - expected).abs() < 1.0);
                    }
                }
            }
        }
    }

    fn all_ways_agree(kernel: impl Kernel) {
        let mut state = 2;
        let mut quantization = [0; COEFFICIENTS];
        for (at, value) in quantization.iter_mut().enumerate() {
            *value = (1 + at * 7 % 90) as i16;
        }
        let all: Vec<usize> = (0..COEFFICIENTS).collect();
        let small: Vec<usize> = all
            .iter()
            .copied()
            .filter(|at| at & 0b10_0100 == 0)
            .collect();
        for range in [3, 100, 2000, 32767] {
            for _ in 0..200 {
                let block = random_block(&mut state, &all, range);
                let expected = Portable.transform::<false>(&block, &quantization);
                assert_eq!(
                    transform(kernel, &block, &quantization, 63),
                    expected,
                    "{range}"
                );
                let block = random_block(&mut state, &small, range);
                let expected = Portable.transform::<false>(&block, &quantization);
                assert_eq!(
                    transform(kernel, &block, &quantization, 0b1_1011),
                    expected,
                    "{range}"
                );
                // The first row, and one coefficient, as far as no sum between the passes saturates.
                for positions in [&[0][..], &[0, 1, 2, 3], &all[..BLOCK]] {
                    let block = random_block(&mut state, positions, range.min(80));
                    let expected = Portable.transform::<false>(&block, &quantization);
                    let or = positions.len() - 1;
                    let actual = transform(kernel, &block, &quantization, or);
                    assert_eq!(actual, expected, "{range}");
                    assert_eq!(super::positions(&block) & !or, 0);
                }
                assert_eq!(
                    super::positions(&random_block(&mut state, &[27], 9)) & 0b10_0100,
                    0
                );
            }
        }
    }

    #[test]
    fn every_kernel_gives_the_same_samples() {
        all_ways_agree(Portable);
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V3::try_new() {
            all_ways_agree(simd);
        }
    }
}
