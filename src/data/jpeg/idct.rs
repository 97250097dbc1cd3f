//! The inverse discrete cosine transform: libjpeg's accurate integer one (`jidctint.c`), to the bit.
//!
//! It is the algorithm of Loeffler, Ligtenberg and Moschytz ([Practical fast 1-D DCT algorithms with 11
//! multiplications](https://doi.org/10.1109/ICASSP.1989.266596)) on columns and then rows, with factors of 13 binary
//! places and 2 more places kept between the two. Each factor here is the sum of those that meet in one product of
//! the original, so that a pair of products makes one sum (`pmaddwd`), as in libjpeg-turbo's vector code. Sums that
//! only damaged data reach wrap or saturate at 16 bits as they do there.

use super::frame::{BLOCK, COEFFICIENTS};
use super::scan::Block;

/// Eight rows of samples.
pub type Samples = [[u8; BLOCK]; BLOCK];
/// A quantisation table in rows. Only the low 16 bits of products with it count.
pub type Quantisation = [i16; COEFFICIENTS];

/// Pairs of factors at 13 binary places, for pairs of values. Each names the value that it makes.
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
/// What each pass shifts its sums by. The second also divides by 8.
const SHIFT_1: u32 = FACTOR_BITS - PASS_BITS;
const SHIFT_2: u32 = FACTOR_BITS + PASS_BITS + 3;

/// Who does the work: one of the instruction sets that the processor has.
pub trait Kernel: Copy {
    /// The samples of a block. `SMALL`: only its first four rows and columns hold anything.
    fn transform<const SMALL: bool>(self, block: &Block, quantisation: &Quantisation) -> Samples;

    /// The second pass alone, on rows that are all this one.
    fn repeat_row(self, row: [i16; BLOCK]) -> Samples;
}

/// What the compiler makes of plain loops.
#[derive(Debug, Clone, Copy)]
pub struct Portable;

/// The samples of a block. `places` are those of its coefficients, all but the first, that may be other than zero,
/// or-ed together.
#[inline(always)]
pub fn transform(
    kernel: impl Kernel,
    block: &Block,
    quantisation: &Quantisation,
    places: usize,
) -> Samples {
    // Rows and columns 4 to 7 have these bits in their place, and rows but the first these.
    const BEYOND_FOUR: usize = 0b10_0100;
    const BEYOND_FIRST: usize = 0b11_1000;
    if places == 0 {
        flat(block[0].wrapping_mul(quantisation[0]))
    } else if places & BEYOND_FIRST == 0 {
        // The first pass only scales, and libjpeg-turbo lets it wrap.
        let mut row = [0; BLOCK];
        for ((value, coefficient), factor) in row.iter_mut().zip(block).zip(quantisation) {
            *value = coefficient.wrapping_mul(*factor) << PASS_BITS;
        }
        kernel.repeat_row(row)
    } else if places & BEYOND_FOUR == 0 {
        kernel.transform::<true>(block, quantisation)
    } else {
        kernel.transform::<false>(block, quantisation)
    }
}

/// What [`transform`] has to know of a block's places: 0 if there is only the first coefficient, and otherwise one
/// place of each half or row that makes a difference to it.
#[inline]
pub fn places(block: &Block) -> usize {
    let (rows, _) = block.as_chunks::<BLOCK>();
    let any = |values: &[i16]| values.iter().fold(0, |all, &one| all | one) != 0;
    let place = |values: &[i16], place: usize| if any(values) { place } else { 0 };
    let (upper, lower) = rows.split_at(BLOCK / 2);
    let mut places = place(&upper[0][1..], 1) | place(lower.as_flattened(), 32);
    for (at, row) in upper.iter().enumerate() {
        places |= place(&row[BLOCK / 2..], 4) | place(row, if at > 0 { 8 } else { 0 });
    }
    places
}

