//! The events and results of a run: observers, its report, and TensorBoard.

pub mod observer;
pub mod outcome;
#[cfg(test)]
pub(in crate::train) mod recorded;
pub(in crate::train) mod report;
pub mod reporter;
pub(in crate::train) mod tensorboard;
