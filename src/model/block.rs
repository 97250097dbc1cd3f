//! Residual blocks: two or three convolutions with norms, attention over the channels, and a shortcut around them.

use super::config::{
    AntiAliasing, BATCH_NORM_EPS, BATCH_NORM_MOMENTUM, BlockKind, ModelConfig, NORM_GROUPS,
    NormKind, ShortcutKind, StridePlacement,
};
use crate::nn::conv::Conv2dConfig;
use crate::nn::{BatchNorm2d, ChannelAttention, Conv2d, GroupNorm, Norm};
use crate::ops::pool::{AverageEdge, average_pool2d, blur_pool2d};
use crate::ops::relu::relu;
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

/// A convolution followed by a norm.
#[derive(Debug, Clone)]
pub struct ConvNorm {
    /// Convolution.
    pub conv: Conv2d,
    /// Norm.
    pub norm: Norm,
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
    pub norm: NormKind,
    /// Initial value of the norm's weight.
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
            norm: NormKind::Batch,
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
            norm: kind,
            norm_init,
        } = self;
        let padding = dilation * (kernel - 1) / 2;
        let config = Conv2dConfig {
            stride,
            padding,
            dilation,
            groups,
        };
        let conv = Conv2d::new(channels, kernel, config, conv)?;
        let norm = match kind {
            NormKind::Batch => Norm::Batch(BatchNorm2d::new(
                channels[1],
                norm_init,
                BATCH_NORM_EPS,
                BATCH_NORM_MOMENTUM,
                norm,
            )?),
            NormKind::Group => Norm::Group(GroupNorm::new(
                channels[1],
                NORM_GROUPS,
                norm_init,
                BATCH_NORM_EPS,
                norm,
            )?),
        };
        Ok(ConvNorm { conv, norm })
    }
}

/// The shortcut of a block: how its input reaches its output.
#[derive(Debug, Clone)]
pub enum Shortcut {
    /// None: the plain network.
    None,
    /// Identity.
    Identity,
    /// A convolution and its norm: `downsample` in torchvision's names.
    Projection(Projection),
    /// Every `stride`-th pixel, with zero channels on both sides to extend `channels[0]` to `channels[1]`.
    Padded {
        /// Input and output channels.
        channels: [usize; 2],
        /// Stride of both axes.
        stride: usize,
    },
}

/// A shortcut with parameters.
#[derive(Debug, Clone)]
pub struct Projection {
    /// Convolution and norm.
    pub layer: ConvNorm,
    /// The pooling before them, which is the first module.
    pub pool: ProjectionPool,
}

/// The first module of a [`Projection`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProjectionPool {
    /// The convolution.
    None,
    /// The identity.
    Identity,
    /// 2x2 averages of stride 2; those at an edge are of fewer pixels.
    Average,
}

impl Projection {
    /// Returns the names of the convolution and of the norm.
    pub fn layer_names(&self) -> [&'static str; 2] {
        match self.pool {
            ProjectionPool::None => ["0", "1"],
            ProjectionPool::Identity | ProjectionPool::Average => ["1", "2"],
        }
    }

    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        match self.pool {
            ProjectionPool::None | ProjectionPool::Identity => self.layer.forward_t(x, train),
            ProjectionPool::Average => {
                let x = average_pool2d(x, AverageEdge::Partial)?;
                self.layer.forward_t(&x, train)
            }
        }
    }
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
    /// The reduction of height and width behind the layer [`Block::strided_layer`], which then has stride 1.
    pub anti_aliasing: AntiAliasing,
    /// Attention over the channels of the last layer.
    pub attention: Option<ChannelAttention>,
    /// Shortcut, added before the last ReLU.
    pub shortcut: Shortcut,
}

