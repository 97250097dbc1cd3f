//! The layers before the first stage.

use super::block::{ConvNorm, ConvNormShape};
use super::config::{AntiAliasing, ModelConfig, StemKind, StemPool};
use crate::ops::max_pool::max_pool2d;
use crate::ops::pool::{AverageEdge, average_pool2d, blur_pool2d};
use crate::ops::relu::relu;
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

/// Max-pooling of the stem: kernel, stride, padding.
pub const STEM_POOL: [usize; 3] = [3, 2, 1];
/// Max-pooling of a stem with blur, which has the stride.
pub const BLURRED_POOL: [usize; 3] = [3, 1, 1];

/// The layers before the first stage.
#[derive(Debug, Clone)]
pub struct Stem {
    /// Convolutions with their norms; `ReLU` follows each. Their names are [`StemKind::layer_names`].
    pub layers: Vec<ConvNorm>,
    /// The pooling that follows, under the name `maxpool`.
    pub pool: Pool,
}

/// The halving of height and width at the end of a stem.
#[derive(Debug, Clone)]
pub enum Pool {
    /// Nothing.
    None,
    /// 3x3 max-pooling of stride 2.
    Max,
    /// 2x2 averages of stride 2.
    Average,
    /// 3x3 max-pooling of stride 1, then a blur of stride 2.
    Blur,
    /// A 3x3 convolution of stride 2 with its norm, `maxpool.0` and `maxpool.1`, and `ReLU`.
    Convolution(Box<ConvNorm>),
}

impl Stem {
    /// Creates the layers with their parameters in `vb`, the root of the network.
    pub(super) fn new(config: &ModelConfig, vb: &VarBuilder) -> Result<Self> {
        let outputs = config.stem.channels(config.stem_channels);
        let inputs = [config.in_channels].into_iter().chain(outputs.clone());
        let channels = inputs.zip(outputs);
        let names = config.stem.layer_names();
        let build = |channels: [usize; 2], kernel, stride, [conv, norm]: [&str; 2]| {
            let shape = ConvNormShape {
                norm: config.norm,
                ..ConvNormShape::new(channels, kernel, stride)
            };
            shape.build(&vb.pp(conv), &vb.pp(norm))
        };
        let layers = channels.zip(names).enumerate();
        let layers = layers.map(|(i, ((input, output), &names))| {
            let (kernel, stride) = match config.stem {
                StemKind::Imagenet => (7, 2),
                StemKind::Cifar => (3, 1),
                StemKind::Deep | StemKind::DeepTiered => (3, if i == 0 { 2 } else { 1 }),
            };
            build([input, output], kernel, stride, names)
        });
        let layers = layers.collect::<Result<_>>()?;
        let pool = match (config.anti_aliasing, config.stem_pool) {
            _ if !config.stem.has_pool() => Pool::None,
            (_, StemPool::Convolution) => {
                let channels = [config.stem_channels; 2];
                let layer = build(channels, 3, 2, ["maxpool.0", "maxpool.1"])?;
                Pool::Convolution(Box::new(layer))
            }
            (AntiAliasing::None, StemPool::Max) => Pool::Max,
            (AntiAliasing::Average, StemPool::Max) => Pool::Average,
            (AntiAliasing::Blur, StemPool::Max) => Pool::Blur,
        };
        Ok(Self { layers, pool })
    }

    /// Returns the layers with a norm.
    pub(super) fn layers_mut(&mut self) -> impl Iterator<Item = &mut ConvNorm> {
        let last = match &mut self.pool {
            Pool::Convolution(layer) => Some(&mut **layer),
            Pool::None | Pool::Max | Pool::Average | Pool::Blur => None,
        };
        self.layers.iter_mut().chain(last)
    }

    /// Maps images `[N, C, H, W]` to `[N, stem_channels, H / 4, W / 4]`; CIFAR's stem keeps height and width.
    pub fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let mut x = x.clone();
        for layer in &self.layers {
            x = relu(&layer.forward_t(&x, train)?)?;
        }
        let max_pool = |x: &Tensor, [kernel, stride, padding]: [usize; 3]| {
            max_pool2d(x, kernel, stride, padding)
        };
        match &self.pool {
            Pool::None => Ok(x),
            Pool::Max => max_pool(&x, STEM_POOL),
            Pool::Average => average_pool2d(&x, AverageEdge::Dropped),
            Pool::Blur => blur_pool2d(&max_pool(&x, BLURRED_POOL)?),
            Pool::Convolution(layer) => relu(&layer.forward_t(&x, train)?),
        }
    }
}
