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

pub mod conv;
pub mod cpu;
pub mod gate;
pub mod halve;
pub mod layout;
pub mod norm;
pub mod optimizer;
pub mod pool;
pub mod residual;
pub mod simd;
mod tile;

pub use conv::ConvGeometry;
pub use halve::HalfGeometry;
pub use pool::PoolGeometry;
pub use tile::OutputInit;

/// The README's example, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
