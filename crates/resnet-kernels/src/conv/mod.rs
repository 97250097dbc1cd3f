//! Convolutions in the blocked layout, with the operations that follow them: bias, residual and ReLU.
//!
//! The algorithm depends on the shapes, including the batch, and affects the last bits of a result; so does the
//! instruction set.

pub mod direct;
mod gather;
mod groups;
mod scratch;
pub mod stem;
pub mod stem_gradient;
mod tasks;
pub mod training;
mod view;
pub mod winograd;

use super::ConvGeometry;
use super::aligned::Lanes;
use super::blocked::blocks;
use super::isa::{self, Isa};
use super::simd::{LANES, Lane};
use super::tile::{Ending, Held};
use groups::Groups;
use view::{Taps, View, seeing_taps};
use winograd::Tile;

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
    pub fn fitting(geometry: &ConvGeometry) -> impl Iterator<Item = Self> {
        let winograd = winograd::fits(geometry);
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
    pub places: usize,
}

impl Algorithm {
    /// Returns the multiplications for the geometry's batch.
    pub fn products(self, geometry: &ConvGeometry) -> Products {
        match self {
            Self::Stem | Self::Direct => Products {
                weights: seeing_taps(geometry).len(),
                places: geometry.batch * geometry.out_pixels(),
            },
            Self::Winograd(tile) => Products {
                weights: tile.points(),
                places: geometry.batch * tile.grid(geometry).iter().product::<usize>(),
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
    let reading = match isa::current() {
        Isa::Avx512 => 28,
        Isa::Avx2 => 8,
        Isa::Portable => 4,
    };
    let cost = |algorithm: &Algorithm| {
        let Products { weights, places } = algorithm.products(geometry);
        let transforms = match algorithm {
            Algorithm::Stem | Algorithm::Direct => 0,
            Algorithm::Winograd(_) => places / 5,
        };
        weights * (places + transforms + reading)
    };
    // The first of equal ones.
    Algorithm::fitting(geometry)
        .min_by_key(cost)
        .unwrap_or(Algorithm::Direct)
}

/// A convolution with its weights, packed for one algorithm.
#[derive(Debug)]
pub struct Convolution {
    geometry: ConvGeometry,
    algorithm: Algorithm,
    weights: Lanes,
    bias: Lanes,
}

impl Convolution {
    /// Packs `weight`, `[C_out, C_in / groups, k, k]`, and `bias`, one value per output channel. The geometry's batch
    /// is ignored.
    ///
    /// # Panics
    /// If the sizes differ from the geometry's or the algorithm does not support it.
    pub fn new(weight: &[f32], bias: &[f32], geometry: ConvGeometry, algorithm: Algorithm) -> Self {
        assert_eq!(weight.len(), geometry.weights(), "the weights' size");
        assert_eq!(bias.len(), geometry.out_channels, "the bias's size");
        let mut weights = Lanes::default();
        match algorithm {
            Algorithm::Stem => {
                assert!(stem::fits(&geometry), "{geometry:?} is not a stem");
                stem::pack(weight, &geometry, &mut weights);
            }
            Algorithm::Direct => {
                let taps = Taps::forward(weight, &geometry).seeing(&geometry);
                direct::pack(&taps, Groups::of(&geometry), &mut weights);
            }
            Algorithm::Winograd(tile) => {
                assert!(winograd::fits(&geometry), "{geometry:?} by Winograd");
                winograd::pack(&Taps::forward(weight, &geometry), tile, &mut weights);
            }
        }
        let mut lanes = Lanes::zeros(blocks(bias.len()));
        for (lane, bias) in lanes.iter_mut().zip(bias.chunks(LANES)) {
            lane[..bias.len()].copy_from_slice(bias);
        }
        Self {
            geometry,
            algorithm,
            weights,
            bias: lanes,
        }
    }

    /// Returns the geometry.
    pub fn geometry(&self) -> &ConvGeometry {
        &self.geometry
    }

    /// Computes `[C_out / 16, N, H', W', 16]` from `[C_in / 16, N, H, W, 16]`, with bias and ReLU, and adds the
    /// contents of the output.
    ///
    /// # Panics
    /// If the size of a slice does not match `batch` images, or the algorithm is the stem's.
    pub fn run(&self, batch: usize, input: &[Lane], held: Held, relu: bool, output: &mut [Lane]) {
        let geometry = ConvGeometry {
            batch,
            ..self.geometry
        };
        let images = batch * geometry.height * geometry.width;
        assert_eq!(
            input.len(),
            blocks(geometry.in_channels) * images,
            "the input's size"
        );
        let ending = self.ending(batch, relu, output);
        match self.algorithm {
            Algorithm::Stem => unreachable!("the stem reads images"),
            Algorithm::Direct => {
                let view = View::forward(&geometry);
                direct::forward(input, &self.weights, &view, held, ending, output);
            }
            Algorithm::Winograd(tile) => {
                winograd::forward(input, &self.weights, &geometry, tile, held, ending, output);
            }
        }
    }

    /// Computes only the products, by the direct algorithm: `[C_out / 16, N, H', W', 16]` from `[C_in / 16, N, H, W,
    /// 16]`.
    ///
    /// # Panics
    /// If the size of a slice does not match `batch` images, or the algorithm is another one.
    pub fn run_without_bias(&self, batch: usize, input: &[Lane], output: &mut [Lane]) {
        assert_eq!(self.algorithm, Algorithm::Direct, "direct algorithm only");
        let geometry = ConvGeometry {
            batch,
            ..self.geometry
        };
        let images = batch * geometry.height * geometry.width;
        let lanes = blocks(geometry.in_channels) * images;
        assert_eq!(input.len(), lanes, "the input's size");
        let lanes = blocks(geometry.out_channels) * batch * geometry.out_pixels();
        assert_eq!(output.len(), lanes, "the output's size");
        let view = View::forward(&geometry);
        direct::forward(
            input,
            &self.weights,
            &view,
            Held::Nothing,
            Ending::default(),
            output,
        );
    }

    /// Computes the same from images `[N, C, H, W]`, by the stem's algorithm, with bias and ReLU. The images are
    /// expanded into `buffer`.
    ///
    /// # Panics
    /// If the size of a slice does not match `batch` images, or the algorithm is another one.
    pub fn run_on_pictures(
        &self,
        batch: usize,
        pictures: &[f32],
        buffer: &mut Vec<f32>,
        relu: bool,
        output: &mut [Lane],
    ) {
        assert_eq!(self.algorithm, Algorithm::Stem, "only a stem reads images");
        let geometry = ConvGeometry {
            batch,
            ..self.geometry
        };
        assert_eq!(pictures.len(), batch * geometry.image(), "the images' size");
        let length = stem::padded_len(&geometry);
        buffer.resize(length.max(buffer.len()), 0.0);
        let ending = self.ending(batch, relu, output);
        stem::forward(
            pictures,
            &mut buffer[..length],
            &self.weights,
            &geometry,
            ending,
            output,
        );
    }

    fn ending(&self, batch: usize, relu: bool, output: &[Lane]) -> Ending<'_> {
        let lanes = self.bias.len() * batch * self.geometry.out_pixels();
        assert_eq!(output.len(), lanes, "the output's size");
        Ending {
            bias: Some(&self.bias),
            relu,
        }
    }
}
