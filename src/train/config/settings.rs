//! Settings of a run: a validated recipe with every key set.

use crate::data::DecodeOptions;
use crate::data::transform::augment::Augmentation;
use crate::error::{help, setting, usage_error, without_backtrace};
use crate::message;
use crate::model::config::{CIFAR_DEPTHS, canonical_name};
use crate::model::{Architecture, Frozen, ModelConfig, Preprocess, StemKind};
use crate::text::pluralize;
use crate::train::config::error::out_of_range;
use crate::train::config::key::Group;
use crate::train::config::recipe::Recipe;
use crate::train::config::values::{BestBy, ClassWeights, ImageSize, StemRule, TrainDType};
use crate::train::learner::lr_schedule::Scheduler;
use crate::train::learner::optimizer::OptimizerConfig;
use anyhow::Result;
use candle_core::DType;
use serde::Serialize;
use std::fmt;

/// All settings that decide the results of a run.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub struct Settings {
    /// The fraction of the training images that is held out for validation.
    pub val_split: Option<f64>,
    /// An unreadable image ends the run.
    pub strict: bool,
    /// The frozen part of the network.
    pub frozen: Frozen,
    /// Each block's last batch norm starts at 0.
    pub zero_init_residual: bool,
    /// The preprocessing in evaluation and before augmentation.
    pub preprocess: Preprocess,
    /// Options of the image decoder.
    pub decoding: DecodeOptions,
    /// The augmentation of training images.
    pub augmentation: Augmentation,
    /// The order of the images changes from epoch to epoch.
    pub shuffle: bool,
    /// The random seed.
    pub seed: u64,
    /// Passes over the training images.
    pub epochs: u64,
    /// Optimizer steps after which the run ends.
    pub max_steps: Option<u64>,
    /// Images per batch.
    pub batch_size: usize,
    /// Parts of a batch.
    pub shards: usize,
    /// The shards share their batch-norm statistics.
    pub sync_bn: bool,
    /// An incomplete last batch of an epoch is dropped.
    pub drop_last: bool,
    /// Batches per step.
    pub grad_accumulation: usize,
    /// The optimizer.
    pub optimizer: OptimizerConfig,
    /// The peak learning rate.
    pub lr: f64,
    /// The learning-rate schedule.
    pub scheduler: Scheduler,
    /// Warm-up epochs.
    pub warmup_epochs: f64,
    /// Epochs at which the `step` schedule multiplies the learning rate by 0.1.
    pub milestones: Vec<u64>,
    /// Label smoothing.
    pub label_smoothing: f64,
    /// Class weights in the loss.
    pub class_weights: Option<ClassWeights>,
    /// Maximum norm of the gradients.
    pub clip_grad: Option<f64>,
    /// Decay of the EMA of the weights.
    pub ema: Option<f64>,
    /// The validation measure that selects the best epoch.
    pub best_by: BestBy,
    /// Epochs without improvement after which the run stops early.
    pub patience: Option<u64>,
    /// The dtype.
    pub dtype: DType,
    /// Steps between saves, in addition to the end of each epoch.
    pub checkpoint_every: Option<u64>,
}

/// The largest edge of images that `randaugment` crops as small ones, in pixels.
const LARGEST_SMALL: usize = 64;

/// Returns the value of `key`.
fn required<T>(value: Option<T>, key: &str) -> Result<T> {
    value.ok_or_else(|| {
        usage_error(
            format!("the recipe has no `{key}`"),
            "add it: a run's `config.toml` has every key",
        )
    })
}

