//! The training step: network, loss, optimizer and the moving average of the weights.

pub(crate) mod class_weights;
pub(crate) mod ema;
pub mod forward_backward;
pub(in crate::train) mod gradient_sums;
pub(crate) mod gradients;
pub(in crate::train) mod init;
mod lockstep;
pub(crate) mod lr_schedule;
pub(crate) mod optimizer;
mod shard_models;
pub mod shards;
mod synchronized;
#[cfg(test)]
mod tests;

use crate::distributed::Processes;
use crate::distributed::tree::Shards;
use crate::model::{Frozen, ModelConfig, ResNet};
use crate::nn::loss::CrossEntropy;
use crate::nn::{Parameters, Targets};
use crate::train::config::settings::Settings;
use crate::train::learner::ema::Ema;
use crate::train::learner::forward_backward::ForwardBackward;
pub use crate::train::learner::forward_backward::Input;
use crate::train::learner::gradients::Gradients;
use crate::train::learner::lr_schedule::Schedule;
use crate::train::learner::optimizer::Optimizer;
use crate::train::learner::shard_models::ShardModels;
use anyhow::{Context, Result};
use candle_core::{D, DType, Device, Tensor, Var};
use candle_nn::VarBuilder;
use std::collections::HashMap;

/// The prefix of the weights' names in a state file.
const MODEL: &str = "model.";

/// A network in training.
pub struct Learner {
    pass: ForwardBackward,
    /// The models of the shards, if these share their batch-norm statistics.
    shard_models: Option<ShardModels>,
    parameters: Parameters,
    loss: CrossEntropy,
    optimizer: Optimizer,
    /// The mean gradients of the batches since the last step.
    gradients: Option<Gradients>,
    schedule: Schedule,
    clip: Option<f64>,
    ema: Option<Ema>,
}

/// The loss and accuracy of a batch before the update.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct BatchMetrics {
    /// The mean loss.
    pub loss: f64,
    /// Correctly classified images.
    pub correct: u64,
}

impl Learner {
    /// Creates the network of `config` with random weights, replaced by those in `start`.
    ///
    /// # Errors
    /// If the device lacks memory, or weights have another shape.
    pub fn new(
        config: &ModelConfig,
        settings: &Settings,
        loss: CrossEntropy,
        schedule: Schedule,
        start: &HashMap<String, Tensor>,
        device: &Device,
    ) -> Result<Self> {
        let parameters = Parameters::default();
        let vb = parameters.seeded(settings.seed, settings.dtype, device);
        let model = ResNet::with_init(config, settings.zero_init_residual, &vb)?;
        for (name, variable) in parameters.all() {
            if let Some(tensor) = start.get(&name) {
                set(&variable, tensor).with_context(|| format!("cannot load `{name}`"))?;
            }
        }
        let trained = parameters.trainable().into_iter();
        let trained = trained.filter(|(name, _)| !settings.frozen.holds(name));
        let ema = settings.ema.map(|decay| Ema::new(decay, parameters.all()));
        Ok(Self {
            pass: ForwardBackward::new(model, settings.frozen),
            shard_models: None,
            loss,
            optimizer: Optimizer::new(settings.optimizer.clone(), trained.collect())?,
            gradients: None,
            schedule,
            clip: settings.clip_grad,
            ema: ema.transpose()?,
            parameters,
        })
    }

    /// Lets the batch norms of the shards of a batch share their statistics in training. Images have height and width `size`.
    ///
    /// # Errors
    /// If the device lacks memory.
    pub fn share_statistics(
        &mut self,
        size: [usize; 2],
        shards: Shards,
        processes: &Processes,
    ) -> Result<()> {
        let models = ShardModels::new(self.model(), self.frozen(), size, shards, processes)?;
        self.shard_models = Some(models);
        Ok(())
    }

    /// Returns the network, which shares its weights with the training.
    pub fn model(&self) -> &ResNet {
        self.pass.model()
    }

    /// Returns the frozen part.
    pub fn frozen(&self) -> Frozen {
        self.pass.frozen()
    }

    /// Returns the number of trained parameters and of all parameters; running statistics are not counted.
    pub fn counts(&self) -> [usize; 2] {
        let count = |variables: &[(String, Var)]| {
            variables
                .iter()
                .map(|(_, variable)| variable.elem_count())
                .sum()
        };
        [
            count(self.optimizer.variables()),
            count(&self.parameters.trainable()),
        ]
    }

    /// Computes the loss of a batch and adds its gradients to those of the step.
    ///
    /// # Errors
    /// If the device lacks memory.
    pub fn learn(&mut self, input: &Input, targets: &Targets) -> Result<BatchMetrics> {
        let passed = self.pass.forward(input)?;
        let loss = self.loss.loss(&passed.logits, targets)?;
        let outcome = BatchMetrics {
            loss: loss.to_dtype(DType::F64)?.to_scalar()?,
            correct: correct(&passed.logits, targets)?,
        };
        // Gradients of a loss that is not finite are useless; the caller ends the run.
        if outcome.loss.is_finite() {
            let variables = self.optimizer.variables();
            let new = self
                .pass
                .backward(&passed, &loss, variables, targets.len())?;
            self.add(new)?;
        }
        Ok(outcome)
    }

