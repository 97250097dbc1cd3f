//! Decodes an image file to the RGB pixels of Pillow's `Image.open(path).convert("RGB")`, upright.
//!
//! The format is recognized by content, not by the file's name. Every format gives the same bytes as Pillow (16-bit BMP
//! to within one level); JPEG has its own decoder for that.
//!
//! What Pillow accepts is accepted; where it raises, an error says what the file is. A truncated file is an error, and so
//! is an image of more pixels than the limit: a few kilobytes can claim gigabytes.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use anyhow::{Context, Result, bail};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage};

use super::jpeg::{Jpeg, JpegError};
use super::{format, gif, orientation, rgb, tiff, truncation};
use crate::error::error_with_hint;
use crate::model::Preprocess;

/// The most pixels that Pillow opens (twice `Image.MAX_IMAGE_PIXELS`).
const PILLOW_PIXELS: u64 = 178_956_970;
/// The longest edge of an image, in pixels.
const LONGEST_EDGE: u32 = 1 << 20;
/// The longest file, in bytes.
const LONGEST_FILE: u64 = 1 << 30;
/// Bytes per pixel of the widest decoded samples: 16 bits, four channels.
const WIDEST_PIXEL: u64 = 8;

/// Options of decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Rotates the image by its EXIF orientation. timm and torchvision ignore it; TIFF images are rotated in any case, as
    /// Pillow does when it loads them.
    pub apply_exif: bool,
    /// The most pixels that an image may have.
    pub max_pixels: u64,
}

impl Default for DecodeOptions {
    /// Applies the EXIF orientation, and allows as many pixels as Pillow (about 179 million).
    fn default() -> Self {
        Self {
            apply_exif: true,
            max_pixels: PILLOW_PIXELS,
        }
    }
}

impl From<&Preprocess> for DecodeOptions {
    /// Takes the EXIF setting of `preprocess`, and the default limit of pixels.
    fn from(preprocess: &Preprocess) -> Self {
        Self {
            apply_exif: preprocess.exif,
            ..Self::default()
        }
    }
}

/// Decodes the PNG, JPEG, WebP, BMP, GIF (its first frame) or TIFF file at `path`.
///
/// # Errors
/// When the file is missing, not an image, of another format, damaged, truncated or too large; the message has the path.
pub fn decode(path: &Path, options: &DecodeOptions) -> Result<RgbImage> {
    read(path)
        .and_then(|bytes| decode_bytes(&bytes, options))
        .with_context(|| format!("cannot read image `{}`", path.display()))
}

/// Returns the number of pixels by the header of an image; 0 when it does not tell.
pub(in crate::data) fn pixels(bytes: &[u8]) -> u64 {
    dimensions(bytes).map_or(0, |(width, height)| u64::from(width) * u64::from(height))
}

/// Returns the width and height by the header of an image, when it tells.
pub(in crate::data) fn dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    match format::recognise(bytes) {
        Ok(ImageFormat::Jpeg) => Jpeg::open(bytes).ok().map(|jpeg| jpeg.dimensions()),
        Ok(format) => ImageReader::with_format(Cursor::new(bytes), format)
            .into_dimensions()
            .ok(),
        Err(_) => None,
    }
}

