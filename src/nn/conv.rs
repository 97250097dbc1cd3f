//! Convolution without bias.

pub use crate::ops::conv2d::Conv2dConfig;
use crate::ops::conv2d::conv2d;
use candle_core::{Result, Tensor, bail};
use candle_nn::VarBuilder;
use candle_nn::init::{FanInOut, Init, NonLinearity, NormalOrUniform};
use resnet_kernels::ConvGeometry;

/// Kaiming normal initialization by fan-out for ReLU, as in torchvision. Delving Deep into Rectifiers,
/// <https://arxiv.org/abs/1502.01852>
pub(super) const INIT: Init = Init::Kaiming {
    dist: NormalOrUniform::Normal,
    fan: FanInOut::FanOut,
    non_linearity: NonLinearity::ReLU,
};

/// A convolution with a square kernel, without bias.
#[derive(Debug, Clone)]
pub struct Conv2d {
    weight: Tensor, // [C_out, C_in / groups, k, k]
    config: Conv2dConfig,
}

impl Conv2d {
    /// Creates the layer from `weight` `[channels[1], channels[0] / groups, kernel, kernel]` in `vb`.
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

    /// Convolves `[N, C_in, H, W]` to `[N, C_out, H', W']`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        conv2d(x, &self.weight, self.config)
    }

    /// Returns the weights, `[C_out, C_in / groups, k, k]`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// Returns the shapes for an input with these channels, height and width.
    ///
    /// # Errors
    /// If the input is smaller than the kernel.
    pub fn geometry(&self, [channels, height, width]: [usize; 3]) -> Result<ConvGeometry> {
        let (out_channels, _, kernel, _) = self.weight.dims4()?;
        let Conv2dConfig {
            stride,
            padding,
            dilation,
            groups,
        } = self.config;
        let geometry = ConvGeometry {
            batch: 1,
            in_channels: channels,
            out_channels,
            groups,
            height,
            width,
            kernel,
            stride,
            padding,
            dilation,
        };
        if !geometry.fits() {
            bail!("the image is too small for the network");
        }
        Ok(geometry)
    }

    /// Returns stride, padding, dilation and groups.
    pub fn config(&self) -> Conv2dConfig {
        self.config
    }
}
