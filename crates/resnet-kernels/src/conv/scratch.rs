//! Memory that a thread keeps from one task to the next.

use super::super::aligned::Lanes;
use super::super::simd::Lane;
use std::cell::Cell;

thread_local! {
    static KEPT: Cell<Lanes> = Cell::new(Lanes::default());
}

/// Runs `work` with `lanes` lanes of memory with undefined contents.
pub fn with_scratch<T>(lanes: usize, work: impl FnOnce(&mut [Lane]) -> T) -> T {
    let mut kept = KEPT.take();
    kept.reserve(lanes);
    let result = work(&mut kept[..lanes]);
    KEPT.set(kept);
    result
}
