//! A run's settings: a recipe with every answer, checked.

use super::choices::{PictureSize, StemRule};
use super::optimiser::{OptimiserConfig, OptimiserKind};
use super::recipe::Recipe;
use super::schedule::Scheduler;
use crate::data::DecodeOptions;
use crate::data::augment::{Augmentation, Policy};
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

/// The most epochs of a run.
const MOST_EPOCHS: u64 = 1_000_000;
/// The most steps of a run.
const MOST_STEPS: u64 = 1_000_000_000_000;
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

/// Wrong usage: `flag` with a value that it cannot have.
fn wrong(flag: &str, value: impl std::fmt::Display, is: &str) -> anyhow::Error {
    misuse(
        format!("cannot train with --{flag} {value}"),
        format!("it is {is}"),
    )
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
            decoding: DecodeOptions {
                apply_exif: !recipe.no_exif.unwrap_or(false),
                ..DecodeOptions::default()
            },
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

    fn check_counts(&self) -> Result<()> {
        let whole = [
            ("epochs", Some(self.epochs)),
            ("max-steps", self.max_steps),
            ("batch-size", Some(self.batch_size as u64)),
            ("grad-accumulation", Some(self.grad_accumulation as u64)),
            ("patience", self.patience),
            ("checkpoint-every", self.checkpoint_every),
        ];
        for (flag, number) in whole {
            if number == Some(0) {
                return Err(wrong(flag, 0, "at least 1"));
            }
        }
        if let Some(steps) = self.max_steps.filter(|&steps| steps > MOST_STEPS) {
            return Err(wrong("max-steps", steps, &format!("at most {MOST_STEPS}")));
        }
        if self.epochs > MOST_EPOCHS {
            return Err(wrong("epochs", self.epochs, "at most 1000000"));
        }
        if self.milestones.iter().any(|&epoch| epoch > MOST_EPOCHS) {
            return Err(wrong(
                "milestones",
                format_args!("{:?}", self.milestones),
                "epochs, 1000000 at most",
            ));
        }
        if self.batch_size > 65_536 {
            return Err(wrong("batch-size", self.batch_size, "at most 65536"));
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        self.check_counts()?;
        let share = "at least 0 and below 1";
        let positive = |number: f64| number.is_finite() && number > 0.0;
        let not_negative = |number: f64| number.is_finite() && number >= 0.0;
        let is_share = |number: f64| (0.0..1.0).contains(&number);
        let optimiser = &self.optimiser;
        let numbers = [
            ("lr", self.lr, positive(self.lr), "above 0"),
            (
                "momentum",
                optimiser.momentum,
                is_share(optimiser.momentum),
                share,
            ),
            (
                "weight-decay",
                optimiser.weight_decay,
                not_negative(optimiser.weight_decay),
                "at least 0",
            ),
            (
                "label-smoothing",
                self.label_smoothing,
                is_share(self.label_smoothing),
                share,
            ),
            (
                "random-erase",
                self.augmentation.erase,
                (0.0..=1.0).contains(&self.augmentation.erase),
                "a probability, 0 to 1",
            ),
            (
                "mixup",
                self.augmentation.mixup,
                not_negative(self.augmentation.mixup),
                "at least 0: the alpha of a beta distribution",
            ),
            (
                "cutmix",
                self.augmentation.cutmix,
                not_negative(self.augmentation.cutmix),
                "at least 0: the alpha of a beta distribution",
            ),
            (
                "warmup-epochs",
                self.warmup_epochs,
                (0.0..=MOST_EPOCHS as f64).contains(&self.warmup_epochs),
                "at least 0, at most 1000000",
            ),
        ];
        for (flag, number, fits, is) in numbers {
            if !fits {
                return Err(wrong(flag, number, is));
            }
        }
        let optional = [
            ("val-split", self.val_split, "above 0 and below 1"),
            ("ema", self.ema, "above 0 and below 1"),
        ];
        for (flag, number, is) in optional {
            if let Some(number) = number.filter(|&number| !(number > 0.0 && number < 1.0)) {
                return Err(wrong(flag, number, is));
            }
        }
        if let Some(norm) = self.clip_grad.filter(|&norm| !positive(norm)) {
            return Err(wrong("clip-grad", norm, "above 0"));
        }
        if optimiser.nesterov && optimiser.momentum == 0.0 {
            return Err(wrong(
                "nesterov",
                "without momentum",
                "for --momentum above 0",
            ));
        }
        if self.augmentation.policy == Policy::None && self.frozen == Frozen::Backbone {
            // Features are computed once, so what varies pictures has no place.
            let varied = [
                ("random-erase", self.augmentation.erase),
                ("mixup", self.augmentation.mixup),
                ("cutmix", self.augmentation.cutmix),
            ];
            for (flag, number) in varied {
                if number > 0.0 {
                    return Err(wrong(
                        flag,
                        number,
                        "0 where the backbone is frozen and --augment is none: features are computed once",
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Refuses means and deviations that are not one a channel, of one channel or three.
fn check_channels(mean: &[f32], std: &[f32]) -> Result<()> {
    for (flag, numbers) in [("mean", mean), ("std", std)] {
        if ![1, 3].contains(&numbers.len()) || mean.len() != std.len() {
            return Err(wrong(
                flag,
                format_args!("{numbers:?}"),
                "one number a channel, as many as the other of --mean and --std: 3 for colour, 1 for grey",
            ));
        }
    }
    if let Some(number) = mean.iter().find(|number| !number.is_finite()) {
        return Err(wrong("mean", number, "a finite number a channel"));
    }
    match std.iter().find(|&&std| !(std.is_finite() && std > 0.0)) {
        Some(number) => Err(wrong("std", number, "a number above 0 a channel")),
        None => Ok(()),
    }
}

/// Refuses what a recipe says of pictures that the command line's own parser would refuse, before any is made.
///
/// # Errors
/// Misuse: sizes, parts, means and deviations out of their ranges.
pub fn check_pictures(recipe: &Recipe, base: &Preprocess) -> Result<()> {
    if let Some(PictureSize(size)) = recipe.image_size
        && size.iter().any(|edge| !(1..=4096).contains(edge))
    {
        return Err(wrong(
            "image-size",
            format_args!("{}x{}", size[0], size[1]),
            "pixels, 1 to 4096",
        ));
    }
    if let Some(part) = recipe.crop_pct.filter(|&part| !(part > 0.0 && part <= 1.0)) {
        return Err(wrong("crop-pct", part, "above 0 and at most 1"));
    }
    if recipe.mean.is_none() && recipe.std.is_none() {
        return Ok(());
    }
    let mean = recipe.mean.as_ref().unwrap_or(&base.mean);
    check_channels(mean, recipe.std.as_ref().unwrap_or(&base.std))
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
