//! The weights of the classes in the loss.

use crate::data::dataset::Split;
use crate::error::{error_with_hint, why_unreadable};
use crate::nn::loss::balanced;
use crate::text::pluralize;
use crate::train::config::settings::Settings;
use crate::train::config::values::ClassWeights;
use anyhow::{Context, Result};
use std::path::Path;

/// Returns the weights of the classes in the loss, `None` if they are equal.
///
/// # Errors
/// If a file of weights cannot be read, or does not have one number per class.
pub fn class_weights(
    settings: &Settings,
    train: &Split,
    classes: usize,
) -> Result<Option<Vec<f64>>> {
    match &settings.class_weights {
        None => Ok(None),
        Some(ClassWeights::Auto) => Ok(Some(balanced(train.classes(), classes))),
        Some(ClassWeights::File(file)) => {
            let context = || format!("cannot read class weights `{}`", file.display());
            read_weights(file, classes).with_context(context).map(Some)
        }
    }
}

fn read_weights(file: &Path, classes: usize) -> Result<Vec<f64>> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        error_with_hint(
            why_unreadable(&error),
            format!(
                "pass `auto`, or a file of {} with one number each, in the order of the classes",
                pluralize(classes, "line")
            ),
        )
    })?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let weights = lines
        .enumerate()
        .map(|(number, line)| {
            let weight = line
                .parse()
                .ok()
                .filter(|&weight: &f64| weight.is_finite() && weight >= 0.0);
            weight.ok_or_else(|| {
                error_with_hint(
                    format!("line {} is `{line}`, not a weight", number + 1),
                    "write one number of at least 0 per line, in the order of the classes",
                )
            })
        })
        .collect::<Result<Vec<f64>>>()?;
    if weights.len() != classes {
        return Err(error_with_hint(
            format!(
                "{} for {}",
                pluralize(weights.len(), "weight"),
                pluralize(classes, "class")
            ),
            "write one number per line, in the order of the classes",
        ));
    }
    if weights.iter().all(|&weight| weight == 0.0) {
        return Err(error_with_hint(
            "every weight is 0, so there is nothing to train on",
            "write a number above 0 for at least one class",
        ));
    }
    Ok(weights)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{hint_of, one_line};

    #[test]
    fn a_file_of_weights_has_a_number_per_class() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("weights");
        std::fs::write(&file, " 1\n\n0.5\n0\n").unwrap();
        assert_eq!(read_weights(&file, 3).unwrap(), [1.0, 0.5, 0.0]);
        for (text, expected) in [
            ("1\n2\n3\n", "3 weights for 4 classes"),
            ("1\n2\nx\n4\n", "line 3 is `x`, not a weight"),
            ("1\n2\n-3\n4\n", "line 3 is `-3`, not a weight"),
            ("1\n2\n\ninf\n4\n", "line 3 is `inf`, not a weight"),
            (
                "0\n0\n0\n0\n",
                "every weight is 0, so there is nothing to train on",
            ),
        ] {
            std::fs::write(&file, text).unwrap();
            let error = read_weights(&file, 4).unwrap_err();
            assert_eq!(one_line(&error), expected);
            let hint = hint_of(&error).unwrap().to_string();
            assert!(hint.starts_with("write "), "{expected}: {hint}");
        }
    }
}
