//! A compiled forward pass: steps over numbered buffers.

use crate::error::hinted;
use crate::kernels::matmul::{Matrix, Store, Threads, matmul};
use crate::kernels::{ConvGeometry, PoolGeometry, convolution, epilogue, pool};
use crate::model::ResNet;
use candle_core::{Result, bail};
use std::time::{Duration, Instant};

/// A buffer's number.
pub(super) type Slot = usize;

/// What a step computes. Geometries are those of one picture.
#[derive(Debug)]
pub(super) enum Operation {
    /// A convolution with batch norm folded in.
    Convolution {
        weight: Vec<f32>,
        bias: Vec<f32>,
        geometry: ConvGeometry,
        residual: Option<Slot>,
        relu: bool,
    },
    MaxPool(PoolGeometry),
    /// Every `stride`-th pixel between zero channels.
    PaddedShortcut {
        channels: [usize; 2],
        height: usize,
        width: usize,
        stride: usize,
    },
    AveragePool {
        channels: usize,
        pixels: usize,
    },
    Linear {
        weight: Vec<f32>,
        bias: Vec<f32>,
    },
}

/// One step: an operation from a buffer into another.
#[derive(Debug)]
pub(super) struct Step {
    /// The module it stands for, as [`crate::model::Description`] names it.
    pub path: String,
    pub operation: Operation,
    pub input: Slot,
    pub output: Slot,
    /// Numbers of the output, one picture.
    pub size: usize,
}

/// What one step of a pass took.
#[derive(Debug, Clone)]
pub struct StepTime {
    /// The module's dotted path: a convolution's time holds its batch norm, ReLU and residual.
    pub path: String,
    /// Wall time.
    pub time: Duration,
}

/// A net compiled for pictures of one size and any batch.
#[derive(Debug)]
pub struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) buffers: Vec<Vec<f32>>,
    pub(super) picture: [usize; 3],
    pub(super) classes: usize,
}

impl Plan {
    /// Compiles `net` (f32, on the CPU) for pictures of `height` by `width`.
    pub fn new(net: &ResNet, height: usize, width: usize) -> Result<Self> {
        super::compile::compile(net, height, width)
    }

    /// Channels, height and width of a picture.
    pub fn picture(&self) -> [usize; 3] {
        self.picture
    }

    /// Memory that a pass over `batch` pictures takes beside the weights, in bytes.
    pub fn bytes(&self, batch: usize) -> usize {
        let mut sizes = vec![0; self.buffers.len()];
        for step in &self.steps {
            sizes[step.output] = step.size.max(sizes[step.output]);
        }
        let picture: usize = self.picture.iter().product();
        let numbers = sizes.iter().sum::<usize>() + picture;
        numbers
            .saturating_mul(batch)
            .saturating_mul(size_of::<f32>())
    }

    /// Refuses a pass over `batch` pictures that the machine has no memory for, before it is begun.
    ///
    /// # Errors
    /// Where the allocator would not give [`Plan::bytes`].
    pub fn ensure_memory(&self, batch: usize) -> anyhow::Result<()> {
        let bytes = self.bytes(batch);
        let Err(_) = Vec::<u8>::new().try_reserve_exact(bytes) else {
            return Ok(());
        };
        let [channels, height, width] = self.picture;
        Err(hinted(
            format!(
                "a forward pass of {batch}x{channels}x{height}x{width} takes {:.0} GB of memory, more than there is",
                bytes as f64 / 1e9
            ),
            "make the batch or the pictures smaller",
        ))
    }

    /// Logits `[N, classes]` of pictures `[N, C, H, W]`.
    pub fn run(&mut self, pictures: &[f32]) -> Result<Vec<f32>> {
        self.run_observed(pictures, |_, _| ())
    }

    /// [`Plan::run`] with the time of each step.
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
        mut observe: impl FnMut(&str, Duration),
    ) -> Result<Vec<f32>> {
        let picture: usize = self.picture.iter().product();
        if pictures.is_empty() || !pictures.len().is_multiple_of(picture) {
            bail!(
                "{} values do not make pictures of {:?}",
                pictures.len(),
                self.picture
            );
        }
        let batch = pictures.len() / picture;
        let Some(Step { output: last, .. }) = self.steps.last() else {
            bail!("the plan has no step")
        };
        let last = *last;
        for (index, step) in self.steps.iter().enumerate() {
            let start = Instant::now();
            // Taken out while it is written, so that the other buffers can be read.
            let mut output = std::mem::take(&mut self.buffers[step.output]);
            output.resize((batch * step.size).max(output.len()), 0.0);
            let input = if index == 0 {
                pictures
            } else {
                &self.buffers[step.input]
            };
            step.operation.run(
                batch,
                input,
                &mut output[..batch * step.size],
                &self.buffers,
            );
            self.buffers[step.output] = output;
            observe(&step.path, start.elapsed());
        }
        Ok(self.buffers[last][..batch * self.classes].to_vec())
    }
}

impl Operation {
    fn run(&self, batch: usize, input: &[f32], output: &mut [f32], buffers: &[Vec<f32>]) {
        match self {
            Self::Convolution {
                weight,
                bias,
                geometry,
                residual,
                relu,
            } => {
                let geometry = ConvGeometry { batch, ..*geometry };
                let input = &input[..batch * geometry.image()];
                convolution::forward_into(input, weight, &geometry, output);
                let residual = residual.map(|slot| &buffers[slot][..output.len()]);
                epilogue::finish(output, bias, residual, *relu, geometry.out_pixels());
            }
            Self::MaxPool(geometry) => {
                let geometry = PoolGeometry {
                    planes: batch * geometry.planes,
                    ..*geometry
                };
                let input = &input[..geometry.planes * geometry.height * geometry.width];
                pool::maxima_into(input, &geometry, output);
            }
            Self::PaddedShortcut {
                channels: [from, to],
                height,
                width,
                stride,
            } => {
                let out_width = width.div_ceil(*stride);
                let before = (to - from) / 2;
                output.fill(0.0);
                let image = output.len() / batch;
                for (output, input) in output
                    .chunks_exact_mut(image)
                    .zip(input.chunks_exact(from * height * width))
                {
                    let kept = output.chunks_exact_mut(image / to).skip(before);
                    for (output, plane) in kept.zip(input.chunks_exact(height * width)) {
                        let rows = plane.chunks_exact(*width).step_by(*stride);
                        for (output, row) in output.chunks_exact_mut(out_width).zip(rows) {
                            for (value, &sampled) in
                                output.iter_mut().zip(row.iter().step_by(*stride))
                            {
                                *value = sampled;
                            }
                        }
                    }
                }
            }
            Self::AveragePool { channels, pixels } => {
                epilogue::plane_means(&input[..batch * channels * pixels], output, *pixels);
            }
            Self::Linear { weight, bias } => {
                let features = weight.len() / bias.len();
                for row in output.chunks_exact_mut(bias.len()) {
                    row.copy_from_slice(bias);
                }
                let a = Matrix::new(&input[..batch * features], batch, features);
                let b = Matrix::new(weight, bias.len(), features).transposed();
                matmul(output, bias.len(), a, b, Store::Add, Threads::All);
            }
        }
    }
}
