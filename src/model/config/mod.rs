//! The single description of a residual network: every depth and variant is a row of a table, every option a field.
//!
//! The terms are torchvision's. Stage `i` has `blocks[i]` blocks of `planes[i]` channels; a bottleneck block has four
//! times as many output channels as planes.
//!
//! - Deep Residual Learning for Image Recognition, <https://arxiv.org/abs/1512.03385>
//! - Aggregated Residual Transformations (`ResNeXt`), <https://arxiv.org/abs/1611.05431>
//! - Wide Residual Networks, <https://arxiv.org/abs/1605.07146>
//! - Bag of Tricks for Image Classification (deep stems, averages before projections), <https://arxiv.org/abs/1812.01187>
//! - Squeeze-and-Excitation Networks, <https://arxiv.org/abs/1709.01507>
//! - ECA-Net, <https://arxiv.org/abs/1910.03151>
//! - Making Convolutional Networks Shift-Invariant Again (blur), <https://arxiv.org/abs/1904.11486>
//! - Revisiting `ResNets` (RS), <https://arxiv.org/abs/2103.07579>
//! - Group Normalization, <https://arxiv.org/abs/1803.08494>

mod named;
mod pruned;
mod table;
mod validate;

pub(crate) use validate::NORM_GROUPS;

pub use crate::nn::Attention;
pub use named::{CIFAR_DEPTHS, IMAGENET_DEPTHS, canonical_name, names};
pub use pruned::PrunedChannels;
use serde::{Deserialize, Serialize};

/// Batch norm's epsilon, as in torchvision, timm and transformers.
pub const BATCH_NORM_EPS: f64 = 1e-5;
/// Weight of the batch in the update of batch norm's running statistics, as in torchvision, timm and transformers.
pub const BATCH_NORM_MOMENTUM: f64 = 0.1;

/// The kind of residual block of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BlockKind {
    /// Two 3x3 convolutions.
    Basic,
    /// 1x1, 3x3, 1x1 convolutions with four times the channels at the end.
    Bottleneck,
}

impl BlockKind {
    /// Returns the ratio of a block's output channels to its `planes`.
    pub fn expansion(self) -> usize {
        match self {
            Self::Basic => 1,
            Self::Bottleneck => 4,
        }
    }
}

/// The layers before the first stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StemKind {
    /// 7x7 convolution of stride 2, then 3x3 max-pooling of stride 2: for 224 px.
    Imagenet,
    /// 3x3 convolution of stride 1 and no pooling: for 32 px.
    Cifar,
    /// Three 3x3 convolutions, the first of stride 2, with half, half and all of the channels, then pooling (timm's `deep`).
    Deep,
    /// As `Deep`, with three eighths of the channels in the first convolution (timm's `deep_tiered`).
    #[serde(rename = "deep_tiered")]
    DeepTiered,
}

impl StemKind {
    /// Returns true if pooling of stride 2 follows.
    pub fn has_pool(self) -> bool {
        self != Self::Cifar
    }

    /// Returns the output channels of the convolutions of a stem with `channels` at its end.
    pub fn channels(self, channels: usize) -> Vec<usize> {
        let half = channels / 2;
        match self {
            Self::Imagenet | Self::Cifar => vec![channels],
            Self::Deep => vec![half, half, channels],
            Self::DeepTiered => vec![half / 4 * 3, half, channels],
        }
    }

    /// Returns the names of the convolutions and of their norms.
    pub fn layer_names(self) -> &'static [[&'static str; 2]] {
        match self {
            Self::Imagenet | Self::Cifar => &[["conv1", "bn1"]],
            Self::Deep | Self::DeepTiered => &[
                ["conv1.0", "conv1.1"],
                ["conv1.3", "conv1.4"],
                ["conv1.6", "bn1"],
            ],
        }
    }
}

/// The pooling at the end of the stem, without anti-aliasing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StemPool {
    /// 3x3 max-pooling of stride 2.
    #[default]
    Max,
    /// 3x3 convolution of stride 2 with its norm and `ReLU` (timm's `replace_stem_pool`).
    Convolution,
}

/// The replacement of strides, with which small shifts of an image change less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AntiAliasing {
    /// Nothing: 3x3 convolutions have strides.
    #[default]
    None,
    /// 2x2 averages of stride 2 behind 3x3 convolutions of stride 1, and in place of the max-pooling.
    Average,
    /// 3x3 binomial filters of stride 2 behind 3x3 convolutions and max-pooling of stride 1.
    Blur,
}

/// The normalization behind each convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NormKind {
    /// Batch norm.
    #[default]
    Batch,
    /// Group norm of 32 groups.
    Group,
}

/// The convolution of a bottleneck that carries the stride.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StridePlacement {
    /// The first 1x1, as in the paper (transformers' `downsample_in_bottleneck`).
    V1,
    /// The 3x3, as in torchvision and timm ("v1.5").
    #[serde(rename = "v1.5")]
    V15,
}

/// The shortcut of blocks whose input and output shapes differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShortcutKind {
    /// 1x1 convolution and batch norm (the paper's option B).
    Projection,
    /// 2x2 average of the stride, then 1x1 convolution of stride 1 and batch norm (timm's `avg_down`).
    #[serde(rename = "average_projection")]
    AverageProjection,
    /// Strided sampling, missing channels are zero, no parameters (the paper's option A).
    Padded,
    /// No block has a shortcut: the paper's plain network.
    None,
}