/// A block of one coefficient.
#[inline(always)]
fn flat(coefficient: i16) -> Samples {
    let value = i32::from(coefficient << PASS_BITS);
    let sample = (value + (1 << (PASS_BITS + 2))) >> (PASS_BITS + 3);
    [[(sample.clamp(-128, 127) + 128) as u8; BLOCK]; BLOCK]
}

/// Eight columns at once in 128-bit registers.
#[cfg(target_arch = "x86_64")]
mod vector {
    use std::arch::x86_64::__m128i;

    use pulp::bytemuck::cast;
    use pulp::x86::V3;

    use super::{
        BLOCK, Block, FACTOR_BITS, Kernel, Quantisation, SHIFT_1, SHIFT_2, Samples, factors,
    };

    impl Kernel for V3 {
        #[inline(always)]
        fn transform<const SMALL: bool>(
            self,
            block: &Block,
            quantisation: &Quantisation,
        ) -> Samples {
            transform::<SMALL>(self, block, quantisation)
        }

        #[inline(always)]
        fn repeat_row(self, row: [i16; BLOCK]) -> Samples {
            let columns = row.map(|value| self.sse2._mm_set1_epi16(value));
            store(self, pass::<false, { SHIFT_2 as i32 }>(self, columns))
        }
    }

    #[inline(always)]
    fn transform<const SMALL: bool>(
        simd: V3,
        block: &Block,
        quantisation: &Quantisation,
    ) -> Samples {
        let mut rows = [simd.sse2._mm_setzero_si128(); BLOCK];
        let (coefficients, _) = block.as_chunks::<BLOCK>();
        let (factors, _) = quantisation.as_chunks::<BLOCK>();
        let filled = if SMALL { BLOCK / 2 } else { BLOCK };
        for ((row, coefficients), factors) in
            rows.iter_mut().zip(coefficients).zip(factors).take(filled)
        {
            *row = simd
                .sse2
                ._mm_mullo_epi16(cast(*coefficients), cast(*factors));
        }
        let rows = pass::<SMALL, { SHIFT_1 as i32 }>(simd, rows);
        let columns = transpose(simd, rows);
        let columns = pass::<false, { SHIFT_2 as i32 }>(simd, columns);
        store(simd, columns)
    }

    /// A pair of factors in each 32 bits.
    #[inline(always)]
    fn pair([a, b]: [i16; 2]) -> __m128i {
        cast([a, b, a, b, a, b, a, b])
    }

    /// The transform along the eight vectors. `LOW`: only the first four lanes hold anything.
    #[inline(always)]
    fn pass<const LOW: bool, const SHIFT: i32>(
        simd: V3,
        rows: [__m128i; BLOCK],
    ) -> [__m128i; BLOCK] {
        let zero = simd.sse2._mm_setzero_si128();
        let sum = simd.sse2._mm_add_epi16(rows[0], rows[4]);
        let difference = simd.sse2._mm_sub_epi16(rows[0], rows[4]);
        let z3 = simd.sse2._mm_add_epi16(rows[7], rows[3]);
        let z4 = simd.sse2._mm_add_epi16(rows[5], rows[1]);
        let low = half::<SHIFT>(
            simd,
            simd.sse2._mm_unpacklo_epi16(zero, sum),
            simd.sse2._mm_unpacklo_epi16(zero, difference),
            simd.sse2._mm_unpacklo_epi16(rows[2], rows[6]),
            simd.sse2._mm_unpacklo_epi16(z3, z4),
            simd.sse2._mm_unpacklo_epi16(rows[7], rows[1]),
            simd.sse2._mm_unpacklo_epi16(rows[5], rows[3]),
        );
        let high = if LOW {
            [zero; BLOCK]
        } else {
            half::<SHIFT>(
                simd,
                simd.sse2._mm_unpackhi_epi16(zero, sum),
                simd.sse2._mm_unpackhi_epi16(zero, difference),
                simd.sse2._mm_unpackhi_epi16(rows[2], rows[6]),
                simd.sse2._mm_unpackhi_epi16(z3, z4),
                simd.sse2._mm_unpackhi_epi16(rows[7], rows[1]),
                simd.sse2._mm_unpackhi_epi16(rows[5], rows[3]),
            )
        };
        let mut results = [zero; BLOCK];
        for (result, (low, high)) in results.iter_mut().zip(low.into_iter().zip(high)) {
            *result = simd.sse2._mm_packs_epi32(low, high);
        }
        results
    }

