//! Default settings that train well without tuning, by the kind of images and the start of the network.
//!
//! - Small images from scratch follow the common CIFAR recipe: SGD, momentum 0.9, weight decay 5e-4, cosine, padded crop and
//!   flip.
//! - Photographs from scratch follow torchvision's first recipe for `ImageNet` with a cosine: weight decay 1e-4, random resized
//!   crop, label smoothing 0.1.
//! - Fine-tuning uses a tenth of the learning rate and fewer epochs.
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

use crate::data::dataset::Kind;
use crate::data::transform::augment::Policy;
use crate::model::{Frozen, Preprocess};
use crate::train::checkpoint::best::BestBy;
use crate::train::config::recipe::Recipe;
use crate::train::config::values::PictureSize;
use crate::train::learner::lr_schedule::Scheduler;
use crate::train::learner::optimizer::OptimiserKind;

/// The facts that the defaults depend on, beside the recipe.
#[derive(Debug, Clone, Copy)]
pub struct Situation {
    /// The kind of images.
    pub kind: Kind,
    /// True for a pretrained network.
    pub from_model: bool,
    /// Training images.
    pub pictures: usize,
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

/// Returns defaults for the keys that `said` leaves unset, with the base `preprocess`. `steps_an_epoch` returns the optimizer
/// steps per epoch for a batch size.
pub fn defaults(
    situation: Situation,
    said: &Recipe,
    preprocess: &Preprocess,
    steps_an_epoch: impl Fn(usize) -> u64,
) -> Recipe {
    let Situation {
        kind,
        from_model,
        pictures,
    } = situation;
    let is_noise = kind == Kind::Noise;
    let is_probe = said.freeze == Some(Frozen::Backbone);
    let is_small = is_small(kind);
    let batch_size = usual_batch_size(situation, said);
    // The rate follows the actual batch size, which is limited by the number of images.
    let batch = said.batch_size.unwrap_or(batch_size).min(pictures.max(1));
    let steps_an_epoch = steps_an_epoch(batch).max(1);
    let epochs = said.epochs.unwrap_or_else(|| match said.max_steps {
        // A run limited by steps has the epochs that these need.
        Some(steps) => steps.div_ceil(steps_an_epoch).max(1),
        None => usual_epochs(situation, said, steps_an_epoch),
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
            match () {
                () if is_probe => Learns::TheLastLayer,
                () if from_model => Learns::AModel,
                () if is_small => Learns::SmallPictures,
                () => Learns::Photographs,
            },
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
            // As in the paper: at a half and three quarters of the run.
            let mut milestones = vec![(epochs / 2).max(1), (3 * epochs / 4).max(1)];
            milestones.dedup();
            milestones
        }),
        label_smoothing: Some(if kind == Kind::Photographs { 0.1 } else { 0.0 }),
        best_by: Some(BestBy::Top1),
        dtype: Some("f32".to_owned()),
        ..Recipe::default()
    }
}

/// Returns the default batch size, smaller for small datasets.
fn usual_batch_size(situation: Situation, said: &Recipe) -> usize {
    let many: usize = if said.freeze == Some(Frozen::Backbone) {
        256
    } else if is_small(situation.kind) && !situation.from_model {
        128
    } else {
        32
    };
    if situation.kind == Kind::Noise {
        // Random inputs are for timing.
        return many;
    }
    let share = (situation.pictures / BATCHES_AN_EPOCH).max(FEWEST_TOGETHER);
    many.min(1 << share.ilog2())
}

/// Returns the default number of epochs, larger for small datasets.
pub(in crate::train) fn usual_epochs(
    situation: Situation,
    said: &Recipe,
    steps_an_epoch: u64,
) -> u64 {
    let many = match () {
        () if situation.kind == Kind::Noise => return 1,
        () if said.freeze == Some(Frozen::Backbone) => 30,
        () if situation.from_model => 10,
        () if is_small(situation.kind) => 30,
        () => 90,
    };
    let needed = FEWEST_STEPS.div_ceil(steps_an_epoch.max(1));
    many.max(needed.min(MOST_EPOCHS))
}

fn is_small(kind: Kind) -> bool {
    matches!(kind, Kind::Small | Kind::SmallGrey | Kind::Digits)
}

