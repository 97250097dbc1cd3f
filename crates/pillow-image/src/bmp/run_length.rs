//! Run lengths in BMP files (RLE8 and RLE4), as Pillow reads them.
//!
//! A pair of bytes is a run: a count, and an index (or two indices of 4 bits that alternate). A count of 0 is an escape: the
//! end of a line or of the image, a jump to the right and up, or a number of indices as they are. Pixels that no run names
//! have index 0.

use crate::error::{Error, Result};
use crate::format::Format;

const END_OF_LINE: u8 = 0;
const END_OF_IMAGE: u8 = 1;
const JUMP: u8 = 2;

/// The bytes of a file from a position on.
struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let bytes = self.bytes.get(self.position..).unwrap_or_default();
        let taken = bytes.get(..length).ok_or(Error::Truncated)?;
        self.position += length;
        Ok(taken)
    }

    fn pair(&mut self) -> Result<[u8; 2]> {
        let pair = self.take(2)?;
        Ok([pair[0], pair[1]])
    }
}

/// Returns the indices of an image of `[height, width]`, row after row from below, one byte each. The runs begin at `start`
/// of the file's `bytes`; their indices have `bits` bits.
///
/// # Errors
/// When the file is truncated, or the runs end before the last pixel.
pub fn decode(
    bytes: &[u8],
    start: usize,
    bits: usize,
    [height, width]: [usize; 2],
) -> Result<Vec<u8>> {
    let mut reader = Reader {
        bytes,
        position: start,
    };
    let pixels = height * width;
    let mut indices = Vec::with_capacity(pixels);
    // The column, for the end of runs; indices as they are may go beyond it.
    let mut column = 0;
    while indices.len() < pixels {
        match reader.pair()? {
            [0, END_OF_LINE] => {
                indices.resize(indices.len().next_multiple_of(width), 0);
                column = 0;
            }
            [0, END_OF_IMAGE] => {
                return Err(Error::Damaged {
                    format: Format::Bmp,
                    reason: "its runs end before the last pixel".to_owned(),
                });
            }
            [0, JUMP] => {
                let [right, up] = reader.pair()?.map(usize::from);
                // No further than the end of the image.
                let end = (indices.len() + right + up * width).min(pixels);
                indices.resize(end, 0);
                column = end % width;
            }
            [0, count] => {
                let known = usize::from(count).min(pixels - indices.len());
                if bits == 4 {
                    let pairs = reader.take(known.div_ceil(2))?;
                    let both = pairs.iter().flat_map(|pair| [pair >> 4, pair & 15]);
                    indices.extend(both.take(known));
                } else {
                    indices.extend(reader.take(known)?);
                }
                column += usize::from(count);
                reader.position += reader.position % 2;
            }
            [count, index] => {
                let count = usize::from(count).min(width.saturating_sub(column));
                if bits == 4 {
                    let alternating = [index >> 4, index & 15].into_iter().cycle();
                    indices.extend(alternating.take(count));
                } else {
                    indices.resize(indices.len() + count, index);
                }
                column += count;
            }
        }
    }
    Ok(indices)
}
