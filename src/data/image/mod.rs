//! Images: recognized by content, decoded as Pillow does, and held in memory.

pub mod buffer;
pub mod decode;
pub(in crate::data) mod format;
mod gif;
mod jpeg;
pub mod large_images;
mod orientation;
pub mod rgb;
mod tiff;
pub(in crate::data) mod truncation;
