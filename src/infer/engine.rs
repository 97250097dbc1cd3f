//! The fastest available computation of logits: the compiled pass where it is supported, otherwise the network itself.

use super::forward::{ForwardOptions, ModelOutput, network_output};
use super::plan::Plan;
use super::program::Workload;
use super::weights::Weights;
use crate::model::ResNet;
use crate::ops::Backend;
use anyhow::Result;
use candle_core::{DType, Device, Tensor};

/// A network ready to compute logits of images of one size.
#[derive(Debug)]
pub struct Engine {
    /// Height and width of an image.
    size: [usize; 2],
    runner: Runner,
}

#[derive(Debug)]
enum Runner {
    /// The compiled pass: f32 on the CPU.
    Plan(Plan),
    /// The network itself: any device, any dtype.
    Network {
        network: Box<ResNet>,
        dtype: DType,
        device: Device,
    },
}

impl Engine {
    /// Prepares `network`, with its current weights, for images of height and width `size` and the workload `work`.
    ///
    /// # Errors
    /// If the images are too small for the network.
    pub fn new(network: ResNet, size: [usize; 2], work: Workload) -> Result<Self> {
        let weight = network.first_weight();
        let (dtype, device) = (weight.dtype(), weight.device().clone());
        let runner = if Self::compiles(dtype, &device) {
            Runner::Plan(Plan::new(&network, size[0], size[1], work)?)
        } else {
            let network = Box::new(network);
            Runner::Network {
                network,
                dtype,
                device,
            }
        };
        Ok(Self { size, runner })
    }

    /// Prepares a compiled network as [`Engine::new`] does, with the `weights` of convolutions and classifier in place
    /// of those of `network`, which needs none.
    ///
    /// # Errors
    /// If the images are too small for the network, or the weights cannot be read.
    pub fn with_weights(
        network: &ResNet,
        weights: &dyn Weights,
        size: [usize; 2],
        work: Workload,
    ) -> Result<Self> {
        let plan = Plan::with_weights(network, weights, size, work)?;
        let runner = Runner::Plan(plan);
        Ok(Self { size, runner })
    }

    /// Returns true if networks of `dtype` on `device` are compiled.
    pub fn compiles(dtype: DType, device: &Device) -> bool {
        Backend::on(dtype, device) == Backend::Native
    }

    /// Checks that there is memory for a batch.
    ///
    /// # Errors
    /// If a batch of that many images does not fit.
    pub fn ensure_memory(&self, batch: usize) -> Result<()> {
        match &self.runner {
            Runner::Plan(plan) => plan.ensure_memory(batch),
            Runner::Network { .. } => Ok(()),
        }
    }

    /// Returns the logits `[N, classes]` of inputs `[N, C, H, W]`, where `N` is `images`.
    ///
    /// # Errors
    /// If the device lacks memory.
    pub fn logits(&self, inputs: Vec<f32>, images: usize) -> Result<Vec<f64>> {
        Ok(self
            .forward(inputs, images, ForwardOptions::default())?
            .logits)
    }

    /// Returns [`Engine::logits`] and the other outputs that `options` request, from the same pass.
    ///
    /// # Errors
    /// If the device lacks memory, or the model does not have the class.
    pub fn forward(
        &self,
        inputs: Vec<f32>,
        images: usize,
        options: ForwardOptions,
    ) -> Result<ModelOutput> {
        match &self.runner {
            Runner::Plan(plan) => Ok(plan.forward(&inputs, options)?),
            Runner::Network {
                network,
                dtype,
                device,
            } => {
                let [height, width] = self.size;
                let shape = (images, network.config().in_channels, height, width);
                let x = Tensor::from_vec(inputs, shape, device)?.to_dtype(*dtype)?;
                Ok(network_output(network, &x, options)?)
            }
        }
    }
}
