//! Forward and backward pass of a training batch: the compiled step for f32 on CPUs, autograd elsewhere.

use crate::model::{Frozen, ResNet};
use crate::ops::{Backend, with_values};
use crate::step::Step;
use crate::train::learner::gradients::Gradients;
use anyhow::{Context, Result};
use candle_core::{Tensor, Var};

/// The input of a batch.
#[derive(Debug)]
pub enum Input {
    /// Images `[N, C, H, W]`.
    Pictures(Tensor),
    /// Pooled features `[N, features]` of a frozen backbone.
    Features(Tensor),
}

/// A network in training, whose parameters are variables.
#[derive(Debug)]
pub struct Pass {
    net: ResNet,
    frozen: Frozen,
    /// The body compiled for the size of the last images.
    step: Option<Step>,
}

/// The output of a forward pass.
#[derive(Debug)]
pub struct Passed {
    /// Logits `[N, classes]`.
    pub logits: Tensor,
    /// The pooled features, if the compiled step computed them: autograd covers what follows, the step what precedes.
    features: Option<Var>,
}

impl Pass {
    /// Creates the passes of `net` with a `frozen` part.
    pub fn new(net: ResNet, frozen: Frozen) -> Self {
        Self {
            net,
            frozen,
            step: None,
        }
    }

    /// Returns the network, which shares its weights with the training.
    pub fn net(&self) -> &ResNet {
        &self.net
    }

    /// Returns the frozen part.
    pub fn frozen(&self) -> Frozen {
        self.frozen
    }

    /// Runs the forward pass of a batch. Batch norm uses batch statistics and updates the running ones, except in the frozen part.
    ///
    /// # Errors
    /// If the network cannot take or be trained on these images, or the device lacks memory.
    pub fn forward(&mut self, input: &Input) -> Result<Passed> {
        let (logits, features) = match input {
            Input::Features(x) => (self.net.head().forward(x)?, None),
            Input::Pictures(x) if Backend::of(x) == Backend::Native => {
                let features = self.features(x)?;
                (self.net.head().forward(&features)?, Some(features))
            }
            Input::Pictures(x) => (self.net.forward_frozen(x, self.frozen, true)?, None),
        };
        Ok(Passed { logits, features })
    }

    /// Returns the pooled features of images from the compiled step, as a separate variable.
    fn features(&mut self, x: &Tensor) -> Result<Var> {
        let (batch, channels, height, width) = x.dims4()?;
        let picture = [channels, height, width];
        let step = match self.step.take() {
            Some(step) if step.picture() == picture => step,
            _ => Step::new(&self.net, [height, width], self.frozen)?,
        };
        let step = self.step.insert(step);
        let features = with_values(x, |pictures| step.forward(pictures))??;
        let shape = (batch, features.len() / batch.max(1));
        let features = Tensor::from_vec(features, shape, x.device())?;
        Ok(Var::from_tensor(&features)?)
    }

    /// Returns the gradients of `variables` for the mean loss over the `pictures` images of the last forward pass.
    ///
    /// # Errors
    /// If a variable has no gradient, as it does not affect the loss.
    pub fn backward(
        &mut self,
        passed: &Passed,
        loss: &Tensor,
        variables: &[(String, Var)],
        pictures: usize,
    ) -> Result<Gradients> {
        let mut store = loss.backward()?;
        let (Some(features), Some(step)) = (&passed.features, &mut self.step) else {
            return Ok(Gradients::new(store, variables, pictures)?);
        };
        let gradient = store
            .remove(features)
            .context("the features have no gradient")?;
        let of_body = with_values(&gradient, |gradient| step.backward(gradient))??;
        let of_head = variables.iter().filter_map(|(name, variable)| {
            let gradient = store.remove(variable)?;
            Some((name.clone(), gradient))
        });
        Ok(Gradients::of_named(
            of_body.into_iter().chain(of_head),
            variables,
            pictures,
        )?)
    }
}
