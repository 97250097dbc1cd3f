//! What a run tells of itself while it goes on: the command line prints it, a program may collect it.

use super::recipe::Recipe;
use crate::error::one_line;
use anyhow::{Error, Result};
use serde::Serialize;

/// What a run is about to do.
#[derive(Debug, Clone)]
pub struct Beginning {
    /// The net's short name.
    pub model: String,
    /// Its parameters that are trained, and all.
    pub parameters: [usize; 2],
    /// Pictures to learn from.
    pub images: usize,
    /// What they are told apart as.
    pub classes: usize,
    /// Which pictures choose the best epoch, as people read it; nothing where none do.
    pub validation: Option<String>,
    /// What the defaults decided, as people read it.
    pub recipe: String,
    /// All of it: the recipe with every answer.
    pub answers: Recipe,
    /// Epochs in all.
    pub epochs: u64,
    /// Steps an epoch.
    pub steps_an_epoch: u64,
    /// Bytes of memory that a step takes, about; nothing where it is not computed on a CPU.
    pub step_bytes: Option<u64>,
    /// Where the run goes on: finished epochs, and steps over the whole run.
    pub done: [u64; 2],
    /// The best of the finished epochs: its number, and what it recognised of the validation pictures, in percent.
    pub best: Option<(u64, Option<f64>)>,
    /// The folder that is written to, unless the run is dry.
    pub folder: Option<std::path::PathBuf>,
}

/// One optimiser step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Step {
    /// From 1.
    pub epoch: u64,
    /// From 1 over the whole run.
    pub step: u64,
    /// The mean loss of the step's pictures before the update.
    pub loss: f64,
    /// The learning rate of the update.
    pub lr: f64,
    /// Wall time of the whole step, waiting for data included.
    pub step_ms: f64,
    /// The step's pictures by that time.
    pub images_per_second: f64,
    /// The part of the epoch's pictures so far that were recognised before their update, in percent.
    #[serde(skip)]
    pub top1: f64,
}

/// One finished epoch; accuracies in percent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Epoch {
    /// From 1.
    pub epoch: u64,
    /// The mean of the pictures' losses, each before its step's update.
    pub train_loss: f64,
    /// The part of the pictures that were recognised before the update, in percent.
    pub train_top1: f64,
    /// The mean loss of the validation pictures; nothing where there are none.
    pub val_loss: Option<f64>,
    /// Validation pictures recognised, in percent.
    pub val_top1: Option<f64>,
    /// Validation pictures whose class is among the five most probable, in percent; nothing below five classes.
    pub val_top5: Option<f64>,
    /// The learning rate of the last step.
    pub lr: f64,
    /// Wall time of the epoch, validation included.
    pub seconds: f64,
}

/// The columns of [`Epoch`], as `metrics.csv` has them.
pub const COLUMNS: &str = "epoch,train_loss,train_top1,val_loss,val_top1,val_top5,lr,seconds";

impl Epoch {
    /// The epoch as a line of `metrics.csv`, with the shortest decimals that mean the same numbers.
    pub fn csv(&self) -> String {
        let optional = |number: Option<f64>| number.map_or(String::new(), |n| n.to_string());
        format!(
            "{},{},{},{},{},{},{},{:.3}",
            self.epoch,
            self.train_loss,
            self.train_top1,
            optional(self.val_loss),
            optional(self.val_top1),
            optional(self.val_top5),
            self.lr,
            self.seconds
        )
    }

    /// The epoch of a `line` under these `columns`, [`COLUMNS`] among them; nothing where a number is missing.
    pub(super) fn of_csv(columns: &str, line: &str) -> Option<Self> {
        let cells: Vec<&str> = line.split(',').collect();
        let cell = |name: &str| {
            let column = columns.split(',').position(|column| column == name)?;
            cells.get(column).copied()
        };
        let number = |name: &str| cell(name)?.parse().ok();
        let optional = |name: &str| match cell(name)? {
            "" => Some(None),
            number => Some(Some(number.parse().ok()?)),
        };
        Some(Self {
            epoch: cell("epoch")?.parse().ok()?,
            train_loss: number("train_loss")?,
            train_top1: number("train_top1")?,
            val_loss: optional("val_loss")?,
            val_top1: optional("val_top1")?,
            val_top5: optional("val_top5")?,
            lr: number("lr")?,
            seconds: number("seconds")?,
        })
    }
}

/// Who follows a run. An error ends it, after its state was saved.
pub trait Watch {
    /// Something to know.
    fn note(&mut self, text: &str);

    /// Something that went wrong and ends nothing.
    fn warning(&mut self, error: &Error) {
        self.note(&one_line(error));
    }

    /// The run begins, or goes on.
    fn begin(&mut self, beginning: &Beginning);

    /// A step was done.
    ///
    /// # Errors
    /// When nobody can be told any more.
    fn step(&mut self, step: &Step) -> Result<()>;

    /// So many of the pictures were looked at without learning, for `what`.
    fn looked_at(&mut self, what: &str, done: usize, total: usize);

    /// An epoch was finished; `is_best` where no earlier one was as good.
    ///
    /// # Errors
    /// When nobody can be told any more.
    fn epoch(&mut self, epoch: &Epoch, is_best: bool) -> Result<()>;

    /// A picture was left out.
    fn unreadable(&mut self, error: &Error);

    /// Whether the run should save its state and end.
    fn wants_to_stop(&self) -> bool;
}

/// Nobody follows, and nobody stops the run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn note(&mut self, _: &str) {}

    fn begin(&mut self, _: &Beginning) {}

    fn step(&mut self, _: &Step) -> Result<()> {
        Ok(())
    }

    fn looked_at(&mut self, _: &str, _: usize, _: usize) {}

    fn epoch(&mut self, _: &Epoch, _: bool) -> Result<()> {
        Ok(())
    }

    fn unreadable(&mut self, _: &Error) {}

    fn wants_to_stop(&self) -> bool {
        false
    }
}
