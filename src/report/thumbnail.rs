//! Small images as data URIs.

use std::io::Cursor;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::{DynamicImage, ImageFormat, RgbImage, imageops};
use jpeg_encoder::{ColorType, Encoder};

/// Longer side up to which an image is kept exactly.
const EXACT: u32 = 64;
/// JPEG quality without visible artifacts at this size.
const QUALITY: u8 = 85;

/// Returns an image no larger than `side` as a data URI, with its width and height: PNG for small images, JPEG for photographs.
///
/// # Errors
/// If the image has no pixels.
pub fn thumbnail(image: &RgbImage, side: u32) -> Result<(String, [u32; 2])> {
    let (width, height) = image.dimensions();
    let longer = width.max(height);
    if longer <= EXACT {
        return Ok((png_uri(&image.clone().into())?, [width, height]));
    }
    let small;
    let image = if longer > side {
        small = shrunk(image, side);
        &small
    } else {
        image
    };
    let (width, height) = image.dimensions();
    let mut jpeg = Vec::new();
    let sides = (u16::try_from(width)?, u16::try_from(height)?);
    Encoder::new(&mut jpeg, QUALITY)
        .encode(image.as_raw(), sides.0, sides.1, ColorType::Rgb)
        .context("cannot make a small image")?;
    Ok((uri("image/jpeg", &jpeg), [width, height]))
}

/// Shrinks an image to the longer side `side`.
pub(super) fn shrunk(image: &RgbImage, side: u32) -> RgbImage {
    let (width, height) = image.dimensions();
    let scale = |length: u32| (length * side / width.max(height)).max(1);
    imageops::thumbnail(image, scale(width), scale(height))
}

/// Returns an image as a PNG in a data URI.
///
/// # Errors
/// If the image has no pixels.
pub fn png_uri(image: &DynamicImage) -> Result<String> {
    let mut png = Vec::new();
    image
        .write_to(&mut Cursor::new(&mut png), ImageFormat::Png)
        .context("cannot make a small image")?;
    Ok(uri("image/png", &png))
}

fn uri(kind: &str, bytes: &[u8]) -> String {
    format!("data:{kind};base64,{}", STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_images_shrink_and_small_ones_are_kept() {
        let (uri, size) = thumbnail(&RgbImage::new(400, 300), 96).unwrap();
        assert!(uri.starts_with("data:image/jpeg;base64,") && size == [96, 72]);
        let (uri, size) = thumbnail(&RgbImage::new(28, 28), 96).unwrap();
        assert!(uri.starts_with("data:image/png;base64,iVBOR") && size == [28, 28]);
        let (_, size) = thumbnail(&RgbImage::new(5000, 1), 96).unwrap();
        assert_eq!(size, [96, 1]);
    }
}
