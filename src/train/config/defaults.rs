//! Default settings that train well without tuning, by the kind of images and the start of the network.
//!
//! - Small images from scratch follow the common CIFAR recipe: SGD, momentum 0.9, weight decay 5e-4, cosine, padded crop and
//!   flip.
//! - Photographs from scratch follow torchvision's first recipe for `ImageNet` with a cosine: weight decay 1e-4, random resized
//!   crop, label smoothing 0.1.
//! - Fine-tuning uses a tenth of the learning rate and fewer epochs.
//! - LARS and LAMB are for large batches from scratch: LARS with the rate of <https://arxiv.org/abs/2002.05709>, close to that of
//!   the `MLPerf` benchmark, and LAMB with timm's (<https://arxiv.org/abs/2110.00476>).
//! - With a frozen backbone the last layer is trained on features that are computed once, so images are not augmented.
//!
//! Training needs steps, so small datasets get smaller batches and more epochs: ten epochs of 40 images in a batch of 32 and
//! one of 8 would be 20 steps, too few for a last layer that starts from zeros.
//!
//! The last layer alone has its own learning rate. Its loss is convex, and the rate is limited by the curvature, at most half
//! the mean squared length of the features, independent of the batch size. Pooled outputs of a ReLU are all positive, so they
//! are long and similar: for torchvision's networks with 512 to 2,048 features the square is about 1,000, most of it in one
//! direction, and with momentum 0.9 rates above 2 (1 + 0.9) / 500, about 0.008, overshoot before they converge. Below that,
//! hundreds of steps also fit features of a twentieth of that length.

use crate::data::dataset::DatasetKind;
use crate::data::transform::augment::Policy;
use crate::model::Preprocess;
use crate::train::learner::lr_schedule::Scheduler;
use crate::train::learner::optimizer::OptimizerKind;

/// The facts that the defaults depend on, beside the recipe.
#[derive(Debug, Clone, Copy)]
pub struct Situation {
    /// The kind of images.
    pub kind: DatasetKind,
    /// True for a pretrained network.
    pub from_model: bool,
    /// True if only the last layer is trained.
    pub is_probe: bool,
    /// Training images.
    pub images: usize,
}

/// A case that has its own defaults: the situation, and the settings that others follow from.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The kind of images.
    pub kind: DatasetKind,
    /// True for a pretrained network.
    pub from_model: bool,
    /// True if only the last layer is trained.
    pub is_probe: bool,
    /// The preprocessing of the model or of the dataset.
    pub preprocess: &'a Preprocess,
    /// The default batch size.
    pub batch_size: usize,
    /// Images in the largest batch: at most those of the dataset.
    pub largest_batch: usize,
    /// Passes over the training images.
    pub epochs: u64,
    /// The optimizer.
    pub optimizer: OptimizerKind,
    /// The learning-rate schedule.
    pub scheduler: Scheduler,
}

/// Warm-up as a fraction of the epochs.
const WARMUP: f64 = 0.05;
/// Minimum number of batches per epoch, if they have at least [`FEWEST_TOGETHER`] images.
const BATCHES_AN_EPOCH: usize = 8;
/// Minimum default batch size: batch norm trains poorly with less.
const FEWEST_TOGETHER: usize = 8;
/// Minimum number of steps of a run, within [`MOST_EPOCHS`].
const FEWEST_STEPS: u64 = 200;
/// Maximum number of default epochs on small datasets.
const MOST_EPOCHS: u64 = 100;
/// SGD's learning rate for the last layer alone, with batches of [`FEWEST_TOGETHER`] or more.
const PROBE_RATE: f64 = 5e-3;

impl Situation {
    /// Returns the default batch size, smaller for small datasets.
    pub fn batch_size(&self) -> usize {
        let many: usize = if self.is_probe {
            256
        } else if is_small(self.kind) && !self.from_model {
            128
        } else {
            32
        };
        if self.kind == DatasetKind::Noise {
            // Random inputs are for timing.
            return many;
        }
        let share = (self.images / BATCHES_AN_EPOCH).max(FEWEST_TOGETHER);
        many.min(1 << share.ilog2())
    }

