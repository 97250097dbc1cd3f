//! The models of a run folder.

use crate::run_dir::{BEST, LAST};

/// A model in a run folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SavedModel {
    /// The best epoch.
    Best,
    /// The last epoch.
    Last,
}

impl SavedModel {
    /// Returns the folder's name.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Best => BEST,
            Self::Last => LAST,
        }
    }
}
