//! Whatever computes logits fastest: the compiled pass where it runs, else the net itself.

use super::pass::{Pass, Wanted, of_net};
use super::{Plan, Weights, Work};
use crate::model::ResNet;
use crate::ops::Form;
use anyhow::Result;
use candle_core::{DType, Device, Tensor};

/// A net ready to give logits for pictures of one size.
#[derive(Debug)]
pub struct Engine {
    /// Height and width of a picture.
    size: [usize; 2],
    runner: Runner,
}

#[derive(Debug)]
enum Runner {
    /// The compiled pass: f32 on the CPU.
    Plan(Plan),
    /// The net itself: any device, any dtype.
    Net {
        net: Box<ResNet>,
        dtype: DType,
        device: Device,
    },
}

impl Engine {
    /// Prepares `net`, with the numbers it has now, for pictures of height and width `size`,
    /// to do `work`.
    ///
    /// # Errors
    /// Pictures too small for the net.
    pub fn new(net: ResNet, size: [usize; 2], work: Work) -> Result<Self> {
        let weight = net.stem().conv.weight();
        let (dtype, device) = (weight.dtype(), weight.device().clone());
        let runner = if Self::compiles(dtype, &device) {
            Runner::Plan(Plan::new(&net, size[0], size[1], work)?)
        } else {
            let net = Box::new(net);
            Runner::Net { net, dtype, device }
        };
        Ok(Self { size, runner })
    }

    /// [`Engine::new`] where nets are compiled, with the `weights` of convolutions and classifier in place of those of
    /// `net`, which needs none.
    ///
    /// # Errors
    /// Pictures too small for the net, and weights that cannot be read.
    pub fn with_weights(
        net: &ResNet,
        weights: &dyn Weights,
        size: [usize; 2],
        work: Work,
    ) -> Result<Self> {
        let plan = Plan::with_weights(net, weights, size, work)?;
        let runner = Runner::Plan(plan);
        Ok(Self { size, runner })
    }

    /// Whether nets of `dtype` on `device` are compiled.
    pub fn compiles(dtype: DType, device: &Device) -> bool {
        Form::on(dtype, device) == Form::Kernels
    }

    /// Refuses batches for which there is no memory.
    ///
    /// # Errors
    /// When a batch of so many pictures does not fit.
    pub fn ensure_memory(&self, batch: usize) -> Result<()> {
        match &self.runner {
            Runner::Plan(plan) => plan.ensure_memory(batch),
            Runner::Net { .. } => Ok(()),
        }
    }

    /// Logits `[pictures, classes]` of inputs `[pictures, C, H, W]`.
    ///
    /// # Errors
    /// Where the device lacks memory.
    pub fn logits(&mut self, inputs: Vec<f32>, pictures: usize) -> Result<Vec<f64>> {
        Ok(self.pass(inputs, pictures, Wanted::default())?.logits)
    }

    /// [`Engine::logits`], and what else is `wanted` from the same pass.
    ///
    /// # Errors
    /// Where the device lacks memory, and a class that the net does not have.
    pub fn pass(&mut self, inputs: Vec<f32>, pictures: usize, wanted: Wanted) -> Result<Pass> {
        match &mut self.runner {
            Runner::Plan(plan) => Ok(plan.pass(&inputs, wanted)?),
            Runner::Net { net, dtype, device } => {
                let [height, width] = self.size;
                let shape = (pictures, net.config().in_channels, height, width);
                let x = Tensor::from_vec(inputs, shape, device)?.to_dtype(*dtype)?;
                Ok(of_net(net, &x, wanted)?)
            }
        }
    }
}
