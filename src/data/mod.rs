//! Images: decoding, resizing and cropping as in Pillow and timm, normalization, and loading on all cores.
//!
//! An image goes through [`decode()`] (a file becomes RGB, upright), [`Transform::apply`] (RGB becomes the model's
//! size, still 8 bits per sample) and [`Transform::normalise_into`] (8 bits become the values that the model reads).
//! Every step is bit-identical to Pillow and PyTorch, JPEG images included.
//! [`Loader`] does all of it on worker threads and returns the results in order; [`Batches`] does it for training, with
//! augmentation. [`DatasetSurvey`] inspects a dataset before training.

pub mod augment;
pub mod batches;
pub mod decode;
mod format;
mod gif;
mod jpeg;
pub mod list;
pub mod loader;
pub mod order;
pub mod ordered;
mod orientation;
pub mod picture;
pub mod placement;
pub mod resize;
mod rgb;
pub mod sets;
pub(crate) mod similar;
pub mod survey;
mod tiff;
pub mod transform;
mod truncation;
pub mod turns;

pub use augment::{Augmentation, Policy, TrainTransform};
pub use batches::{Batch, BatchOptions, Batches};
pub use decode::{DecodeOptions, decode, decode_bytes};
pub use list::list_images;
pub use loader::Loader;
pub use picture::Picture;
pub use placement::Placement;
pub use survey::DatasetSurvey;
pub use transform::Transform;
