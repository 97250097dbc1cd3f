//! The observer of a run: the command line prints what it receives, a program can collect it.

use crate::data::DatasetSurvey;
use crate::error::{Message, message_of};
use crate::eval::history::Epoch;
use crate::train::config::recipe::Recipe;
use anyhow::{Error, Result};
use serde::Serialize;

/// The start of a run.
#[derive(Debug, Clone)]
pub struct RunStarted {
    /// The run in labels and values for people: model, data, validation, schedule, output and more.
    pub description: Vec<(&'static str, String)>,
    /// The recipe with every key set.
    pub recipe: Recipe,
    /// Epochs of the run.
    pub epochs: u64,
    /// Steps per epoch.
    pub steps_an_epoch: u64,
    /// Approximate memory of a step in bytes; `None` on other devices than CPUs.
    pub step_bytes: Option<u64>,
    /// Finished epochs and steps of a resumed run.
    pub done: [u64; 2],
    /// The best of the finished epochs and its validation top-1 in percent.
    pub best: Option<(u64, Option<f64>)>,
    /// The finished epochs of a resumed run.
    pub history: Vec<Epoch>,
    /// The run folder; `None` in a dry run.
    pub folder: Option<std::path::PathBuf>,
}

/// An optimizer step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Step {
    /// From 1.
    pub epoch: u64,
    /// From 1 over the whole run.
    pub step: u64,
    /// The mean loss of the step's images before the update.
    pub loss: f64,
    /// The learning rate of the update.
    pub lr: f64,
    /// Wall time of the whole step in milliseconds, waiting for data included.
    pub step_ms: f64,
    /// Images of the step per second.
    pub images_per_second: f64,
    /// The part of `step_ms` that the step waited for its batches.
    pub data_ms: f64,
    /// Top-1 accuracy in percent of the epoch's images so far, each before its update.
    #[serde(skip)]
    pub top1: f64,
}

/// Receives the events of a run. An error of it ends the run, after its state is saved.
pub trait Observer {
    /// A remark. It may name settings, which its text has by their keys.
    fn note(&mut self, note: &Message);

    /// A failure that does not end the run.
    fn warning(&mut self, error: &Error) {
        self.note(&message_of(error));
    }

    /// A remark for those who ask for details.
    fn detail(&mut self, _text: &str) {}

    /// The images of a folder were inspected, for a new run of `recipe`.
    fn surveyed(&mut self, _survey: &DatasetSurvey, _recipe: &Recipe) {}

    /// The run starts or resumes.
    fn started(&mut self, run: &RunStarted);

    /// A step was done.
    ///
    /// # Errors
    /// If nothing more can be written.
    fn step(&mut self, step: &Step) -> Result<()>;

    /// `done` of `total` images were processed without training; `task` names the work, such as `validating`.
    fn progress(&mut self, task: &str, done: usize, total: usize);

    /// An epoch was finished; `is_best` if it is the best one so far.
    ///
    /// # Errors
    /// If nothing more can be written.
    fn epoch(&mut self, epoch: &Epoch, is_best: bool) -> Result<()>;

    /// An unreadable image was skipped.
    fn unreadable(&mut self, error: &Error);

    /// Returns whether the run should save its state and end.
    fn should_stop(&self) -> bool;
}

/// Ignores all events and never stops the run.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoObserver;

impl Observer for NoObserver {
    fn note(&mut self, _: &Message) {}

    fn started(&mut self, _: &RunStarted) {}

    fn step(&mut self, _: &Step) -> Result<()> {
        Ok(())
    }

    fn progress(&mut self, _: &str, _: usize, _: usize) {}

    fn epoch(&mut self, _: &Epoch, _: bool) -> Result<()> {
        Ok(())
    }

    fn unreadable(&mut self, _: &Error) {}

    fn should_stop(&self) -> bool {
        false
    }
}
