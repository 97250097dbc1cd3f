//! What a run does where nothing else is said: recipes that train well at once, by what the pictures are and what the net
//! starts from.
//!
//! - Small pictures from scratch follow the common CIFAR recipe: SGD, momentum .9, decay 5e-4, cosine, padded crop and flip.
//! - Photographs from scratch follow torchvision's first recipe for `ImageNet` with a cosine: decay 1e-4, random resized
//!   crop, label smoothing .1.
//! - Fine-tuning takes a tenth of the rate and fewer epochs.
//! - A frozen backbone trains its last layer on features that are computed once, so pictures are not varied.

use super::choices::PictureSize;
use super::optimiser::OptimiserKind;
use super::recipe::Recipe;
use super::schedule::Scheduler;
use crate::data::augment::Policy;
use crate::data::sets::Kind;
use crate::model::{Frozen, Preprocess};

/// What the defaults depend on beside what was said.
#[derive(Debug, Clone, Copy)]
pub struct Situation {
    /// What pictures there are.
    pub kind: Kind,
    /// The net starts from a model's weights.
    pub from_model: bool,
}

/// The share of the epochs in which the learning rate rises.
const WARMUP: f64 = 0.05;

/// The answers that `said` leaves open, with `preprocess` for the pictures. `steps_an_epoch` gives the optimiser steps an
/// epoch has at a batch size.
pub fn defaults(
    situation: Situation,
    said: &Recipe,
    preprocess: &Preprocess,
    steps_an_epoch: impl Fn(usize) -> u64,
) -> Recipe {
    let Situation { kind, from_model } = situation;
    let is_noise = kind == Kind::Noise;
    let is_probe = said.freeze == Some(Frozen::Backbone);
    let is_small = is_small(kind);
    let batch_size = usual_batch_size(situation, said);
    let batch = said.batch_size.unwrap_or(batch_size);
    let usual_epochs = match () {
        () if is_noise => 1,
        () if is_probe => 30,
        () if from_model => 10,
        () if is_small => 30,
        () => 90,
    };
    let epochs = said.epochs.unwrap_or_else(|| match said.max_steps {
        // A run that is measured in steps has the epochs that these take.
        Some(steps) => steps.div_ceil(steps_an_epoch(batch).max(1)).max(1),
        None => usual_epochs,
    });
    let kind_of_optimiser = said.optimizer.unwrap_or(OptimiserKind::Sgd);
    let scheduler = said.scheduler.unwrap_or(if is_noise {
        Scheduler::Constant
    } else {
        Scheduler::Cosine
    });
    let rises = matches!(scheduler, Scheduler::Cosine | Scheduler::Step);
    Recipe {
        strict: Some(false),
        zero_init_residual: (!from_model).then_some(false),
        image_size: Some(PictureSize(preprocess.size)),
        crop_pct: Some(preprocess.crop_pct),
        crop_mode: Some(preprocess.crop_mode),
        interpolation: Some(preprocess.interpolation),
        mean: Some(preprocess.mean.clone()),
        std: Some(preprocess.std.clone()),
        no_exif: Some(!preprocess.exif),
        augment: Some(match kind {
            _ if is_probe || is_noise => Policy::None,
            Kind::Small | Kind::SmallGrey => Policy::CropFlip,
            Kind::Digits => Policy::Crop,
            Kind::Photographs | Kind::Noise => Policy::ResizedCrop,
        }),
        mixup: Some(0.0),
        cutmix: Some(0.0),
        random_erase: Some(0.0),
        no_shuffle: Some(false),
        seed: Some(0),
        epochs: Some(epochs),
        batch_size: Some(batch_size),
        drop_last: Some(false),
        grad_accumulation: Some(1),
        optimizer: Some(kind_of_optimiser),
        lr: Some(rate(
            kind_of_optimiser,
            is_small,
            from_model || is_probe,
            batch,
        )),
        momentum: (kind_of_optimiser == OptimiserKind::Sgd).then_some(0.9),
        nesterov: (kind_of_optimiser == OptimiserKind::Sgd).then_some(false),
        weight_decay: Some(match kind_of_optimiser {
            OptimiserKind::Sgd if is_small && !from_model => 5e-4,
            OptimiserKind::Sgd => 1e-4,
            OptimiserKind::Adam => 0.0,
            OptimiserKind::Adamw => 0.01,
        }),
        no_norm_decay: Some(false),
        scheduler: Some(scheduler),
        warmup_epochs: Some(if rises {
            short(WARMUP * epochs as f64)
        } else {
            0.0
        }),
        milestones: (scheduler == Scheduler::Step).then(|| {
            // The paper's: at a half and three quarters of the run.
            vec![(epochs / 2).max(1), (3 * epochs / 4).max(1)]
        }),
        label_smoothing: Some(if kind == Kind::Photographs { 0.1 } else { 0.0 }),
        dtype: Some("f32".to_owned()),
        ..Recipe::default()
    }
}

