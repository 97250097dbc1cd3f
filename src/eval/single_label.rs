//! Models whose outputs are no classes that exclude each other: top-1, the confusion matrix and cross-entropy are not
//! theirs.

use crate::error::{Message, command, error_with_hint};
use crate::message;
use crate::model::OutputFunction;
use anyhow::Result;

/// Returns the reason why a model with this function of `logits` numbers does not rank classes, if it does not.
pub(crate) fn note_of_outputs(function: OutputFunction, logits: usize) -> Option<&'static str> {
    match (function, logits) {
        (OutputFunction::Softmax, _) => None,
        (OutputFunction::Sigmoid, 1) => Some(
            "the model has one output, whose probability is by sigmoid: its class is there or not",
        ),
        (OutputFunction::Sigmoid, _) => Some(
            "the model was trained with any number of classes per image: each has a probability of its own, by sigmoid",
        ),
        (OutputFunction::None, _) => {
            Some("the model was trained for regression: its outputs are numbers, not probabilities")
        }
    }
}

/// Checks that a model with this function of `logits` numbers gives each image one class.
///
/// # Errors
/// For a single output, for several classes per image, and for regression.
pub(crate) fn ensure_single_label(function: OutputFunction, logits: usize) -> Result<()> {
    let Some(reason) = note_of_outputs(function, logits) else {
        return Ok(());
    };
    let hint: Message = message![
        "accuracy and loss are of models with one class per image; `",
        command("predict"),
        "` prints the outputs"
    ];
    Err(error_with_hint(reason, hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_softmax_over_classes_is_evaluated() {
        assert!(ensure_single_label(OutputFunction::Softmax, 3).is_ok());
        for (function, logits, part) in [
            (OutputFunction::Sigmoid, 1, "one output"),
            (OutputFunction::Sigmoid, 3, "any number of classes"),
            (OutputFunction::None, 1, "regression"),
            (OutputFunction::None, 3, "regression"),
        ] {
            let error = ensure_single_label(function, logits).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
