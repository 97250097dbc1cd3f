//! The step of the training loop: batches and their gradients, the update, and what follows it.

use crate::data::UnreadableImage;
use crate::train::data::loader::TrainBatch;
use crate::train::error::diverged;
use crate::train::learner::shards::Learned;
use crate::train::observe::observer::{Observer, Step};
use crate::train::trainer::Trainer;
use crate::train::trainer::epoch::{Batches, Clock, EpochEnd};
use anyhow::Result;
use std::mem;

impl Trainer {
    /// Adds the gradients of a batch to those of the step.
    pub(super) fn accumulate(
        &mut self,
        batch: TrainBatch,
        batches: &mut Batches,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let number = batch.number;
        if let Some(first) = batch.shards.first() {
            let (step, preprocess) = (self.progress.step + 1, &self.config.settings.preprocess);
            let events = &mut self.reporter.events;
            events.images(&first.input, preprocess, step, observer);
        }
        let learned = self.learn(batch, observer)?;
        if learned.images > 0 {
            let metrics = learned.metrics;
            if !metrics.loss.is_finite() {
                return Err(diverged(&format!(
                    "the loss is {} in step {} (epoch {})",
                    metrics.loss,
                    self.progress.step + 1,
                    self.progress.epoch + 1
                )));
            }
            batches.loss += metrics.loss * learned.images as f64;
            batches.images += learned.images;
            let totals = &mut self.progress.totals;
            totals.add(metrics.loss, metrics.correct, learned.images);
        }
        self.progress.finish_batch(number);
        Ok(())
    }

    /// Trains on a batch, with the other processes if there are any, and reports its unreadable images.
    fn learn(&mut self, batch: TrainBatch, observer: &mut dyn Observer) -> Result<Learned> {
        let strict = self.config.settings.strict;
        let shards = self.train.shards();
        if shards.count() > 1 {
            let stop = observer.should_stop();
            let fewest = self.train.fewest();
            let mut learned =
                self.learner
                    .learn_shards(&batch, fewest, stop, shards, &self.processes)?;
            self.stop |= learned.stop;
            for (rank, UnreadableImage { index, error }) in mem::take(&mut learned.unreadable) {
                let succeeds = || self.train.is_readable(index);
                let error = self.processes.name_failed(rank, error, succeeds);
                self.leave_out(UnreadableImage { index, error }, strict, observer)?;
            }
            return Ok(learned);
        }
        for image in batch.unreadable {
            self.leave_out(image, strict, observer)?;
        }
        let mut learned = Learned::default();
        for shard in batch.shards {
            let images = shard.targets.len();
            if self.train.is_trainable(images) {
                learned.metrics = self.learner.learn(&shard.input, &shard.targets)?;
                learned.images = images;
            }
        }
        Ok(learned)
    }

    /// Leaves out an unreadable image; an error in strict mode.
    fn leave_out(
        &mut self,
        image: UnreadableImage,
        strict: bool,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        if strict {
            return Err(image.error);
        }
        self.train.skip(&image, observer);
        Ok(())
    }

    /// Returns true if a step follows the last batch.
    pub(super) fn is_step_due(&self) -> bool {
        let batches = self.train.batches_an_epoch();
        self.progress
            .is_step_due(self.config.settings.grad_accumulation, batches)
    }

    /// Updates the weights with the gradients of `batches`, and reports the step; returns the error of `observer`, if any.
    pub(super) fn step(
        &mut self,
        batches: &mut Batches,
        clock: &mut Clock,
        observer: &mut dyn Observer,
    ) -> Result<Result<()>> {
        let Batches { loss, images } = mem::take(batches);
        let lr = self.learner.step(self.progress.step)?;
        self.progress.finish_step(lr);
        let (seconds, waited) = clock.next_step();
        let step = Step {
            epoch: self.progress.epoch + 1,
            step: self.progress.step,
            loss: loss / images as f64,
            lr,
            step_ms: 1e3 * seconds,
            images_per_second: images as f64 / seconds,
            data_ms: 1e3 * waited,
            top1: self.progress.totals.top1(),
        };
        self.reporter.step(&step, observer);
        Ok(observer.step(&step))
    }

    /// Ends the epoch if `observer` wants to stop, failed (as `observed` says) or saw the last step; saves the state in the first two
    /// cases and where it is due.
    pub(super) fn stop_or_save(
        &mut self,
        observed: Result<()>,
        clock: &mut Clock,
        observer: &dyn Observer,
    ) -> Result<Option<EpochEnd>> {
        if observed.is_err() || self.should_stop(observer) {
            self.save()?;
            return observed.map(|()| Some(EpochEnd::Stopped));
        }
        if self.is_last_step() {
            return Ok(Some(EpochEnd::LastStep));
        }
        let every = self.config.settings.checkpoint_every;
        let is_due = every.is_some_and(|every| self.progress.step.is_multiple_of(every));
        if is_due && !self.is_epoch_complete() {
            self.save()?;
            clock.restart_step();
        }
        Ok(None)
    }
}
