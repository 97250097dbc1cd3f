//! The layers before the first stage, forward and backward.

use super::block::Buffers;
use super::half::Half;
use super::layer::{Layer, Receiver, Source};
use crate::model::stem::{Pool, STEM_POOL, Stem as Module};
use crate::model::{Frozen, StemKind};
use candle_core::{Result, bail};
use resnet_kernels::conv::{Workspace, stem};
use resnet_kernels::layout::{self, Buffer, blocks};
use resnet_kernels::simd::ChannelBlock;
use resnet_kernels::{OutputInit, PoolGeometry, pool};

/// The stem with the values that its gradients need.
#[derive(Debug)]
pub(super) struct Stem {
    /// Channels, height and width of an image.
    image_shape: [usize; 3],
    /// Images in the layout of the kernels, if the first layer does not read them directly.
    blocked_images: Buffer,
    layers: Vec<Layer>,
    end: End,
    /// True if the stem is trained; otherwise it runs in evaluation mode.
    pub learns: bool,
}

/// The end of a stem, behind its layers.
#[derive(Debug)]
enum End {
    Nothing,
    Max(MaxPool),
    Average(Half),
    Convolution(Box<Layer>),
}

#[derive(Debug)]
struct MaxPool {
    /// Shapes for one image.
    geometry: PoolGeometry,
    channels: usize,
    output: Buffer,
}

impl MaxPool {
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

impl Stem {
    /// Creates the stem of `kind` for images of this shape.
    pub fn new(
        kind: StemKind,
        module: &Module,
        image_shape: [usize; 3],
        frozen: Frozen,
    ) -> Result<Self> {
        let learns = !frozen.holds("conv1");
        let mut layers: Vec<Layer> = Vec::with_capacity(module.layers.len());
        let mut shape = image_shape;
        for (layer, names) in module.layers.iter().zip(kind.layer_names()) {
            let layer = Layer::new(names.map(str::to_owned), layer, shape, learns)?;
            shape = layer.shape();
            layers.push(layer);
        }
        let end = match &module.pool {
            Pool::None => End::Nothing,
            Pool::Max => End::Max(MaxPool {
                geometry: pool::geometry(shape, STEM_POOL),
                channels: shape[0],
                output: Buffer::default(),
            }),
            Pool::Average => match Half::new(shape, false) {
                Some(half) => End::Average(half),
                None => bail!("the image is too small for the network"),
            },
            Pool::Convolution(layer) => {
                let names = ["maxpool.0", "maxpool.1"].map(str::to_owned);
                End::Convolution(Box::new(Layer::new(names, layer, shape, learns)?))
            }
            Pool::Blur => bail!("there is no compiled step for blurs"),
        };
        Ok(Self {
            image_shape,
            blocked_images: Buffer::default(),
            layers,
            end,
            learns,
        })
    }

    /// Returns channels, height and width of an image.
    pub fn image_shape(&self) -> [usize; 3] {
        self.image_shape
    }

    fn last(&self) -> &Layer {
        &self.layers[self.layers.len() - 1]
    }

    /// Returns channels, height and width of the output.
    pub fn shape(&self) -> [usize; 3] {
        match &self.end {
            End::Nothing => self.last().shape(),
            End::Max(pool) => {
                let geometry = &pool.geometry;
                [pool.channels, geometry.out_height(), geometry.out_width()]
            }
            End::Average(half) => half.shape(),
            End::Convolution(layer) => layer.shape(),
        }
    }

    /// Returns the output of the last forward pass over `batch` images.
    pub fn output(&self, batch: usize) -> &[ChannelBlock] {
        match &self.end {
            End::Nothing => self.last().output(batch),
            End::Max(pool) => &pool.output[..pool.lanes(batch)],
            End::Average(half) => half.output(batch),
            End::Convolution(layer) => layer.output(batch),
        }
    }