    /// Returns the default number of epochs, larger for small datasets.
    pub fn epochs(&self, steps_per_epoch: u64) -> u64 {
        let many = match () {
            () if self.kind == DatasetKind::Noise => return 1,
            () if self.is_probe => 30,
            () if self.from_model => 10,
            () if is_small(self.kind) => 30,
            () => 90,
        };
        let needed = FEWEST_STEPS.div_ceil(steps_per_epoch.max(1));
        many.max(needed.min(MOST_EPOCHS))
    }

    /// Returns the default schedule.
    pub fn scheduler(&self) -> Scheduler {
        if self.kind == DatasetKind::Noise {
            Scheduler::Constant
        } else {
            Scheduler::Cosine
        }
    }
}

fn is_small(kind: DatasetKind) -> bool {
    matches!(
        kind,
        DatasetKind::Small | DatasetKind::SmallGray | DatasetKind::Digits
    )
}

impl Case<'_> {
    /// Returns the augmentation.
    pub fn augment(&self) -> Policy {
        match self.kind {
            _ if self.is_probe => Policy::None,
            DatasetKind::Small | DatasetKind::SmallGray => Policy::CropFlip,
            DatasetKind::Digits => Policy::Crop,
            DatasetKind::Photographs => Policy::ResizedCrop,
            DatasetKind::Noise => Policy::None,
        }
    }

    /// Returns the learning rate; for SGD and LARS proportional to the batch size (<https://arxiv.org/abs/1706.02677>), with SGD
    /// for the last layer alone only below `FEWEST_TOGETHER` images; for LAMB proportional to its square root.
    pub fn lr(&self) -> f64 {
        let few = self.largest_batch.min(FEWEST_TOGETHER) as f64;
        let batch = self.largest_batch as f64;
        let is_small = is_small(self.kind);
        let start = if self.from_model { 0.1 } else { 1.0 };
        let rate = match self.optimizer {
            OptimizerKind::Sgd if self.is_probe => PROBE_RATE * few / FEWEST_TOGETHER as f64,
            // Not smaller for batches that are small because the dataset is.
            OptimizerKind::Sgd if self.from_model => 0.01 * batch.max(32.0) / 64.0,
            OptimizerKind::Sgd if is_small => 0.1 * batch / 128.0,
            OptimizerKind::Sgd => 0.1 * batch / 256.0,
            // A small rate keeps the pretrained features.
            OptimizerKind::Adam | OptimizerKind::Adamw if self.from_model && !self.is_probe => 1e-4,
            OptimizerKind::Adam | OptimizerKind::Adamw => 1e-3,
            OptimizerKind::Lars => start * 0.3 * batch / 256.0,
            OptimizerKind::Lamb => start * 5e-3 * (batch / 2048.0).sqrt(),
        };
        short(rate)
    }

    /// Returns the weight decay.
    pub fn weight_decay(&self) -> f64 {
        match self.optimizer {
            OptimizerKind::Sgd | OptimizerKind::Lars if is_small(self.kind) && !self.from_model => {
                5e-4
            }
            OptimizerKind::Sgd | OptimizerKind::Lars => 1e-4,
            OptimizerKind::Lamb => 0.02,
            OptimizerKind::Adam => 0.0,
            OptimizerKind::Adamw => 0.01,
        }
    }

    /// Returns the maximum norm of the gradients: timm's for LAMB.
    pub fn clip_grad(&self) -> Option<f64> {
        (self.optimizer == OptimizerKind::Lamb).then_some(1.0)
    }

    /// Returns the warm-up epochs.
    pub fn warmup_epochs(&self) -> f64 {
        match self.scheduler {
            Scheduler::Cosine | Scheduler::Step => short(WARMUP * self.epochs as f64),
            Scheduler::Constant | Scheduler::Onecycle => 0.0,
        }
    }

    /// Returns the epochs of the `step` schedule, as in the paper: at a half and three quarters of the run.
    pub fn milestones(&self) -> Option<Vec<u64>> {
        (self.scheduler == Scheduler::Step).then(|| {
            let mut milestones = vec![(self.epochs / 2).max(1), (3 * self.epochs / 4).max(1)];
            milestones.dedup();
            milestones
        })
    }

    /// Returns the label smoothing.
    pub fn label_smoothing(&self) -> f64 {
        if self.kind == DatasetKind::Photographs {
            0.1
        } else {
            0.0
        }
    }
}

/// Rounds to four significant digits.
pub(super) fn short(number: f64) -> f64 {
    format!("{number:.3e}").parse().unwrap_or(number)
}
