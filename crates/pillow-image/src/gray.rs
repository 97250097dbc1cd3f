//! Conversion to gray, and gray that is clipped.

use crate::detect::detect;
use crate::format::Format;
use crate::{png, tiff};

/// Returns whether the header of an image tells that it is gray with 16 bits per sample. Its levels above 255 become white,
/// as in Pillow, so that nearly nothing is left to see of most such images.
///
/// Of a PNG file, the first kilobyte is enough.
pub fn is_16_bit_gray(bytes: &[u8]) -> bool {
    match detect(bytes) {
        Ok(Format::Png) => png::is_16_bit_gray(bytes),
        Ok(Format::Tiff) => tiff::is_16_bit_gray(bytes),
        _ => false,
    }
}

/// Returns the luma of red, green and blue samples as Pillow's `convert("L")` does: ITU-R 601-2 in fixed point with 16
/// fractional bits.
///
/// `rgb` is `[pixels, 3]`, the result `[pixels]`; samples after the last whole pixel are ignored.
pub fn luma(rgb: &[u8]) -> Vec<u8> {
    let (pixels, _) = rgb.as_chunks::<3>();
    pixels
        .iter()
        .map(|pixel| {
            let [red, green, blue] = pixel.map(u32::from);
            ((red * 19_595 + green * 38_470 + blue * 7_471 + 0x8000) >> 16) as u8
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gray_stays_as_it_is_and_green_weighs_most() {
        let grays: Vec<u8> = (0..=255).collect();
        let rgb: Vec<u8> = grays.iter().flat_map(|&gray| [gray; 3]).collect();
        assert_eq!(luma(&rgb), grays);
        // As Pillow 13.0 converts them.
        assert_eq!(
            luma(&[255, 0, 0, 0, 255, 0, 0, 0, 255, 1, 2]),
            [76, 150, 29]
        );
    }
}
