//! The flags that describe an architecture, the same in every command that builds a net.

use crate::error::{misuse, without_backtrace};
use crate::model::config::{CIFAR_DEPTHS, IMAGENET_DEPTHS};
use crate::model::{ModelConfig, ShortcutKind, StemKind};
use anyhow::Result;
use clap::ValueEnum;

/// `--depth` and what goes with it.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Architecture")]
pub struct ArchitectureArgs {
    /// Layers: 18, 34, 50, 101, 152, or the paper's CIFAR nets 20, 32, 44, 56, 110 [default: 50]
    #[arg(long, value_parser = parse_depth)]
    depth: Option<usize>,
    /// What stands before the first stage [default: imagenet, cifar for the CIFAR nets]
    #[arg(long, value_enum)]
    stem: Option<StemChoice>,
    /// Channels of the first stage, doubled from stage to stage
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=4096))]
    width: Option<u16>,
    /// Groups of the bottlenecks' 3x3 convolutions (`ResNeXt`)
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    groups: Option<u16>,
    /// Channels a group at 64 planes: 4 in `resnext50_32x4d`, 128 in `wide_resnet50_2` [default: 64]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=4096))]
    width_per_group: Option<u16>,
    /// No shortcuts: the paper's comparison
    #[arg(long)]
    plain: bool,
}

/// The stems by their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StemChoice {
    /// 7x7 convolution of stride 2 and max-pooling
    Imagenet,
    /// 3x3 convolution of stride 1, no pooling
    Cifar,
}

impl From<StemChoice> for StemKind {
    fn from(choice: StemChoice) -> Self {
        match choice {
            StemChoice::Imagenet => Self::Imagenet,
            StemChoice::Cifar => Self::Cifar,
        }
    }
}

fn parse_depth(text: &str) -> Result<usize, String> {
    let known = |depth: &usize| IMAGENET_DEPTHS.contains(depth) || CIFAR_DEPTHS.contains(depth);
    text.parse()
        .ok()
        .filter(known)
        .ok_or_else(|| format!("it is one of {IMAGENET_DEPTHS:?} or {CIFAR_DEPTHS:?}"))
}

impl ArchitectureArgs {
    /// The first of these flags that was given, of those that a model has settled already.
    pub fn settled_by_model(&self) -> Option<&'static str> {
        let given = [
            ("--depth", self.depth.is_some()),
            ("--width", self.width.is_some()),
            ("--groups", self.groups.is_some()),
            ("--width-per-group", self.width_per_group.is_some()),
            ("--plain", self.plain),
        ];
        given
            .into_iter()
            .find_map(|(flag, given)| given.then_some(flag))
    }

    /// The stem, where it was given.
    pub fn stem(&self) -> Option<StemKind> {
        self.stem.map(StemKind::from)
    }

    /// The net that the flags describe.
    pub fn config(&self) -> Result<ModelConfig> {
        let depth = self.depth.unwrap_or(50);
        let mut config = ModelConfig::from_depth(depth).expect("the parser knows the depths");
        config.stem = self.stem().unwrap_or(config.stem);
        if let Some(width) = self.width {
            config = config.with_width(usize::from(width));
        }
        config.groups = self.groups.map_or(config.groups, usize::from);
        config.width_per_group = self
            .width_per_group
            .map_or(config.width_per_group, usize::from);
        if self.plain {
            config.shortcut = ShortcutKind::None;
        }
        config.validate().map_err(|error| {
            misuse(
                format!("cannot build that net: {}", without_backtrace(&error)),
                "`resnet summary --help` lists the flags of an architecture",
            )
        })?;
        Ok(config)
    }
}
