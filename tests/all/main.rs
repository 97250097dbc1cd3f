//! Every integration test is a module of this one binary, so that it is linked once.
#![expect(
    clippy::unwrap_used,
    reason = "a test may stop at what it does not expect"
)]

mod augment;
mod batches;
mod cli;
mod command;
mod datasets;
mod documents;
mod embed;
mod eval;
mod explain;
mod fixture;
#[cfg(feature = "cuda")]
mod gpu;
mod hostile;
mod hub;
mod hub_models;
mod hub_server;
mod jpeg;
mod kernels;
mod layers;
mod learning;
mod logs;
mod norm_kernels;
mod operations;
mod parity;
mod predict;
mod preprocess;
mod readme;
mod real_shapes;
mod refusals;
mod report;
mod sample;
mod summary;
mod survey;
mod train;
mod training;
mod weights;
mod wording;
