//! The exponential moving average (EMA) of a model's variables over the steps, often better than the last values.
//!
//! After t updates the average keeps `min(decay, (1 + t) / (10 + t))` of itself, so that in a run of a few hundred steps it
//! covers the run's own steps and not its random initialization. Running statistics are averaged as well.
//! Acceleration of stochastic approximation by averaging, <https://doi.org/10.1137/0330046>; the warm-up is TensorFlow's
//! [`ExponentialMovingAverage`](https://www.tensorflow.org/api_docs/python/tf/train/ExponentialMovingAverage).

use crate::ops::optimizer::move_average;
use crate::train::learner::optimizer::{for_each, set_all};
use anyhow::{Context, Result};
use candle_core::{Tensor, Var};
use std::collections::HashMap;

/// The moving average of variables.
#[derive(Debug)]
pub struct Ema {
    decay: f64,
    variables: Vec<(String, Var)>,
    /// The average of each variable.
    averages: Vec<Var>,
    updates: u64,
}

impl Ema {
    /// Creates an average that starts from the current values of `variables`, with a decay in 0..1.
    ///
    /// # Errors
    /// If the device lacks memory.
    pub fn new(decay: f64, variables: Vec<(String, Var)>) -> Result<Self> {
        let averages = variables
            .iter()
            // A copy, not another handle to the variable's storage.
            .map(|(_, variable)| Var::from_tensor(&variable.as_detached_tensor()))
            .collect::<candle_core::Result<_>>()?;
        Ok(Self {
            decay,
            variables,
            averages,
            updates: 0,
        })
    }

    /// Updates the average with the current values.
    ///
    /// # Errors
    /// If the device fails.
    pub fn update(&mut self) -> Result<()> {
        let earlier = self.updates as f64;
        let keep = self.decay.min((1.0 + earlier) / (10.0 + earlier));
        for_each(&self.variables, |index, (name, variable)| {
            move_average(&self.averages[index], variable, keep)
                .with_context(|| format!("cannot average `{name}`"))
        })?;
        self.updates += 1;
        Ok(())
    }

    /// Returns the number of updates.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// Returns copies of the averages for a checkpoint, named `ema.<name>`.
    ///
    /// # Errors
    /// If the device lacks memory.
    pub fn state(&self) -> Result<Vec<(String, Tensor)>> {
        self.copies()
            .map(|copy| copy.map(|(name, average)| (format!("ema.{name}"), average)))
            .collect()
    }

    /// Restores an [`Ema::state`] taken after `updates` updates. Tensors with other names are ignored.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape; nothing is changed then.
    pub fn restore(&mut self, tensors: &HashMap<String, Tensor>, updates: u64) -> Result<()> {
        let names = self.variables.iter().map(|(name, _)| format!("ema.{name}"));
        set_all(names.zip(&self.averages), tensors)?;
        self.updates = updates;
        Ok(())
    }

    /// Returns copies of the averages by the variables' names, to build a network from.
    ///
    /// # Errors
    /// If the device lacks memory.
    pub fn tensors(&self) -> Result<HashMap<String, Tensor>> {
        self.copies()
            .map(|copy| copy.map(|(name, average)| (name.to_owned(), average)))
            .collect()
    }

    fn copies(&self) -> impl Iterator<Item = Result<(&str, Tensor)>> {
        let averages = self.variables.iter().zip(&self.averages);
        averages
            .map(|((name, _), average)| Ok((name.as_str(), average.as_detached_tensor().copy()?)))
    }
}
