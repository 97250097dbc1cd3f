//! The kind of a TIFF image's samples, and words for the kinds that are not supported.

use crate::directory::{Directory, tag};
use crate::error::{Error, Result};
use crate::format::Format;

/// Values of the compression.
pub const UNCOMPRESSED: u64 = 1;
pub const HUFFMAN: u64 = 2;
pub const GROUP_3: u64 = 3;
pub const JPEG: u64 = 7;
/// Values of the photometric interpretation.
pub const WHITE_IS_ZERO: u64 = 0;
pub const BLACK_IS_ZERO: u64 = 1;
pub const RGB: u64 = 2;
pub const PALETTE: u64 = 3;
pub const CMYK: u64 = 5;
pub const YCBCR: u64 = 6;
/// The extra sample of colors that were multiplied by it.
const ASSOCIATED_ALPHA: u64 = 1;
/// Values of the sample format.
const UNSIGNED: u64 = 1;
const SIGNED: u64 = 2;
const FLOAT: u64 = 3;
/// The planar configuration of planes that are stored one after another.
const SEPARATE: u64 = 2;

/// The kind of the samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Width and height in pixels.
    pub size: (u32, u32),
    pub compression: u64,
    pub photometric: u64,
    /// Bits per sample; 0 when they differ.
    pub bits: u64,
    /// Samples per pixel, those of no color included.
    pub samples: u64,
    format: u64,
    /// True if each plane is stored alone.
    pub is_planar: bool,
    /// True if the colors were multiplied by the sample behind them.
    pub has_associated_alpha: bool,
}

impl Layout {
    /// Reads the layout by its directory, with the defaults of the format.
    ///
    /// # Errors
    /// When the directory does not tell the size.
    pub fn read(directory: &Directory) -> Result<Self> {
        let number = |tag, default| directory.number(tag).unwrap_or(default);
        let bits = directory.numbers(tag::BITS_PER_SAMPLE);
        let bits = bits.filter(|bits| !bits.is_empty()).unwrap_or(vec![1]);
        let are_equal = bits.iter().all(|&other| other == bits[0]);
        let formats = directory.numbers(tag::SAMPLE_FORMAT).unwrap_or_default();
        Ok(Self {
            size: dimensions(directory).ok_or_else(|| damaged("it does not tell its size"))?,
            compression: number(tag::COMPRESSION, 1),
            photometric: number(tag::PHOTOMETRIC, WHITE_IS_ZERO),
            bits: if are_equal { bits[0] } else { 0 },
            samples: number(tag::SAMPLES_PER_PIXEL, 1),
            format: formats.into_iter().max().unwrap_or(UNSIGNED),
            is_planar: number(tag::PLANAR_CONFIGURATION, 1) == SEPARATE,
            has_associated_alpha: directory.number(tag::EXTRA_SAMPLES) == Some(ASSOCIATED_ALPHA),
        })
    }

    /// Returns whether the compression is one of fax machines, in one dimension.
    pub fn is_fax(&self) -> bool {
        matches!(self.compression, HUFFMAN | GROUP_3)
    }

    /// Returns whether samples are gray, without alpha, and have 16 bits.
    pub fn is_16_bit_gray(&self) -> bool {
        let is_gray = matches!(self.photometric, WHITE_IS_ZERO | BLACK_IS_ZERO);
        is_gray && self.samples == 1 && self.bits == 16
    }

    /// Returns an error that names what is not supported.
    pub fn check_support(&self) -> Result<()> {
        if let Some(name) = unsupported_compression(self.compression) {
            return Err(unsupported(name));
        }
        if let Some(name) = unsupported_photometric(self.photometric) {
            return Err(unsupported(name));
        }
        match self.format {
            UNSIGNED => {}
            FLOAT => return Err(Error::FloatSamples),
            SIGNED => return Err(unsupported("signed samples")),
            _ => return Err(unsupported("samples of an undefined format")),
        }
        let is_gray = matches!(self.photometric, WHITE_IS_ZERO | BLACK_IS_ZERO);
        let is_supported = match (self.photometric, self.samples) {
            _ if self.is_fax() => is_gray && self.samples == 1 && self.bits == 1,
            (WHITE_IS_ZERO | BLACK_IS_ZERO, 1) => matches!(self.bits, 1 | 2 | 4 | 8 | 16),
            (PALETTE, 1) => matches!(self.bits, 1 | 2 | 4 | 8),
            (BLACK_IS_ZERO | PALETTE, 2) | (YCBCR, 3) => self.bits == 8,
            (RGB, 3..) | (CMYK, 4..) => matches!(self.bits, 8 | 16),
            _ => false,
        };
        match (self.bits, self.samples) {
            _ if is_supported => Ok(()),
            (0, _) => Err(unsupported("samples of different sizes")),
            (bits, 1) => Err(unsupported(format!("samples of {bits} bits"))),
            (bits, samples) => Err(unsupported(format!(
                "{samples} samples of {bits} bits per pixel"
            ))),
        }
    }
}

/// Returns the width and height.
pub fn dimensions(directory: &Directory) -> Option<(u32, u32)> {
    let edge = |tag| u32::try_from(directory.number(tag)?).ok();
    Some((edge(tag::IMAGE_WIDTH)?, edge(tag::IMAGE_HEIGHT)?))
}

/// Returns the name of a compression that is not supported.
fn unsupported_compression(number: u64) -> Option<String> {
    let name = match number {
        // The numbers are group 4, LZW, deflate by either of two, and PackBits.
        UNCOMPRESSED | HUFFMAN | GROUP_3 | JPEG | 4 | 5 | 8 | 32_946 | 32_773 => return None,
        6 => "JPEG compression of the old style",
        9 | 10 | 34_661 => "JBIG compression",
        32_766 => "NeXT compression",
        32_771 => "CCITT Huffman compression in words of 16 bits",
        32_809 => "ThunderScan compression",
        33_003 | 33_004 | 33_005 | 34_712 => "JPEG 2000 compression",
        34_676 | 34_677 => "SGI LogLuv compression",
        34_887 => "LERC compression",
        34_925 => "LZMA compression",
        50_000 => "Zstandard compression",
        50_001 => "WebP compression",
        50_002 | 52_546 => "JPEG XL compression",
        other => return Some(format!("compression number {other}")),
    };
    Some(name.to_owned())
}

/// Returns the name of an interpretation of samples that is not supported.
fn unsupported_photometric(number: u64) -> Option<String> {
    let name = match number {
        WHITE_IS_ZERO..=PALETTE | CMYK | YCBCR => return None,
        4 => "a transparency mask",
        8..=10 => "CIELab colors",
        32_803 | 34_892 => "raw samples of a camera",
        32_844 | 32_845 => "LogLuv colors",
        other => return Some(format!("photometric interpretation number {other}")),
    };
    Some(name.to_owned())
}

pub fn unsupported(feature: impl Into<String>) -> Error {
    Error::UnsupportedFeature {
        format: Format::Tiff,
        feature: feature.into(),
    }
}

pub fn damaged(reason: impl Into<String>) -> Error {
    Error::Damaged {
        format: Format::Tiff,
        reason: reason.into(),
    }
}
