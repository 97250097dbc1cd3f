//! The evaluation of a run: its validation set, its test set, and what they measured.

use crate::eval::Evaluation;
use crate::train::checkpoint::best::Best;
use crate::train::data::validation::{Validation, ValidationMetrics};
use crate::weights::provenance::Selection;
use anyhow::Result;

/// The validation and test sets of a run, and their last evaluations.
#[derive(Default)]
pub struct Evaluators {
    /// Selects the best epoch.
    pub(in crate::train) validation: Option<Validation>,
    /// Test images, used neither for training nor for selection, on which the best epoch is evaluated at the end.
    pub(in crate::train) test: Option<Validation>,
    /// The last validation, unless it is that of the best epoch.
    last: Option<Evaluation>,
    /// The validation of the best epoch, if it ran in this process.
    best: Option<Evaluation>,
}

impl Evaluators {
    /// Creates the evaluators of a validation and a test set.
    pub(in crate::train) fn new(validation: Option<Validation>, test: Option<Validation>) -> Self {
        Self {
            validation,
            test,
            ..Self::default()
        }
    }

    /// Returns true if there is a validation set.
    pub(in crate::train) fn has_validation(&self) -> bool {
        self.validation.is_some()
    }

    /// Returns the set that measures the best epoch at the end: the test set or, without one, the validation set.
    pub(in crate::train) fn measuring(&self) -> Option<&Validation> {
        self.test.as_ref().or(self.validation.as_ref())
    }

    /// Returns what `measure` finds on the validation set: the metrics are empty without one, and `None` if `measure` was stopped.
    ///
    /// # Errors
    /// Those of `measure`.
    pub(in crate::train) fn validate(
        &mut self,
        measure: impl FnOnce(&mut Validation) -> Result<Option<Evaluation>>,
    ) -> Result<Option<ValidationMetrics>> {
        let Some(validation) = &mut self.validation else {
            return Ok(Some(ValidationMetrics::default()));
        };
        let Some(evaluation) = measure(validation)? else {
            return Ok(None);
        };
        let metrics = ValidationMetrics::of(&evaluation);
        self.last = Some(evaluation);
        Ok(Some(metrics))
    }

    /// Keeps the last validation as that of the best epoch.
    pub(in crate::train) fn keep_best(&mut self) {
        self.best = self.last.take();
    }

    /// Returns true if this process has validated an epoch.
    pub(in crate::train) fn has_validated(&self) -> bool {
        self.last.is_some() || self.best.is_some()
    }

    /// Returns what `measure` finds for the best epoch on the test set or, without one, on the validation set, unless this process
    /// has validated that epoch; `None` if there is neither set, or `measure` was stopped.
    ///
    /// # Errors
    /// Those of `measure`.
    pub(in crate::train) fn examine(
        &mut self,
        measure: impl FnOnce(&mut Validation) -> Result<Option<Evaluation>>,
    ) -> Result<Option<Evaluation>> {
        match (&mut self.test, &mut self.validation) {
            (Some(test), _) => measure(test),
            (None, Some(validation)) => match self.best.take() {
                Some(evaluation) => Ok(Some(evaluation)),
                None => measure(validation),
            },
            (None, None) => Ok(None),
        }
    }

    /// Returns true if [`Evaluators::examine`] measures the best epoch.
    pub(in crate::train) fn is_to_measure(&self) -> bool {
        self.test.is_some() || (self.validation.is_some() && self.best.is_none())
    }