    /// Adds the gradients of a batch to those of the step.
    fn add(&mut self, new: Gradients) -> Result<()> {
        self.gradients = Some(match self.gradients.take() {
            Some(earlier) => earlier.averaged_with(&new)?,
            None => new,
        });
        Ok(())
    }

    /// Returns the logits `[N, classes]`.
    ///
    /// # Errors
    /// If the device lacks memory.
    pub fn logits(&self, input: &Input, train: bool) -> Result<Tensor> {
        Ok(match input {
            Input::Images(x) => self.model().forward_frozen(x, self.frozen(), train)?,
            Input::Features(x) => self.model().head().forward(x)?,
        })
    }

    /// Updates the weights with the mean gradients since the last step, and returns the learning rate of step `step` (from 0).
    ///
    /// # Errors
    /// If no gradients were added.
    pub fn step(&mut self, step: u64) -> Result<f64> {
        let lr = self.schedule.lr(step);
        let gradients = self.gradients.take();
        let mut gradients = gradients.context("a step without a batch")?;
        if let Some(norm) = self.clip {
            gradients.clip(norm)?;
        }
        self.optimizer.step(&gradients, lr)?;
        if let Some(ema) = &mut self.ema {
            ema.update()?;
        }
        Ok(lr)
    }

    /// Returns the weights that are validated and saved: the EMA weights if EMA is on.
    ///
    /// # Errors
    /// If the device lacks memory.
    pub fn weights(&self) -> Result<Vec<(String, Tensor)>> {
        let mut weights: Vec<(String, Tensor)> = match &self.ema {
            Some(ema) => ema.tensors()?.into_iter().collect(),
            None => self.variables(),
        };
        weights.sort_by(|(name, _), (other, _)| name.cmp(other));
        Ok(weights)
    }

    fn variables(&self) -> Vec<(String, Tensor)> {
        let all = self.parameters.all().into_iter();
        all.map(|(name, variable)| (name, variable.as_detached_tensor()))
            .collect()
    }

    /// Returns the network with [`Learner::weights`].
    ///
    /// # Errors
    /// If the device lacks memory.
    pub fn eval_model(&self) -> Result<ResNet> {
        match &self.ema {
            Some(ema) => self.model_with(ema.tensors()?),
            None => Ok(self.model().clone()),
        }
    }

    /// Returns this network with other weights.
    ///
    /// # Errors
    /// If the weights are of another network.
    pub fn model_with(&self, tensors: HashMap<String, Tensor>) -> Result<ResNet> {
        let weight = self.model().first_weight();
        let vb = VarBuilder::from_tensors(tensors, weight.dtype(), weight.device());
        Ok(ResNet::new(self.model().config(), &vb)?)
    }

    /// Returns all tensors that training changes, under their names in a state file.
    ///
    /// # Errors
    /// If the device lacks memory.
    pub fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let variables = self.variables().into_iter();
        let mut state: Vec<_> = variables
            .map(|(name, tensor)| (format!("{MODEL}{name}"), tensor))
            .collect();
        if let Some(ema) = &self.ema {
            state.extend(ema.state()?);
        }
        state.extend(self.optimizer.state()?);
        Ok(state)
    }

    /// Restores a state saved after `steps` steps.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape.
    pub fn restore(&mut self, tensors: &HashMap<String, Tensor>, steps: u64) -> Result<()> {
        for (name, variable) in self.parameters.all() {
            let name = format!("{MODEL}{name}");
            let tensor = tensors
                .get(&name)
                .with_context(|| format!("tensor `{name}` is missing in the state"))?;
            set(&variable, tensor).with_context(|| format!("cannot restore `{name}`"))?;
        }
        if let Some(ema) = &mut self.ema {
            ema.restore(tensors, steps)?;
        }
        self.optimizer.restore(tensors, steps)
    }
}

/// Sets `variable` to the values of `tensor`, converted to its dtype and device.
fn set(variable: &Var, tensor: &Tensor) -> Result<()> {
    let tensor = tensor.to_dtype(variable.dtype())?;
    Ok(variable.set(&tensor.to_device(variable.device())?)?)
}

/// Returns the number of images whose largest logit is their class; for mixed images, the class of the larger part.
fn correct(logits: &Tensor, targets: &Targets) -> Result<u64> {
    let classes = match targets {
        Targets::Classes(classes) => classes,
        Targets::Mixed { first, share, .. } if *share >= 0.5 => first,
        Targets::Mixed { second, .. } => second,
    };
    let logits = logits.detach().to_dtype(DType::F32)?;
    let predicted: Vec<u32> = logits.argmax(D::Minus1)?.to_vec1()?;
    let hits = predicted.iter().zip(classes).filter(|(a, b)| a == b);
    Ok(hits.count() as u64)
}
