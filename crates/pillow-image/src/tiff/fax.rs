//! Runs of white and black by the codes of fax machines, in one dimension: CCITT group 3, and CCITT Huffman compression.
//!
//! Each row is a sequence of runs, white first, whose lengths have codes of up to 13 bits. In group 3, a mark is in front of
//! each row: at least eleven zeros and a one. In Huffman compression, each row begins with a byte.

use std::convert::Infallible;

use fax::maps::{black, white};
use fax::{BitReader, ByteReader};

use crate::directory::{Directory, tag};
use crate::error::{Error, Result};

use super::layout::{GROUP_3, Layout, WHITE_IS_ZERO, damaged, unsupported};
use super::parts::Parts;

/// The option of group 3 for rows that are coded by the row above.
const TWO_DIMENSIONS: u64 = 1;
/// A length that more of the same color follows, at least.
const CONTINUED: u16 = 64;
/// Zeros of a mark, of which fewer are in front of any other code.
const MARK: u8 = 11;

/// Decodes an image to one byte per pixel: 0 or 255.
///
/// # Errors
/// When a part is missing, truncated or damaged.
pub fn decode(bytes: &[u8], directory: &Directory, layout: &Layout) -> Result<Vec<u8>> {
    let options = directory.number(tag::GROUP_3_OPTIONS).unwrap_or(0);
    if layout.compression == GROUP_3 && options & TWO_DIMENSIONS != 0 {
        return Err(unsupported("CCITT group 3 compression in two dimensions"));
    }
    let parts = Parts::read(directory, layout)?;
    let (width, height) = (layout.size.0 as usize, layout.size.1 as usize);
    if parts.size[0] != width {
        return Err(unsupported("tiles of CCITT compression"));
    }
    let levels = match layout.photometric {
        WHITE_IS_ZERO => [255, 0],
        _ => [0, 255],
    };
    let mut image = vec![0; width * height];
    for (index, rows) in image
        .chunks_mut(width * parts.size[1].min(height))
        .enumerate()
    {
        let data = parts.data(bytes, index)?;
        let bits = data.iter().map(|&byte| Ok::<u8, Infallible>(byte));
        let Ok(bits) = ByteReader::new(bits);
        let mut reader = Reader { bits, position: 0 };
        for row in rows.chunks_mut(width) {
            if layout.compression == GROUP_3 {
                reader.skip_marks();
            } else {
                reader.align();
            }
            reader.read_row(row, levels)?;
        }
    }
    Ok(image)
}

/// The bits of a part, from the highest of a byte down.
struct Reader<I> {
    bits: ByteReader<I>,
    /// Bits that were read.
    position: usize,
}

impl<I: Iterator<Item = std::result::Result<u8, Infallible>>> Reader<I> {
    /// Reads a row of white and black.
    fn read_row(&mut self, mut row: &mut [u8], levels: [u8; 2]) -> Result<()> {
        for color in [0, 1].into_iter().cycle() {
            let length = self.length(color == 1)?;
            let (run, rest) = row
                .split_at_mut_checked(length)
                .ok_or_else(|| damaged("a row is longer than the image is wide"))?;
            run.fill(levels[color]);
            row = rest;
            if row.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Reads the length of a run: multiples of 64, and the rest.
    fn length(&mut self, is_black: bool) -> Result<usize> {
        let mut length = 0;
        loop {
            let code = if is_black {
                black::decode(self)
            } else {
                white::decode(self)
            };
            let code = code.ok_or_else(|| self.failure())?;
            length += usize::from(code);
            if code < CONTINUED {
                return Ok(length);
            }
        }
    }

    /// Returns the error of bits that are no code.
    fn failure(&self) -> Error {
        match self.bits.peek(1) {
            Some(_) => damaged("its runs are damaged"),
            None => Error::Truncated,
        }
    }

    /// Advances to the next byte.
    fn align(&mut self) {
        let bits = self.bits_to_byte_boundary();
        self.skip(bits);
    }

    fn skip(&mut self, bits: u8) {
        let Ok(()) = self.consume(bits);
    }

    /// Advances behind marks.
    fn skip_marks(&mut self) {
        while self.bits.peek(MARK) == Some(0) {
            while self.bits.peek(1) == Some(0) {
                self.skip(1);
            }
            self.skip(1);
        }
    }
}

impl<I: Iterator<Item = std::result::Result<u8, Infallible>>> BitReader for Reader<I> {
    type Error = Infallible;

    /// Returns the next bits, zeros behind the last.
    fn peek(&self, bits: u8) -> Option<u16> {
        let known = (1..=bits).rev();
        let mut known = known.filter_map(|known| Some(self.bits.peek(known)? << (bits - known)));
        Some(known.next().unwrap_or(0))
    }

    fn consume(&mut self, bits: u8) -> std::result::Result<(), Infallible> {
        self.position += usize::from(bits);
        self.bits.consume(bits)
    }

    fn bits_to_byte_boundary(&self) -> u8 {
        (self.position.wrapping_neg() % 8) as u8
    }
}
