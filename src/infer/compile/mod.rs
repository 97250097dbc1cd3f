//! Compilation of a network to a [`Program`]: folds batch norm, fuses what follows a convolution, assigns buffers.

mod attention;
mod network;

use super::program::{End, GroupNormStep, Operation, Program, Slot, Step, Workload};
use super::weights::Weights;
use crate::model::ResNet;
use crate::model::block::ConvNorm;
use crate::nn::Norm;
use anyhow::{Result, bail};
use candle_core::{DType, Tensor};
use rayon::prelude::*;
use resnet_kernels::conv::{Algorithm, Convolution, choose, stem};
use resnet_kernels::layout::blocks;
use resnet_kernels::{ConvGeometry, HalfGeometry, OutputInit, pool};

/// Number of images from which Winograd's weight transform pays off: preparing the weights takes about as long as this
/// number of images saves.
const REPAYING: usize = 8;

/// Compiles `network` for images of height and width `size`.
pub(super) fn compile(
    network: &ResNet,
    weights: &dyn Weights,
    [height, width]: [usize; 2],
    work: Workload,
    end: End,
) -> Result<Program> {
    if height == 0 || width == 0 {
        bail!("an image of {height}x{width} has no pixels");
    }
    let config = network.config();
    // The images are in a buffer of the caller; slot 0 is never read for them.
    let mut compiler = Compiler {
        weights,
        numbers: Vec::new(),
        work,
        steps: Vec::new(),
        in_use: Vec::new(),
        value: Value {
            slot: 0,
            channels: config.in_channels,
            height,
            width,
        },
    };
    compiler.stem(config.stem, network.stem())?;
    for (stage, blocks) in network.stages().iter().enumerate() {
        for (i, block) in blocks.iter().enumerate() {
            compiler.block(&format!("layer{}.{i}", stage + 1), block)?;
        }
    }
    let map = compiler.value.shape();
    compiler.average_pool();
    if end == End::Logits {
        compiler.head(network)?;
    }
    let outputs = compiler.value.channels;
    Ok(Program {
        buffers: compiler.in_use.len(),
        steps: compiler.steps,
        image: [config.in_channels, height, width],
        outputs,
        map,
        end,
    })
}

/// A computed value: its location and its shape, for one image.
#[derive(Debug, Clone, Copy)]
struct Value {
    slot: Slot,
    channels: usize,
    height: usize,
    width: usize,
}

impl Value {
    fn shape(&self) -> [usize; 3] {
        [self.channels, self.height, self.width]
    }
}

struct Compiler<'a> {
    weights: &'a dyn Weights,
    /// Weights of one layer after the other.
    numbers: Vec<f32>,
    work: Workload,
    steps: Vec<Step>,
    /// True for each buffer that holds a value still to be read.
    in_use: Vec<bool>,
    /// The input of the next step.
    value: Value,
}

