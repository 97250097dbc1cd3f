//! Memory that a thread keeps from one task to the next.

use crate::layout::Buffer;
use crate::simd::ChannelBlock;
use std::cell::Cell;

thread_local! {
    static KEPT: Cell<Buffer> = Cell::new(Buffer::default());
}

/// Runs `work` with `blocks` channel blocks of memory with undefined contents.
pub fn with_scratch<T>(blocks: usize, work: impl FnOnce(&mut [ChannelBlock]) -> T) -> T {
    let mut kept = KEPT.take();
    kept.reserve(blocks);
    let result = work(&mut kept[..blocks]);
    KEPT.set(kept);
    result
}
