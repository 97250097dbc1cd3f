//! The `ResNet` family on candle: describe any residual net, load any checkpoint, predict real pictures.

pub mod cli;
pub mod data;
pub mod error;
pub mod hub;
pub mod infer;
pub mod kernels;
pub mod model;
pub mod nn;
pub mod ops;
pub mod predict;
pub mod report;
pub mod weights;
