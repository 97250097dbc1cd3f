//! The training loop: epochs of steps, each epoch validated and saved.
//!
//! The results of a run are a function of its [`State`](crate::train::checkpoint::state::State): order and augmentation depend on the seed, the
//! epoch and the image, so that a resumed run is bit-identical to an uninterrupted one.

pub(in crate::train) mod announce;
pub mod build;
pub mod finish;
pub mod resume;

use crate::error::error_with_hint;
use crate::eval::Evaluation;
use crate::eval::history::Epoch;
use crate::pipeline::NotFinite;
use crate::train::checkpoint::best::Best;
use crate::train::checkpoint::run_dir::RunFolder;
use crate::train::checkpoint::state::{Identity, Standing, Sums};
use crate::train::config::recipe::Recipe;
use crate::train::config::settings::Settings;
use crate::train::data::loader::{FedBatch, Feed};
use crate::train::data::validation::{Scores, Validation};
use crate::train::learner::Learner;
use crate::train::observe::observer::{Step, Watch};
use crate::train::observe::outcome::{Ended, Why};
use crate::train::observe::report::Drawing;
use crate::train::observe::tensorboard::{self, Events};
use crate::weights::ModelInfo;
use anyhow::{Result, bail};
use candle_core::Tensor;
use std::time::Instant;

/// A run, ready to start or to resume.
pub struct Run {
    pub(in crate::train) settings: Settings,
    pub(in crate::train) recipe: Recipe,
    pub(in crate::train) identity: Identity,
    pub(in crate::train) standing: Standing,
    pub(in crate::train) learner: Learner,
    pub(in crate::train) feed: Feed,
    pub(in crate::train) validation: Option<Validation>,
    /// Test images, used neither for training nor for selection, on which the best epoch is evaluated at the end.
    pub(in crate::train) test: Option<Validation>,
    /// The model information in `best/` and `last/`.
    pub(in crate::train) card: ModelInfo,
    /// Data-loading threads.
    pub(in crate::train) workers: usize,
    /// Approximate memory of a step on a CPU in bytes.
    pub(in crate::train) step_bytes: Option<u64>,
    /// True if the images are photographs in a folder.
    pub(in crate::train) is_photographs: bool,
    /// Training images that the inspection of the data could not read.
    pub(in crate::train) unreadable: usize,
    /// Maximum number of images that a trial uses.
    pub(in crate::train) looked_at: Option<usize>,
    /// The run folder; `None` in a dry run.
    pub(in crate::train) folder: Option<RunFolder>,
    /// The best weights of the finished epochs, if the state was saved at an end inside a later epoch.
    pub(in crate::train) earlier_best: Vec<(String, Tensor)>,
    /// The best epoch of a run that has ended inside an epoch and whose files are complete; its state precedes that end.
    pub(in crate::train) ended_inside: Option<Best>,
    /// The last validation, unless it is that of the best epoch.
    pub(in crate::train) last_evaluation: Option<Evaluation>,
    /// The validation of the best epoch, if it ran in this process.
    pub(in crate::train) best_evaluation: Option<Evaluation>,
    /// The state of its plots.
    pub(in crate::train) drawing: Drawing,
    /// The TensorBoard events; none in a dry run.
    pub(in crate::train) events: Events,
}

/// The reason why the steps of an epoch ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reached {
    TheEnd,
    TheLastStep,
    AStop,
}

impl Run {
    /// Adds histograms of the weights after each epoch to the TensorBoard events.
    pub fn write_histograms(&mut self) {
        self.events.write_histograms();
    }

    /// Runs until all epochs or steps are done, or `watch` wants to stop.
    ///
    /// # Errors
    /// If the loss is not finite, images are unreadable in strict mode, or a file cannot be written; errors of `watch`, after
    /// the state was saved.
    pub fn go(mut self, watch: &mut dyn Watch) -> Result<Ended> {
        if let Some(why) = self.end() {
            self.restore_files()?;
            return self.finished(why, watch);
        }
        // Before `metrics.csv` is restored, as its lines decide what to take back.
        self.show(watch);
        self.restore_files()?;
        if !self.compute_features(watch)? {
            return Ok(self.stopped(watch));
        }
        loop {
            let reached = self.learn_epoch(watch)?;
            if reached == Reached::AStop {
                return Ok(self.stopped(watch));
            }
            let Some(scores) = self.validate(watch)? else {
                self.save()?;
                return Ok(self.stopped(watch));
            };
            if reached == Reached::TheLastStep && !self.is_epochs_end() {
                return self.end_inside(scores, watch);
            }
            self.finish_epoch(scores, watch)?;
            if let Some(why) = self.end() {
                return self.finished(why, watch);
            }
        }
    }

