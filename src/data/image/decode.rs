//! Decodes images to Pillow's pixels ([`pillow_image`]), with the way out of each error.

use std::path::Path;

use anyhow::{Context, Result};
use image::{DynamicImage, RgbImage};
use pillow_image::Error;

use crate::error::error_with_hint;
use crate::model::Preprocess;

pub use pillow_image::DecodeOptions;

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

/// Decodes an image file whose content is in memory.
///
/// # Errors
/// Those of [`decode`], without the path.
pub fn decode_bytes(bytes: &[u8], options: &DecodeOptions) -> Result<RgbImage> {
    pillow_image::decode(bytes, options).map_err(explain)
}

/// Converts an image in memory to red, green and blue.
///
/// # Errors
/// When its samples are floating-point numbers.
pub fn rgb_from_dynamic(image: DynamicImage) -> Result<RgbImage> {
    pillow_image::to_rgb(image).map_err(explain)
}

/// Reads a file that may be an image.
pub(in crate::data) fn read(path: &Path) -> Result<Vec<u8>> {
    pillow_image::read_file(path).map_err(explain)
}

/// Returns the number of pixels by the header of an image; 0 if it does not tell.
pub(in crate::data) fn pixels(bytes: &[u8]) -> u64 {
    pillow_image::dimensions(bytes)
        .map_or(0, |(width, height)| u64::from(width) * u64::from(height))
}

/// Adds the way out, if there is one.
pub(in crate::data) fn explain(error: Error) -> anyhow::Error {
    match hint(&error) {
        Some(hint) => error_with_hint(error.to_string(), hint),
        None => match error {
            Error::Io(error) => error.into(),
            error => error.into(),
        },
    }
}

/// Returns what to do about an error.
fn hint(error: &Error) -> Option<&'static str> {
    Some(match error {
        Error::FileTooLong { .. } => "save the image smaller or compressed",
        Error::NotAnImage { .. } => "PNG, JPEG, WebP, BMP, GIF and TIFF images are supported",
        Error::UnsupportedFormat { .. } => "convert it to PNG or JPEG",
        Error::UnsupportedFeature { .. } => "convert it to an 8-bit PNG or JPEG",
        Error::FloatSamples => "convert it to an 8-bit PNG, so that black and white are known",
        Error::Truncated => "the copy or download is incomplete: fetch it again",
        Error::Damaged { .. } => "fetch it again, or open and save it in an image editor",
        Error::TooManyPixels { .. } => "if you trust the file, reduce the image first",
        Error::EdgeTooLong { .. } => "cut the image into parts first",
        Error::TooMuchMemory { .. } => "if you trust the file, save it again as PNG or JPEG",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::hint_of;
    use std::fs;

    #[test]
    fn the_error_of_a_file_has_its_path_and_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        for (content, expected, has_hint) in [
            (&b""[..], "the file is empty", false),
            (b"hello", "it is a text file, not an image", true),
            (
                b"8BPS\0\x01",
                "it is a Photoshop document, which is not supported",
                true,
            ),
            (b"GIF89a", "the file is truncated", true),
        ] {
            let path = folder.path().join("x.png");
            fs::write(&path, content).unwrap();
            let error = decode(&path, &DecodeOptions::default()).unwrap_err();
            assert_eq!(
                format!("{error:#}"),
                format!("cannot read image `{}`: {expected}", path.display())
            );
            assert_eq!(hint_of(&error).is_some(), has_hint, "{error:#}");
        }
        let missing = decode(&folder.path().join("no.png"), &DecodeOptions::default());
        let cause = missing
            .unwrap_err()
            .root_cause()
            .downcast_ref::<std::io::Error>()
            .map(std::io::Error::kind);
        assert_eq!(cause, Some(std::io::ErrorKind::NotFound));
        let error = decode(folder.path(), &DecodeOptions::default()).unwrap_err();
        assert!(format!("{error:#}").ends_with(": it is a folder"));
    }
}
