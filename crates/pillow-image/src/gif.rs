//! The position of the first frame of a GIF file and the color around it, as in Pillow.
//!
//! A frame may be smaller than the image: Pillow fills the rest with the transparent color, or with the palette's first
//! color if none is transparent (decoders with alpha use black). A frame may also extend beyond the image: then Pillow's
//! image grows.

use std::borrow::Cow;

use image::{Rgb, RgbImage};

/// The offset of the image's width and height.
const SCREEN: std::ops::Range<usize> = 6..10;
/// The offset of the blocks, or of the global palette.
const BLOCKS: usize = 13;

/// The first frame of a GIF file.
#[derive(Debug, PartialEq, Eq)]
pub struct FirstFrame {
    /// Columns of the image, from first to one after the last.
    columns: std::ops::Range<u32>,
    /// Rows of the image, from first to one after the last.
    rows: std::ops::Range<u32>,
    /// The color around the frame.
    surround: Rgb<u8>,
}

impl FirstFrame {
    /// Reads the blocks in front of the first frame; `None` when they are damaged.
    pub fn find(bytes: &[u8]) -> Option<Self> {
        let (global, mut rest) = palette(*bytes.get(10)?, bytes.get(BLOCKS..)?)?;
        let mut surround = 0;
        loop {
            let (&introducer, block) = rest.split_first()?;
            match introducer {
                0x21 => {
                    // Graphic control: five bytes, of which the second has the flags and the last but one the index.
                    if let [0xf9, 4, flags, _, _, index, ..] = block
                        && flags & 1 == 1
                    {
                        surround = usize::from(*index);
                    }
                    rest = skip_sub_blocks(block.get(1..)?)?;
                }
                0x2c => {
                    let number = |at: usize| -> Option<u32> {
                        let bytes = block.get(at..at + 2)?;
                        Some(u32::from(u16::from_le_bytes([bytes[0], bytes[1]])))
                    };
                    let (local, _) = palette(*block.get(8)?, block.get(9..)?)?;
                    let palette = if local.is_empty() { global } else { local };
                    let surround = palette.as_chunks::<3>().0.get(surround);
                    return Some(Self {
                        columns: number(0)?..number(0)? + number(4)?,
                        rows: number(2)?..number(2)? + number(6)?,
                        surround: Rgb(surround.copied().unwrap_or_default()),
                    });
                }
                _ => return None,
            }
        }
    }

    /// Returns the file of `bytes` with an image that is large enough for this frame.
    pub fn with_room<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let mut file = Cow::Borrowed(bytes);
        for (at, end) in [
            (SCREEN.start, self.columns.end),
            (SCREEN.start + 2, self.rows.end),
        ] {
            let size = u16::from_le_bytes([bytes[at], bytes[at + 1]]);
            if end > u32::from(size) {
                let end = u16::try_from(end).unwrap_or(u16::MAX);
                file.to_mut()[at..at + 2].copy_from_slice(&end.to_le_bytes());
            }
        }
        file
    }

    /// Fills the pixels around the frame.
    pub fn paint_surround(&self, image: &mut RgbImage) {
        if self.columns == (0..image.width()) && self.rows == (0..image.height()) {
            return;
        }
        for (x, y, pixel) in image.enumerate_pixels_mut() {
            if !(self.columns.contains(&x) && self.rows.contains(&y)) {
                *pixel = self.surround;
            }
        }
    }
}

/// Returns the palette that `flags` announce at the start of `bytes` (empty without one), and what follows it.
fn palette(flags: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = match flags & 0x80 {
        0 => 0,
        _ => 3 << ((flags & 7) + 1),
    };
    bytes.split_at_checked(length)
}

/// Returns the bytes after a chain of sub-blocks, each of which starts with its length; the last one is empty.
fn skip_sub_blocks(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        let (&length, rest) = bytes.split_first()?;
        bytes = rest.get(usize::from(length)..)?;
        if length == 0 {
            return Some(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gif_cut_anywhere_has_no_first_frame_and_fails_quietly() {
        let mut gif = b"GIF89a\x05\0\x04\0\x80\0\0\x01\x02\x03\x04\x05\x06".to_vec();
        gif.extend(b"\x21\xfe\x01c\0\x21\xf9\x04\x01\0\0\x01\0\x2c\x01\0\x02\0\x03\0\x09\0\0");
        for length in 0..gif.len() {
            assert_eq!(FirstFrame::find(&gif[..length]), None, "{length} bytes");
        }
        let frame = FirstFrame::find(&gif).unwrap();
        assert_eq!((frame.columns.clone(), frame.rows.clone()), (1..4, 2..11));
        assert_eq!(frame.surround, Rgb([4, 5, 6]));
        assert_eq!(frame.with_room(&gif)[SCREEN], [5, 0, 11, 0]);
    }
}