    /// Returns the number of lanes of images in the layout of the kernels.
    fn image_lanes(&self, batch: usize) -> usize {
        let [channels, height, width] = self.image_shape;
        blocks(channels) * batch * height * width
    }

    pub fn forward(
        &mut self,
        batch: usize,
        images: &[f32],
        workspace: &mut Workspace,
    ) -> Result<()> {
        let source = if stem::applies(&self.layers[0].of(1)) {
            Source::Images(images)
        } else {
            let lanes = self.image_lanes(batch);
            let [channels, height, width] = self.image_shape;
            self.blocked_images.reserve(lanes);
            let blocked_images = &mut self.blocked_images[..lanes];
            layout::from_planar(images, [batch, channels, height * width], blocked_images);
            Source::Blocks(blocked_images)
        };
        self.layers[0].forward(batch, source, None, true, workspace)?;
        for i in 1..self.layers.len() {
            let (before, rest) = self.layers.split_at_mut(i);
            let source = Source::Blocks(before[i - 1].output(batch));
            rest[0].forward(batch, source, None, true, workspace)?;
        }
        let last = self.layers.len() - 1;
        let output = self.layers[last].output(batch);
        match &mut self.end {
            End::Nothing => {}
            End::Max(pool) => {
                let lanes = pool.lanes(batch);
                pool.output.reserve(lanes);
                let geometry = pool.of(batch);
                pool::max_pool(output, &geometry, &mut pool.output[..lanes]);
            }
            End::Average(half) => half.forward(batch, output),
            End::Convolution(layer) => {
                layer.forward(batch, Source::Blocks(output), None, true, workspace)?;
            }
        }
        Ok(())
    }

    /// Releases the outputs of the layers, which nothing reads any more.
    pub fn release(&mut self) {
        self.layers.iter_mut().for_each(Layer::release);
    }

    /// Passes the gradients of the parameters to `receive`, given that of the output in `buffers`.
    pub fn backward(
        &mut self,
        batch: usize,
        buffers: &mut Buffers,
        workspace: &mut Workspace,
        receive: &mut Receiver,
    ) -> Result<()> {
        let Buffers {
            gradient, spare, ..
        } = buffers;
        let last = self.layers.len() - 1;
        match &mut self.end {
            End::Nothing => {}
            End::Max(pool) => {
                let (lanes, out_lanes) = (self.layers[last].lanes(batch), pool.lanes(batch));
                spare.reserve(lanes);
                let geometry = pool.of(batch);
                pool::grad_max_pool(
                    self.layers[last].output(batch),
                    &pool.output[..out_lanes],
                    &gradient[..out_lanes],
                    &geometry,
                    &mut spare[..lanes],
                );
                std::mem::swap(gradient, spare);
            }
            End::Average(half) => {
                half.backward(batch, gradient, spare);
                std::mem::swap(gradient, spare);
            }
            End::Convolution(layer) => {
                let lanes = layer.lanes(batch);
                layer.grad_norm(batch, &mut gradient[..lanes], true, receive)?;
                let source = Source::Blocks(self.layers[last].output(batch));
                layer.grad_weight(batch, source, workspace, receive)?;
                layer.grad_input(batch, OutputInit::Overwrite, workspace, gradient)?;
            }
        }
        for i in (0..=last).rev() {
            let (before, rest) = self.layers.split_at_mut(i);
            let layer = &mut rest[0];
            let lanes = layer.lanes(batch);
            layer.grad_norm(batch, &mut gradient[..lanes], true, receive)?;
            let Some(before) = before.last() else { break };
            let source = Source::Blocks(before.output(batch));
            layer.grad_weight(batch, source, workspace, receive)?;
            layer.grad_input(batch, OutputInit::Overwrite, workspace, gradient)?;
        }
        let first = &self.layers[0];
        let source = if stem::applies(&first.of(1)) {
            Source::Images(&[])
        } else {
            Source::Blocks(&self.blocked_images[..self.image_lanes(batch)])
        };
        first.grad_weight(batch, source, workspace, receive)
    }
}
