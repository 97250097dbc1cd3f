//! Gradients of a batch in shards: each shard has its own batch-norm statistics, and sums follow the tree of the shards, so that the bits
//! do not depend on the process that holds a shard.

use crate::data::UnreadableImage;
use crate::distributed::DeviceValues;
use crate::distributed::processes::{Processes, values_of};
use crate::distributed::tree::Shards;
use crate::error::SentError;
use crate::nn::{CrossEntropy, Targets};
use crate::train::data::loader::TrainBatch;
use crate::train::learner::forward_backward::Gradient;
use crate::train::learner::gradient_sums::{GradientSums, Values};
use crate::train::learner::gradients::Gradients;
use crate::train::learner::{BatchMetrics, Learner, correct};
use anyhow::Result;
use candle_core::{DType, Tensor, Var};
use serde::{Deserialize, Serialize};

/// The results of a batch in all processes.
#[derive(Debug, Default)]
pub struct Learned {
    /// The metrics of the trained images.
    pub metrics: BatchMetrics,
    /// Trained images.
    pub images: usize,
    /// The images that could not be read in any process, each with the number of the process.
    pub unreadable: Vec<(usize, UnreadableImage)>,
    /// True if a process wants to stop.
    pub stop: bool,
}

/// The results of a process's shards, which it sends to the others.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct ProcessResults {
    pub shards: Vec<ShardMetrics>,
    /// The numbers and errors of the images that could not be read.
    unreadable: Vec<(usize, SentError)>,
    stop: bool,
}

impl ProcessResults {
    /// Creates the results of a batch before its shards are trained on.
    pub fn new(batch: &TrainBatch, stop: bool) -> Self {
        let unreadable = batch.unreadable.iter();
        Self {
            unreadable: unreadable
                .map(|image| (image.index, SentError::from(&image.error)))
                .collect(),
            stop,
            ..Self::default()
        }
    }
}

/// The metrics of a shard. Floats are bits, which a text keeps exactly.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct ShardMetrics {
    loss: u64,
    weight: u64,
    pub images: usize,
    correct: u64,
}

impl ShardMetrics {
    /// Returns the mean loss of a shard as a tensor, and its metrics.
    pub fn measure(
        loss: &CrossEntropy,
        logits: &Tensor,
        targets: &Targets,
    ) -> Result<(Tensor, Self)> {
        let mean = loss.loss(logits, targets)?;
        let metrics = Self {
            loss: mean.to_dtype(DType::F64)?.to_scalar::<f64>()?.to_bits(),
            weight: loss.weight(targets).to_bits(),
            images: targets.len(),
            correct: correct(logits, targets)?,
        };
        Ok((mean, metrics))
    }

    /// Returns the mean loss.
    fn loss(&self) -> f64 {
        f64::from_bits(self.loss)
    }

    /// Returns the weight of the images in the loss of the batch.
    pub fn weight(&self) -> f64 {
        f64::from_bits(self.weight)
    }
}

impl Learner {
    /// Computes the loss of a batch in shards and adds its gradients to those of the step. The running statistics become the mean
    /// of those of the shards. A shard of fewer images than `fewest` is left out. `stop` says that this process wants to stop.
    ///
    /// # Errors
    /// If the device lacks memory, or another process is gone.
    pub fn learn_shards(
        &mut self,
        batch: &TrainBatch,
        fewest: usize,
        stop: bool,
        shards: Shards,
        processes: &Processes,
    ) -> Result<Learned> {
        let variables = self.optimizer.variables();
        let is_double = variables
            .iter()
            .any(|(_, variable)| variable.dtype() == DType::F64);
        if processes.sums_on(self.model().first_weight().device()) {
            self.learn_as::<DeviceValues>(batch, fewest, stop, shards, processes)
        } else if is_double {
            self.learn_as::<Vec<f64>>(batch, fewest, stop, shards, processes)
        } else {
            // Half precision is summed in f32.
            self.learn_as::<Vec<f32>>(batch, fewest, stop, shards, processes)
        }
    }

