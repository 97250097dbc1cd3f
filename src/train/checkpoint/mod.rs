//! The run folder: the state, from which a run resumes, and the files that follow from it.

pub mod best;
pub mod checkpointer;
pub(in crate::train) mod disk;
pub(in crate::train) mod exact;
pub mod history;
pub mod layout;
pub(in crate::train) mod newest;
pub(in crate::train) mod paths;
pub mod progress;
pub mod run_dir;
pub mod state;
pub(in crate::train) mod version_2;
