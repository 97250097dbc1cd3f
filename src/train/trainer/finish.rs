//! The end of a run: its state, `best/`, `last/`, `metrics.csv`, and its outcome.

use crate::error::one_line;
use crate::eval::Evaluation;
use crate::eval::history::{COLUMNS, Epoch};
use crate::model::ResNet;
use crate::train::checkpoint::best::Best;
use crate::train::checkpoint::run_dir::{RunFolder, Which};
use crate::train::checkpoint::state::Standing;
use crate::train::data::validation::{Scores, Validation};
use crate::train::observe::observer::Watch;
use crate::train::observe::outcome::{Ended, Tested, Why};
use crate::train::trainer::Run;
use crate::weights::ModelInfo;
use crate::weights::provenance::Selection;
use anyhow::Result;
use candle_core::Tensor;
use std::collections::HashMap;

/// The prefix of the best weights of the finished epochs in the state of a run that ended inside a later epoch.
pub(in crate::train) const BEST: &str = "best.";

impl Run {
    /// Ends after the last step inside an epoch: `best/`, `last/` and `metrics.csv` are written as at the end of an epoch. The
    /// state stays inside it, with the best weights so far, so that a resumed run is bit-identical to an uninterrupted one.
    pub(in crate::train) fn end_inside(
        mut self,
        scores: Scores,
        watch: &mut dyn Watch,
    ) -> Result<Ended> {
        let epoch = self.epoch(scores);
        let new_best = self.new_best(scores);
        let is_best = new_best.is_some();
        if let Some(folder) = &self.folder {
            let mut tensors = self.learner.state()?;
            if is_best && self.standing.best.is_some() {
                let best = folder.read_model(Which::Best)?.into_iter();
                tensors.extend(best.map(|(name, tensor)| (format!("{BEST}{name}"), tensor)));
            }
            let standing = Standing {
                ended_inside: new_best.or(self.standing.best),
                ..self.standing.clone()
            };
            folder.write_state(&self.identity, &standing, &tensors)?;
        }
        if is_best {
            self.standing.best = new_best;
            self.best_evaluation = self.last_evaluation.take();
        }
        self.standing.rows.push(epoch.csv());
        self.write_models(is_best)?;
        self.log_epoch(&epoch, watch);
        watch.epoch(&epoch, is_best)?;
        self.finished(Why::Done, watch)
    }

    /// Starts the TensorBoard events of the following steps.
    pub(in crate::train) fn begin_events(&mut self, watch: &mut dyn Watch) -> Result<()> {
        if let Some(folder) = &self.folder {
            let toml = self.config_toml(&folder.command().unwrap_or_default())?;
            let done = self.standing.step;
            self.events.begin(folder.path(), done, &toml, watch);
        }
        Ok(())
    }

    /// Writes the TensorBoard events of a finished epoch.
    pub(in crate::train) fn log_epoch(&mut self, epoch: &Epoch, watch: &mut dyn Watch) {
        let learner = &self.learner;
        let weights = || learner.weights();
        self.events.epoch(self.standing.step, epoch, weights, watch);
    }

