//! A compiled forward pass: steps over numbered buffers.

use super::compile::{End, compile};
use super::weights::{InNet, Weights};
use crate::error::error_with_hint;
use crate::model::ResNet;
use candle_core::{Result, bail};
use resnet_kernels::conv::{Convolution, stem};
use resnet_kernels::layout::Buffer;
use resnet_kernels::residual::{PaddedShortcut, padded_shortcut};
use resnet_kernels::simd::{ChannelBlock, LANES};
use resnet_kernels::{OutputInit, PoolGeometry, cpu, layout, pool};
use std::time::{Duration, Instant};

/// Index of a buffer.
pub(super) type Slot = usize;

/// The operation of a step. Geometries are those of one image.
#[derive(Debug)]
pub(super) enum Operation {
    /// Converts images to the layout of the other steps, if the first convolution does not read them itself.
    Enter {
        channels: usize,
        pixels: usize,
    },
    /// The first convolution, which reads the images.
    Stem(Convolution),
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
    AveragePool {
        pixels: usize,
    },
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
pub struct Work {
    /// Images per pass.
    pub batch: usize,
    /// Images of all passes: with few of them, weights that take long to prepare do not pay off.
    pub pictures: usize,
}

impl Work {
    /// Describes many passes over batches of `batch` images.
    pub fn many(batch: usize) -> Self {
        Self {
            batch,
            pictures: usize::MAX,
        }
    }
}

/// Runs `work` on one of the pool's threads, in the caller's instruction set, so that its short parallel sections need
/// not wait for a handover.
pub(super) fn in_pool<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    let isa = cpu::current();
    rayon::scope(|_| cpu::with(isa, work))
}

/// A network compiled for images of one size and any batch.
#[derive(Debug)]
pub struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) buffers: Vec<Buffer>,
    /// Images in the layout that the stem reads.
    pub(super) stem: Vec<f32>,
    pub(super) picture: [usize; 3],
    /// Output values per image.
    pub(super) outputs: usize,
    /// Channels, height and width of the last feature map.
    pub(super) map: [usize; 3],
    /// True if the classifier is the last step.
    pub(super) classifies: bool,
}

impl Plan {
    /// Compiles `net` (f32, on the CPU) for images of `height` by `width`.
    pub fn new(net: &ResNet, height: usize, width: usize, work: Work) -> anyhow::Result<Self> {
        Self::with_weights(net, &InNet, [height, width], work)
    }

    /// Compiles as [`Plan::new`] does, with the `weights` of convolutions and classifier in place of those of `net`,
    /// which needs none.
    ///
    /// # Errors
    /// If the weights cannot be read.
    pub fn with_weights(
        net: &ResNet,
        weights: &dyn Weights,
        size: [usize; 2],
        work: Work,
    ) -> anyhow::Result<Self> {
        in_pool(|| compile(net, weights, size, work, End::Logits))
    }

    /// Compiles as [`Plan::new`] does, without the classifier: passes return its input, the pooled features.
    pub fn of_features(
        net: &ResNet,
        height: usize,
        width: usize,
        work: Work,
    ) -> anyhow::Result<Self> {
        in_pool(|| compile(net, &InNet, [height, width], work, End::Features))
    }

    /// Returns channels, height and width of an image.
    pub fn picture(&self) -> [usize; 3] {
        self.picture
    }

    /// Returns the memory in bytes of a pass over `batch` images, including the images and excluding the weights.
    pub fn bytes(&self, batch: usize) -> usize {
        let mut sizes = vec![0; self.buffers.len()];
        for step in &self.steps {
            sizes[step.output] = step.size.max(sizes[step.output]);
        }
        let pictures: usize = self.picture.iter().product();
        let stem = match self.steps.first().map(|step| &step.operation) {
            Some(Operation::Stem(convolution)) => stem::expanded_len(convolution.geometry()),
            _ => 0,
        };
        (sizes.iter().sum::<usize>() * LANES + stem + pictures)
            .saturating_mul(batch)
            .saturating_mul(size_of::<f32>())
    }

    /// Checks that the machine has memory for a pass over `batch` images, before it starts.
    ///
    /// # Errors
    /// If the allocator cannot provide [`Plan::bytes`].
    pub fn ensure_memory(&self, batch: usize) -> anyhow::Result<()> {
        let bytes = self.bytes(batch);
        let Err(_) = Vec::<u8>::new().try_reserve_exact(bytes) else {
            return Ok(());
        };
        let [channels, height, width] = self.picture;
        Err(error_with_hint(
            format!(
                "a forward pass of {batch}x{channels}x{height}x{width} takes {:.0} GB of memory, more than available",
                bytes as f64 / 1e9
            ),
            "reduce the batch size or the image size",
        ))
    }

    /// Returns the logits `[N, classes]` of images `[N, C, H, W]`, or their features `[N, features]`.
    pub fn run(&mut self, pictures: &[f32]) -> Result<Vec<f32>> {
        self.run_observed(pictures, |_, _| ())
    }

    /// Runs as [`Plan::run`] does, and returns the time of each step.
    pub fn run_timed(&mut self, pictures: &[f32]) -> Result<(Vec<f32>, Vec<StepTime>)> {
        let mut times = Vec::with_capacity(self.steps.len());
        let logits = self.run_observed(pictures, |path, time| {
            times.push(StepTime {
                path: path.to_owned(),
                time,
            });
        })?;
        Ok((logits, times))
    }

    fn run_observed(
        &mut self,
        pictures: &[f32],
        observe: impl FnMut(&str, Duration) + Send,
    ) -> Result<Vec<f32>> {
        in_pool(|| self.run_steps(pictures, observe))
    }

    pub(super) fn run_steps(
        &mut self,
        pictures: &[f32],
        mut observe: impl FnMut(&str, Duration),
    ) -> Result<Vec<f32>> {
        let picture: usize = self.picture.iter().product();
        if pictures.is_empty() || !pictures.len().is_multiple_of(picture) {
            bail!(
                "{} values do not form images of {:?}",
                pictures.len(),
                self.picture
            );
        }
        let batch = pictures.len() / picture;
        let Some(Step { output: last, .. }) = self.steps.last() else {
            bail!("the plan has no step")
        };
        let last = *last;
        for step in &self.steps {
            let start = Instant::now();
            // Taken out while it is written, so that the other buffers can be read.
            let mut output = std::mem::take(&mut self.buffers[step.output]);
            output.reserve(batch * step.size);
            let target = &mut output[..batch * step.size];
            match &step.operation {
                Operation::Enter { channels, pixels } => {
                    layout::from_planar(pictures, [batch, *channels, *pixels], target);
                }
                Operation::Stem(convolution) => {
                    convolution.run_on_images(batch, pictures, &mut self.stem, true, target);
                }
                operation => {
                    operation.run(batch, &self.buffers[step.input], target);
                }
            }
            self.buffers[step.output] = output;
            observe(&step.path, start.elapsed());
        }
        let mut outputs = vec![0.0; batch * self.outputs];
        let lanes = &self.buffers[last][..batch * layout::blocks(self.outputs)];
        layout::to_planar(lanes, [batch, self.outputs, 1], &mut outputs);
        Ok(outputs)
    }
}

impl Operation {
    fn run(&self, batch: usize, input: &[ChannelBlock], output: &mut [ChannelBlock]) {
        match self {
            // They read pictures.
            Self::Enter { .. } | Self::Stem(_) => {}
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
        }
    }
}
