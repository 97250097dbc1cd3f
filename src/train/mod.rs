//! Training: recipes, runs, and their output.
//!
//! | step | module |
//! |---|---|
//! | settings from flags and files | [`recipe`], [`choices`] |
//! | defaults | [`defaults`] |
//! | validation of the settings | `idle`, [`settings`], `ranges`, [`rules`], [`memory`] |
//! | data, model and folder of a new or resumed run | [`prepare`], `pictures`, `start`, [`resume`], `newest` |
//! | the training loop | [`run`] |
//! | training batches | [`feed`], [`probe`] |
//! | the training step | [`learner`]: loss, [`gradients`], [`optimiser`], [`schedule`], [`ema`] |
//! | selection of the best epoch | [`validation`], [`best`] |
//! | output files and outcome | [`folder`], `place`, [`state`], [`ended`], `report` |
//! | observers | [`watch`], `announce`, and `events` for TensorBoard |
//!
//! ```
//! use candle_core::Device;
//! use resnet::hub::Silent;
//! use resnet::train::watch::Unwatched;
//! use resnet::train::{Recipe, Run, Site, Target};
//!
//! # fn main() -> anyhow::Result<()> {
//! let recipe = Recipe::parse("data = 'fake:32:4'\ndepth = 20\nimage-size = 16\nepochs = 2")?;
//! let site = Site { device: Device::Cpu, workers: 2, progress: &Silent };
//! // `Target::Numbered` writes to `runs/`, and `Target::Folder` to a folder.
//! let run = Run::start(recipe, &Target::Dry(None), "an example", &site, &mut Unwatched)?;
//! let ended = run.go(&mut Unwatched)?;
//! assert_eq!(ended.best.map(|(epoch, _)| epoch), Some(2));
//! # Ok(())
//! # }
//! ```

mod announce;
pub mod best;
mod check;
pub mod choices;
pub mod curves;
pub mod defaults;
mod disk;
pub mod ema;
pub mod ended;
mod events;
mod exact;
pub mod feed;
pub mod folder;
pub mod gradients;
mod idle;
pub mod learner;
pub mod memory;
mod newest;
pub mod optimiser;
pub mod pass;
mod pictures;
mod place;
pub mod prepare;
pub mod probe;
mod ranges;
pub mod recipe;
mod report;
pub mod resume;
pub mod rules;
pub mod run;
pub mod schedule;
pub mod settings;
mod start;
pub mod state;
pub mod validation;
pub mod watch;

pub use best::BestBy;
pub use check::check;
pub use ema::Ema;
pub(crate) use place::{is_run, named_run};

pub use ended::{Ended, Why};
pub use gradients::Gradients;
pub use newest::newest_unfinished;
pub use optimiser::{Optimiser, OptimiserConfig, OptimiserKind};
pub use prepare::{Site, Target};
pub use recipe::Recipe;
pub use resume::Length;
pub use run::Run;
pub use schedule::{Schedule, Scheduler};
pub use settings::Settings;
pub use watch::{Epoch, Watch};