impl Settings {
    /// Creates the settings from a recipe with every key set.
    ///
    /// # Errors
    /// If a key is missing or out of range.
    pub fn new(complete: &Recipe) -> Result<Self> {
        let recipe = complete.clone();
        let preprocess = preprocess(&recipe)?;
        let policy = required(recipe.augment, "augment")?;
        let optimizer = required(recipe.optimizer, "optimizer")?;
        let settings = Self {
            val_split: recipe.val_split,
            strict: recipe.strict.unwrap_or(false),
            frozen: recipe.freeze.unwrap_or_default(),
            zero_init_residual: recipe.zero_init_residual.unwrap_or(false),
            decoding: DecodeOptions::from(&preprocess),
            augmentation: Augmentation {
                policy,
                small: preprocess.size.iter().all(|&edge| edge <= LARGEST_SMALL),
                erase: required(recipe.random_erase, "random-erase")?,
                mixup: required(recipe.mixup, "mixup")?,
                cutmix: required(recipe.cutmix, "cutmix")?,
            },
            preprocess,
            shuffle: !recipe.no_shuffle.unwrap_or(false),
            seed: required(recipe.seed, "seed")?,
            epochs: required(recipe.epochs, "epochs")?,
            max_steps: recipe.max_steps,
            batch_size: required(recipe.batch_size, "batch-size")?,
            shards: recipe.shards.unwrap_or(1),
            sync_bn: recipe.sync_bn.unwrap_or(false),
            drop_last: recipe.drop_last.unwrap_or(false),
            grad_accumulation: recipe.grad_accumulation.unwrap_or(1),
            optimizer: OptimizerConfig {
                kind: optimizer,
                momentum: recipe.momentum.unwrap_or(0.9),
                nesterov: recipe.nesterov.unwrap_or(false),
                weight_decay: required(recipe.weight_decay, "weight-decay")?,
                norm_decay: !recipe.no_norm_decay.unwrap_or(false),
                eps: optimizer.eps(),
                ..OptimizerConfig::default()
            },
            lr: required(recipe.lr, "lr")?,
            scheduler: required(recipe.scheduler, "scheduler")?,
            warmup_epochs: required(recipe.warmup_epochs, "warmup-epochs")?,
            milestones: recipe.milestones.unwrap_or_default(),
            label_smoothing: required(recipe.label_smoothing, "label-smoothing")?,
            class_weights: recipe.class_weights,
            clip_grad: recipe.clip_grad,
            ema: recipe.ema,
            best_by: recipe.best_by.unwrap_or_default(),
            patience: recipe.patience,
            dtype: match recipe.dtype.unwrap_or_default() {
                TrainDType::F32 => DType::F32,
                TrainDType::F64 => DType::F64,
                TrainDType::Unsupported(name) => {
                    return Err(out_of_range("dtype", name, "f32 or f64"));
                }
            },
            checkpoint_every: recipe.checkpoint_every,
        };
        settings.check(complete)?;
        Ok(settings)
    }
}

impl Settings {
    /// Returns true if shards share the statistics of a batch norm that is trained.
    pub(in crate::train) fn shares_statistics(&self) -> bool {
        self.sync_bn && self.shards > 1 && self.frozen != Frozen::Backbone
    }

    /// Returns the fewest images of a shard that can be trained on, where those of a batch are `fewest`.
    pub(in crate::train) fn fewest_of_shard(&self, fewest: usize) -> usize {
        if self.shares_statistics() {
            1
        } else {
            fewest.max(1)
        }
    }

    /// Returns the maximum number of images that a run is trained on before its last step; `None` without `max-steps`.
    pub(in crate::train) fn max_images(&self) -> Option<usize> {
        let steps = usize::try_from(self.max_steps?).unwrap_or(usize::MAX);
        Some(steps.saturating_mul(self.batch_size * self.grad_accumulation))
    }
}

/// Returns the preprocessing of the recipe.
fn preprocess(recipe: &Recipe) -> Result<Preprocess> {
    let ImageSize(size) = required(recipe.image_size, "image-size")?;
    Ok(Preprocess {
        size,
        crop_pct: required(recipe.crop_pct, "crop-pct")?,
        crop_mode: required(recipe.crop_mode, "crop-mode")?,
        interpolation: required(recipe.interpolation, "interpolation")?,
        mean: required(recipe.mean.clone(), "mean")?,
        std: required(recipe.std.clone(), "std")?,
        test_size: None,
        test_crop_pct: None,
        exif: !recipe.no_exif.unwrap_or(false),
    })
}

