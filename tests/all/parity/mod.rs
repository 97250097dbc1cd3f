//! Tests of operations, networks and training steps against PyTorch and against a second implementation.

#[cfg(feature = "cuda")]
mod gpu;
mod learning;
pub mod networks;
mod operations;
mod sample;
mod shapes;
mod training;
