//! The gradients of a step in the order of the variables: accumulation, norm and clipping.

use crate::ops::optimizer::{scaled, sum_of_squares};
use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var, bail};
use std::collections::HashMap;

/// The gradients of the mean loss of a batch, one per variable.
#[derive(Debug, Clone)]
pub struct Gradients {
    named: Vec<(String, Tensor)>,
    /// Images over which the loss is the mean.
    images: usize,
}

impl Gradients {
    /// Takes the gradients of `variables` out of `store`; the loss was the mean over `images` images.
    ///
    /// # Errors
    /// If a variable has no gradient, as it does not affect the loss.
    pub fn new(mut store: GradStore, variables: &[(String, Var)], images: usize) -> Result<Self> {
        let mut named = Vec::with_capacity(variables.len());
        for (name, variable) in variables {
            let Some(gradient) = store.remove(variable) else {
                bail!("`{name}` has no gradient: it does not affect the loss")
            };
            named.push((name.clone(), gradient.contiguous()?));
        }
        Ok(Self { named, images })
    }

    /// Collects gradients by name.
    ///
    /// # Errors
    /// As for [`Gradients::new`].
    pub fn of_named(
        gradients: impl IntoIterator<Item = (String, Tensor)>,
        variables: &[(String, Var)],
        images: usize,
    ) -> Result<Self> {
        let mut gradients: HashMap<String, Tensor> = gradients.into_iter().collect();
        let mut named = Vec::with_capacity(variables.len());
        for (name, _) in variables {
            let Some(gradient) = gradients.remove(name) else {
                bail!("`{name}` has no gradient: it does not affect the loss")
            };
            named.push((name.clone(), gradient));
        }
        Ok(Self { named, images })
    }

    /// Returns the gradients of the mean loss over the images of both, for gradient accumulation.
    ///
    /// # Errors
    /// If the gradients are of other variables.
    pub fn averaged_with(self, other: &Self) -> Result<Self> {
        let images = self.images + other.images;
        let [ours, theirs] =
            [self.images, other.images].map(|part| part as f64 / images.max(1) as f64);
        if self.named.len() != other.named.len() {
            bail!("gradients of different variables cannot be added");
        }
        let mut named = Vec::with_capacity(self.named.len());
        for ((name, our), (other_name, their)) in self.named.into_iter().zip(&other.named) {
            if name != *other_name {
                bail!("the gradient of `{name}` cannot be added to that of `{other_name}`");
            }
            named.push((name, (scaled(&our, ours)? + scaled(their, theirs)?)?));
        }
        Ok(Self { named, images })
    }

    /// Returns the L2 norm over all variables; NaN or infinite if any gradient is.
    pub fn norm(&self) -> Result<f64> {
        let mut sum = 0.0;
        for (_, gradient) in &self.named {
            sum += sum_of_squares(gradient)?;
        }
        Ok(sum.sqrt())
    }

    /// Scales all gradients so that their norm is at most `max_norm`, like PyTorch's `clip_grad_norm_`, and returns the norm
    /// before. Gradients whose norm is not finite stay unchanged.
    pub fn clip(&mut self, max_norm: f64) -> Result<f64> {
        let norm = self.norm()?;
        let factor = max_norm / (norm + 1e-6);
        if factor < 1.0 && norm.is_finite() {
            for (_, gradient) in &mut self.named {
                *gradient = scaled(gradient, factor)?;
            }
        }
        Ok(norm)
    }

    /// Returns whether all gradients are finite.
    pub fn is_finite(&self) -> Result<bool> {
        Ok(self.norm()?.is_finite())
    }

    /// Returns names and gradients, in the order of the variables.
    pub fn named(&self) -> &[(String, Tensor)] {
        &self.named
    }

    /// Returns the number of images over which the loss is the mean.
    pub fn images(&self) -> usize {
        self.images
    }
}
