//! The training step of a network's body, from the images to the pooled features and back, compiled for f32 on the CPU.
//!
//! Autograd would execute one operation at a time, allocate each result and add each gradient to zeros. Here the order
//! of everything is known: values stay in the layout of the kernels from the stem to the pool, the gradient of a
//! convolution overwrites its output, batch norm is fused with its ReLU and its residual, and memory is kept from step
//! to step. The head and the loss, which are small, are left to autograd.

mod block;
mod layer;

use crate::model::config::StemKind;
use crate::model::resnet::STEM_POOL;
use crate::model::{Frozen, ResNet};
use block::{Block, Buffers};
use candle_core::{Result, bail};
pub use layer::Receiver;
use layer::{Layer, Source};
use resnet_kernels::PoolGeometry;
use resnet_kernels::conv::Workspace;
use resnet_kernels::conv::stem;
use resnet_kernels::layout::{self, Buffer, blocks};
use resnet_kernels::pool;
use resnet_kernels::simd::ChannelBlock;

/// The body of a network, ready to train on images of one size.
#[derive(Debug)]
pub struct Step {
    /// Channels, height and width of an image.
    image_shape: [usize; 3],
    /// Images in the layout of the kernels, if the stem does not read them directly.
    blocked_images: Buffer,
    stem: Layer,
    pool: Option<Pool>,
    blocks: Vec<Block>,
    means: Buffer,
    /// Number of images in the last forward pass.
    batch: usize,
    workspace: Workspace,
    buffers: Buffers,
}

#[derive(Debug)]
struct Pool {
    /// Shapes for one image.
    geometry: PoolGeometry,
    output: Buffer,
    /// Gradient of its input.
    gradient: Buffer,
}

impl Pool {
    fn of(&self, batch: usize) -> PoolGeometry {
        PoolGeometry {
            planes: batch * self.geometry.planes,
            ..self.geometry
        }
    }

    fn lanes(&self, batch: usize) -> usize {
        let geometry = self.of(batch);
        geometry.planes * geometry.out_height() * geometry.out_width()
    }
}

impl Step {
    /// Creates the step for the body of `network`, whose parameters are variables, and images of `height` by `width`; the
    /// `frozen` part runs in evaluation mode and gets no gradients.
    ///
    /// # Errors
    /// If the images are too small for the network.
    pub fn new(network: &ResNet, [height, width]: [usize; 2], frozen: Frozen) -> Result<Self> {
        let config = network.config();
        let image_shape = [config.in_channels, height, width];
        let names = ["conv1", "bn1"].map(str::to_owned);
        let stem = Layer::new(names, network.stem(), image_shape, !frozen.holds("conv1"))?;
        let mut shape = stem.shape();
        let pool = (config.stem == StemKind::Imagenet).then(|| {
            let geometry = pool::geometry(shape, STEM_POOL);
            let [channels, ..] = shape;
            shape = [channels, geometry.out_height(), geometry.out_width()];
            Pool {
                geometry,
                output: Buffer::default(),
                gradient: Buffer::default(),
            }
        });
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
            image_shape,
            blocked_images: Buffer::default(),
            stem,
            pool,
            blocks: built,
            means: Buffer::default(),
            batch: 0,
            workspace: Workspace::default(),
            buffers: Buffers::default(),
        })
    }

    /// Returns channels, height and width of an image.
    pub fn image_shape(&self) -> [usize; 3] {
        self.image_shape
    }

    /// Returns the pooled features `[N, features]` of images `[N, C, H, W]`. Batch norm uses the batch statistics and
    /// updates its running ones, except in the frozen part.
    ///
    /// # Errors
    /// If the values do not form images, or batch norm would see one value per channel.
    pub fn forward(&mut self, images: &[f32]) -> Result<Vec<f32>> {
        let [channels, height, width] = self.image_shape;
        let size = channels * height * width;
        if images.is_empty() || !images.len().is_multiple_of(size) {
            bail!(
                "{} values do not form images of {:?}",
                images.len(),
                self.image_shape
            );
        }
        let batch = images.len() / size;
        self.batch = batch;
        let source = if stem::applies(&self.stem.of(1)) {
            Source::Images(images)
        } else {
            self.blocked_images
                .reserve(blocks(channels) * batch * height * width);
            let blocked_images =
                &mut self.blocked_images[..blocks(channels) * batch * height * width];
            layout::from_planar(images, [batch, channels, height * width], blocked_images);
            Source::Blocks(blocked_images)
        };
        self.stem
            .forward(batch, source, None, true, &mut self.workspace)?;
        if let Some(pool) = &mut self.pool {
            let lanes = pool.lanes(batch);
            pool.output.reserve(lanes);
            let geometry = pool.of(batch);
            pool::max_pool(
                self.stem.output(batch),
                &geometry,
                &mut pool.output[..lanes],
            );
        }
        for i in 0..self.blocks.len() {
            let (before, rest) = self.blocks.split_at_mut(i);
            let input = input_of(before, &self.stem, self.pool.as_ref(), batch);
            rest[0].forward(batch, input, &mut self.workspace)?;
            if !rest[0].learns {
                // What a frozen block has read is not needed any more.
                match before.last_mut() {
                    Some(block) => block.release(),
                    None => self.stem.release(),
                }
            }
        }
        let output = input_of(&self.blocks, &self.stem, self.pool.as_ref(), batch);
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
            pool,
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
            let input = input_of(before, stem, pool.as_ref(), batch);
            rest[0].backward(batch, input, wants_input, buffers, workspace, receive)?;
        }
        if !stem.learns {
            return Ok(());
        }
        let lanes = stem.lanes(batch);
        if let Some(pool) = pool {
            let out_lanes = pool.lanes(batch);
            pool.gradient.reserve(lanes);
            let geometry = pool.of(batch);
            let of_input = &mut pool.gradient[..lanes];
            pool::grad_max_pool(
                stem.output(batch),
                &pool.output[..out_lanes],
                &buffers.gradient[..out_lanes],
                &geometry,
                of_input,
            );
            stem.grad_norm(batch, of_input, true, receive)?;
        } else {
            stem.grad_norm(batch, &mut buffers.gradient[..lanes], true, receive)?;
        }
        let source = if stem::applies(&stem.of(1)) {
            Source::Images(&[])
        } else {
            let [channels, height, width] = self.image_shape;
            Source::Blocks(&self.blocked_images[..blocks(channels) * batch * height * width])
        };
        stem.grad_weight(batch, source, workspace, receive)
    }
}

/// Returns the input of the layer after `before`: the output of the last block, or of the stem.
fn input_of<'a>(
    before: &'a [Block],
    stem: &'a Layer,
    pool: Option<&'a Pool>,
    batch: usize,
) -> &'a [ChannelBlock] {
    match (before.last(), pool) {
        (Some(block), _) => block.output(batch),
        (None, Some(pool)) => &pool.output[..pool.lanes(batch)],
        (None, None) => stem.output(batch),
    }
}

#[cfg(test)]
mod tests;