/// Position of a block in the network.
#[derive(Debug, Clone, Copy)]
pub(super) struct BlockPosition {
    pub stage: usize,
    /// Index of the block in its stage.
    pub block: usize,
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
        let kind = config.kind_of(position.stage);
        let is_anti_aliased = config.anti_aliasing != AntiAliasing::None && position.stride > 1;
        let stride = if is_anti_aliased { 1 } else { position.stride };
        let mut shapes = shapes(config, BlockPosition { stride, ..position });
        if let (true, Some(last)) = (zero_init_residual, shapes.last_mut()) {
            last.norm_init = 0.0;
        }
        let layers = shapes.into_iter().enumerate().map(|(i, shape)| {
            let (conv, norm) = (format!("conv{}", i + 1), format!("bn{}", i + 1));
            shape.build(&vb.pp(conv), &vb.pp(norm))
        });
        Ok(Self {
            kind,
            layers: layers.collect::<Result<_>>()?,
            anti_aliasing: if is_anti_aliased {
                config.anti_aliasing
            } else {
                AntiAliasing::None
            },
            attention: ChannelAttention::new(
                config.attention,
                out_channels,
                config.full_stage_channels(position.stage),
                &vb.pp("se"),
            )?,
            shortcut: shortcut(config, position, vb)?,
        })
    }

    /// Returns the index of the layer that has the stride, or behind which [`Block::anti_aliasing`] takes its place.
    pub fn strided_layer(&self) -> usize {
        match self.kind {
            BlockKind::Basic => 0,
            BlockKind::Bottleneck => 1,
        }
    }

    /// Returns the layers with a norm.
    pub(super) fn layers_mut(&mut self) -> impl Iterator<Item = &mut ConvNorm> {
        let projection = match &mut self.shortcut {
            Shortcut::Projection(projection) => Some(&mut projection.layer),
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
            if i == self.strided_layer() {
                y = match self.anti_aliasing {
                    AntiAliasing::None => y,
                    AntiAliasing::Average => average_pool2d(&y, AverageEdge::Dropped)?,
                    AntiAliasing::Blur => blur_pool2d(&y)?,
                };
            }
        }
        if let Some(attention) = &self.attention {
            y = attention.forward(&y)?;
        }
        match self.shortcut.forward_t(x, train)? {
            Some(shortcut) => relu(&(y + shortcut)?),
            None => relu(&y),
        }
    }
}

/// Returns the shapes of the convolutions of a block.
fn shapes(config: &ModelConfig, position: BlockPosition) -> Vec<ConvNormShape> {
    let out = config.block_channels(position.stage, position.block);
    let inputs = [position.in_channels]
        .into_iter()
        .chain(out.iter().copied());
    let channels = inputs.zip(out.iter().copied());
    let shape =
        |((input, output), (kernel, stride)): ((usize, usize), (usize, usize))| ConvNormShape {
            norm: config.norm,
            ..ConvNormShape::new([input, output], kernel, stride)
        };
    match config.kind_of(position.stage) {
        BlockKind::Basic => {
            let kernels = [(3, position.stride), (3, 1)];
            let mut shapes: Vec<_> = channels.zip(kernels).map(shape).collect();
            let dilations = [position.first_dilation, position.dilation];
            for (shape, dilation) in shapes.iter_mut().zip(dilations) {
                shape.dilation = dilation;
            }
            shapes
        }
        BlockKind::Bottleneck => {
            let [first, second] = match config.stride_placement {
                StridePlacement::V1 => [position.stride, 1],
                StridePlacement::V15 => [1, position.stride],
            };
            let kernels = [(1, first), (3, second), (1, 1)];
            let mut shapes: Vec<_> = channels.zip(kernels).map(shape).collect();
            shapes[1].dilation = position.first_dilation;
            shapes[1].groups = config.groups;
            shapes
        }
    }
}

/// Builds the shortcut of a block.
fn shortcut(config: &ModelConfig, position: BlockPosition, vb: &VarBuilder) -> Result<Shortcut> {
    let channels = [position.in_channels, config.stage_channels(position.stage)];
    let stride = position.stride;
    if config.shortcut == ShortcutKind::None {
        return Ok(Shortcut::None);
    }
    if stride == 1 && channels[0] == channels[1] {
        return Ok(Shortcut::Identity);
    }
    let project = |kernel, stride, pool| {
        let shape = ConvNormShape {
            norm: config.norm,
            ..ConvNormShape::new(channels, kernel, stride)
        };
        let vb = vb.pp("downsample");
        let [conv, norm] = match pool {
            ProjectionPool::None => ["0", "1"],
            ProjectionPool::Identity | ProjectionPool::Average => ["1", "2"],
        };
        let layer = shape.build(&vb.pp(conv), &vb.pp(norm))?;
        Ok(Shortcut::Projection(Projection { layer, pool }))
    };
    match config.shortcut {
        ShortcutKind::Projection => {
            let has_kernel = stride > 1 || position.dilation > 1;
            let kernel = if has_kernel {
                config.projection_kernel
            } else {
                1
            };
            project(kernel, stride, ProjectionPool::None)
        }
        ShortcutKind::AverageProjection if stride == 1 => project(1, 1, ProjectionPool::Identity),
        ShortcutKind::AverageProjection => project(1, 1, ProjectionPool::Average),
        ShortcutKind::Padded | ShortcutKind::None => Ok(Shortcut::Padded { channels, stride }),
    }
}
