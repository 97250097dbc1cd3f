//! Convolution without bias.

pub use crate::ops::conv2d::Conv2dConfig;
use crate::ops::conv2d::conv2d;
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use candle_nn::init::{FanInOut, Init, NonLinearity, NormalOrUniform};

/// Kaiming's normal initialisation by fan-out for ReLU, as torchvision's residual nets start.
/// Delving Deep into Rectifiers, <https://arxiv.org/abs/1502.01852>
const INIT: Init = Init::Kaiming {
    dist: NormalOrUniform::Normal,
    fan: FanInOut::FanOut,
    non_linearity: NonLinearity::ReLU,
};

/// A convolution of square kernel, without bias.
#[derive(Debug, Clone)]
pub struct Conv2d {
    weight: Tensor, // [C_out, C_in / groups, k, k]
    config: Conv2dConfig,
}

impl Conv2d {
    /// Takes `weight` `[channels[1], channels[0] / groups, kernel, kernel]` from `vb`.
    pub fn new(
        channels: [usize; 2],
        kernel: usize,
        config: Conv2dConfig,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let shape = (channels[1], channels[0] / config.groups, kernel, kernel);
        let weight = vb.get_with_hints(shape, "weight", INIT)?;
        Ok(Self { weight, config })
    }

    /// `[N, C_in, H, W]` to `[N, C_out, H', W']`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        conv2d(x, &self.weight, self.config)
    }

    /// `[C_out, C_in / groups, k, k]`
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// Stride, padding, dilation and groups.
    pub fn config(&self) -> Conv2dConfig {
        self.config
    }
}
