//! A convolution followed by batch norm, forward and backward.

use crate::model::block::ConvNorm;
use crate::nn::{BatchNorm2d, Conv2d};
use crate::ops::batch_norm::Statistics as BatchStatistics;
use crate::ops::{shared_statistics, with_values};
use candle_core::{Result, Shape, Tensor, bail};
use resnet_kernels::conv::stem;
use resnet_kernels::conv::{self, Workspace};
use resnet_kernels::layout::{self, Buffer, blocks};
use resnet_kernels::norm::{self, Affine, Statistics};
use resnet_kernels::simd::ChannelBlock;
use resnet_kernels::{ConvGeometry, OutputInit};

/// The input of a layer.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// Images `[N, C, H, W]` with few channels.
    Images(&'a [f32]),
    /// Blocked values, `[C / 16, N, H, W, 16]`.
    Blocks(&'a [ChannelBlock]),
}

/// A convolution and its batch norm, with the values that their gradients need.
#[derive(Debug)]
pub(super) struct Layer {
    /// Dotted paths of the convolution and of the norm.
    names: [String; 2],
    conv: Conv2d,
    norm: BatchNorm2d,
    /// Shapes for one image.
    geometry: ConvGeometry,
    /// True if the layer is trained; otherwise it runs in evaluation mode.
    pub learns: bool,
    /// Output of the convolution; after [`Layer::grad_norm`], its gradient.
    convolved: Buffer,
    /// Output of the layer.
    output: Buffer,
    statistics: Vec<Statistics>,
    /// Number of values per channel that the statistics are of.
    count: usize,
}

/// Receives the gradient of each parameter as soon as it is computed: its name, values and shape.
pub type Receiver<'a> = dyn FnMut(String, Vec<f32>, &Shape) -> Result<()> + 'a;

impl Layer {
    /// Creates the layer for inputs with these channels, height and width.
    pub fn new(
        names: [String; 2],
        module: &ConvNorm,
        shape: [usize; 3],
        learns: bool,
    ) -> Result<Self> {
        let geometry = module.conv.geometry(shape)?;
        let Some(norm) = module.norm.batch() else {
            bail!("there is no compiled step for group norm")
        };
        Ok(Self {
            names,
            conv: module.conv.clone(),
            norm: norm.clone(),
            geometry,
            learns,
            convolved: Buffer::default(),
            output: Buffer::default(),
            statistics: Vec::new(),
            count: 0,
        })
    }

    /// Returns channels, height and width of the output.
    pub fn shape(&self) -> [usize; 3] {
        let geometry = &self.geometry;
        [
            geometry.out_channels,
            geometry.out_height(),
            geometry.out_width(),
        ]
    }

    /// Returns the shapes for a batch.
    pub fn of(&self, batch: usize) -> ConvGeometry {
        ConvGeometry {
            batch,
            ..self.geometry
        }
    }

    /// Returns the output of the last forward pass over `batch` images.
    pub fn output(&self, batch: usize) -> &[ChannelBlock] {
        &self.output[..self.lanes(batch)]
    }

    /// Returns the number of lanes of the output.
    pub fn lanes(&self, batch: usize) -> usize {
        blocks(self.geometry.out_channels) * batch * self.geometry.out_pixels()
    }

    /// Convolves and normalizes; adds the residual and applies ReLU if requested.
    pub fn forward(
        &mut self,
        batch: usize,
        source: Source,
        residual: Option<&[ChannelBlock]>,
        relu: bool,
        workspace: &mut Workspace,
    ) -> Result<()> {
        let geometry = self.of(batch);
        let pixels = batch * geometry.out_pixels();
        let lanes = self.lanes(batch);
        let shards = self.norm.shards();
        if self.learns && pixels <= 1 && shards.is_none() {
            let [channels, height, width] = self.shape();
            bail!(
                "batch norm cannot train on one value per channel (input [{batch}, {channels}, {height}, {width}]): use a larger batch or a larger input"
            );
        }
        self.convolved.reserve(lanes);
        self.output.reserve(lanes);
        let convolved = &mut self.convolved[..lanes];
        with_values(self.conv.weight(), |weight| match source {
            Source::Images(images) => {
                conv::forward_on_images(images, weight, &geometry, workspace, convolved);
            }
            Source::Blocks(input) => {
                conv::forward(input, weight, &geometry, workspace, convolved);
            }
        })?;
        let affine = if self.learns {
            self.statistics = norm::statistics(convolved, pixels);
            let norm = &self.norm;
            self.count = match shards {
                None => pixels,
                Some(shards) => {
                    let origins = lanes_of(norm.running_mean())?;
                    let own = &mut self.statistics;
                    shared_statistics::of_blocks(shards, pixels, own, &origins)?
                }
            };
            self.move_running()?;
            let (weight, bias) = (lanes_of(norm.weight())?, lanes_of(norm.bias())?);
            norm::affine(&self.statistics, &weight, &bias, norm.eps())
        } else {
            let (scale, shift) = self.norm.scale_and_shift(candle_core::DType::F32)?;
            let (scale, shift) = (lanes_of(&scale)?, lanes_of(&shift)?);
            let pairs = scale.into_iter().zip(shift);
            pairs
                .map(|(scale, shift)| Affine { scale, shift })
                .collect()
        };
        let output = &mut self.output[..lanes];
        norm::apply(&self.convolved[..lanes], &affine, residual, relu, output);
        if !self.learns {
            // No gradient will need it.
            self.convolved = Buffer::default();
        }
        Ok(())
    }

    /// Releases the output, which nothing reads any more.
    pub fn release(&mut self) {
        self.output = Buffer::default();
    }

    fn move_running(&self) -> Result<()> {
        let BatchStatistics { mean, variance } =
            BatchStatistics::of_blocks(&self.statistics, self.geometry.out_channels)?;
        self.norm.move_running(&mean, &variance, self.count)
    }

    /// Turns the gradient of the layer's output into that of the convolution's output, which it overwrites, and passes
    /// the gradients of the norm's parameters to `receive`. With `masked`, the gradient is first set to zero where the output, which
    /// is ReLU's, is not positive.
    pub fn grad_norm(
        &mut self,
        batch: usize,
        gradient: &mut [ChannelBlock],
        masked: bool,
        receive: &mut Receiver,
    ) -> Result<()> {
        let lanes = self.lanes(batch);
        let output = masked.then(|| &self.output[..lanes]);
        let convolved = &mut self.convolved[..lanes];
        let norm = &self.norm;
        let (statistics, eps) = (&self.statistics, norm.eps());
        let weight = lanes_of(norm.weight())?;
        let mut sums = norm::gradient_sums(convolved, gradient, output, statistics);
        let [of_weight, of_bias] = norm::grad_parameters(&sums, statistics, eps);
        if let Some(shards) = norm.shards() {
            shared_statistics::sum_blocks(shards, &mut sums)?;
        }
        norm::grad_input(
            convolved, gradient, statistics, &weight, eps, &sums, self.count,
        );
        let channels = self.geometry.out_channels;
        for (kind, values) in [("weight", of_weight), ("bias", of_bias)] {
            let (mut values, shape) = (values, Shape::from(channels));
            values.truncate(channels);
            receive(format!("{}.{kind}", self.names[1]), values, &shape)?;
        }
        Ok(())
    }

    /// Passes the gradient of the convolution's weights to `receive`, after [`Layer::grad_norm`].
    pub fn grad_weight(
        &self,
        batch: usize,
        source: Source,
        workspace: &mut Workspace,
        receive: &mut Receiver,
    ) -> Result<()> {
        let geometry = self.of(batch);
        let gradient = &self.convolved[..self.lanes(batch)];
        let mut result = vec![0.0; geometry.weights()];
        match source {
            Source::Images(_) => {
                stem::grad_weight_on_images(workspace, gradient, &geometry, &mut result);
            }
            Source::Blocks(input) => {
                conv::grad_weight(input, gradient, &geometry, workspace, &mut result);
            }
        }
        let shape = self.conv.weight().shape();
        receive(format!("{}.weight", self.names[0]), result, shape)
    }

    /// Computes the gradient of the layer's input, after [`Layer::grad_norm`], and adds it to `result`.
    pub fn grad_input(
        &self,
        batch: usize,
        init: OutputInit,
        workspace: &mut Workspace,
        result: &mut Buffer,
    ) -> Result<()> {
        let geometry = self.of(batch);
        let lanes = blocks(geometry.in_channels) * batch * geometry.height * geometry.width;
        result.reserve(lanes);
        let result = &mut result[..lanes];
        let gradient = &self.convolved[..self.lanes(batch)];
        with_values(self.conv.weight(), |weight| {
            conv::grad_input(gradient, weight, &geometry, init, workspace, result);
        })
    }
}

/// Returns the values of a vector, sixteen per lane.
fn lanes_of(vector: &Tensor) -> Result<Vec<ChannelBlock>> {
    with_values(vector, layout::vector)
}
