//! The builder of a resumed run, for programs that train.

use crate::error::Error;
use crate::train::trainer::Trainer;
use crate::train::trainer::prepared::{PreparedRun, RunOptions, option_setters};
use crate::train::trainer::resume::Length;
use std::path::PathBuf;

/// A run that is to be resumed: its folder, its new length, if it gets another one, and its execution environment.
#[must_use]
pub struct ResumeBuilder<'a> {
    folder: PathBuf,
    length: Length,
    options: RunOptions<'a>,
}

impl Trainer {
    /// Returns the builder that resumes the run in `folder`: one that was stopped or killed, or a finished one that is to be longer.
    ///
    /// A run keeps its recipe, and a resumed run is bit-identical to an uninterrupted one.
    ///
    /// ```
    /// use resnet::train::{StopReason, Trainer};
    ///
    /// # fn main() -> Result<(), resnet::Error> {
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let folder = folder.path().join("run");
    /// let run = Trainer::builder("fake:32:4").depth(20).image_size(16).lr(0.05);
    /// run.epochs(2).max_steps(1).output(&folder).start()?.run()?;
    ///
    /// let outcome = Trainer::resume(&folder).epochs(2).start()?.run()?;
    /// assert_eq!(outcome.reason, StopReason::Done);
    /// assert_eq!(outcome.best.map(|(epoch, _)| epoch), Some(2));
    /// # Ok(())
    /// # }
    /// ```
    pub fn resume<'a>(folder: impl Into<PathBuf>) -> ResumeBuilder<'a> {
        ResumeBuilder {
            folder: folder.into(),
            length: Length::default(),
            options: RunOptions::default(),
        }
    }
}

option_setters!(ResumeBuilder);

impl<'a> ResumeBuilder<'a> {
    /// Sets the epochs of the whole run, which removes a limit of steps; without it they stay.
    pub fn epochs(mut self, epochs: u64) -> Self {
        self.length.epochs = Some(epochs);
        self
    }

    /// Sets the steps of the whole run, which implies the epochs that they need; without it a limit stays.
    pub fn max_steps(mut self, steps: u64) -> Self {
        self.length.max_steps = Some(steps);
        self
    }

    /// Sets the length of the whole run.
    pub(crate) fn length(mut self, length: Length) -> Self {
        self.length = length;
        self
    }

    /// Opens the run folder and its data, and checks that they belong together.
    ///
    /// # Errors
    /// [`Error::ModelNotFound`] if there is no run in the folder, [`Error::DamagedWeights`] if its state cannot be read,
    /// [`Error::Dataset`] if its images were moved or replaced, [`Error::InvalidConfiguration`] if the run is past the length
    /// that is asked for or was started on another device, and [`Error::Io`] if another process writes to the folder.
    pub fn start(self) -> Result<PreparedRun<'a>, Error> {
        let Self {
            folder,
            length,
            options,
        } = self;
        options
            .prepare(|context, observer| Trainer::start_resumed(&folder, length, context, observer))
    }
}
