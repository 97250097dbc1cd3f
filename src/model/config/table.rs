//! The table of networks for `ImageNet`.
//!
//! A row has the differences of a network from the others; the letters are those of Gluon, as in timm's documentation of `ResNet`: C has a
//! deep stem, D also averages before a projection, S has a wider deep stem, T a tiered one with averages.

use super::AntiAliasing::{Average as AVERAGE, Blur as BLUR};
use super::BlockKind::{self, Basic, Bottleneck};
use super::{AntiAliasing, Attention, ModelConfig, ShortcutKind, StemKind, StemPool};

/// The differences of a network for `ImageNet` from the others.
#[derive(Clone, Copy)]
pub struct Row {
    block: BlockKind,
    blocks: [usize; 4],
    stem: StemKind,
    stem_channels: usize,
    convolves_in_stem: bool,
    averages: bool,
    groups: usize,
    width_per_group: usize,
    attention: Attention,
    anti_aliasing: AntiAliasing,
}

/// Squeeze-and-excitation with timm's usual reduction.
pub const SE: Attention = Attention::Se { reduction: 16 };
const ECA: Attention = Attention::Eca;

const B18: [usize; 4] = [2, 2, 2, 2];
const B50: [usize; 4] = [3, 4, 6, 3];
const B101: [usize; 4] = [3, 4, 23, 3];
pub const B152: [usize; 4] = [3, 8, 36, 3];
const B200: [usize; 4] = [3, 24, 36, 3];
const B269: [usize; 4] = [3, 30, 48, 8];

pub const fn row(block: BlockKind, blocks: [usize; 4]) -> Row {
    Row {
        block,
        blocks,
        stem: StemKind::Imagenet,
        stem_channels: 64,
        convolves_in_stem: false,
        averages: false,
        groups: 1,
        width_per_group: 64,
        attention: Attention::None,
        anti_aliasing: AntiAliasing::None,
    }
}

impl Row {
    const fn c(self) -> Self {
        Self {
            stem: StemKind::Deep,
            ..self
        }
    }

    const fn d(self) -> Self {
        Self {
            averages: true,
            ..self.c()
        }
    }

    pub const fn s(self) -> Self {
        Self {
            stem_channels: 128,
            ..self.c()
        }
    }

    const fn t(self) -> Self {
        Self {
            stem: StemKind::DeepTiered,
            ..self.d()
        }
    }

    /// A D network whose stem ends in a convolution in place of the max-pooling, with strong attention.
    const fn rs(self) -> Self {
        Self {
            convolves_in_stem: true,
            attention: Attention::Se { reduction: 4 },
            ..self.d()
        }
    }

    pub const fn groups(self, groups: usize, width_per_group: usize) -> Self {
        Self {
            groups,
            width_per_group,
            ..self
        }
    }

    pub const fn attention(self, attention: Attention) -> Self {
        Self { attention, ..self }
    }

    const fn anti_aliased(self, anti_aliasing: AntiAliasing) -> Self {
        Self {
            anti_aliasing,
            ..self
        }
    }

    const fn averaging(self) -> Self {
        Self {
            averages: true,
            ..self
        }
    }

    /// Returns the network of the row.
    pub fn config(self) -> ModelConfig {
        ModelConfig {
            stem: self.stem,
            stem_channels: self.stem_channels,
            stem_pool: if self.convolves_in_stem {
                StemPool::Convolution
            } else {
                StemPool::Max
            },
            shortcut: if self.averages {
                ShortcutKind::AverageProjection
            } else {
                ShortcutKind::Projection
            },
            groups: self.groups,
            width_per_group: self.width_per_group,
            attention: self.attention,
            anti_aliasing: self.anti_aliasing,
            ..ModelConfig::imagenet(self.block, &self.blocks)
        }
    }
}

