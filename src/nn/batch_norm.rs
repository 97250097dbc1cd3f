//! Batch norm over the channels of `[N, C, H, W]`, with running statistics that are part of the model.

use crate::ops::batch_norm::{self, Statistics};
use crate::ops::shared_statistics::ShardGroup;
use candle_core::{DType, Result, Tensor, Var};
use candle_nn::{Init, VarBuilder};
use std::sync::Arc;

/// Batch norm.
#[derive(Debug, Clone)]
pub struct BatchNorm2d {
    weight: Tensor,       // [C]
    bias: Tensor,         // [C]
    running_mean: Tensor, // [C]
    running_var: Tensor,  // [C], unbiased
    eps: f64,
    momentum: f64,
    /// The shards whose statistics training takes; `None` if those of the input alone.
    shards: Option<Arc<dyn ShardGroup>>,
}

impl BatchNorm2d {
    /// Creates the layer from `weight` (initialized to `weight_start`: 1, or 0 for the last one of a block with
    /// zero-init residual), `bias`, `running_mean` and `running_var`, `[channels]` each, in `vb`.
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
            shards: None,
        })
    }

    /// Lets training take the statistics of all `shards` of a batch.
    pub fn share(&mut self, shards: &Arc<dyn ShardGroup>) {
        self.shards = Some(Arc::clone(shards));
    }

    /// Returns the shards whose statistics training takes; `None` if those of the input alone.
    pub fn shards(&self) -> Option<&dyn ShardGroup> {
        self.shards.as_deref()
    }

    /// Normalizes `[N, C, H, W]`: in training with the batch statistics, which also update the running statistics;
    /// otherwise with the running statistics.
    pub fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        if !train {
            let running = Statistics {
                mean: self.running_mean.clone(),
                variance: self.running_var.clone(),
            };
            return batch_norm::eval(x, &self.weight, &self.bias, &running, self.eps);
        }
        let (weight, bias) = (&self.weight, &self.bias);
        let (output, batch, count) = match &self.shards {
            None => {
                let (output, batch) = batch_norm::train(x, weight, bias, self.eps)?;
                (output, batch, x.elem_count() / x.dim(1)?)
            }
            Some(shards) => {
                let origin = &self.running_mean;
                batch_norm::train_shared(x, weight, bias, self.eps, origin, shards)?
            }
        };
        self.move_running(&batch.mean, &batch.variance, count)?;
        Ok(output)
    }

    /// Updates the running statistics with those of a batch with `count` values per channel; the variance is the biased
    /// one. Of shards that share statistics, one does.
    pub fn move_running(&self, mean: &Tensor, variance: &Tensor, count: usize) -> Result<()> {
        if self
            .shards()
            .is_some_and(|shards| !shards.updates_running())
        {
            return Ok(());
        }
        let count = count as f64;
        let unbiased = (variance * (count / (count - 1.0)))?;
        self.update(&self.running_mean, mean)?;
        self.update(&self.running_var, &unbiased)
    }

    /// Returns the scale of the normalized values, `[C]`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// Returns the shift added after scaling, `[C]`.
    pub fn bias(&self) -> &Tensor {
        &self.bias
    }

    /// Returns the running means, `[C]`.
    pub fn running_mean(&self) -> &Tensor {
        &self.running_mean
    }

    /// Returns the epsilon added to the variance.
    pub fn eps(&self) -> f64 {
        self.eps
    }

    /// Computes `running = (1 - momentum) * running + momentum * batch`; requires a model made of variables.
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

    /// Returns the number of channels.
    pub fn channels(&self) -> usize {
        self.weight.elem_count()
    }

    /// Returns `(scale, shift)`, `[C]` each, so that evaluation is `x * scale + shift`, computed in `dtype`.
    pub fn scale_and_shift(&self, dtype: DType) -> Result<(Tensor, Tensor)> {
        let wide = |t: &Tensor| t.detach().to_dtype(dtype);
        let running = Statistics {
            mean: wide(&self.running_mean)?,
            variance: wide(&self.running_var)?,
        };
        batch_norm::scale_and_shift(&wide(&self.weight)?, &wide(&self.bias)?, &running, self.eps)
    }
}
