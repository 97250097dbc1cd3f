//! Group norm: each image is normalized by itself, a group of channels at a time. <https://arxiv.org/abs/1803.08494>

use candle_core::{Result, Tensor};
use candle_nn::{Init, VarBuilder};

/// Group norm over the channels of `[N, C, H, W]`.
#[derive(Debug, Clone)]
pub struct GroupNorm {
    weight: Tensor, // [C]
    bias: Tensor,   // [C]
    groups: usize,
    eps: f64,
}

impl GroupNorm {
    /// Creates the layer from `weight` (initialized to `weight_start`) and `bias`, `[channels]` each, in `vb`.
    pub fn new(
        channels: usize,
        groups: usize,
        weight_start: f64,
        eps: f64,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let get = |name, start| vb.get_with_hints(channels, name, Init::Const(start));
        Ok(Self {
            weight: get("weight", weight_start)?,
            bias: get("bias", 0.0)?,
            groups,
            eps,
        })
    }

    /// Normalizes `[N, C, H, W]`: the variance is the biased one, as in PyTorch.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (n, channels, height, width) = x.dims4()?;
        let grouped = x.reshape((n, self.groups, channels / self.groups * height * width))?;
        let mean = grouped.mean_keepdim(2)?;
        let centered = grouped.broadcast_sub(&mean)?;
        let variance = centered.sqr()?.mean_keepdim(2)?;
        let normalized = centered.broadcast_div(&(variance + self.eps)?.sqrt()?)?;
        let shape = (1, channels, 1, 1);
        normalized
            .reshape((n, channels, height, width))?
            .broadcast_mul(&self.weight.reshape(shape)?)?
            .broadcast_add(&self.bias.reshape(shape)?)
    }

    /// Returns the scale of the normalized values, `[C]`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// Returns the shift added after scaling, `[C]`.
    pub fn bias(&self) -> &Tensor {
        &self.bias
    }

    /// Returns the number of groups.
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// Returns the epsilon added to the variance.
    pub fn eps(&self) -> f64 {
        self.eps
    }

    /// Returns the number of channels.
    pub fn channels(&self) -> usize {
        self.weight.elem_count()
    }
}
