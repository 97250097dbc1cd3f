//! The residual net, built from a [`ModelConfig`] and torchvision's parameter names.

use super::block::{Block, ConvNorm, ConvNormShape, Place};
use super::config::{ModelConfig, StemKind};
use super::frozen::Frozen;
use crate::nn::Linear;
use crate::nn::init::{TensorShapes, without_memory};
use crate::ops::max_pool::max_pool2d;
use crate::ops::relu::relu;
use candle_core::{Result, Tensor, bail};
use candle_nn::VarBuilder;

/// The stem's max-pooling: kernel, stride, padding.
pub const STEM_POOL: [usize; 3] = [3, 2, 1];

/// A residual net.
#[derive(Debug, Clone)]
pub struct ResNet {
    config: ModelConfig,
    stem: ConvNorm,
    stages: Vec<Vec<Block>>,
    head: Linear,
}

impl ResNet {
    /// Builds the net with parameters from `vb`: `conv1.weight`, `bn1.*`, `layer1.0.conv1.weight` ... `fc.bias`.
    ///
    /// Where `vb` makes new parameters the convolutions start Kaiming normal by fan-out and batch norm at 1 and 0.
    pub fn new(config: &ModelConfig, vb: &VarBuilder) -> Result<Self> {
        Self::with_init(config, false, vb)
    }

    /// [`ResNet::new`], each block's last batch norm starting at 0 with `zero_init_residual`, so that every block begins
    /// as its shortcut: <https://arxiv.org/abs/1706.02677>, section 5.1.
    pub fn with_init(
        config: &ModelConfig,
        zero_init_residual: bool,
        vb: &VarBuilder,
    ) -> Result<Self> {
        config.validate()?;
        let stem_channels = [config.in_channels, config.stem_channels];
        let stem = match config.stem {
            StemKind::Imagenet => ConvNormShape::new(stem_channels, 7, 2),
            StemKind::Cifar => ConvNormShape::new(stem_channels, 3, 1),
        };
        let stem = stem.build(&vb.pp("conv1"), &vb.pp("bn1"))?;
        let mut in_channels = config.stem_channels;
        let mut dilation = 1;
        let mut stages = Vec::with_capacity(config.blocks.len());
        for (stage, &blocks) in config.blocks.iter().enumerate() {
            let mut stride = if stage == 0 {
                config.first_stage_stride
            } else {
                2
            };
            let first_dilation = dilation;
            if config.dilated[stage] {
                dilation *= stride;
                stride = 1;
            }
            let vb = vb.pp(format!("layer{}", stage + 1));
            let mut built = Vec::with_capacity(blocks);
            for block in 0..blocks {
                let place = Place {
                    stage,
                    in_channels,
                    stride: if block == 0 { stride } else { 1 },
                    first_dilation: if block == 0 { first_dilation } else { dilation },
                    dilation,
                };
                built.push(Block::new(
                    config,
                    place,
                    zero_init_residual,
                    &vb.pp(block),
                )?);
                in_channels = config.stage_channels(stage);
            }
            stages.push(built);
        }
        let head = Linear::new([config.features(), config.classes], &vb.pp("fc"))?;
        Ok(Self {
            config: config.clone(),
            stem,
            stages,
            head,
        })
    }

    /// Logits `[N, classes]` of pictures `[N, C, H, W]`. In training batch norm takes the batch's statistics and moves its
    /// running ones.
    ///
    /// Fails on pictures that do not fit the net and, in training, where batch norm would see one value a channel.
    pub fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.forward_frozen(x, Frozen::Nothing, train)
    }

    /// [`ResNet::forward_t`] with a part of the net `frozen`: that part evaluates even in training, its running statistics
    /// stay, and no gradient reaches it.
    pub fn forward_frozen(&self, x: &Tensor, frozen: Frozen, train: bool) -> Result<Tensor> {
        let x = self.features(x, frozen, train)?; // [N, features, H/32, W/32]
        self.head.forward(&pool(&x)?)
    }

    /// The head's input `[N, features]` as evaluation computes it, with no gradient: what a linear probe learns from.
    pub fn pooled(&self, x: &Tensor) -> Result<Tensor> {
        pool(&self.feature_map(x)?)
    }

    /// What the last stage gives out, before pooling, as evaluation computes it, with no gradient:
    /// `[N, features, H/32, W/32]` with the `ImageNet` stem.
    pub fn feature_map(&self, x: &Tensor) -> Result<Tensor> {
        self.features(x, Frozen::Backbone, false)
    }

    /// What the last stage gives out, before pooling: `[N, features, H/32, W/32]` with the `ImageNet` stem.
    fn features(&self, x: &Tensor, frozen: Frozen, train: bool) -> Result<Tensor> {
        let (_, channels, height, width) = x.dims4()?;
        if channels != self.config.in_channels {
            bail!(
                "this net takes pictures of {} channels, not {channels}",
                self.config.in_channels
            );
        }
        if height == 0 || width == 0 {
            bail!("this net takes pictures of at least one pixel, not {height}x{width}");
        }
        // Detached a part at a time, so that a frozen part's intermediate results go at once.
        let cut = |x: Tensor, frozen: bool| if frozen { x.detach() } else { x };
        let is_frozen = frozen.stages() > 0;
        let mut x = relu(&self.stem.forward_t(x, train && !is_frozen)?)?; // [N, stem_channels, H/2, W/2]
        if self.config.stem == StemKind::Imagenet {
            let [kernel, stride, padding] = STEM_POOL;
            x = max_pool2d(&x, kernel, stride, padding)?; // [N, stem_channels, H/4, W/4]
        }
        x = cut(x, is_frozen);
        for (stage, blocks) in self.stages.iter().enumerate() {
            let is_frozen = frozen.stages() > stage + 1;
            for block in blocks {
                x = cut(block.forward_t(&x, train && !is_frozen)?, is_frozen);
            }
        }
        Ok(x)
    }

    /// The architecture.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The first convolution and its batch norm.
    pub fn stem(&self) -> &ConvNorm {
        &self.stem
    }

    /// The blocks of each stage.
    pub fn stages(&self) -> &[Vec<Block>] {
        &self.stages
    }

    /// The classifier.
    pub fn head(&self) -> &Linear {
        &self.head
    }
}

/// The mean over the pixels: `[N, C, H, W]` to `[N, C]`.
pub(crate) fn pool(x: &Tensor) -> Result<Tensor> {
    x.flatten_from(2)?.mean(2)
}

/// Names and shapes of all tensors that a net of this architecture holds, in the order in which it is built.
pub fn parameters(config: &ModelConfig) -> Result<TensorShapes> {
    without_memory(|vb| ResNet::new(config, &vb)).map(|(_, shapes)| shapes)
}
