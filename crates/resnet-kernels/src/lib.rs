//! Kernels of residual networks on a CPU in f32: convolution, batch norm, pooling and optimizers over slices, for the
//! instruction set at hand.
//!
//! The order of every sum depends on shapes only, never on the number of threads, so that the same inputs give the same
//! bits with one thread and with many.

#![deny(unsafe_code)]
#![expect(
    clippy::inline_always,
    reason = "code that is not inlined into a function of an instruction set is compiled without that set"
)]

pub mod aligned;
pub mod blocked;
pub mod conv;
pub mod geometry;
pub mod isa;
pub mod norm;
pub mod optimiser;
pub mod pool;
pub mod shortcut;
pub mod simd;
mod tile;

pub use geometry::{ConvGeometry, PoolGeometry};
pub use tile::Held;

/// The README's example, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
