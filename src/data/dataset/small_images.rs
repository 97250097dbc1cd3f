//! Detects folders of small images by the headers of some of them.
//!
//! At most a hundred are inspected, evenly spaced, so that a folder of a million images opens as fast as one of a hundred,
//! and the same folder always gives the same answer.

use pillow_image::dimensions;

use super::Split;

/// The most images to inspect.
const LOOKED_AT: usize = 100;
/// The longer side of small images, at most, in pixels.
const LONGEST_SIDE: u32 = 64;
/// The shorter side of small images, at least, in pixels; fewer are of no use to a network.
const SHORTEST_SIDE: u32 = 8;
/// The longest file of a small image, in bytes: four times 64x64 pixels of four channels of 16 bits.
const LONGEST_FILE: u64 = 128 << 10;

/// Returns the median height and width, in pixels, when the median longer side is at most 64 and neither median below 8.
///
/// Unreadable images do not count.
pub fn small_size(split: &Split) -> Option<[usize; 2]> {
    let looked_at = split.len().min(LOOKED_AT);
    let picked = (0..looked_at).map(|nth| nth * split.len() / looked_at);
    let sizes: Vec<[u32; 2]> = picked.filter_map(|index| size(split, index)).collect();
    let longer = median(sizes.iter().map(|size| size[0].max(size[1])))?;
    let height = median(sizes.iter().map(|size| size[0]))?;
    let width = median(sizes.iter().map(|size| size[1]))?;
    let is_small = longer <= LONGEST_SIDE && height.min(width) >= SHORTEST_SIDE;
    is_small.then_some([height as usize, width as usize])
}

/// Returns the height and width by a file's header; a long file is not read, for it holds no small image.
fn size(split: &Split, index: usize) -> Option<[u32; 2]> {
    if split.encoded_length(index)? > LONGEST_FILE {
        return Some([u32::MAX; 2]);
    }
    let (width, height) = dimensions(&split.encoded(index)?.ok()?)?;
    Some([height, width])
}

/// Returns the median, the upper one of two.
fn median(numbers: impl Iterator<Item = u32>) -> Option<u32> {
    let mut numbers: Vec<u32> = numbers.collect();
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied()
}
