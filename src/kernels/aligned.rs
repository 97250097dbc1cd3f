//! Memory whose lanes do not straddle cache lines, in large pages where the system has them.
//!
//! Batches of activations are read and written from one end to the other. With pages of 2 MB in place of 4 KB there is less to
//! look up, and which lines meet in one set of the second-level cache is no longer left to where the system finds its pages:
//! ResNet-50 takes 4 % less time with 8 pictures and 6 % less with 32; with one picture there is no clear difference.

use super::simd::{LANES, Lane};
use std::ops::{Deref, DerefMut};

/// Lanes in memory that begins where a cache line does.
#[derive(Debug, Clone, Default)]
pub struct Lanes {
    values: Vec<f32>,
    start: usize,
    count: usize,
}

impl Lanes {
    /// `count` lanes of zeros.
    pub fn zeros(count: usize) -> Self {
        // Zeros of a large allocation are pages that the system hands out when they are touched.
        let values = vec![0.0; (count + 1) * LANES - 1];
        ask_for_large_pages(&values);
        let start = values.as_ptr().align_offset(size_of::<Lane>());
        // The offset is one of elements; an allocator of odd addresses would only cost speed.
        let start = if start < LANES { start } else { 0 };
        Self {
            values,
            start,
            count,
        }
    }

    /// Makes room for `count` lanes at least; what they held may be lost.
    pub fn reserve(&mut self, count: usize) {
        if self.count < count {
            *self = Self::zeros(count);
        }
    }
}

/// The size from which on a vector has large pages of its own, on x86-64 and mostly elsewhere.
const LARGE_PAGE: usize = 2 << 20;

/// Asks the system for large pages below `values`, which nobody touched yet. It may say no.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the system call takes addresses")]
fn ask_for_large_pages(values: &[f32]) {
    use rustix::mm::{Advice, madvise};
    if size_of_val(values) < LARGE_PAGE {
        return;
    }
    let start = values.as_ptr().cast_mut().cast::<u8>();
    let into_page = start.addr() % rustix::param::page_size();
    let start = start.wrapping_sub(into_page);
    let bytes = into_page + size_of_val(values);
    // SAFETY: `MADV_HUGEPAGE` says how the system should keep these pages, of which the first one may hold other values, too.
    // It neither maps, unmaps nor changes a byte; addresses that are not mapped are an error that it returns.
    let _ = unsafe { madvise(start.cast(), bytes, Advice::LinuxHugepage) };
}

#[cfg(not(target_os = "linux"))]
fn ask_for_large_pages(_: &[f32]) {}

impl Deref for Lanes {
    type Target = [Lane];
    fn deref(&self) -> &[Lane] {
        if self.count == 0 {
            return &[];
        }
        &self.values[self.start..].as_chunks().0[..self.count]
    }
}

impl DerefMut for Lanes {
    fn deref_mut(&mut self) -> &mut [Lane] {
        if self.count == 0 {
            return &mut [];
        }
        &mut self.values[self.start..].as_chunks_mut().0[..self.count]
    }
}