/// The networks that a row describes whole; `resnet18` to `resnet152` are also found by their depth.
pub const ROWS: [(&str, Row); 77] = [
    ("resnet18", row(Basic, B18)),
    ("resnet34", row(Basic, B50)),
    ("resnet50", row(Bottleneck, B50)),
    ("resnet101", row(Bottleneck, B101)),
    ("resnet152", row(Bottleneck, B152)),
    ("resnext50_32x4d", row(Bottleneck, B50).groups(32, 4)),
    ("resnext101_32x8d", row(Bottleneck, B101).groups(32, 8)),
    ("resnext101_64x4d", row(Bottleneck, B101).groups(64, 4)),
    ("wide_resnet50_2", row(Bottleneck, B50).groups(1, 128)),
    ("wide_resnet101_2", row(Bottleneck, B101).groups(1, 128)),
    ("resnet26", row(Bottleneck, B18)),
    ("resnet200", row(Bottleneck, B200)),
    ("resnext101_32x4d", row(Bottleneck, B101).groups(32, 4)),
    ("resnext101_32x16d", row(Bottleneck, B101).groups(32, 16)),
    ("resnext101_32x32d", row(Bottleneck, B101).groups(32, 32)),
    ("resnet10t", row(Basic, [1; 4]).t()),
    ("resnet14t", row(Bottleneck, [1; 4]).t()),
    ("resnet18d", row(Basic, B18).d()),
    ("resnet34d", row(Basic, B50).d()),
    ("resnet26d", row(Bottleneck, B18).d()),
    ("resnet26t", row(Bottleneck, B18).t()),
    ("resnet50c", row(Bottleneck, B50).c()),
    ("resnet50d", row(Bottleneck, B50).d()),
    ("resnet50s", row(Bottleneck, B50).s()),
    ("resnet50t", row(Bottleneck, B50).t()),
    ("resnet101c", row(Bottleneck, B101).c()),
    ("resnet101d", row(Bottleneck, B101).d()),
    ("resnet101s", row(Bottleneck, B101).s()),
    ("resnet152c", row(Bottleneck, B152).c()),
    ("resnet152d", row(Bottleneck, B152).d()),
    ("resnet152s", row(Bottleneck, B152).s()),
    ("resnet200d", row(Bottleneck, B200).d()),
    ("resnext50d_32x4d", row(Bottleneck, B50).d().groups(32, 4)),
    ("seresnet18", row(Basic, B18).attention(SE)),
    ("seresnet34", row(Basic, B50).attention(SE)),
    ("seresnet50", row(Bottleneck, B50).attention(SE)),
    ("seresnet50t", row(Bottleneck, B50).t().attention(SE)),
    ("seresnet101", row(Bottleneck, B101).attention(SE)),
    ("seresnet152", row(Bottleneck, B152).attention(SE)),
    ("seresnet152d", row(Bottleneck, B152).d().attention(SE)),
    ("seresnet200d", row(Bottleneck, B200).d().attention(SE)),
    ("seresnet269d", row(Bottleneck, B269).d().attention(SE)),
    (
        "seresnext26d_32x4d",
        row(Bottleneck, B18).d().groups(32, 4).attention(SE),
    ),
    (
        "seresnext26t_32x4d",
        row(Bottleneck, B18).t().groups(32, 4).attention(SE),
    ),
    (
        "seresnext50_32x4d",
        row(Bottleneck, B50).groups(32, 4).attention(SE),
    ),
    (
        "seresnext101_32x4d",
        row(Bottleneck, B101).groups(32, 4).attention(SE),
    ),
    (
        "seresnext101_32x8d",
        row(Bottleneck, B101).groups(32, 8).attention(SE),
    ),
    (
        "seresnext101d_32x8d",
        row(Bottleneck, B101).d().groups(32, 8).attention(SE),
    ),
    (
        "seresnext101_64x4d",
        row(Bottleneck, B101).groups(64, 4).attention(SE),
    ),
    ("ecaresnet26t", row(Bottleneck, B18).t().attention(ECA)),
    ("ecaresnet50d", row(Bottleneck, B50).d().attention(ECA)),
    ("ecaresnet50t", row(Bottleneck, B50).t().attention(ECA)),
    ("ecaresnet101d", row(Bottleneck, B101).d().attention(ECA)),
    ("ecaresnet200d", row(Bottleneck, B200).d().attention(ECA)),
    ("ecaresnet269d", row(Bottleneck, B269).d().attention(ECA)),
    (
        "ecaresnetlight",
        row(Bottleneck, [1, 1, 11, 3]).averaging().attention(ECA),
    ),
    (
        "ecaresnext26t_32x4d",
        row(Bottleneck, B18).t().groups(32, 4).attention(ECA),
    ),
    (
        "ecaresnext50t_32x4d",
        row(Bottleneck, B50).t().groups(32, 4).attention(ECA),
    ),
    ("resnetblur18", row(Basic, B18).anti_aliased(BLUR)),
    ("resnetblur50", row(Bottleneck, B50).anti_aliased(BLUR)),
    ("resnetblur50d", row(Bottleneck, B50).d().anti_aliased(BLUR)),
    (
        "resnetblur101d",
        row(Bottleneck, B101).d().anti_aliased(BLUR),
    ),
    ("resnetaa34d", row(Basic, B50).d().anti_aliased(AVERAGE)),
    ("resnetaa50", row(Bottleneck, B50).anti_aliased(AVERAGE)),
    (
        "resnetaa50d",
        row(Bottleneck, B50).d().anti_aliased(AVERAGE),
    ),
    (
        "resnetaa101d",
        row(Bottleneck, B101).d().anti_aliased(AVERAGE),
    ),
    (
        "seresnetaa50d",
        row(Bottleneck, B50).d().anti_aliased(AVERAGE).attention(SE),
    ),
    (
        "seresnextaa101d_32x8d",
        row(Bottleneck, B101)
            .d()
            .groups(32, 8)
            .anti_aliased(AVERAGE)
            .attention(SE),
    ),
    (
        "seresnextaa201d_32x8d",
        row(Bottleneck, [3, 24, 36, 4])
            .s()
            .averaging()
            .groups(32, 8)
            .anti_aliased(AVERAGE)
            .attention(SE),
    ),
    ("resnetrs50", row(Bottleneck, B50).rs()),
    ("resnetrs101", row(Bottleneck, B101).rs()),
    ("resnetrs152", row(Bottleneck, B152).rs()),
    ("resnetrs200", row(Bottleneck, B200).rs()),
    ("resnetrs270", row(Bottleneck, [4, 29, 53, 4]).rs()),
    ("resnetrs350", row(Bottleneck, [4, 36, 72, 4]).rs()),
    ("resnetrs420", row(Bottleneck, [4, 44, 87, 4]).rs()),
    // Not an entry of timm's: weights with this name.
    ("resnext101_32x48d", row(Bottleneck, B101).groups(32, 48)),
];
