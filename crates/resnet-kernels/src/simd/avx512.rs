//! AVX-512: a channel block is one vector.

use super::vector::{ChannelBlock, Simd};
use super::x86::{Inlined, prefetch};
use pulp::bytemuck::cast;
use pulp::f32x16;
use pulp::x86::V4;

/// AVX-512 F, CD, BW, DQ and VL.
#[derive(Clone, Copy)]
pub(super) struct Avx512(pub V4);

impl Simd for Avx512 {
    type V = f32x16;
    // 28 sums, 2 vectors of weights and 1 of a pixel: 31 of the 32 registers.
    const PIXELS: usize = 14;
    const BLOCKS: usize = 2;

    #[inline(always)]
    fn vectorize<R>(self, work: impl FnMut() -> R) -> R {
        self.0.vectorize(Inlined(work))
    }
    #[inline(always)]
    fn prefetch(self, block: &ChannelBlock) {
        prefetch(block);
    }
    #[inline(always)]
    fn splat(self, value: f32) -> f32x16 {
        self.0.splat_f32x16(value)
    }
    #[inline(always)]
    fn load(self, from: &ChannelBlock) -> f32x16 {
        cast(*from)
    }
    #[inline(always)]
    fn store(self, to: &mut ChannelBlock, value: f32x16) {
        *to = cast(value);
    }
    #[inline(always)]
    fn mul_add(self, a: f32x16, b: f32x16, c: f32x16) -> f32x16 {
        self.0.mul_add_f32x16(a, b, c)
    }
    #[inline(always)]
    fn mul(self, a: f32x16, b: f32x16) -> f32x16 {
        self.0.mul_f32x16(a, b)
    }
    #[inline(always)]
    fn add(self, a: f32x16, b: f32x16) -> f32x16 {
        self.0.add_f32x16(a, b)
    }
    #[inline(always)]
    fn sub(self, a: f32x16, b: f32x16) -> f32x16 {
        self.0.sub_f32x16(a, b)
    }
    #[inline(always)]
    fn max(self, a: f32x16, b: f32x16) -> f32x16 {
        self.0.select_f32x16(self.0.cmp_gt_f32x16(a, b), a, b)
    }
    #[inline(always)]
    fn max_or_nan(self, a: f32x16, b: f32x16) -> f32x16 {
        let larger = self.0.select_f32x16(self.0.cmp_gt_f32x16(b, a), b, a);
        self.0.select_f32x16(self.0.cmp_eq_f32x16(b, b), larger, b)
    }
    #[inline(always)]
    fn where_equal(self, a: f32x16, b: f32x16, value: f32x16) -> f32x16 {
        let equal = self.0.cmp_eq_f32x16(a, b);
        self.0.select_f32x16(equal, value, self.0.splat_f32x16(0.0))
    }
    #[inline(always)]
    fn where_positive(self, sign: f32x16, value: f32x16) -> f32x16 {
        let zero = self.0.splat_f32x16(0.0);
        self.0
            .select_f32x16(self.0.cmp_gt_f32x16(sign, zero), value, zero)
    }
}
