//! An average of a model's variables over the steps, often better than the last of them.
//!
//! After t earlier updates the average keeps `min(decay, (1 + t) / (10 + t))` of itself, so that a run of a few hundred steps
//! averages over its own steps and not over its random start. Running statistics are averaged as the rest.
//! Acceleration of stochastic approximation by averaging, <https://doi.org/10.1137/0330046>; the warm-up is TensorFlow's
//! [`ExponentialMovingAverage`](https://www.tensorflow.org/api_docs/python/tf/train/ExponentialMovingAverage).

use super::optimiser::{for_each, set_all};
use crate::ops::optimiser::move_average;
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
    /// An average that begins at what `variables` are now, with decay in 0..1.
    ///
    /// # Errors
    /// A device without memory.
    pub fn new(decay: f64, variables: Vec<(String, Var)>) -> Result<Self> {
        let averages = variables
            .iter()
            // A copy, not another handle of the variable's own numbers.
            .map(|(_, variable)| Var::from_tensor(&variable.as_detached_tensor()))
            .collect::<candle_core::Result<_>>()?;
        Ok(Self {
            decay,
            variables,
            averages,
            updates: 0,
        })
    }

    /// Takes in what the variables are now.
    ///
    /// # Errors
    /// Those of the device.
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

    /// Updates done.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// The averages for a checkpoint, `ema.<name>` each, copied.
    ///
    /// # Errors
    /// A device without memory.
    pub fn state(&self) -> Result<Vec<(String, Tensor)>> {
        self.copies()
            .map(|copy| copy.map(|(name, average)| (format!("ema.{name}"), average)))
            .collect()
    }

    /// Goes on from a [`Ema::state`] taken after `updates` updates. Tensors of other names are left aside.
    ///
    /// # Errors
    /// A tensor that is missing or has another shape; nothing is changed then.
    pub fn restore(&mut self, tensors: &HashMap<String, Tensor>, updates: u64) -> Result<()> {
        let names = self.variables.iter().map(|(name, _)| format!("ema.{name}"));
        set_all(names.zip(&self.averages), tensors)?;
        self.updates = updates;
        Ok(())
    }

    /// The averages by the variables' names, copied: what a net is built from.
    ///
    /// # Errors
    /// A device without memory.
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