/// Returns the architecture of the recipe for images of `size`, for a network trained from scratch.
///
/// # Errors
/// If the network cannot be built.
pub fn architecture(recipe: &Recipe, size: [usize; 2]) -> Result<Architecture> {
    recipe.check_ranges(&[Group::Architecture])?;
    let depth = recipe.depth.unwrap_or(50);
    let name = recipe.arch.as_deref().and_then(canonical_name);
    if let (Some(name), Some(depth)) = (name, recipe.depth) {
        return Err(usage_error(
            message![
                setting("arch").to(name),
                " and ",
                setting("depth").to(depth),
                " are two architectures",
            ],
            "leave one of them out",
        ));
    }
    let is_cifars = match name {
        Some(name) => ModelConfig::named(name).is_some_and(|config| config.stem == StemKind::Cifar),
        None => CIFAR_DEPTHS.contains(&depth),
    };
    let stem = match recipe.stem.unwrap_or(StemRule::Auto) {
        StemRule::Auto if is_cifars => StemRule::Cifar,
        stem => stem,
    };
    let architecture = Architecture {
        name,
        depth,
        stem: Some(stem.at(size)),
        width: recipe.width,
        groups: recipe.groups,
        width_per_group: recipe.width_per_group,
        plain: recipe.plain.unwrap_or(false),
    };
    architecture.config().map_err(|error| {
        usage_error(
            format!("cannot build this network: {}", without_backtrace(&error)),
            message!["see the architecture in ", help("train")],
        )
    })?;
    Ok(architecture)
}

impl Settings {
    /// Returns the optimizer and what goes with it: `SGD, lr 0.1, momentum 0.9, weight decay 0.0005`.
    pub(in crate::train) fn describe_optimizer(&self) -> String {
        let optimizer = &self.optimizer;
        let name = optimizer.kind.caption();
        let has_momentum = optimizer.kind.has_momentum() && optimizer.momentum > 0.0;
        let momentum = match (has_momentum, optimizer.nesterov) {
            (false, _) => String::new(),
            (true, false) => format!(", momentum {}", optimizer.momentum),
            (true, true) => format!(", Nesterov momentum {}", optimizer.momentum),
        };
        let decay = optimizer.weight_decay;
        with_amounts(
            format!("{name}, lr {}{momentum}, weight decay {decay}", self.lr),
            [
                ("EMA", self.ema.unwrap_or(0.0)),
                ("gradient clipping", self.clip_grad.unwrap_or(0.0)),
            ],
        )
    }

    /// Returns the scheduler and its warm-up: `cosine, 0.15 warm-up epochs`.
    pub(in crate::train) fn describe_schedule(&self) -> String {
        let scheduler = word(&self.scheduler);
        if self.warmup_epochs <= 0.0 {
            return scheduler;
        }
        let is_one = (self.warmup_epochs - 1.0).abs() < f64::EPSILON;
        let unit = if is_one { "epoch" } else { "epochs" };
        format!("{scheduler}, {} warm-up {unit}", self.warmup_epochs)
    }

    /// Returns the augmentation: `crop-flip, mixup 0.2, label smoothing 0.1`.
    pub(in crate::train) fn describe_augmentation(&self) -> String {
        let augmentation = &self.augmentation;
        with_amounts(
            word(&augmentation.policy),
            [
                ("mixup", augmentation.mixup),
                ("CutMix", augmentation.cutmix),
                ("random erasing", augmentation.erase),
                ("label smoothing", self.label_smoothing),
            ],
        )
    }
}

/// Returns `text` with those of the named amounts that are above 0.
fn with_amounts<const N: usize>(text: String, amounts: [(&str, f64); N]) -> String {
    let present = amounts.into_iter().filter(|(_, amount)| *amount > 0.0);
    let named = present.map(|(name, amount)| format!("{name} {amount}"));
    let parts: Vec<String> = std::iter::once(text).chain(named).collect();
    parts.join(", ")
}

/// The training settings in one line.
impl fmt::Display for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [height, width] = self.preprocess.size;
        write!(
            formatter,
            "{}; {} over {}; batch size {}; {height}x{width} px, augmentation {}",
            self.describe_optimizer(),
            self.describe_schedule(),
            pluralize(self.epochs, "epoch"),
            self.batch_size,
            self.describe_augmentation()
        )?;
        if self.frozen != Frozen::Nothing {
            write!(formatter, "; {} frozen", self.frozen)?;
        }
        Ok(())
    }
}

/// Returns a value as recipes write it.
fn word(choice: &impl Serialize) -> String {
    let value = serde_json::to_value(choice).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}
