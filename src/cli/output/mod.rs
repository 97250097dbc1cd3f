//! Everything that is printed: messages and progress on stderr, and results on stdout.

pub mod browser;
pub mod comparison;
pub mod console;
pub mod curve;
pub mod evaluation;
pub mod flags;
mod live;
pub mod log;
pub mod outcome;
pub mod prediction_file;
pub mod predictions;
mod short_names;
pub mod stdout;
pub mod survey;
pub mod terminal;
pub mod timing;
pub mod train_observer;
mod wrap;
