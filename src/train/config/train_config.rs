//! The configuration of a run.

use crate::train::config::recipe::Recipe;
use crate::train::config::settings::Settings;

/// The configuration of a run, which does not change while it runs.
#[derive(Debug, Clone)]
pub struct TrainConfig {
    /// The recipe with every key set.
    pub recipe: Recipe,
    /// The settings in it.
    pub settings: Settings,
}
