//! The flags that describe an architecture, shared by the commands that build a network.

use crate::error::{usage_error, without_backtrace};
use crate::model::config::{CIFAR_DEPTHS, IMAGENET_DEPTHS};
use crate::model::{Architecture, ModelConfig, StemKind};
use crate::train::Recipe;
use anyhow::Result;

/// `--depth` and what goes with it.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Architecture")]
pub struct ArchitectureArgs {
    /// Depth: 18, 34, 50, 101, 152; CIFAR: 20, 32, 44, 56, 110
    ///
    /// The last five are the paper's networks for 32x32 images. [default: 50]
    #[arg(long, value_name = "N", value_parser = parse_depth)]
    depth: Option<usize>,
    /// Channels of the first stage, doubled in each later stage [default: 64; 16 for CIFAR depths]
    #[arg(long, value_name = "CHANNELS", value_parser = clap::value_parser!(u16).range(1..=4096))]
    width: Option<u16>,
    /// Groups of 3x3 convolutions
    ///
    /// For depths 50, 101 and 152, as in ResNeXt. [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    groups: Option<u16>,
    /// Channels per group in the first stage
    ///
    /// As in torchvision: 4 in ResNeXt-50 32x4d, 128 in Wide ResNet-50-2. [default: 64]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    width_per_group: Option<u16>,
    /// No shortcuts: the paper's plain networks
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, hide_possible_values = true, value_name = "BOOL")]
    plain: Option<bool>,
}

fn parse_depth(text: &str) -> Result<usize, String> {
    let known = |depth: &usize| IMAGENET_DEPTHS.contains(depth) || CIFAR_DEPTHS.contains(depth);
    text.parse().ok().filter(known).ok_or_else(|| {
        let depths = IMAGENET_DEPTHS.iter().chain(&CIFAR_DEPTHS);
        let depths: Vec<String> = depths.map(ToString::to_string).collect();
        format!("must be one of {}", depths.join(", "))
    })
}

impl ArchitectureArgs {
    /// Returns the first of these flags that was given: a model has its own architecture.
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

    /// Returns the network that the flags describe, with `stem` if given.
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
            usage_error(
                format!("cannot build this network: {}", without_backtrace(&error)),
                "`resnet summary --help` lists the flags of an architecture",
            )
        })
    }

    /// Returns the flags as a recipe.
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
