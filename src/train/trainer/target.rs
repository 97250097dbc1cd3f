//! The output of a new run.

use crate::distributed::Processes;
use std::path::PathBuf;

/// The output of a new run.
#[derive(Debug, Clone)]
pub enum Target {
    /// `runs/<data>-<model>[-finetune|-probe]-<n>`.
    Numbered,
    /// This folder.
    Folder(PathBuf),
    /// None; the folder, if given, must be one that a run could have.
    Dry(Option<PathBuf>),
    /// The same, and with `max-steps` it validates on no more images than it trains on: a trial for people.
    Trial(Option<PathBuf>),
}

impl Target {
    /// Returns the target of a process: the first alone writes.
    pub(super) fn of(&self, processes: &Processes) -> &Self {
        match self {
            Self::Folder(_) | Self::Numbered if !processes.is_first() => &Self::Dry(None),
            target => target,
        }
    }

    /// Returns the folder, if one is given.
    pub(super) fn into_folder(self) -> Option<PathBuf> {
        match self {
            Self::Folder(folder) => Some(folder),
            Self::Dry(folder) | Self::Trial(folder) => folder,
            Self::Numbered => None,
        }
    }
}
