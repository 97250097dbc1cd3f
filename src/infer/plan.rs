//! A compiled forward pass, which any number of threads run at once.

use super::compile::compile;
use super::program::{End, Operation, Program, Step, StepTime, Workload};
use super::weights::{OwnWeights, Weights};
use crate::error::{Error, WithKind, error_with_hint};
use crate::model::ResNet;
use candle_core::{Result, bail};
use resnet_kernels::conv::stem;
use resnet_kernels::cpu;
use resnet_kernels::layout::{self, Buffer};
use resnet_kernels::simd::LANES;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Runs `work` on one of the pool's threads, in the caller's instruction set, so that its short parallel sections need
/// not wait for a handover.
pub(super) fn in_pool<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    let isa = cpu::current();
    rayon::scope(|_| cpu::with(isa, work))
}

/// A network compiled for images of one size and any batch.
#[derive(Debug)]
pub struct Plan {
    pub(super) program: Program,
    /// Buffers of earlier passes: as many as passes have run at once.
    idle: Mutex<Vec<Buffers>>,
}

/// The values of one pass.
#[derive(Debug)]
pub(super) struct Buffers {
    /// Outputs of the steps.
    pub slots: Vec<Buffer>,
    /// Images in the layout that the stem reads.
    pub stem: Vec<f32>,
}

impl Plan {
    /// Compiles `network` (f32, on the CPU) for images of `height` by `width`.
    pub fn new(
        network: &ResNet,
        height: usize,
        width: usize,
        work: Workload,
    ) -> anyhow::Result<Self> {
        Self::with_weights(network, &OwnWeights, [height, width], work)
    }

    /// Compiles as [`Plan::new`] does, with the `weights` of convolutions and classifier in place of those of `network`,
    /// which needs none.
    ///
    /// # Errors
    /// If the weights cannot be read.
    pub fn with_weights(
        network: &ResNet,
        weights: &dyn Weights,
        size: [usize; 2],
        work: Workload,
    ) -> anyhow::Result<Self> {
        Self::compile(network, weights, size, work, End::Logits)
    }

    /// Compiles as [`Plan::new`] does, without the classifier: passes return its input, the pooled features.
    pub fn of_features(
        network: &ResNet,
        height: usize,
        width: usize,
        work: Workload,
    ) -> anyhow::Result<Self> {
        Self::compile(network, &OwnWeights, [height, width], work, End::Features)
    }

    fn compile(
        network: &ResNet,
        weights: &dyn Weights,
        size: [usize; 2],
        work: Workload,
        end: End,
    ) -> anyhow::Result<Self> {
        let program = in_pool(|| compile(network, weights, size, work, end))?;
        Ok(Self {
            program,
            idle: Mutex::default(),
        })
    }

    /// Returns channels, height and width of an image.
    pub fn image(&self) -> [usize; 3] {
        self.program.image
    }

    /// Returns the memory in bytes of a pass over `batch` images, including the images and excluding the weights.
    pub fn bytes(&self, batch: usize) -> usize {
        let mut sizes = vec![0; self.program.buffers];
        for step in &self.program.steps {
            sizes[step.output] = step.size.max(sizes[step.output]);
        }
        let images: usize = self.program.image.iter().product();
        let stem = match self.program.steps.first().map(|step| &step.operation) {
            Some(Operation::Stem { convolution, .. }) => stem::expanded_len(convolution.geometry()),
            _ => 0,
        };
        (sizes.iter().sum::<usize>() * LANES + stem + images)
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
        let [channels, height, width] = self.program.image;
        Err(error_with_hint(
            format!(
                "a forward pass of {batch}x{channels}x{height}x{width} takes {:.0} GB of memory, more than available",
                bytes as f64 / 1e9
            ),
            "reduce the batch size or the image size",
        )
        .with_kind(Error::OutOfMemory))
    }

    /// Returns the logits `[N, classes]` of images `[N, C, H, W]`, or their features `[N, features]`.
    pub fn run(&self, images: &[f32]) -> Result<Vec<f32>> {
        self.with_buffers(|buffers| self.run_steps(images, buffers, |_, _| ()))
    }

    /// Runs as [`Plan::run`] does, and returns the time of each step.
    pub fn run_timed(&self, images: &[f32]) -> Result<(Vec<f32>, Vec<StepTime>)> {
        let mut times = Vec::with_capacity(self.program.steps.len());
        let observe = |path: &str, time| {
            times.push(StepTime {
                path: path.to_owned(),
                time,
            });
        };
        let logits = self.with_buffers(|buffers| self.run_steps(images, buffers, observe))?;
        Ok((logits, times))
    }

    /// Runs `pass` in the pool, with buffers that no other pass uses at the same time.
    pub(super) fn with_buffers<R: Send>(&self, pass: impl FnOnce(&mut Buffers) -> R + Send) -> R {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle().pop();
        let mut buffers = kept.unwrap_or_else(|| Buffers {
            slots: vec![Buffer::default(); self.program.buffers],
            stem: Vec::new(),
        });
        let result = in_pool(|| pass(&mut buffers));
        idle().push(buffers);
        result
    }

    pub(super) fn run_steps(
        &self,
        images: &[f32],
        buffers: &mut Buffers,
        mut observe: impl FnMut(&str, Duration),
    ) -> Result<Vec<f32>> {
        let image: usize = self.program.image.iter().product();
        if images.is_empty() || !images.len().is_multiple_of(image) {
            bail!(
                "{} values do not form images of {:?}",
                images.len(),
                self.program.image
            );
        }
        let batch = images.len() / image;
        let Some(Step { output: last, .. }) = self.program.steps.last() else {
            bail!("the plan has no step")
        };
        let last = *last;
        for step in &self.program.steps {
            let start = Instant::now();
            // Taken out while it is written, so that the other buffers can be read.
            let mut output = std::mem::take(&mut buffers.slots[step.output]);
            output.reserve(batch * step.size);
            let target = &mut output[..batch * step.size];
            match &step.operation {
                Operation::Enter { channels, pixels } => {
                    layout::from_planar(images, [batch, *channels, *pixels], target);
                }
                Operation::Stem { convolution, relu } => {
                    convolution.run_on_images(batch, images, &mut buffers.stem, *relu, target);
                }
                operation => {
                    let slots = &buffers.slots;
                    operation.run(batch, &slots[step.input], slots, target);
                }
            }
            buffers.slots[step.output] = output;
            observe(&step.path, start.elapsed());
        }
        let mut outputs = vec![0.0; batch * self.program.outputs];
        let lanes = &buffers.slots[last][..batch * layout::blocks(self.program.outputs)];
        layout::to_planar(lanes, [batch, self.program.outputs, 1], &mut outputs);
        Ok(outputs)
    }
}
