//! Groups of channels, joined until they fill whole blocks.

use super::geometry::ConvGeometry;
use crate::layout::blocks;
use crate::simd::LANES;

/// A convolution as several independent ones over whole blocks of channels. Narrow groups are joined, with zero weights
/// between them: finite inputs of one do not reach the others, but an infinite one turns all that were joined into NaN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Groups {
    /// Number of independent convolutions.
    pub count: usize,
    /// Blocks of input channels of each.
    pub in_blocks: usize,
    /// Blocks of output channels of each.
    pub out_blocks: usize,
}

impl Groups {
    /// Returns the groups of a convolution.
    pub fn of(geometry: &ConvGeometry) -> Self {
        let groups = geometry.groups;
        let (inputs, outputs) = (
            geometry.in_channels / groups,
            geometry.out_channels / groups,
        );
        let fills = |joined: &usize| {
            groups.is_multiple_of(*joined)
                && (inputs * joined).is_multiple_of(LANES)
                && (outputs * joined).is_multiple_of(LANES)
        };
        let joined = (1..groups).find(fills).unwrap_or(groups);
        Self {
            count: groups / joined,
            in_blocks: blocks(inputs * joined),
            out_blocks: blocks(outputs * joined),
        }
    }
    /// Returns the same groups with inputs and outputs exchanged.
    pub fn transposed(self) -> Self {
        Self {
            in_blocks: self.out_blocks,
            out_blocks: self.in_blocks,
            ..self
        }
    }
}
