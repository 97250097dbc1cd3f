//! The single description of a residual network: every depth and variant is a row of [`ModelConfig::named`]'s table.
//!
//! The terms are torchvision's. Stage `i` has `blocks[i]` blocks of `planes[i]` channels; a bottleneck block has four
//! times as many output channels as planes.
//!
//! - Deep Residual Learning for Image Recognition, <https://arxiv.org/abs/1512.03385>
//! - Aggregated Residual Transformations (`ResNeXt`), <https://arxiv.org/abs/1611.05431>
//! - Wide Residual Networks, <https://arxiv.org/abs/1605.07146>

use candle_core::{Result, bail};
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
}

/// Maximum number of channels, classes, groups or channels per group: far above any real network, and small enough that
/// no product of two of them overflows.
const MAX_SIZE: usize = 1 << 20;
/// Maximum number of blocks per stage.
const MAX_BLOCKS: usize = 1000;

/// Depths of the `ImageNet` networks.
pub const IMAGENET_DEPTHS: [usize; 5] = [18, 34, 50, 101, 152];
/// Depths of the paper's CIFAR networks.
pub const CIFAR_DEPTHS: [usize; 5] = [20, 32, 44, 56, 110];

/// All names of the family: torchvision's, and the paper's CIFAR networks as `resnet20` to `resnet110`.
pub const NAMES: [&str; 15] = [
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnext50_32x4d",
    "resnext101_32x8d",
    "resnext101_64x4d",
    "wide_resnet50_2",
    "wide_resnet101_2",
    "resnet20",
    "resnet32",
    "resnet44",
    "resnet56",
    "resnet110",
];

impl ModelConfig {
    /// Returns the network of that depth with 1,000 classes (10 for the CIFAR depths), or `None` if the paper has none.
    pub fn from_depth(depth: usize) -> Option<Self> {
        use BlockKind::{Basic, Bottleneck};
        let (block, blocks) = match depth {
            18 => (Basic, [2, 2, 2, 2]),
            34 => (Basic, [3, 4, 6, 3]),
            50 => (Bottleneck, [3, 4, 6, 3]),
            101 => (Bottleneck, [3, 4, 23, 3]),
            152 => (Bottleneck, [3, 8, 36, 3]),
            _ => {
                return CIFAR_DEPTHS
                    .contains(&depth)
                    .then(|| Self::cifar((depth - 2) / 6));
            }
        };
        Some(Self {
            block,
            blocks: blocks.to_vec(),
            planes: vec![64, 128, 256, 512],
            stem: StemKind::Imagenet,
            stem_channels: 64,
            in_channels: 3,
            groups: 1,
            width_per_group: 64,
            stride_placement: StridePlacement::V15,
            shortcut: ShortcutKind::Projection,
            dilated: vec![false; 4],
            first_stage_stride: 1,
            classes: 1000,
        })
    }

    /// Returns the paper's CIFAR network of 6n + 2 layers: three stages of n basic blocks with 16, 32 and 64 channels.
    fn cifar(n: usize) -> Self {
        Self {
            block: BlockKind::Basic,
            blocks: vec![n; 3],
            planes: vec![16, 32, 64],
            stem: StemKind::Cifar,
            stem_channels: 16,
            in_channels: 3,
            groups: 1,
            width_per_group: 64,
            stride_placement: StridePlacement::V15,
            shortcut: ShortcutKind::Padded,
            dilated: vec![false; 3],
            first_stage_stride: 1,
            classes: 10,
        }
    }

    /// Returns the network with one of the [`NAMES`].
    pub fn named(name: &str) -> Option<Self> {
        let grouped = |depth, groups, width_per_group| {
            Self::from_depth(depth).map(|config| Self {
                groups,
                width_per_group,
                ..config
            })
        };
        match name {
            "resnext50_32x4d" => grouped(50, 32, 4),
            "resnext101_32x8d" => grouped(101, 32, 8),
            "resnext101_64x4d" => grouped(101, 64, 4),
            "wide_resnet50_2" => grouped(50, 1, 128),
            "wide_resnet101_2" => grouped(101, 1, 128),
            _ => Self::from_depth(name.strip_prefix("resnet")?.parse().ok()?),
        }
    }

    /// Returns the family's name of this network, whatever its stem, input channels and classes; `None` for other
    /// widths, stride placements, dilations or shortcuts.
    pub fn name(&self) -> Option<&'static str> {
        NAMES.into_iter().find(|name| {
            Self::named(name).is_some_and(|named| {
                let same = Self {
                    stem: self.stem,
                    in_channels: self.in_channels,
                    classes: self.classes,
                    ..named
                };
                same == *self
            })
        })
    }

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
        self.planes[stage] * self.block.expansion()
    }

    /// Returns the number of channels between the stages and the last layer.
    pub fn features(&self) -> usize {
        self.stage_channels(self.planes.len() - 1)
    }

    /// Returns the channels inside a bottleneck of stage `stage`.
    pub fn bottleneck_channels(&self, stage: usize) -> usize {
        self.planes[stage] * self.width_per_group / 64 * self.groups
    }

    /// Returns an error if the network cannot be built.
    pub fn validate(&self) -> Result<()> {
        if self.blocks.is_empty() || self.blocks.contains(&0) {
            bail!(
                "a network needs at least one stage and one block per stage, not {:?}",
                self.blocks
            );
        }
        if self.planes.len() != self.blocks.len() || self.dilated.len() != self.blocks.len() {
            bail!(
                "{} stages of blocks, {} of planes, {} of dilation: the numbers must be equal",
                self.blocks.len(),
                self.planes.len(),
                self.dilated.len()
            );
        }
        let sizes = [
            self.stem_channels,
            self.in_channels,
            self.classes,
            self.groups,
            self.width_per_group,
        ];
        let sizes = || sizes.iter().chain(&self.planes);
        if sizes().any(|&size| size == 0) {
            bail!("channels, classes, groups and widths must be at least 1");
        }
        if sizes().any(|&size| size > MAX_SIZE)
            || self.blocks.iter().any(|&blocks| blocks > MAX_BLOCKS)
        {
            bail!(
                "channels, classes, groups and widths must be at most {MAX_SIZE}, blocks per stage at most {MAX_BLOCKS}"
            );
        }
        if !(1..=2).contains(&self.first_stage_stride) {
            bail!(
                "the stride of the first stage must be 1 or 2, not {}",
                self.first_stage_stride
            );
        }
        if self.shortcut == ShortcutKind::Padded {
            let mut before = self.stem_channels;
            for stage in 0..self.blocks.len() {
                if self.stage_channels(stage) < before {
                    bail!(
                        "stage {} has fewer output than input channels: a padded shortcut cannot remove any",
                        stage + 1
                    );
                }
                before = self.stage_channels(stage);
            }
        }
        match self.block {
            BlockKind::Basic if self.groups != 1 || self.width_per_group != 64 => {
                bail!(
                    "a basic block has one group of width 64: groups and width per group need bottleneck blocks (depth 50 or more)"
                )
            }
            BlockKind::Bottleneck => (0..self.blocks.len()).try_for_each(|stage| {
                let channels = self.bottleneck_channels(stage);
                if channels == 0 || !channels.is_multiple_of(self.groups) {
                    bail!(
                        "{channels} channels in stage {} cannot be divided into {} groups",
                        stage + 1,
                        self.groups
                    );
                }
                Ok(())
            }),
            BlockKind::Basic => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_valid_row_and_names_itself() {
        for name in NAMES {
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
