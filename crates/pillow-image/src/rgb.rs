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
use crate::format::Format;

/// The color type of a PNG of gray and alpha, and its offset in the file.
const PNG_GRAY_ALPHA: u8 = 4;
const PNG_COLOR_TYPE: usize = 25;

/// Converts `image`, decoded from a file of `bytes`, to red, green and blue.
pub fn from_image(image: DynamicImage, bytes: &[u8], format: Format) -> Result<RgbImage> {
    let size = (image.width(), image.height());
    let samples = match image {
        DynamicImage::ImageRgb8(image) => return Ok(image),
        DynamicImage::ImageRgba8(image) => colors::<4, _>(&image, |sample| sample),
        DynamicImage::ImageLuma8(image) => grays::<1, _>(&image, |sample| sample),
        DynamicImage::ImageLumaA8(image) => grays::<2, _>(&image, |sample| sample),
        DynamicImage::ImageRgb16(image) => colors::<3, _>(&image, high_byte),
        DynamicImage::ImageRgba16(image) => colors::<4, _>(&image, high_byte),
        DynamicImage::ImageLuma16(image) => grays::<1, _>(&image, clipped),
        DynamicImage::ImageLumaA16(image) => {
            // A gray PNG with one transparent gray level is decoded with an alpha channel, too.
            let has_alpha =
                format != Format::Png || bytes.get(PNG_COLOR_TYPE) == Some(&PNG_GRAY_ALPHA);
            grays::<2, _>(&image, if has_alpha { high_byte } else { clipped })
        }
        _ => return Err(Error::FloatSamples),
    };
    RgbImage::from_raw(size.0, size.1, samples).ok_or(Error::Truncated)
}

/// Converts an image in memory to red, green and blue, as Pillow's `convert("RGB")` does.
///
/// # Errors
/// When its samples are floating-point numbers.
pub fn to_rgb(image: DynamicImage) -> Result<RgbImage> {
    // No format in particular: only a PNG's gray samples depend on the file.
    from_image(image, &[], Format::Tiff)
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

fn high_byte(sample: u16) -> u8 {
    sample.to_be_bytes()[0]
}

fn clipped(sample: u16) -> u8 {
    sample.min(255) as u8
}
