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
    /// Takes `weight` `[features[1], features[0]]` and `bias` from `vb`; both start uniform in ±1 / sqrt(features in), as
    /// PyTorch's do.
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

    /// `[N, features in]` to `[N, features out]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.contiguous()?
            .matmul(&self.weight.t()?.contiguous()?)?
            .broadcast_add(&self.bias)
    }

    /// `[features out, features in]`
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// `[features out]`
    pub fn bias(&self) -> &Tensor {
        &self.bias
    }
}
