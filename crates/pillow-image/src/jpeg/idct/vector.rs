//! Eight columns at once in 128-bit registers.

use std::arch::x86_64::__m128i;

use pulp::bytemuck::cast;
use pulp::x86::V3;

use super::{BLOCK, Block, FACTOR_BITS, Kernel, Quantization, SHIFT_1, SHIFT_2, Samples, factors};

impl Kernel for V3 {
    #[inline(always)]
    fn transform<const SMALL: bool>(self, block: &Block, quantization: &Quantization) -> Samples {
        transform::<SMALL>(self, block, quantization)
    }

    #[inline(always)]
    fn repeat_row(self, row: [i16; BLOCK]) -> Samples {
        let columns = row.map(|value| self.sse2._mm_set1_epi16(value));
        store(self, pass::<false, { SHIFT_2 as i32 }>(self, columns))
    }
}

#[inline(always)]
fn transform<const SMALL: bool>(simd: V3, block: &Block, quantization: &Quantization) -> Samples {
    let mut rows = [simd.sse2._mm_setzero_si128(); BLOCK];
    let (coefficients, _) = block.as_chunks::<BLOCK>();
    let (factors, _) = quantization.as_chunks::<BLOCK>();
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

/// Returns a pair of factors in each 32 bits.
#[inline(always)]
fn pair([a, b]: [i16; 2]) -> __m128i {
    cast([a, b, a, b, a, b, a, b])
}

/// Returns the transform along the eight vectors. `LOW`: only the first four lanes are used.
#[inline(always)]
fn pass<const LOW: bool, const SHIFT: i32>(simd: V3, rows: [__m128i; BLOCK]) -> [__m128i; BLOCK] {
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

/// Returns four lanes of [`pass`], at 32 bits. `sum` and `difference` are in the high halves of their lanes.
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
    // Columns 0 and 2, and so on, one after the other.
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