/// Pictures of a batch where `said` names no number.
pub(super) fn usual_batch_size(situation: Situation, said: &Recipe) -> usize {
    if said.freeze == Some(Frozen::Backbone) {
        256
    } else if is_small(situation.kind) && !situation.from_model {
        128
    } else {
        32
    }
}

fn is_small(kind: Kind) -> bool {
    matches!(kind, Kind::Small | Kind::SmallGrey | Kind::Digits)
}

/// The learning rate, in proportion to the batch for SGD (<https://arxiv.org/abs/1706.02677>).
fn rate(optimiser: OptimiserKind, is_small: bool, is_tuned: bool, batch: usize) -> f64 {
    let batch = batch as f64;
    let rate = match (optimiser, is_tuned) {
        (OptimiserKind::Sgd, false) if is_small => 0.1 * batch / 128.0,
        (OptimiserKind::Sgd, false) => 0.1 * batch / 256.0,
        (OptimiserKind::Sgd, true) => 0.01 * batch / 64.0,
        (OptimiserKind::Adam | OptimiserKind::Adamw, false) => 1e-3,
        (OptimiserKind::Adam | OptimiserKind::Adamw, true) => 1e-4,
    };
    short(rate)
}

/// The number as short as people would write it.
fn short(number: f64) -> f64 {
    format!("{number:.3e}").parse().unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::Settings;

    fn filled(kind: Kind, from_model: bool, said: Recipe) -> Recipe {
        let situation = Situation { kind, from_model };
        let defaults = defaults(situation, &said, &Preprocess::default(), |batch| {
            (1000 / batch) as u64
        });
        said.or(defaults)
    }

    #[test]
    fn every_situation_has_settings_that_hold() {
        let kinds = [
            Kind::Small,
            Kind::SmallGrey,
            Kind::Digits,
            Kind::Photographs,
            Kind::Noise,
        ];
        for kind in kinds {
            for from_model in [false, true] {
                for freeze in [None, Some(Frozen::Stem), Some(Frozen::Backbone)] {
                    for optimizer in [OptimiserKind::Sgd, OptimiserKind::Adam] {
                        let said = Recipe {
                            freeze,
                            optimizer: Some(optimizer),
                            ..Recipe::default()
                        };
                        Settings::new(&filled(kind, from_model, said)).unwrap();
                    }
                }
            }
        }
    }

    #[test]
    fn a_run_of_steps_has_the_epochs_that_they_take() {
        let said = Recipe {
            max_steps: Some(25),
            batch_size: Some(100),
            ..Recipe::default()
        };
        assert_eq!(filled(Kind::Small, false, said.clone()).epochs, Some(3));
        let epochs = Recipe {
            epochs: Some(7),
            ..said
        };
        assert_eq!(filled(Kind::Small, false, epochs).epochs, Some(7));
    }

    #[test]
    fn the_rate_follows_the_batch_and_fine_tuning_takes_less() {
        let lr = |from_model, batch| {
            let said = Recipe {
                batch_size: Some(batch),
                ..Recipe::default()
            };
            filled(Kind::Small, from_model, said).lr.unwrap()
        };
        assert!((lr(false, 128) - 0.1).abs() < 1e-12 && (lr(false, 64) - 0.05).abs() < 1e-12);
        assert!(lr(true, 128) < lr(false, 128));
    }

    #[test]
    fn digits_are_never_mirrored() {
        let policy = filled(Kind::Digits, false, Recipe::default()).augment;
        assert_eq!(policy, Some(Policy::Crop));
    }
}