    /// Returns what the saved model of the epoch `best` says of its selection; `None` without validation.
    pub(in crate::train) fn selection(&self, best: Option<Best>) -> Option<Selection> {
        let (validation, best) = (self.validation.as_ref()?, best?);
        Some(Selection {
            split: validation.split.clone(),
            images: validation.images(),
            epoch: usize::try_from(best.epoch).ok()?,
            val_top1: best.top1?.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::fake;
    use crate::data::{DecodeOptions, EvalTransform};
    use crate::distributed::Processes;
    use crate::eval::{EvalOptions, Metrics};
    use crate::model::Preprocess;
    use crate::train::checkpoint::exact::Exact;
    use crate::train::data::validation::EvalSet;
    use anyhow::bail;
    use std::collections::BTreeSet;
    use std::time::Instant;

    /// Returns a set of `images` random images.
    fn set(split: &str, images: usize) -> Validation {
        let preprocess = Preprocess {
            size: [2, 2],
            ..Preprocess::default()
        };
        let data = fake(images, 2, [3, 2, 2], 0).unwrap();
        Validation {
            split: split.to_owned(),
            text: format!("{images} {split} images"),
            images: EvalSet {
                split: data.train.unwrap(),
                transform: EvalTransform::new(&preprocess).unwrap(),
                options: EvalOptions {
                    batch: images,
                    workers: 1,
                    decoding: DecodeOptions::default(),
                    strict: false,
                    processes: Processes::alone(),
                },
            },
            features: None,
            labels: data.labels,
            unreadable_images: BTreeSet::new(),
        }
    }

    /// Returns the evaluation of four images of two classes, of which the first `correct` are classified correctly.
    fn evaluation(correct: usize) -> Evaluation {
        let mut metrics = Metrics::new(2);
        for image in 0..4 {
            let class = image % 2;
            let predicted = if image < correct { class } else { 1 - class };
            let logits = [0, 1].map(|index| if index == predicted { 2.0 } else { 0.0 });
            metrics.add(class, &logits).unwrap();
        }
        let labels = ["a".to_owned(), "b".to_owned()];
        Evaluation::new(&metrics, &labels, 4, Instant::now(), Vec::new())
    }

    fn best(epoch: u64, top1: Option<f64>) -> Best {
        Best {
            epoch,
            top1: top1.map(Exact),
            loss: None,
            measure: None,
            since: None,
        }
    }

    #[test]
    fn without_a_validation_set_nothing_is_measured_and_the_metrics_are_empty() {
        for test in [None, Some(set("test", 4))] {
            let mut eval = Evaluators::new(None, test);
            let metrics = eval.validate(|_| panic!("measured")).unwrap();
            assert_eq!(metrics, Some(ValidationMetrics::default()));
            assert!(!eval.has_validation() && !eval.has_validated());
            assert_eq!(eval.selection(Some(best(1, None))), None);
        }
        let mut eval = Evaluators::new(None, None);
        assert!(eval.measuring().is_none());
        assert_eq!(eval.examine(|_| panic!("measured")).unwrap(), None);
    }

    #[test]
    fn validation_selects_the_epoch_and_the_test_set_measures_it() {
        let mut eval = Evaluators::new(Some(set("val", 8)), Some(set("test", 4)));
        assert_eq!(eval.measuring().unwrap().split, "test");
        let mut measured = Vec::new();
        let metrics = eval.validate(|set| {
            measured.push(set.split.clone());
            Ok(Some(evaluation(3)))
        });
        let metrics = metrics.unwrap().unwrap();
        assert_eq!((metrics.top1, metrics.top5), (Some(75.0), None));
        // Both of one class and one of the other: recalls of 1 and 1/2.
        assert_eq!(metrics.balanced, Some(75.0));
        assert!((metrics.macro_f1.unwrap() - 100.0 * (0.8 + 2.0 / 3.0) / 2.0).abs() < 1e-9);
        let loss = (-3.0 * (2_f64.exp() / (2_f64.exp() + 1.0)).ln()
            - (1.0 / (2_f64.exp() + 1.0)).ln())
            / 4.0;
        assert!((metrics.loss.unwrap() - loss).abs() < 1e-12);
        eval.keep_best();
        let selection = eval.selection(Some(best(3, Some(75.0))));
        let expected = Selection {
            split: "val".to_owned(),
            images: 8,
            epoch: 3,
            val_top1: 75.0,
        };
        assert_eq!(selection, Some(expected));
        // The validation of the best epoch is no test.
        let tested = eval.examine(|set| {
            measured.push(set.split.clone());
            Ok(Some(evaluation(2)))
        });
        assert_eq!(tested.unwrap().map(|test| test.top1), Some(50.0));
        assert_eq!(measured, ["val", "test"]);
    }

    #[test]
    fn the_best_epoch_is_not_measured_again_if_this_process_validated_it() {
        let mut eval = Evaluators::new(Some(set("test", 4)), None);
        for (correct, is_best) in [(2, true), (3, true), (1, false)] {
            let metrics = eval.validate(|_| Ok(Some(evaluation(correct))));
            assert_eq!(metrics.unwrap().unwrap().top1, Some(25.0 * correct as f64));
            if is_best {
                eval.keep_best();
            }
        }
        let examined = eval.examine(|_| panic!("measured")).unwrap();
        assert_eq!(examined.map(|best| best.top1), Some(75.0));
        // A resumed run has only its weights.
        let mut eval = Evaluators::new(Some(set("test", 4)), None);
        eval.validate(|_| Ok(Some(evaluation(1)))).unwrap();
        let examined = eval.examine(|_| Ok(Some(evaluation(3)))).unwrap();
        assert_eq!(examined.map(|best| best.top1), Some(75.0));
    }

    #[test]
    fn a_stopped_or_failed_validation_leaves_the_one_before() {
        let mut eval = Evaluators::new(Some(set("val", 4)), None);
        assert_eq!(eval.validate(|_| Ok(None)).unwrap(), None);
        assert!(!eval.has_validated());
        eval.validate(|_| Ok(Some(evaluation(2)))).unwrap();
        eval.keep_best();
        assert_eq!(eval.validate(|_| Ok(None)).unwrap(), None);
        let failed = eval.validate(|_| bail!("no image can be read"));
        assert_eq!(failed.unwrap_err().to_string(), "no image can be read");
        assert!(eval.has_validated());
        let examined = eval.examine(|_| panic!("measured")).unwrap();
        assert_eq!(examined.map(|best| best.top1), Some(50.0));
        assert_eq!(eval.selection(None), None);
    }
}
