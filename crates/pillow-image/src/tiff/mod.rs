//! The first page of a TIFF file, as Pillow reads it.
//!
//! The page's directory tells the kind of its samples ([`layout`]), which is rejected in words if it is not supported. JPEG
//! data goes through this crate's own decoder ([`jpeg`]), and so does that of fax machines ([`fax`]); other samples are unpacked by the `tiff` crate and converted here
//! ([`samples`]).

mod fax;
mod jpeg;
mod layout;
mod palette;
mod parts;
mod samples;
mod ycbcr;

use image::RgbImage;
use image::metadata::Orientation;

use crate::directory::{Directory, tag};
use crate::error::{Error, Result};
use crate::options::DecodeOptions;
use crate::orientation;

use layout::{JPEG, Layout};

/// Returns the width and height by the directory of a TIFF file; `None` when it is damaged or truncated.
pub fn dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    layout::dimensions(&Directory::first(bytes)?)
}

/// Returns whether the directory tells that samples are gray, without alpha, and have 16 bits.
pub fn is_16_bit_gray(bytes: &[u8]) -> bool {
    let layout = Directory::first(bytes).and_then(|directory| Layout::read(&directory).ok());
    layout.is_some_and(|layout| layout.is_16_bit_gray())
}

/// Decodes a TIFF file, and returns the orientation to apply: Pillow applies it when it loads such an image.
///
/// # Errors
/// When the file is damaged, truncated, too large, or of a kind that is not supported.
pub fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<(RgbImage, Orientation)> {
    let directory = Directory::first(bytes)
        .filter(Directory::is_whole)
        .ok_or(Error::Truncated)?;
    let layout = Layout::read(&directory)?;
    options.check_size(layout.size)?;
    layout.check_support()?;
    let image = if layout.compression == JPEG {
        jpeg::decode(bytes, &directory, &layout, options)?
    } else {
        samples::decode(bytes, &directory, &layout, options)?
    };
    let xmp = directory.data(tag::XMP);
    Ok((image, orientation::from_directory(Some(directory), xmp)))
}
