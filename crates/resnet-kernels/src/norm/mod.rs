//! Batch norm in training, in the blocked layout, fused with a residual and ReLU.
//!
//! - Statistics are computed in one pass: sums of the distances from the block's first pixel, and of their squares,
//!   over 64 pixels in f32 and over these partial sums in f64, so that neither a large mean nor many pixels lose
//!   precision. Channels whose first pixel is an outlier are summed a second time, around their mean.
//! - Pixels are partitioned by their number only, and partial sums are added in order: the same bits for any number of
//!   threads.
//! - Batch Normalization, <https://arxiv.org/abs/1502.03167>; gradients as in its section 3.

mod affine;
mod gradients;
mod group;
mod statistics;
mod sums;

pub use affine::{Affine, affine, apply, apply_onto};
pub use gradients::{grad_input, grad_parameters, gradient_sums, gradients};
pub use group::group_affine;
pub use statistics::{Statistics, statistics};
pub use sums::Wide;
