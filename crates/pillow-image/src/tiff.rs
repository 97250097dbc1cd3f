//! The palette of a TIFF file, which the decoder does not support: it decodes the indices as gray levels.

use image::{GrayImage, Rgb, RgbImage};

/// Tags of a TIFF directory.
const BITS_PER_SAMPLE: u16 = 258;
const PHOTOMETRIC: u16 = 262;
const SAMPLES_PER_PIXEL: u16 = 277;
const COLOR_MAP: u16 = 320;
/// Values of the photometric interpretation.
const BLACK_IS_ZERO: u16 = 1;
const RGB_PALETTE: u16 = 3;
/// Bytes of an entry of a directory.
const ENTRY: usize = 12;

/// The 256 colors of a TIFF file whose samples are 8-bit indices.
#[derive(Debug, PartialEq, Eq)]
pub struct Palette {
    colors: Vec<Rgb<u8>>,
    /// The offset of the photometric interpretation.
    photometric: usize,
    big_endian: bool,
}

impl Palette {
    /// Reads the first directory of a classic TIFF file; `None` when it is damaged or has no such palette.
    pub fn find(bytes: &[u8]) -> Option<Self> {
        let big_endian = bytes.starts_with(b"MM");
        let short = |at: usize| -> Option<u16> {
            let number = bytes.get(at..)?.first_chunk()?;
            Some(if big_endian {
                u16::from_be_bytes(*number)
            } else {
                u16::from_le_bytes(*number)
            })
        };
        let long = |at: usize| -> Option<usize> {
            let (first, second) = (usize::from(short(at)?), usize::from(short(at + 2)?));
            let (high, low) = if big_endian {
                (first, second)
            } else {
                (second, first)
            };
            Some(high << 16 | low)
        };
        if short(2)? != 42 {
            return None;
        }
        let directory = long(4)?;
        let entries =
            (0..usize::from(short(directory)?)).map(|entry| directory + 2 + entry * ENTRY);
        let value_of = |tag| {
            entries
                .clone()
                .find(|&entry| short(entry) == Some(tag))
                .map(|entry| entry + 8)
        };
        let photometric = value_of(PHOTOMETRIC)?;
        let samples = value_of(SAMPLES_PER_PIXEL).map_or(Some(1), short)?;
        if (
            short(photometric)?,
            short(value_of(BITS_PER_SAMPLE)?)?,
            samples,
        ) != (RGB_PALETTE, 8, 1)
        {
            return None;
        }
        // 256 reds, then greens, then blues, 16 bits each, of which the high byte counts.
        let map = long(value_of(COLOR_MAP)?)?;
        let sample = |at: usize| Some(short(map + 2 * at)?.to_be_bytes()[0]);
        let colors = (0..256)
            .map(|index| {
                Some(Rgb([
                    sample(index)?,
                    sample(256 + index)?,
                    sample(512 + index)?,
                ]))
            })
            .collect::<Option<_>>()?;
        Some(Self {
            colors,
            photometric,
            big_endian,
        })
    }

    /// Returns the file of `bytes` with its indices declared as gray levels.
    pub fn as_gray(&self, bytes: &[u8]) -> Vec<u8> {
        let mut file = bytes.to_vec();
        let value = if self.big_endian {
            BLACK_IS_ZERO.to_be_bytes()
        } else {
            BLACK_IS_ZERO.to_le_bytes()
        };
        file[self.photometric..][..2].copy_from_slice(&value);
        file
    }

    /// Returns the colors of the decoded `indices`.
    pub fn apply(&self, indices: &GrayImage) -> RgbImage {
        RgbImage::from_fn(indices.width(), indices.height(), |x, y| {
            self.colors[usize::from(indices.get_pixel(x, y).0[0])]
        })
    }
}
