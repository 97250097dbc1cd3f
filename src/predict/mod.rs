//! Prediction: a model with its preprocessing and labels, applied to images from any number of threads.

mod builder;
mod files;
mod image_input;
mod model;
mod predicted;

pub(crate) use builder::BATCH_SIZE;
pub use builder::ModelBuilder;
pub(crate) use files::{Explain, PredictOptions};
pub use image_input::ImageInput;
pub use model::Model;
pub(crate) use predicted::{Explained, Predicted};