    /// Four lanes of [`pass`], at 32 bits. `sum` and `difference` stand in the high halves of theirs.
    #[inline(always)]
    fn half<const SHIFT: i32>(
        simd: V3,
        sum: __m128i,
        difference: __m128i,
        rows_2_6: __m128i,
        z3_z4: __m128i,
        rows_7_1: __m128i,
        rows_5_3: __m128i,
    ) -> [__m128i; BLOCK] {
        let product = |values, pair_of| simd.sse2._mm_madd_epi16(values, pair(pair_of));
        let round = simd.sse2._mm_set1_epi32(1 << (SHIFT - 1));
        let wide = |value| {
            simd.sse2._mm_add_epi32(
                simd.sse2
                    ._mm_srai_epi32::<{ 16 - FACTOR_BITS as i32 }>(value),
                round,
            )
        };
        let even_0 = wide(sum);
        let even_1 = wide(difference);
        let even_2 = product(rows_2_6, factors::EVEN_2);
        let even_3 = product(rows_2_6, factors::EVEN_3);
        let even = [
            simd.sse2._mm_add_epi32(even_0, even_3),
            simd.sse2._mm_add_epi32(even_1, even_2),
            simd.sse2._mm_sub_epi32(even_1, even_2),
            simd.sse2._mm_sub_epi32(even_0, even_3),
        ];
        let z3 = product(z3_z4, factors::SUM_3);
        let z4 = product(z3_z4, factors::SUM_4);
        let odd = [
            simd.sse2
                ._mm_add_epi32(product(rows_7_1, factors::ODD_3), z4),
            simd.sse2
                ._mm_add_epi32(product(rows_5_3, factors::ODD_2), z3),
            simd.sse2
                ._mm_add_epi32(product(rows_5_3, factors::ODD_1), z4),
            simd.sse2
                ._mm_add_epi32(product(rows_7_1, factors::ODD_0), z3),
        ];
        let sum = |at: usize| {
            simd.sse2
                ._mm_srai_epi32::<SHIFT>(simd.sse2._mm_add_epi32(even[at], odd[at]))
        };
        let difference = |at: usize| {
            simd.sse2
                ._mm_srai_epi32::<SHIFT>(simd.sse2._mm_sub_epi32(even[at], odd[at]))
        };
        [
            sum(0),
            sum(1),
            sum(2),
            sum(3),
            difference(3),
            difference(2),
            difference(1),
            difference(0),
        ]
    }

    #[inline(always)]
    fn transpose(simd: V3, r: [__m128i; BLOCK]) -> [__m128i; BLOCK] {
        let a = [
            simd.sse2._mm_unpacklo_epi16(r[0], r[1]),
            simd.sse2._mm_unpacklo_epi16(r[2], r[3]),
            simd.sse2._mm_unpacklo_epi16(r[4], r[5]),
            simd.sse2._mm_unpacklo_epi16(r[6], r[7]),
            simd.sse2._mm_unpackhi_epi16(r[0], r[1]),
            simd.sse2._mm_unpackhi_epi16(r[2], r[3]),
            simd.sse2._mm_unpackhi_epi16(r[4], r[5]),
            simd.sse2._mm_unpackhi_epi16(r[6], r[7]),
        ];
        let b = [
            simd.sse2._mm_unpacklo_epi32(a[0], a[1]),
            simd.sse2._mm_unpackhi_epi32(a[0], a[1]),
            simd.sse2._mm_unpacklo_epi32(a[2], a[3]),
            simd.sse2._mm_unpackhi_epi32(a[2], a[3]),
            simd.sse2._mm_unpacklo_epi32(a[4], a[5]),
            simd.sse2._mm_unpackhi_epi32(a[4], a[5]),
            simd.sse2._mm_unpacklo_epi32(a[6], a[7]),
            simd.sse2._mm_unpackhi_epi32(a[6], a[7]),
        ];
        [
            simd.sse2._mm_unpacklo_epi64(b[0], b[2]),
            simd.sse2._mm_unpackhi_epi64(b[0], b[2]),
            simd.sse2._mm_unpacklo_epi64(b[1], b[3]),
            simd.sse2._mm_unpackhi_epi64(b[1], b[3]),
            simd.sse2._mm_unpacklo_epi64(b[4], b[6]),
            simd.sse2._mm_unpackhi_epi64(b[4], b[6]),
            simd.sse2._mm_unpacklo_epi64(b[5], b[7]),
            simd.sse2._mm_unpackhi_epi64(b[5], b[7]),
        ]
    }

