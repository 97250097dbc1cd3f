//! The end of a run: the evaluation of its best epoch, its report and its outcome.

use crate::error::message_of;
use crate::eval::Evaluation;
use crate::message;
use crate::model::ResNet;
use crate::train::data::validation::Validation;
use crate::train::observe::observer::Observer;
use crate::train::observe::outcome::{Outcome, StopReason, TestMetrics};
use crate::train::trainer::Trainer;
use anyhow::Result;

impl Trainer {
    /// Ends a run that has nothing left to do.
    pub(super) fn finished(
        &mut self,
        reason: StopReason,
        observer: &mut dyn Observer,
    ) -> Result<Outcome> {
        let examined = match self.examine(observer) {
            // Only the report needs it.
            Err(error) if self.eval.test.is_none() => {
                observer.note(&message!["the report has no images: ", message_of(&error)]);
                None
            }
            examined => examined?,
        };
        // All processes ask, also one that has the evaluation.
        let wants_stop = self.any(observer.should_stop())?;
        let interrupted = wants_stop && examined.is_none();
        if interrupted {
            observer.note(&message![
                "the report has no images, as it was interrupted: resume the run to add them"
            ]);
        }
        let is_to_test = self.eval.test.is_some() && self.checkpoints.folder().is_some();
        if is_to_test && interrupted {
            return Ok(self.stopped(observer));
        }
        let test = examined.as_ref().filter(|_| is_to_test);
        let outcome = Outcome {
            test: test.map(|(evaluation, _)| TestMetrics {
                images: evaluation.images,
                top1: evaluation.top1,
            }),
            ..self.outcome(reason)
        };
        self.reported().2.report(&outcome, examined, observer);
        Ok(outcome)
    }

    /// Ends a run that `observer` wants to stop; its state is saved.
    pub(super) fn stopped(&mut self, observer: &mut dyn Observer) -> Outcome {
        let outcome = self.outcome(StopReason::Stopped {
            step: self.progress.step,
        });
        let has_validated = self.eval.has_validated();
        let (_, _, run) = self.reported();
        // A more complete report stays if there is nothing new.
        if has_validated || !run.has_report() {
            run.report(&outcome, None, observer);
        }
        outcome
    }

    /// Evaluates the best epoch, shared out over the processes; returns the evaluation and the model, `None` if nothing measures it,
    /// in a dry run, or if `observer` wants to stop meanwhile, in any process.
    fn examine(&mut self, observer: &mut dyn Observer) -> Result<Option<(Evaluation, ResNet)>> {
        if self.eval.measuring().is_none() {
            return Ok(None);
        }
        let best = self.best_weights()?;
        if best.is_empty() {
            return Ok(None);
        }
        let mut model = self.learner.model_with(best);
        if self.eval.is_to_measure() {
            // A process that has none would leave the others waiting, as the error need not end the run.
            model = self.processes.all_ok(model);
        }
        let model = model?;
        let measure = |set: &mut Validation| set.measure(model.clone(), observer);
        let evaluation = self.eval.examine(measure)?;
        Ok(evaluation.map(|evaluation| (evaluation, model)))
    }

    /// Returns the outcome without test metrics.
    fn outcome(&self, reason: StopReason) -> Outcome {
        let validation = self.eval.validation.as_ref();
        let best_by = self.config.settings.best_by;
        let best = self.progress.best_so_far();
        let folder = self.checkpoints.folder();
        Outcome {
            reason,
            best: self.progress.best_top1(),
            best_by,
            best_value: best.and_then(|best| best.value(best_by)),
            test: None,
            validation: validation.map(Validation::in_words),
            is_optimistic: validation.is_some_and(|validation| validation.split == "test"),
            folder: folder.map(|folder| folder.path().to_owned()),
        }
    }
}
