//! Conversion of samples of every kind to 8-bit red, green and blue, by the rules of Pillow's `convert("RGB")`.
//!
//! | samples | becomes |
//! |---|---|
//! | gray | repeated three times |
//! | alpha | dropped: the colors stay as stored, without blending |
//! | palette | its colors |
//! | 16-bit color, and gray with alpha | the high byte |
//! | 16-bit gray | clipped at 255 (as in Pillow: such images become nearly white) |
//! | floats | rejected: the value of white is unknown |

use image::{DynamicImage, RgbImage};

use crate::error::{Error, Result};
use crate::jpeg::under_black;

/// Converts an image in memory to red, green and blue, as Pillow's `convert("RGB")` does.
///
/// # Errors
/// When its samples are floating-point numbers.
pub fn to_rgb(image: DynamicImage) -> Result<RgbImage> {
    let size = (image.width(), image.height());
    let samples = match image {
        DynamicImage::ImageRgb8(image) => return Ok(image),
        DynamicImage::ImageRgba8(image) => colors::<4, _>(&image, |sample| sample),
        DynamicImage::ImageLuma8(image) => grays::<1, _>(&image, |sample| sample),
        DynamicImage::ImageLumaA8(image) => grays::<2, _>(&image, |sample| sample),
        DynamicImage::ImageRgb16(image) => colors::<3, _>(&image, high_byte),
        DynamicImage::ImageRgba16(image) => colors::<4, _>(&image, high_byte),
        DynamicImage::ImageLuma16(image) => grays::<1, _>(&image, clipped),
        DynamicImage::ImageLumaA16(image) => grays::<2, _>(&image, high_byte),
        _ => return Err(Error::FloatSamples),
    };
    RgbImage::from_raw(size.0, size.1, samples).ok_or(Error::Truncated)
}

/// Returns the first three of each `N` samples.
fn colors<const N: usize, T: Copy>(samples: &[T], convert: fn(T) -> u8) -> Vec<u8> {
    let (pixels, _) = samples.as_chunks::<N>();
    let colors = pixels
        .iter()
        .flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]);
    colors.map(convert).collect()
}

/// Returns the first of each `N` samples three times.
fn grays<const N: usize, T: Copy>(samples: &[T], convert: fn(T) -> u8) -> Vec<u8> {
    let (pixels, _) = samples.as_chunks::<N>();
    pixels
        .iter()
        .flat_map(|pixel| [convert(pixel[0]); 3])
        .collect()
}

/// Returns red, green and blue of cyan, magenta, yellow and black.
pub fn from_cmyk(ink: [u8; 3], black: u8) -> [u8; 3] {
    ink.map(|ink| under_black(255 - ink, 255 - black))
}

/// Returns colors of colors that were multiplied by their alpha.
pub fn from_multiplied(colors: [u8; 3], alpha: u8) -> [u8; 3] {
    match u32::from(alpha) {
        0 => [0; 3],
        alpha => colors.map(|color| (u32::from(color) * 255 / alpha).min(255) as u8),
    }
}

/// Returns the high byte of a sample.
pub fn high_byte(sample: u16) -> u8 {
    sample.to_be_bytes()[0]
}

/// Returns a sample, 255 if it is greater.
pub fn clipped(sample: u16) -> u8 {
    sample.min(255) as u8
}
