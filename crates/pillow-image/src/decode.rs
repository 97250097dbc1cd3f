//! Decodes an image to the RGB pixels of Pillow's `Image.open(path).convert("RGB")`, upright.
//!
//! The format is recognized by content, not by the file's name. What Pillow accepts is accepted; where it raises, an
//! error says what the file is. A truncated file is an error, and so is an image of more pixels than the limit: a few
//! kilobytes can claim gigabytes.

use std::borrow::Cow;
use std::io::{self, Cursor};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Limits, RgbImage};

use crate::detect::detect;
use crate::error::{Error, Result};
use crate::format::Format;
use crate::jpeg::{Jpeg, JpegError};
use crate::read::read_file;
use crate::{gif, orientation, rgb, tiff, truncation};

/// The most pixels that Pillow opens (twice `Image.MAX_IMAGE_PIXELS`).
const PILLOW_MAX_PIXELS: u64 = 178_956_970;
/// The longest edge of an image, in pixels.
pub const MAX_EDGE: u32 = 1 << 20;
/// Bytes per pixel of the widest decoded samples: 16 bits, four channels.
const WIDEST_PIXEL: u64 = 8;

/// Options of decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Rotates and mirrors the image by its EXIF orientation, as `ImageOps.exif_transpose` does. `Image.open` alone does
    /// not; TIFF images are rotated in any case, as Pillow does when it loads them.
    pub apply_exif: bool,
    /// The most pixels that an image may have.
    pub max_pixels: u64,
}

impl Default for DecodeOptions {
    /// Applies the EXIF orientation, and allows as many pixels as Pillow: 178,956,970.
    fn default() -> Self {
        Self {
            apply_exif: true,
            max_pixels: PILLOW_MAX_PIXELS,
        }
    }
}

/// Reads and decodes the PNG, JPEG, WebP, BMP, GIF or TIFF file at `path`.
///
/// # Errors
/// Those of [`read_file`] and [`decode`].
pub fn open(path: impl AsRef<Path>, options: &DecodeOptions) -> Result<RgbImage> {
    decode(&read_file(path)?, options)
}

/// Returns the width and height in pixels by the header of an image, before its orientation is applied; `None` if the
/// header is damaged, truncated or of another format.
pub fn dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    match detect(bytes) {
        Ok(Format::Jpeg) => Jpeg::open(bytes).ok().map(|jpeg| jpeg.dimensions()),
        Ok(format) => ImageReader::with_format(Cursor::new(bytes), format.into())
            .into_dimensions()
            .ok(),
        Err(_) => None,
    }
}

/// Decodes the content of a PNG, JPEG, WebP, BMP, GIF (its first frame) or TIFF (its first page) file.
///
/// # Errors
/// When `bytes` are not an image, or one of another format, damaged, truncated or too large.
pub fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<RgbImage> {
    let format = detect(bytes)?;
    if format == Format::Jpeg {
        return decode_jpeg(bytes, options);
    }
    if format == Format::WebP && !truncation::webp_is_complete(bytes) {
        return Err(Error::Truncated);
    }
    let frame = (format == Format::Gif)
        .then(|| gif::FirstFrame::find(bytes))
        .flatten();
    let palette = (format == Format::Tiff)
        .then(|| tiff::Palette::find(bytes))
        .flatten();
    let file = match (&frame, &palette) {
        (Some(frame), _) => frame.with_room(bytes),
        (_, Some(palette)) => palette.as_gray(bytes).into(),
        _ => Cow::Borrowed(bytes),
    };
    let (image, orientation) = run_decoder(&file, format, options)?;
    let mut image = match (palette, image) {
        (Some(palette), DynamicImage::ImageLuma8(indices)) => palette.apply(&indices),
        (_, image) => rgb::from_image(image, bytes, format)?,
    };
    if let Some(frame) = frame {
        frame.paint_surround(&mut image);
    }
    Ok(oriented(image, orientation))
}

