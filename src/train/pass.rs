//! A batch's way through the net and back: by the compiled step for f32 on the CPU, by autograd elsewhere.

use super::gradients::Gradients;
use crate::model::{Frozen, ResNet};
use crate::ops::{Form, with_values};
use crate::step::Step;
use anyhow::{Context, Result};
use candle_core::{Tensor, Var};

/// What a batch is to the net.
#[derive(Debug)]
pub enum Input {
    /// Pictures `[N, C, H, W]`.
    Pictures(Tensor),
    /// Pooled features `[N, features]` of a frozen backbone.
    Features(Tensor),
}

/// A net, whose parameters are variables, as it trains.
#[derive(Debug)]
pub struct Pass {
    net: ResNet,
    frozen: Frozen,
    /// The body compiled for the pictures that came last.
    step: Option<Step>,
}

/// A batch that has passed forward.
#[derive(Debug)]
pub struct Passed {
    /// Logits `[N, classes]`.
    pub logits: Tensor,
    /// The pooled features, where the compiled step made them: where autograd ends and the step goes on.
    features: Option<Var>,
}

impl Pass {
    /// `net` with a part of it `frozen`.
    pub fn new(net: ResNet, frozen: Frozen) -> Self {
        Self {
            net,
            frozen,
            step: None,
        }
    }

    /// The net; its weights move on with the training.
    pub fn net(&self) -> &ResNet {
        &self.net
    }

    /// The part that does not learn.
    pub fn frozen(&self) -> Frozen {
        self.frozen
    }

    /// Passes a batch forward. Batch norm takes its statistics and moves the running ones, but for the frozen part.
    ///
    /// # Errors
    /// Pictures that the net cannot take or train on; where the device lacks memory.
    pub fn forward(&mut self, input: &Input) -> Result<Passed> {
        let (logits, features) = match input {
            Input::Features(x) => (self.net.head().forward(x)?, None),
            Input::Pictures(x) if Form::of(x) == Form::Kernels => {
                let features = self.features(x)?;
                (self.net.head().forward(&features)?, Some(features))
            }
            Input::Pictures(x) => (self.net.forward_frozen(x, self.frozen, true)?, None),
        };
        Ok(Passed { logits, features })
    }

    /// The pooled features of pictures by the compiled step, as a variable of their own.
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

    /// The gradients of `variables`, given the mean loss over the `pictures` pictures that passed last.
    ///
    /// # Errors
    /// A variable without a gradient: it takes no part in the loss.
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
