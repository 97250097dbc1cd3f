//! The header of a BMP file: seven lengths of it, by Windows and OS/2.

use image::Rgb;

/// The offset of the header proper, behind that of the file.
const START: usize = 14;
/// Values of the compression.
const RAW: u32 = 0;
const RLE8: u32 = 1;
const RLE4: u32 = 2;
const BIT_FIELDS: u32 = 3;

/// The form of the pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Indices of 1, 4 or 8 bits into the palette.
    Indexed { bits: usize },
    /// Runs of indices of 4 or 8 bits.
    RunLength { bits: usize },
    /// 16 bits: 5 of blue, 5 or 6 of green, 5 of red, from the lowest up.
    Short { green_bits: u32 },
    /// 3 or 4 bytes, of which `colors` are the places of red, green and blue.
    Bytes { count: usize, colors: [usize; 3] },
}

impl Layout {
    /// Returns the bits per pixel.
    pub fn bits(self) -> usize {
        match self {
            Self::Indexed { bits } | Self::RunLength { bits } => bits,
            Self::Short { .. } => 16,
            Self::Bytes { count, .. } => 8 * count,
        }
    }
}

/// The header of a BMP file.
#[derive(Debug)]
pub struct Header {
    pub width: u32,
    pub height: u32,
    /// True if the first row in the file is the upper one.
    pub is_top_down: bool,
    pub layout: Layout,
    /// The colors; black where the file has none.
    pub palette: Box<[Rgb<u8>; 256]>,
    /// The offset of the pixels.
    pub pixels: usize,
}

impl Header {
    /// Reads the header of a file; `None` when it is truncated, or of a kind that Pillow rejects.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let short = |at: usize| {
            let bytes = bytes.get(START + at..)?.first_chunk()?;
            Some(u32::from(u16::from_le_bytes(*bytes)))
        };
        let long = |at: usize| {
            let bytes = bytes.get(START + at..)?.first_chunk()?;
            Some(u32::from_le_bytes(*bytes))
        };
        let length = long(0)? as usize;
        let is_short = match length {
            12 => true,
            40 | 52 | 56 | 64 | 108 | 124 => false,
            _ => return None,
        };
        bytes.get(START + length - 1)?;
        let (width, height, bits) = if is_short {
            (short(4)?, short(6)?, short(10)?)
        } else {
            (long(4)?, long(8)?, short(14)?)
        };
        let (compression, colors) = if is_short {
            (RAW, 0)
        } else {
            (long(16)?, long(32)?)
        };
        // A negative height.
        let is_top_down = !is_short && height >> 24 == 0xff;
        let mut end = START + length;
        let layout = match (compression, bits) {
            (RAW, 1 | 4 | 8) => Layout::Indexed {
                bits: bits as usize,
            },
            (RLE8, 8) | (RLE4, 4) => Layout::RunLength {
                bits: bits as usize,
            },
            (RAW, 16) => Layout::Short { green_bits: 5 },
            (RAW, 24 | 32) => Layout::Bytes {
                count: bits as usize / 8,
                colors: [2, 1, 0],
            },
            (BIT_FIELDS, 16 | 24 | 32) => {
                // Behind a header of 40 bytes, and within longer ones.
                let masks = [long(40)?, long(44)?, long(48)?];
                end = end.max(START + 52);
                by_masks(bits as usize, masks)?
            }
            _ => return None,
        };
        let mut palette = Box::new([Rgb([0; 3]); 256]);
        let declared = u32::from_le_bytes(*bytes.get(10..)?.first_chunk()?) as usize;
        let mut pixels = declared;
        if bits <= 8 {
            let colors = if colors == 0 {
                1 << bits
            } else {
                colors as usize
            };
            if colors > 1 << 16 {
                return None;
            }
            let entry = if is_short { 3 } else { 4 };
            for (color, stored) in palette
                .iter_mut()
                .zip(bytes[end..].chunks_exact(entry).take(colors))
            {
                *color = Rgb([stored[2], stored[1], stored[0]]);
            }
            // Pillow takes the indices for gray levels then, also those beyond the palette.
            let gray = |level: usize| Rgb([level as u8; 3]);
            let is_gray =
                |stored: &[Rgb<u8>]| (0..stored.len()).all(|level| stored[level] == gray(level));
            let known = colors.min(256);
            if is_gray(&palette[..known]) {
                (known..256).for_each(|level| palette[level] = gray(level));
            }
            if declared == START + length {
                pixels += entry * colors;
            }
            end += entry * colors;
        }
        Some(Self {
            width,
            height: if is_top_down {
                height.wrapping_neg()
            } else {
                height
            },
            is_top_down,
            layout,
            palette,
            pixels: if declared == 0 { end } else { pixels },
        })
    }
}

/// Returns the layout of pixels whose red, green and blue have these bits; `None` for layouts that Pillow does not have.
fn by_masks(bits: usize, masks: [u32; 3]) -> Option<Layout> {
    match (bits, masks) {
        (16, [0xf800, 0x7e0, 0x1f]) => return Some(Layout::Short { green_bits: 6 }),
        (16, [0x7c00, 0x3e0, 0x1f]) => return Some(Layout::Short { green_bits: 5 }),
        (16, _) => return None,
        _ => {}
    }
    let count = bits / 8;
    if masks == [0; 3] {
        let colors = [2, 1, 0];
        return (count == 4).then_some(Layout::Bytes { count, colors });
    }
    let mut colors = [0; 3];
    for (color, mask) in colors.iter_mut().zip(masks) {
        *color = (0..count).find(|byte| mask == 0xff << (8 * byte))?;
    }
    Some(Layout::Bytes { count, colors })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_of_whole_bytes_give_the_places_of_the_colors() {
        let bytes = |colors| Some(Layout::Bytes { count: 4, colors });
        assert_eq!(by_masks(32, [0xff_0000, 0xff00, 0xff]), bytes([2, 1, 0]));
        assert_eq!(by_masks(32, [0xff00_0000, 0xff00, 0xff]), bytes([3, 1, 0]));
        assert_eq!(by_masks(32, [0; 3]), bytes([2, 1, 0]));
        assert_eq!(by_masks(32, [0x3ff0_0000, 0xffc00, 0x3ff]), None);
        assert_eq!(by_masks(24, [0; 3]), None);
        assert_eq!(by_masks(16, [0xf00, 0xf0, 0xf]), None);
    }
}
