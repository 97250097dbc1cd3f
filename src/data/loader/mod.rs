//! Inputs and training batches, made on worker threads while the model computes.

pub(crate) mod eval;
pub(crate) mod parallel;
pub(crate) mod sampler;
pub(crate) mod train;
pub(crate) mod unreadable;
