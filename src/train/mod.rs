//! Training: the recipe, the loop, and what a run leaves behind.

pub mod ema;
pub mod gradients;
pub mod optimiser;
pub mod schedule;

pub use ema::Ema;
pub use gradients::Gradients;
pub use optimiser::{Optimiser, OptimiserConfig, OptimiserKind};
pub use schedule::{Schedule, Scheduler};
