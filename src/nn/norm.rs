//! The norm behind a convolution.

use super::{BatchNorm2d, GroupNorm};
use candle_core::{Result, Tensor};

/// A norm over `[N, C, H, W]`.
#[derive(Debug, Clone)]
pub enum Norm {
    /// Batch norm.
    Batch(BatchNorm2d),
    /// Group norm.
    Group(GroupNorm),
}

impl Norm {
    /// Normalizes `[N, C, H, W]`; batch norm as [`BatchNorm2d::forward_t`], group norm alike in training and evaluation.
    pub fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        match self {
            Self::Batch(norm) => norm.forward_t(x, train),
            Self::Group(norm) => norm.forward(x),
        }
    }

    /// Returns the batch norm; `None` if it is another.
    pub fn batch(&self) -> Option<&BatchNorm2d> {
        match self {
            Self::Batch(norm) => Some(norm),
            Self::Group(_) => None,
        }
    }

    /// Returns the number of channels.
    pub fn channels(&self) -> usize {
        match self {
            Self::Batch(norm) => norm.channels(),
            Self::Group(norm) => norm.channels(),
        }
    }
}
