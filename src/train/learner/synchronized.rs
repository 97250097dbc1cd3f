//! Gradients of a batch in shards that share their batch-norm statistics: those of one shard with all images.
//!
//! As gradients cross from shard to shard in batch norm, each shard's loss is scaled by its share of the batch before the backward pass, and
//! its gradients are summed as they are. Running statistics are moved once in each process. The sums of gradients follow the backward pass,
//! whose own sums need the order that all processes make them in.

use crate::distributed::Processes;
use crate::distributed::tree::Shards;
use crate::nn::CrossEntropy;
use crate::train::data::loader::TrainBatch;
use crate::train::learner::forward_backward::{ForwardBackward, ForwardOutput, Gradient};
use crate::train::learner::gradient_sums::{GradientSums, Values};
use crate::train::learner::lockstep::Role;
use crate::train::learner::shard_models::Part;
use crate::train::learner::shards::{Learned, ProcessResults, ShardMetrics, copies, set_all};
use crate::train::learner::{BatchMetrics, Learner};
use anyhow::{Context, Result};
use candle_core::Tensor;

/// A shard after its forward pass.
struct Forwarded<'a> {
    role: Role,
    pass: &'a mut ForwardBackward,
    output: ForwardOutput,
    /// The mean loss of its images.
    loss: Tensor,
    metrics: ShardMetrics,
}

impl<'a> Forwarded<'a> {
    /// Runs the forward pass of a shard.
    fn new(part: Part<'a>, loss: &CrossEntropy) -> Result<Self> {
        let Part {
            role,
            pass,
            input,
            targets,
        } = part;
        let output = pass.forward(input)?;
        let (loss, metrics) = ShardMetrics::measure(loss, &output.logits, targets)?;
        Ok(Self {
            role,
            pass,
            output,
            loss,
            metrics,
        })
    }
}

impl Learner {
    /// Computes the loss of a batch as [`Learner::learn_shards`] does, with the statistics of the whole batch. A batch of fewer than
    /// `fewest` readable images is left out.
    ///
    /// # Errors
    /// If the device lacks memory, or another process is gone.
    pub(super) fn learn_synchronized<V: Values>(
        &mut self,
        batch: &TrainBatch,
        fewest: usize,
        stop: bool,
        shards: Shards,
        processes: &Processes,
    ) -> Result<Learned> {
        let statistics = self.moving_statistics();
        let before = copies(&statistics)?;
        let variables = self.optimizer.variables().to_vec();
        let device = self.model().first_weight().device().clone();
        let models = self.shard_models.as_mut();
        let (lockstep, parts) = models.context("the shards have no models")?.begin(batch);
        let loss = &self.loss;
        // Candle gives each thread a CUDA stream of its own: a thread waits for its device before another uses the results.
        device.synchronize()?;
        let forwarded = lockstep.run(parts, |part| {
            let forwarded = Forwarded::new(part, loss)?;
            device.synchronize()?;
            Ok(forwarded)
        })?;
        let mut sent = ProcessResults::new(batch, stop);
        let with_images = forwarded
            .iter()
            .filter(|shard| matches!(shard.role, Role::Shard(_)));
        sent.shards.extend(with_images.map(|shard| shard.metrics));
        let (mut learned, weight, _) = Learned::of(&processes.gather_values(&sent)?);
        if learned.images < fewest.max(1) {
            (learned.images, learned.metrics) = (0, BatchMetrics::default());
        }
        if learned.images == 0 || !learned.metrics.loss.is_finite() {
            set_all(&statistics, &before)?;
            return Ok(learned);
        }
        let gradients = lockstep.run(forwarded, |shard: Forwarded| {
            let Forwarded {
                role, pass, output, ..
            } = shard;
            // A loss without weight has no gradient as it is. Candle computes none at all of a loss times 0, and the shard has to
            // keep step.
            let of_shard = shard.metrics.weight();
            let share = if of_shard > 0.0 && weight > 0.0 {
                of_shard / weight
            } else {
                1.0
            };
            let loss = (shard.loss * share)?;
            let gradients = pass.backward(&output, &loss, &variables, shard.metrics.images)?;
            device.synchronize()?;
            Ok((role, gradients))
        })?;
        let mut sums: GradientSums<V> =
            GradientSums::new(&variables, &[], batch.used, shards, processes);
        for (role, gradients) in gradients {
            match role {
                Role::Shard(number) => {
                    for (name, gradient) in gradients.named() {
                        sums.add(number, name, Gradient::Tensor(gradient.clone()), 1.0)?;
                    }
                    sums.end_shard(number);
                }
                Role::Unreadable(number) => sums.end_shard(number),
                Role::Spare => {}
            }
        }
        sums.begin()?;
        let [gradients, _] = sums.finish(1.0, 1.0)?;
        self.add_sums(&variables, gradients, learned.images)?;
        Ok(learned)
    }
}
