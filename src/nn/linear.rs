//! The classifier: `y = x W^T + b`.

use candle_core::{Result, Tensor};
use candle_nn::{Init, VarBuilder};

/// A linear layer with bias.
#[derive(Debug, Clone)]
pub struct Linear {
    weight: Tensor, // [features out, features in]
    bias: Tensor,   // [features out]
}

impl Linear {
    /// Creates the layer from `weight` `[features[1], features[0]]` and `bias` in `vb`; both are initialized uniformly
    /// in ±1 / sqrt(input features), as in PyTorch.
    pub fn new(features: [usize; 2], vb: &VarBuilder) -> Result<Self> {
        let [input, output] = features;
        let bound = 1.0 / (input as f64).sqrt();
        let init = Init::Uniform {
            lo: -bound,
            up: bound,
        };
        Ok(Self {
            weight: vb.get_with_hints((output, input), "weight", init)?,
            bias: vb.get_with_hints(output, "bias", init)?,
        })
    }

    /// Maps `[N, input features]` to `[N, output features]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.contiguous()?
            .matmul(&self.weight.t()?.contiguous()?)?
            .broadcast_add(&self.bias)
    }

    /// Returns the weights, `[output features, input features]`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// Returns the bias, `[output features]`.
    pub fn bias(&self) -> &Tensor {
        &self.bias
    }
}
