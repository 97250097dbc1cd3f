//! Metrics of a run's epochs.

use serde::Serialize;

/// A finished epoch; accuracies in percent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Epoch {
    /// From 1.
    pub epoch: u64,
    /// The mean loss of the images, each before the update of its step.
    pub train_loss: f64,
    /// Top-1 accuracy of the images, each before the update of its step.
    pub train_top1: f64,
    /// Validation loss; `None` without validation.
    pub val_loss: Option<f64>,
    /// Validation top-1.
    pub val_top1: Option<f64>,
    /// Validation top-5; `None` below five classes.
    pub val_top5: Option<f64>,
    /// The learning rate of the last step.
    pub lr: f64,
    /// Wall time in seconds, validation included.
    pub seconds: f64,
}

/// The columns of `metrics.csv`: the fields of [`Epoch`].
pub const COLUMNS: &str = "epoch,train_loss,train_top1,val_loss,val_top1,val_top5,lr,seconds";

impl Epoch {
    /// Returns the epoch as a line of `metrics.csv`, with the shortest decimals that give the same numbers.
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

    /// Parses a `line` under these `columns`, which include `COLUMNS`; `None` if a number is missing.
    pub fn from_csv(columns: &str, line: &str) -> Option<Self> {
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