    /// Columns of samples less 128 as rows of samples.
    #[inline(always)]
    fn store(simd: V3, c: [__m128i; BLOCK]) -> Samples {
        // Columns 0 and 2, and so on, one behind the other.
        let (c02, c13) = (
            simd.sse2._mm_packs_epi16(c[0], c[2]),
            simd.sse2._mm_packs_epi16(c[1], c[3]),
        );
        let (c46, c57) = (
            simd.sse2._mm_packs_epi16(c[4], c[6]),
            simd.sse2._mm_packs_epi16(c[5], c[7]),
        );
        let (c01, c23) = (
            simd.sse2._mm_unpacklo_epi8(c02, c13),
            simd.sse2._mm_unpackhi_epi8(c02, c13),
        );
        let (c45, c67) = (
            simd.sse2._mm_unpacklo_epi8(c46, c57),
            simd.sse2._mm_unpackhi_epi8(c46, c57),
        );
        let left = (
            simd.sse2._mm_unpacklo_epi16(c01, c23),
            simd.sse2._mm_unpackhi_epi16(c01, c23),
        );
        let right = (
            simd.sse2._mm_unpacklo_epi16(c45, c67),
            simd.sse2._mm_unpackhi_epi16(c45, c67),
        );
        let pairs_of_rows = [
            simd.sse2._mm_unpacklo_epi32(left.0, right.0),
            simd.sse2._mm_unpackhi_epi32(left.0, right.0),
            simd.sse2._mm_unpacklo_epi32(left.1, right.1),
            simd.sse2._mm_unpackhi_epi32(left.1, right.1),
        ];
        let mut samples = [[0; BLOCK]; BLOCK];
        for (rows, pair) in samples.as_chunks_mut::<2>().0.iter_mut().zip(pairs_of_rows) {
            let pair = simd.sse2._mm_xor_si128(pair, simd.sse2._mm_set1_epi8(-128));
            *rows = cast(pair);
        }
        samples
    }
}

/// The same in plain arithmetic.
mod portable {
    use super::{
        BLOCK, Block, FACTOR_BITS, Kernel, Portable, Quantisation, SHIFT_1, SHIFT_2, Samples,
        factors,
    };

    impl Kernel for Portable {
        #[inline]
        fn transform<const SMALL: bool>(
            self,
            block: &Block,
            quantisation: &Quantisation,
        ) -> Samples {
            transform(block, quantisation)
        }

        fn repeat_row(self, row: [i16; BLOCK]) -> Samples {
            second_pass(&[row; BLOCK])
        }
    }

    fn transform(block: &Block, quantisation: &Quantisation) -> Samples {
        let mut rows = [[0; BLOCK]; BLOCK];
        for (at, value) in rows.as_flattened_mut().iter_mut().enumerate() {
            *value = block[at].wrapping_mul(quantisation[at]);
        }
        second_pass(&pass::<SHIFT_1>(&rows))
    }

    fn second_pass(rows: &[[i16; BLOCK]; BLOCK]) -> Samples {
        let rows = transpose(&pass::<SHIFT_2>(&transpose(rows)));
        rows.map(|row| row.map(|sample| (sample.clamp(-128, 127) + 128) as u8))
    }

