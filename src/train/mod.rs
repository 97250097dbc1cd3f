//! Training: recipes, runs, and their output.
//!
//! | step | module |
//! |---|---|
//! | settings from flags and files, their defaults and validation | `config` |
//! | device, threads, progress of downloads | `context` |
//! | memory of a step | `memory` |
//! | dataset, training batches, validation, features | `data` |
//! | network, loss, gradients, optimizer, schedule, EMA | `learner` |
//! | a new or resumed run, the training loop, its end | `trainer` |
//! | the run folder: state, models, metrics | `checkpoint` |
//! | observers, outcome, report, TensorBoard | `observe` |
//!
//! ```
//! use resnet::train::{Policy, Trainer};
//!
//! # fn main() -> Result<(), resnet::Error> {
//! # let folder = tempfile::tempdir().expect("a folder");
//! # let folder = folder.path().join("run");
//! let outcome = Trainer::builder("fake:32:4") // or `cifar10`, or a folder of images
//!     .depth(20) // or `.model("resnet50")`, to fine-tune it
//!     .image_size(16)
//!     .augment(Policy::None)
//!     .epochs(2)
//!     .lr(0.01)
//!     .output(&folder) // by default, a new folder under `runs/`
//!     .start()?
//!     .run()?;
//! assert_eq!(outcome.best.map(|(epoch, _)| epoch), Some(2));
//! let model = resnet::Model::builder(folder.to_string_lossy()).load()?;
//! assert_eq!(model.config().classes, 4);
//! # Ok(())
//! # }
//! ```
//!
//! An [`Observer`] is told of steps and epochs. [`Trainer::resume`] resumes a run that was stopped.

pub(crate) mod checkpoint;
pub mod config;
pub(crate) mod context;
pub(crate) mod data;
mod error;
#[cfg(test)]
mod example;
pub mod learner;
pub mod memory;
pub(crate) mod observe;
pub(crate) mod trainer;

pub use crate::data::transform::augment::Policy;
pub use crate::eval::history::Epoch;
pub(crate) use checkpoint::newest::newest_unfinished;
pub(crate) use checkpoint::paths::named_run;
pub use config::recipe::Recipe;
pub use config::settings::Settings;
pub use config::values::{BestBy, ClassWeights, ImageSize, StemRule, TrainDType};
pub use data::check::check;
pub use learner::ema::Ema;
pub use learner::gradients::Gradients;
pub use learner::lr_schedule::{Schedule, Scheduler};
pub use learner::optimizer::{Optimizer, OptimizerConfig, OptimizerKind};
pub use observe::observer::{NoObserver, Observer, RunStarted, Step};
pub use observe::outcome::{Outcome, StopReason, TestMetrics};
pub use trainer::Trainer;
pub use trainer::builder::TrainerBuilder;
pub use trainer::prepared::PreparedRun;
pub use trainer::resume_builder::ResumeBuilder;
