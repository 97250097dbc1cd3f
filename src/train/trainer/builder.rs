//! The builder of a run, for programs that train.

use crate::data::transform::augment::Policy;
use crate::distributed::Processes;
use crate::error::Error;
use crate::hub::{Progress, Silent};
use crate::model::{CropMode, Frozen, Interpolation};
use crate::train::config::argument::Argument;
use crate::train::config::recipe::{Recipe, for_each_key};
use crate::train::config::values::{BestBy, ClassWeights, ImageSize, StemRule, TrainDType};
use crate::train::context::ExecutionContext;
use crate::train::learner::lr_schedule::Scheduler;
use crate::train::learner::optimizer::OptimizerKind;
use crate::train::observe::observer::{NoObserver, Observer};
use crate::train::observe::outcome::Outcome;
use crate::train::trainer::Trainer;
use crate::train::trainer::build::Target;
use candle_core::Device;
use std::path::PathBuf;

/// A run that is being described: its settings, each of which has a default, its output and its execution environment.
#[must_use]
pub struct TrainerBuilder<'a> {
    recipe: Recipe,
    output: Option<PathBuf>,
    is_dry: bool,
    about: String,
    has_histograms: bool,
    context: ExecutionContext<'a>,
    observer: Option<&'a mut dyn Observer>,
}

/// A run that is ready to start.
#[must_use]
pub struct PreparedRun<'a> {
    trainer: Trainer,
    observer: Option<&'a mut dyn Observer>,
}

impl Trainer {
    /// Returns the builder of a new run on a dataset: a name, a folder of images, or whatever else a recipe's `data` takes.
    ///
    /// ```
    /// use resnet::train::Trainer;
    ///
    /// # fn main() -> Result<(), resnet::Error> {
    /// let run = Trainer::builder("fake:32:4").depth(20).image_size(16).epochs(2).lr(0.05);
    /// let outcome = run.dry_run().start()?.run()?;
    /// assert_eq!(outcome.best.map(|(epoch, _)| epoch), Some(2));
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder<'a>(data: impl Into<String>) -> TrainerBuilder<'a> {
        TrainerBuilder {
            recipe: Recipe {
                data: Some(data.into()),
                ..Recipe::default()
            },
            output: None,
            is_dry: false,
            about: concat!("resnet ", env!("CARGO_PKG_VERSION"), " as a library").to_owned(),
            has_histograms: false,
            context: ExecutionContext {
                device: Device::Cpu,
                workers: rayon::current_num_threads(),
                progress: &Silent,
                processes: Processes::alone(),
            },
            observer: None,
        }
    }
}

/// Defines a setter for each key.
macro_rules! setters {
    ($($(#[doc = $doc:literal])* $name:ident: $type:ty;)*) => {
        /// The settings of a recipe.
        #[expect(
            rustdoc::broken_intra_doc_links,
            reason = "the docs are help texts, whose brackets are optional parts of values"
        )]
        impl TrainerBuilder<'_> {
            $(
                $(#[doc = $doc])*
                pub fn $name(mut self, value: impl Argument<$type>) -> Self {
                    self.recipe.$name = Some(value.into_value());
                    self
                }
            )*
        }
    };
}

for_each_key!(setters);

impl<'a> TrainerBuilder<'a> {
    /// Adds the settings of a recipe for the keys that are not set.
    pub fn recipe(mut self, recipe: Recipe) -> Self {
        self.recipe = self.recipe.over(recipe);
        self
    }

    /// Sets the run folder, a new one. By default it is `runs/<data>-<model>-<n>`.
    pub fn output(mut self, folder: impl Into<PathBuf>) -> Self {
        self.output = Some(folder.into());
        self
    }

    /// Lets the run write nothing.
    pub fn dry_run(mut self) -> Self {
        self.is_dry = true;
        self
    }

    /// Sets the comment at the top of the run's `config.toml`.
    pub fn about(mut self, text: impl Into<String>) -> Self {
        self.about = text.into();
        self
    }

    /// Adds histograms of the weights after each epoch to the TensorBoard events.
    pub fn histograms(mut self) -> Self {
        self.has_histograms = true;
        self
    }

    /// Sets the device: a CPU by default.
    pub fn device(mut self, device: Device) -> Self {
        self.context.device = device;
        self
    }

    /// Sets the number of data-loading threads: by default as many as rayon's. It has no effect on results.
    pub fn workers(mut self, threads: usize) -> Self {
        self.context.workers = threads.max(1);
        self
    }

    /// Sets who is told of the progress of downloads.
    pub fn progress(mut self, progress: &'a dyn Progress) -> Self {
        self.context.progress = progress;
        self
    }

    /// Sets who is told of steps, epochs and remarks, and can stop the run.
    pub fn observer(mut self, observer: &'a mut dyn Observer) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Opens data and model, checks the settings and creates the run folder.
    ///
    /// # Errors
    /// If the run cannot be trained; nothing is written then.
    pub fn start(mut self) -> Result<PreparedRun<'a>, Error> {
        let target = match self.output {
            folder if self.is_dry => Target::Dry(folder),
            Some(folder) => Target::Folder(folder),
            None => Target::Numbered,
        };
        let mut trainer = Trainer::start(
            self.recipe,
            &target,
            &self.about,
            &self.context,
            or_none(&mut self.observer, &mut NoObserver),
        )
        .map_err(|error| Error::classify(error, Error::Other))?;
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
    /// If the loss is not finite, images are unreadable in strict mode, or a file cannot be written; errors of the observer.
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
