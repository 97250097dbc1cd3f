//! The training loop: epochs of steps, each epoch validated and saved.
//!
//! The results of a run are a function of its [`RunState`](crate::train::checkpoint::state::RunState): order and augmentation depend on
//! the seed, the epoch and the image, so that a resumed run is bit-identical to an uninterrupted one.

pub(in crate::train) mod announce;
pub mod build;
pub mod builder;
mod epoch;
mod features;
pub mod finish;
pub mod prepared;
pub mod resume;
pub mod resume_builder;
mod same;
mod step;
pub mod target;
#[cfg(test)]
mod tests;
mod together;

use crate::distributed::Processes;
use crate::pipeline::NotFinite;
use crate::train::checkpoint::best::Best;
use crate::train::checkpoint::checkpointer::Checkpointer;
use crate::train::checkpoint::progress::TrainProgress;
use crate::train::config::train_config::TrainConfig;
use crate::train::data::batching::steps;
use crate::train::data::evaluators::Evaluators;
use crate::train::data::loader::TrainLoader;
use crate::train::data::validation::{Validation, ValidationMetrics};
use crate::train::error::diverged;
use crate::train::learner::Learner;
use crate::train::observe::observer::Observer;
use crate::train::observe::outcome::{Outcome, StopReason};
use crate::train::observe::report::{ReportedCounts, ReportedRun};
use crate::train::observe::reporter::Reporter;
use crate::train::observe::tensorboard;
use anyhow::{Result, bail};
use epoch::{Batches, Clock, EpochEnd};
use std::time::Instant;

/// A run, ready to start or to resume.
pub struct Trainer {
    config: TrainConfig,
    progress: TrainProgress,
    learner: Learner,
    train: TrainLoader,
    eval: Evaluators,
    checkpoints: Checkpointer,
    reporter: Reporter,
    processes: Processes,
    /// A process wants to stop, as all know.
    stop: bool,
}

impl Trainer {
    /// Adds histograms of the weights after each epoch to the TensorBoard events.
    pub(crate) fn write_histograms(&mut self) {
        self.reporter.events.write_histograms();
    }

    /// Trains until all epochs or steps are done, or `observer` wants to stop.
    ///
    /// # Errors
    /// If the loss is not finite, images are unreadable in strict mode, or a file cannot be written; errors of `observer`, after
    /// the state was saved.
    pub(crate) fn run(mut self, observer: &mut dyn Observer) -> Result<Outcome> {
        if let Some(reason) = self.stop_reason() {
            self.restore_files()?;
            return self.finished(reason, observer);
        }
        // Before `metrics.csv` is restored, as its lines decide what to take back.
        self.begin_events(observer);
        self.restore_files()?;
        let computed = self.compute_features(observer)?;
        if !self.agree(computed)? {
            return Ok(self.stopped(observer));
        }
        loop {
            if self.train_epoch(observer)? == EpochEnd::Stopped {
                return Ok(self.stopped(observer));
            }
            let scores = self.validate(observer)?;
            let (true, Some(scores)) = (self.agree(scores.is_some())?, scores) else {
                self.save()?;
                return Ok(self.stopped(observer));
            };
            self.finish_epoch(&scores, observer)?;
            if let Some(reason) = self.stop_reason() {
                return self.finished(reason, observer);
            }
        }
    }

    /// Trains the remaining batches of the current epoch.
    fn train_epoch(&mut self, observer: &mut dyn Observer) -> Result<EpochEnd> {
        if self.is_last_step() {
            return Ok(EpochEnd::LastStep);
        }
        let mut clock = Clock::new(&self.progress);
        let mut batches = Batches::default();
        let mut loaded = self.train.epoch(self.progress.epoch, self.progress.batch)?;
        while let Some(batch) = clock.wait(|| loaded.next()) {
            self.accumulate(batch?, &mut batches, observer)?;
            if !self.is_step_due() {
                continue;
            }
            self.progress.totals.seconds.0 = clock.epoch_seconds();
            if batches.images == 0 {
                continue;
            }
            let observed = self.step(&mut batches, &mut clock, observer)?;
            if let Some(end) = self.stop_or_save(observed, &mut clock, observer)? {
                return Ok(end);
            }
        }
        if self.progress.totals.images == 0 {
            bail!(
                "epoch {} has no image to train on: none is readable",
                self.progress.epoch + 1
            );
        }
        Ok(EpochEnd::Complete)
    }