/// The trained part of a network, and its start.
#[derive(Clone, Copy, PartialEq)]
enum Learns {
    /// The last layer of a frozen network.
    TheLastLayer,
    /// A pretrained model.
    AModel,
    /// From scratch on small images.
    SmallPictures,
    /// From scratch on photographs.
    Photographs,
}

/// Returns the learning rate; for SGD proportional to the batch size (<https://arxiv.org/abs/1706.02677>), for the last layer
/// alone only below [`FEWEST_TOGETHER`].
fn rate(optimiser: OptimiserKind, learns: Learns, batch: usize) -> f64 {
    let few = batch.min(FEWEST_TOGETHER) as f64;
    let batch = batch as f64;
    let rate = match (optimiser, learns) {
        (OptimiserKind::Sgd, Learns::TheLastLayer) => PROBE_RATE * few / FEWEST_TOGETHER as f64,
        // Not smaller for batches that are small because the dataset is.
        (OptimiserKind::Sgd, Learns::AModel) => 0.01 * batch.max(32.0) / 64.0,
        (OptimiserKind::Sgd, Learns::SmallPictures) => 0.1 * batch / 128.0,
        (OptimiserKind::Sgd, Learns::Photographs) => 0.1 * batch / 256.0,
        // A small rate keeps the pretrained features.
        (OptimiserKind::Adam | OptimiserKind::Adamw, Learns::AModel) => 1e-4,
        (OptimiserKind::Adam | OptimiserKind::Adamw, _) => 1e-3,
    };
    short(rate)
}

/// Rounds to four significant digits.
fn short(number: f64) -> f64 {
    format!("{number:.3e}").parse().unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::Settings;

    fn filled(kind: Kind, from_model: bool, said: Recipe) -> Recipe {
        of_pictures(10_000, kind, from_model, said)
    }

    fn of_pictures(pictures: usize, kind: Kind, from_model: bool, said: Recipe) -> Recipe {
        let situation = Situation {
            kind,
            from_model,
            pictures,
        };
        let defaults = defaults(situation, &said, &Preprocess::default(), |batch| {
            pictures.div_ceil(batch) as u64
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
            batch_size: Some(1000),
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
    fn few_pictures_make_enough_steps_in_small_batches() {
        let probe = || Recipe {
            freeze: Some(Frozen::Backbone),
            ..Recipe::default()
        };
        for (pictures, kind, from_model, said, batch, epochs, lr) in [
            // A last layer alone: its rate does not follow the batch.
            (81, Kind::Photographs, true, probe(), 8, 30, 0.005),
            (20, Kind::Photographs, true, probe(), 8, 67, 0.005),
            (1000, Kind::Photographs, true, probe(), 64, 30, 0.005),
            (60_000, Kind::Small, true, probe(), 256, 30, 0.005),
            // Fine-tuning.
            (40, Kind::Photographs, true, Recipe::default(), 8, 40, 0.005),
            (
                200,
                Kind::Photographs,
                true,
                Recipe::default(),
                16,
                16,
                0.005,
            ),
            (
                5000,
                Kind::Photographs,
                true,
                Recipe::default(),
                32,
                10,
                0.005,
            ),
            // From scratch.
            (60, Kind::Small, false, Recipe::default(), 8, 30, 0.00625),
            (6000, Kind::Small, false, Recipe::default(), 128, 30, 0.1),
            (
                3,
                Kind::Photographs,
                false,
                Recipe::default(),
                8,
                100,
                0.001_172,
            ),
            // Random inputs are for timing.
            (16, Kind::Noise, false, Recipe::default(), 32, 1, 0.00625),
        ] {
            let filled = of_pictures(pictures, kind, from_model, said);
            let found = (filled.batch_size, filled.epochs, filled.lr);
            let what = format!("{pictures} of {kind:?}: {found:?}");
            assert_eq!((found.0, found.1), (Some(batch), Some(epochs)), "{what}");
            assert!((found.2.unwrap() - lr).abs() < 1e-9, "{what}");
        }
    }

    #[test]
    fn digits_are_never_mirrored() {
        let policy = filled(Kind::Digits, false, Recipe::default()).augment;
        assert_eq!(policy, Some(Policy::Crop));
    }
}
