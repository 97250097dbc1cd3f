//! The training step of a network's body, from the images to the pooled features and back, compiled for f32 on the CPU.
//!
//! Autograd would execute one operation at a time, allocate each result and add each gradient to zeros. Here the order
//! of everything is known: values stay in the layout of the kernels from the stem to the pool, the gradient of a
//! convolution overwrites its output, batch norm is fused with its ReLU and its residual, and memory is kept from step
//! to step. The head and the loss, which are small, are left to autograd.

mod block;
mod gate;
mod half;
mod layer;
mod stem;

use crate::model::config::{AntiAliasing, NormKind};
use crate::model::{Frozen, ModelConfig, ResNet};
use block::{Block, Buffers};
use candle_core::{Result, bail};
pub use layer::Receiver;
use resnet_kernels::conv::Workspace;
use resnet_kernels::layout::{self, Buffer, blocks};
use resnet_kernels::pool;
use resnet_kernels::simd::ChannelBlock;
use stem::Stem;

/// The body of a network, ready to train on images of one size.
#[derive(Debug)]
pub struct Step {
    stem: Stem,
    blocks: Vec<Block>,
    means: Buffer,
    /// Number of images in the last forward pass.
    batch: usize,
    workspace: Workspace,
    buffers: Buffers,
}

impl Step {
    /// Returns true if networks of `config` have a compiled step; the others train by autograd.
    pub fn supports(config: &ModelConfig) -> bool {
        config.norm == NormKind::Batch && config.anti_aliasing != AntiAliasing::Blur
    }

    /// Creates the step for the body of `network`, whose parameters are variables, and images of `height` by `width`; the
    /// `frozen` part runs in evaluation mode and gets no gradients.
    ///
    /// # Errors
    /// If the images are too small for the network.
    pub fn new(network: &ResNet, [height, width]: [usize; 2], frozen: Frozen) -> Result<Self> {
        let config = network.config();
        let image_shape = [config.in_channels, height, width];
        let stem = Stem::new(config.stem, network.stem(), image_shape, frozen)?;
        let mut shape = stem.shape();
        let mut built = Vec::new();
        for (stage, modules) in network.stages().iter().enumerate() {
            let learns = !frozen.holds(&format!("layer{}", stage + 1));
            for (i, module) in modules.iter().enumerate() {
                let path = format!("layer{}.{i}", stage + 1);
                let block = Block::new(&path, module, shape, learns)?;
                shape = block.shape();
                built.push(block);
            }
        }
        Ok(Self {
            stem,
            blocks: built,
            means: Buffer::default(),
            batch: 0,
            workspace: Workspace::default(),
            buffers: Buffers::default(),
        })
    }

    /// Returns channels, height and width of an image.
    pub fn image_shape(&self) -> [usize; 3] {
        self.stem.image_shape()
    }

    /// Returns the pooled features `[N, features]` of images `[N, C, H, W]`. Batch norm uses the batch statistics and
    /// updates its running ones, except in the frozen part.
    ///
    /// # Errors
    /// If the values do not form images, or batch norm would see one value per channel.
    pub fn forward(&mut self, images: &[f32]) -> Result<Vec<f32>> {
        let size = self.image_shape().iter().product();
        if images.is_empty() || !images.len().is_multiple_of(size) {
            bail!(
                "{} values do not form images of {:?}",
                images.len(),
                self.image_shape()
            );
        }
        let batch = images.len() / size;
        self.batch = batch;
        self.stem.forward(batch, images, &mut self.workspace)?;
        for i in 0..self.blocks.len() {
            let (before, rest) = self.blocks.split_at_mut(i);
            let input = input_of(before, &self.stem, batch);
            rest[0].forward(batch, input, &mut self.workspace)?;
            if !rest[0].learns {
                // What a frozen block has read is not needed any more.
                match before.last_mut() {
                    Some(block) => block.release(),
                    None => self.stem.release(),
                }
            }
        }
        let output = input_of(&self.blocks, &self.stem, batch);
        let [features, height, width] = self.features();
        let lanes = blocks(features) * batch;
        self.means.reserve(lanes);
        pool::avg_pool(output, height * width, &mut self.means[..lanes]);
        let mut result = vec![0.0; batch * features];
        layout::to_planar(&self.means[..lanes], [batch, features, 1], &mut result);
        Ok(result)
    }

    /// Returns the number of features, and height and width before pooling.
    fn features(&self) -> [usize; 3] {
        self.blocks
            .last()
            .map_or_else(|| self.stem.shape(), Block::shape)
    }

    /// Passes the gradients of the parameters that are not frozen to `receive`, the last layer's first, given that of the features
    /// of the last [`Step::forward`].
    ///
    /// # Errors
    /// If the gradient has another size; those of `receive`.
    pub fn backward(&mut self, gradient: &[f32], receive: &mut Receiver) -> Result<()> {
        let batch = self.batch;
        let [features, height, width] = self.features();
        if gradient.len() != batch * features || batch == 0 {
            bail!(
                "{} gradients for {batch} images with {features} features",
                gradient.len()
            );
        }
        let Self {
            stem,
            blocks: built,
            workspace,
            buffers,
            means,
            ..
        } = self;
        let lanes = blocks(features) * batch;
        layout::from_planar(gradient, [batch, features, 1], &mut means[..lanes]);
        buffers.gradient.reserve(lanes * height * width);
        let spread = &mut buffers.gradient[..lanes * height * width];
        pool::grad_avg_pool(&means[..lanes], height * width, spread);
        for i in (0..built.len()).rev() {
            let (before, rest) = built.split_at_mut(i);
            if !rest[0].learns {
                return Ok(());
            }
            let wants_input = before.last().map_or(stem.learns, |block| block.learns);
            let input = input_of(before, stem, batch);
            rest[0].backward(batch, input, wants_input, buffers, workspace, receive)?;
        }
        if !stem.learns {
            return Ok(());
        }
        stem.backward(batch, buffers, workspace, receive)
    }
}

/// Returns the input of the block after `before`: the output of the last of them, or of the stem.
fn input_of<'a>(before: &'a [Block], stem: &'a Stem, batch: usize) -> &'a [ChannelBlock] {
    let last = before.last();
    last.map_or_else(|| stem.output(batch), |block| block.output(batch))
}

#[cfg(test)]
mod tests;
