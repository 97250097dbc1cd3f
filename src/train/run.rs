//! The run: epochs of steps, each epoch validated and saved.
//!
//! What a run computes is a function of its [`State`](super::state::State): order and augmentation depend on the seed, the
//! epoch and the picture, so a run that goes on from a saved state gives the bits of one that was never stopped.

use super::ended::{Ended, Why};
use super::events::{self, Events};
use super::feed::{FedBatch, Feed};
use super::folder::RunFolder;
use super::learner::Learner;
use super::recipe::Recipe;
use super::report::Drawing;
use super::settings::Settings;
use super::state::{Best, Exact, Identity, Standing, Sums, diverged};
use super::validation::{Scores, Validation};
use super::watch::{Epoch, Step, Watch};
use crate::eval::Evaluation;
use crate::predict::NotFinite;
use crate::weights::Card;
use anyhow::{Result, bail};
use candle_core::Tensor;
use std::time::Instant;

/// A run, ready to go on from where it stands.
pub struct Run {
    pub(super) settings: Settings,
    pub(super) recipe: Recipe,
    pub(super) identity: Identity,
    pub(super) standing: Standing,
    pub(super) learner: Learner,
    pub(super) feed: Feed,
    pub(super) validation: Option<Validation>,
    /// Pictures that neither teach nor choose, to measure the best epoch on at the end.
    pub(super) test: Option<Validation>,
    /// What `best/` and `last/` say of the model.
    pub(super) card: Card,
    /// Threads that read and prepare pictures.
    pub(super) workers: usize,
    /// Bytes of memory that a step takes on a CPU, about.
    pub(super) step_bytes: Option<u64>,
    /// The most pictures that a trial looks at.
    pub(super) looked_at: Option<usize>,
    /// Where it is written, unless the run is dry.
    pub(super) folder: Option<RunFolder>,
    /// The best weights of the finished epochs, where the state was saved at an end inside a later one.
    pub(super) earlier_best: Vec<(String, Tensor)>,
    /// The best epoch of a run that has ended inside one and whose files all tell so; its state stands before that end.
    pub(super) ended_inside: Option<Best>,
    /// What the last validation came to, unless it is the best epoch's.
    pub(super) last_evaluation: Option<Evaluation>,
    /// What the best epoch's came to, where this process measured it.
    pub(super) best_evaluation: Option<Evaluation>,
    /// What was drawn of it.
    pub(super) drawing: Drawing,
    /// What TensorBoard shows of it, unless the run is dry.
    pub(super) events: Events,
}

/// Where the steps of an epoch ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reached {
    TheEnd,
    TheLastStep,
    AStop,
}

impl Run {
    /// Asks for histograms of the weights after each epoch in what TensorBoard shows.
    pub fn write_histograms(&mut self) {
        self.events.write_histograms();
    }

    /// Goes on until all is done, or `watch` wants it to stop.
    ///
    /// # Errors
    /// A loss that is no number; pictures that cannot be read, where that is an error; a file that cannot be written;
    /// those of `watch`, after the state was saved.
    pub fn go(mut self, watch: &mut dyn Watch) -> Result<Ended> {
        if let Some(why) = self.end() {
            self.restore_files()?;
            return self.finished(why, watch);
        }
        // Before `metrics.csv` is restored, by which it is known what to take back.
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

    /// Starts what TensorBoard shows, without the figures of an end inside the epoch that goes on now.
    fn show(&mut self, watch: &mut dyn Watch) {
        let lines = self.folder.as_ref().map(|folder| folder.metrics().len());
        if self.standing.batch > 0 && lines > Some(self.standing.rows.len()) {
            self.events.take_back_last_step();
        }
        if let Err(error) = self.begin_events(watch) {
            events::warn(&error, watch);
        }
    }

    /// Whether nothing is left to do, and why.
    pub(super) fn end(&self) -> Option<Why> {
        let Standing {
            epoch,
            best,
            patient_since,
            ..
        } = &self.standing;
        let since = best.map_or(*epoch, |best| best.epoch.max(*patient_since));
        let without_better = epoch.saturating_sub(since);
        // Inside an epoch the last step is followed by a validation, which may have been cut off.
        let steps_are_done =
            self.is_last_step() && (self.standing.batch == 0 || self.ended_inside.is_some());
        if *epoch >= self.settings.epochs || steps_are_done {
            return Some(Why::Done);
        }
        let patience = self
            .settings
            .patience
            .filter(|_| self.validation.is_some())?;
        (without_better >= patience).then_some(Why::NoBetter(patience))
    }

    /// Whether no step may follow.
    pub(super) fn is_last_step(&self) -> bool {
        let most = self.settings.max_steps;
        most.is_some_and(|most| self.standing.step >= most)
    }

    /// Takes the steps that are left of the epoch under way.
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
                "epoch {} has no picture to learn from: none could be read",
                epoch + 1
            );
        }
        Ok(Reached::TheEnd)
    }

    /// Whether every batch of the epoch under way is done.
    fn is_epochs_end(&self) -> bool {
        self.standing.batch >= self.feed.batches_an_epoch()
    }

    /// The scores of the validation pictures: nothing in them where there are none, and nothing at all where `watch` wanted
    /// to stop meanwhile. Where they cannot be had, the state is saved all the same.
    fn validate(&mut self, watch: &mut dyn Watch) -> Result<Option<Scores>> {
        let started = Instant::now();
        let evaluation = match &mut self.validation {
            Some(validation) => validation.scores(&self.learner, watch).map(|e| e.map(Some)),
            None => Ok(Some(None)),
        };
        let evaluation = match evaluation {
            Err(error) if error.is::<NotFinite>() => {
                return Err(diverged(&format!(
                    "after step {} the net's answers are infinite or not a number",
                    self.standing.step
                )));
            }
            // The epoch's steps are not lost with its validation.
            Err(error) => return self.save().and(Err(error)),
            Ok(None) => return Ok(None),
            Ok(Some(evaluation)) => evaluation,
        };
        self.standing.sums.seconds.0 += started.elapsed().as_secs_f64();
        let scores = evaluation.as_ref().map(Scores::of).unwrap_or_default();
        self.last_evaluation = evaluation;
        Ok(Some(scores))
    }

    /// What the epoch under way came to.
    pub(super) fn epoch(&self, scores: Scores) -> Epoch {
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

    /// Whether an epoch is better than all before it; without validation pictures every one is.
    pub(super) fn is_best(&self, scores: Scores) -> bool {
        match (self.standing.best, scores.top1) {
            (
                Some(Best {
                    top1: Some(best), ..
                }),
                Some(top1),
            ) => top1 > best.0,
            _ => true,
        }
    }

    /// Records and saves an epoch whose batches are all done.
    fn finish_epoch(&mut self, scores: Scores, watch: &mut dyn Watch) -> Result<()> {
        let epoch = self.epoch(scores);
        let is_best = self.is_best(scores);
        if is_best {
            self.standing.best = Some(Best {
                epoch: epoch.epoch,
                top1: scores.top1.map(Exact),
            });
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
