//! The progress of a run.

use crate::eval::history::{COLUMNS, Epoch};
use crate::train::checkpoint::best::Best;
use crate::train::checkpoint::exact::Exact;
use crate::train::config::settings::Settings;
use crate::train::data::validation::ValidationMetrics;
use crate::train::observe::outcome::StopReason;
use serde::{Deserialize, Serialize};

/// The totals of an epoch's batches so far.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct EpochTotals {
    /// The sum of the images' losses.
    pub loss: Exact,
    /// Correctly classified images.
    pub correct: u64,
    /// Images.
    pub images: u64,
    /// Wall time in seconds.
    pub seconds: Exact,
    /// The learning rate of the last step.
    pub lr: Exact,
}

impl EpochTotals {
    /// Adds a batch of `images` images with this mean loss, of which `correct` were classified correctly.
    pub(in crate::train) fn add(&mut self, loss: f64, correct: u64, images: usize) {
        self.loss.0 += loss * images as f64;
        self.correct += correct;
        self.images += images as u64;
    }

    /// Returns the top-1 accuracy in percent.
    pub fn top1(&self) -> f64 {
        100.0 * self.correct as f64 / self.images as f64
    }
}

/// The progress of a run, between two steps.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TrainProgress {
    /// Finished epochs.
    pub epoch: u64,
    /// Finished batches of the current epoch.
    pub batch: usize,
    /// Steps over the whole run.
    pub step: u64,
    /// The totals of these batches.
    #[serde(rename = "sums")]
    pub totals: EpochTotals,
    /// The best epoch so far.
    pub best: Option<Best>,
    /// The epoch from which patience counts at the earliest, set when a run that stopped early is extended.
    pub patient_since: u64,
    /// The lines of `metrics.csv`.
    pub rows: Vec<String>,
    /// The end of the run inside the current epoch; `None` elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisional: Option<Provisional>,
}

/// The end of a run inside an epoch, until a longer run continues that epoch: the part of it that was trained was validated and
/// saved like a whole one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provisional {
    /// The best epoch with this one.
    pub best: Option<Best>,
    /// The line of the epoch in `metrics.csv`.
    pub row: String,
}

impl TrainProgress {
    /// Returns why nothing is left to do; `None` if something is.
    pub(in crate::train) fn stop_reason(
        &self,
        settings: &Settings,
        has_validation: bool,
    ) -> Option<StopReason> {
        let since = self.best.map_or(self.epoch, |best| {
            best.improved_at().max(self.patient_since)
        });
        // Inside an epoch the last step is followed by a validation, which may have been cut off.
        let steps_are_done = self.is_last_step(settings) && self.is_validated();
        if self.epoch >= settings.epochs || steps_are_done {
            return Some(StopReason::Done);
        }
        let patience = settings.patience.filter(|_| has_validation)?;
        (self.epoch.saturating_sub(since) >= patience).then_some(StopReason::NoBetter(patience))
    }

    /// Records that batch `number` (from 0) of the current epoch is done.
    pub(in crate::train) fn finish_batch(&mut self, number: usize) {
        self.batch = number + 1;
    }

    /// Returns true if a step follows the last batch, in an epoch of `batches` batches.
    pub(in crate::train) fn is_step_due(&self, grad_accumulation: usize, batches: usize) -> bool {
        self.batch.is_multiple_of(grad_accumulation) || self.is_epoch_complete(batches)
    }

    /// Records a step with learning rate `lr`.
    pub(in crate::train) fn finish_step(&mut self, lr: f64) {
        self.step += 1;
        self.totals.lr.0 = lr;
    }

    /// Returns true if every one of the current epoch's `batches` batches is done.
    pub(in crate::train) fn is_epoch_complete(&self, batches: usize) -> bool {
        self.batch >= batches
    }

    /// Returns true if no step may follow.
    pub(in crate::train) fn is_last_step(&self, settings: &Settings) -> bool {
        settings.max_steps.is_some_and(|most| self.step >= most)
    }

    /// Returns true if an epoch was validated and no step followed.
    pub(in crate::train) fn is_validated(&self) -> bool {
        self.provisional.is_some() || (self.batch == 0 && self.epoch > 0)
    }

    /// Records a validated epoch whose batches are all done, and the best epoch with it.
    pub(in crate::train) fn finish_epoch(&mut self, epoch: &Epoch, best: Option<Best>) {
        self.best = best;
        self.rows.push(epoch.csv());
        self.epoch = epoch.epoch;
        self.batch = 0;
        self.totals = EpochTotals::default();
    }

    /// Records the end of the run inside a validated epoch, and the best epoch with it. The progress stays inside the epoch, so that
    /// a longer run is bit-identical to an uninterrupted one.
    pub(in crate::train) fn end_inside(&mut self, epoch: &Epoch, best: Option<Best>) {
        self.provisional = Some(Provisional {
            best,
            row: epoch.csv(),
        });
    }

    /// Returns the best epoch so far.
    pub(in crate::train) fn best_so_far(&self) -> Option<Best> {
        let provisional = self.provisional.as_ref();
        provisional.and_then(|end| end.best).or(self.best)
    }

    /// Returns the best epoch so far and its validation top-1 in percent.
    pub(in crate::train) fn best_top1(&self) -> Option<(u64, Option<f64>)> {
        let best = self.best_so_far()?;
        Some((best.epoch, best.top1.map(|top1| top1.0)))
    }

    /// Returns true if the epoch that was validated last is the best one.
    pub(in crate::train) fn is_best(&self) -> bool {
        let validated = self.epoch + u64::from(self.provisional.is_some());
        self.best_so_far().map(|best| best.epoch) == Some(validated)
    }

    /// Returns the lines of `metrics.csv`, with that of the epoch that the run ended in.
    pub(in crate::train) fn all_rows(&self) -> Vec<String> {
        let provisional = self.provisional.iter().map(|end| &end.row);
        self.rows.iter().chain(provisional).cloned().collect()
    }

    /// Returns the finished epochs, and the one that the run ended in.
    pub(in crate::train) fn epochs(&self) -> Vec<Epoch> {
        let rows = self.all_rows().into_iter();
        rows.filter_map(|row| Epoch::from_csv(COLUMNS, &row))
            .collect()
    }

    /// Returns the figures of the current epoch with the validation metrics `scores`.
    pub(in crate::train) fn current_epoch(&self, scores: &ValidationMetrics) -> Epoch {
        let EpochTotals {
            loss,
            images,
            seconds,
            lr,
            ..
        } = self.totals;
        Epoch {
            epoch: self.epoch + 1,
            train_loss: loss.0 / images as f64,
            train_top1: self.totals.top1(),
            val_loss: scores.loss,
            val_top1: scores.top1,
            val_top5: scores.top5,
            lr: lr.0,
            seconds: seconds.0,
        }
    }

    /// Adds the loss of the best epoch to a state of an earlier version, from its line of `metrics.csv`.
    pub(in crate::train) fn complete_best(&mut self) {
        let Some(best) = self.best.as_mut().filter(|best| best.loss.is_none()) else {
            return;
        };
        let mut epochs = self
            .rows
            .iter()
            .filter_map(|row| Epoch::from_csv(COLUMNS, row));
        let row = epochs.find(|epoch| epoch.epoch == best.epoch);
        best.loss = row.and_then(|epoch| epoch.val_loss).map(Exact);
    }
}

#[cfg(test)]
mod tests;
