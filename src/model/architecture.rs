//! An architecture as users specify it: a depth, and changes to it.

use super::config::{BlockKind, ModelConfig, ShortcutKind, StemKind};
use candle_core::{Result, bail};

/// A depth of the family and the changes to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Architecture {
    /// Name in the family, in place of the depth.
    pub name: Option<&'static str>,
    /// Number of layers: 18, 34, 50, 101, 152, or the paper's CIFAR networks 20, 32, 44, 56, 110.
    pub depth: usize,
    /// Stem; `None` for the default of the depth.
    pub stem: Option<StemKind>,
    /// Channels of the first stage, doubled from stage to stage.
    pub width: Option<usize>,
    /// Groups of the bottlenecks' 3x3 convolutions.
    pub groups: Option<usize>,
    /// Channels per group at 64 planes.
    pub width_per_group: Option<usize>,
    /// True for a network without shortcuts.
    pub plain: bool,
}

impl Architecture {
    /// Returns the configuration, with the default number of classes of the depth.
    ///
    /// # Errors
    /// If the family has no such depth, or the network cannot be built.
    pub fn config(&self) -> Result<ModelConfig> {
        let found = match self.name {
            Some(name) => ModelConfig::named(name),
            None => ModelConfig::from_depth(self.depth),
        };
        let Some(mut config) = found else {
            bail!("there is no residual network of depth {}", self.depth)
        };
        match self.stem {
            Some(StemKind::Cifar) => config.stem = StemKind::Cifar,
            // The name says which.
            Some(StemKind::Imagenet) if config.stem != StemKind::Cifar => {}
            Some(stem) => config.stem = stem,
            None => {}
        }
        if let Some(width) = self.width {
            config = config.with_width(width);
        }
        config.groups = self.groups.unwrap_or(config.groups);
        config.width_per_group = self.width_per_group.unwrap_or(config.width_per_group);
        if self.plain {
            config.shortcut = ShortcutKind::None;
        }
        config.validate()?;
        Ok(config)
    }
}

impl ModelConfig {
    /// Returns the number of layers with weights on the longest path, as in the name: `ResNet-50` has 50.
    pub fn depth(&self) -> usize {
        let stages = self.blocks.iter().enumerate();
        let layers = stages.map(|(stage, blocks)| match self.kind_of(stage) {
            BlockKind::Basic => 2 * blocks,
            BlockKind::Bottleneck => 3 * blocks,
        });
        2 + layers.sum::<usize>()
    }

    /// Returns a name for files and lists: the family's, `plain20` without shortcuts, or that of the nearest depth with
    /// `_custom`.
    pub fn short_name(&self) -> String {
        if self.shortcut == ShortcutKind::None {
            return format!("plain{}", self.depth());
        }
        self.name()
            .map_or_else(|| format!("resnet{}_custom", self.depth()), str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::config::{CIFAR_DEPTHS, IMAGENET_DEPTHS};

    fn architecture(depth: usize) -> Architecture {
        Architecture {
            name: None,
            depth,
            stem: None,
            width: None,
            groups: None,
            width_per_group: None,
            plain: false,
        }
    }

    #[test]
    fn every_depth_counts_its_layers() {
        for depth in IMAGENET_DEPTHS.into_iter().chain(CIFAR_DEPTHS) {
            let config = architecture(depth).config().unwrap();
            assert_eq!(config.depth(), depth);
            assert_eq!(config.short_name(), format!("resnet{depth}"));
        }
        assert!(architecture(19).config().is_err());
    }

    #[test]
    fn plain_and_modified_networks_have_short_names_too() {
        let plain = Architecture {
            plain: true,
            ..architecture(56)
        };
        assert_eq!(plain.config().unwrap().short_name(), "plain56");
        let narrow = Architecture {
            width: Some(8),
            ..architecture(18)
        };
        assert_eq!(narrow.config().unwrap().short_name(), "resnet18_custom");
    }
}
