//! The events and results of a run: observers, its report, and TensorBoard.

pub mod observer;
pub mod outcome;
pub(in crate::train) mod report;
pub mod reporter;
pub(in crate::train) mod tensorboard;
