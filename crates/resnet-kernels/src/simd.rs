//! Operations on sixteen f32 at a time, in the instruction set in use.
//!
//! A kernel is written once over [`Simd`] and compiled for each set. All code between [`Simd::vectorize`] and the
//! arithmetic is `#[inline(always)]`, so that it becomes part of a function for which the set is enabled.

use super::isa::{self, Isa};

/// Number of values of a vector, and of channels of a block in the layout of the kernels.
pub const LANES: usize = 16;

/// The values of one pixel in one block of channels.
pub type Lane = [f32; LANES];

/// Vectors of [`LANES`] f32, and the register tile that suits them.
pub trait Simd: Copy + Send + Sync {
    /// Vector type.
    type V: Copy;
    /// Number of pixels of a register tile.
    const PIXELS: usize;
    /// Number of blocks of output channels of a register tile.
    const BLOCKS: usize;

    /// Runs `work`, a closure marked `#[inline(always)]`, with the set enabled.
    fn vectorize<R>(self, work: impl FnMut() -> R) -> R;
    /// Prefetches a lane into the L2 cache; the processor may ignore it.
    fn prefetch(self, lane: &Lane);
    /// Broadcasts one value to all lanes.
    fn splat(self, value: f32) -> Self::V;
    /// Loads the values of a lane.
    fn load(self, from: &Lane) -> Self::V;
    /// Stores the vector to a lane.
    fn store(self, to: &mut Lane, value: Self::V);
    /// Computes `a * b + c`, rounded once if the set supports it.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// Computes `a * b`.
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// Computes `a + b`.
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// Computes `a - b`.
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// Returns the larger one; `b` if either is NaN.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// Returns `b` where it is larger than `a` or NaN, `a` elsewhere.
    fn max_or_nan(self, a: Self::V, b: Self::V) -> Self::V;
    /// Returns `value` where `sign` is positive, 0 elsewhere.
    fn where_positive(self, sign: Self::V, value: Self::V) -> Self::V;
    /// Returns `value` where `a` and `b` are equal, 0 elsewhere.
    fn where_equal(self, a: Self::V, b: Self::V, value: Self::V) -> Self::V;
}

/// Work that is compiled for every set.
pub trait Job {
    /// Result of the work.
    type Output;
    /// Runs the work.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// Runs `job` in the set in use.
pub fn dispatch<J: Job>(job: J) -> J::Output {
    #[cfg(target_arch = "x86_64")]
    match isa::current() {
        Isa::Avx512 => {
            if let Some(simd) = pulp::x86::V4::try_new() {
                return job.run(x86::Avx512(simd));
            }
        }
        Isa::Avx2 => {
            if let Some(simd) = pulp::x86::V3::try_new() {
                return job.run(x86::Avx2(simd));
            }
        }
        Isa::Portable => {}
    }
    job.run(Portable)
}

/// A closure that is called by its own body. Called as `FnOnce`, it would be hidden in a shim that need not be inlined,
/// and code that is not inlined is compiled without the set.
#[cfg(target_arch = "x86_64")]
struct Inlined<F>(F);

#[cfg(target_arch = "x86_64")]
impl<R, F: FnMut() -> R> pulp::NullaryFnOnce for Inlined<F> {
    type Output = R;

    #[inline(always)]
    fn call(mut self) -> R {
        (self.0)()
    }
}

/// Plain arrays, which the compiler vectorizes with the baseline instructions of the architecture.
#[derive(Debug, Clone, Copy)]
pub struct Portable;

impl Simd for Portable {
    type V = Lane;
    const PIXELS: usize = 4;
    const BLOCKS: usize = 1;

    #[inline(always)]
    fn vectorize<R>(self, mut work: impl FnMut() -> R) -> R {
        work()
    }
    #[inline(always)]
    fn prefetch(self, _: &Lane) {}
    #[inline(always)]
    fn splat(self, value: f32) -> Lane {
        [value; LANES]
    }
    #[inline(always)]
    fn load(self, from: &Lane) -> Lane {
        *from
    }
    #[inline(always)]
    fn store(self, to: &mut Lane, value: Lane) {
        *to = value;
    }
    #[inline(always)]
    fn mul_add(self, a: Lane, b: Lane, c: Lane) -> Lane {
        // Only if it is a single instruction: elsewhere it would be a function call.
        if cfg!(target_arch = "aarch64") {
            std::array::from_fn(|i| a[i].mul_add(b[i], c[i]))
        } else {
            std::array::from_fn(|i| a[i] * b[i] + c[i])
        }
    }
    #[inline(always)]
    fn mul(self, a: Lane, b: Lane) -> Lane {
        std::array::from_fn(|i| a[i] * b[i])
    }
    #[inline(always)]
    fn add(self, a: Lane, b: Lane) -> Lane {
        std::array::from_fn(|i| a[i] + b[i])
    }
    #[inline(always)]
    fn sub(self, a: Lane, b: Lane) -> Lane {
        std::array::from_fn(|i| a[i] - b[i])
    }
    #[inline(always)]
    fn max(self, a: Lane, b: Lane) -> Lane {
        std::array::from_fn(|i| if a[i] > b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    #[expect(clippy::float_cmp, reason = "exact equality is intended")]
    fn where_equal(self, a: Lane, b: Lane, value: Lane) -> Lane {
        std::array::from_fn(|i| if a[i] == b[i] { value[i] } else { 0.0 })
    }
    #[inline(always)]
    fn where_positive(self, sign: Lane, value: Lane) -> Lane {
        std::array::from_fn(|i| if sign[i] > 0.0 { value[i] } else { 0.0 })
    }
    #[inline(always)]
    fn max_or_nan(self, a: Lane, b: Lane) -> Lane {
        std::array::from_fn(|i| {
            if b[i] > a[i] || b[i].is_nan() {
                b[i]
            } else {
                a[i]
            }
        })
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Inlined, LANES, Lane, Simd};
    use pulp::bytemuck::cast;
    use pulp::x86::{V3, V4};
    use pulp::{f32x8, f32x16};
    use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};

    #[inline(always)]
    #[expect(unsafe_code, reason = "the intrinsic takes a pointer")]
    fn prefetch(lane: &Lane) {
        // SAFETY: every x86-64 has SSE, and a prefetch reads nothing: it is a hint, at any address.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(std::ptr::from_ref(lane).cast()) };
    }

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
        fn prefetch(self, lane: &Lane) {
            prefetch(lane);
        }
        #[inline(always)]
        fn splat(self, value: f32) -> f32x16 {
            self.0.splat_f32x16(value)
        }
        #[inline(always)]
        fn load(self, from: &Lane) -> f32x16 {
            cast(*from)
        }
        #[inline(always)]
        fn store(self, to: &mut Lane, value: f32x16) {
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
        fn prefetch(self, lane: &Lane) {
            prefetch(lane);
        }
        #[inline(always)]
        fn splat(self, value: f32) -> Halves {
            [self.0.splat_f32x8(value); 2]
        }
        #[inline(always)]
        fn load(self, from: &Lane) -> Halves {
            cast(*from)
        }
        #[inline(always)]
        fn store(self, to: &mut Lane, value: Halves) {
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
}
