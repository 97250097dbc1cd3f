#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod buffer;
mod decode;
mod detect;
mod error;
mod format;
mod gif;
mod gray;
mod jpeg;
mod orientation;
mod read;
mod resize;
mod rgb;
mod tiff;
mod truncation;

pub use buffer::{Image, ImageView, Window};
pub use decode::{DecodeOptions, MAX_EDGE, decode, dimensions, open};
pub use detect::{HEAD_BYTES, detect};
pub use error::{Error, Result};
pub use format::Format;
pub use gray::luma;
pub use read::{MAX_FILE_BYTES, read_file};
pub use resize::{Filter, resize, resize_window};
pub use rgb::to_rgb;
pub use truncation::looks_complete;
