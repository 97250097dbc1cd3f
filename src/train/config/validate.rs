//! Ranges of the values in a recipe.

use crate::data::transform::augment::Policy;
use crate::error::usage_error;
use crate::model::{Frozen, Preprocess};
use crate::train::config::recipe::Recipe;
use crate::train::config::settings::Settings;
use crate::train::config::values::PictureSize;
use anyhow::Result;
use std::fmt::Display;

/// Maximum number of epochs of a run.
const MOST_EPOCHS: u64 = 1_000_000;
/// Maximum number of steps of a run.
const MOST_STEPS: u64 = 1_000_000_000_000;

/// The usage error for `flag` with a value out of range; `is` completes `--flag must be ...`.
pub(in crate::train) fn wrong(flag: &str, value: impl Display, is: &str) -> anyhow::Error {
    usage_error(
        format!("cannot train with --{flag} {value}"),
        format!("--{flag} must be {is}"),
    )
}

impl Settings {
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
            return Err(wrong("epochs", self.epochs, "at most 1,000,000"));
        }
        if self.milestones.iter().any(|&epoch| epoch > MOST_EPOCHS) {
            return Err(wrong(
                "milestones",
                format_args!("{:?}", self.milestones),
                "epochs, at most 1,000,000",
            ));
        }
        if !self.milestones.is_sorted_by(|a, b| a < b) {
            return Err(wrong(
                "milestones",
                format_args!("{:?}", self.milestones),
                "increasing epochs",
            ));
        }
        if self.batch_size > 65_536 {
            return Err(wrong("batch-size", self.batch_size, "at most 65,536"));
        }
        Ok(())
    }

    /// Rejects values out of range; the optimizer and the augmentation check their own.
    pub(in crate::train) fn check(&self) -> Result<()> {
        self.check_counts()?;
        self.optimiser.validate()?;
        self.augmentation.check()?;
        let share = "at least 0 and below 1";
        let positive = |number: f64| number.is_finite() && number > 0.0;
        let is_share = |number: f64| (0.0..1.0).contains(&number);
        let numbers = [
            ("lr", self.lr, positive(self.lr), "above 0, such as 0.1"),
            (
                "label-smoothing",
                self.label_smoothing,
                is_share(self.label_smoothing),
                share,
            ),
            (
                "warmup-epochs",
                self.warmup_epochs,
                (0.0..=MOST_EPOCHS as f64).contains(&self.warmup_epochs),
                "at least 0 and at most 1,000,000",
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
            return Err(wrong("clip-grad", norm, "above 0, such as 1"));
        }
        if self.augmentation.policy == Policy::None && self.frozen == Frozen::Backbone {
            // Features are computed once, so images cannot vary.
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
                        "0 with a frozen backbone and `--augment none`: features are computed once",
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Rejects a mean and std that are not one number per channel, for one channel or three.
fn check_channels(recipe: &Recipe, base: &Preprocess) -> Result<()> {
    let mean = recipe.mean.as_ref().unwrap_or(&base.mean);
    let std = recipe.std.as_ref().unwrap_or(&base.std);
    let mut both = [("mean", mean), ("std", std)];
    if recipe.mean.is_none() {
        // The value that the user set is to blame, not the default that it does not fit.
        both.reverse();
    }
    for (flag, numbers) in both {
        if ![1, 3].contains(&numbers.len()) || mean.len() != std.len() {
            return Err(wrong(
                flag,
                format_args!("{numbers:?}"),
                "one number per channel, the same count for --mean and --std: 3 for color, 1 for gray",
            ));
        }
        let mut finite = numbers.iter().filter(|number| number.is_finite());
        if let Some(number) = finite.find(|number| number.abs() > Preprocess::LARGEST_LEVEL) {
            return Err(usage_error(
                format!("cannot train with --{flag} {number}: pixel values are scaled to 0..1"),
                "divide each of its numbers by 255",
            ));
        }
    }
    if let Some(number) = mean.iter().find(|number| !number.is_finite()) {
        return Err(wrong("mean", number, "a finite number per channel"));
    }
    match std.iter().find(|&&std| !(std.is_finite() && std > 0.0)) {
        Some(number) => Err(wrong("std", number, "a number above 0 per channel")),
        None => Ok(()),
    }
}

/// Rejects preprocessing in a recipe that the command line's own parser would reject.
///
/// # Errors
/// Wrong usage: image sizes, crop fractions, mean or std out of range.
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
    check_channels(recipe, base)
}
