//! The configuration of a run.

use crate::train::config::recipe::Recipe;
use crate::train::config::settings::Settings;
use anyhow::Result;

/// The configuration of a run, which does not change while it runs.
#[derive(Debug, Clone)]
pub struct TrainConfig {
    /// The recipe with every key set.
    pub recipe: Recipe,
    /// The settings in it.
    pub settings: Settings,
}

impl TrainConfig {
    /// Creates the configuration from a recipe with every key set.
    ///
    /// # Errors
    /// Those of [`Settings::new`].
    pub fn new(recipe: Recipe) -> Result<Self> {
        let settings = Settings::new(&recipe)?;
        Ok(Self { recipe, settings })
    }
}
