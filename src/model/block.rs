//! Residual blocks: two or three convolutions with batch norm, and a shortcut around them.

use super::config::{
    BATCH_NORM_EPS, BATCH_NORM_MOMENTUM, BlockKind, ModelConfig, ShortcutKind, StridePlacement,
};
use crate::nn::conv::Conv2dConfig;
use crate::nn::{BatchNorm2d, Conv2d};
use crate::ops::relu::relu;
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

/// A convolution followed by batch norm.
#[derive(Debug, Clone)]
pub struct ConvNorm {
    /// Convolution.
    pub conv: Conv2d,
    /// Batch norm.
    pub norm: BatchNorm2d,
}

impl ConvNorm {
    /// Convolves and normalizes `[N, C_in, H, W]` to `[N, C_out, H', W']`.
    pub fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.norm.forward_t(&self.conv.forward(x)?, train)
    }
}

/// Shape of one [`ConvNorm`] of a block or of the stem.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConvNormShape {
    pub channels: [usize; 2],
    pub kernel: usize,
    pub stride: usize,
    pub dilation: usize,
    pub groups: usize,
    /// Initial value of batch norm's weight.
    pub norm_init: f64,
}

impl ConvNormShape {
    pub fn new(channels: [usize; 2], kernel: usize, stride: usize) -> Self {
        Self {
            channels,
            kernel,
            stride,
            dilation: 1,
            groups: 1,
            norm_init: 1.0,
        }
    }

    /// Builds the layers with the convolution's parameters under `conv` and the norm's under `norm`, padded so that
    /// stride 1 keeps height and width.
    pub fn build(self, conv: &VarBuilder, norm: &VarBuilder) -> Result<ConvNorm> {
        let Self {
            channels,
            kernel,
            stride,
            dilation,
            groups,
            norm_init,
        } = self;
        let padding = dilation * (kernel - 1) / 2;
        let config = Conv2dConfig {
            stride,
            padding,
            dilation,
            groups,
        };
        Ok(ConvNorm {
            conv: Conv2d::new(channels, kernel, config, conv)?,
            norm: BatchNorm2d::new(
                channels[1],
                norm_init,
                BATCH_NORM_EPS,
                BATCH_NORM_MOMENTUM,
                norm,
            )?,
        })
    }
}

/// The shortcut of a block: how its input reaches its output.
#[derive(Debug, Clone)]
pub enum Shortcut {
    /// None: the plain network.
    None,
    /// Identity.
    Identity,
    /// A 1x1 convolution and batch norm: `downsample` in torchvision's names.
    Projection(ConvNorm),
    /// Every `stride`-th pixel, with zero channels on both sides to extend `channels[0]` to `channels[1]`.
    Padded {
        /// Input and output channels.
        channels: [usize; 2],
        /// Stride of both axes.
        stride: usize,
    },
}

impl Shortcut {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Option<Tensor>> {
        match self {
            Self::None => Ok(None),
            Self::Identity => Ok(Some(x.clone())),
            Self::Projection(projection) => projection.forward_t(x, train).map(Some),
            Self::Padded { channels, stride } => sample_and_pad(x, *channels, *stride).map(Some),
        }
    }
}

/// Takes every `stride`-th pixel of `[N, C_in, H, W]`, with half the missing channels on each side (the smaller half
/// first).
fn sample_and_pad(x: &Tensor, [input, output]: [usize; 2], stride: usize) -> Result<Tensor> {
    let mut x = x.clone();
    if stride > 1 {
        for dim in [2, 3] {
            let kept = Tensor::arange_step(0, x.dim(dim)? as u32, stride as u32, x.device())?;
            x = x.index_select(&kept, dim)?;
        }
    }
    let missing = output - input;
    x.pad_with_zeros(1, missing / 2, missing - missing / 2)
}

/// A residual block.
#[derive(Debug, Clone)]
pub struct Block {
    /// Basic or bottleneck.
    pub kind: BlockKind,
    /// `conv1` with `bn1`, `conv2` with `bn2`, and in a bottleneck `conv3` with `bn3`. ReLU follows all but the last.
    pub layers: Vec<ConvNorm>,
    /// Shortcut, added before the last ReLU.
    pub shortcut: Shortcut,
}

