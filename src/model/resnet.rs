//! The residual network, built from a [`ModelConfig`] with torchvision's parameter names.

use super::block::{Block, BlockPosition};
use super::config::ModelConfig;
use super::frozen::Frozen;
use super::stem::Stem;
use crate::nn::init::{TensorShapes, without_memory};
use crate::nn::{Linear, Norm};
use crate::ops::shared_statistics::ShardGroup;
use candle_core::{Result, Tensor, bail};
use candle_nn::VarBuilder;
use std::sync::Arc;

/// A residual network.
#[derive(Debug, Clone)]
pub struct ResNet {
    config: ModelConfig,
    stem: Stem,
    stages: Vec<Vec<Block>>,
    head: Linear,
}

impl ResNet {
    /// Builds the network with parameters from `vb`: `conv1.weight`, `bn1.*`, `layer1.0.conv1.weight` ... `fc.bias`.
    ///
    /// If `vb` creates new parameters, convolutions are initialized Kaiming normal by fan-out, batch norm weights to 1
    /// and biases to 0.
    pub fn new(config: &ModelConfig, vb: &VarBuilder) -> Result<Self> {
        Self::with_init(config, false, vb)
    }

    /// Builds the network as [`ResNet::new`] does. With `zero_init_residual`, the last batch norm of each block is
    /// initialized to 0, so that every block starts as its shortcut: <https://arxiv.org/abs/1706.02677>, section 5.1.
    pub fn with_init(
        config: &ModelConfig,
        zero_init_residual: bool,
        vb: &VarBuilder,
    ) -> Result<Self> {
        config.validate()?;
        let stem = Stem::new(config, vb)?;
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
                let position = BlockPosition {
                    stage,
                    block,
                    in_channels,
                    stride: if block == 0 { stride } else { 1 },
                    first_dilation: if block == 0 { first_dilation } else { dilation },
                    dilation,
                };
                built.push(Block::new(
                    config,
                    position,
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

    /// Returns this network, with the same parameters, for one of the `shards` of a batch: its batch norms take the statistics of all in
    /// training.
    #[must_use]
    pub fn sharing(&self, shards: &Arc<dyn ShardGroup>) -> Self {
        let mut network = self.clone();
        let blocks = network.stages.iter_mut().flatten();
        let layers = blocks.flat_map(Block::layers_mut);
        for layer in layers.chain(network.stem.layers_mut()) {
            if let Norm::Batch(norm) = &mut layer.norm {
                norm.share(shards);
            }
        }
        network
    }

    /// Returns the logits `[N, classes]` of images `[N, C, H, W]`. In training, batch norm uses the batch statistics
    /// and updates its running ones.
    ///
    /// Returns an error for images that do not fit the network and, in training, if batch norm would see one value per
    /// channel.
    pub fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.forward_frozen(x, Frozen::Nothing, train)
    }

    /// Computes [`ResNet::forward_t`] with a part of the network `frozen`: that part runs in evaluation mode even in
    /// training, its running statistics stay unchanged, and no gradient reaches it.
    pub fn forward_frozen(&self, x: &Tensor, frozen: Frozen, train: bool) -> Result<Tensor> {
        let x = self.features(x, frozen, train)?; // [N, features, H/32, W/32]
        self.head.forward(&global_avg_pool(&x)?)
    }

    /// Returns the input of the head, `[N, features]`, in evaluation mode and without a gradient: the features that a
    /// linear probe is trained on.
    pub fn pooled(&self, x: &Tensor) -> Result<Tensor> {
        global_avg_pool(&self.feature_map(x)?)
    }

    /// Returns the output of the last stage before pooling, in evaluation mode and without a gradient: `[N, features,
    /// H/32, W/32]` with the `ImageNet` stem.
    pub fn feature_map(&self, x: &Tensor) -> Result<Tensor> {
        self.features(x, Frozen::Backbone, false)
    }

    /// Returns the output of the last stage before pooling: `[N, features, H/32, W/32]` with the `ImageNet` stem.
    fn features(&self, x: &Tensor, frozen: Frozen, train: bool) -> Result<Tensor> {
        let (_, channels, height, width) = x.dims4()?;
        if channels != self.config.in_channels {
            bail!(
                "the model expects images with {} channels, not {channels}",
                self.config.in_channels
            );
        }
        if height == 0 || width == 0 {
            bail!("the model expects images of at least one pixel, not {height}x{width}");
        }
        // Detached one part at a time, so that intermediate results of a frozen part are freed at once.
        let cut = |x: Tensor, frozen: bool| if frozen { x.detach() } else { x };
        let is_frozen = frozen.stages() > 0;
        let x = self.stem.forward_t(x, train && !is_frozen)?; // [N, stem_channels, H/4, W/4]
        let mut x = cut(x, is_frozen);
        for (stage, blocks) in self.stages.iter().enumerate() {
            let is_frozen = frozen.stages() > stage + 1;
            for block in blocks {
                x = cut(block.forward_t(&x, train && !is_frozen)?, is_frozen);
            }
        }
        Ok(x)
    }

    /// Returns the architecture.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Returns the layers before the first stage.
    pub fn stem(&self) -> &Stem {
        &self.stem
    }

    /// Returns the weights of the first convolution: their type and device are the network's.
    pub fn first_weight(&self) -> &Tensor {
        self.stem.layers[0].conv.weight()
    }

    /// Returns the blocks of each stage.
    pub fn stages(&self) -> &[Vec<Block>] {
        &self.stages
    }

    /// Returns the classifier.
    pub fn head(&self) -> &Linear {
        &self.head
    }
}

/// Returns the mean over the pixels: `[N, C, H, W]` to `[N, C]`.
pub(crate) fn global_avg_pool(x: &Tensor) -> Result<Tensor> {
    x.flatten_from(2)?.mean(2)
}

/// Returns names and shapes of all tensors of this architecture, in the order in which it is built.
pub fn parameters(config: &ModelConfig) -> Result<TensorShapes> {
    without_memory(|vb| ResNet::new(config, &vb)).map(|(_, shapes)| shapes)
}
