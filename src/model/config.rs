//! The one description of a residual net: every depth and relative is a row of [`ModelConfig::named`]'s table.
//!
//! The terms are torchvision's. Stage `i` of a net has `blocks[i]` blocks of `planes[i]` channels; a bottleneck block
//! gives out four times its planes.
//!
//! - Deep Residual Learning for Image Recognition, <https://arxiv.org/abs/1512.03385>
//! - Aggregated Residual Transformations (`ResNeXt`), <https://arxiv.org/abs/1611.05431>
//! - Wide Residual Networks, <https://arxiv.org/abs/1605.07146>

use candle_core::{Result, bail};
use serde::{Deserialize, Serialize};

/// Batch norm's epsilon, as in torchvision, timm and transformers.
pub const BATCH_NORM_EPS: f64 = 1e-5;
/// The share of the batch in batch norm's running statistics, as in torchvision, timm and transformers.
pub const BATCH_NORM_MOMENTUM: f64 = 0.1;

/// The residual block of a net.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BlockKind {
    /// Two 3x3 convolutions.
    Basic,
    /// 1x1, 3x3, 1x1 with four times the channels at the end.
    Bottleneck,
}

impl BlockKind {
    /// How many times more channels a block gives out than its `planes`.
    pub fn expansion(self) -> usize {
        match self {
            Self::Basic => 1,
            Self::Bottleneck => 4,
        }
    }
}

/// What stands before the first stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StemKind {
    /// 7x7 convolution of stride 2, then 3x3 max-pooling of stride 2: for 224 px.
    Imagenet,
    /// 3x3 convolution of stride 1 and no pooling: for 32 px.
    Cifar,
}

/// Which convolution of a bottleneck carries the stride.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StridePlacement {
    /// The first 1x1, as in the paper (transformers' `downsample_in_bottleneck`).
    V1,
    /// The 3x3, as in torchvision and timm ("v1.5").
    #[serde(rename = "v1.5")]
    V15,
}

/// How a block's input reaches its output where the shapes differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShortcutKind {
    /// 1x1 convolution and batch norm (the paper's option B).
    Projection,
    /// Stride by sampling, missing channels are zero, no parameters (the paper's option A).
    Padded,
    /// No block has a shortcut: the paper's plain net.
    None,
}

/// A residual net's architecture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelConfig {
    /// The block of every stage.
    pub block: BlockKind,
    /// Blocks a stage.
    pub blocks: Vec<usize>,
    /// Channels a stage before the block's expansion, as long as `blocks`.
    pub planes: Vec<usize>,
    /// What stands before the first stage.
    pub stem: StemKind,
    /// Channels that the stem gives out.
    pub stem_channels: usize,
    /// Channels of a picture.
    pub in_channels: usize,
    /// Groups of a bottleneck's 3x3 convolution (`ResNeXt`'s cardinality).
    pub groups: usize,
    /// Channels a group of a bottleneck's 3x3 convolution, at 64 planes.
    pub width_per_group: usize,
    /// Which convolution of a bottleneck carries the stride.
    pub stride_placement: StridePlacement,
    /// How a block's input reaches its output where the shapes differ.
    pub shortcut: ShortcutKind,
    /// Stages whose stride is replaced by dilation, as long as `blocks` (torchvision's
    /// `replace_stride_with_dilation` names all stages but the first).
    pub dilated: Vec<bool>,
    /// Stride of the first stage: 1, or 2 with transformers' `downsample_in_first_stage`.
    pub first_stage_stride: usize,
    /// Outputs of the last layer.
    pub classes: usize,
}

/// The most channels, classes, groups or channels a group that a net may have: far above any real net, and small enough
/// that no product of two of them overflows.
const LARGEST: usize = 1 << 20;
/// The most blocks of a stage.
const MOST_BLOCKS: usize = 1000;