    /// Starts the TensorBoard events, without the figures of an earlier end inside the current epoch.
    fn show(&mut self, watch: &mut dyn Watch) {
        let lines = self.folder.as_ref().map(|folder| folder.metrics().len());
        if self.standing.batch > 0 && lines > Some(self.standing.rows.len()) {
            self.events.take_back_last_step();
        }
        if let Err(error) = self.begin_events(watch) {
            tensorboard::warn(&error, watch);
        }
    }

    /// Returns why nothing is left to do; `None` if something is.
    pub(in crate::train) fn end(&self) -> Option<Why> {
        let (is_validated, ended_inside) = (self.validation.is_some(), self.ended_inside.is_some());
        self.standing
            .end(&self.settings, is_validated, ended_inside)
    }

    /// Returns whether no step may follow.
    pub(in crate::train) fn is_last_step(&self) -> bool {
        self.standing.is_last_step(&self.settings)
    }

    /// Runs the remaining steps of the current epoch.
    fn learn_epoch(&mut self, watch: &mut dyn Watch) -> Result<Reached> {
        if self.is_last_step() {
            return Ok(Reached::TheLastStep);
        }
        let epoch = self.standing.epoch;
        let batches = self.feed.batches_an_epoch();
        let earlier = self.standing.sums.seconds.0;
        let started = Instant::now();
        let mut clock = Instant::now();
        let (mut loss, mut images) = (0.0, 0);
        for batch in self.feed.epoch(epoch, self.standing.batch)? {
            let FedBatch {
                number,
                input,
                targets,
                unreadable,
            } = batch?;
            for error in unreadable {
                if self.settings.strict {
                    return Err(error);
                }
                self.feed.leave_out(&error, watch);
            }
            self.events.pictures(
                &input,
                &self.settings.preprocess,
                self.standing.step + 1,
                watch,
            );
            if self.feed.can_learn(targets.len()) {
                let outcome = self.learner.learn(&input, &targets)?;
                if !outcome.loss.is_finite() {
                    let at = format!(
                        "the loss is {} in step {} (epoch {})",
                        outcome.loss,
                        self.standing.step + 1,
                        epoch + 1
                    );
                    return Err(diverged(&at));
                }
                loss += outcome.loss * targets.len() as f64;
                images += targets.len();
                let sums = &mut self.standing.sums;
                sums.loss.0 += outcome.loss * targets.len() as f64;
                sums.correct += outcome.correct;
                sums.images += targets.len() as u64;
            }
            self.standing.batch = number + 1;
            let is_last = number + 1 == batches;
            if !(number + 1).is_multiple_of(self.settings.grad_accumulation) && !is_last {
                continue;
            }
            self.standing.sums.seconds.0 = earlier + started.elapsed().as_secs_f64();
            if images == 0 {
                continue;
            }
            let lr = self.learner.step(self.standing.step)?;
            self.standing.step += 1;
            self.standing.sums.lr.0 = lr;
            let seconds = clock.elapsed().as_secs_f64();
            clock = Instant::now();
            let step = Step {
                epoch: epoch + 1,
                step: self.standing.step,
                loss: loss / images as f64,
                lr,
                step_ms: 1e3 * seconds,
                images_per_second: images as f64 / seconds,
                top1: self.standing.sums.top1(),
            };
            self.events.step(&step, watch);
            let told = watch.step(&step);
            (loss, images) = (0.0, 0);
            if told.is_err() || watch.wants_to_stop() {
                self.save()?;
                return told.map(|()| Reached::AStop);
            }
            if self.is_last_step() {
                return Ok(Reached::TheLastStep);
            }
            let every = self.settings.checkpoint_every;
            if !is_last && every.is_some_and(|every| self.standing.step.is_multiple_of(every)) {
                self.save()?;
                clock = Instant::now();
            }
        }
        if self.standing.sums.images == 0 {
            bail!(
                "epoch {} has no image to train on: none is readable",
                epoch + 1
            );
        }
        Ok(Reached::TheEnd)
    }

