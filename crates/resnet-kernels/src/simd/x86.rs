//! Functions shared by the instruction sets of x86-64.

use super::vector::ChannelBlock;
use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};

/// A closure that is called by its own body. Called as `FnOnce`, it would be hidden in a shim that need not be inlined,
/// and code that is not inlined is compiled without the set.
pub(super) struct Inlined<F>(pub F);

impl<R, F: FnMut() -> R> pulp::NullaryFnOnce for Inlined<F> {
    type Output = R;

    #[inline(always)]
    fn call(mut self) -> R {
        (self.0)()
    }
}

/// Prefetches a channel block into the L2 cache.
#[inline(always)]
#[expect(unsafe_code, reason = "the intrinsic takes a pointer")]
pub(super) fn prefetch(block: &ChannelBlock) {
    // SAFETY: every x86-64 has SSE, and a prefetch reads nothing: it is a hint, at any address.
    unsafe { _mm_prefetch::<_MM_HINT_T1>(std::ptr::from_ref(block).cast()) };
}
