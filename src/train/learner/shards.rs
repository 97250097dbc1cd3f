//! Gradients of a batch in shards: each shard has its own batch-norm statistics, and sums follow the tree of the shards, so that the bits
//! do not depend on the process that holds a shard.

use crate::distributed::Processes;
use crate::distributed::sum::{Element, NodeSum};
use crate::distributed::tree::{Shards, TreeSum};
use crate::train::data::loader::TrainBatch;
use crate::train::learner::gradients::Gradients;
use crate::train::learner::{BatchMetrics, Learner, correct};
use anyhow::Result;
use candle_core::{DType, Tensor, Var, WithDType};
use serde::{Deserialize, Serialize};

/// The results of a batch in all processes.
#[derive(Debug, Default)]
pub struct Learned {
    /// The metrics of the trained images.
    pub metrics: BatchMetrics,
    /// Trained images.
    pub images: usize,
    /// The errors of the images that could not be read in any process.
    pub unreadable: Vec<String>,
    /// True if a process wants to stop.
    pub stop: bool,
}

/// The results of a process's shards, which it sends to the others.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Sent {
    shards: Vec<ShardMetrics>,
    unreadable: Vec<String>,
    stop: bool,
}

/// The metrics of a shard. Floats are bits, which a text keeps exactly.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct ShardMetrics {
    /// The mean loss.
    loss: u64,
    /// The weight of the images in the loss of the batch.
    weight: u64,
    images: usize,
    correct: u64,
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
        // Half precision is summed in f32.
        if self
            .optimizer
            .variables()
            .iter()
            .any(|(_, variable)| variable.dtype() == DType::F64)
        {
            self.learn_as::<f64>(batch, fewest, stop, shards, processes)
        } else {
            self.learn_as::<f32>(batch, fewest, stop, shards, processes)
        }
    }

    fn learn_as<T: Element + WithDType>(
        &mut self,
        batch: &TrainBatch,
        fewest: usize,
        stop: bool,
        shards: Shards,
        processes: &Processes,
    ) -> Result<Learned> {
        let statistics = self.moving_statistics();
        let before = statistics
            .iter()
            .map(Var::as_detached_tensor)
            .map(|value| value.copy())
            .collect::<candle_core::Result<Vec<_>>>()?;
        let variables = self.optimizer.variables().to_vec();
        let summed = variables.iter().map(|(_, variable)| variable);
        let length = summed
            .chain(&statistics)
            .map(|summed| summed.elem_count())
            .sum();
        let mut sent = Sent {
            unreadable: batch
                .unreadable
                .iter()
                .map(|error| format!("{error:#}"))
                .collect(),
            stop,
            ..Sent::default()
        };
        let mut sum = TreeSum::new(batch.used);
        for shard in &batch.shards {
            let images = shard.targets.len();
            let mut values: Vec<T> = Vec::with_capacity(length);
            if images >= fewest.max(1) {
                // All shards start from the same statistics.
                set_all(&statistics, &before)?;
                let passed = self.pass.forward(&shard.input)?;
                let loss = self.loss.loss(&passed.logits, &shard.targets)?;
                let mean: f64 = loss.to_dtype(DType::F64)?.to_scalar()?;
                let weight = self.loss.weight(&shard.targets);
                sent.shards.push(ShardMetrics {
                    loss: mean.to_bits(),
                    weight: weight.to_bits(),
                    images,
                    correct: correct(&passed.logits, &shard.targets)?,
                });
                // Gradients of a loss that is not finite are useless; the caller ends the run.
                if mean.is_finite() {
                    let gradients = self.pass.backward(&passed, &loss, &variables, images)?;
                    let share = T::from_f64(weight / batch.images as f64);
                    for (_, gradient) in gradients.named() {
                        values.extend(flat::<T>(gradient)?.into_iter().map(|value| value * share));
                    }
                    for statistic in &statistics {
                        values.extend(flat::<T>(statistic)?);
                    }
                }
            }
            values.resize(length, T::from_f64(0.0));
            sum.add(shard.number..shard.number + 1, values);
        }
        let (learned, weight, trained) = Learned::of(&processes.gather_values(&sent)?);
        if trained == 0 || !learned.metrics.loss.is_finite() {
            set_all(&statistics, &before)?;
            return Ok(learned);
        }
        let own: Vec<NodeSum<T>> = sum.into_nodes();
        let total = processes
            .start_sum(shards, batch.used, own, length)
            .wait()?;
        let rescaled = if weight > 0.0 {
            batch.images as f64 / weight
        } else {
            1.0
        };
        let mut rest = &total[..];
        let mut take = |like: &Var, factor: f64| -> Result<Tensor> {
            let (values, others) = rest.split_at(like.elem_count());
            rest = others;
            let factor = T::from_f64(factor);
            let values: Vec<T> = values.iter().map(|&value| value * factor).collect();
            let tensor = Tensor::from_vec(values, like.shape(), &candle_core::Device::Cpu)?;
            Ok(tensor.to_dtype(like.dtype())?.to_device(like.device())?)
        };
        let mut named = Vec::with_capacity(variables.len());
        for (name, variable) in &variables {
            named.push((name.clone(), take(variable, rescaled)?));
        }
        for statistic in &statistics {
            statistic.set(&take(statistic, 1.0 / trained as f64)?)?;
        }
        self.add(Gradients::of_named(named, &variables, learned.images)?)?;
        Ok(learned)
    }

    /// Returns the running statistics that training changes.
    fn moving_statistics(&self) -> Vec<Var> {
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
    fn of(sent: &[Sent]) -> (Self, f64, usize) {
        let mut learned = Self::default();
        let (mut loss, mut weight, mut trained) = (0.0, 0.0, 0);
        for shard in sent.iter().flat_map(|sent| &sent.shards) {
            let of_shard = f64::from_bits(shard.weight);
            loss += of_shard * f64::from_bits(shard.loss);
            weight += of_shard;
            trained += 1;
            learned.images += shard.images;
            learned.metrics.correct += shard.correct;
        }
        learned.metrics.loss = if weight > 0.0 { loss / weight } else { loss };
        for sent in sent {
            learned.unreadable.extend(sent.unreadable.iter().cloned());
            learned.stop |= sent.stop;
        }
        (learned, weight, trained)
    }
}

fn flat<T: WithDType>(tensor: &Tensor) -> Result<Vec<T>> {
    Ok(tensor
        .detach()
        .flatten_all()?
        .to_dtype(T::DTYPE)?
        .to_vec1()?)
}

fn set_all(variables: &[Var], values: &[Tensor]) -> Result<()> {
    for (variable, value) in variables.iter().zip(values) {
        variable.set(value)?;
    }
    Ok(())
}
