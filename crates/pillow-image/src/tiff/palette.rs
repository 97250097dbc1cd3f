//! The palette of a TIFF file, which the `tiff` crate does not support: it decodes the indices as gray levels.

use crate::directory::{Directory, tag};
use crate::error::Result;

use super::layout::{BLACK_IS_ZERO, damaged};

/// Returns the colors of a palette: all reds, then greens, then blues, 16 bits each, of which the high byte counts.
///
/// # Errors
/// When the palette is missing or too short.
pub fn colors(directory: &Directory, bits: u64) -> Result<Vec<[u8; 3]>> {
    let map = directory.numbers(tag::COLOR_MAP).unwrap_or_default();
    let count = 1 << bits;
    if map.len() < 3 * count {
        return Err(damaged("its palette is missing or too short"));
    }
    let color = |index| [0, 1, 2].map(|plane| (map[plane * count + index] >> 8) as u8);
    Ok((0..count).map(color).collect())
}

/// Declares the indices in `file` as gray levels.
///
/// # Errors
/// When the directory does not tell that they are indices.
pub fn declare_gray(file: &mut [u8], directory: &Directory) -> Result<()> {
    let at = directory.offset_of(tag::PHOTOMETRIC);
    let at = at.ok_or_else(|| damaged("it does not tell its colors"))?;
    file[at..at + 2].copy_from_slice(&directory.short(BLACK_IS_ZERO as u16));
    Ok(())
}
