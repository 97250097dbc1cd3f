//! A compiled network: steps over numbered buffers, with their packed weights.

use candle_core::{Result, bail};
use resnet_kernels::conv::Convolution;
use resnet_kernels::layout::Buffer;
use resnet_kernels::residual::{PaddedShortcut, padded_shortcut};
use resnet_kernels::simd::ChannelBlock;
use resnet_kernels::{HalfGeometry, OutputInit, PoolGeometry, gate, halve, layout, norm, pool};
use std::time::Duration;

/// Index of a buffer.
pub(super) type Slot = usize;

/// The operation of a step. Geometries are those of one image.
#[derive(Debug)]
pub(super) enum Operation {
    /// Converts images to the layout of the other steps, if the first convolution does not read them itself.
    Enter { channels: usize, pixels: usize },
    /// The first convolution, which reads the images.
    Stem {
        convolution: Convolution,
        relu: bool,
    },
    /// A convolution with batch norm folded in, including the classifier.
    Convolution {
        convolution: Convolution,
        /// Contents of the output buffer on entry.
        init: OutputInit,
        relu: bool,
    },
    /// Max-pooling; `planes` counts blocks of channels.
    MaxPool(PoolGeometry),
    /// Every `stride`-th pixel between zero channels.
    PaddedShortcut(PaddedShortcut),
    /// The mean over the pixels.
    AveragePool { pixels: usize },
    /// Averages of 2x2 pixels.
    Average(HalfGeometry),
    /// Blurs of stride 2.
    Blur(HalfGeometry),
    /// Group norm.
    GroupNorm(GroupNormStep),
    /// A convolution along the channels of vectors, without their neighbors in height and width.
    ChannelConvolution { channels: usize, weight: Vec<f32> },
    /// Channels times the sigmoid of their scores, then `ReLU`.
    Gate {
        /// The buffer of the scores.
        scores: Slot,
        /// Blocks of channels.
        blocks: usize,
        /// Contents of the output buffer on entry.
        init: OutputInit,
    },
}

/// A group norm with its parameters.
#[derive(Debug)]
pub(super) struct GroupNormStep {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
    pub groups: usize,
    pub eps: f64,
    /// Pixels of an image.
    pub pixels: usize,
    /// Contents of the output buffer on entry.
    pub init: OutputInit,
    pub relu: bool,
}

impl GroupNormStep {
    fn run(&self, input: &[ChannelBlock], output: &mut [ChannelBlock]) {
        let input = &input[..output.len()];
        let statistics = norm::statistics(input, self.pixels);
        let (weight, bias) = (&self.weight, &self.bias);
        let maps = norm::group_affine(&statistics, weight, bias, self.groups, self.eps);
        match self.init {
            OutputInit::Residual => norm::apply_onto(input, &maps, output),
            OutputInit::Overwrite | OutputInit::Accumulate => {
                norm::apply(input, &maps, None, self.relu, output);
            }
        }
    }
}

/// One step: an operation from one buffer into another.
#[derive(Debug)]
pub(super) struct Step {
    /// Path of the module it stands for, as in [`crate::model::Description`].
    pub path: String,
    pub operation: Operation,
    pub input: Slot,
    pub output: Slot,
    /// Channel blocks of the output, for one image.
    pub size: usize,
}

/// Execution time of one step of a pass.
#[derive(Debug, Clone)]
pub struct StepTime {
    /// Dotted path of the module; the time of a convolution includes its batch norm, ReLU and residual.
    pub path: String,
    /// Wall time.
    pub time: Duration,
}

/// The workload that a plan is optimized for. A plan computes any batch; the workload selects the algorithms.
#[derive(Debug, Clone, Copy)]
pub struct Workload {
    /// Images per pass.
    pub batch: usize,
    /// Images of all passes: with few of them, weights that take long to prepare do not pay off.
    pub images: usize,
}

impl Workload {
    /// Describes many passes over batches of `batch` images.
    pub fn many(batch: usize) -> Self {
        Self {
            batch,
            images: usize::MAX,
        }
    }
}

/// The last output of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The logits of the classifier.
    Logits,
    /// The pooled features.
    Features,
}

/// A compiled network: it does not change while it runs.
#[derive(Debug)]
pub(super) struct Program {
    pub steps: Vec<Step>,
    /// Number of buffers.
    pub buffers: usize,
    /// Channels, height and width of an image.
    pub image: [usize; 3],
    /// Output values per image.
    pub outputs: usize,
    /// Channels, height and width of the last feature map.
    pub map: [usize; 3],
    pub end: End,
}

impl Program {
    /// Returns the steps that pool the last feature map and classify.
    pub fn head(&self) -> Result<(&Step, &Step)> {
        match self.steps.as_slice() {
            [.., pool, classifier] if self.end == End::Logits => Ok((pool, classifier)),
            _ => bail!("the plan has no classifier"),
        }
    }
}

impl Operation {
    /// Computes a step over `batch` images that does not read them, in place of the old values of `output`. `slots` are the buffers
    /// of other steps.
    pub fn run(
        &self,
        batch: usize,
        input: &[ChannelBlock],
        slots: &[Buffer],
        output: &mut [ChannelBlock],
    ) {
        match self {
            // They read images.
            Self::Enter { .. } | Self::Stem { .. } => {}
            Self::Convolution {
                convolution,
                init,
                relu,
            } => {
                let geometry = convolution.geometry();
                let image = geometry.height * geometry.width;
                let input = &input[..batch * layout::blocks(geometry.in_channels) * image];
                convolution.run(batch, input, *init, *relu, output);
            }
            Self::MaxPool(geometry) => {
                let geometry = PoolGeometry {
                    planes: batch * geometry.planes,
                    ..*geometry
                };
                let input = &input[..geometry.planes * geometry.height * geometry.width];
                pool::max_pool(input, &geometry, output);
            }
            Self::PaddedShortcut(shape) => padded_shortcut(batch, input, shape, output),
            Self::AveragePool { pixels } => {
                pool::avg_pool(&input[..output.len() * pixels], *pixels, output);
            }
            Self::Average(geometry) => {
                let (input, geometry) = in_batch(geometry, batch, input);
                halve::average(input, &geometry, output);
            }
            Self::Blur(geometry) => {
                let (input, geometry) = in_batch(geometry, batch, input);
                halve::blur(input, &geometry, output);
            }
            Self::GroupNorm(norm) => norm.run(input, output),
            Self::ChannelConvolution { channels, weight } => {
                gate::channel_convolution(input, batch, *channels, weight, output);
            }
            Self::Gate {
                scores,
                blocks,
                init,
            } => {
                let scores = &slots[*scores][..batch * blocks];
                let has_residual = *init == OutputInit::Residual;
                gate::gate(&input[..output.len()], scores, has_residual, output);
            }
        }
    }
}

/// Returns the input of a pooling over `batch` images, and its geometry.
fn in_batch<'a>(
    geometry: &HalfGeometry,
    batch: usize,
    input: &'a [ChannelBlock],
) -> (&'a [ChannelBlock], HalfGeometry) {
    let geometry = HalfGeometry {
        planes: batch * geometry.planes,
        ..*geometry
    };
    let [height, width] = geometry.size;
    (&input[..geometry.planes * height * width], geometry)
}
