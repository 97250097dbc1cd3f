//! Validation of a recipe and of the settings made of it: the ranges of the keys, and what concerns several keys together.

use crate::data::transform::augment::Policy;
use crate::error::{setting, usage_error};
use crate::message;
use crate::model::{Frozen, Preprocess};
use crate::train::config::error::out_of_range;
use crate::train::config::key::Group;
use crate::train::config::recipe::Recipe;
use crate::train::config::settings::Settings;
use anyhow::Result;

impl Recipe {
    /// Rejects values of the keys of `groups` that are out of range.
    ///
    /// # Errors
    /// Wrong usage: names the setting and its range.
    pub fn check_ranges(&self, groups: &[Group]) -> Result<()> {
        let values = self.values().filter_map(|(key, value)| {
            let value = value.filter(|_| groups.contains(&key.flag.group))?;
            Some((key, value, key.broken_limit(value)?))
        });
        let broken: Vec<_> = values.collect();
        // The default epochs follow from the steps, which are then to blame.
        let steps = broken.iter().find(|(key, ..)| key.id == "max_steps");
        if let Some((key, value, limit)) = steps.or(broken.first()) {
            return Err(out_of_range(key.name, value.text(), limit.is));
        }
        Ok(())
    }
}

impl Settings {
    /// Rejects values out of range, and those that do not go together; `recipe` is that of the settings.
    pub(super) fn check(&self, recipe: &Recipe) -> Result<()> {
        recipe.check_ranges(&Group::ALL)?;
        self.optimizer.validate()?;
        if !self.milestones.is_sorted_by(|a, b| a < b) {
            return Err(out_of_range(
                "milestones",
                format_args!("{:?}", self.milestones),
                "increasing epochs",
            ));
        }
        if self.augmentation.policy == Policy::None && self.frozen == Frozen::Backbone {
            // Features are computed once, so images cannot vary.
            let varied = [
                ("random-erase", self.augmentation.erase),
                ("mixup", self.augmentation.mixup),
                ("cutmix", self.augmentation.cutmix),
            ];
            for (key, number) in varied {
                if number > 0.0 {
                    return Err(out_of_range(
                        key,
                        number,
                        message![
                            "0 with a frozen backbone and `",
                            setting("augment").to("none"),
                            "`: features are computed once",
                        ],
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
    for (key, numbers) in both {
        if ![1, 3].contains(&numbers.len()) || mean.len() != std.len() {
            return Err(out_of_range(
                key,
                format_args!("{numbers:?}"),
                message![
                    "one number per channel, the same count for ",
                    setting("mean"),
                    " and ",
                    setting("std"),
                    ": 3 for color, 1 for gray",
                ],
            ));
        }
        let mut finite = numbers.iter().filter(|number| number.is_finite());
        if let Some(number) = finite.find(|number| number.abs() > Preprocess::LARGEST_LEVEL) {
            return Err(usage_error(
                message![
                    "cannot train with ",
                    setting(key).to(number),
                    ": pixel values are scaled to 0..1",
                ],
                "divide each of its numbers by 255",
            ));
        }
    }
    if let Some(number) = mean.iter().find(|number| !number.is_finite()) {
        return Err(out_of_range("mean", number, "a finite number per channel"));
    }
    match std.iter().find(|&&std| !(std.is_finite() && std > 0.0)) {
        Some(number) => Err(out_of_range("std", number, "a number above 0 per channel")),
        None => Ok(()),
    }
}

/// Rejects preprocessing in a recipe that the command line's own parser would reject.
///
/// # Errors
/// Wrong usage: image sizes, crop fractions, mean or std out of range.
pub fn check_preprocessing(recipe: &Recipe, base: &Preprocess) -> Result<()> {
    recipe.check_ranges(&[Group::InputSize, Group::Preprocessing])?;
    if recipe.mean.is_none() && recipe.std.is_none() {
        return Ok(());
    }
    check_channels(recipe, base)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{hint_of, is_usage_error};
    use crate::train::config::recipe::KEYS;
    use crate::train::example::recipe;

    /// Values in TOML, of every type and out of every range.
    const VALUES: [&str; 12] = [
        "3",
        "true",
        "\"word\"",
        "-1",
        "0",
        "0.0",
        "nan",
        "1.5",
        "1e7",
        "2000000000000",
        "[2000000]",
        "[256.0]",
    ];

    #[test]
    fn every_key_refuses_other_types_and_values_out_of_its_range_by_its_name() {
        for key in KEYS {
            let set = format!("{} = ", key.name);
            let mut refused = [0, 0];
            for value in VALUES {
                match Recipe::parse(&format!("{} = {value}", key.name)) {
                    Err(error) => {
                        let message = error.to_string();
                        let start = format!("line 1: `{}`: ", key.name);
                        assert!(message.starts_with(&start), "{message}");
                        refused[0] += 1;
                    }
                    Ok(recipe) => {
                        let checked = recipe
                            .check_ranges(&Group::ALL)
                            .and_then(|()| check_preprocessing(&recipe, &Preprocess::default()));
                        if let Err(error) = checked {
                            let message = error.to_string();
                            assert!(message.contains(&set), "{message}");
                            assert!(is_usage_error(&error) && hint_of(&error).is_some());
                            refused[1] += 1;
                        }
                    }
                }
            }
            assert!(refused[0] > 0, "{set} takes values of every type");
            let is_limited = !key.range.is_empty() || ["mean", "std"].contains(&key.id);
            assert_eq!(refused[1] > 0, is_limited, "{set}");
        }
    }

    #[test]
    fn numbers_that_other_types_limit_are_named_by_their_keys() {
        for (key, value, range) in [
            ("random-erase", "1.5", "from 0 (off) to 1"),
            (
                "mixup",
                "-1",
                "0 (off) or above, such as 0.2 or 1, and at most 1,000,000",
            ),
            (
                "cutmix",
                "1000001",
                "0 (off) or above, such as 0.2 or 1, and at most 1,000,000",
            ),
            ("momentum", "1", "at least 0 and below 1"),
            ("weight-decay", "-0.5", "at least 0"),
            ("val-split", "1", "above 0 and below 1"),
        ] {
            let error = Settings::new(&recipe(&format!("{key} = {value}"))).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("cannot train with {key} = {value}")
            );
            let hint = hint_of(&error).unwrap().to_string();
            assert_eq!(hint, format!("`{key}` must be {range}"));
        }
        let error = Settings::new(&recipe("momentum = 0\nnesterov = true")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Nesterov momentum needs a momentum above 0"
        );
    }

    #[test]
    fn steps_out_of_range_are_reported_before_the_epochs_that_follow_from_them() {
        let recipe = Recipe::parse("epochs = 2000000\nmax-steps = 2000000000000").unwrap();
        let error = recipe.check_ranges(&Group::ALL).unwrap_err();
        assert!(error.to_string().contains("max-steps = 2000000000000"));
    }

    #[test]
    fn every_limit_is_broken_by_a_number_and_kept_by_another() {
        let numbers = [
            f64::NAN,
            f64::INFINITY,
            -1.0,
            0.0,
            0.5,
            1.0,
            1.5,
            5000.0,
            70_000.0,
            1e7,
            2e12,
        ];
        for key in KEYS {
            for limit in key.range {
                let kept = numbers.iter().filter(|&&number| (limit.allows)(number));
                let kept = kept.count();
                assert!(
                    0 < kept && kept < numbers.len(),
                    "{} {}",
                    key.name,
                    limit.is
                );
                assert!(!(limit.allows)(f64::NAN), "{} {}", key.name, limit.is);
            }
        }
    }
}