    /// Returns whether every batch of the current epoch is done.
    fn is_epochs_end(&self) -> bool {
        self.standing.batch >= self.feed.batches_an_epoch()
    }

    /// Validates the current weights: the scores are empty without a validation set, and `None` if `watch` wanted to stop
    /// meanwhile. If validation fails, the state is saved first.
    fn validate(&mut self, watch: &mut dyn Watch) -> Result<Option<Scores>> {
        let started = Instant::now();
        let evaluation = match &mut self.validation {
            Some(validation) => validation.scores(&self.learner, watch).map(|e| e.map(Some)),
            None => Ok(Some(None)),
        };
        let evaluation = match evaluation {
            Err(error) if error.is::<NotFinite>() => {
                return Err(diverged(&format!(
                    "the outputs after step {} are infinite or NaN",
                    self.standing.step
                )));
            }
            // The steps of the epoch are not lost if its validation fails.
            Err(error) => return self.save().and(Err(error)),
            Ok(None) => return Ok(None),
            Ok(Some(evaluation)) => evaluation,
        };
        self.standing.sums.seconds.0 += started.elapsed().as_secs_f64();
        let scores = evaluation.as_ref().map(Scores::of).unwrap_or_default();
        self.last_evaluation = evaluation;
        Ok(Some(scores))
    }

    /// Returns the figures of the current epoch.
    pub(in crate::train) fn epoch(&self, scores: Scores) -> Epoch {
        let Sums {
            loss,
            images,
            seconds,
            lr,
            ..
        } = self.standing.sums;
        Epoch {
            epoch: self.standing.epoch + 1,
            train_loss: loss.0 / images as f64,
            train_top1: self.standing.sums.top1(),
            val_loss: scores.loss,
            val_top1: scores.top1,
            val_top5: scores.top5,
            lr: lr.0,
            seconds: seconds.0,
        }
    }

    /// Returns the current epoch as the new best one, if its scores make it so.
    pub(in crate::train) fn new_best(&self, scores: Scores) -> Option<Best> {
        let (best, epoch) = (self.standing.best.as_ref(), self.standing.epoch + 1);
        self.settings.best_by.select(best, epoch, &scores)
    }

    /// Records and saves an epoch whose batches are all done.
    fn finish_epoch(&mut self, scores: Scores, watch: &mut dyn Watch) -> Result<()> {
        let epoch = self.epoch(scores);
        let new_best = self.new_best(scores);
        let is_best = new_best.is_some();
        if is_best {
            self.standing.best = new_best;
            self.best_evaluation = self.last_evaluation.take();
        }
        self.standing.rows.push(epoch.csv());
        self.standing.epoch = epoch.epoch;
        self.standing.batch = 0;
        self.standing.sums = Sums::default();
        self.save()?;
        self.write_models(is_best)?;
        self.log_epoch(&epoch, watch);
        self.draw_now_and_then(watch);
        watch.epoch(&epoch, is_best)
    }
}

impl Standing {
    /// Returns why nothing is left to do; `None` if something is. `ended_inside` is whether the run has ended inside an epoch.
    pub(in crate::train) fn end(
        &self,
        settings: &Settings,
        is_validated: bool,
        ended_inside: bool,
    ) -> Option<Why> {
        let Self {
            epoch,
            best,
            patient_since,
            ..
        } = self;
        let since = best.map_or(*epoch, |best| best.improved_at().max(*patient_since));
        // Inside an epoch the last step is followed by a validation, which may have been cut off.
        let steps_are_done = self.is_last_step(settings) && (self.batch == 0 || ended_inside);
        if *epoch >= settings.epochs || steps_are_done {
            return Some(Why::Done);
        }
        let patience = settings.patience.filter(|_| is_validated)?;
        (epoch.saturating_sub(since) >= patience).then_some(Why::NoBetter(patience))
    }

    /// Returns whether no step may follow.
    fn is_last_step(&self, settings: &Settings) -> bool {
        settings.max_steps.is_some_and(|most| self.step >= most)
    }
}

/// The error of a run with infinite or NaN values.
pub(in crate::train) fn diverged(what: &str) -> anyhow::Error {
    error_with_hint(
        format!("training diverged: {what}"),
        "try a lower --lr, a longer --warmup-epochs or --clip-grad 1; the saved state is unchanged",
    )
}
