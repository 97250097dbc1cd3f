//! From a decoded image to a model's input: resizing and cropping as in Pillow and timm, augmentation, normalization.

pub mod augment;
pub(crate) mod eval;
pub(crate) mod geometry;
