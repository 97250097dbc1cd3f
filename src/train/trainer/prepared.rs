//! A run that is ready to train, and the options that the builders of a new and of a resumed one have in common.

use crate::distributed::Processes;
use crate::error::Error;
use crate::hub::Silent;
use crate::train::context::ExecutionContext;
use crate::train::observe::observer::{NoObserver, Observer};
use crate::train::observe::outcome::Outcome;
use crate::train::trainer::Trainer;
use anyhow::Result;
use candle_core::Device;

/// A run that is ready to start or to resume.
#[must_use]
pub struct PreparedRun<'a> {
    trainer: Trainer,
    observer: Option<&'a mut dyn Observer>,
}

/// The execution environment, the observer and the events of a run.
pub(super) struct RunOptions<'a> {
    pub context: ExecutionContext<'a>,
    pub observer: Option<&'a mut dyn Observer>,
    pub has_histograms: bool,
}

impl Default for RunOptions<'_> {
    fn default() -> Self {
        Self {
            context: ExecutionContext {
                device: Device::Cpu,
                workers: rayon::current_num_threads(),
                progress: &Silent,
                processes: Processes::alone(),
            },
            observer: None,
            has_histograms: false,
        }
    }
}

impl<'a> RunOptions<'a> {
    /// Returns the run that `prepare` prepares.
    ///
    /// # Errors
    /// Those of `prepare`.
    pub fn prepare(
        mut self,
        prepare: impl FnOnce(&ExecutionContext, &mut dyn Observer) -> Result<Trainer>,
    ) -> Result<PreparedRun<'a>, Error> {
        let mut none = NoObserver;
        let trainer = prepare(&self.context, or_none(&mut self.observer, &mut none));
        let mut trainer = trainer.map_err(|error| Error::classify(error, Error::Other))?;
        if self.has_histograms {
            trainer.write_histograms();
        }
        Ok(PreparedRun {
            trainer,
            observer: self.observer,
        })
    }
}

impl PreparedRun<'_> {
    /// Trains until all epochs or steps are done, or the observer wants to stop.
    ///
    /// # Errors
    /// If the loss is not finite, images are unreadable in strict mode, or a file cannot be written; errors of the observer, after the
    /// state was saved.
    pub fn run(mut self) -> Result<Outcome, Error> {
        let mut none = NoObserver;
        let outcome = self.trainer.run(or_none(&mut self.observer, &mut none));
        outcome.map_err(|error| Error::classify(error, Error::Other))
    }
}

/// Returns the observer, or `none` if there is no other.
fn or_none<'b>(
    observer: &'b mut Option<&mut dyn Observer>,
    none: &'b mut NoObserver,
) -> &'b mut dyn Observer {
    match observer {
        Some(observer) => &mut **observer,
        None => none,
    }
}

/// Defines the setters of the field `options` of a builder, a [`RunOptions`].
macro_rules! option_setters {
    ($builder:ident) => {
        /// The execution environment and the observer.
        impl<'a> $builder<'a> {
            /// Adds histograms of the weights after each epoch to the TensorBoard events.
            pub fn histograms(mut self) -> Self {
                self.options.has_histograms = true;
                self
            }

            /// Sets the device: a CPU by default.
            pub fn device(mut self, device: candle_core::Device) -> Self {
                self.options.context.device = device;
                self
            }

            /// Sets the number of data-loading threads: by default as many as rayon's. It has no effect on results.
            pub fn workers(mut self, threads: usize) -> Self {
                self.options.context.workers = threads.max(1);
                self
            }

            /// Sets who is told of the progress of downloads.
            pub fn progress(mut self, progress: &'a dyn $crate::hub::Progress) -> Self {
                self.options.context.progress = progress;
                self
            }

            /// Sets the processes that share the work, all of which prepare and train the same run; this one works alone by default.
            pub fn processes(mut self, processes: $crate::distributed::Processes) -> Self {
                self.options.context.processes = processes;
                self
            }

            /// Sets who is told of steps, epochs and remarks, and can stop the run.
            pub fn observer(
                mut self,
                observer: &'a mut dyn $crate::train::observe::observer::Observer,
            ) -> Self {
                self.options.observer = Some(observer);
                self
            }

            /// Sets the whole execution environment.
            pub(crate) fn context(
                mut self,
                context: $crate::train::context::ExecutionContext<'a>,
            ) -> Self {
                self.options.context = context;
                self
            }
        }
    };
}

pub(super) use option_setters;
