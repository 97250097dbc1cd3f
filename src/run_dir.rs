//! Names of the files and folders in a run folder, and of those in a model's folder.

use std::path::Path;

/// The recipe of the run.
pub const RECIPE: &str = "config.toml";
/// The state from which the run resumes.
pub const STATE: &str = "state.safetensors";
/// One row per epoch.
pub const METRICS: &str = "metrics.csv";
/// The survey of the dataset.
pub const SURVEY: &str = "data.json";
/// Locked while a process writes to the folder, so that no second one does.
pub const LOCK: &str = ".lock";
/// Folder of the model of the best epoch.
pub const BEST: &str = "best";
/// Folder of the model of the last epoch.
pub const LAST: &str = "last";
/// Weights of a model, in its folder.
pub const WEIGHTS: &str = "model.safetensors";
/// Configuration of a model, in its folder.
pub const MODEL_CONFIG: &str = "config.json";

/// Returns true if `path` is a run folder: it has the state of a run.
pub fn is_run(path: &Path) -> bool {
    path.join(STATE).is_file()
}
