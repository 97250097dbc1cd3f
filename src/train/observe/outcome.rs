//! The outcome of a run.

use crate::text::pluralize;
use crate::train::config::values::BestBy;
use std::path::PathBuf;

/// The outcome of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Why it ended.
    pub reason: StopReason,
    /// The best epoch and its validation top-1 in percent.
    pub best: Option<(u64, Option<f64>)>,
    /// The measure that selected the best epoch.
    pub best_by: BestBy,
    /// Its value for the best epoch: a loss, or percent; `None` without validation.
    pub best_value: Option<f64>,
    /// The test result of the best epoch, if there are test images that did not select it.
    pub test: Option<TestMetrics>,
    /// The validation set in words.
    pub validation: Option<String>,
    /// True if test images selected the best epoch, so that its metrics are optimistic.
    pub is_optimistic: bool,
    /// The run folder.
    pub folder: Option<PathBuf>,
}

/// Test metrics on images used neither for training nor for selection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TestMetrics {
    /// Images.
    pub images: usize,
    /// Top-1 accuracy in percent.
    pub top1: f64,
}

/// The reason why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// All epochs or steps are done.
    Done,
    /// Early stopping: this many epochs passed without improvement.
    NoBetter(u64),
    /// It was interrupted; the state is saved.
    Stopped {
        /// Steps over the whole run.
        step: u64,
    },
}

impl Outcome {
    /// Returns the outcome in sentences.
    pub fn in_words(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        if let StopReason::NoBetter(epochs) = self.reason {
            sentences.push(format!(
                "early stopping: no improvement in {}",
                pluralize(epochs, "epoch")
            ));
        }
        if let StopReason::Stopped { step } = self.reason {
            sentences.push(format!("stopped after step {step}"));
        }
        if let (Some((epoch, Some(top1))), Some(validation)) = (self.best, &self.validation) {
            let by = match (self.best_by, self.best_value) {
                (BestBy::Top1, _) | (_, None) => String::new(),
                (by, Some(value)) => format!(" ({} {})", by.caption(), by.format(value)),
            };
            let optimistic = if self.is_optimistic {
                " (optimistic: the same images selected the epoch)"
            } else {
                ""
            };
            sentences.push(format!(
                "best epoch {epoch}{by}: {top1:.2} % top-1 on {validation}{optimistic}"
            ));
        }
        if let Some(test) = self.test {
            sentences.push(format!(
                "test: {:.2} % top-1 on {} (used neither for training nor for selection)",
                test.top1,
                pluralize(test.images, "image")
            ));
        }
        sentences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_epoch_is_named_with_the_measure_that_selected_it() {
        for (best_by, value, by) in [
            (BestBy::Top1, 75.0, ""),
            (BestBy::Loss, 0.5, " (validation loss 0.5000)"),
            (BestBy::MacroF1, 70.0, " (macro-F1 70.00 %)"),
            (BestBy::Balanced, 62.5, " (balanced accuracy 62.50 %)"),
        ] {
            let outcome = Outcome {
                reason: StopReason::NoBetter(1),
                best: Some((3, Some(75.0))),
                best_by,
                best_value: Some(value),
                test: None,
                validation: Some("8 test images".to_owned()),
                is_optimistic: true,
                folder: None,
            };
            let best = format!(
                "best epoch 3{by}: 75.00 % top-1 on 8 test images (optimistic: the same images selected the epoch)"
            );
            let stopped = "early stopping: no improvement in 1 epoch".to_owned();
            assert_eq!(outcome.in_words(), [stopped, best]);
        }
    }
}
