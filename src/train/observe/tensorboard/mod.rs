//! TensorBoard events of a run: event files in its folder, one per process that wrote to it.
//!
//! | tag | at | |
//! |---|---|---|
//! | `train/loss`, `train/lr`, `train/images_per_second` | each step | numbers |
//! | `epoch/train_loss`, `epoch/val_top1` and so on | an epoch's last step | the columns of `metrics.csv` |
//! | `recipe` | the first step of the process | every setting |
//! | `train/pictures` | the first step | the first training images after augmentation |
//! | `weights/<name>` | an epoch's last step | histograms, if wanted |
//!
//! Runs neither depend on them nor resume from them: if they cannot be written, there is one warning and the run continues.

mod file;
mod grid;
mod histogram;
mod message;
pub mod read;
mod record;

use crate::error::error_with_hint;
use crate::eval::history::Epoch;
use crate::model::Preprocess;
use crate::train::learner::forward_backward::Input;
use crate::train::observe::observer::{Observer, Step};
use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor};
use file::{EventFile, now};
use grid::Grid;
use histogram::Histogram;
use message::{Message, image, scalar, start, summary, text, version};
use std::path::Path;

/// The event file of this process.
#[derive(Default)]
pub struct EventWriter {
    file: Option<EventFile>,
    /// True to write histograms of the weights.
    histograms: bool,
    /// True to remove the values of the last step.
    takes_back: bool,
    /// True while the first images are still to be written.
    wants_images: bool,
}

impl EventWriter {
    /// Enables a histogram of every weight after each epoch.
    pub fn write_histograms(&mut self) {
        self.histograms = true;
    }

    /// Takes back the events of the last step: the figures of a partial epoch that the run now continues, and with them the
    /// values of the step itself.
    pub fn take_back_last_step(&mut self) {
        self.takes_back = true;
    }

    /// Creates a file in `folder` for the steps after `done`, with the recipe `toml`.
    pub fn begin(&mut self, folder: &Path, done: u64, toml: &str, observer: &mut dyn Observer) {
        match EventFile::create(folder) {
            Ok(file) => self.file = Some(file),
            Err(error) => return warn(&error, observer),
        }
        // TensorBoard drops the events of earlier files from this step on.
        let first = if self.takes_back { done } else { done + 1 };
        self.wants_images = first <= 1;
        self.attempt(observer, |file| {
            let now = now();
            file.add(&version(now))?;
            file.add(&start(now, first))?;
            file.add(&summary(now, done, &[text("recipe", &code(toml))]))?;
            file.flush()
        });
    }

    /// Writes the images of the first step.
    pub fn images(
        &mut self,
        input: &Input,
        preprocess: &Preprocess,
        step: u64,
        observer: &mut dyn Observer,
    ) {
        let Input::Images(images) = input else {
            return;
        };
        if !self.wants_images || images.dims().first() == Some(&0) {
            return;
        }
        self.wants_images = false;
        self.attempt(observer, |file| {
            if let Some(grid) = Grid::of(images, preprocess)? {
                file.add(&summary(now(), step, &[image("train/pictures", &grid)]))?;
            }
            Ok(())
        });
    }

    /// Writes the values of a step.
    pub fn step(&mut self, step: &Step, observer: &mut dyn Observer) {
        self.attempt(observer, |file| {
            let values = [
                scalar("train/loss", step.loss),
                scalar("train/lr", step.lr),
                scalar("train/images_per_second", step.images_per_second),
            ];
            file.add(&summary(now(), step.step, &values))
        });
    }

    /// Writes the figures of an epoch whose last step was `step`, with these `weights`.
    pub fn epoch(
        &mut self,
        step: u64,
        epoch: &Epoch,
        weights: impl FnOnce() -> Result<Vec<(String, Tensor)>>,
        observer: &mut dyn Observer,
    ) {
        let histograms = self.histograms;
        self.attempt(observer, |file| {
            let values = [
                ("epoch/train_loss", Some(epoch.train_loss)),
                ("epoch/train_top1", Some(epoch.train_top1)),
                ("epoch/val_loss", epoch.val_loss),
                ("epoch/val_top1", epoch.val_top1),
                ("epoch/val_top5", epoch.val_top5),
            ];
            let values = values.into_iter();
            let values: Vec<Message> = values
                .filter_map(|(tag, value)| Some(scalar(tag, value?)))
                .collect();
            file.add(&summary(now(), step, &values))?;
            if histograms {
                for (name, tensor) in weights()? {
                    let tensor = tensor.to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
                    let numbers: Vec<f64> = tensor.flatten_all()?.to_vec1()?;
                    if let Some(histogram) = Histogram::of(&numbers) {
                        let value = message::histogram(&format!("weights/{name}"), &histogram);
                        file.add(&summary(now(), step, &[value]))?;
                    }
                }
            }
            file.flush()
        });
    }

    /// Calls `write` if there is a file; on failure, warns and closes the file.
    fn attempt(
        &mut self,
        observer: &mut dyn Observer,
        write: impl FnOnce(&mut EventFile) -> Result<()>,
    ) {
        let Some(file) = &mut self.file else {
            return;
        };
        let written = write(file);
        if let Err(error) =
            written.with_context(|| format!("cannot write `{}`", file.path().display()))
        {
            if let Some(file) = self.file.take() {
                file.abandon();
            }
            warn(&error, observer);
        }
    }
}

/// Warns that the run continues without events.
pub fn warn(error: &anyhow::Error, observer: &mut dyn Observer) {
    observer.warning(&error_with_hint(
        format!("{error:#}"),
        "the run continues without TensorBoard events; metrics.csv has its epochs",
    ));
}

/// Returns `text` as a code block in Markdown.
fn code(text: &str) -> String {
    text.lines().flat_map(|line| ["    ", line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::observe::recorded::Recorded;
    use std::io::{self, Write};

    /// A disk with room for the given number of bytes.
    struct Disk(usize);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self
                .0
                .checked_sub(bytes.len())
                .ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn a_step() -> Step {
        Step {
            epoch: 1,
            step: 1,
            loss: 1.0,
            lr: 0.1,
            step_ms: 1.0,
            images_per_second: 1.0,
            data_ms: 0.0,
            top1: 0.0,
        }
    }

    #[test]
    fn a_full_disk_is_one_warning_and_no_more_events() {
        let mut events = EventWriter {
            file: Some(EventFile::new("run/events".into(), Box::new(Disk(20_000)))),
            ..EventWriter::default()
        };
        let mut observer = Recorded::default();
        for _ in 0..1000 {
            events.step(&a_step(), &mut observer);
        }
        assert_eq!(observer.events.len(), 1);
        assert!(
            observer.events[0].starts_with("warning: cannot write `run/events`: "),
            "{:?}",
            observer.events
        );
        assert!(events.file.is_none());
    }

    #[test]
    fn a_folder_that_takes_no_file_is_a_warning() {
        let mut observer = Recorded::default();
        let mut events = EventWriter::default();
        events.begin(Path::new("there/is/no/such/folder"), 0, "", &mut observer);
        events.step(&a_step(), &mut observer);
        assert_eq!(observer.events.len(), 1, "{:?}", observer.events);
        assert!(observer.events[0].starts_with("warning: "));
    }

    #[test]
    fn a_recipe_is_shown_as_it_stands() {
        assert_eq!(code("data = '<b>'\n```\n"), "    data = '<b>'\n    ```\n");
    }
}
