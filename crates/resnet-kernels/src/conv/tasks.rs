//! Splitting of a convolution's output into tasks for the threads.
//!
//! The split changes no bit of the result: each output value is one sum, computed in one task in a fixed order.

use crate::simd::ChannelBlock;
use std::ops::Range;

/// Some pixels of some blocks of output channels.
pub struct Task<'a> {
    /// Index of the range of pixels.
    pub cut: usize,
    /// Blocks of the whole output.
    pub blocks: Range<usize>,
    /// Pixels of the whole output.
    pub pixels: Range<usize>,
    /// Pixels of each block.
    pub outputs: Vec<&'a mut [ChannelBlock]>,
}

/// Returns the tasks of an output of `pixels` pixels per block: each of `cuts`, which are consecutive and cover all
/// pixels, by each of `blocks`, which cover all blocks in order.
pub fn split<'a>(
    output: &'a mut [ChannelBlock],
    pixels: usize,
    cuts: &[Range<usize>],
    blocks: &[Range<usize>],
) -> Vec<Task<'a>> {
    let mut planes = output.chunks_exact_mut(pixels);
    let mut tasks = Vec::with_capacity(cuts.len() * blocks.len());
    for blocks in blocks {
        let first = tasks.len();
        tasks.extend(cuts.iter().enumerate().map(|(cut, pixels)| Task {
            cut,
            blocks: blocks.clone(),
            pixels: pixels.clone(),
            outputs: Vec::with_capacity(blocks.len()),
        }));
        for plane in planes.by_ref().take(blocks.len()) {
            let mut rest = plane;
            for (task, cut) in tasks[first..].iter_mut().zip(cuts) {
                let (head, tail) = rest.split_at_mut(cut.len());
                task.outputs.push(head);
                rest = tail;
            }
        }
    }
    tasks
}

/// Splits `0..count` into `parts` ranges whose ends, except the last, are multiples of `unit`: as equal as that allows,
/// none empty.
pub fn ranges(count: usize, unit: usize, parts: usize) -> Vec<Range<usize>> {
    let units = count.div_ceil(unit);
    let parts = parts.clamp(1, units.max(1));
    let end = |part: usize| (units * part / parts * unit).min(count);
    (0..parts).map(|part| end(part)..end(part + 1)).collect()
}
