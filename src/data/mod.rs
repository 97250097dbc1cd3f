//! Images: decoding, resizing and cropping as in Pillow and timm, normalization, and loading on all cores.
//!
//! An image goes through [`decode()`] (a file becomes RGB, upright), [`EvalTransform::apply`] (RGB becomes the model's
//! size, still 8 bits per sample) and [`EvalTransform::normalize_into`] (8 bits become the values that the model reads).
//! Every step is bit-identical to Pillow and PyTorch, JPEG images included.
//! [`EvalLoader`] does all of it on worker threads and returns the results in order; [`EpochBatches`] does it for training, with
//! augmentation. [`DatasetSurvey`] inspects a dataset before training.

pub mod dataset;
pub mod image;
pub(crate) mod loader;
pub(crate) mod panic;
pub mod survey;
pub mod transform;

pub use self::image::decode::{DecodeOptions, decode, decode_bytes, rgb_from_dynamic};
pub(crate) use dataset::clipped_gray::note_of_files as note_of_clipped_gray;
pub use dataset::list::list_images;
pub use loader::eval::EvalLoader;
pub use loader::train::{BatchOptions, EpochBatch, EpochBatches};
pub use loader::unreadable::UnreadableImage;
pub use survey::DatasetSurvey;
pub use transform::augment::{Augmentation, Policy, TrainTransform};
pub use transform::eval::EvalTransform;
pub use transform::geometry::Placement;
