//! The builder of a run, for programs that train.

use crate::data::transform::augment::Policy;
use crate::error::Error;
use crate::model::{CropMode, Frozen, Interpolation};
use crate::train::config::argument::Argument;
use crate::train::config::recipe::{Recipe, for_each_key};
use crate::train::config::values::{BestBy, ClassWeights, ImageSize, StemRule, TrainDType};
use crate::train::learner::lr_schedule::Scheduler;
use crate::train::learner::optimizer::OptimizerKind;
use crate::train::trainer::Trainer;
use crate::train::trainer::prepared::{PreparedRun, RunOptions, option_setters};
use crate::train::trainer::target::Target;
use std::path::PathBuf;

/// A run that is being described: its settings, each of which has a default, its output and its execution environment.
#[must_use]
pub struct TrainerBuilder<'a> {
    recipe: Recipe,
    target: Target,
    about: String,
    options: RunOptions<'a>,
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
        Self::from_recipe(Recipe {
            data: Some(data.into()),
            ..Recipe::default()
        })
    }

    /// Returns the builder of a new run of a recipe, such as one that [`Recipe::read`] reads.
    pub fn from_recipe<'a>(recipe: Recipe) -> TrainerBuilder<'a> {
        TrainerBuilder {
            recipe,
            target: Target::Numbered,
            about: concat!("resnet ", env!("CARGO_PKG_VERSION"), " as a library").to_owned(),
            options: RunOptions::default(),
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

option_setters!(TrainerBuilder);

impl<'a> TrainerBuilder<'a> {
    /// Adds the settings of a recipe for the keys that are not set.
    pub fn recipe(mut self, recipe: Recipe) -> Self {
        self.recipe = self.recipe.over(recipe);
        self
    }

    /// Sets the run folder, a new one. By default it is `runs/<data>-<model>-<n>`.
    pub fn output(mut self, folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        self.target = match self.target {
            Target::Dry(_) => Target::Dry(Some(folder)),
            Target::Trial(_) => Target::Trial(Some(folder)),
            Target::Folder(_) | Target::Numbered => Target::Folder(folder),
        };
        self
    }

    /// Lets the run write nothing.
    pub fn dry_run(mut self) -> Self {
        self.target = Target::Dry(self.target.into_folder());
        self
    }

    /// Lets the run write nothing and, with a limit of steps, validate on no more images than it trains on.
    pub fn trial(mut self) -> Self {
        self.target = Target::Trial(self.target.into_folder());
        self
    }

    /// Sets the output.
    pub(crate) fn target(mut self, target: Target) -> Self {
        self.target = target;
        self
    }

    /// Sets the comment at the top of the run's `config.toml`.
    pub fn about(mut self, text: impl Into<String>) -> Self {
        self.about = text.into();
        self
    }

    /// Opens data and model, checks the settings and creates the run folder.
    ///
    /// # Errors
    /// If the run cannot be trained; nothing is written then.
    pub fn start(self) -> Result<PreparedRun<'a>, Error> {
        let Self {
            recipe,
            target,
            about,
            options,
        } = self;
        options
            .prepare(|context, observer| Trainer::start(recipe, &target, &about, context, observer))
    }
}
