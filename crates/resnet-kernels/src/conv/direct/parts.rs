//! The parts of a sum over input channels and taps, each of which the L1 cache holds.

use std::ops::Range;

/// Number of blocks of input channels that a 1x1 kernel sums at once.
const PART: usize = 8;

/// Returns the number of blocks of input channels that are summed at once.
pub(super) fn part_blocks(taps: usize) -> usize {
    (PART / taps.max(1)).max(1)
}

/// Splits `0..count` into parts of `size`.
pub(super) fn block_ranges(count: usize, size: usize) -> impl Iterator<Item = Range<usize>> {
    (0..count)
        .step_by(size)
        .map(move |start| start..(start + size).min(count))
}
