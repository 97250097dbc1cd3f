//! The parts of a TIFF image, and the order of the bits in them.

use std::borrow::Cow;

use crate::directory::{Directory, tag};
use crate::error::{Error, Result};

use super::layout::{Layout, damaged};

/// The fill order whose first pixel has the lowest bits of a byte.
const LOWEST_FIRST: u64 = 2;

/// The parts of an image: strips over its whole width, or tiles.
#[derive(Debug)]
pub struct Parts {
    offsets: Vec<u64>,
    lengths: Vec<u64>,
    /// Width and height of a part, in pixels.
    pub size: [usize; 2],
}

impl Parts {
    /// Reads the places of the parts.
    ///
    /// # Errors
    /// When the directory does not tell them.
    pub fn read(directory: &Directory, layout: &Layout) -> Result<Self> {
        let parts = Self::find(directory, layout);
        parts.ok_or_else(|| damaged("it does not tell where its parts are"))
    }

    fn find(directory: &Directory, layout: &Layout) -> Option<Self> {
        let edge = |tag| usize::try_from(directory.number(tag)?).ok();
        let (width, height) = (layout.size.0 as usize, layout.size.1 as usize);
        let (offsets, lengths, size) = if directory.contains(tag::TILE_OFFSETS) {
            let size = [edge(tag::TILE_WIDTH)?, edge(tag::TILE_HEIGHT)?];
            (tag::TILE_OFFSETS, tag::TILE_BYTE_COUNTS, size)
        } else {
            let rows = edge(tag::ROWS_PER_STRIP).unwrap_or(height);
            let size = [width, rows.min(height)];
            (tag::STRIP_OFFSETS, tag::STRIP_BYTE_COUNTS, size)
        };
        let parts = Self {
            offsets: directory.numbers(offsets)?,
            lengths: directory.numbers(lengths)?,
            size,
        };
        (!size.contains(&0)).then_some(parts)
    }

    /// Returns the data of a part.
    ///
    /// # Errors
    /// When there is no such part, or the file ends before its end.
    pub fn data<'a>(&self, bytes: &'a [u8], index: usize) -> Result<&'a [u8]> {
        let missing = || damaged("a part of the image is missing");
        let place = |numbers: &[u64]| usize::try_from(*numbers.get(index)?).ok();
        let start = place(&self.offsets).ok_or_else(missing)?;
        let length = place(&self.lengths).ok_or_else(missing)?;
        let data = bytes.get(start..start.saturating_add(length));
        data.ok_or(Error::Truncated)
    }
}

/// Returns the file of `bytes` with parts whose first pixel has the highest bits of a byte.
///
/// # Errors
/// Those of [`Parts::read`].
pub fn highest_first<'a>(
    bytes: &'a [u8],
    directory: &Directory,
    layout: &Layout,
) -> Result<Cow<'a, [u8]>> {
    if directory.number(tag::FILL_ORDER) != Some(LOWEST_FIRST) {
        return Ok(bytes.into());
    }
    let parts = Parts::read(directory, layout)?;
    // Parts that overlap would take longer than their file is long.
    let total = parts
        .lengths
        .iter()
        .fold(0, |sum: u64, &length| sum.saturating_add(length));
    if total > bytes.len() as u64 {
        return Err(Error::Truncated);
    }
    let mut file = bytes.to_vec();
    for index in 0..parts.offsets.len() {
        let part = parts.data(bytes, index)?;
        let start = part.as_ptr() as usize - bytes.as_ptr() as usize;
        for (place, byte) in file[start..].iter_mut().zip(part) {
            *place = byte.reverse_bits();
        }
    }
    Ok(file.into())
}
