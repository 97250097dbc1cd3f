//! Operations on sixteen f32 at a time, in the instruction set in use.
//!
//! A kernel is written once over [`Simd`] and compiled for each set. All code between [`Simd::vectorize`] and the
//! arithmetic is `#[inline(always)]`, so that it becomes part of a function for which the set is enabled.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod dispatch;
mod portable;
mod vector;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use dispatch::{Job, dispatch};
pub use portable::Portable;
pub use vector::{ChannelBlock, LANES, Simd};
