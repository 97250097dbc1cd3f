//! Checks that a network can be built.

use super::{
    AntiAliasing, Attention, BlockKind, ModelConfig, NormKind, ShortcutKind, StemKind, StemPool,
};
use candle_core::{Result, bail};

/// Maximum number of channels, classes, groups or channels per group: far above any real network, and small enough that
/// no product of two of them overflows.
const MAX_SIZE: usize = 1 << 20;
/// Maximum number of blocks per stage.
const MAX_BLOCKS: usize = 1000;
/// Groups of group norm, as in timm.
pub const NORM_GROUPS: usize = 32;

impl ModelConfig {
    /// Returns an error if the network cannot be built.
    pub fn validate(&self) -> Result<()> {
        self.validate_stages()?;
        self.validate_sizes()?;
        self.validate_options()?;
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
        (0..self.blocks.len()).try_for_each(|stage| self.validate_groups(stage))
    }

    fn validate_stages(&self) -> Result<()> {
        if self.blocks.is_empty() || self.blocks.contains(&0) {
            bail!(
                "a network needs at least one stage and one block per stage, not {:?}",
                self.blocks
            );
        }
        let stages = self.blocks.len();
        if self.planes.len() != stages || self.dilated.len() != stages {
            bail!(
                "{stages} stages of blocks, {} of planes, {} of dilation: the numbers must be equal",
                self.planes.len(),
                self.dilated.len()
            );
        }
        if !self.stage_kinds.is_empty() && self.stage_kinds.len() != stages {
            bail!(
                "{stages} stages of blocks, {} of kinds of blocks: the numbers must be equal",
                self.stage_kinds.len()
            );
        }
        match &self.pruned {
            Some(_) if self.groups != 1 => {
                bail!("pruned networks with groups are not supported")
            }
            Some(pruned) => {
                let inner = (0..stages).map(|stage| match self.kind_of(stage) {
                    BlockKind::Basic => 1,
                    BlockKind::Bottleneck => 2,
                });
                pruned.validate(&self.blocks, &inner.collect::<Vec<_>>())
            }
            None => Ok(()),
        }
    }

    fn validate_sizes(&self) -> Result<()> {
        let sizes = [
            self.stem_channels,
            self.in_channels,
            self.classes,
            self.groups,
            self.width_per_group,
            self.first_reduction,
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
        let stem = self.stem.channels(self.stem_channels);
        if stem.contains(&0) {
            bail!(
                "a deep stem needs at least 8 channels, not {}",
                self.stem_channels
            );
        }
        Ok(())
    }

    fn validate_options(&self) -> Result<()> {
        if !matches!(self.projection_kernel, 1 | 3) {
            bail!(
                "the kernel of a projection must be 1 or 3, not {}",
                self.projection_kernel
            );
        }
        if let Attention::Se { reduction } = self.attention
            && !(1..=MAX_SIZE).contains(&reduction)
        {
            bail!(
                "the reduction of squeeze-and-excitation must be 1 to {MAX_SIZE}, not {reduction}"
            );
        }
        let is_anti_aliased = self.anti_aliasing != AntiAliasing::None;
        let averages = self.shortcut == ShortcutKind::AverageProjection;
        if (is_anti_aliased || averages) && self.dilated.contains(&true) {
            bail!("dilation with anti-aliasing or averages before projections is not supported");
        }
        if is_anti_aliased && self.stem_pool == StemPool::Convolution {
            bail!("anti-aliasing of a convolution in place of the stem's pooling is not supported");
        }
        if is_anti_aliased && self.stem == StemKind::Cifar {
            bail!("anti-aliasing needs a stem with pooling: the ImageNet stem or a deep one");
        }
        if self.projection_kernel == 3 && self.shortcut != ShortcutKind::Projection {
            bail!("a projection kernel of 3 needs plain projection shortcuts");
        }
        Ok(())
    }

    fn validate_groups(&self, stage: usize) -> Result<()> {
        let number = stage + 1;
        if self.pruned.is_none() {
            match self.kind_of(stage) {
                BlockKind::Basic if self.groups != 1 || self.width_per_group != 64 => bail!(
                    "a basic block has one group of width 64: groups and width per group need bottleneck blocks (depth 50 or more)"
                ),
                BlockKind::Basic => {}
                BlockKind::Bottleneck => {
                    let channels = self.bottleneck_channels(stage);
                    if channels == 0 || !channels.is_multiple_of(self.groups) {
                        bail!(
                            "{channels} channels in stage {number} cannot be divided into {} groups",
                            self.groups
                        );
                    }
                }
            }
        }
        let channels = self.block_channels(stage, 0);
        if let Some(first) = channels.first()
            && (*first == 0 || !first.is_multiple_of(self.groups))
        {
            bail!(
                "{first} channels in the first convolution of stage {number} cannot be divided into {} groups",
                self.groups
            );
        }
        let norms = channels.iter().chain([&self.stem_channels]);
        if self.norm == NormKind::Group
            && let Some(channels) = norms.into_iter().find(|size| *size % NORM_GROUPS != 0)
        {
            bail!(
                "group norm divides channels into {NORM_GROUPS} groups, which {channels} cannot be"
            );
        }
        Ok(())
    }
}
