//! Compilation of attention over channels, from small steps that others use too.

use super::{Compiler, init_of};
use crate::infer::program::{Operation, Slot};
use crate::nn::ChannelAttention;
use anyhow::Result;
use resnet_kernels::layout::blocks;

impl Compiler<'_> {
    /// Compiles the attention at the end of a block, whose last convolution is the current value; it adds the residual and applies
    /// `ReLU`.
    pub(super) fn attention(
        &mut self,
        path: &str,
        attention: &ChannelAttention,
        residual: Option<Slot>,
    ) -> Result<()> {
        let map = self.value;
        let shape = map.shape();
        let means = Operation::AveragePool {
            pixels: shape[1] * shape[2],
        };
        self.push(format!("{path}.mean"), means, [shape[0], 1, 1], &[map.slot]);
        match attention {
            ChannelAttention::Se { squeeze, excite } => {
                let (weight, bias) = (squeeze.weight(), squeeze.bias());
                self.linear(&format!("{path}.fc1"), weight, bias, true)?;
                let (weight, bias) = (excite.weight(), excite.bias());
                self.linear(&format!("{path}.fc2"), weight, bias, false)?;
            }
            ChannelAttention::Eca { weight } => {
                let path = format!("{path}.conv");
                let weight = self.read(&path, weight)?.to_vec();
                let channels = shape[0];
                let operation = Operation::ChannelConvolution { channels, weight };
                self.push(path, operation, [channels, 1, 1], &[]);
            }
        }
        let scores = self.value.slot;
        self.value = map;
        let operation = Operation::Gate {
            scores,
            blocks: blocks(shape[0]),
            init: init_of(residual),
        };
        self.push_onto(residual, path, operation, shape, &[]);
        self.in_use[scores] = false;
        Ok(())
    }
}