/// Position of a block in the network.
#[derive(Debug, Clone, Copy)]
pub(super) struct BlockPosition {
    pub stage: usize,
    pub in_channels: usize,
    pub stride: usize,
    /// Dilation of a basic block's first convolution.
    pub first_dilation: usize,
    /// Dilation of the block's other 3x3 convolutions.
    pub dilation: usize,
}

impl Block {
    pub(super) fn new(
        config: &ModelConfig,
        position: BlockPosition,
        zero_init_residual: bool,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let out_channels = config.stage_channels(position.stage);
        let mut shapes = match config.block {
            BlockKind::Basic => basic_shapes(config, position),
            BlockKind::Bottleneck => bottleneck_shapes(config, position),
        };
        if let (true, Some(last)) = (zero_init_residual, shapes.last_mut()) {
            last.norm_init = 0.0;
        }
        let layers = shapes.into_iter().enumerate().map(|(i, shape)| {
            let (conv, norm) = (format!("conv{}", i + 1), format!("bn{}", i + 1));
            shape.build(&vb.pp(conv), &vb.pp(norm))
        });
        let layers = layers.collect::<Result<Vec<_>>>()?;
        let channels = [position.in_channels, out_channels];
        let shortcut = match config.shortcut {
            ShortcutKind::None => Shortcut::None,
            _ if position.stride == 1 && position.in_channels == out_channels => Shortcut::Identity,
            ShortcutKind::Projection => {
                let vb = vb.pp("downsample");
                let shape = ConvNormShape::new(channels, 1, position.stride);
                Shortcut::Projection(shape.build(&vb.pp("0"), &vb.pp("1"))?)
            }
            ShortcutKind::Padded => Shortcut::Padded {
                channels,
                stride: position.stride,
            },
        };
        Ok(Self {
            kind: config.block,
            layers,
            shortcut,
        })
    }

    /// Returns the layers with a batch norm.
    pub(super) fn layers_mut(&mut self) -> impl Iterator<Item = &mut ConvNorm> {
        let projection = match &mut self.shortcut {
            Shortcut::Projection(layer) => Some(layer),
            Shortcut::None | Shortcut::Identity | Shortcut::Padded { .. } => None,
        };
        self.layers.iter_mut().chain(projection)
    }

    /// Maps `[N, C_in, H, W]` to `[N, C_out, H', W']`.
    pub fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let mut y = x.clone();
        for (i, layer) in self.layers.iter().enumerate() {
            y = layer.forward_t(&y, train)?;
            if i + 1 < self.layers.len() {
                y = relu(&y)?;
            }
        }
        match self.shortcut.forward_t(x, train)? {
            Some(shortcut) => relu(&(y + shortcut)?),
            None => relu(&y),
        }
    }
}

fn basic_shapes(config: &ModelConfig, position: BlockPosition) -> Vec<ConvNormShape> {
    let planes = config.planes[position.stage];
    vec![
        ConvNormShape {
            dilation: position.first_dilation,
            ..ConvNormShape::new([position.in_channels, planes], 3, position.stride)
        },
        ConvNormShape {
            dilation: position.dilation,
            ..ConvNormShape::new([planes, planes], 3, 1)
        },
    ]
}

fn bottleneck_shapes(config: &ModelConfig, position: BlockPosition) -> Vec<ConvNormShape> {
    let inner = config.bottleneck_channels(position.stage);
    let [first, second] = match config.stride_placement {
        StridePlacement::V1 => [position.stride, 1],
        StridePlacement::V15 => [1, position.stride],
    };
    vec![
        ConvNormShape::new([position.in_channels, inner], 1, first),
        ConvNormShape {
            dilation: position.first_dilation,
            groups: config.groups,
            ..ConvNormShape::new([inner, inner], 3, second)
        },
        ConvNormShape::new([inner, config.stage_channels(position.stage)], 1, 1),
    ]
}