/// Decodes an image file whose content is in memory.
///
/// # Errors
/// Those of [`decode`], without the path.
pub fn decode_bytes(bytes: &[u8], options: &DecodeOptions) -> Result<RgbImage> {
    let format = format::recognise(bytes)?;
    if format == ImageFormat::Jpeg {
        return decode_jpeg(bytes, options);
    }
    if format == ImageFormat::WebP && !truncation::webp_is_whole(bytes) {
        return Err(truncated());
    }
    let frame = (format == ImageFormat::Gif)
        .then(|| gif::FirstFrame::find(bytes))
        .flatten();
    let palette = (format == ImageFormat::Tiff)
        .then(|| tiff::Palette::find(bytes))
        .flatten();
    let file = match (&frame, &palette) {
        (Some(frame), _) => frame.with_room(bytes),
        (_, Some(palette)) => palette.as_grey(bytes).into(),
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
    Ok(turned(image, orientation))
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
    Ok(turned(image, orientation))
}

/// Applies an orientation.
fn turned(image: RgbImage, orientation: Orientation) -> RgbImage {
    let mut image = DynamicImage::ImageRgb8(image);
    image.apply_orientation(orientation);
    image.into_rgb8()
}

/// Returns the samples of a file as they are stored, and the orientation to apply.
fn run_decoder(
    file: &[u8],
    format: ImageFormat,
    options: &DecodeOptions,
) -> Result<(DynamicImage, Orientation)> {
    let mut reader = ImageReader::with_format(Cursor::new(file), format);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(options.max_pixels.saturating_mul(WIDEST_PIXEL));
    reader.limits(limits);
    let mut decoder = reader
        .into_decoder()
        .map_err(|error| explain(error, format))?;
    check_size(decoder.dimensions(), options.max_pixels)?;
    let orientation = if options.apply_exif || format == ImageFormat::Tiff {
        orientation::of(&mut decoder, file, format)
    } else {
        Orientation::NoTransforms
    };
    let image = DynamicImage::from_decoder(decoder).map_err(|error| explain(error, format))?;
    Ok((image, orientation))
}

/// Reads a file that may be an image.
pub(in crate::data) fn read(path: &Path) -> Result<Vec<u8>> {
    if path.is_dir() {
        bail!("it is a folder");
    }
    let file = File::open(path)?;
    // A file of another kind is rejected before gigabytes of it are read.
    let mut bytes = Vec::new();
    let mut file = file.take(LONGEST_FILE + 1);
    file.by_ref().take(format::HEAD).read_to_end(&mut bytes)?;
    format::recognise(&bytes)?;
    file.read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST_FILE {
        return Err(error_with_hint(
            format!("the file is longer than {} MiB", LONGEST_FILE >> 20),
            "save the image smaller or compressed",
        ));
    }
    Ok(bytes)
}

/// Rejects an image without pixels or with too many.
fn check_size((width, height): (u32, u32), max_pixels: u64) -> Result<()> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 {
        bail!("it has {width}x{height} pixels");
    }
    if pixels > max_pixels {
        return Err(error_with_hint(
            format!("it has {width}x{height} pixels, more than the limit of {max_pixels}"),
            "if you trust the file, reduce the image first",
        ));
    }
    if width.max(height) > LONGEST_EDGE {
        return Err(error_with_hint(
            format!("it has {width}x{height} pixels, an edge longer than {LONGEST_EDGE}"),
            "cut the image into parts first",
        ));
    }
    Ok(())
}

fn truncated() -> anyhow::Error {
    error_with_hint(
        "the file is truncated",
        "the copy or download is incomplete: fetch it again",
    )
}

/// Turns an error of a decoder into this program's words.
fn explain(error: ImageError, format: ImageFormat) -> anyhow::Error {
    let name = format::name(format);
    match error {
        error if is_unexpected_end(&error) => truncated(),
        ImageError::Limits(_) => error_with_hint(
            format!("decoding this {name} takes more memory than the limit on pixels allows"),
            "if you trust the file, save it again as PNG or JPEG",
        ),
        ImageError::Unsupported(error) => unsupported(name, &one_line(&error)),
        other => damaged(name, &one_line(&other)),
    }
}

/// Turns an error of the JPEG decoder into this program's words.
fn explain_jpeg(error: JpegError) -> anyhow::Error {
    match error {
        JpegError::Truncated => truncated(),
        JpegError::Unsupported(what) => unsupported("JPEG", what),
        JpegError::Damaged(what) => damaged("JPEG", &what),
    }
}

fn unsupported(name: &str, what: &str) -> anyhow::Error {
    error_with_hint(
        format!("this kind of {name} is not supported: {what}"),
        "convert it to an 8-bit PNG or JPEG",
    )
}

fn damaged(name: &str, what: &str) -> anyhow::Error {
    error_with_hint(
        format!("the {name} is damaged: {what}"),
        "fetch it again, or open and save it in an image editor",
    )
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
    fn a_pictures_pixels_are_read_from_its_header() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.png");
        RgbImage::new(31, 7).save(&path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        assert_eq!(pixels(&whole), 217);
        assert!([0, 217].contains(&pixels(&whole[..40])));
        assert_eq!(pixels(b"no image"), 0);
        assert_eq!(pixels(b""), 0);
        let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/images");
        let jpeg = std::fs::read(assets.join("rocket.jpg")).unwrap();
        assert_eq!(pixels(&jpeg), 640 * 427);
    }
}