impl Compiler<'_> {
    /// Returns an unused buffer and marks it as used.
    fn free_slot(&mut self) -> Slot {
        let slot = self
            .in_use
            .iter()
            .position(|used| !used)
            .unwrap_or_else(|| {
                self.in_use.push(false);
                self.in_use.len() - 1
            });
        self.in_use[slot] = true;
        slot
    }

    /// Adds a step that reads the current value, whose buffer is then released unless it is among `kept`.
    fn push(&mut self, path: String, operation: Operation, shape: [usize; 3], kept: &[Slot]) {
        let output = self.free_slot();
        self.push_into(output, path, operation, shape, kept);
    }

    /// Adds a step as [`Compiler::push`] does, into a buffer that is already in use.
    fn push_into(
        &mut self,
        output: Slot,
        path: String,
        operation: Operation,
        shape: [usize; 3],
        kept: &[Slot],
    ) {
        let [channels, height, width] = shape;
        let input = self.value.slot;
        if !self.steps.is_empty() && !kept.contains(&input) {
            self.in_use[input] = false;
        }
        self.steps.push(Step {
            path,
            operation,
            input,
            output,
            size: blocks(channels) * height * width,
        });
        self.value = Value {
            slot: output,
            channels,
            height,
            width,
        };
    }

    /// Compiles a convolution with its norm, which adds the residual and applies `ReLU` if requested.
    fn conv_norm(
        &mut self,
        path: &str,
        layer: &ConvNorm,
        residual: Option<Slot>,
        relu: bool,
        kept: &[Slot],
    ) -> Result<()> {
        let geometry = self.geometry(layer)?;
        let batch = self.work.batch;
        let algorithm = if self.work.images >= REPAYING {
            choose(&ConvGeometry { batch, ..geometry })
        } else {
            Algorithm::Direct
        };
        let convolution = self.convolution(path, layer, geometry, algorithm)?;
        let shape = out_shape(&geometry);
        let Norm::Group(_) = layer.norm else {
            let operation = Operation::Convolution {
                convolution,
                init: init_of(residual),
                relu,
            };
            self.push_onto(residual, path, operation, shape, kept);
            return Ok(());
        };
        let operation = Operation::Convolution {
            convolution,
            init: OutputInit::Overwrite,
            relu: false,
        };
        self.push(path.to_owned(), operation, shape, kept);
        self.group_norm(layer, residual, relu)
    }

    /// Compiles the group norm of a layer whose convolution is the current value; does nothing for batch norm, which is folded.
    fn group_norm(&mut self, layer: &ConvNorm, residual: Option<Slot>, relu: bool) -> Result<()> {
        let Norm::Group(norm) = &layer.norm else {
            return Ok(());
        };
        let vector = |tensor: &Tensor| tensor.to_dtype(DType::F32)?.to_vec1::<f32>();
        let shape = self.value.shape();
        let operation = Operation::GroupNorm(GroupNormStep {
            weight: vector(norm.weight())?,
            bias: vector(norm.bias())?,
            groups: norm.groups(),
            eps: norm.eps(),
            pixels: shape[1] * shape[2],
            init: init_of(residual),
            relu,
        });
        self.push_onto(residual, "norm", operation, shape, &[]);
        Ok(())
    }

    /// Adds a step as [`Compiler::push`] does, whose result overwrites the residual, which nothing reads any more, if there is one.
    fn push_onto(
        &mut self,
        residual: Option<Slot>,
        path: &str,
        operation: Operation,
        shape: [usize; 3],
        kept: &[Slot],
    ) {
        let output = residual.unwrap_or_else(|| self.free_slot());
        self.push_into(output, path.to_owned(), operation, shape, kept);
    }

    /// Compiles the first convolution, which reads the images.
    fn first_convolution(&mut self, path: &str, layer: &ConvNorm) -> Result<()> {
        let geometry = self.geometry(layer)?;
        if stem::applies(&geometry) {
            let convolution = self.convolution(path, layer, geometry, Algorithm::Stem)?;
            let relu = layer.norm.batch().is_some();
            let stem = Operation::Stem { convolution, relu };
            self.push(path.to_owned(), stem, out_shape(&geometry), &[]);
            return self.group_norm(layer, None, true);
        }
        let ConvGeometry {
            in_channels: channels,
            height,
            width,
            ..
        } = geometry;
        let enter = Operation::Enter {
            channels,
            pixels: height * width,
        };
        self.push("input".to_owned(), enter, [channels, height, width], &[]);
        self.conv_norm(path, layer, None, true, &[])
    }

    /// Returns the shapes of a convolution of the current value.
    fn geometry(&self, layer: &ConvNorm) -> Result<ConvGeometry> {
        Ok(layer.conv.geometry(self.value.shape())?)
    }

    /// Reads the weights of the layer at `path`.
    fn read(&mut self, path: &str, weight: &Tensor) -> Result<&mut [f32]> {
        let count = weight.elem_count();
        if self.numbers.len() < count {
            // What they held is not copied.
            self.numbers = Vec::new();
            self.numbers = vec![0.0; count];
        }
        let numbers = &mut self.numbers[..count];
        self.weights.read(path, weight, numbers)?;
        Ok(numbers)
    }

    /// Creates a convolution that includes its batch norm, if it has one: weights and bias are folded in f64.
    fn convolution(
        &mut self,
        path: &str,
        layer: &ConvNorm,
        geometry: ConvGeometry,
        algorithm: Algorithm,
    ) -> Result<Convolution> {
        let Some(norm) = layer.norm.batch() else {
            let bias = vec![0.0; geometry.out_channels];
            let weights = self.read(path, layer.conv.weight())?;
            return Ok(Convolution::new(weights, &bias, geometry, algorithm));
        };
        let (scale, shift) = norm.scale_and_shift(DType::F64)?;
        let scale: Vec<f64> = scale.to_vec1()?;
        let bias: Vec<f32> = shift.to_dtype(DType::F32)?.to_vec1()?;
        let weights = self.read(path, layer.conv.weight())?;
        weights
            .par_chunks_exact_mut(geometry.weights() / geometry.out_channels)
            .zip(&scale)
            .for_each(|(weights, scale)| {
                for weight in weights {
                    *weight = (f64::from(*weight) * scale) as f32;
                }
            });
        Ok(Convolution::new(weights, &bias, geometry, algorithm))
    }

    fn max_pool(&mut self, windows: [usize; 3]) {
        let channels = self.value.channels;
        let geometry = pool::geometry(self.value.shape(), windows);
        let shape = [channels, geometry.out_height(), geometry.out_width()];
        self.push(
            "maxpool".to_owned(),
            Operation::MaxPool(geometry),
            shape,
            &[],
        );
    }

    /// Compiles a pooling that halves height and width, rounded up or down, of which nothing may be left.
    fn halve(
        &mut self,
        path: String,
        rounds_up: bool,
        operation: impl FnOnce(HalfGeometry) -> Operation,
        kept: &[Slot],
    ) -> Result<()> {
        let [channels, height, width] = self.value.shape();
        let size = [height, width];
        let out = size.map(|length| {
            if rounds_up {
                length.div_ceil(2)
            } else {
                length / 2
            }
        });
        if out.contains(&0) {
            bail!("the image is too small for the network");
        }
        let geometry = HalfGeometry {
            planes: blocks(channels),
            size,
            out,
        };
        let shape = [channels, out[0], out[1]];
        self.push(path, operation(geometry), shape, kept);
        Ok(())
    }

    fn average_pool(&mut self) {
        let Value {
            channels,
            height,
            width,
            ..
        } = self.value;
        let operation = Operation::AveragePool {
            pixels: height * width,
        };
        // The pooled values may be requested after the pass.
        let kept = [self.value.slot];
        self.push("avgpool".to_owned(), operation, [channels, 1, 1], &kept);
    }

    fn head(&mut self, network: &ResNet) -> Result<()> {
        let (weight, bias) = (network.head().weight(), network.head().bias());
        self.linear("fc", weight, bias, false)
    }

    /// Compiles a linear layer of the current value, which has one pixel.
    fn linear(&mut self, path: &str, weight: &Tensor, bias: &Tensor, relu: bool) -> Result<()> {
        let channels = self.value.channels;
        let bias: Vec<f32> = bias.to_dtype(DType::F32)?.to_vec1()?;
        let weight = self.read(path, weight)?;
        let geometry = ConvGeometry {
            batch: 1,
            in_channels: channels,
            out_channels: bias.len(),
            groups: 1,
            height: 1,
            width: 1,
            kernel: 1,
            stride: 1,
            padding: 0,
            dilation: 1,
        };
        let operation = Operation::Convolution {
            convolution: Convolution::new(weight, &bias, geometry, Algorithm::Direct),
            init: OutputInit::Overwrite,
            relu,
        };
        self.push(path.to_owned(), operation, out_shape(&geometry), &[]);
        Ok(())
    }
}

/// Returns what the output of a step holds before it.
fn init_of(residual: Option<Slot>) -> OutputInit {
    residual.map_or(OutputInit::Overwrite, |_| OutputInit::Residual)
}

fn out_shape(geometry: &ConvGeometry) -> [usize; 3] {
    [
        geometry.out_channels,
        geometry.out_height(),
        geometry.out_width(),
    ]
}
