//! Compilation of stem and blocks.

use super::Compiler;
use crate::infer::program::{Operation, Slot};
use crate::model::block::{Block, ProjectionPool, Shortcut};
use crate::model::config::{AntiAliasing, StemKind};
use crate::model::stem::{BLURRED_POOL, Pool, STEM_POOL, Stem};
use anyhow::{Result, ensure};
use resnet_kernels::residual::PaddedShortcut;

impl Compiler<'_> {
    /// Compiles the layers before the first stage.
    pub(super) fn stem(&mut self, kind: StemKind, stem: &Stem) -> Result<()> {
        let layers = kind.layer_names().iter().zip(&stem.layers);
        for (i, ([path, _], layer)) in layers.enumerate() {
            if i == 0 {
                self.first_convolution(path, layer)?;
            } else {
                self.conv_norm(path, layer, None, true, &[])?;
            }
        }
        let path = || "maxpool".to_owned();
        match &stem.pool {
            Pool::None => {}
            Pool::Max => self.max_pool(STEM_POOL),
            Pool::Average => self.halve(path(), false, Operation::Average, &[])?,
            Pool::Blur => {
                self.max_pool(BLURRED_POOL);
                self.halve(path(), true, Operation::Blur, &[])?;
            }
            Pool::Convolution(layer) => {
                self.conv_norm("maxpool.0", layer, None, true, &[])?;
            }
        }
        Ok(())
    }

    pub(super) fn block(&mut self, path: &str, block: &Block) -> Result<()> {
        let input = self.value;
        let residual = self.shortcut(path, &block.shortcut)?;
        let residual_shape = self.value.shape();
        self.value = input;
        // The input of the block outlives its first step only if it is the residual itself.
        let kept: Vec<Slot> = residual.into_iter().collect();
        let last = block.layers.len() - 1;
        for (i, layer) in block.layers.iter().enumerate() {
            let is_end = i == last && block.attention.is_none();
            let residual = residual.filter(|_| is_end);
            let path = format!("{path}.conv{}", i + 1);
            let relu = is_end || i < last;
            self.conv_norm(&path, layer, residual, relu, &kept)?;
            if i == block.strided_layer() {
                self.anti_alias(&format!("{path}.aa"), block.anti_aliasing, &kept)?;
            }
        }
        if let Some(attention) = &block.attention {
            self.attention(&format!("{path}.se"), attention, residual)?;
        }
        ensure!(
            residual.is_none() || self.value.shape() == residual_shape,
            "height and width of the image must be multiples of 32 for this network"
        );
        Ok(())
    }

    fn anti_alias(&mut self, path: &str, kind: AntiAliasing, kept: &[Slot]) -> Result<()> {
        match kind {
            AntiAliasing::None => Ok(()),
            AntiAliasing::Average => self.halve(path.to_owned(), false, Operation::Average, kept),
            AntiAliasing::Blur => self.halve(path.to_owned(), true, Operation::Blur, kept),
        }
    }

    /// Compiles the shortcut and returns the buffer that is added at the end of the block.
    fn shortcut(&mut self, path: &str, shortcut: &Shortcut) -> Result<Option<Slot>> {
        let input = self.value;
        let path = format!("{path}.downsample");
        match shortcut {
            Shortcut::None => return Ok(None),
            Shortcut::Identity => {}
            Shortcut::Projection(projection) => {
                let mut kept = vec![input.slot];
                if projection.pool == ProjectionPool::Average {
                    self.halve(format!("{path}.0"), true, Operation::Average, &kept)?;
                    kept.clear();
                }
                let [conv, _] = projection.layer_names();
                let path = format!("{path}.{conv}");
                self.conv_norm(&path, &projection.layer, None, false, &kept)?;
            }
            Shortcut::Padded { channels, stride } => {
                let [_, height, width] = input.shape();
                let operation = Operation::PaddedShortcut(PaddedShortcut {
                    channels: *channels,
                    size: [height, width],
                    stride: *stride,
                });
                let shape = [
                    channels[1],
                    height.div_ceil(*stride),
                    width.div_ceil(*stride),
                ];
                self.push(path, operation, shape, &[input.slot]);
            }
        }
        Ok(Some(self.value.slot))
    }
}