/// Decodes a JPEG file.
fn decode_jpeg(bytes: &[u8], options: &DecodeOptions) -> Result<RgbImage> {
    let jpeg = Jpeg::open(bytes).map_err(explain_jpeg)?;
    check_size(jpeg.dimensions(), options.max_pixels)?;
    let orientation = if options.apply_exif {
        orientation::from_metadata(jpeg.exif(), jpeg.xmp())
    } else {
        Orientation::NoTransforms
    };
    let image = jpeg.decode().map_err(explain_jpeg)?;
    Ok(oriented(image, orientation))
}

/// Applies an orientation.
fn oriented(image: RgbImage, orientation: Orientation) -> RgbImage {
    let mut image = DynamicImage::ImageRgb8(image);
    image.apply_orientation(orientation);
    image.into_rgb8()
}

/// Returns the samples of a file as they are stored, and the orientation to apply.
fn run_decoder(
    file: &[u8],
    format: Format,
    options: &DecodeOptions,
) -> Result<(DynamicImage, Orientation)> {
    let mut reader = ImageReader::with_format(Cursor::new(file), format.into());
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(options.max_pixels.saturating_mul(WIDEST_PIXEL));
    reader.limits(limits);
    let mut decoder = reader
        .into_decoder()
        .map_err(|error| explain(error, format))?;
    check_size(decoder.dimensions(), options.max_pixels)?;
    let orientation = if options.apply_exif || format == Format::Tiff {
        orientation::of(&mut decoder, file, format)
    } else {
        Orientation::NoTransforms
    };
    let image = DynamicImage::from_decoder(decoder).map_err(|error| explain(error, format))?;
    Ok((image, orientation))
}

/// Rejects an image without pixels or with too many.
fn check_size((width, height): (u32, u32), max_pixels: u64) -> Result<()> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 {
        return Err(Error::NoPixels { width, height });
    }
    if pixels > max_pixels {
        return Err(Error::TooManyPixels {
            width,
            height,
            max_pixels,
        });
    }
    if width.max(height) > MAX_EDGE {
        return Err(Error::EdgeTooLong {
            width,
            height,
            max_edge: MAX_EDGE,
        });
    }
    Ok(())
}

/// Converts an error of a decoder.
fn explain(error: ImageError, format: Format) -> Error {
    match error {
        error if is_unexpected_end(&error) => Error::Truncated,
        ImageError::Limits(_) => Error::TooMuchMemory { format },
        ImageError::Unsupported(error) => Error::UnsupportedFeature {
            format,
            feature: one_line(&error),
        },
        other => Error::Damaged {
            format,
            reason: one_line(&other),
        },
    }
}

/// Converts an error of the JPEG decoder.
fn explain_jpeg(error: JpegError) -> Error {
    let format = Format::Jpeg;
    match error {
        JpegError::Truncated => Error::Truncated,
        JpegError::Unsupported(feature) => Error::UnsupportedFeature {
            format,
            feature: feature.to_owned(),
        },
        JpegError::Damaged(reason) => Error::Damaged { format, reason },
    }
}

/// Returns whether a decoder ran out of bytes.
fn is_unexpected_end(error: &ImageError) -> bool {
    match error {
        ImageError::IoError(error) => error.kind() == io::ErrorKind::UnexpectedEof,
        // The GIF decoder has a message for it, but no kind.
        ImageError::Decoding(error) => error.to_string().contains("Unexpected End of File"),
        _ => false,
    }
}

/// Returns an error's message without line breaks.
fn one_line(error: &impl std::fmt::Display) -> String {
    let message = error.to_string();
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dimensions_are_read_from_the_header() {
        let mut file = Cursor::new(Vec::new());
        let image = RgbImage::new(31, 7);
        image.write_to(&mut file, image::ImageFormat::Png).unwrap();
        let png = file.into_inner();
        assert_eq!(dimensions(&png), Some((31, 7)));
        assert!([None, Some((31, 7))].contains(&dimensions(&png[..40])));
        assert_eq!(dimensions(b"no image"), None);
        assert_eq!(dimensions(b""), None);
        let jpeg = include_bytes!("../tests/fixtures/jpeg/420-65x40.jpg");
        assert_eq!(dimensions(jpeg), Some((65, 40)));
    }
}
