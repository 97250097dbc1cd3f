//! The images that a model takes: files, the bytes of files, and decoded images.

use crate::data::{DecodeOptions, decode, decode_bytes, rgb_from_dynamic};
use crate::error::{Error, WithKind};
use anyhow::Result;
use image::{DynamicImage, RgbImage};
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// An image for a [`Model`](super::Model).
///
/// Files and their bytes are decoded by the rules of the model's preprocessing (PNG, JPEG, WebP, BMP, GIF or TIFF). The
/// samples of a [`DynamicImage`] are converted to red, green and blue as Pillow's `convert("RGB")` does.
#[derive(Debug, Clone, Copy)]
pub enum ImageInput<'a> {
    /// The path of a file.
    Path(&'a Path),
    /// The content of a file.
    Bytes(&'a [u8]),
    /// A decoded image of any kind of samples.
    Dynamic(&'a DynamicImage),
    /// A decoded image.
    Rgb(&'a RgbImage),
}

impl<'a> ImageInput<'a> {
    /// Returns the pixels of the image.
    ///
    /// # Errors
    /// If it cannot be read or decoded.
    pub(super) fn decode(self, options: &DecodeOptions) -> Result<Cow<'a, RgbImage>> {
        let image = match self {
            Self::Path(path) => decode(path, options).map(Cow::Owned),
            Self::Bytes(bytes) => decode_bytes(bytes, options).map(Cow::Owned),
            Self::Dynamic(DynamicImage::ImageRgb8(image)) | Self::Rgb(image) => {
                Ok(Cow::Borrowed(image))
            }
            Self::Dynamic(image) => rgb_from_dynamic(image.clone()).map(Cow::Owned),
        };
        image.with_kind(Error::Image)
    }
}

impl<'a> From<&'a Path> for ImageInput<'a> {
    fn from(path: &'a Path) -> Self {
        Self::Path(path)
    }
}

impl<'a> From<&'a PathBuf> for ImageInput<'a> {
    fn from(path: &'a PathBuf) -> Self {
        Self::Path(path)
    }
}

impl<'a> From<&'a str> for ImageInput<'a> {
    /// Takes the path of a file.
    fn from(path: &'a str) -> Self {
        Self::Path(Path::new(path))
    }
}

impl<'a> From<&'a String> for ImageInput<'a> {
    /// Takes the path of a file.
    fn from(path: &'a String) -> Self {
        Self::Path(Path::new(path))
    }
}

impl<'a> From<&'a [u8]> for ImageInput<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a> From<&'a Vec<u8>> for ImageInput<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a> From<&'a DynamicImage> for ImageInput<'a> {
    fn from(image: &'a DynamicImage) -> Self {
        Self::Dynamic(image)
    }
}

impl<'a> From<&'a RgbImage> for ImageInput<'a> {
    fn from(image: &'a RgbImage) -> Self {
        Self::Rgb(image)
    }
}

impl<'a> From<&ImageInput<'a>> for ImageInput<'a> {
    fn from(image: &ImageInput<'a>) -> Self {
        *image
    }
}

impl<'a> From<&'a &Path> for ImageInput<'a> {
    fn from(path: &'a &Path) -> Self {
        Self::Path(path)
    }
}

impl<'a> From<&'a &str> for ImageInput<'a> {
    /// Takes the path of a file.
    fn from(path: &'a &str) -> Self {
        Self::Path(Path::new(path))
    }
}

impl<'a> From<&'a &[u8]> for ImageInput<'a> {
    fn from(bytes: &'a &[u8]) -> Self {
        Self::Bytes(bytes)
    }
}
