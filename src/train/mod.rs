//! Training: recipes, runs, and their output.
//!
//! | step | module |
//! |---|---|
//! | settings from flags and files, their defaults and validation | [`config`] |
//! | device, threads, progress of downloads | [`context`] |
//! | memory of a step | [`memory`] |
//! | dataset, training batches, validation, features | [`data`] |
//! | network, loss, gradients, optimizer, schedule, EMA | [`learner`] |
//! | a new or resumed run, the training loop, its end | [`trainer`] |
//! | the run folder: state, models, metrics | [`checkpoint`] |
//! | observers, outcome, report, TensorBoard | [`observe`] |
//!
//! ```
//! use candle_core::Device;
//! use resnet::hub::Silent;
//! use resnet::train::observe::observer::NoObserver;
//! use resnet::train::{ExecutionContext, Recipe, Target, Trainer};
//!
//! # fn main() -> anyhow::Result<()> {
//! let recipe = Recipe::parse("data = 'fake:32:4'\ndepth = 20\nimage-size = 16\nepochs = 2")?;
//! let context = ExecutionContext { device: Device::Cpu, workers: 2, progress: &Silent };
//! // `Target::Numbered` writes to `runs/`, and `Target::Folder` to a folder.
//! let trainer = Trainer::start(recipe, &Target::Dry(None), "an example", &context, &mut NoObserver)?;
//! let ended = trainer.run(&mut NoObserver)?;
//! assert_eq!(ended.best.map(|(epoch, _)| epoch), Some(2));
//! # Ok(())
//! # }
//! ```

pub mod checkpoint;
pub mod config;
pub mod context;
pub mod data;
mod error;
#[cfg(test)]
mod example;
pub mod learner;
pub mod memory;
pub mod observe;
pub mod trainer;

pub use crate::eval::history::Epoch;
pub use checkpoint::newest::newest_unfinished;
#[cfg(feature = "cli")]
pub(crate) use checkpoint::paths::named_run;
pub use config::recipe::Recipe;
pub use config::settings::Settings;
pub use config::values::BestBy;
pub use context::ExecutionContext;
pub use data::check::check;
pub use learner::ema::Ema;
pub use learner::gradients::Gradients;
pub use learner::lr_schedule::{Schedule, Scheduler};
pub use learner::optimizer::{Optimizer, OptimizerConfig, OptimizerKind};
pub use observe::observer::Observer;
pub use observe::outcome::{Outcome, StopReason};
pub use trainer::Trainer;
pub use trainer::build::Target;
pub use trainer::resume::Length;
