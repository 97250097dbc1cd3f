//! The networks with a name: timm's `models/resnet.py`, which includes torchvision's, and the paper's CIFAR networks.

use super::BlockKind::{self, Basic, Bottleneck};
use super::pruned;
use super::table::{B152, ROWS, SE, row};
use super::{AntiAliasing, Attention, ModelConfig, NormKind, ShortcutKind, StemKind, StemPool};

/// Depths of the `ImageNet` networks.
pub const IMAGENET_DEPTHS: [usize; 5] = [18, 34, 50, 101, 152];
/// Depths of the paper's CIFAR networks.
pub const CIFAR_DEPTHS: [usize; 5] = [20, 32, 44, 56, 110];
/// Names of the paper's CIFAR networks.
const CIFAR_NAMES: [&str; 5] = ["resnet20", "resnet32", "resnet44", "resnet56", "resnet110"];

/// The networks with an option of their own.
const OTHERS: [&str; 5] = [
    "resnet50_gn",
    "senet154",
    "test_resnet",
    "ecaresnet50d_pruned",
    "ecaresnet101d_pruned",
];

/// Names by which people still know networks, each with today's.
const OLD_NAMES: [(&str, &str); 15] = [
    ("gluon_resnet18_v1b", "resnet18"),
    ("gluon_resnet34_v1b", "resnet34"),
    ("gluon_resnet50_v1b", "resnet50"),
    ("gluon_resnet101_v1b", "resnet101"),
    ("gluon_resnet152_v1b", "resnet152"),
    ("gluon_resnet50_v1c", "resnet50c"),
    ("gluon_resnet101_v1c", "resnet101c"),
    ("gluon_resnet152_v1c", "resnet152c"),
    ("gluon_resnet50_v1d", "resnet50d"),
    ("gluon_resnet101_v1d", "resnet101d"),
    ("gluon_resnet152_v1d", "resnet152d"),
    ("gluon_resnet50_v1s", "resnet50s"),
    ("gluon_resnet101_v1s", "resnet101s"),
    ("gluon_resnet152_v1s", "resnet152s"),
    ("seresnext26tn_32x4d", "seresnext26t_32x4d"),
];

/// Prefixes of names that tell who trained the weights.
const PREFIXES: [&str; 5] = ["tv_", "ssl_", "swsl_", "ig_", "gluon_"];

/// Returns all names: timm's, which include torchvision's, and the paper's CIFAR networks.
pub fn names() -> impl Iterator<Item = &'static str> {
    let rows = ROWS.iter().map(|(name, _)| *name);
    rows.chain(OTHERS).chain(CIFAR_NAMES)
}

/// Returns today's name of a network, given that name or an old one.
pub fn canonical_name(name: &str) -> Option<&'static str> {
    let old = OLD_NAMES.iter().find(|(old, _)| *old == name);
    let name = old.map_or(name, |(_, today)| today);
    let known = |name: &str| names().find(|known| *known == name);
    known(name).or_else(|| {
        let rest = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix));
        rest.and_then(known)
    })
}

impl ModelConfig {
    /// Returns the network of that depth with 1,000 classes (10 for the CIFAR depths), or `None` if the paper has none.
    pub fn from_depth(depth: usize) -> Option<Self> {
        if CIFAR_DEPTHS.contains(&depth) {
            return Some(Self::cifar((depth - 2) / 6));
        }
        let known = IMAGENET_DEPTHS.contains(&depth);
        known.then(|| Self::named(&format!("resnet{depth}")))?
    }

    /// Returns the paper's CIFAR network of 6n + 2 layers: three stages of n basic blocks with 16, 32 and 64 channels.
    fn cifar(n: usize) -> Self {
        Self {
            blocks: vec![n; 3],
            planes: vec![16, 32, 64],
            dilated: vec![false; 3],
            stem: StemKind::Cifar,
            stem_channels: 16,
            shortcut: ShortcutKind::Padded,
            classes: 10,
            ..Self::imagenet(Basic, &[1])
        }
    }

    /// Returns a network with the `ImageNet` stem, 64 channels that double from stage to stage, and nothing unusual.
    pub fn imagenet(block: BlockKind, blocks: &[usize]) -> Self {
        Self {
            block,
            blocks: blocks.to_vec(),
            planes: (0..blocks.len())
                .map(|stage| 64_usize.checked_shl(stage as u32).unwrap_or(usize::MAX))
                .collect(),
            stem: StemKind::Imagenet,
            stem_channels: 64,
            in_channels: 3,
            groups: 1,
            width_per_group: 64,
            stride_placement: super::StridePlacement::V15,
            shortcut: ShortcutKind::Projection,
            dilated: vec![false; blocks.len()],
            first_stage_stride: 1,
            classes: 1000,
            stem_pool: StemPool::Max,
            projection_kernel: 1,
            first_reduction: 1,
            attention: Attention::None,
            anti_aliasing: AntiAliasing::None,
            norm: NormKind::Batch,
            stage_kinds: Vec::new(),
            pruned: None,
        }
    }

    /// Returns the network with one of the [`names`], or an old name of it.
    pub fn named(name: &str) -> Option<Self> {
        let name = canonical_name(name)?;
        if let Some((_, row)) = ROWS.iter().find(|(of_row, _)| *of_row == name) {
            return Some(row.config());
        }
        if CIFAR_NAMES.contains(&name) {
            return Self::from_depth(name.strip_prefix("resnet")?.parse().ok()?);
        }
        Self::with_own_option(name)
    }

    /// Returns the network of that name among [`OTHERS`].
    fn with_own_option(name: &str) -> Option<Self> {
        let base = |name| Self::named(name);
        Some(match name {
            "resnet50_gn" => Self {
                norm: NormKind::Group,
                ..base("resnet50")?
            },
            "senet154" => Self {
                first_reduction: 2,
                projection_kernel: 3,
                ..row(Bottleneck, B152)
                    .s()
                    .groups(64, 4)
                    .attention(SE)
                    .config()
            },
            "test_resnet" => Self {
                planes: vec![32, 48, 48, 96],
                stem_channels: 32,
                stem: StemKind::Deep,
                shortcut: ShortcutKind::AverageProjection,
                stage_kinds: vec![Basic, Basic, Bottleneck, Basic],
                ..Self::imagenet(Basic, &[1; 4])
            },
            "ecaresnet50d_pruned" => Self {
                pruned: Some(pruned::ecaresnet50d()),
                ..base("ecaresnet50d")?
            },
            "ecaresnet101d_pruned" => Self {
                pruned: Some(pruned::ecaresnet101d()),
                ..base("ecaresnet101d")?
            },
            _ => return None,
        })
    }

    /// Returns the family's name of this network, whether it has that network's stem or CIFAR's, and whatever its input channels and
    /// classes; `None` for other widths, stride placements, dilations or shortcuts.
    pub fn name(&self) -> Option<&'static str> {
        names().find(|name| {
            Self::named(name).is_some_and(|named| {
                let same = Self {
                    stem: if self.stem == StemKind::Cifar || named.stem == StemKind::Cifar {
                        self.stem
                    } else {
                        named.stem
                    },
                    in_channels: self.in_channels,
                    classes: self.classes,
                    ..named
                };
                same == *self
            })
        })
    }
}