/// The architecture of a residual network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelConfig {
    /// Block of every stage.
    pub block: BlockKind,
    /// Blocks per stage.
    pub blocks: Vec<usize>,
    /// Channels per stage before the block's expansion, as long as `blocks`.
    pub planes: Vec<usize>,
    /// Stem.
    pub stem: StemKind,
    /// Output channels of the stem.
    pub stem_channels: usize,
    /// Input channels.
    pub in_channels: usize,
    /// Groups of a bottleneck's 3x3 convolution (`ResNeXt`'s cardinality).
    pub groups: usize,
    /// Channels per group of a bottleneck's 3x3 convolution, at 64 planes.
    pub width_per_group: usize,
    /// The convolution of a bottleneck that carries the stride.
    pub stride_placement: StridePlacement,
    /// The shortcut of blocks whose input and output shapes differ.
    pub shortcut: ShortcutKind,
    /// Stages whose stride is replaced by dilation, as long as `blocks` (torchvision's `replace_stride_with_dilation`
    /// lists all stages but the first).
    pub dilated: Vec<bool>,
    /// Stride of the first stage: 1, or 2 with transformers' `downsample_in_first_stage`.
    pub first_stage_stride: usize,
    /// Outputs of the last layer.
    pub classes: usize,
    /// The pooling at the end of the stem, if it has one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub stem_pool: StemPool,
    /// Kernel of a projection of stride 2: 1, or 3 (timm's `down_kernel_size`).
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub projection_kernel: usize,
    /// Ratio of the channels inside a block to those of its first convolution (timm's `block_reduce_first`).
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub first_reduction: usize,
    /// The attention over the channels at the end of each block.
    #[serde(default, skip_serializing_if = "is_default")]
    pub attention: Attention,
    /// The replacement of strides.
    #[serde(default, skip_serializing_if = "is_default")]
    pub anti_aliasing: AntiAliasing,
    /// The normalization behind each convolution.
    #[serde(default, skip_serializing_if = "is_default")]
    pub norm: NormKind,
    /// The block of each stage, if they differ; else empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stage_kinds: Vec<BlockKind>,
    /// The channels of a network that was pruned after its training, in place of those by `planes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pruned: Option<PrunedChannels>,
}

fn one() -> usize {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_one(value: &usize) -> bool {
    *value == 1
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl ModelConfig {
    /// Returns the same network with `width` channels in the stem and the first stage, doubled from stage to stage.
    #[must_use]
    pub fn with_width(mut self, width: usize) -> Self {
        self.stem_channels = width;
        for (stage, planes) in self.planes.iter_mut().enumerate() {
            *planes = width << stage;
        }
        self
    }

    /// Returns the output channels of stage `stage`.
    pub fn stage_channels(&self, stage: usize) -> usize {
        let pruned = self.pruned.as_ref();
        pruned.map_or_else(
            || self.full_stage_channels(stage),
            |pruned| pruned.stages[stage],
        )
    }

    /// Returns the output channels of stage `stage` of a network that was not pruned.
    pub fn full_stage_channels(&self, stage: usize) -> usize {
        self.planes[stage] * self.kind_of(stage).expansion()
    }

    /// Returns the kind of the blocks of stage `stage`.
    pub fn kind_of(&self, stage: usize) -> BlockKind {
        self.stage_kinds.get(stage).copied().unwrap_or(self.block)
    }

    /// Returns the output channels of each convolution of block `block` of stage `stage`.
    pub fn block_channels(&self, stage: usize, block: usize) -> Vec<usize> {
        let mut channels = match (&self.pruned, self.kind_of(stage)) {
            (Some(pruned), _) => pruned.inner[stage][block].clone(),
            (None, BlockKind::Basic) => vec![self.planes[stage] / self.first_reduction],
            (None, BlockKind::Bottleneck) => {
                let inner = self.bottleneck_channels(stage);
                vec![inner / self.first_reduction, inner]
            }
        };
        channels.push(self.stage_channels(stage));
        channels
    }

    /// Returns the number of channels between the stages and the last layer.
    pub fn features(&self) -> usize {
        self.stage_channels(self.planes.len() - 1)
    }

    /// Returns the channels inside a bottleneck of stage `stage`.
    pub fn bottleneck_channels(&self, stage: usize) -> usize {
        self.planes[stage] * self.width_per_group / 64 * self.groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_valid_row_and_names_itself() {
        for name in names() {
            let config = ModelConfig::named(name).unwrap();
            config.validate().unwrap();
            assert_eq!(config.name(), Some(name));
        }
        assert_eq!(ModelConfig::named("resnet19"), None);
        assert_eq!(ModelConfig::named("vgg16"), None);
    }

    #[test]
    fn a_changed_architecture_has_no_name_but_another_head_and_stem_keep_it() {
        let mut config = ModelConfig::named("resnet18").unwrap();
        config.classes = 3;
        config.stem = StemKind::Cifar;
        assert_eq!(config.name(), Some("resnet18"));
        assert_eq!(config.with_width(32).name(), None);
    }

    #[test]
    fn configurations_that_overflow_or_lose_channels_are_rejected() {
        let base = ModelConfig::named("resnet20").unwrap();
        for (config, part) in [
            (
                ModelConfig {
                    planes: vec![8, 16, 32],
                    ..base.clone()
                },
                "fewer output than input channels",
            ),
            (
                ModelConfig {
                    planes: vec![16, 32, 1 << 40],
                    ..base.clone()
                },
                "must be at most",
            ),
            (
                ModelConfig {
                    blocks: vec![3, 1_000_000_000, 3],
                    ..base.clone()
                },
                "blocks per stage",
            ),
        ] {
            assert!(
                config.validate().unwrap_err().to_string().contains(part),
                "{part}"
            );
        }
    }

    #[test]
    fn groups_with_basic_blocks_are_rejected() {
        let config = ModelConfig {
            groups: 2,
            ..ModelConfig::named("resnet18").unwrap()
        };
        assert!(
            config
                .validate()
                .unwrap_err()
                .to_string()
                .contains("bottleneck")
        );
    }
}
