//! The data of a run: its dataset, its training batches and its validation.

pub mod batching;
pub(in crate::train) mod check;
pub(in crate::train) mod dataset;
pub mod evaluators;
pub mod features;
pub mod loader;
pub mod validation;
