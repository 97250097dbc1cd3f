//! The evaluation of a run: its validation set, its test set, and what they measured.

use crate::eval::Evaluation;
use crate::model::ResNet;
use crate::train::checkpoint::best::Best;
use crate::train::data::validation::{Validation, ValidationMetrics};
use crate::train::observe::observer::Observer;
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

    /// Validates the model that `model` returns: the metrics are empty without a validation set, and `None` if `observer` wants to
    /// stop meanwhile.
    ///
    /// # Errors
    /// Those of `model`; if no image is readable (in strict mode, if any is not), or the outputs are not finite.
    pub(in crate::train) fn validate(
        &mut self,
        model: impl FnOnce() -> Result<ResNet>,
        observer: &mut dyn Observer,
    ) -> Result<Option<ValidationMetrics>> {
        let Some(validation) = &mut self.validation else {
            return Ok(Some(ValidationMetrics::default()));
        };
        let Some(evaluation) = validation.measure(model()?, observer)? else {
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

    /// Evaluates the `model` of the best epoch on the test set or, without one, on the validation set; `None` if there is neither,
    /// or `observer` wants to stop meanwhile.
    ///
    /// # Errors
    /// Those of [`Evaluators::validate`].
    pub(in crate::train) fn examine(
        &mut self,
        model: &ResNet,
        observer: &mut dyn Observer,
    ) -> Result<Option<Evaluation>> {
        match (&mut self.test, &mut self.validation) {
            (Some(test), _) => test.measure(model.clone(), observer),
            (None, Some(validation)) => match self.best.take() {
                Some(evaluation) => Ok(Some(evaluation)),
                None => validation.measure(model.clone(), observer),
            },
            (None, None) => Ok(None),
        }
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
