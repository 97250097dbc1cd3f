//! Where gradients meet the optimiser: all of a step's gradients in the variables' order, to be averaged, measured and
//! clipped.
//!
//! Averaging over processes would be one call here.

use crate::ops::optimiser::{scaled, sum_of_squares};
use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var, bail};
use std::collections::HashMap;

/// The gradients of a batch's mean loss, one a variable.
#[derive(Debug, Clone)]
pub struct Gradients {
    named: Vec<(String, Tensor)>,
    /// Pictures whose mean loss these are the gradients of.
    pictures: usize,
}

impl Gradients {
    /// Takes the gradients of `variables` out of `store`; the loss was the mean over `pictures` pictures.
    ///
    /// # Errors
    /// A variable without a gradient: it takes no part in the loss.
    pub fn new(mut store: GradStore, variables: &[(String, Var)], pictures: usize) -> Result<Self> {
        let mut named = Vec::with_capacity(variables.len());
        for (name, variable) in variables {
            let Some(gradient) = store.remove(variable) else {
                bail!("`{name}` has no gradient: it takes no part in the loss")
            };
            named.push((name.clone(), gradient.contiguous()?));
        }
        Ok(Self { named, pictures })
    }

    /// The same of gradients by name.
    ///
    /// # Errors
    /// As [`Gradients::new`].
    pub fn of_named(
        gradients: impl IntoIterator<Item = (String, Tensor)>,
        variables: &[(String, Var)],
        pictures: usize,
    ) -> Result<Self> {
        let mut gradients: HashMap<String, Tensor> = gradients.into_iter().collect();
        let mut named = Vec::with_capacity(variables.len());
        for (name, _) in variables {
            let Some(gradient) = gradients.remove(name) else {
                bail!("`{name}` has no gradient: it takes no part in the loss")
            };
            named.push((name.clone(), gradient));
        }
        Ok(Self { named, pictures })
    }

    /// The gradients of the mean loss over the pictures of both: accumulation over the parts of a batch.
    ///
    /// # Errors
    /// Gradients of other variables.
    pub fn averaged_with(self, other: &Self) -> Result<Self> {
        let pictures = self.pictures + other.pictures;
        let [ours, theirs] =
            [self.pictures, other.pictures].map(|part| part as f64 / pictures.max(1) as f64);
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
        Ok(Self { named, pictures })
    }

    /// The root of the sum of all squares, over all variables; NaN or infinite where any gradient is.
    pub fn norm(&self) -> Result<f64> {
        let mut sum = 0.0;
        for (_, gradient) in &self.named {
            sum += sum_of_squares(gradient)?;
        }
        Ok(sum.sqrt())
    }

    /// Scales all gradients so that their norm is at most `max_norm`, as PyTorch's `clip_grad_norm_`, and returns the norm
    /// that they had. Gradients whose norm is not finite stay as they are.
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

    /// Whether every gradient is a finite number.
    pub fn is_finite(&self) -> Result<bool> {
        Ok(self.norm()?.is_finite())
    }

    /// Names and gradients, in the variables' order.
    pub fn named(&self) -> &[(String, Tensor)] {
        &self.named
    }

    /// Pictures whose mean loss these are the gradients of.
    pub fn pictures(&self) -> usize {
        self.pictures
    }
}