    /// Saves the state: the commit of the run's progress.
    pub(in crate::train) fn save(&self) -> Result<()> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let mut tensors = self.learner.state()?;
        if self.ended_inside.is_some() {
            let best = self.earlier_best.iter().cloned();
            tensors.extend(best.map(|(name, tensor)| (format!("{BEST}{name}"), tensor)));
        }
        let standing = Standing {
            ended_inside: self.ended_inside,
            ..self.standing.clone()
        };
        folder.write_state(&self.identity, &standing, &tensors)
    }

    /// Writes `last/`, `best/` if this is the best epoch, and `metrics.csv`, from the committed state.
    pub(in crate::train) fn write_models(&self, is_best: bool) -> Result<()> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let weights = self.learner.weights()?;
        if is_best {
            folder.write_model(Which::Best, &self.noted(), &weights)?;
        }
        folder.write_model(Which::Last, &self.card, &weights)?;
        folder.write_metrics(&self.standing.rows)
    }

    /// Returns the model information of `best/`, which names the validation that selected it.
    fn noted(&self) -> ModelInfo {
        let chosen = |best: Best| {
            let validation = self.validation.as_ref()?;
            Some(Selection {
                split: validation.split.clone(),
                images: validation.images(),
                epoch: usize::try_from(best.epoch).ok()?,
                val_top1: best.top1?.0,
            })
        };
        let mut card = self.card.clone();
        if let Some(note) = &mut card.provenance {
            note.selection = self.standing.best.and_then(chosen);
        }
        card
    }

    /// Restores the files that follow from the state, which a killed process may not have written.
    pub(in crate::train) fn restore_files(&mut self) -> Result<()> {
        if self.ended_inside.is_some() {
            return Ok(());
        }
        if self.standing.epoch == 0 {
            // A run that ended inside its first epoch has written one line.
            return self
                .folder
                .as_ref()
                .map_or(Ok(()), RunFolder::remove_metrics);
        }
        if self.standing.batch == 0 {
            let best = self.standing.best.map(|best| best.epoch);
            return self.write_models(best == Some(self.standing.epoch));
        }
        match &self.folder {
            Some(folder) => folder.write_metrics(&self.standing.rows),
            None => Ok(()),
        }
    }

    /// Returns the best epoch of a run that has ended inside an epoch: its last step is done, both models are present, and
    /// `metrics.csv`, which is written last, has the line of that epoch.
    pub(in crate::train) fn end_inside_on_disk(&self) -> Option<Best> {
        let folder = self.folder.as_ref()?;
        let is_whole = folder.has_model(Which::Best) && folder.has_model(Which::Last);
        if !self.is_last_step() || self.standing.batch == 0 || !is_whole {
            return None;
        }
        let rows = folder.metrics();
        let (last, earlier) = rows.split_last()?;
        let epoch = self.standing.epoch + 1;
        let last = Epoch::from_csv(COLUMNS, last)?;
        if last.epoch != epoch || earlier != self.standing.rows {
            return None;
        }
        // The states of earlier versions lack it; `metrics.csv` has the figures that select the epoch there.
        let scores = Scores {
            loss: last.val_loss,
            top1: last.val_top1,
            ..Scores::default()
        };
        let best = || self.new_best(scores).or(self.standing.best);
        self.standing.ended_inside.or_else(best)
    }

    /// Writes the best weights of the finished epochs, kept in the state, back to `best/`.
    pub(in crate::train) fn restore_best(&self) -> Result<()> {
        match &self.folder {
            Some(folder) if !self.earlier_best.is_empty() => {
                folder.write_model(Which::Best, &self.noted(), &self.earlier_best)
            }
            _ => Ok(()),
        }
    }

    /// Evaluates the best epoch on the test set or, without one, on the validation set; returns the evaluation and the network,
    /// `None` if there is neither set or `watch` wants to stop meanwhile.
    fn examine(&mut self, watch: &mut dyn Watch) -> Result<Option<(Evaluation, ResNet)>> {
        let is_measured = self.test.is_some() || self.validation.is_some();
        let Some(folder) = self.folder.as_ref().filter(|_| is_measured) else {
            return Ok(None);
        };
        let best: HashMap<String, Tensor> = folder.read_model(Which::Best)?.into_iter().collect();
        if best.is_empty() {
            return Ok(None);
        }
        let net = self.learner.net_of(best)?;
        let evaluation = match (&mut self.test, &mut self.validation) {
            (Some(test), _) => test.measure(net.clone(), watch)?,
            (None, Some(validation)) => match self.best_evaluation.take() {
                Some(evaluation) => Some(evaluation),
                None => validation.measure(net.clone(), watch)?,
            },
            (None, None) => None,
        };
        Ok(evaluation.map(|evaluation| (evaluation, net)))
    }

    /// Returns the best epoch so far and its validation top-1 in percent.
    pub(in crate::train) fn best(&self) -> Option<(u64, Option<f64>)> {
        let best = self.ended_inside.or(self.standing.best)?;
        Some((best.epoch, best.top1.map(|top1| top1.0)))
    }

    /// Returns the value of the measure that selected the best epoch.
    pub(in crate::train) fn best_value(&self) -> Option<f64> {
        let best = self.ended_inside.or(self.standing.best)?;
        best.value(self.settings.best_by)
    }

    fn ended(&self, why: Why) -> Ended {
        let validation = self.validation.as_ref();
        Ended {
            why,
            best: self.best(),
            best_by: self.settings.best_by,
            best_value: self.best_value(),
            tested: None,
            validation: validation.map(Validation::in_words),
            flatters: validation.is_some_and(|validation| validation.split == "test"),
            folder: self.folder.as_ref().map(|folder| folder.path().to_owned()),
        }
    }

    /// Ends a run that has nothing left to do.
    pub(in crate::train) fn finished(&mut self, why: Why, watch: &mut dyn Watch) -> Result<Ended> {
        let examined = match self.examine(watch) {
            // Only the report needs it.
            Err(error) if self.test.is_none() => {
                watch.note(&format!("the report has no images: {}", one_line(&error)));
                None
            }
            examined => examined?,
        };
        if examined.is_none() && watch.wants_to_stop() {
            watch.note(
                "the report has no images, as it was interrupted: resume the run to add them",
            );
        }
        let is_to_test = self.test.is_some() && self.folder.is_some();
        if is_to_test && examined.is_none() && watch.wants_to_stop() {
            return Ok(self.stopped(watch));
        }
        let tested = examined.as_ref().filter(|_| is_to_test);
        let ended = Ended {
            tested: tested.map(|(evaluation, _)| Tested {
                images: evaluation.images,
                top1: evaluation.top1,
            }),
            ..self.ended(why)
        };
        self.report(&ended, examined, watch);
        Ok(ended)
    }

    pub(in crate::train) fn stopped(&mut self, watch: &mut dyn Watch) -> Ended {
        let ended = self.ended(Why::Stopped {
            step: self.standing.step,
        });
        // A more complete report stays if there is nothing new.
        let is_news = self.last_evaluation.is_some() || self.best_evaluation.is_some();
        if is_news || !self.has_report() {
            self.report(&ended, None, watch);
        }
        ended
    }
}
