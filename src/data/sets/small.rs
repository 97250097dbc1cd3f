//! Whether the pictures in a folder are small ones, by the headers of some of them.
//!
//! A hundred at most are looked at, spread evenly, so that a folder of a million opens as quickly as one of a hundred, and
//! the same folder always gives the same answer.

use std::fs;
use std::path::PathBuf;

use crate::data::decode::{dimensions, read};

/// The most pictures that are looked at.
const LOOKED_AT: usize = 100;
/// The longer side of small pictures, at most, in pixels.
const LONGEST_SIDE: u32 = 64;
/// The shorter side of small pictures, at least, in pixels: a net learns nothing of fewer.
const SHORTEST_SIDE: u32 = 8;
/// No file of a small picture is longer, in bytes: four times 64x64 pixels of four channels of 16 bits.
const LONGEST_FILE: u64 = 128 << 10;

/// The median height and width, in pixels, where the median longer side is at most 64 and neither median below 8.
///
/// Pictures that cannot be read do not count.
pub fn small_size(paths: &[PathBuf]) -> Option<[usize; 2]> {
    let looked_at = paths.len().min(LOOKED_AT);
    let picked = (0..looked_at).map(|nth| &paths[nth * paths.len() / looked_at]);
    let sizes: Vec<[u32; 2]> = picked.filter_map(size).collect();
    let longer = median(sizes.iter().map(|size| size[0].max(size[1])))?;
    let height = median(sizes.iter().map(|size| size[0]))?;
    let width = median(sizes.iter().map(|size| size[1]))?;
    let is_small = longer <= LONGEST_SIDE && height.min(width) >= SHORTEST_SIDE;
    is_small.then_some([height as usize, width as usize])
}

/// The height and width that a file's header names; a long file is not read, for it holds no small picture.
fn size(path: &PathBuf) -> Option<[u32; 2]> {
    if fs::metadata(path).ok()?.len() > LONGEST_FILE {
        return Some([u32::MAX; 2]);
    }
    let (width, height) = dimensions(&read(path).ok()?)?;
    Some([height, width])
}

/// The one in the middle, the upper of two.
fn median(numbers: impl Iterator<Item = u32>) -> Option<u32> {
    let mut numbers: Vec<u32> = numbers.collect();
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied()
}
