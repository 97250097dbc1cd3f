#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod bmp;
mod buffer;
mod codec;
mod decode;
mod detect;
mod directory;
mod error;
mod format;
mod gif;
mod gray;
mod jpeg;
mod options;
mod orientation;
mod png;
mod read;
mod resize;
mod rgb;
mod tiff;
mod truncation;
mod webp;

pub use buffer::{Image, ImageView, Window};
pub use decode::{decode, dimensions, open};
pub use detect::{HEAD_BYTES, detect};
pub use error::{Error, Result};
pub use format::Format;
pub use gray::{is_16_bit_gray, luma};
pub use options::{DecodeOptions, MAX_EDGE};
pub use read::{MAX_FILE_BYTES, read_file};
pub use resize::{Filter, resize, resize_window};
pub use rgb::to_rgb;
pub use truncation::looks_complete;