    /// Validates the current weights: the metrics are empty without a validation set, and `None` if `observer` wants to stop
    /// meanwhile. If validation fails, the state is saved first.
    fn validate(&mut self, observer: &mut dyn Observer) -> Result<Option<ValidationMetrics>> {
        let started = Instant::now();
        let measure = |set: &mut Validation| set.measure(self.learner.eval_model()?, observer);
        match self.eval.validate(measure) {
            Err(error) if error.is::<NotFinite>() => Err(diverged(&format!(
                "the outputs after step {} are infinite or NaN",
                self.progress.step
            ))),
            // The steps of the epoch are not lost if its validation fails.
            Err(error) => self.save().and(Err(error)),
            Ok(scores) => {
                if scores.is_some() {
                    self.progress.totals.seconds.0 += started.elapsed().as_secs_f64();
                }
                Ok(scores)
            }
        }
    }

    /// Records, saves and reports a validated epoch, or the part of one in which the run ends.
    fn finish_epoch(
        &mut self,
        scores: &ValidationMetrics,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let epoch = self.progress.current_epoch(scores);
        let earlier = self.progress.best;
        let by = self.config.settings.best_by;
        let new_best = Best::select(by, earlier.as_ref(), epoch.epoch, scores);
        let is_best = new_best.is_some();
        if is_best {
            self.eval.keep_best();
        }
        if self.is_epoch_complete() {
            self.progress.finish_epoch(&epoch, new_best.or(earlier));
        } else {
            if is_best && earlier.is_some() {
                self.checkpoints.keep_best()?;
            }
            self.progress.end_inside(&epoch, new_best.or(earlier));
        }
        self.save()?;
        self.write_models()?;
        let (reporter, learner, run) = self.reported();
        let draw = run.checkpoints.folder().map(|_| || run.draw_curves());
        let (step, weights) = (run.progress.step, || learner.weights());
        reporter.epoch(step, &epoch, weights, draw, observer);
        observer.epoch(&epoch, is_best)
    }

    /// Starts the TensorBoard events, without the figures of an earlier end inside the current epoch.
    fn begin_events(&mut self, observer: &mut dyn Observer) {
        let Some(folder) = self.checkpoints.folder() else {
            return;
        };
        if self.progress.batch > 0 && folder.metrics().len() > self.progress.rows.len() {
            self.reporter.events.take_back_last_step();
        }
        match self.config_toml(&folder.command().unwrap_or_default()) {
            Ok(toml) => {
                let (events, done) = (&mut self.reporter.events, self.progress.step);
                events.begin(folder.path(), done, &toml, observer);
            }
            Err(error) => tensorboard::warn(&error, observer),
        }
    }

    /// Returns the reporter, and the parts of the run that it reports.
    fn reported(&mut self) -> (&mut Reporter, &Learner, ReportedRun<'_>) {
        let [_, parameters] = self.learner.counts();
        let batches = self.train.batches_an_epoch();
        let run = ReportedRun {
            counts: ReportedCounts {
                parameters,
                images: self.train.readable_images(),
                unreadable_images: self.train.unreadable_images(),
                steps_an_epoch: steps(&self.config.settings, batches),
            },
            progress: &self.progress,
            eval: &self.eval,
            preprocess: &self.config.settings.preprocess,
            checkpoints: &self.checkpoints,
        };
        (&mut self.reporter, &self.learner, run)
    }

    /// Returns why nothing is left to do; `None` if something is.
    fn stop_reason(&self) -> Option<StopReason> {
        let has_validation = self.eval.has_validation();
        self.progress
            .stop_reason(&self.config.settings, has_validation)
    }

    /// Returns true if no step may follow.
    fn is_last_step(&self) -> bool {
        self.progress.is_last_step(&self.config.settings)
    }

    /// Returns true if every batch of the current epoch is done.
    fn is_epoch_complete(&self) -> bool {
        self.progress
            .is_epoch_complete(self.train.batches_an_epoch())
    }

    /// Saves the state.
    fn save(&self) -> Result<()> {
        self.checkpoints
            .save(&self.progress, || self.learner.state())
    }

    /// Writes the files that follow from the saved state of a validated epoch.
    fn write_models(&self) -> Result<()> {
        let selection = self.eval.selection(self.progress.best_so_far());
        let weights = || self.learner.weights();
        self.checkpoints
            .write_models(&self.progress, weights, selection)
    }

    /// Restores the files that follow from the state.
    fn restore_files(&self) -> Result<()> {
        let selection = self.eval.selection(self.progress.best_so_far());
        let weights = || self.learner.weights();
        self.checkpoints.restore(&self.progress, weights, selection)
    }
}