    fn learn_as<V: Values>(
        &mut self,
        batch: &TrainBatch,
        fewest: usize,
        stop: bool,
        shards: Shards,
        processes: &Processes,
    ) -> Result<Learned> {
        if self.shard_models.is_some() {
            return self.learn_synchronized::<V>(batch, fewest, stop, shards, processes);
        }
        let statistics = self.moving_statistics();
        let before = copies(&statistics)?;
        let variables = self.optimizer.variables().to_vec();
        let mut sent = ProcessResults::new(batch, stop);
        let mut sums: GradientSums<V> =
            GradientSums::new(&variables, &statistics, batch.used, shards, processes);
        let mut metrics = None;
        for (i, shard) in batch.shards.iter().enumerate() {
            let mut backward = None;
            if shard.targets.len() >= fewest.max(1) {
                // All shards start from the same statistics.
                set_all(&statistics, &before)?;
                let passed = self.pass.forward(&shard.input)?;
                let (loss, metrics) =
                    ShardMetrics::measure(&self.loss, &passed.logits, &shard.targets)?;
                sent.shards.push(metrics);
                // Gradients of a loss that is not finite are useless; the caller ends the run.
                let is_finite = metrics.loss().is_finite();
                backward = is_finite.then_some((passed, loss, metrics.weight()));
            }
            if i + 1 == batch.shards.len() {
                // It travels during the backward pass, before the sums.
                metrics = Some(processes.start_gather(serde_json::to_vec(&sent)?));
            }
            if let Some((passed, loss, weight)) = backward {
                sums.add_statistics(shard.number)?;
                let share = weight / batch.images as f64;
                let mut add = |name: String, gradient: Gradient| {
                    let added = sums.add(shard.number, &name, gradient, share);
                    added.map_err(candle_core::Error::wrap)
                };
                self.pass
                    .backward_each(&passed, &loss, &variables, &mut add)?;
            }
            sums.end_shard(shard.number);
        }
        let metrics = match metrics {
            Some(metrics) => metrics,
            None => processes.start_gather(serde_json::to_vec(&sent)?),
        };
        sums.begin()?;
        let (learned, weight, trained) = Learned::of(&values_of(&metrics.wait()?)?);
        if trained == 0 || !learned.metrics.loss.is_finite() {
            set_all(&statistics, &before)?;
            return Ok(learned);
        }
        let rescaled = if weight > 0.0 {
            batch.images as f64 / weight
        } else {
            1.0
        };
        let [gradients, of_shards] = sums.finish(rescaled, 1.0 / trained as f64)?;
        set_all(&statistics, &of_shards)?;
        self.add_sums(&variables, gradients, learned.images)?;
        Ok(learned)
    }

    /// Adds the gradients of `variables`, summed over the shards of a batch of `images`, to those of the step.
    pub(super) fn add_sums(
        &mut self,
        variables: &[(String, Var)],
        gradients: Vec<Tensor>,
        images: usize,
    ) -> Result<()> {
        let names = variables.iter().map(|(name, _)| name.clone());
        let named = names.zip(gradients);
        self.add(Gradients::of_named(named, variables, images)?)
    }

    /// Returns the running statistics that training changes.
    pub(super) fn moving_statistics(&self) -> Vec<Var> {
        let frozen = self.frozen();
        let all = self.parameters.statistics().into_iter();
        all.filter(|(name, _)| !frozen.holds(name))
            .map(|(_, variable)| variable)
            .collect()
    }
}

impl Learned {
    /// Combines the results of the processes, in the order of the shards; also returns the weight of the images and the number of trained
    /// shards.
    pub(super) fn of(sent: &[ProcessResults]) -> (Self, f64, usize) {
        let mut learned = Self::default();
        let (mut loss, mut weight, mut trained) = (0.0, 0.0, 0);
        for shard in sent.iter().flat_map(|sent| &sent.shards) {
            loss += shard.weight() * shard.loss();
            weight += shard.weight();
            trained += 1;
            learned.images += shard.images;
            learned.metrics.correct += shard.correct;
        }
        learned.metrics.loss = if weight > 0.0 { loss / weight } else { loss };
        for (rank, sent) in sent.iter().enumerate() {
            let unreadable = sent.unreadable.iter().cloned();
            learned.unreadable.extend(unreadable.map(|(index, error)| {
                let error = error.into_error();
                (rank, UnreadableImage { index, error })
            }));
            learned.stop |= sent.stop;
        }
        (learned, weight, trained)
    }
}

pub(super) fn set_all(variables: &[Var], values: &[Tensor]) -> Result<()> {
    for (variable, value) in variables.iter().zip(values) {
        variable.set(value)?;
    }
    Ok(())
}

/// Returns copies of the values of `variables`.
pub(super) fn copies(variables: &[Var]) -> Result<Vec<Tensor>> {
    let values = variables.iter().map(Var::as_detached_tensor);
    Ok(values
        .map(|value| value.copy())
        .collect::<candle_core::Result<_>>()?)
}
