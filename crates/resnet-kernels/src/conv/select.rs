//! The algorithms of a convolution, and which one is the fastest for its shapes.

use super::geometry::ConvGeometry;
use super::offsets::contributing_taps;
use super::winograd::{self, Tile};
use crate::cpu::{self, Isa};

/// The algorithm of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// For images of few channels, read as `[N, C, H, W]`.
    Stem,
    /// One product over input channels and taps.
    Direct,
    /// Fewer multiplications for 3x3 kernels of stride 1.
    Winograd(Tile),
}

impl Algorithm {
    /// Returns the algorithms that can compute a convolution in the blocked layout.
    pub fn applicable(geometry: &ConvGeometry) -> impl Iterator<Item = Self> {
        let winograd = winograd::applies(geometry);
        let tiles = [Tile::Two, Tile::Four]
            .into_iter()
            .filter(move |_| winograd);
        std::iter::once(Self::Direct).chain(tiles.map(Self::Winograd))
    }
}

/// The multiplications of an algorithm for each pair of an input and an output channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Products {
    /// Number of packed values per kernel.
    pub weights: usize,
    /// Number of positions, over all images, at which they are multiplied.
    pub positions: usize,
}

impl Algorithm {
    /// Returns the multiplications for the geometry's batch.
    pub fn products(self, geometry: &ConvGeometry) -> Products {
        match self {
            Self::Stem | Self::Direct => Products {
                weights: contributing_taps(geometry).len(),
                positions: geometry.batch * geometry.out_pixels(),
            },
            Self::Winograd(tile) => Products {
                weights: tile.points(),
                positions: geometry.batch * tile.grid(geometry).iter().product::<usize>(),
            },
        }
    }
}

/// Returns the fastest algorithm in the blocked layout for the geometry's batch and the instruction set in use:
/// `benches/kernels` compares the choice with measurements.
///
/// Time is modeled in products per pair of channels: one per position, plus reading the weights, which costs as much as
/// `reading` positions. Winograd's transforms add a fifth.
pub fn choose(geometry: &ConvGeometry) -> Algorithm {
    // The faster a set multiplies, the more products the reading is worth.
    let reading = match cpu::current() {
        Isa::Avx512 => 28,
        Isa::Avx2 => 8,
        Isa::Portable => 4,
    };
    let cost = |algorithm: &Algorithm| {
        let Products { weights, positions } = algorithm.products(geometry);
        let transforms = match algorithm {
            Algorithm::Stem | Algorithm::Direct => 0,
            Algorithm::Winograd(_) => positions / 5,
        };
        weights * (positions + transforms + reading)
    };
    // The first of equal ones.
    Algorithm::applicable(geometry)
        .min_by_key(cost)
        .unwrap_or(Algorithm::Direct)
}
