//! The most probable classes of an image by its logits.

use crate::model::OutputFunction;
use anyhow::Result;
use serde::Serialize;

/// A predicted class of an image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// Index of the class, from 0.
    pub class: usize,
    /// Name of the class, if the model has names.
    pub label: Option<String>,
    /// Value of the model's [`OutputFunction`]: the probability by softmax or sigmoid; the logit for a regression.
    pub probability: f64,
    /// Logit.
    pub logit: f64,
}

/// Returns the `k` largest logits and the values of `function`, the smaller class first if they are equal.
///
/// # Errors
/// As for [`ensure_finite`].
pub(crate) fn top(
    logits: &[f64],
    k: usize,
    labels: &[String],
    function: OutputFunction,
) -> Result<Vec<Prediction>> {
    ensure_finite(logits)?;
    let mut classes: Vec<usize> = (0..logits.len()).collect();
    // Adding 0 makes -0 equal to it.
    let order = |class: usize| logits[class] + 0.0;
    classes.sort_by(|&a, &b| order(b).total_cmp(&order(a)).then(a.cmp(&b)));
    let probabilities = function.apply(logits);
    let prediction = |class: usize| Prediction {
        class,
        label: labels.get(class).cloned(),
        probability: probabilities[class],
        logit: logits[class],
    };
    Ok(classes.into_iter().take(k).map(prediction).collect())
}

/// The error for logits that are not finite.
#[derive(Debug, thiserror::Error)]
#[error(
    "the model's output for this image is not finite (class {class}): its weights are damaged or overflow"
)]
pub(crate) struct NotFinite {
    class: usize,
}

/// Checks that all logits are finite; the error names the first class with an infinite or NaN logit.
pub(crate) fn ensure_finite(logits: &[f64]) -> Result<()> {
    if let Some(class) = logits.iter().position(|logit| !logit.is_finite()) {
        return Err(NotFinite { class }.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_logits_come_first_and_their_probabilities_are_softmax() {
        let labels = ["a", "b", "c"].map(str::to_owned);
        let predictions = top(
            &[0.0, 2.0f64.ln(), 0.0],
            2,
            &labels,
            OutputFunction::Softmax,
        )
        .unwrap();
        assert_eq!(
            predictions.iter().map(|p| p.class).collect::<Vec<_>>(),
            [1, 0]
        );
        assert_eq!(predictions[0].label.as_deref(), Some("b"));
        assert!((predictions[0].probability - 0.5).abs() < 1e-12);
    }

    #[test]
    fn fewer_classes_than_asked_for_gives_them_all() {
        assert_eq!(
            top(&[1.0, 2.0], 5, &[], OutputFunction::Softmax)
                .unwrap()
                .len(),
            2
        );
    }

    #[test]
    fn nan_logits_are_an_error() {
        assert!(
            top(&[1.0, f64::NAN], 1, &[], OutputFunction::Softmax)
                .unwrap_err()
                .to_string()
                .contains("class 1")
        );
    }
}