/// Depths of the `ImageNet` nets.
pub const IMAGENET_DEPTHS: [usize; 5] = [18, 34, 50, 101, 152];
/// Depths of the paper's CIFAR nets.
pub const CIFAR_DEPTHS: [usize; 5] = [20, 32, 44, 56, 110];

/// Every name of the family: torchvision's, and the paper's CIFAR nets as `resnet20` to `resnet110`.
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
    /// The net of that depth with 1000 classes (10 for the CIFAR depths), or nothing where the paper has none.
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

    /// The paper's CIFAR net of 6n + 2 layers: three stages of n basic blocks, 16, 32 and 64 channels.
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

    /// The net of one of the [`NAMES`].
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

    /// The family's name of this net, whatever its stem, input channels and classes; nothing for other widths,
    /// stride placements, dilations or shortcuts.
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

    /// The same net with `width` channels in the stem and the first stage, doubled from stage to stage.
    #[must_use]
    pub fn with_width(mut self, width: usize) -> Self {
        self.stem_channels = width;
        for (stage, planes) in self.planes.iter_mut().enumerate() {
            *planes = width << stage;
        }
        self
    }

    /// Channels that stage `stage` gives out.
    pub fn stage_channels(&self, stage: usize) -> usize {
        self.planes[stage] * self.block.expansion()
    }

    /// Channels between the stages and the last layer.
    pub fn features(&self) -> usize {
        self.stage_channels(self.planes.len() - 1)
    }

    /// Channels inside a bottleneck of stage `stage`.
    pub fn bottleneck_channels(&self, stage: usize) -> usize {
        self.planes[stage] * self.width_per_group / 64 * self.groups
    }

    /// Refuses a net that cannot be built.
    pub fn validate(&self) -> Result<()> {
        if self.blocks.is_empty() || self.blocks.contains(&0) {
            bail!(
                "a net needs at least one stage and one block a stage, not {:?}",
                self.blocks
            );
        }
        if self.planes.len() != self.blocks.len() || self.dilated.len() != self.blocks.len() {
            bail!(
                "{} stages of blocks, {} of planes, {} of dilation: they must be as many",
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
        if sizes().any(|&size| size > LARGEST)
            || self.blocks.iter().any(|&blocks| blocks > MOST_BLOCKS)
        {
            bail!(
                "channels, classes, groups and widths end at {LARGEST}, blocks per stage at {MOST_BLOCKS}"
            );
        }
        if !(1..=2).contains(&self.first_stage_stride) {
            bail!(
                "the first stage's stride is 1 or 2, not {}",
                self.first_stage_stride
            );
        }
        if self.shortcut == ShortcutKind::Padded {
            let mut before = self.stem_channels;
            for stage in 0..self.blocks.len() {
                if self.stage_channels(stage) < before {
                    bail!(
                        "stage {} has fewer channels than come in: a padded shortcut cannot take any away",
                        stage + 1
                    );
                }
                before = self.stage_channels(stage);
            }
        }
        match self.block {
            BlockKind::Basic if self.groups != 1 || self.width_per_group != 64 => {
                bail!(
                    "a basic block takes one group of width 64: groups and width per group need a bottleneck (depth 50 and more)"
                )
            }
            BlockKind::Bottleneck => (0..self.blocks.len()).try_for_each(|stage| {
                let channels = self.bottleneck_channels(stage);
                if channels == 0 || !channels.is_multiple_of(self.groups) {
                    bail!(
                        "{channels} channels in stage {} do not make {} groups",
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
    fn what_would_overflow_or_lose_channels_is_refused() {
        let base = ModelConfig::named("resnet20").unwrap();
        for (config, part) in [
            (
                ModelConfig {
                    planes: vec![8, 16, 32],
                    ..base.clone()
                },
                "fewer channels",
            ),
            (
                ModelConfig {
                    planes: vec![16, 32, 1 << 40],
                    ..base.clone()
                },
                "end at",
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
    fn groups_with_basic_blocks_are_refused() {
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
