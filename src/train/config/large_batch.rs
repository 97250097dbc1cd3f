//! The note on batches much larger than the default: the learning rate that goes with them.
//!
//! Larger batches make fewer steps of less noisy gradients, so each step can be larger: in proportion to the batch for SGD
//! (<https://arxiv.org/abs/1706.02677>), to its square root for optimizers that divide by the size of the gradients
//! (<https://arxiv.org/abs/2205.10287>). A learning rate in the recipe is never changed, so the note names what the rule gives.

use crate::error::{Message, setting};
use crate::message;
use crate::model::Preprocess;
use crate::text::{pluralize, thousands};
use crate::train::config::complete::defaults;
use crate::train::config::defaults::{Situation, short};
use crate::train::config::recipe::Recipe;
use crate::train::learner::optimizer::OptimizerKind;

/// The multiple of the default batch from which on a batch gets a note.
const LARGE: usize = 8;

/// Returns the note on the batch of a complete `recipe`; `None` below [`LARGE`] times the default, and for a last layer alone,
/// whose learning rate does not follow the batch.
pub(in crate::train) fn note(situation: &Situation, recipe: &Recipe) -> Option<Message> {
    let usual = situation.batch_size();
    let images = recipe.batch_size? * recipe.grad_accumulation.unwrap_or(1);
    let images = images.min(situation.images);
    if images < LARGE * usual || situation.is_probe {
        return None;
    }
    let optimizer = recipe.optimizer.unwrap_or_default();
    let default_rate = |images| {
        let overrides = Recipe {
            batch_size: Some(images),
            optimizer: Some(optimizer),
            ..Recipe::default()
        };
        defaults(situation, &overrides, &Preprocess::default(), |_| 1).lr
    };
    let times = images as f64 / usual as f64;
    let (rule, expected) = match optimizer {
        OptimizerKind::Sgd | OptimizerKind::Lars => ("linear", default_rate(images)?),
        OptimizerKind::Lamb => ("square-root", default_rate(images)?),
        OptimizerKind::Adam | OptimizerKind::Adamw => {
            ("square-root", short(default_rate(usual)? * times.sqrt()))
        }
    };
    let lr = recipe.lr?;
    let start = format!(
        "a step of {} is {} times the default of {}: ",
        pluralize(images, "image"),
        (10.0 * times).round() / 10.0,
        thousands(usual),
    );
    Some(if (lr / expected - 1.0).abs() < 1e-3 {
        message![
            start,
            format!("the learning rate of {lr} follows the {rule} rule")
        ]
    } else {
        message![
            start,
            format!("the learning rate stays {lr}; the {rule} rule gives `"),
            setting("lr").to(expected),
            "`",
        ]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::DatasetKind;

    /// Returns the note on a new network and `images` small images, and on a fine-tuned one.
    fn notes(images: usize, keys: &str) -> [Option<String>; 2] {
        [false, true].map(|from_model| {
            let overrides = Recipe::parse(keys).unwrap();
            let situation = Situation {
                kind: DatasetKind::Small,
                from_model,
                is_probe: overrides.freeze.is_some(),
                images,
            };
            let defaults = defaults(&situation, &overrides, &Preprocess::default(), |_| 1);
            let note = note(&situation, &overrides.or(defaults));
            note.map(|note| note.to_string())
        })
    }

    #[test]
    fn a_batch_of_eight_times_the_default_is_noted_and_a_smaller_one_is_not() {
        for (images, keys, noted) in [
            (50_000, "batch-size = 1024", [true, true]),
            (50_000, "batch-size = 1023", [false, true]),
            (50_000, "batch-size = 255", [false, false]),
            (
                50_000,
                "batch-size = 128\ngrad-accumulation = 8",
                [true, true],
            ),
            // There are no more images than these in a step.
            (1023, "batch-size = 4096", [true, true]),
            (60, "batch-size = 4096", [false, false]),
            (
                50_000,
                "freeze = 'backbone'\nbatch-size = 4096",
                [false, false],
            ),
            (50_000, "", [false, false]),
        ] {
            let found = notes(images, keys).map(|note| note.is_some());
            assert_eq!(found, noted, "{images} {keys}");
        }
    }

    #[test]
    fn the_note_names_the_rule_and_its_learning_rate_and_changes_none() {
        let start = "a step of 1,024 images is 8 times the default of 128: the learning rate ";
        for (keys, expected) in [
            ("", "of 0.8 follows the linear rule"),
            ("lr = 0.1", "stays 0.1; the linear rule gives `lr = 0.8`"),
            ("optimizer = 'lars'", "of 1.2 follows the linear rule"),
            (
                "optimizer = 'lamb'",
                "of 0.003536 follows the square-root rule",
            ),
            (
                "optimizer = 'adamw'",
                "stays 0.001; the square-root rule gives `lr = 0.002828`",
            ),
        ] {
            let [new, _] = notes(50_000, &format!("batch-size = 1024\n{keys}"));
            assert_eq!(new, Some(format!("{start}{expected}")));
        }
        let accumulated = "batch-size = 128\ngrad-accumulation = 8";
        let [new, tuned] = notes(50_000, accumulated);
        assert_eq!(
            new,
            Some(format!(
                "{start}stays 0.1; the linear rule gives `lr = 0.8`"
            ))
        );
        assert_eq!(
            tuned.as_deref(),
            Some(
                "a step of 1,024 images is 32 times the default of 32: the learning rate stays 0.02; the linear rule gives `lr = 0.16`"
            )
        );
    }
}
