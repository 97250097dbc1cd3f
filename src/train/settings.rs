//! A run's settings: a recipe with every answer, checked.

use super::choices::{PictureSize, StemRule};
use super::optimiser::{OptimiserConfig, OptimiserKind};
use super::ranges::wrong;
use super::recipe::Recipe;
use super::schedule::Scheduler;
use crate::data::DecodeOptions;
use crate::data::augment::Augmentation;
use crate::error::{misuse, without_backtrace};
use crate::model::{Architecture, Frozen, Preprocess, config::CIFAR_DEPTHS};
use anyhow::Result;
use candle_core::DType;
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;

/// Everything that decides what a run computes.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub struct Settings {
    /// The part of the training pictures that is carved out to validate on.
    pub val_split: Option<f64>,
    /// A picture that cannot be read ends the run.
    pub strict: bool,
    /// The part of the net that stays as it is.
    pub frozen: Frozen,
    /// Each block's last batch norm starts at 0.
    pub zero_init_residual: bool,
    /// How pictures become inputs, in evaluation and before augmentation.
    pub preprocess: Preprocess,
    /// How picture files are read.
    pub decoding: DecodeOptions,
    /// How training pictures are varied.
    pub augmentation: Augmentation,
    /// Pictures come in an order that changes from epoch to epoch.
    pub shuffle: bool,
    /// What all random numbers start from.
    pub seed: u64,
    /// Passes over the training pictures.
    pub epochs: u64,
    /// Optimiser steps after which the run ends.
    pub max_steps: Option<u64>,
    /// Pictures a batch.
    pub batch_size: usize,
    /// The last batch of an epoch is left out where it is not full.
    pub drop_last: bool,
    /// Batches a step.
    pub grad_accumulation: usize,
    /// The optimiser.
    pub optimiser: OptimiserConfig,
    /// The highest learning rate.
    pub lr: f64,
    /// How the learning rate changes.
    pub scheduler: Scheduler,
    /// Epochs in which the learning rate rises.
    pub warmup_epochs: f64,
    /// Epochs at which `step` lowers the learning rate to a tenth.
    pub milestones: Vec<u64>,
    /// The share of the target that is spread over all classes.
    pub label_smoothing: f64,
    /// How classes weigh in the loss.
    pub class_weights: Option<ClassWeights>,
    /// The largest norm of all gradients together.
    pub clip_grad: Option<f64>,
    /// Decay of the moving average of the weights.
    pub ema: Option<f64>,
    /// Epochs without a better one after which the run ends.
    pub patience: Option<u64>,
    /// The type of the numbers.
    pub dtype: DType,
    /// Steps after which the state is saved, beside the end of each epoch.
    pub checkpoint_every: Option<u64>,
}

/// The widest that a net may be, in channels of its first stage and channels a group.
const WIDEST: usize = 4096;

/// How classes weigh in the loss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClassWeights {
    /// Against their frequency.
    Auto,
    /// As a file says, a number a line.
    File(PathBuf),
}

/// What the recipe says of `key`.
fn said<T>(value: Option<T>, key: &str) -> Result<T> {
    value.ok_or_else(|| {
        misuse(
            format!("the recipe says nothing of `{key}`"),
            "a run's `config.toml` has every key: add it",
        )
    })
}

impl Settings {
    /// The settings of a recipe that has every answer.
    ///
    /// # Errors
    /// An answer that is missing, or out of its range.
    pub fn new(recipe: &Recipe) -> Result<Self> {
        let recipe = recipe.clone();
        let preprocess = preprocess(&recipe)?;
        let policy = said(recipe.augment, "augment")?;
        let settings = Self {
            val_split: recipe.val_split,
            strict: recipe.strict.unwrap_or(false),
            frozen: recipe.freeze.unwrap_or_default(),
            zero_init_residual: recipe.zero_init_residual.unwrap_or(false),
            decoding: DecodeOptions::from(&preprocess),
            augmentation: Augmentation {
                policy,
                small: StemRule::Auto.at(preprocess.size) == StemRule::Cifar.at([0, 0]),
                erase: said(recipe.random_erase, "random-erase")?,
                mixup: said(recipe.mixup, "mixup")?,
                cutmix: said(recipe.cutmix, "cutmix")?,
            },
            preprocess,
            shuffle: !recipe.no_shuffle.unwrap_or(false),
            seed: said(recipe.seed, "seed")?,
            epochs: said(recipe.epochs, "epochs")?,
            max_steps: recipe.max_steps,
            batch_size: said(recipe.batch_size, "batch-size")?,
            drop_last: recipe.drop_last.unwrap_or(false),
            grad_accumulation: recipe.grad_accumulation.unwrap_or(1),
            optimiser: OptimiserConfig {
                kind: said(recipe.optimizer, "optimizer")?,
                momentum: recipe.momentum.unwrap_or(0.9),
                nesterov: recipe.nesterov.unwrap_or(false),
                weight_decay: said(recipe.weight_decay, "weight-decay")?,
                norm_decay: !recipe.no_norm_decay.unwrap_or(false),
                betas: [0.9, 0.999],
                eps: 1e-8,
            },
            lr: said(recipe.lr, "lr")?,
            scheduler: said(recipe.scheduler, "scheduler")?,
            warmup_epochs: said(recipe.warmup_epochs, "warmup-epochs")?,
            milestones: recipe.milestones.unwrap_or_default(),
            label_smoothing: said(recipe.label_smoothing, "label-smoothing")?,
            class_weights: recipe.class_weights.map(|weights| match weights.as_str() {
                "auto" => ClassWeights::Auto,
                file => ClassWeights::File(file.into()),
            }),
            clip_grad: recipe.clip_grad,
            ema: recipe.ema,
            patience: recipe.patience,
            dtype: match recipe.dtype.as_deref().unwrap_or("f32") {
                "f32" => DType::F32,
                "f64" => DType::F64,
                other => return Err(wrong("dtype", other, "f32 or f64")),
            },
            checkpoint_every: recipe.checkpoint_every,
        };
        settings.check()?;
        Ok(settings)
    }
}

