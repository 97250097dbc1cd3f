//! Completes a recipe with the defaults of its case.

use crate::model::Preprocess;
use crate::train::config::defaults::{Case, Situation};
use crate::train::config::recipe::Recipe;

/// Returns defaults for the keys that `overrides` leaves unset, with the base `preprocess`. `steps_per_epoch` returns the
/// optimizer steps per epoch for a batch size.
pub fn defaults(
    situation: &Situation,
    overrides: &Recipe,
    preprocess: &Preprocess,
    steps_per_epoch: impl Fn(usize) -> u64,
) -> Recipe {
    let batch_size = situation.batch_size();
    // The rate follows the actual batch size, which is limited by the number of images.
    let largest_batch = overrides.batch_size.unwrap_or(batch_size);
    let largest_batch = largest_batch.min(situation.images.max(1));
    let steps_per_epoch = steps_per_epoch(largest_batch).max(1);
    let epochs = overrides
        .epochs
        .unwrap_or_else(|| match overrides.max_steps {
            // A run limited by steps has the epochs that these need.
            Some(steps) => steps.div_ceil(steps_per_epoch).max(1),
            None => situation.epochs(steps_per_epoch),
        });
    Recipe::defaults(&Case {
        kind: situation.kind,
        from_model: situation.from_model,
        is_probe: situation.is_probe,
        preprocess,
        batch_size,
        largest_batch,
        epochs,
        optimizer: overrides.optimizer.unwrap_or_default(),
        scheduler: overrides.scheduler.unwrap_or(situation.scheduler()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::DatasetKind;
    use crate::data::transform::augment::Policy;
    use crate::model::Frozen;
    use crate::train::Settings;
    use crate::train::learner::optimizer::OptimizerKind;

    fn filled(kind: DatasetKind, from_model: bool, overrides: Recipe) -> Recipe {
        of_images(10_000, kind, from_model, overrides)
    }

    fn of_images(images: usize, kind: DatasetKind, from_model: bool, overrides: Recipe) -> Recipe {
        let situation = Situation {
            kind,
            from_model,
            is_probe: overrides.freeze == Some(Frozen::Backbone),
            images,
        };
        let defaults = defaults(&situation, &overrides, &Preprocess::default(), |batch| {
            images.div_ceil(batch) as u64
        });
        overrides.or(defaults)
    }

    #[test]
    fn every_situation_has_settings_that_hold() {
        let kinds = [
            DatasetKind::Small,
            DatasetKind::SmallGray,
            DatasetKind::Digits,
            DatasetKind::Photographs,
            DatasetKind::Noise,
        ];
        for kind in kinds {
            for from_model in [false, true] {
                for freeze in [None, Some(Frozen::Stem), Some(Frozen::Backbone)] {
                    for optimizer in [
                        OptimizerKind::Sgd,
                        OptimizerKind::Adam,
                        OptimizerKind::Adamw,
                        OptimizerKind::Lars,
                        OptimizerKind::Lamb,
                    ] {
                        let overrides = Recipe {
                            freeze,
                            optimizer: Some(optimizer),
                            ..Recipe::default()
                        };
                        Settings::new(&filled(kind, from_model, overrides)).unwrap();
                    }
                }
            }
        }
    }

    #[test]
    fn a_run_of_steps_has_the_epochs_that_they_take() {
        let overrides = Recipe {
            max_steps: Some(25),
            batch_size: Some(1000),
            ..Recipe::default()
        };
        assert_eq!(
            filled(DatasetKind::Small, false, overrides.clone()).epochs,
            Some(3)
        );
        let epochs = Recipe {
            epochs: Some(7),
            ..overrides
        };
        assert_eq!(filled(DatasetKind::Small, false, epochs).epochs, Some(7));
    }

    #[test]
    fn the_rate_follows_the_batch_and_fine_tuning_takes_less() {
        let lr = |from_model, batch| {
            let overrides = Recipe {
                batch_size: Some(batch),
                ..Recipe::default()
            };
            filled(DatasetKind::Small, from_model, overrides)
                .lr
                .unwrap()
        };
        assert!((lr(false, 128) - 0.1).abs() < 1e-12 && (lr(false, 64) - 0.05).abs() < 1e-12);
        assert!(lr(true, 128) < lr(false, 128));
    }

    #[test]
    fn the_rate_is_that_of_the_images_where_they_do_not_fill_a_batch() {
        for (batch_size, expected) in [
            (Some(4), 0.1 / 64.0),
            (None, 0.1 / 32.0),
            (Some(999), 0.1 / 32.0),
        ] {
            let overrides = Recipe {
                batch_size,
                ..Recipe::default()
            };
            let lr = of_images(8, DatasetKind::Noise, false, overrides)
                .lr
                .unwrap();
            assert!((lr - expected).abs() < 1e-5, "{batch_size:?}: {lr}");
        }
    }

    #[test]
    fn few_images_make_enough_steps_in_small_batches() {
        let probe = || Recipe {
            freeze: Some(Frozen::Backbone),
            ..Recipe::default()
        };
        for (images, kind, from_model, overrides, batch, epochs, lr) in [
            // A last layer alone: its rate does not follow the batch.
            (81, DatasetKind::Photographs, true, probe(), 8, 30, 0.005),
            (20, DatasetKind::Photographs, true, probe(), 8, 67, 0.005),
            (1000, DatasetKind::Photographs, true, probe(), 64, 30, 0.005),
            (60_000, DatasetKind::Small, true, probe(), 256, 30, 0.005),
            // Fine-tuning.
            (
                40,
                DatasetKind::Photographs,
                true,
                Recipe::default(),
                8,
                40,
                0.005,
            ),
            (
                200,
                DatasetKind::Photographs,
                true,
                Recipe::default(),
                16,
                16,
                0.005,
            ),
            (
                5000,
                DatasetKind::Photographs,
                true,
                Recipe::default(),
                32,
                10,
                0.005,
            ),
            // From scratch.
            (
                60,
                DatasetKind::Small,
                false,
                Recipe::default(),
                8,
                30,
                0.00625,
            ),
            (
                6000,
                DatasetKind::Small,
                false,
                Recipe::default(),
                128,
                30,
                0.1,
            ),
            (
                3,
                DatasetKind::Photographs,
                false,
                Recipe::default(),
                8,
                100,
                0.001_172,
            ),
            // Random inputs are for timing.
            (
                16,
                DatasetKind::Noise,
                false,
                Recipe::default(),
                32,
                1,
                0.00625,
            ),
        ] {
            let filled = of_images(images, kind, from_model, overrides);
            let found = (filled.batch_size, filled.epochs, filled.lr);
            let what = format!("{images} of {kind:?}: {found:?}");
            assert_eq!((found.0, found.1), (Some(batch), Some(epochs)), "{what}");
            assert!((found.2.unwrap() - lr).abs() < 1e-9, "{what}");
        }
    }

    #[test]
    fn digits_are_never_mirrored() {
        let policy = filled(DatasetKind::Digits, false, Recipe::default()).augment;
        assert_eq!(policy, Some(Policy::Crop));
    }
}
