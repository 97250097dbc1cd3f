//! AVX2 with FMA: a channel block is two vectors.

use super::vector::{ChannelBlock, LANES, Simd};
use super::x86::{Inlined, prefetch};
use pulp::bytemuck::cast;
use pulp::f32x8;
use pulp::x86::V3;

/// AVX2 and FMA.
#[derive(Clone, Copy)]
pub(super) struct Avx2(pub V3);

type Halves = [f32x8; LANES / 8];

impl Avx2 {
    #[inline(always)]
    fn each(a: Halves, b: Halves, both: impl Fn(f32x8, f32x8) -> f32x8) -> Halves {
        [both(a[0], b[0]), both(a[1], b[1])]
    }
}

impl Simd for Avx2 {
    type V = Halves;
    // 12 sums, 2 vectors of weights and 1 of a pixel: 15 of the 16 registers.
    const PIXELS: usize = 6;
    const BLOCKS: usize = 1;

    #[inline(always)]
    fn vectorize<R>(self, work: impl FnMut() -> R) -> R {
        self.0.vectorize(Inlined(work))
    }
    #[inline(always)]
    fn prefetch(self, block: &ChannelBlock) {
        prefetch(block);
    }
    #[inline(always)]
    fn splat(self, value: f32) -> Halves {
        [self.0.splat_f32x8(value); 2]
    }
    #[inline(always)]
    fn load(self, from: &ChannelBlock) -> Halves {
        cast(*from)
    }
    #[inline(always)]
    fn store(self, to: &mut ChannelBlock, value: Halves) {
        *to = cast(value);
    }
    #[inline(always)]
    fn mul_add(self, a: Halves, b: Halves, c: Halves) -> Halves {
        let product = |i: usize| self.0.mul_add_f32x8(a[i], b[i], c[i]);
        [product(0), product(1)]
    }
    #[inline(always)]
    fn mul(self, a: Halves, b: Halves) -> Halves {
        Self::each(a, b, |a, b| self.0.mul_f32x8(a, b))
    }
    #[inline(always)]
    fn add(self, a: Halves, b: Halves) -> Halves {
        Self::each(a, b, |a, b| self.0.add_f32x8(a, b))
    }
    #[inline(always)]
    fn sub(self, a: Halves, b: Halves) -> Halves {
        Self::each(a, b, |a, b| self.0.sub_f32x8(a, b))
    }
    #[inline(always)]
    fn max(self, a: Halves, b: Halves) -> Halves {
        Self::each(a, b, |a, b| {
            self.0.select_f32x8(self.0.cmp_gt_f32x8(a, b), a, b)
        })
    }
    #[inline(always)]
    fn max_or_nan(self, a: Halves, b: Halves) -> Halves {
        Self::each(a, b, |a, b| {
            let larger = self.0.select_f32x8(self.0.cmp_gt_f32x8(b, a), b, a);
            self.0.select_f32x8(self.0.cmp_eq_f32x8(b, b), larger, b)
        })
    }
    #[inline(always)]
    fn where_equal(self, a: Halves, b: Halves, value: Halves) -> Halves {
        let zero = self.0.splat_f32x8(0.0);
        let kept = |i: usize| {
            let equal = self.0.cmp_eq_f32x8(a[i], b[i]);
            self.0.select_f32x8(equal, value[i], zero)
        };
        [kept(0), kept(1)]
    }
    #[inline(always)]
    fn where_positive(self, sign: Halves, value: Halves) -> Halves {
        let zero = self.0.splat_f32x8(0.0);
        Self::each(sign, value, |sign, value| {
            self.0
                .select_f32x8(self.0.cmp_gt_f32x8(sign, zero), value, zero)
        })
    }
}