impl Settings {
    /// The most pictures that a run learns from before its last step; nothing where steps do not end it.
    pub(super) fn most_pictures(&self) -> Option<usize> {
        let steps = usize::try_from(self.max_steps?).unwrap_or(usize::MAX);
        Some(steps.saturating_mul(self.batch_size * self.grad_accumulation))
    }
}

/// The preprocessing that the recipe describes.
fn preprocess(recipe: &Recipe) -> Result<Preprocess> {
    let PictureSize(size) = said(recipe.image_size, "image-size")?;
    Ok(Preprocess {
        size,
        crop_pct: said(recipe.crop_pct, "crop-pct")?,
        crop_mode: said(recipe.crop_mode, "crop-mode")?,
        interpolation: said(recipe.interpolation, "interpolation")?,
        mean: said(recipe.mean.clone(), "mean")?,
        std: said(recipe.std.clone(), "std")?,
        test_size: None,
        test_crop_pct: None,
        exif: !recipe.no_exif.unwrap_or(false),
    })
}

/// The net that the recipe describes for pictures of `size`, where it starts from no model.
///
/// # Errors
/// A net that cannot be built.
pub fn architecture(recipe: &Recipe, size: [usize; 2]) -> Result<Architecture> {
    for (flag, number) in [
        ("width", recipe.width),
        ("groups", recipe.groups),
        ("width-per-group", recipe.width_per_group),
    ] {
        if let Some(number) = number.filter(|number| !(1..=WIDEST).contains(number)) {
            return Err(wrong(flag, number, "at least 1 and at most 4096"));
        }
    }
    let depth = recipe.depth.unwrap_or(50);
    let stem = match recipe.stem.unwrap_or(StemRule::Auto) {
        StemRule::Auto if CIFAR_DEPTHS.contains(&depth) => StemRule::Cifar,
        stem => stem,
    };
    let architecture = Architecture {
        depth,
        stem: Some(stem.at(size)),
        width: recipe.width,
        groups: recipe.groups,
        width_per_group: recipe.width_per_group,
        plain: recipe.plain.unwrap_or(false),
    };
    architecture.config().map_err(|error| {
        misuse(
            format!("cannot build that net: {}", without_backtrace(&error)),
            "`resnet train --help` lists the flags of an architecture",
        )
    })?;
    Ok(architecture)
}

/// What decides how it learns, in a line.
impl fmt::Display for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            optimiser,
            augmentation,
            ..
        } = self;
        write!(formatter, "{} lr {}", word(&optimiser.kind), self.lr)?;
        if optimiser.kind == OptimiserKind::Sgd && optimiser.momentum > 0.0 {
            let nesterov = if optimiser.nesterov { "nesterov " } else { "" };
            write!(formatter, ", {nesterov}momentum {}", optimiser.momentum)?;
        }
        write!(formatter, ", weight decay {}", optimiser.weight_decay)?;
        write!(
            formatter,
            "; {} over {} epoch{}",
            word(&self.scheduler),
            self.epochs,
            if self.epochs == 1 { "" } else { "s" }
        )?;
        if self.warmup_epochs > 0.0 {
            let is_one = (self.warmup_epochs - 1.0).abs() < f64::EPSILON;
            let unit = if is_one { "epoch" } else { "epochs" };
            write!(formatter, ", rising for {} {unit}", self.warmup_epochs)?;
        }
        write!(formatter, "; batches of {}", self.batch_size)?;
        let [height, width] = self.preprocess.size;
        write!(
            formatter,
            "; {height}x{width} px, augment {}",
            word(&augmentation.policy)
        )?;
        for (name, amount) in [
            ("mixup", augmentation.mixup),
            ("cutmix", augmentation.cutmix),
            ("random erase", augmentation.erase),
            ("label smoothing", self.label_smoothing),
            ("ema", self.ema.unwrap_or(0.0)),
            ("clip", self.clip_grad.unwrap_or(0.0)),
        ] {
            if amount > 0.0 {
                write!(formatter, ", {name} {amount}")?;
            }
        }
        if self.frozen != Frozen::Nothing {
            write!(formatter, "; {} frozen", self.frozen)?;
        }
        Ok(())
    }
}

/// A choice as a recipe writes it.
fn word(choice: &impl Serialize) -> String {
    let value = serde_json::to_value(choice).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}
