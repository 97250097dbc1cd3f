//! The portable set: plain arrays, which the compiler vectorizes with the baseline instructions of the architecture.

use super::vector::{ChannelBlock, LANES, Simd};

/// Plain arrays, which the compiler vectorizes with the baseline instructions of the architecture.
#[derive(Debug, Clone, Copy)]
pub struct Portable;

impl Simd for Portable {
    type V = ChannelBlock;
    const PIXELS: usize = 4;
    const BLOCKS: usize = 1;

    #[inline(always)]
    fn vectorize<R>(self, mut work: impl FnMut() -> R) -> R {
        work()
    }
    #[inline(always)]
    fn prefetch(self, _: &ChannelBlock) {}
    #[inline(always)]
    fn splat(self, value: f32) -> ChannelBlock {
        [value; LANES]
    }
    #[inline(always)]
    fn load(self, from: &ChannelBlock) -> ChannelBlock {
        *from
    }
    #[inline(always)]
    fn store(self, to: &mut ChannelBlock, value: ChannelBlock) {
        *to = value;
    }
    #[inline(always)]
    fn mul_add(self, a: ChannelBlock, b: ChannelBlock, c: ChannelBlock) -> ChannelBlock {
        // Only if it is a single instruction: elsewhere it would be a function call.
        if cfg!(target_arch = "aarch64") {
            std::array::from_fn(|i| a[i].mul_add(b[i], c[i]))
        } else {
            std::array::from_fn(|i| a[i] * b[i] + c[i])
        }
    }
    #[inline(always)]
    fn mul(self, a: ChannelBlock, b: ChannelBlock) -> ChannelBlock {
        std::array::from_fn(|i| a[i] * b[i])
    }
    #[inline(always)]
    fn add(self, a: ChannelBlock, b: ChannelBlock) -> ChannelBlock {
        std::array::from_fn(|i| a[i] + b[i])
    }
    #[inline(always)]
    fn sub(self, a: ChannelBlock, b: ChannelBlock) -> ChannelBlock {
        std::array::from_fn(|i| a[i] - b[i])
    }
    #[inline(always)]
    fn max(self, a: ChannelBlock, b: ChannelBlock) -> ChannelBlock {
        std::array::from_fn(|i| if a[i] > b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    #[expect(clippy::float_cmp, reason = "exact equality is intended")]
    fn where_equal(self, a: ChannelBlock, b: ChannelBlock, value: ChannelBlock) -> ChannelBlock {
        std::array::from_fn(|i| if a[i] == b[i] { value[i] } else { 0.0 })
    }
    #[inline(always)]
    fn where_positive(self, sign: ChannelBlock, value: ChannelBlock) -> ChannelBlock {
        std::array::from_fn(|i| if sign[i] > 0.0 { value[i] } else { 0.0 })
    }
    #[inline(always)]
    fn max_or_nan(self, a: ChannelBlock, b: ChannelBlock) -> ChannelBlock {
        std::array::from_fn(|i| {
            if b[i] > a[i] || b[i].is_nan() {
                b[i]
            } else {
                a[i]
            }
        })
    }
}
