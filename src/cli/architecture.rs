//! The flags that describe an architecture, the same in every command that builds a net.

use crate::error::{misuse, without_backtrace};
use crate::model::config::{CIFAR_DEPTHS, IMAGENET_DEPTHS};
use crate::model::{Architecture, ModelConfig, StemKind};
use crate::train::Recipe;
use anyhow::Result;

/// `--depth` and what goes with it.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Architecture")]
pub struct ArchitectureArgs {
    /// Layers: 18, 34, 50, 101, 152, or the paper's CIFAR nets 20, 32, 44, 56, 110 [default: 50]
    #[arg(long, value_parser = parse_depth)]
    depth: Option<usize>,
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
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, hide_possible_values = true, value_name = "BOOL")]
    plain: Option<bool>,
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
            ("--plain", self.plain.is_some()),
        ];
        given
            .into_iter()
            .find_map(|(flag, given)| given.then_some(flag))
    }

    /// The net that the flags describe, with this stem where it was given.
    pub fn config(&self, stem: Option<StemKind>) -> Result<ModelConfig> {
        let architecture = Architecture {
            depth: self.depth.unwrap_or(50),
            stem,
            width: self.width.map(usize::from),
            groups: self.groups.map(usize::from),
            width_per_group: self.width_per_group.map(usize::from),
            plain: self.plain.unwrap_or(false),
        };
        architecture.config().map_err(|error| {
            misuse(
                format!("cannot build that net: {}", without_backtrace(&error)),
                "`resnet summary --help` lists the flags of an architecture",
            )
        })
    }

    /// What the flags say of a run.
    pub fn recipe(&self) -> Recipe {
        Recipe {
            depth: self.depth,
            width: self.width.map(usize::from),
            groups: self.groups.map(usize::from),
            width_per_group: self.width_per_group.map(usize::from),
            plain: self.plain,
            ..Recipe::default()
        }
    }
}
