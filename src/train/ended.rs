//! What a run leaves: its state, `best/`, `last/` and `metrics.csv`, and what it came to.

use super::folder::{RunFolder, Which};
use super::run::Run;
use super::state::{Best, Exact};
use super::validation::{Scores, Validation};
use super::watch::{COLUMNS, Epoch, Watch};
use crate::error::one_line;
use crate::eval::Evaluation;
use crate::model::ResNet;
use crate::weights::Card;
use crate::weights::run::Chosen;
use crate::words::counted;
use anyhow::Result;
use candle_core::Tensor;
use std::collections::HashMap;
use std::path::PathBuf;

/// The prefix under which a state keeps the best weights of the finished epochs, where a run ended inside a later one.
pub(super) const BEST: &str = "best.";

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// Why.
    pub why: Why,
    /// The best epoch: its number, and what it recognised of the validation pictures, in percent.
    pub best: Option<(u64, Option<f64>)>,
    /// The best epoch on pictures that neither taught nor chose it, where there are such.
    pub tested: Option<Tested>,
    /// What chose the best epoch, as people read it.
    pub validation: Option<String>,
    /// Whether test pictures chose the best epoch, so that its figure flatters the model.
    pub flatters: bool,
    /// Where the run is.
    pub folder: Option<PathBuf>,
}

/// A measure on pictures that neither taught nor chose the weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tested {
    /// Pictures.
    pub images: usize,
    /// Those recognised, in percent.
    pub top1: f64,
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// All epochs or steps are done.
    Done,
    /// So many epochs passed without a better one.
    NoBetter(u64),
    /// It was told to stop, after so many steps; the state is saved.
    Stopped {
        /// Steps over the whole run.
        step: u64,
    },
}

impl Run {
    /// Ends after the last step inside an epoch: `best/`, `last/` and `metrics.csv` are written as at an epoch's end, and
    /// the state stays inside it, with the best weights so far, so that a run that goes on is none the wiser.
    pub(super) fn end_inside(mut self, scores: Scores, watch: &mut dyn Watch) -> Result<Ended> {
        let epoch = self.epoch(scores);
        let is_best = self.is_best(scores);
        if let Some(folder) = &self.folder {
            let mut tensors = self.learner.state()?;
            if is_best && self.standing.best.is_some() {
                let best = folder.read_model(Which::Best)?.into_iter();
                tensors.extend(best.map(|(name, tensor)| (format!("{BEST}{name}"), tensor)));
            }
            folder.write_state(&self.identity, &self.standing, &tensors)?;
        }
        if is_best {
            self.standing.best = Some(Best {
                epoch: epoch.epoch,
                top1: scores.top1.map(Exact),
            });
            self.best_evaluation = self.last_evaluation.take();
        }
        self.standing.rows.push(epoch.csv());
        self.write_models(is_best)?;
        self.log_epoch(&epoch, watch);
        watch.epoch(&epoch, is_best)?;
        self.finished(Why::Done, watch)
    }

    /// Starts what TensorBoard shows of the steps that are to come.
    pub(super) fn begin_events(&mut self, watch: &mut dyn Watch) -> Result<()> {
        if let Some(folder) = &self.folder {
            let toml = self.config_toml(&folder.command().unwrap_or_default())?;
            let done = self.standing.step;
            self.events.begin(folder.path(), done, &toml, watch);
        }
        Ok(())
    }

    /// Shows an epoch that was just written.
    pub(super) fn log_epoch(&mut self, epoch: &Epoch, watch: &mut dyn Watch) {
        let learner = &self.learner;
        let weights = || learner.weights();
        self.events.epoch(self.standing.step, epoch, weights, watch);
    }

