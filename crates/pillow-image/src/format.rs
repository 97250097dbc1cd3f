//! The formats that are decoded.

use std::fmt;

/// A format of image files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Portable Network Graphics.
    Png,
    /// JPEG: sequential or progressive Huffman coding of 8-bit samples.
    Jpeg,
    /// WebP, lossy or lossless; the first frame of an animation.
    WebP,
    /// Windows bitmap.
    Bmp,
    /// GIF; the first frame of an animation.
    Gif,
    /// TIFF, classic or little-endian `BigTIFF`; the first page.
    Tiff,
}

impl Format {
    /// Returns the name as its authors write it, such as `WebP`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::WebP => "WebP",
            Self::Bmp => "BMP",
            Self::Gif => "GIF",
            Self::Tiff => "TIFF",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<Format> for image::ImageFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Png => Self::Png,
            Format::Jpeg => Self::Jpeg,
            Format::WebP => Self::WebP,
            Format::Bmp => Self::Bmp,
            Format::Gif => Self::Gif,
            Format::Tiff => Self::Tiff,
        }
    }
}
