//! The options of decoding, and the limits on sizes.

use crate::error::{Error, Result};

/// The most pixels that Pillow opens (twice `Image.MAX_IMAGE_PIXELS`).
const PILLOW_MAX_PIXELS: u64 = 178_956_970;
/// The longest edge of an image, in pixels.
pub const MAX_EDGE: u32 = 1 << 20;

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

impl DecodeOptions {
    /// Rejects an image without pixels or with too many.
    pub(crate) fn check_size(&self, (width, height): (u32, u32)) -> Result<()> {
        let max_pixels = self.max_pixels;
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
}