    /// Commits the run as it stands.
    pub(super) fn save(&self) -> Result<()> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let mut tensors = self.learner.state()?;
        if self.ended_inside.is_some() {
            let best = self.earlier_best.iter().cloned();
            tensors.extend(best.map(|(name, tensor)| (format!("{BEST}{name}"), tensor)));
        }
        folder.write_state(&self.identity, &self.standing, &tensors)
    }

    /// Writes `last/`, `best/` where this is the best epoch, and `metrics.csv`, from what was committed.
    pub(super) fn write_models(&self, is_best: bool) -> Result<()> {
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

    /// The card of `best/`, which says what chose it.
    fn noted(&self) -> Card {
        let chosen = |best: Best| {
            let validation = self.validation.as_ref()?;
            Some(Chosen {
                split: validation.split.clone(),
                images: validation.images(),
                epoch: usize::try_from(best.epoch).ok()?,
                val_top1: best.top1?.0,
            })
        };
        let mut card = self.card.clone();
        if let Some(note) = &mut card.run {
            note.chosen = self.standing.best.and_then(chosen);
        }
        card
    }

    /// Makes the files that follow from the state, which a process that was killed may not have written.
    pub(super) fn restore_files(&mut self) -> Result<()> {
        if self.ended_inside.is_some() {
            return Ok(());
        }
        if self.standing.epoch == 0 {
            // A run that ended inside its first epoch has written a line.
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

    /// The best epoch where the run has ended inside one: its last step is done, both models are there, and `metrics.csv`,
    /// which is written last, has the line of that epoch.
    pub(super) fn end_inside_on_disk(&self) -> Option<Best> {
        let folder = self.folder.as_ref()?;
        let is_whole = folder.has_model(Which::Best) && folder.has_model(Which::Last);
        if !self.is_last_step() || self.standing.batch == 0 || !is_whole {
            return None;
        }
        let rows = folder.metrics();
        let (last, earlier) = rows.split_last()?;
        let epoch = self.standing.epoch + 1;
        let last = Epoch::of_csv(COLUMNS, last)?;
        let top1 = last.val_top1;
        if last.epoch != epoch || earlier != self.standing.rows {
            return None;
        }
        let scores = Scores {
            top1,
            ..Scores::default()
        };
        if self.is_best(scores) {
            return Some(Best {
                epoch,
                top1: top1.map(Exact),
            });
        }
        self.standing.best
    }

    /// Writes the best weights that the state kept of its finished epochs back to `best/`.
    pub(super) fn restore_best(&self) -> Result<()> {
        match &self.folder {
            Some(folder) if !self.earlier_best.is_empty() => {
                folder.write_model(Which::Best, &self.noted(), &self.earlier_best)
            }
            _ => Ok(()),
        }
    }

    /// The best epoch's net and what it makes of the pictures that measure it: those that neither taught nor chose it where there
    /// are such, else those that chose it; nothing where there are none, or `watch` wants to stop meanwhile.
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

    /// The best epoch so far: its number, and what it recognised of the validation pictures, in percent.
    pub(super) fn best(&self) -> Option<(u64, Option<f64>)> {
        let best = self.ended_inside.or(self.standing.best)?;
        Some((best.epoch, best.top1.map(|top1| top1.0)))
    }

    fn ended(&self, why: Why) -> Ended {
        let validation = self.validation.as_ref();
        Ended {
            why,
            best: self.best(),
            tested: None,
            validation: validation.map(Validation::in_words),
            flatters: validation.is_some_and(|validation| validation.split == "test"),
            folder: self.folder.as_ref().map(|folder| folder.path().to_owned()),
        }
    }

    /// The end of a run that has nothing left to do.
    pub(super) fn finished(&mut self, why: Why, watch: &mut dyn Watch) -> Result<Ended> {
        let examined = match self.examine(watch) {
            // Nothing but the report asks for it.
            Err(error) if self.test.is_none() => {
                watch.note(&format!(
                    "the report does without the best epoch's pictures: {}",
                    one_line(&error)
                ));
                None
            }
            examined => examined?,
        };
        if examined.is_none() && watch.wants_to_stop() {
            watch.note("the report does without the best epoch's pictures, for it was interrupted: resume the run to have them");
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

    pub(super) fn stopped(&mut self, watch: &mut dyn Watch) -> Ended {
        let ended = self.ended(Why::Stopped {
            step: self.standing.step,
        });
        // A page of more than that stays, where nothing has come since.
        let is_news = self.last_evaluation.is_some() || self.best_evaluation.is_some();
        if is_news || !self.has_report() {
            self.report(&ended, None, watch);
        }
        ended
    }
}

impl Ended {
    /// What the run came to, a sentence each.
    pub fn in_words(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        if let Why::NoBetter(epochs) = self.why {
            sentences.push(format!(
                "ended early: {} without a better one",
                counted(epochs, "epoch")
            ));
        }
        if let Why::Stopped { step } = self.why {
            sentences.push(format!("stopped after step {step}"));
        }
        if let (Some((epoch, Some(top1))), Some(validation)) = (self.best, &self.validation) {
            let flatters = if self.flatters {
                ", which chose the epoch too, so the figure flatters the model"
            } else {
                ""
            };
            sentences.push(format!(
                "the best epoch is {epoch}: {top1:.2} % of {validation}{flatters}"
            ));
        }
        if let Some(tested) = self.tested {
            sentences.push(format!(
                "it recognises {:.2} % of {}, which neither taught nor chose it",
                tested.top1,
                counted(tested.images, "test picture")
            ));
        }
        sentences
    }
}
