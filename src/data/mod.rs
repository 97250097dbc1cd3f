//! Pictures: decoding, resizing and cropping as Pillow and timm do, normalising, and loading on all cores.
//!
//! A picture goes through [`decode()`] (a file becomes RGB, upright), [`Transform::apply`] (RGB becomes the model's
//! size, still 8 bits a sample) and [`Transform::normalise_into`] (8 bits become the numbers that the model reads).
//! Every step gives the bits that Pillow and PyTorch give, JPEG pictures included.
//! [`Loader`] does all of it on worker threads and hands the results out in order; [`Batches`] does it for training,
//! with augmentation.

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
pub use transform::Transform;
