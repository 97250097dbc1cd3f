//! Batch norm over the channels of `[N, C, H, W]`, with running statistics that are parts of the model.

use crate::ops::batch_norm::{self, Statistics};
use candle_core::{DType, Result, Tensor, Var};
use candle_nn::{Init, VarBuilder};

/// Batch norm.
#[derive(Debug, Clone)]
pub struct BatchNorm2d {
    weight: Tensor,       // [C]
    bias: Tensor,         // [C]
    running_mean: Tensor, // [C]
    running_var: Tensor,  // [C], unbiased
    eps: f64,
    momentum: f64,
}

impl BatchNorm2d {
    /// Takes `weight` (starting at `weight_start`: 1, or 0 for a block's last one with zero-init residual), `bias`,
    /// `running_mean` and `running_var`, `[channels]` each, from `vb`.
    pub fn new(
        channels: usize,
        weight_start: f64,
        eps: f64,
        momentum: f64,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let get = |name, start| vb.get_with_hints(channels, name, Init::Const(start));
        Ok(Self {
            weight: get("weight", weight_start)?,
            bias: get("bias", 0.0)?,
            running_mean: get("running_mean", 0.0)?,
            running_var: get("running_var", 1.0)?,
            eps,
            momentum,
        })
    }

    /// Normalises `[N, C, H, W]`: with the batch's statistics, which then move the running ones, in training; else with the
    /// running ones.
    pub fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        if !train {
            let running = Statistics {
                mean: self.running_mean.clone(),
                variance: self.running_var.clone(),
            };
            return batch_norm::eval(x, &self.weight, &self.bias, &running, self.eps);
        }
        let (output, batch) = batch_norm::train(x, &self.weight, &self.bias, self.eps)?;
        self.move_running(&batch.mean, &batch.variance, x.elem_count() / x.dim(1)?)?;
        Ok(output)
    }

    /// Moves the running statistics by those of a batch with `count` values a channel; the variance is the biased one.
    pub fn move_running(&self, mean: &Tensor, variance: &Tensor, count: usize) -> Result<()> {
        let count = count as f64;
        let unbiased = (variance * (count / (count - 1.0)))?;
        self.update(&self.running_mean, mean)?;
        self.update(&self.running_var, &unbiased)
    }

    /// What multiplies the normalised values, `[C]`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// What is added to them, `[C]`.
    pub fn bias(&self) -> &Tensor {
        &self.bias
    }

    /// What is added to the variance.
    pub fn eps(&self) -> f64 {
        self.eps
    }

    /// `running = (1 - momentum) * running + momentum * batch`; only a model of variables can keep it.
    fn update(&self, running: &Tensor, batch: &Tensor) -> Result<()> {
        if !running.is_variable() {
            candle_core::bail!(
                "this model was built for inference: its running statistics cannot be trained"
            );
        }
        let old = running.detach();
        let batch = batch.detach().to_dtype(old.dtype())?;
        let new = ((old * (1.0 - self.momentum))? + (batch * self.momentum)?)?;
        Var::from_tensor(running)?.set(&new)
    }

    /// Channels.
    pub fn channels(&self) -> usize {
        self.weight.elem_count()
    }

    /// `(scale, shift)`, `[C]` each, with which evaluation is `x * scale + shift`, computed in `dtype`.
    pub fn scale_and_shift(&self, dtype: DType) -> Result<(Tensor, Tensor)> {
        let wide = |t: &Tensor| t.detach().to_dtype(dtype);
        let running = Statistics {
            mean: wide(&self.running_mean)?,
            variance: wide(&self.running_var)?,
        };
        batch_norm::scale_and_shift(&wide(&self.weight)?, &wide(&self.bias)?, &running, self.eps)
    }
}
