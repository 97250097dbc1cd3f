//! The tiles of the algorithm, and the convolutions that it supports.

use crate::conv::geometry::ConvGeometry;

/// Number of outputs that are computed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tile {
    /// 2x2: 16 transformed values per 9 weights, which suits few pixels.
    Two,
    /// 4x4: 36 transformed values per 9 weights.
    Four,
}

impl Tile {
    /// Returns the number of outputs on one axis.
    pub fn side(self) -> usize {
        match self {
            Self::Two => 2,
            Self::Four => 4,
        }
    }

    /// Returns the number of products per pair of channels.
    pub fn points(self) -> usize {
        (self.side() + 2).pow(2)
    }

    /// Returns the number of rows and columns of tiles of an image.
    pub fn grid(self, geometry: &ConvGeometry) -> [usize; 2] {
        [geometry.out_height(), geometry.out_width()].map(|side| side.div_ceil(self.side()))
    }
}

/// Returns true if this algorithm supports the convolution.
pub fn applies(geometry: &ConvGeometry) -> bool {
    geometry.kernel == 3 && geometry.stride == 1 && geometry.dilation == 1 && geometry.groups == 1
}
