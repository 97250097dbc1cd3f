//! Forward and backward pass of a training batch: the compiled step for f32 on CPUs, autograd elsewhere.

use crate::model::{Frozen, ResNet};
use crate::ops::{Backend, with_values};
use crate::step::Step;
use crate::train::learner::gradients::Gradients;
use anyhow::{Context, Result, bail};
use candle_core::{Device, Shape, Tensor, Var};

/// The input of a batch.
#[derive(Debug)]
pub enum Input {
    /// Images `[N, C, H, W]`.
    Images(Tensor),
    /// Pooled features `[N, features]` of a frozen backbone.
    Features(Tensor),
}

/// A network in training, whose parameters are variables.
#[derive(Debug)]
pub struct ForwardBackward {
    model: ResNet,
    frozen: Frozen,
    /// The body compiled for the size of the last images.
    step: Option<Step>,
}

/// The output of a forward pass.
#[derive(Debug)]
pub struct ForwardOutput {
    /// Logits `[N, classes]`.
    pub logits: Tensor,
    /// The pooled features, if the compiled step computed them: autograd covers what follows, the step what precedes.
    features: Option<Var>,
}

/// The gradient of a variable.
#[derive(Debug)]
pub enum Gradient {
    /// From autograd; it may share its values with other tensors.
    Tensor(Tensor),
    /// From the compiled step: values on the CPU, and their shape.
    Values(Vec<f32>, Shape),
}

impl Gradient {
    /// Returns the gradient as a tensor.
    ///
    /// # Errors
    /// If the values are not as many as the shape has.
    pub fn into_tensor(self) -> candle_core::Result<Tensor> {
        match self {
            Self::Tensor(tensor) => Ok(tensor),
            Self::Values(values, shape) => Tensor::from_vec(values, shape, &Device::Cpu),
        }
    }
}

impl ForwardBackward {
    /// Creates the passes of `model` with a `frozen` part.
    pub fn new(model: ResNet, frozen: Frozen) -> Self {
        Self {
            model,
            frozen,
            step: None,
        }
    }

    /// Returns the network, which shares its weights with the training.
    pub fn model(&self) -> &ResNet {
        &self.model
    }

    /// Returns the frozen part.
    pub fn frozen(&self) -> Frozen {
        self.frozen
    }

    /// Runs the forward pass of a batch. Batch norm uses batch statistics and updates the running ones, except in the frozen part.
    ///
    /// # Errors
    /// If the network cannot take or be trained on these images, or the device lacks memory.
    pub fn forward(&mut self, input: &Input) -> Result<ForwardOutput> {
        let (logits, features) = match input {
            Input::Features(x) => (self.model.head().forward(x)?, None),
            Input::Images(x)
                if Backend::of(x) == Backend::Native && Step::supports(self.model.config()) =>
            {
                let features = self.features(x)?;
                (self.model.head().forward(&features)?, Some(features))
            }
            Input::Images(x) => (self.model.forward_frozen(x, self.frozen, true)?, None),
        };
        Ok(ForwardOutput { logits, features })
    }

    /// Returns the pooled features of images from the compiled step, as a separate variable.
    fn features(&mut self, x: &Tensor) -> Result<Var> {
        let (batch, channels, height, width) = x.dims4()?;
        let image = [channels, height, width];
        let step = match self.step.take() {
            Some(step) if step.image_shape() == image => step,
            _ => Step::new(&self.model, [height, width], self.frozen)?,
        };
        let step = self.step.insert(step);
        let features = with_values(x, |images| step.forward(images))??;
        let shape = (batch, features.len() / batch.max(1));
        let features = Tensor::from_vec(features, shape, x.device())?;
        Ok(Var::from_tensor(&features)?)
    }

    /// Returns the gradients of `variables` for the mean loss over the `images` images of the last forward pass.
    ///
    /// # Errors
    /// If a variable has no gradient, as it does not affect the loss.
    pub fn backward(
        &mut self,
        passed: &ForwardOutput,
        loss: &Tensor,
        variables: &[(String, Var)],
        images: usize,
    ) -> Result<Gradients> {
        let mut gradients = Vec::with_capacity(variables.len());
        self.backward_each(passed, loss, variables, &mut |name, gradient| {
            gradients.push((name, gradient.into_tensor()?));
            Ok(())
        })?;
        Ok(Gradients::of_named(gradients, variables, images)?)
    }

    /// Passes the gradients of `variables` for the loss of the last forward pass to `receive`, each when it is computed.
    ///
    /// # Errors
    /// If a variable has no gradient, as it does not affect the loss; those of `receive`.
    pub fn backward_each(
        &mut self,
        passed: &ForwardOutput,
        loss: &Tensor,
        variables: &[(String, Var)],
        receive: &mut dyn FnMut(String, Gradient) -> candle_core::Result<()>,
    ) -> Result<()> {
        let mut store = loss.backward()?;
        let features = passed.features.as_ref().zip(self.step.as_mut());
        let mut missing = None;
        let mut received = 0;
        for (name, variable) in variables {
            match store.remove(variable) {
                Some(gradient) => {
                    received += 1;
                    receive(name.clone(), Gradient::Tensor(gradient.contiguous()?))?;
                }
                None => missing = Some(name),
            }
        }
        if let Some((features, step)) = features {
            let gradient = store
                .remove(features)
                .context("the features have no gradient")?;
            let mut count = |name, values, shape: &Shape| {
                received += 1;
                receive(name, Gradient::Values(values, shape.clone()))
            };
            with_values(&gradient, |gradient| step.backward(gradient, &mut count))??;
        }
        match missing {
            Some(name) if received < variables.len() => {
                bail!("`{name}` has no gradient: it does not affect the loss")
            }
            _ => Ok(()),
        }
    }
}
