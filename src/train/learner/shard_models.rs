//! The models of the shards of a process whose batch norms share statistics: one weights, one running statistics, a step for each.

use crate::distributed::Processes;
use crate::distributed::tree::Shards;
use crate::model::{Frozen, ResNet};
use crate::nn::Targets;
use crate::ops::shared_statistics::ShardGroup;
use crate::train::data::loader::TrainBatch;
use crate::train::learner::forward_backward::{ForwardBackward, Input};
use crate::train::learner::lockstep::{Lockstep, Member, Role};
use candle_core::{Result, Tensor};
use std::sync::Arc;

/// The models of the shards of this process.
#[derive(Debug)]
pub(super) struct ShardModels {
    lockstep: Arc<Lockstep>,
    /// One for each shard of a whole batch, and at least one.
    passes: Vec<ForwardBackward>,
    /// An image, and its class, for a thread that has none.
    blank: (Input, Targets),
}

/// The part of a batch that one thread has.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub role: Role,
    pub pass: &'a mut ForwardBackward,
    pub input: &'a Input,
    pub targets: &'a Targets,
}

impl ShardModels {
    /// Creates the models of this process, which share the parameters of `model`, for images of height and width `size`.
    ///
    /// # Errors
    /// If the device lacks memory.
    pub fn new(
        model: &ResNet,
        frozen: Frozen,
        [height, width]: [usize; 2],
        shards: Shards,
        processes: &Processes,
    ) -> Result<Self> {
        let lockstep = Arc::new(Lockstep::new(shards, processes.clone()));
        let passes = (0..shards.of(processes.rank()).len()).map(|index| {
            let lockstep = Arc::clone(&lockstep);
            let group: Arc<dyn ShardGroup> = Arc::new(Member { lockstep, index });
            ForwardBackward::new(model.sharing(&group), frozen)
        });
        let passes = passes.collect();
        let weight = model.first_weight();
        let shape = (1, model.config().in_channels, height, width);
        let image = Tensor::zeros(shape, weight.dtype(), weight.device())?;
        Ok(Self {
            lockstep,
            passes,
            blank: (Input::Images(image), Targets::Classes(vec![0])),
        })
    }

    /// Starts a batch; returns its parts, of which the lockstep runs each in a thread.
    pub fn begin<'a>(&'a mut self, batch: &'a TrainBatch) -> (&'a Lockstep, Vec<Part<'a>>) {
        let (image, class) = &self.blank;
        let shards = batch.shards.iter().map(|shard| {
            if shard.targets.is_empty() {
                (Role::Unreadable(shard.number), image, class)
            } else {
                (Role::Shard(shard.number), &shard.input, &shard.targets)
            }
        });
        let mut shards: Vec<_> = shards.collect();
        if shards.is_empty() {
            shards.push((Role::Spare, image, class));
        }
        let parts = self.passes.iter_mut().zip(shards);
        let parts: Vec<Part> = parts
            .map(|(pass, (role, input, targets))| Part {
                role,
                pass,
                input,
                targets,
            })
            .collect();
        let roles: Vec<Role> = parts.iter().map(|part| part.role).collect();
        self.lockstep.begin(batch.used, &roles);
        (&self.lockstep, parts)
    }
}
