//! What a run reports: to an observer, to its report and to TensorBoard.

pub mod observer;
pub mod outcome;
pub(in crate::train) mod report;
pub(in crate::train) mod tensorboard;
