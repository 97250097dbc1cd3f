//! Decodes an image to the RGB pixels of Pillow's `Image.open(path).convert("RGB")`, upright.
//!
//! The format is recognized by content, not by the file's name. What Pillow accepts is accepted; where it raises, an
//! error says what the file is. A truncated file is an error, and so is an image of more pixels than the limit: a few
//! kilobytes can claim gigabytes.

use std::io::Cursor;
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader, RgbImage};

use crate::codec::{open_decoder, read_samples};
use crate::detect::detect;
use crate::error::{Error, Result};
use crate::format::Format;
use crate::jpeg::Jpeg;
use crate::options::DecodeOptions;
use crate::png::{self, Png};
use crate::read::read_file;
use crate::{bmp, gif, orientation, rgb, tiff, truncation, webp};

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
    match detect(bytes).ok()? {
        Format::Jpeg => Jpeg::open(bytes).ok().map(|jpeg| jpeg.dimensions()),
        Format::Png => png::dimensions(bytes),
        Format::Bmp => bmp::dimensions(bytes),
        Format::Tiff => tiff::dimensions(bytes),
        format @ (Format::WebP | Format::Gif) => {
            ImageReader::with_format(Cursor::new(bytes), format.into())
                .into_dimensions()
                .ok()
        }
    }
}

/// Decodes the content of a PNG, JPEG, WebP, BMP, GIF (its first frame) or TIFF (its first page) file.
///
/// # Errors
/// When `bytes` are not an image, or one of another format, damaged, truncated or too large.
pub fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<RgbImage> {
    let (image, orientation) = match detect(bytes)? {
        Format::Jpeg => decode_jpeg(bytes, options)?,
        Format::Png => decode_png(bytes, options)?,
        Format::WebP => decode_webp(bytes, options)?,
        Format::Bmp => (bmp::decode(bytes, options)?, Orientation::NoTransforms),
        Format::Gif => (decode_gif(bytes, options)?, Orientation::NoTransforms),
        Format::Tiff => {
            return tiff::decode(bytes, options).map(|(image, turn)| oriented(image, turn));
        }
    };
    Ok(if options.apply_exif {
        oriented(image, orientation)
    } else {
        image
    })
}

/// Decodes a JPEG file.
fn decode_jpeg(bytes: &[u8], options: &DecodeOptions) -> Result<(RgbImage, Orientation)> {
    let jpeg = Jpeg::open(bytes)?;
    options.check_size(jpeg.dimensions())?;
    let orientation = orientation::from_metadata(jpeg.exif(), jpeg.xmp());
    Ok((jpeg.decode()?, orientation))
}

/// Decodes a PNG file.
fn decode_png(bytes: &[u8], options: &DecodeOptions) -> Result<(RgbImage, Orientation)> {
    let png = Png::open(bytes)?;
    let (exif, xmp) = (png.metadata.exif(), png.metadata.xmp());
    let orientation = orientation::from_metadata(exif.as_deref(), xmp);
    let read = |file: Vec<u8>| {
        let decoder = open_decoder(&file, Format::Png, options)?;
        read_samples(decoder, Format::Png)
    };
    let image = png
        .pixels_alone()
        .and_then(read)
        .map_err(|error| match error {
            Error::Damaged { .. } if png.is_cut => Error::Truncated,
            error => error,
        })?;
    Ok((rgb::to_rgb(image)?, orientation))
}

/// Decodes a WebP file.
fn decode_webp(bytes: &[u8], options: &DecodeOptions) -> Result<(RgbImage, Orientation)> {
    if !truncation::webp_is_complete(bytes) {
        return Err(Error::Truncated);
    }
    let file = webp::with_first_frame_copied(bytes);
    let mut decoder = open_decoder(&file, Format::WebP, options)?;
    let exif = decoder.exif_metadata().ok().flatten();
    let xmp = decoder.xmp_metadata().ok().flatten();
    let orientation = orientation::from_metadata(exif.as_deref(), xmp.as_deref());
    let image = read_samples(decoder, Format::WebP)?;
    Ok((rgb::to_rgb(image)?, orientation))
}

/// Decodes a GIF file.
fn decode_gif(bytes: &[u8], options: &DecodeOptions) -> Result<RgbImage> {
    let frame = gif::FirstFrame::find(bytes);
    let file = match &frame {
        Some(frame) => frame.with_room(bytes),
        None => bytes.into(),
    };
    let decoder = open_decoder(&file, Format::Gif, options)?;
    let mut image = rgb::to_rgb(read_samples(decoder, Format::Gif)?)?;
    if let Some(frame) = frame {
        frame.paint_surround(&mut image);
    }
    Ok(image)
}

/// Applies an orientation.
fn oriented(image: RgbImage, orientation: Orientation) -> RgbImage {
    let mut image = DynamicImage::ImageRgb8(image);
    image.apply_orientation(orientation);
    image.into_rgb8()
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
