//! Inputs and training batches, made on worker threads while the model computes.

pub mod eval;
pub mod parallel;
pub mod sampler;
pub mod train;
