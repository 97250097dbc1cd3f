//! The values that an epoch of the training loop keeps between its steps, and its end.

use crate::train::checkpoint::progress::TrainProgress;
use std::time::{Duration, Instant};

/// The batches since the last step.
#[derive(Debug, Default)]
pub(super) struct Batches {
    /// The sum of the images' losses.
    pub loss: f64,
    /// Trained images.
    pub images: usize,
}

/// The wall time of an epoch and of its steps.
pub(super) struct Clock {
    /// Seconds of the epoch before this process.
    earlier: f64,
    epoch: Instant,
    step: Instant,
    /// The time that the step has waited for its batches.
    waited: Duration,
}

impl Clock {
    /// Starts a clock that continues the epoch of `progress`.
    pub fn new(progress: &TrainProgress) -> Self {
        let now = Instant::now();
        Self {
            earlier: progress.totals.seconds.0,
            epoch: now,
            step: now,
            waited: Duration::ZERO,
        }
    }

    /// Returns the seconds of the epoch.
    pub fn epoch_seconds(&self) -> f64 {
        self.earlier + self.epoch.elapsed().as_secs_f64()
    }

    /// Leaves out what has passed since the last step.
    pub fn restart_step(&mut self) {
        self.step = Instant::now();
        self.waited = Duration::ZERO;
    }

    /// Returns what `next` returns, and adds its time to what the step has waited for data.
    pub fn wait<T>(&mut self, next: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let item = next();
        self.waited += start.elapsed();
        item
    }

    /// Returns the seconds since the last step, and those of them that it waited for data; starts the next one.
    pub fn next_step(&mut self) -> (f64, f64) {
        let seconds = [self.step.elapsed(), self.waited].map(|time| time.as_secs_f64());
        self.restart_step();
        seconds.into()
    }
}

/// The reason why the steps of an epoch ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum EpochEnd {
    /// All batches are done.
    Complete,
    /// The run's last step is done, maybe inside the epoch.
    LastStep,
    /// The observer wants to stop; the state is saved.
    Stopped,
}
