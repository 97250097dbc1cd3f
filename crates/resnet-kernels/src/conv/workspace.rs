//! Memory that convolutions share in training.

use super::winograd;
use crate::layout::Buffer;

/// Memory that a convolution reuses from step to step.
#[derive(Debug, Default)]
pub struct Workspace {
    pub(super) packed: Buffer,
    pub(super) phase: Buffer,
    pub(super) sums: Buffer,
    pub(super) winograd: winograd::gradient::Memory,
    /// The images as the stem's forward pass expanded them.
    pub(super) images: Vec<f32>,
}