    /// The transform along the eight rows.
    fn pass<const SHIFT: u32>(rows: &[[i16; BLOCK]; BLOCK]) -> [[i16; BLOCK]; BLOCK] {
        let mut results = [[0; BLOCK]; BLOCK];
        for column in 0..BLOCK {
            let value = |row: usize| rows[row][column];
            let product = |a: i16, b: i16, factors: [i16; 2]| {
                let [a, b] =
                    [(a, factors[0]), (b, factors[1])].map(|(a, b)| i32::from(a) * i32::from(b));
                a.wrapping_add(b)
            };
            let wide = |value: i16| (i32::from(value) << FACTOR_BITS) + (1 << (SHIFT - 1));
            let even_0 = wide(value(0).wrapping_add(value(4)));
            let even_1 = wide(value(0).wrapping_sub(value(4)));
            let even_2 = product(value(2), value(6), factors::EVEN_2);
            let even_3 = product(value(2), value(6), factors::EVEN_3);
            let even = [
                even_0.wrapping_add(even_3),
                even_1.wrapping_add(even_2),
                even_1.wrapping_sub(even_2),
                even_0.wrapping_sub(even_3),
            ];
            let (z3, z4) = (
                value(7).wrapping_add(value(3)),
                value(5).wrapping_add(value(1)),
            );
            let (z3, z4) = (
                product(z3, z4, factors::SUM_3),
                product(z3, z4, factors::SUM_4),
            );
            let odd = [
                product(value(7), value(1), factors::ODD_3).wrapping_add(z4),
                product(value(5), value(3), factors::ODD_2).wrapping_add(z3),
                product(value(5), value(3), factors::ODD_1).wrapping_add(z4),
                product(value(7), value(1), factors::ODD_0).wrapping_add(z3),
            ];
            let narrow =
                |value: i32| (value >> SHIFT).clamp(i16::MIN.into(), i16::MAX.into()) as i16;
            for at in 0..4 {
                results[at][column] = narrow(even[at].wrapping_add(odd[at]));
                results[7 - at][column] = narrow(even[at].wrapping_sub(odd[at]));
            }
        }
        results
    }

    fn transpose(rows: &[[i16; BLOCK]; BLOCK]) -> [[i16; BLOCK]; BLOCK] {
        let mut columns = [[0; BLOCK]; BLOCK];
        for (at, column) in columns.iter_mut().enumerate() {
            *column = rows.map(|row| row[at]);
        }
        columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers from -`range` to `range`, each of `count` places of the block.
    fn random_block(state: &mut u64, places: &[usize], range: i32) -> Block {
        let mut block = [0; COEFFICIENTS];
        for &place in places {
            *state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            block[place] = ((*state >> 33) as i32 % (2 * range + 1) - range) as i16;
        }
        block
    }

    /// The transform by its definition, in floating point.
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
        for places in [&all[..], &[0], &[0, 1, 8, 9, 27], &[0, 63], &[5, 40]] {
            for _ in 0..50 {
                let block = random_block(&mut state, places, 60);
                let or = places.iter().fold(0, |or, place| or | place);
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
        let mut quantisation = [0; COEFFICIENTS];
        for (at, value) in quantisation.iter_mut().enumerate() {
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
                let expected = Portable.transform::<false>(&block, &quantisation);
                assert_eq!(
                    transform(kernel, &block, &quantisation, 63),
                    expected,
                    "{range}"
                );
                let block = random_block(&mut state, &small, range);
                let expected = Portable.transform::<false>(&block, &quantisation);
                assert_eq!(
                    transform(kernel, &block, &quantisation, 0b1_1011),
                    expected,
                    "{range}"
                );
                // One coefficient alone, as far as no sum between the passes saturates.
                let block = random_block(&mut state, &[0], range.min(4000));
                let expected = Portable.transform::<false>(&block, &quantisation);
                assert_eq!(
                    transform(kernel, &block, &quantisation, 0),
                    expected,
                    "{range}"
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
