//! A convolution whose weights are packed once and used many times, as in inference.

use super::geometry::ConvGeometry;
use super::groups::Groups;
use super::offsets::{OffsetConv, TapWeights};
use super::select::Algorithm;
use super::{direct, stem, winograd};
use crate::layout::{Buffer, blocks};
use crate::simd::{ChannelBlock, LANES};
use crate::tile::{Epilogue, OutputInit};

/// A convolution with its weights, packed for one algorithm.
#[derive(Debug)]
pub struct Convolution {
    geometry: ConvGeometry,
    algorithm: Algorithm,
    weights: Buffer,
    bias: Buffer,
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
        let mut weights = Buffer::default();
        match algorithm {
            Algorithm::Stem => {
                assert!(stem::applies(&geometry), "{geometry:?} is not a stem");
                stem::pack(weight, &geometry, &mut weights);
            }
            Algorithm::Direct => {
                let taps = TapWeights::forward(weight, &geometry).contributing(&geometry);
                direct::pack(&taps, Groups::of(&geometry), &mut weights);
            }
            Algorithm::Winograd(tile) => {
                assert!(winograd::applies(&geometry), "{geometry:?} by Winograd");
                winograd::pack(&TapWeights::forward(weight, &geometry), tile, &mut weights);
            }
        }
        let mut lanes = Buffer::zeros(blocks(bias.len()));
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
    pub fn run(
        &self,
        batch: usize,
        input: &[ChannelBlock],
        init: OutputInit,
        relu: bool,
        output: &mut [ChannelBlock],
    ) {
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
        let epilogue = self.epilogue(batch, relu, output);
        match self.algorithm {
            Algorithm::Stem => unreachable!("the stem reads images"),
            Algorithm::Direct => {
                let conv = OffsetConv::forward(&geometry);
                direct::forward(input, &self.weights, &conv, init, epilogue, output);
            }
            Algorithm::Winograd(tile) => {
                winograd::forward(
                    input,
                    &self.weights,
                    &geometry,
                    tile,
                    init,
                    epilogue,
                    output,
                );
            }
        }
    }

    /// Computes only the products, by the direct algorithm: `[C_out / 16, N, H', W', 16]` from `[C_in / 16, N, H, W,
    /// 16]`.
    ///
    /// # Panics
    /// If the size of a slice does not match `batch` images, or the algorithm is another one.
    pub fn run_without_bias(
        &self,
        batch: usize,
        input: &[ChannelBlock],
        output: &mut [ChannelBlock],
    ) {
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
        let conv = OffsetConv::forward(&geometry);
        direct::forward(
            input,
            &self.weights,
            &conv,
            OutputInit::Overwrite,
            Epilogue::default(),
            output,
        );
    }

    /// Computes the same from images `[N, C, H, W]`, by the stem's algorithm, with bias and ReLU. The images are
    /// expanded into `buffer`.
    ///
    /// # Panics
    /// If the size of a slice does not match `batch` images, or the algorithm is another one.
    pub fn run_on_images(
        &self,
        batch: usize,
        images: &[f32],
        buffer: &mut Vec<f32>,
        relu: bool,
        output: &mut [ChannelBlock],
    ) {
        assert_eq!(self.algorithm, Algorithm::Stem, "only a stem reads images");
        let geometry = ConvGeometry {
            batch,
            ..self.geometry
        };
        assert_eq!(images.len(), batch * geometry.image(), "the images' size");
        let length = stem::expanded_len(&geometry);
        buffer.resize(length.max(buffer.len()), 0.0);
        let epilogue = self.epilogue(batch, relu, output);
        stem::forward(
            images,
            &mut buffer[..length],
            &self.weights,
            &geometry,
            epilogue,
            output,
        );
    }

    fn epilogue(&self, batch: usize, relu: bool, output: &[ChannelBlock]) -> Epilogue<'_> {
        let lanes = self.bias.len() * batch * self.geometry.out_pixels();
        assert_eq!(output.len(), lanes, "the output's size");
        Epilogue {
            bias: Some(&self.bias),
            relu,
        }
    }
}
